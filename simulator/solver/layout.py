"""How the four fields lie in one vector.

On every rank the degrees of freedom it owns follow field by field; across ranks these stretches
follow rank by rank. Vectors of owned values are plain NumPy arrays in this order.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from dolfinx import fem
from mpi4py import MPI

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

FIELDS = ("s", "y", "phi_l", "phi_s")
"""Lithium fraction, relative salt concentration, electrolyte and carbon potential."""


class FieldLayout:
    """Positions of the fields' degrees of freedom.

    Args:
        comm: the communicator.
        functions: one scalar function per field, in the order of FIELDS.

    Attributes:
        functions: the functions that hold local values, ghosts included, for assembly.
        slices: for each field, its stretch of an owned vector.
        owned, total: degrees of freedom on this rank, on all ranks.
        global_of: for each field, (local and ghost,) position in the global vector.
    """

    def __init__(self, comm: MPI.Comm, functions: Mapping[str, fem.Function]) -> None:
        self.comm = comm
        self.functions = dict(functions)
        sizes = [self._owned_size(name) for name in FIELDS]
        ends = np.cumsum(sizes)
        self.slices = {
            name: slice(int(end - size), int(end))
            for name, size, end in zip(FIELDS, sizes, ends, strict=True)
        }
        self.owned = int(ends[-1])
        self.total = int(comm.allreduce(self.owned))
        self.start = int(comm.exscan(self.owned) or 0)
        self.global_of = {name: self._global_positions(name) for name in FIELDS}

    def _owned_size(self, name: str) -> int:
        return int(self.functions[name].function_space.dofmap.index_map.size_local)

    def _global_positions(self, name: str) -> Ints:
        # Global positions are exchanged as floats, exact up to 2^53, by the function itself.
        function = fem.Function(self.functions[name].function_space)
        part = self.slices[name]
        function.x.array[: part.stop - part.start] = np.arange(part.start, part.stop) + self.start
        function.x.scatter_forward()
        return np.rint(function.x.array).astype(np.int32)

    def spread(self, vector: Floats) -> dict[str, Floats]:
        """Write an owned vector into the functions, ghosts included; return their arrays."""
        for name, part in self.slices.items():
            array = self.functions[name].x
            array.array[: part.stop - part.start] = vector[part]
            array.scatter_forward()
        return {name: self.functions[name].x.array for name in FIELDS}

    def with_ghosts(self, name: str, vector: Floats, scratch: fem.Function) -> Floats:
        """Local values, ghosts included, of one field of an owned vector."""
        part = self.slices[name]
        scratch.x.array[: part.stop - part.start] = vector[part]
        scratch.x.scatter_forward()
        return np.asarray(scratch.x.array)
