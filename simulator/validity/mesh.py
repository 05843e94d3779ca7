"""A mesh's influence on the validity of a run: its lengths and its worst elements."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from heterode.base.run_warnings import RunWarning
from heterode.forecast.estimate import summarise
from heterode.forecast.regimes import MeshSummary
from heterode.geometry import tags
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.quality import WorstCells, worst_cells

LEAST_ANGLE = {2: 10.0, 3: 3.0}
"""Least angle in degrees, by dimension: of a triangle, and between the faces of a tetrahedron. The
error of an element grows as 1 / sin of its angle: that of a triangle with 10 degrees is five times
that of an equilateral one. `heterode mesh` makes no smaller angles."""

LEAST_JACOBIAN = 0.05
"""Least scaled Jacobian of a curved element; at 0 the element starts to fold."""


@dataclass(frozen=True)
class MeshFacts:
    """The facts about a mesh that the estimates need.

    Attributes:
        element_size: typical edge length inside the particles, m.
        domains: the worst elements of each domain.
        dimension: number of spatial dimensions, 2 or 3.
        summary: dimensions of the mesh for the regime numbers.
    """

    element_size: float
    domains: tuple[WorstCells, ...]
    dimension: int
    summary: MeshSummary

    def warnings(self) -> list[RunWarning]:
        """Return at most one warning, about the worst element of all domains."""
        least = LEAST_ANGLE[self.dimension]
        worst = min(self.domains, key=lambda domain: domain.angle_min_deg)
        if worst.angle_min_deg < least:
            return [_bad_element(worst.name, "angle", worst.angle_min_deg, least, "degrees")]
        worst = min(self.domains, key=lambda domain: domain.scaled_jacobian_min)
        if worst.scaled_jacobian_min < LEAST_JACOBIAN:
            value = worst.scaled_jacobian_min
            return [_bad_element(worst.name, "scaled Jacobian", value, LEAST_JACOBIAN, "")]
        return []


def _bad_element(domain: str, what: str, value: float, least: float, unit: str) -> RunWarning:
    return RunWarning(
        "mesh_quality",
        f"the worst element of the mesh ({domain}) has the {what} {value:.3g} {unit}".rstrip()
        + f", below {least:g} {unit}".rstrip()
        + ": fields near it are less accurate. Mesh it again, or with another size "
        "(geometry.mesh_file, geometry.mesh)",
        value=value,
        unit=unit,
        allowed=(least, None),
        key="geometry.mesh_file",
        where={"domain": domain},
    )


def facts_of(mesh: MeshData) -> MeshFacts:
    """Collect the facts about a mesh, which takes two seconds for a million elements."""
    # Layers do not make elements smaller along the surface.
    inside = int(np.sum(mesh.cell_tags[: mesh.base_cells] >= tags.PARTICLE_OFFSET))
    volume = float(mesh.particles.volume_um3.sum()) / inside
    # These are the values of an equilateral triangle and a regular tetrahedron.
    edge = math.sqrt(4.0 / math.sqrt(3.0) * volume)
    if mesh.dimension == 3:
        edge = (6.0 * math.sqrt(2.0) * volume) ** (1.0 / 3.0)
    return MeshFacts(
        element_size=1e-6 * edge,
        domains=worst_cells(mesh),
        dimension=mesh.dimension,
        summary=summarise(mesh),
    )
