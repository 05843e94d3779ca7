"""What a run writes into its manifest: what it was given, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.describe import record_of
from simulator.parameters import Parameters
from simulator.solver.cell import Cell


def first_entries(parameters: Parameters) -> dict[str, Any]:
    """What is known of a run from its parameters alone."""
    return {
        "title": parameters.title,
        "parameters": parameters.to_si_dict(),
        "parameter_file": str(parameters.source_file),
        "input": parameters.given,
        "described": record_of(parameters),
        "seeds": parameters.seeds.model_dump(),
    }


def numbers_of(cell: Cell) -> Mapping[str, Any]:
    """Unknowns, steps, iterations and balances so far."""
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
