"""What a mesh says of a run's validity: its own lengths, and its worst elements."""

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
"""Degrees, by dimension: of a triangle, and between the faces of a tetrahedron. The error that an
element leaves grows as 1 / sin of its angle: a triangle of 10 degrees leaves five times that of an
equilateral one. `heterode mesh` makes none below these."""

LEAST_JACOBIAN = 0.05
"""The least scaled Jacobian of a curved element; at 0 it begins to fold over."""


@dataclass(frozen=True)
class MeshFacts:
    """What of a mesh the estimates need.

    Attributes:
        element_size: typical edge inside the particles, m.
        domains: their worst elements.
        dimension: 2 or 3.
        summary: for the regime numbers.
    """

    element_size: float
    domains: tuple[WorstCells, ...]
    dimension: int
    summary: MeshSummary

    def warnings(self) -> list[RunWarning]:
        """At most one: the worst element of all domains."""
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
        + ": fields near it are less accurate. Mesh anew, or with another size "
        "(geometry.mesh_file, geometry.mesh)",
        value=value,
        unit=unit,
        allowed=(least, None),
        key="geometry.mesh_file",
        where={"domain": domain},
    )


def facts_of(mesh: MeshData) -> MeshFacts:
    """Measure a mesh; two seconds for a million elements."""
    inside = int(np.sum(mesh.cell_tags >= tags.PARTICLE_OFFSET))
    volume = float(mesh.particles.volume_um3.sum()) / inside
    # Of an equilateral triangle, of a regular tetrahedron.
    edge = math.sqrt(4.0 / math.sqrt(3.0) * volume)
    if mesh.dimension == 3:
        edge = (6.0 * math.sqrt(2.0) * volume) ** (1.0 / 3.0)
    return MeshFacts(
        element_size=1e-6 * edge,
        domains=worst_cells(mesh),
        dimension=mesh.dimension,
        summary=summarise(mesh),
    )
