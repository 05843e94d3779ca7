"""What passes is what the protocol prescribes: tables to their exact integral, steps, powers.

In the negative controls each time step has the current at its end, as the time scheme alone would
have it. The charge is then wrong at any tolerance, and the balance shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.cells import cell
from helpers.marched import PENALTY
from helpers.orders_in_time import DURATION, fixed_steps, settled, small_cell
from heterode.protocol import CurrentTable
from heterode.solver.time.bdf import differentiation
from heterode.solver.time.conservation import Conservation
from heterode.solver.time.march import march
from heterode.solver.time.terminal import ConstantCurrent, PrescribedCharge

TABLES = {
    # Times, s, and currents, A m^-2.
    "sub-second fall": ((0, 0.5, 1), (20, 2, 0)),
    "teeth": ((0, 0.1, 5, 5.1, 10), (0, 20, 0, 20, 0)),
    "change of sign": ((0, 4, 5, 15), (12, -12, 3, -3)),
    "pauses": ((0, 5, 6, 20, 21, 30), (5, 5, 0, 0, -4, 0)),
    "milliseconds": ((0, 0.001, 0.002, 0.003, 0.01), (5, 40, -20, 10, 3)),
    "a lone peak": ((0, 30, 30.001, 30.002, 90), (0.1, 0.1, 100, 0.1, 0.1)),
}
LAYER = "active_material.double_layer_capacitance=0.2 F/m^2"
PER_AREA, OF_A_CELL = "time_s,current_A_m2", "Time [s],Current [A]"
PRECISION = 1e-9
"""Of the throughput."""


def integral(times: Sequence[float], currents: Sequence[float], stepwise: bool) -> tuple:
    """Charge and throughput per area up to the table's end, A s m^-2, by elementary geometry."""
    charge = size = 0.0
    for a, b, i, j in zip(times, times[1:], currents, currents[1:], strict=False):
        j = i if stepwise else j
        charge += (b - a) * (i + j) / 2
        if i * j < 0:
            size += (b - a) * (i * i + j * j) / (2 * abs(i - j))
        else:
            size += (b - a) * abs(i + j) / 2
    return charge, size


class Followed:
    """A table that was followed on five discs, with what passed by charge and by lithium."""

    def __init__(
        self, times, currents, how="", end="", begin=0.0, overrides=(), heading=PER_AREA
    ) -> None:
        path = Path("drive.csv")
        rows = "".join(f"{t},{i}\n" for t, i in zip(times, currents, strict=True))
        path.write_text(f"{heading}\n{rows}")
        steps = f'protocol.steps=["follow {path.absolute()}{how}{end}"]'
        self.model = cell("five_discs_2d", (steps, *overrides), PENALTY)
        start = replace(self.model.start(), time=begin)
        stepper = self.model.stepper(start)
        self.balances = Conservation(self.model.system, start)
        self.states, stored = [start], [self.stored(start)]
        self.ended = ""
        for marched in march(stepper, self.model.parameters.protocol.steps, self.model.pace):
            self.balances.update(marched.state, marched.prescribed)
            self.states.append(marched.state)
            stored.append(self.stored(marched.state))
            self.ended = marched.ended_by
        area = self.model.mesh.collector_area
        self.charge = self.states[-1].charge / area
        self.lithium = (stored[0] - stored[-1]) / area

    def stored(self, state) -> float:
        """Lithium in the particles less the double layer's charge, A s."""
        system = self.model.system
        layer = system.double_layer_charge(state.vector, state.V)
        return float(system.volume.stored("s", state.vector).sum()) - layer

    @property
    def lasted(self) -> float:
        return self.states[-1].time - self.states[0].time


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def currents_at_the_ends(patching: pytest.MonkeyPatch) -> None:
    """The rule of the controls: the current at the end of each step, its mean over no step."""

    def over(self, scheme, times) -> ConstantCurrent:
        end, short = times[0], 1e-7
        return ConstantCurrent(self.passed(end - short, end) / short)

    patching.setattr(PrescribedCharge, "over", over)


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("name", TABLES)
def test_a_table_passes_its_integral(name: str, stepwise: bool) -> None:
    times, currents = TABLES[name]
    found = Followed(times, currents, " stepwise" if stepwise else "")
    wanted, throughput = integral(times, currents, stepwise)
    assert found.charge == pytest.approx(wanted, abs=PRECISION * throughput)
    assert found.lithium == pytest.approx(wanted, abs=PRECISION * throughput)
    assert found.balances.as_dict()["prescribed_charge"] < PRECISION
    assert found.states[-1].time == pytest.approx(times[-1], rel=1e-12)


@pytest.mark.parametrize("name", ["sub-second fall", "teeth", "pauses", "milliseconds"])
def test_with_the_currents_at_the_ends_it_does_not(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    currents_at_the_ends(monkeypatch)
    times, currents = TABLES[name]
    found = Followed(times, currents)
    wanted, throughput = integral(times, currents, False)
    assert abs(found.charge - wanted) > 1e-4 * throughput
    assert found.balances.as_dict()["prescribed_charge"] > 1e-4
    # What the other balances cannot see.
    assert found.balances.charge < PRECISION


@pytest.mark.parametrize("overrides", [(LAYER,), ("solver.linear_solver=fieldsplit",)])
def test_with_a_double_layer_and_the_iterative_solver(overrides: tuple[str, ...]) -> None:
    times, currents = (0, 2, 2.5, 4), (0, 20, -10, 0)
    found = Followed(times, currents, overrides=overrides)
    wanted, throughput = integral(times, currents, False)
    assert found.charge == pytest.approx(wanted, abs=PRECISION * throughput)
    assert found.lithium == pytest.approx(wanted, abs=PRECISION * throughput)
    assert found.balances.as_dict()["prescribed_charge"] < PRECISION


def test_a_voltage_ends_it_with_the_integral_up_to_then() -> None:
    times, currents = (0, 2, 4, 8), (0, 4, 30, 0)
    found = Followed(times, currents, end=" until above 3.9 V")
    assert found.ended == "reached 3.9 V"
    end = found.lasted
    assert 2 < end < 4
    current = float(np.interp(end, times, currents))
    wanted, throughput = integral((0, 2, end), (0, 4, current), False)
    assert found.charge == pytest.approx(wanted, abs=PRECISION * throughput)
    assert found.balances.as_dict()["prescribed_charge"] < PRECISION


@pytest.mark.parametrize("how", [" with area 1027 cm^2", " stepwise with area 0.1027 m^2"])
def test_a_cell_s_current_passes_its_integral_over_the_area(how: str) -> None:
    """In A and positive on discharge, as PyBaMM has it; the last sign is that of a discharge."""
    times, currents = (0, 4, 5, 15), (-1.2, 1.2, -0.3, -0.4)
    found = Followed(times, currents, how, heading=OF_A_CELL)
    charge, throughput = integral(times, currents, "stepwise" in how)
    wanted = -charge / 0.1027
    assert abs(wanted) > 10.0
    assert found.charge == pytest.approx(wanted, abs=PRECISION * throughput / 0.1027)
    assert found.lithium == pytest.approx(wanted, abs=PRECISION * throughput / 0.1027)
    assert found.balances.as_dict()["prescribed_charge"] < PRECISION


def test_long_after_the_start_milliseconds_count_as_much() -> None:
    """A table ends at its last row, not at a share of the time that has passed before it."""
    times, currents = (0.0, 0.002, 0.004, 0.005), (0.0, 10.0, 0.0, 20.0)
    found = Followed(times, currents, begin=7.2e6)
    wanted, throughput = integral(times, currents, False)
    # Times of 7.2e6 s are rounded to 1e-9 s.
    assert found.charge == pytest.approx(wanted, abs=1e-6 * throughput)
    assert found.lasted == pytest.approx(0.005, abs=1e-8)


def test_constant_steps_pass_what_they_prescribe(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ("charge at C/2 for 20 min", "rest for 10 s", "discharge at 20 W/m^2 for 2 min")
    listed = ", ".join(f'"{text}"' for text in texts)
    model = cell("five_discs_2d", (f"protocol.steps=[{listed}]",), PENALTY)

    def balances_of_a_run() -> Conservation:
        start = model.start()
        stepper, balances = model.stepper(start), Conservation(model.system, start)
        for marched in march(stepper, model.parameters.protocol.steps, model.pace):
            balances.update(marched.state, marched.prescribed)
        return balances

    balances = balances_of_a_run()
    assert balances.as_dict()["prescribed_charge"] < PRECISION
    # All of it was compared: the charge of one step, the energy of another.
    wanted = 20 * 120 * model.mesh.collector_area
    assert balances.memory["prescribed"]["energy"] == pytest.approx(wanted, rel=1e-9)
    # Negative control: a power that is met to one part in a thousand.
    call = "heterode.solver.time.terminal.ConstantPower.__call__"
    monkeypatch.setattr(call, lambda self, V, I: (V * I - 1.001 * self.power, I, V))
    assert balances_of_a_run().as_dict()["prescribed_charge"] == pytest.approx(1e-3, rel=0.01)


def test_a_voltage_held_prescribes_nothing() -> None:
    model = cell("five_discs_2d", ('protocol.steps=["hold at 3.9 V for 1 min"]',), PENALTY)
    start = model.start()
    stepper, balances = model.stepper(start), Conservation(model.system, start)
    for marched in march(stepper, model.parameters.protocol.steps, model.pace):
        balances.update(marched.state, marched.prescribed)
        assert (marched.prescribed.charge, marched.prescribed.energy) == (None, None)
    assert balances.as_dict()["prescribed_charge"] == 0.0


# -- the order in time ----------------------------------------------------------------------


def mean_of_the_step(self, scheme, times) -> ConstantCurrent:
    """The rule of the control: exact charges for the scheme of order one alone."""
    return ConstantCurrent(self.passed(times[1], times[0]) / (times[0] - times[1]))


@pytest.mark.parametrize(("highest", "rule", "order"), [(1, None, 1), (2, None, 2), (2, "mean", 1)])
def test_a_ramp_is_followed_in_the_order_of_the_scheme(
    highest: int, rule: str | None, order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_cell()
    start, constant = settled(model)
    # From a current to the opposite one.
    ramp = PrescribedCharge(lambda a, b: (b - a) * constant.current * (1 - (a + b) / DURATION))

    def values(count: int, order: int) -> np.ndarray:
        state = fixed_steps(model, start, ramp, count, order)
        s = model.averages.of_volume(state.vector[model.layout.slices["s"]])
        return np.array([state.V, s[0]])

    reference = values(48, 2)
    if rule is not None:
        monkeypatch.setattr(PrescribedCharge, "over", mean_of_the_step)
    coarse, fine = (np.abs(values(count, highest) - reference) for count in (8, 16))
    assert np.log2(coarse / fine) == pytest.approx(order, abs=0.15), (coarse, fine)


@pytest.mark.parametrize("order", [1, 2])
def test_slopes_of_known_growth(order: int) -> None:
    """Exact for polynomials of the order, also where the value itself has no digits left."""
    times = [1.0, 0.7, 0.2]
    for power in range(1, order + 1):
        scheme = differentiation(times[0], times[1:], order)
        slope = scheme.slope(lambda a, b, p=power: b**p - a**p, times)
        assert slope == pytest.approx(power, rel=1e-13)
    late = [1e9 + t for t in times]
    scheme = differentiation(late[0], late[1:], order)
    assert scheme.slope(lambda a, b: 3.0 * (b - a), late) == pytest.approx(3.0, rel=1e-13)


def test_integrals_of_a_table_add_up() -> None:
    linear = CurrentTable((0.0, 10.0, 20.0), (0.0, 5.0, -5.0), False, "")
    assert (linear.passed(0, 20), linear.passed(0, 10), linear.passed(10, 20)) == (25, 25, 0)
    assert linear.passed(5, 15) == pytest.approx(5 * 3.75 + 5 * 2.5, rel=1e-15)
    held = CurrentTable((0.0, 10.0, 20.0), (1.0, 5.0, -5.0), True, "")
    assert (held.passed(0, 20), held.passed(9, 11)) == (60, 6)
    # A time step ends a rounding beyond the table's end.
    assert held.passed(19, np.nextafter(20.0, 21)) == pytest.approx(5, rel=1e-12)
