"""The layers that a run puts under its particles' surfaces: as planned, and as they came to be.

The mesh of the cache has none, since they depend on protocol, material and accuracy; they are made
in memory, and the same again from the same parameters. Call `layered_mesh` on rank 0 only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from heterode.accuracy.plan import Plan
from heterode.forecast.estimate import count_unknowns, expected_unknowns
from heterode.forecast.planned import planned
from heterode.geometry.layers import LayerReport, layered
from heterode.geometry.mesh_data import MeshData
from heterode.parameters import Parameters


@dataclass(frozen=True)
class Layering:
    """The layers of a run.

    Attributes:
        plan: what was planned.
        report: what became of it; None without layers.
        unknowns, without: numbers of unknowns with the layers and without them.
        is_made: whether there is a mesh on which they are counted; otherwise they are expected.
    """

    plan: Plan
    report: LayerReport | None
    unknowns: int
    without: int
    is_made: bool = True

    @property
    def text(self) -> str:
        """What the run says of its layers, in one sentence."""
        said = self.plan.sentence(self.unknowns, self.without)
        thinner = "" if self.report is None else self.report.thinner_text
        return "; ".join(filter(None, [said, thinner]))

    @property
    def entries(self) -> dict[str, Any]:
        """What the manifest keeps, under accuracy."""
        made: dict[str, Any] = {**self.plan.entries, "unknowns_without": self.without}
        if self.report is not None:
            thinner = self.report.thinner
            made |= {
                "cells": self.report.cells,
                "particles_with_thinner": len(thinner),
                "least_thickness": float(self.report.least.min(initial=1.0)),
            }
        return {"asked_V": self.plan.accuracy, "layers": made, "summary": self.text}


def layered_mesh(parameters: Parameters, base: MeshData) -> tuple[MeshData, Layering]:
    """Plan the layers of a run, and make its mesh.

    Args:
        parameters: the parameters of the run.
        base: the mesh without layers.
    """
    foreign = parameters.geometry.mesh_file is not None
    plan = planned(parameters, base if foreign else None)
    mesh, report = (base, None) if plan.layers is None else layered(base, plan.layers)
    without = _unknowns(parameters, base)
    unknowns = without if report is None else _unknowns(parameters, mesh)
    return mesh, Layering(plan, report, unknowns, without)


def expected_layering(parameters: Parameters) -> Layering:
    """Return the layers of a run whose mesh is not made yet, with its expected unknowns."""
    plan = planned(parameters)
    without = expected_unknowns(parameters)
    unknowns = expected_unknowns(parameters, plan.layers)
    return Layering(plan, None, _leading_digits(unknowns), _leading_digits(without), False)


def _leading_digits(count: int) -> int:
    """Round to two digits, the precision of an estimate."""
    return int(float(f"{count:.2g}"))


def _unknowns(parameters: Parameters, mesh: MeshData) -> int:
    conduct = parameters.active_material.electronic_conduction_in_particles
    return count_unknowns(mesh, parameters.solver.degree, particles_conduct=conduct)
