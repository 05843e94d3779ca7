"""A field restricted to the particles, as a function of the lithium fraction's space.

If particles conduct, phi_s is defined on a submesh of particles and carbon binder, but its
conductivity in particles is a function of s, which is defined on the particles' own submesh. Forms
with both are written on the latter, with phi_p for the same potential; this module maps the degrees
of freedom of phi_p to those of phi_s and back.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from dolfinx import fem, la

from heterode.physics.balances import Balance
from heterode.solver.discretisation.constant_matrix import owned_pattern
from heterode.solver.discretisation.facets import FieldOnSubmesh
from heterode.solver.discretisation.layout import FieldLayout
from heterode.solver.discretisation.numbering import local_dof_keys

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class ParticleRestriction:
    """phi_s restricted to the particles.

    Args:
        row: balance of the restricted field; `row.restricted` is the restriction's symbol.
        layout: positions of the fields.
        fields: space and submesh of each.
        vertices: a number above every vertex number of the mesh file.

    Attributes:
        name: its symbol in forms and blocks.
        field: symbol of the whole field.
        function: phi_p for forms; `take` sets its values.
        accumulator: sum of forms tested on phi_p, for `give`.
        positions: (local and ghost,) positions of its unknowns in the global vector.
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
        # A rank has the same cells of particles on both submeshes.
        order = np.argsort(there)
        self._dofs = order[np.searchsorted(there, here, sorter=order)]
        assert np.array_equal(there[self._dofs], here)
        self.positions: Ints = layout.global_of[self.field][self._dofs]

    @property
    def owned_positions(self) -> Ints:
        """Owned part of `positions`, (owned,)."""
        return self.positions[: self.function.function_space.dofmap.index_map.size_local]

    def take(self) -> None:
        """Set phi_p to the present values of phi_s, and start a new sum."""
        self.function.x.array[:] = self._outer.x.array[self._dofs]
        self.accumulator.x.array[:] = 0.0

    def give(self, accumulator: fem.Function) -> None:
        """Add the sum to a local vector of phi_s, before its ghost rows go to their owners."""
        accumulator.x.array[self._dofs] += self.accumulator.x.array

    def columns(self, matrix: la.MatrixCSR) -> Ints:
        """Return (entries,) the position in the global vector of each entry's column of phi_p."""
        index_map = matrix.index_map(1)
        positions = la.vector(index_map)
        # Integers below 2^53 are exact as floats.
        positions.array[: index_map.size_local] = self.owned_positions
        positions.scatter_forward()
        return np.asarray(positions.array[owned_pattern(matrix)[1]], dtype=np.int64)
