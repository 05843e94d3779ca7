"""What the manifest of a run says of its input, and of what the solve took."""

from __future__ import annotations

from typing import Any

from simulator.describe import record_of
from simulator.parameters import Parameters
from simulator.regimes import MeshSummary
from simulator.results.manifest import collect_versions
from simulator.solver.cell import Cell
from simulator.solver.electrode_mesh import ElectrodeMesh


def given_entries(
    parameters: Parameters, mesh: ElectrodeMesh, ranks: int, summary: MeshSummary | None
) -> dict[str, Any]:
    """Known before the first time step.

    Args:
        parameters, mesh, ranks: of the run.
        summary: of geometry.mesh_file.
    """
    return {
        "title": parameters.title,
        "parameters": parameters.to_si_dict(),
        "parameter_file": str(parameters.source_file),
        "input": parameters.given,
        "described": record_of(parameters, summary),
        "seeds": parameters.seeds.model_dump(),
        "versions": collect_versions(),
        "mesh_hash": mesh.mesh_hash,
        "ranks": ranks,
        "particles": len(mesh.particle_table),
    }


def numbers_of(cell: Cell | None) -> dict[str, Any]:
    """Unknowns, steps, iterations and balances so far; empty without a cell."""
    if cell is None:
        return {}
    model, stepper = cell.model, cell.stepper
    return {
        "dofs": model.layout.total,
        "linear_solver": model.preset,
        "steps": stepper.steps,
        "rejected_steps": stepper.rejected,
        "newton_iterations": model.newton.iterations,
        "linearisations": model.bordered.linearisations,
        "krylov_iterations": model.linear.iterations,
        "solve_s": dict(model.phases.seconds),
        "balance": cell.balances.as_dict(),
    }
