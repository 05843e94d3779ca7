"""Penalties that change after a cycle: the rules, and a cell whose penalties are exchanged."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.cells import cell, parameters, scattered
from heterode.distributions.penalty_law import conditioned
from heterode.particles.drawn_penalties import factors_of_cycle, penalty_factors
from heterode.solver.model import CellModel
from heterode.solver.time.state import State
from heterode.solver.time.terminal import ConstantCurrent

FIRST = np.array([0.1, 0.5, 1.0])


def test_relaxing_takes_a_fraction_of_what_is_missing_after_each_cycle():
    w = FIRST
    for cycle in range(4):
        found = conditioned(FIRST, cycle, "relax", fraction=0.3)
        np.testing.assert_allclose(found, w, rtol=1e-14)
        w = 1 - (1 - w) * (1 - 0.3)
    assert np.array_equal(conditioned(FIRST, 1, "relax", fraction=1.0), np.ones(3))


def test_uniform_is_the_mean_or_the_value_given():
    assert np.array_equal(conditioned(FIRST, 0, "uniform"), FIRST)
    np.testing.assert_allclose(conditioned(FIRST, 1, "uniform"), np.full(3, 1.6 / 3))
    assert np.array_equal(conditioned(FIRST, 2, "uniform", value=0.7), np.full(3, 0.7))


def of_cycles(*overrides: str, count: int = 500) -> list[np.ndarray]:
    p = parameters(overrides)
    particles = scattered(count)
    particles = particles.with_penalty(penalty_factors(p, particles))
    return [factors_of_cycle(p, particles, cycle) for cycle in range(3)]


def test_off_by_default():
    first, second, _ = of_cycles()
    assert second is first


def test_redrawing_has_its_own_seed_and_the_same_distribution():
    redraw = "penalty.conditioning.rule=redraw"
    first, second, third = of_cycles(redraw)
    assert np.array_equal(second, of_cycles(redraw, "seeds.packing=5")[1])
    for other in (first, third, of_cycles(redraw, "seeds.conditioning=2")[1]):
        assert not np.any(second == other)
    assert np.mean(second) == pytest.approx(np.mean(first), rel=0.1)
    # Another first draw leaves the later cycles alone: each has a stream of its own.
    reseeded = of_cycles(redraw, "seeds.penalty=9")
    assert not np.any(reseeded[0] == first)
    assert np.array_equal(reseeded[1], second)


def test_relaxing_by_the_file():
    _, second, _ = of_cycles("penalty.conditioning={rule='relax', fraction=0.5}")
    first = of_cycles()[0]
    np.testing.assert_allclose(second, 1 - 0.5 * (1 - first), rtol=1e-14)


# -- a cell -------------------------------------------------------------------------------------

ONE = (0.1, 0.9, 0.3, 0.6, 0.2)
OTHER = (0.8, 0.2, 0.7, 0.1, 0.5)
CHANGING = "penalty.conditioning={rule='relax', fraction=0.5}"


def charged(model: CellModel, start: State, seconds: float) -> State:
    stepper = model.stepper(start)
    control = ConstantCurrent(model.one_C / 2)
    for _ in range(4):
        stepper.accept(stepper.attempt(seconds / 4, control))
    return stepper.state


def test_a_cell_with_exchanged_penalties_is_the_cell_made_with_them():
    changed, made = cell("five_discs_2d", (CHANGING,), ONE), cell("five_discs_2d", (), OTHER)
    middle = charged(changed, changed.start(), 120.0)
    changed.set_penalty(np.array(OTHER))
    a, b = charged(changed, middle, 120.0), charged(made, middle, 120.0)
    np.testing.assert_allclose(a.vector, b.vector, atol=1e-8)
    assert pytest.approx(b.V, abs=1e-8) == a.V
    # Negative control: the penalties it began with lead elsewhere.
    unchanged = cell("five_discs_2d", (), ONE)
    assert abs(charged(unchanged, middle, 120.0).V - b.V) > 1e-3


def test_newton_forgets_its_linearisation_when_penalties_change():
    model = cell("five_discs_2d", (), ONE)
    stepper = model.stepper(model.start())
    stepper.accept(stepper.attempt(10.0, ConstantCurrent(model.one_C / 2)))
    assert model.newton.linearised is not None
    model.set_penalty(np.array(OTHER))
    assert model.newton.linearised is None


def test_fields_show_the_penalties_in_force():
    model = cell("five_discs_2d", (CHANGING,), ONE)
    viewer, state = model.viewer(), model.start()
    (grid,) = [grid for grid in viewer.grids() if grid.name == "particles"]
    assert set(grid.cell_data) == {"particle"}
    for penalty in (ONE, OTHER):
        model.set_penalty(np.array(penalty))
        shown = viewer.values(state.V)["particles"]["penalty"]
        in_cells = np.repeat(grid.cell_data["particle"], 3)
        assert np.array_equal(shown[grid.cells.ravel()], np.array(penalty)[in_cells])


def test_constant_penalties_stay_with_the_cells():
    viewer = cell("five_discs_2d", (), ONE).viewer()
    (grid,) = [grid for grid in viewer.grids() if grid.name == "particles"]
    assert set(grid.cell_data) == {"particle", "penalty"}
