"""The function spaces of the fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ufl
from dolfinx import fem

from heterode.physics.balances import CELL, Table
from heterode.solver.discretisation.electrode_mesh import ElectrodeMesh, Submesh
from heterode.solver.discretisation.facets import FieldOnSubmesh


@dataclass(frozen=True)
class Spaces:
    """The Lagrange spaces of the fields, their submeshes, and the functions that hold the fields.

    Attributes:
        by_field: space and submesh of each field.
        functions: the fields themselves.
        degree: degree of all spaces, 1 or 2.
    """

    by_field: Mapping[str, FieldOnSubmesh]
    functions: Mapping[str, fem.Function]
    degree: int

    @classmethod
    def on(cls, mesh: ElectrodeMesh, degree: int, table: Table = CELL) -> Spaces:
        """Make the spaces of a table's fields on a mesh. Collective."""

        def lagrange(part: Submesh) -> FieldOnSubmesh:
            return FieldOnSubmesh(fem.functionspace(part.mesh, ("Lagrange", degree)), part)

        # Fields of one domain share a space.
        domains = dict.fromkeys(row.domain for row in table.rows)
        spaces = {name: lagrange(mesh.domain(name)) for name in domains}
        by_field = {row.field: spaces[row.domain] for row in table.rows}
        functions = {name: fem.Function(f.space, name=name) for name, f in by_field.items()}
        return cls(by_field, functions, degree)

    @property
    def quadrature_degree(self) -> int:
        """Degree of polynomials that the volume terms integrate exactly."""
        # UFL would choose a needlessly high degree for the curved geometry.
        return 2 * self.degree

    def measure(self, part: Submesh) -> Any:
        """Return the integration measure dx on a submesh."""
        return _dx(part, self.quadrature_degree)

    def gradient_measure(self, part: Submesh) -> Any:
        """Return dx for products of two gradients with a coefficient that varies slowly."""
        # On straight-sided cells the gradients of linear fields are constant, so that the
        # coefficient at the centroid is as accurate as the elements, at a third of the time.
        straight = part.mesh.geometry.cmap.degree == 1
        return _dx(part, 1 if self.degree == 1 and straight else self.quadrature_degree)


def _dx(part: Submesh, degree: int) -> Any:
    return ufl.Measure("dx", part.mesh, metadata={"quadrature_degree": degree})
