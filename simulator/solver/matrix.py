"""A distributed matrix assembled from coordinates: many terms, entries repeated, rows anywhere.

The sparsity is sorted out once. After that, assembling is one exchange of the values meant for
other ranks' rows, one pass that adds up repeated entries, and one hand-over to PETSc.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from petsc4py import PETSc

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int32]


def _distinct(keys: Ints) -> tuple[Ints, Ints]:
    """The distinct keys in order, and for each key which of them it is.

    As `numpy.unique` with its inverse, in half the memory: this is where a run's peak lies.
    """
    order = np.argsort(keys)
    ordered = keys[order]
    first = np.empty(keys.size, dtype=bool)
    first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    unique = ordered[first]
    del ordered
    which = np.cumsum(first, dtype=np.int32) - np.int32(1)
    slots = np.empty(keys.size, dtype=np.int64)  # as bincount wants them
    slots[order] = which
    return unique, slots


class CoordinateMatrix:
    """A square PETSc matrix with a fixed pattern. Construction and `assemble` are collective.

    Args:
        comm: the communicator.
        owned, total: rows of this rank, of all.
        rows, columns: (n,) global positions of this rank's entries; rows need not be its own.

    Attributes:
        matrix: with the values last assembled.
    """

    def __init__(
        self, comm: MPI.Comm, owned: int, total: int, rows: Indices, columns: Indices
    ) -> None:
        self._comm = comm
        start = int(comm.exscan(owned) or 0)
        starts = np.array([*comm.allgather(start), total], dtype=np.int64)
        self._plan_exchange(starts, rows)
        # In one expression, so that no array of all entries outlives its use.
        keys = (self._exchange(rows).astype(np.int64) - start) * total + self._exchange(columns)
        unique, slots = _distinct(keys)
        del keys
        self._slots = self._lay_out(unique, slots, start, owned, total)

    def _lay_out(self, unique: Ints, slots: Ints, start: int, owned: int, total: int) -> Ints:
        """Make the matrix over arrays of our own; returns each entry's place among its values."""
        rows, columns = np.divmod(unique, total)
        inside = (columns >= start) & (columns < start + owned)
        # PETSc keeps the columns of this rank's own unknowns apart from the others.
        place = np.where(inside, np.cumsum(inside), inside.sum() + np.cumsum(~inside)) - 1
        self._data = np.zeros(unique.size)
        parts, at = [], 0
        for chosen, shift in ((inside, start), (~inside, 0)):
            pointers = np.searchsorted(rows[chosen], np.arange(owned + 1)).astype(PETSc.IntType)
            indices = (columns[chosen] - shift).astype(PETSc.IntType)
            parts.append((pointers, indices, self._data[at : at + indices.size]))
            at += indices.size
        # The arrays are PETSc's own working memory from here on, and must live as long.
        self._arrays = tuple(parts)
        self.matrix = PETSc.Mat().createAIJWithArrays(
            ((owned, total), (owned, total)),
            self._arrays if self._comm.size > 1 else self._arrays[0],
            comm=self._comm,
        )
        return place[slots]

    def _plan_exchange(self, starts: Ints, rows: Indices) -> None:
        """Which entries stay, and where the others go."""
        if self._comm.size == 1:
            return
        owners = np.searchsorted(starts, rows, side="right") - 1
        self._kept = np.flatnonzero(owners == self._comm.rank)
        sent = np.flatnonzero(owners != self._comm.rank)
        self._sent = sent[np.argsort(owners[sent], kind="stable")]
        self._send_counts = np.bincount(owners[sent], minlength=self._comm.size)
        self._receive_counts = np.array(self._comm.alltoall(self._send_counts.tolist()))

    def _exchange(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """This rank's own values, then those received for its rows, in a fixed order."""
        if self._comm.size == 1:
            return values
        received = np.empty(int(self._receive_counts.sum()), dtype=values.dtype)
        self._comm.Alltoallv(
            [values[self._sent], self._send_counts], [received, self._receive_counts]
        )
        return np.concatenate([values[self._kept], received])

    def assemble(self, values: Floats) -> PETSc.Mat:
        """The matrix with these values of the entries, repeated ones added up.

        Args:
            values: (n,) in the order of the rows and columns given.
        """
        mine = self._exchange(values)
        self._data[:] = np.bincount(self._slots, weights=mine, minlength=self._data.size)
        self.matrix.assemble()
        # Values changed behind PETSc's back.
        self.matrix.stateIncrease()
        return self.matrix
