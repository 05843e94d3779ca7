"""The balances of a time step are closed to rounding by constants alone, in every control."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from helpers.cells import cell
from helpers.tracer import CHARGE, DISCS, charged, tracer
from heterode.physics.balances import CELL, LITHIUM
from heterode.solver.discretisation.components import particle_components
from heterode.solver.model import CellModel
from heterode.solver.time.bdf import differentiation
from heterode.solver.time.closure import Closed, Closure, Instant
from heterode.solver.time.conservation import Conservation
from heterode.solver.time.march import march
from heterode.solver.time.terminal import (
    ConstantCurrent,
    ConstantPower,
    ConstantVoltage,
    TerminalControl,
)

PENALTY = (0.1, 0.9, 0.3, 0.6, 0.2)
STEP = 5.0
TO_ROUNDING = 1e-12
"""Imbalance, relative to the current, that counts as rounding at steps of some seconds."""

CELLS = {
    "plain": (),
    "double layer": ("active_material.double_layer_capacitance=0.2 F/m^2",),
    "conducting particles": ("active_material.electronic_conduction_in_particles=true",),
    "uniform flux": ("collector.connection=uniform_flux",),
    "ideal metal, degree 2": ("lithium_metal.kinetics=ideal", "solver.degree=2"),
}


def controls(model: CellModel) -> dict[str, TerminalControl]:
    V = model.material.rest_potential
    return {
        "current": ConstantCurrent(0.5 * model.one_C),
        "voltage": ConstantVoltage(V + 0.05),
        "power": ConstantPower(0.5 * V * model.one_C),
        "rest": ConstantCurrent(0.0),
    }


def disturbed(model: CellModel, control: TerminalControl) -> tuple[np.ndarray, float, float]:
    """A time step's solution, disturbed by 1e-6 of the fractions, by microvolts, and by 1e-5 I."""
    start, at = model.start(), instant(model, control)
    model.stepper(start)
    V = model.newton.consistent_voltage(start.vector, start.V, start.I, control)
    solved = model.newton.solve(start.vector, V, start.I, control, at.rates)
    rng = np.random.default_rng(3)
    moved = solved.vector + 1e-6 * rng.standard_normal(solved.vector.size)
    return moved, solved.V + 1e-6, solved.I * (1 + 1e-5)


def instant(model: CellModel, control: TerminalControl, scale: float | None = None) -> Instant:
    start = model.start()
    scheme = differentiation(STEP, [0.0], 2)
    return Instant(control, scheme.rates([start.vector], [start.V]), scale or model.one_C)


def closed(model: CellModel, control: TerminalControl) -> Closed:
    closure = model.closure()
    assert closure is not None
    found = closure.close(*disturbed(model, control), instant(model, control))
    assert found is not None
    return found


def imbalances(
    model: CellModel, vector: np.ndarray, V: float, I: float, control: TerminalControl
) -> dict[str, float]:
    """What the assembled equations leave of each balance, relative to 1C; particles one by one."""
    at = instant(model, control)
    rates = at.rates
    residual = model.system.residual(vector, rates(vector), V, I, rates.of_voltage(V))
    found = {}
    for name, part in model.layout.slices.items():
        rows = residual.vector[part]
        if name == "s":
            by_particle = np.bincount(particle_of_node(model)[: rows.size], rows)
            found[name] = float(np.abs(by_particle).max())
        else:
            found[name] = abs(float(rows.sum()))
    found["h"] = abs(residual.constraint)
    found["g"] = abs(control(V, I)[0])
    return {name: left / model.one_C for name, left in found.items()}


def particle_of_node(model: CellModel) -> np.ndarray:
    space = model.lithium.space
    found = np.empty(space.dofmap.index_map.size_local, dtype=int)
    nodes = np.asarray(space.dofmap.list)
    found[nodes.ravel()] = np.repeat(model.mesh.particle_of_cell, nodes.shape[1])
    return found


@pytest.mark.parametrize("name", CELLS)
def test_every_balance_is_met_in_every_control(name: str) -> None:
    model = cell("five_discs_2d", CELLS[name], PENALTY)
    for control in controls(model).values():
        before = imbalances(model, *disturbed(model, control), control)
        assert max(before.values()) > 1e-6
        found = closed(model, control)
        left = imbalances(model, found.vector, found.V, found.I, control)
        assert max(left.values()) < TO_ROUNDING, (name, control, left)
        # Without its shift of one particle the balance of that particle is not met.
        first = particle_of_node(model) == 0
        undone = found.vector.copy()
        part = undone[model.layout.slices["s"]]
        part[first] = disturbed(model, control)[0][model.layout.slices["s"]][first]
        spoilt = imbalances(model, undone, found.V, found.I, control)
        assert spoilt["s"] > 1e3 * left["s"]


def test_only_constants_are_added_and_the_result_is_that_of_all_currents() -> None:
    model = cell("five_discs_2d", (), PENALTY)
    control = ConstantCurrent(model.one_C)
    vector, _, _ = disturbed(model, control)
    found = closed(model, control)
    moved = found.vector - vector
    for name, part in model.layout.slices.items():
        groups = particle_of_node(model) if name == "s" else np.zeros(part.stop - part.start, int)
        for group in np.unique(groups):
            shifts = moved[part][groups == group]
            assert np.ptp(shifts) < 1e-14
            assert abs(shifts[0]) > 1e-12
    fluxes = model.system.residual(found.vector, 0 * found.vector, found.V, found.I).fluxes
    for name, flux in fluxes.items():
        assert found.fluxes[name].value == pytest.approx(flux.value, rel=1e-9)
    assert found.totals == pytest.approx(model.system.totals(fluxes), rel=1e-9)


def test_a_wrong_derivative_does_not_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the shifts follow from the currents' derivatives."""
    model = cell("five_discs_2d", (), PENALTY)
    closure = model.closure()
    assert closure is not None
    control = ConstantCurrent(model.one_C)
    state, at = disturbed(model, control), instant(model, control)
    right = closure.close(*state, at)
    assert right is not None
    assert right.imbalance < TO_ROUNDING
    slopes = Closure._slope
    monkeypatch.setattr(Closure, "_slope", lambda *given: 0.2 * slopes(*given))
    wrong = closure.close(*state, at)
    assert wrong is None or wrong.imbalance > 1e3 * TO_ROUNDING


def test_what_is_not_finite_is_not_closed() -> None:
    model = cell("five_discs_2d", (), PENALTY)
    closure = model.closure()
    assert closure is not None
    control = ConstantCurrent(model.one_C)
    vector, V, I = disturbed(model, control)
    vector[0] = np.nan
    assert closure.close(vector, V, I, instant(model, control)) is None


def test_rates_lose_no_digits_to_the_size_of_what_changes() -> None:
    """Potentials of some volts change by a few of their last digits in a step of a millisecond."""
    times, u = [2e-3, 1e-3, 0.0], [4 + 9 * 2.0**-50, 4 + 2.0**-50, 4.0]
    scheme = differentiation(times[0], times[1:], 2)
    rates = scheme.rates([np.array([u[1]]), np.array([u[2]])], u[1:])
    # The derivative of the parabola through the three points, in whole numbers.
    exact = (3 * 9 - 4 * 1) * 2.0**-50 / (2 * 1e-3)
    assert rates.of_voltage(u[0]) == pytest.approx(exact, rel=1e-12)
    assert rates(np.array([u[0]]))[0] == pytest.approx(exact, rel=1e-12)
    in_full = scheme.alpha * u[0] + float(scheme.past(u[1:]))
    assert abs(in_full - exact) > 1e-3 * exact


# -- marching -------------------------------------------------------------------------------

PROTOCOL = (
    'protocol.steps=["charge at 1C for 2 min", "hold at 3.9 V for 1 min", "rest for 1 min",'
    ' "discharge at 20 W/m^2 for 1 min"]'
)


def marched(
    overrides: tuple[str, ...] = (), *, model: CellModel | None = None
) -> tuple[CellModel, Conservation, Any]:
    model = model or cell("five_discs_2d", (PROTOCOL, *overrides), PENALTY)
    stepper = model.stepper(model.start())
    balances = Conservation(model.system, stepper.state)
    for step in march(stepper, model.parameters.protocol.sequence, model.pace):
        balances.update(step.state, step.prescribed)
    return model, balances, stepper


@pytest.mark.parametrize("name", CELLS)
def test_runs_stay_balanced_with_few_updates(name: str) -> None:
    model, balances, stepper = marched(CELLS[name])
    found = balances.as_dict()
    assert model.newton.unclosed == 0
    # At rest, with a double layer, the last digit of V within a short step is 1e-10 of C/1000.
    assert found["charge"] < (1e-9 if name == "double layer" else 1e-12)
    assert max(found["lithium"], found["salt"]) < (1e-8 if name == "double layer" else 1e-10)
    tight, _, other = marched((*CELLS[name], "solver.newton_tolerance=1e-7"))
    assert model.newton.iterations < 0.6 * tight.newton.iterations
    # What the updates leave is far below the time error, 0.1 mV.
    assert pytest.approx(other.state.V, abs=2e-5) == stepper.state.V


def test_without_closure_charge_is_lost_or_updates_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, _, _ = marched()
    monkeypatch.setattr(Closure, "close", lambda *given: None)
    fallen_back, balances, _ = marched()
    assert fallen_back.newton.unclosed > 0
    assert fallen_back.newton.iterations > 1.5 * model.newton.iterations
    # Newton's method then goes on until the balances are met.
    assert balances.as_dict()["charge"] < 1e-10
    assert balances.as_dict()["lithium"] < 1e-9


def test_a_field_with_a_source_is_left_to_newtons_method() -> None:
    def decaying(c: Any) -> Any:
        given = tracer().forms(c)
        return replace(given, volume=given.volume + 1e-3 * given.storage)

    with_source = charged(DISCS, CHARGE, CELL.with_row(replace(tracer(), forms=decaying)))
    assert with_source.model.closure() is None
    found = with_source.balances.as_dict()
    assert found["charge"] < 1e-10
    assert found["lithium"] < 1e-9
    # Its amount is not conserved, as its row says.
    assert found["tracer"] > 1e-3
    crossing = charged(DISCS, CHARGE, CELL.with_row(replace(tracer(), boundary={LITHIUM: 1e-3})))
    assert crossing.model.closure() is not None
    assert crossing.balances.as_dict()["charge"] < 1e-12


def test_particles_that_share_a_node_are_shifted_together() -> None:
    model = cell("five_discs_2d", (), PENALTY)
    apart = particle_components(model.mesh, model.lithium.space)
    assert apart.count == 5
    assert np.array_equal(apart.of_node, particle_of_node(model))
    # Two of the discs become three halves: cells of one particle are given to another.
    tags = model.mesh.particles.cell_tags
    mine = np.flatnonzero(model.mesh.particle_of_cell == 1)
    tags[mine[: mine.size // 2]] += 2
    joined = particle_components(model.mesh, model.lithium.space)
    assert joined.count == 4
    assert joined.of_particle[1] == joined.of_particle[3]
    assert joined.of_particle[1] != joined.of_particle[0]
