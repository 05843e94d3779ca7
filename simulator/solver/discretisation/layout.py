"""The order of the fields in one vector.

On every rank the owned degrees of freedom are ordered by field, and the global vector has these
parts in the order of ranks. Vectors of owned values are plain NumPy arrays in this order.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from dolfinx import fem
from mpi4py import MPI

from heterode.physics.balances import CELL, Table

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class FieldLayout:
    """Positions of the fields' degrees of freedom.

    Args:
        comm: the communicator.
        functions: one scalar function for each field.
        table: the balances of the fields in the order of the vector.

    Attributes:
        functions: the functions with local values, ghosts included, for assembly.
        fields: their symbols.
        slices: the slice of an owned vector for each field.
        stored: the slice of the stored fields.
        owned, total: number of degrees of freedom on this rank and on all ranks.
        global_of: for each field, (local and ghost,) positions in the global vector.
    """

    def __init__(
        self, comm: MPI.Comm, functions: Mapping[str, fem.Function], table: Table = CELL
    ) -> None:
        self.comm, self.table, self.fields = comm, table, table.fields
        self.functions = dict(functions)
        sizes = [self._owned_size(name) for name in self.fields]
        ends = np.cumsum(sizes)
        self.slices = {
            name: slice(int(end - size), int(end))
            for name, size, end in zip(self.fields, sizes, ends, strict=True)
        }
        self.stored = slice(0, int(ends[len(table.stored) - 1]))
        self.owned = int(ends[-1])
        self.total = int(comm.allreduce(self.owned))
        self.start = int(comm.exscan(self.owned) or 0)
        self._offsets = {name: self._gather_offsets(name) for name in self.fields}
        self.global_of = {name: self._global_positions(name) for name in self.fields}

    def _owned_size(self, name: str) -> int:
        return int(self.functions[name].function_space.dofmap.index_map.size_local)

    def _global_positions(self, name: str) -> Ints:
        index_map = self.functions[name].function_space.dofmap.index_map
        local = np.arange(index_map.size_local + index_map.num_ghosts, dtype=np.int32)
        return self.positions(name, np.asarray(index_map.local_to_global(local)))

    def positions(self, name: str, numbers: Ints) -> Ints:
        """Return positions in the global vector for global numbers in a field's own space."""
        firsts, shifts = self._offsets[name]
        owners = np.searchsorted(firsts, numbers, side="right") - 1
        return np.asarray(numbers + shifts[owners], dtype=np.int64)

    def _gather_offsets(self, name: str) -> tuple[Ints, Ints]:
        """Return, for each rank, its first number and the offset from numbers to positions."""
        first = int(self.functions[name].function_space.dofmap.index_map.local_range[0])
        shift = self.start + self.slices[name].start - first
        pairs = np.array(self.comm.allgather((first, shift)), dtype=np.int64)
        return pairs[:, 0], pairs[:, 1]

    def spread(self, vector: Floats) -> dict[str, Floats]:
        """Write an owned vector into the functions, including ghosts, and return their arrays."""
        for name, part in self.slices.items():
            array = self.functions[name].x
            array.array[: part.stop - part.start] = vector[part]
            array.scatter_forward()
        return {name: self.functions[name].x.array for name in self.fields}
