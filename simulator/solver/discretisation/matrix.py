"""A distributed matrix assembled from coordinates, with repeated entries in the rows of any rank.

The sparsity is determined once. Values are then added straight to the arrays that PETSc reads, at
places that are known for each entry, and those for other ranks' rows are sent in one step. Blocks
of the matrix are separate matrices, whose values are copied on request.

Why not PETSc's own assembly from coordinates (MatSetPreallocationCOO, MatSetValuesCOO): petsc4py
3.22, which comes with DOLFINx 0.9, does not offer it. Called from C for comparison, it gives the
same matrix in all bits on 1 and 2 ranks. Its sums are faster, but its blocks (MatCreateSubMatrix)
take longer, and the block preconditioner needs them as often. Processor times of a rank in ms are

                                     values           blocks           set-up
                                  here   PETSc     here   PETSc     here   PETSc
    27 819 unknowns in 2D, 1 rank  1.5     0.9      1.2     2.3       39      28
                          2 ranks  3.0     2.4      1.2    10.9       45      54
    35 910 unknowns in 3D, 1 rank  7.8     5.0      4.9     8.0      138     108
                          2 ranks  7.5     3.0     12.4    29.2      112     115

A run makes about thirty linearisations. Resident memory grew by 28 and 33 MB on the two ranks in
3D, and with PETSc's assembly by 12 and 4 MB.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from petsc4py import PETSc

from heterode.solver.discretisation.cell_loops import loops

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int32]


def _distinct(keys: Ints) -> tuple[Ints, Indices]:
    """Return the distinct keys in order, and the index among them of each key.

    This is `numpy.unique` with its inverse in half the memory, which matters since the memory of
    a run peaks here.
    """
    order = np.argsort(keys)
    ordered = keys[order]
    first = np.empty(keys.size, dtype=bool)
    first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    unique = ordered[first]
    del ordered
    which = np.cumsum(first, dtype=np.int32) - np.int32(1)
    slots = np.empty(keys.size, dtype=np.int32)
    slots[order] = which
    return unique, slots


class _Rows(NamedTuple):
    """Rows of this rank in compressed storage, where entries are ordered by row."""

    pointers: Indices
    columns: Indices
    values: Floats


def _over_arrays(
    comm: MPI.Comm, shape: tuple[tuple[int, int], tuple[int, int]], inside: _Rows, outside: _Rows
) -> PETSc.Mat:
    """Make a matrix on the given arrays, which must exist as long as it does. Collective.

    Args:
        comm: the communicator.
        shape: numbers of (own, all) rows and columns.
        inside: entries in this rank's own columns, with local column numbers.
        outside: entries in other ranks' columns, with global numbers; PETSc renumbers them.
    """
    arrays = (inside, outside) if comm.size > 1 else inside
    return PETSc.Mat().createAIJWithArrays(shape, arrays, comm=comm)


class Block:
    """Some rows and columns of a `CoordinateMatrix` as a separate matrix.

    Attributes:
        matrix: the matrix with the values of the last `renew`.
    """

    def __init__(self, matrix: PETSc.Mat, parts: list[tuple[_Rows, Floats, Ints]]) -> None:
        self.matrix, self._parts = matrix, parts

    def renew(self) -> PETSc.Mat:
        """Return the block with the present values of the whole matrix."""
        for part, whole, chosen in self._parts:
            np.take(whole, chosen, out=part.values, mode="clip")
        return _renewed(self.matrix)


def _renewed(matrix: PETSc.Mat) -> PETSc.Mat:
    """Notify PETSc that values have changed without its functions."""
    matrix.assemble()
    matrix.stateIncrease()
    return matrix


class CoordinateMatrix:
    """A square PETSc matrix with a fixed pattern. Construction and all methods are collective.

    Args:
        comm: the communicator.
        owned, total: number of rows on this rank and on all ranks.
        rows, columns: (n,) global positions of this rank's entries, in the rows of any rank.

    Attributes:
        petsc: the PETSc matrix, with the values assembled last.
    """

    def __init__(
        self, comm: MPI.Comm, owned: int, total: int, rows: Indices, columns: Indices
    ) -> None:
        self._comm = comm
        start = int(comm.exscan(owned) or 0)
        self._starts = np.array([*comm.allgather(start), total], dtype=np.int64)
        self._plan_sending(rows)
        # This is one expression, so that no array of all entries outlives its use.
        keys = (self._gathered(rows).astype(np.int64) - start) * total + self._gathered(columns)
        unique, slots = _distinct(keys)
        del keys
        place = self._lay_out(unique, start, owned, total)
        self._take_slots(place[slots], rows.size)
        self._loops = loops(comm)

    def _plan_sending(self, rows: Indices) -> None:
        """Find which entries stay on this rank, and to which ranks the others go."""
        self._sent: Ints = np.zeros(0, dtype=np.int64)
        if self._comm.size == 1:
            return
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        self._kept = np.flatnonzero(owners == self._comm.rank)
        sent = np.flatnonzero(owners != self._comm.rank)
        self._sent = sent[np.argsort(owners[sent], kind="stable")]
        self._send_counts = np.bincount(owners[sent], minlength=self._comm.size)
        self._receive_counts = np.array(self._comm.alltoall(self._send_counts.tolist()))

    def _exchanged(self, sent: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Send values for rows of other ranks and return theirs for this rank's rows."""
        received = np.empty(int(self._receive_counts.sum()), dtype=sent.dtype)
        self._comm.Alltoallv([sent, self._send_counts], [received, self._receive_counts])
        return received

    def _gathered(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the values of this rank's rows: its own ones, then those of other ranks."""
        if self._comm.size == 1:
            return values
        return np.concatenate([values[self._kept], self._exchanged(values[self._sent])])

    def _lay_out(self, unique: Ints, start: int, owned: int, total: int) -> Indices:
        """Make the matrix on new arrays; return the place of each distinct entry in them."""
        rows, columns = np.divmod(unique, total)
        own = (columns >= start) & (columns < start + owned)
        # PETSc stores the columns of this rank's own unknowns separately from the others.
        place = (np.where(own, np.cumsum(own), own.sum() + np.cumsum(~own)) - 1).astype(np.int32)
        # Values for rows of other ranks stand behind this rank's own ones.
        self._all = np.zeros(unique.size + self._sent.size)
        self._data, self._outgoing = np.split(self._all, [unique.size])
        parts, at = [], 0
        for chosen, shift in ((own, start), (~own, 0)):
            pointers = np.searchsorted(rows[chosen], np.arange(owned + 1)).astype(PETSc.IntType)
            numbers = (columns[chosen] - shift).astype(PETSc.IntType)
            parts.append(_Rows(pointers, numbers, self._data[at : at + numbers.size]))
            at += numbers.size
        self._inside, self._outside = parts
        # PETSc renumbers the given array.
        self._outside_columns = self._outside.columns.copy()
        self.petsc = _over_arrays(
            self._comm, ((owned, total), (owned, total)), self._inside, self._outside
        )
        return place

    def _take_slots(self, slots: Indices, entries: int) -> None:
        """Store where the values of this rank's entries go, and those of other ranks."""
        self._slots, self._received_slots = slots, slots[:0]
        if self._comm.size > 1:
            self._slots = np.empty(entries, dtype=np.int32)
            self._slots[self._kept] = slots[: self._kept.size]
            self._slots[self._sent] = self._data.size + np.arange(self._sent.size)
            self._received_slots = slots[self._kept.size :]
            del self._kept

    def begin(self) -> None:
        """Set all values to zero."""
        self._all[:] = 0.0

    def add(self, first: int, values: Floats, factor: float = 1.0) -> int:
        """Add a multiple of the values of some entries; repeated entries are summed.

        Args:
            first: number of the first of these entries in the given rows and columns.
            values: (n,) values of this and the following entries.
            factor: the multiple.

        Returns:
            The number of the entry after the last of them.
        """
        ffi, end = self._loops.ffi, first + values.size
        slots, given = self._slots[first:end], np.ascontiguousarray(values)
        self._loops.lib.add_at(
            slots.size,
            ffi.cast("int32_t *", slots.ctypes.data),
            ffi.cast("double *", given.ctypes.data),
            factor,
            ffi.cast("double *", self._all.ctypes.data),
        )
        return end

    def finish(self) -> PETSc.Mat:
        """Return the matrix with the values added since `begin`, on all ranks."""
        if self._comm.size > 1:
            np.add.at(self._data, self._received_slots, self._exchanged(self._outgoing))
        return _renewed(self.petsc)

    def assemble(self, values: Floats) -> PETSc.Mat:
        """Return the matrix with these values of all entries; repeated entries are summed.

        Args:
            values: (n,) values in the order of the given rows and columns.
        """
        self.begin()
        self.add(0, values)
        return self.finish()

    # -- blocks -----------------------------------------------------------------------------

    def block(self, rows: slice, columns: slice) -> Block:
        """Return a block of some rows and columns; its values are undefined before `Block.renew`.

        Args:
            rows, columns: local numbers of this rank's rows and columns in the block.
        """
        own_columns = np.arange(columns.start, columns.stop)
        firsts, sizes = np.array(self._comm.allgather((columns.start, own_columns.size))).T
        ends = np.cumsum(sizes)
        own_rows = rows.stop - rows.start
        shape = (
            (own_rows, int(self._comm.allreduce(own_rows))),
            (own_columns.size, int(ends[-1])),
        )
        # These are the numbers of the others' columns within the block.
        owners = np.searchsorted(self._starts, self._outside_columns, side="right") - 1
        offsets = self._outside_columns - self._starts[owners] - firsts[owners]
        there = (offsets >= 0) & (offsets < sizes[owners])
        outside = np.where(there, offsets + (ends - sizes)[owners], -1)
        here = self._inside.columns - columns.start
        inside = np.where((here >= 0) & (here < own_columns.size), here, -1)
        parts = [
            _chosen(self._inside, rows, inside),
            _chosen(self._outside, rows, outside),
        ]
        (own, _, _), (others, _, _) = parts
        return Block(_over_arrays(self._comm, shape, own, others), parts)


def _chosen(whole: _Rows, rows: slice, numbers: Ints) -> tuple[_Rows, Floats, Ints]:
    """Select some of the rows, with the entries that have a number in the new matrix.

    Args:
        whole: rows of this rank.
        rows: the rows to select.
        numbers: (n,) columns of all entries in the new matrix; -1 for those left out.

    Returns:
        The new rows, the values that they come from, and the places of these.
    """
    pointers = whole.pointers[rows.start : rows.stop + 1]
    first, last = int(pointers[0]), int(pointers[-1])
    chosen = first + np.flatnonzero(numbers[first:last] >= 0)
    new = _Rows(
        np.searchsorted(chosen, pointers).astype(PETSc.IntType),
        numbers[chosen].astype(PETSc.IntType),
        np.zeros(chosen.size),
    )
    return new, whole.values, chosen
