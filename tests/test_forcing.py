"""Linear solves are as exact as the time error requires, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.cells import cell
from heterode.solver.model import CellModel
from heterode.solver.time.forcing import (
    LOOSEST,
    MARGIN,
    Foreseen,
    forcing_term,
    remaining,
    solved_well_enough,
)
from heterode.solver.time.march import march
from heterode.solver.time.state import State
from heterode.solver.time.stepper import Stepper

ALLOWED = 0.05
SPHERES = (
    "geometry.dimension=3",
    "solver.linear_solver=fieldsplit",
    'protocol.steps=["charge at C/2 for 10 min"]',
)
EXACT = ("solver.newton_tolerance=1e-7", "solver.krylov_tolerance=1e-3")


@pytest.mark.parametrize("size", [1e-3, 0.3, 2.0, 60.0])
def test_a_solve_leaves_what_is_allowed_of_an_update_as_expected(size: float) -> None:
    forcing = forcing_term(size, ALLOWED)
    assert forcing * size <= ALLOWED * (1 + 1e-12)
    assert forcing == LOOSEST or forcing * size == pytest.approx(ALLOWED)
    assert solved_well_enough(forcing, size, ALLOWED)
    # One that turns out to be much larger than expected is not solved well enough.
    assert not solved_well_enough(forcing, 1.01 * MARGIN * ALLOWED / forcing, ALLOWED)


def test_an_update_of_unknown_size_is_solved_as_exactly_as_the_solver_can() -> None:
    assert forcing_term(np.inf, ALLOWED) == 0.0
    assert forcing_term(0.0, ALLOWED) == LOOSEST


def test_a_longer_step_is_expected_to_be_predicted_worse() -> None:
    last = Foreseen(0.5, 0.2)
    assert last.at(0.1) == 1.0
    # A shorter one may follow a jump of what is not smooth, and is not trusted to be better.
    assert last.at(0.4) == 0.5


def test_what_an_update_leaves_follows_from_how_updates_shrink() -> None:
    assert remaining(0.1, 1.0, fresh=True) == pytest.approx(0.1 * 0.1 / 0.9)
    assert remaining(1.0, 1.0, fresh=True) == 1.0
    assert remaining(1.0, np.inf, fresh=False) == 1.0
    first = remaining(1.0, np.inf, fresh=True)
    assert first < 0.1
    assert remaining(30.0, np.inf, fresh=True) == pytest.approx(300.0 * first)


def charged(*overrides: str) -> tuple[CellModel, Stepper, list[State]]:
    model = cell("spheres_3d", (*SPHERES, *overrides))
    stepper = model.stepper(model.start())
    steps = march(stepper, model.parameters.protocol.sequence, model.pace)
    return model, stepper, [step.state for step in steps]


def test_a_time_step_costs_few_krylov_iterations() -> None:
    """A guard of the work. Of 22 steps a third follows the jump, where a step takes two updates."""
    model, stepper, states = charged()
    exact, other, reference = charged(*EXACT)
    assert stepper.steps > 20
    assert model.newton.unclosed == 0
    assert model.newton.iterations < 2.2 * stepper.steps
    assert model.linear.iterations < 9 * stepper.steps
    assert exact.newton.iterations > 4 * other.steps
    assert exact.linear.iterations > 20 * other.steps
    # What the updates leave is a small part of the time error that a step may have, 0.1 mV.
    assert pytest.approx(reference[-1].V, abs=2e-6) == states[-1].V


def test_a_jump_is_not_foreseen() -> None:
    model, stepper, _ = charged()
    assert model.newton.foreseen is not None
    stepper.restart()
    assert model.newton.foreseen is None
