"""A field restricted to the particles, as a function of the lithium fraction's space.

Where particles conduct, phi_s lives on a submesh of particles and carbon binder, but its
conductivity in particles is a function of s, which lives on the particles' own. Forms of both are
written on the particles' submesh, with phi_p, the same potential there; this module leads from the
degrees of freedom of phi_p to those of phi_s and back.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from dolfinx import fem, la

from heterode.physics.balances import Balance
from heterode.solver.discretisation.facets import FieldOnSubmesh
from heterode.solver.discretisation.layout import FieldLayout
from heterode.solver.discretisation.numbering import local_dof_keys

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class ParticleRestriction:
    """phi_s restricted to the particles.

    Args:
        row: of the field that is restricted; `row.restricted` is the restriction's symbol.
        layout: positions of the fields.
        fields: space and submesh of each.
        vertices: above every vertex number of the mesh file.

    Attributes:
        name: its symbol in forms and blocks.
        field: symbol of the whole field.
        function: phi_p, for forms; `take` gives it its values.
        accumulator: where forms tested on phi_p add up, for `give`.
        positions: (local and ghost,) position of each of its unknowns in the global vector.
    """

    def __init__(
        self,
        row: Balance,
        layout: FieldLayout,
        fields: Mapping[str, FieldOnSubmesh],
        vertices: int,
    ) -> None:
        self.name, self.field = row.restricted, row.field
        inside = fields[layout.table.lithium.field]
        space = inside.space
        self.function, self.accumulator = fem.Function(space, name=self.name), fem.Function(space)
        self._outer = layout.functions[self.field]
        here, there = (local_dof_keys(f, vertices) for f in (inside, fields[self.field]))
        # Every cell of a particle that a rank has on one submesh, it has on the other.
        order = np.argsort(there)
        self._dofs = order[np.searchsorted(there, here, sorter=order)]
        assert np.array_equal(there[self._dofs], here)
        self.positions: Ints = layout.global_of[self.field][self._dofs]

    @property
    def owned_positions(self) -> Ints:
        """(owned,) of `positions`."""
        return self.positions[: self.function.function_space.dofmap.index_map.size_local]

    def take(self) -> None:
        """Give phi_p the present values of phi_s; start a new sum."""
        self.function.x.array[:] = self._outer.x.array[self._dofs]
        self.accumulator.x.array[:] = 0.0

    def give(self, accumulator: fem.Function) -> None:
        """Add what was summed up to a local vector of phi_s (ghost rows not yet sent home)."""
        accumulator.x.array[self._dofs] += self.accumulator.x.array

    def columns(self, matrix: la.MatrixCSR) -> Ints:
        """(entries,) position in the global vector of each entry's column of phi_p."""
        index_map = matrix.index_map(1)
        positions = la.vector(index_map)
        # Whole numbers below 2^53 are exact as floats.
        positions.array[: index_map.size_local] = self.owned_positions
        positions.scatter_forward()
        return np.asarray(positions.array[matrix.to_scipy().indices], dtype=np.int64)
