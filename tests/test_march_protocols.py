"""Power, current tables, titrations, repeats, stops and every cut-off, on five discs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.cells import cell
from helpers.marched import PENALTY, Run, run
from heterode.base.errors import SolveError
from heterode.protocol import CurrentTable
from heterode.solver.model import CellModel
from heterode.solver.time import march as marching
from heterode.solver.time.bdf import differentiation
from heterode.solver.time.march import Marched, march
from heterode.solver.time.step_plan import StepPlan, Stretch
from heterode.solver.time.terminal import ConstantCurrent, ConstantPower, PrescribedCharge


def times(steps: Sequence[Marched]) -> np.ndarray:
    return np.array([marched.state.time for marched in steps])


# -- power ------------------------------------------------------------------------------------


def energies(steps: Sequence[Marched]) -> tuple[float, float]:
    """Integral of V dQ over the steps but the first, J, and the time it took, s."""
    V, Q = (np.array([getattr(s.state, name) for s in steps]) for name in ("V", "charge"))
    taken = float(np.sum(np.diff(Q) * (V[1:] + V[:-1]) / 2))
    return taken, steps[-1].state.time - steps[0].state.time


def test_constant_power_takes_its_energy() -> None:
    found = run("charge at 40 W/m^2 until 4.1 V", "discharge at 60 W/m^2 until 3.6 V")
    area = found.model.mesh.collector_area
    for step, power in ((0, 40.0 * area), (1, -60.0 * area)):
        here = found.of(step)
        assert [s.state.V * s.state.I for s in here] == pytest.approx([power] * len(here), rel=1e-8)
        taken, lasted = energies(here)
        assert taken == pytest.approx(power * lasted, rel=2e-4)
        # The current is not constant: it is the power that is.
        currents = [s.state.I for s in here]
        assert max(np.abs(currents)) > 1.005 * min(np.abs(currents))
    assert [end.state.V for end in found.ends] == pytest.approx([4.1, 3.6], abs=1e-5)


def test_constant_current_does_not_take_that_energy() -> None:
    found = run("charge at 10 A/m^2 until 4.1 V")
    power = found.steps[0].state.V * found.steps[0].state.I
    taken, lasted = energies(found.steps)
    assert abs(taken / (power * lasted) - 1) > 1e-2


@pytest.mark.parametrize(
    "control",
    [
        ConstantCurrent(2.0),
        ConstantPower(8.0),
        # I = 1 + t/2 between 0 and 2 s, of which the scheme of order two takes the value at 2 s.
        PrescribedCharge(lambda begin, end: (end - begin) * (1.0 + (begin + end) / 4)).over(
            differentiation(2.0, [1.2, 0.0], 2), [2.0, 1.2, 0.0]
        ),
    ],
)
def test_controls_are_met_and_differentiated(control) -> None:
    assert control(4.0, 2.0)[0] == pytest.approx(0.0, abs=1e-14)
    h = 1e-6
    _, g_V, g_I = control(3.9, 1.7)
    assert (control(3.9 + h, 1.7)[0] - control(3.9 - h, 1.7)[0]) / (2 * h) == pytest.approx(g_V)
    assert (control(3.9, 1.7 + h)[0] - control(3.9, 1.7 - h)[0]) / (2 * h) == pytest.approx(g_I)


# -- current tables ---------------------------------------------------------------------------

ROWS = ((0.0, 0.0), (100.0, 12.0), (160.0, 12.0), (400.0, -6.0), (401.0, 8.0), (900.0, 0.0))


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    path = tmp_path / "drive.csv"
    lines = [f"{time},{current}" for time, current in ROWS]
    path.write_text("time_s,current_A_m2\n" + "\n".join(lines) + "\n")
    return path


def linear(time: np.ndarray) -> np.ndarray:
    return np.interp(time, *zip(*ROWS, strict=True))


def stepwise(time: np.ndarray) -> np.ndarray:
    """At a row, the value up to it: where the step that ends there was."""
    rows = np.array(ROWS)
    return rows[np.maximum(np.searchsorted(rows[:, 0], time - 1e-9) - 1, 0), 1]


def prescribed(found: Run, current) -> np.ndarray:
    """Of the current of a table: its mean over the first time step behind each row, else its value
    at the step's end.
    """
    ends = np.concatenate([[0.0], times(found.steps)])
    kinks = np.array([row for row, _ in ROWS])
    values = current(ends[1:])
    for n, begin in enumerate(ends[:-1]):
        if np.any(np.abs(kinks - begin) < 1e-9):
            # Linear within a row's interval: the mean is the value in the middle.
            values[n] = current((begin + ends[n + 1 : n + 2]) / 2)[0]
    return values


def rows_crossed(found: Run) -> list[float]:
    """Rows that lie within a time step, not at its end."""
    ends = np.concatenate([[0.0], times(found.steps)])
    return [row for row, _ in ROWS if np.any((ends[:-1] < row - 1e-9) & (row + 1e-9 < ends[1:]))]


@pytest.mark.parametrize(("how", "current"), [("", linear), (" stepwise", stepwise)])
def test_a_table_is_followed_exactly(how: str, current, drive: Path) -> None:
    found = run(f"follow {drive}{how}")
    area = found.model.mesh.collector_area
    at = times(found.steps)
    followed = np.array([s.state.I for s in found.steps]) / area
    np.testing.assert_allclose(followed, prescribed(found, current), rtol=1e-9, atol=1e-9)
    # At the rows themselves it is the table's.
    rows = np.isin(at.round(9), [row for row, _ in ROWS])
    assert np.count_nonzero(rows) == len(ROWS) - 1
    np.testing.assert_allclose(followed[rows], current(at[rows]), rtol=1e-9, atol=1e-9)
    assert rows_crossed(found) == []
    assert at[-1] == pytest.approx(900.0, rel=1e-12)
    assert found.ends[0].ended_by == "reached its duration"
    # The time scheme begins anew at each row inside, where alone it has one state behind it.
    kinks = [row for row, _ in ROWS[1:-1]]
    fresh = [s.state.time for s, past in zip(found.steps, found.past, strict=True) if past == 1]
    assert fresh == pytest.approx(kinks, rel=1e-12)
    table = found.model.parameters.protocol.steps[0].table
    passed = sum(charge for _, charge in table.charges())
    throughput = sum(s.time_step * abs(s.state.I) for s in found.steps) / area
    assert found.steps[-1].state.charge / area == pytest.approx(passed, abs=1e-12 * throughput)


def test_without_legs_steps_lead_across_rows(drive: Path, monkeypatch) -> None:
    """The negative control."""

    class Interpolated:
        def __init__(self, area: float) -> None:
            self._area = area

        def over(self, scheme, times) -> ConstantCurrent:
            return ConstantCurrent(self._area * float(linear(np.array(times[0]))))

    monkeypatch.setattr(
        StepPlan,
        "stretch",
        lambda self, time: Stretch(Interpolated(self._pace.area), self.deadline),
    )
    assert rows_crossed(run(f"follow {drive}"))


def test_a_table_ends_at_a_voltage(drive: Path) -> None:
    found = run(f"follow {drive} until above 3.9 V", "rest for 1 min")
    (end, _) = found.ends
    assert end.ended_by == "reached 3.9 V"
    assert pytest.approx(3.9, abs=1e-5) == end.state.V
    assert max(s.state.V for s in found.of(0)) < 3.9 + 1e-5
    assert end.state.time < 160.0


def test_a_jump_within_a_table_ends_it_at_once(drive: Path) -> None:
    found = run(f"follow {drive} stepwise until above 3.7 V")
    # At 100 s the current jumps to 12 A/m^2, and the voltage with it beyond the cut-off.
    assert found.steps[-1].ended_by == "reached 3.7 V at once"
    assert found.steps[-1].state.time == pytest.approx(100.0, rel=1e-12)


def test_a_table_of_zeros_is_a_rest() -> None:
    table = CurrentTable((0.0, 60.0), (0.0, 0.0), False, "")
    model = cell("five_discs_2d", ('protocol.steps=["rest for 1 min"]',), PENALTY)
    step = replace(model.parameters.protocol.steps[0], kind="follow", cutoffs=(), table=table)
    stepper = model.stepper(model.start())
    states = [marched.state for marched in march(stepper, [step], model.pace)]
    assert states[-1].time == 60.0
    assert all(state.I == 0.0 for state in states)


# -- titration --------------------------------------------------------------------------------


RELAXED = 0.16
"""Share of a pulse's overpotential that an hour leaves: slow particles still exchange lithium."""


def overpotentials(found: Run) -> tuple[np.ndarray, np.ndarray]:
    """V - U(mean x) at the ends of pulses and of rests."""
    curve, model = found.model.curve, found.model
    over = [
        (end.state.I != 0, end.state.V - float(curve.potential(model.lithium_fraction(end.state))))
        for end in found.ends
    ]
    return tuple(np.array([o for flows, o in over if flows == kind]) for kind in (True, False))


def test_a_titration_relaxes_between_its_pulses() -> None:
    found = run("gitt: charge at C/2 for 10 min, rest for 1 h, until 4.1 V", "rest for 1 min")
    pulses, rests = overpotentials(found)
    assert len(pulses) > 4
    # The last rest is the protocol's own, of a minute.
    assert np.all(rests[:-1] < RELAXED * pulses[:-1])
    for number in range(1, 2 * (len(pulses) - 1), 2):
        V = [s.state.V for s in found.of(number)]
        assert sorted(V, reverse=True) == V
        assert all(s.state.I == 0.0 for s in found.of(number)[1:])
    # The pulse that reaches the end ends there, and the titration with it: no rest follows but
    # the protocol's own.
    last = found.ends[-2]
    assert pytest.approx(4.1, abs=1e-5) == last.state.V
    assert (last.ended_by, last.text) == ("reached 4.1 V", "charge at C/2 for 10 min")
    assert found.ends[-1].text == "rest for 1 min"
    numbers = [end.protocol_step for end in found.ends]
    assert numbers == list(range(len(numbers)))


def test_without_time_to_relax_it_does_not() -> None:
    """The negative control: rests of five seconds."""
    pulses, rests = overpotentials(run("gitt: charge at C/2 for 10 min, rest for 5 s, until 4.1 V"))
    assert not np.all(rests < RELAXED * pulses[: len(rests)])


def test_a_titration_can_be_counted() -> None:
    found = run("gitt: charge at C/2 for 2 min, rest for 1 min, 3 times")
    assert [end.protocol_step for end in found.ends] == list(range(6))
    assert found.ends[-1].state.time == pytest.approx(540.0, rel=1e-9)


def test_what_never_comes_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(marching, "MOST_PASSES", 3)
    with pytest.raises(SolveError, match="repeated 3 times without reaching the end"):
        run("{until='below 3.0 V', steps=['charge at C/2 for 10 s', 'discharge at C/2 for 10 s']}")


# -- cut-offs ---------------------------------------------------------------------------------

CUTOFFS = {
    "capacity": ("charge at C/2 until 3 A h/m^2", lambda m, s: abs(s.charge) / area(m) / 3600, 3.0),
    "capacity at power": (
        "charge at 40 W/m^2 until 0.2 mAh/cm^2",
        lambda m, s: abs(s.charge) / area(m) / 3600,
        2.0,
    ),
    "lithium fraction": (
        "charge at C/2 until x = 0.8",
        lambda m, s: m.lithium_fraction(s),
        0.8,
    ),
    "voltage": ("charge at C/2 until 4.045 V", lambda m, s: s.V, 4.045),
}


def area(model: CellModel) -> float:
    return model.mesh.collector_area


@pytest.mark.parametrize("name", CUTOFFS)
def test_cut_offs_are_met(name: str) -> None:
    text, value, wanted = CUTOFFS[name]
    found = run(text)
    assert value(found.model, found.steps[-1].state) == pytest.approx(wanted, rel=1.1e-6)
    before = value(found.model, found.steps[-2].state)
    assert abs(before / wanted - 1) > 1e-5
    locate = marching._locate
    try:
        marching._locate = lambda stepper, control, event, beyond: beyond
        found = run(text)
    finally:
        marching._locate = locate
    # The negative control: not located, it is overshot.
    assert value(found.model, found.steps[-1].state) != pytest.approx(wanted, rel=1e-4)


def test_a_discharge_and_a_hold_end_on_capacity_and_fraction() -> None:
    found = run(
        "charge at C/2 until 4.1 V",
        "hold at 4.1 V until x below 0.52 or 30 h",
        "discharge at C/2 until 2 A h/m^2",
        "discharge at C/2 until x = 0.85",
    )
    model, ends = found.model, [end.state for end in found.ends]
    assert model.lithium_fraction(ends[1]) == pytest.approx(0.52, rel=1.1e-6)
    assert (ends[1].charge - ends[2].charge) / area(model) / 3600 == pytest.approx(2, rel=1.1e-6)
    assert model.lithium_fraction(ends[3]) == pytest.approx(0.85, rel=1.1e-6)


def test_of_two_cut_offs_in_one_time_step_the_first_ends_it() -> None:
    alone = run("charge at C/2 until 4.05 V")
    x = alone.model.lithium_fraction(alone.steps[-1].state)
    for beyond, ended in ((-1e-4, "reached 4.05 V"), (1e-4, "reached a mean lithium fraction")):
        goal = x + beyond
        for ends in (f"4.05 V or x = {goal:.6f}", f"x = {goal:.6f} or 4.05 V"):
            found = run(f"charge at C/2 until {ends}")
            assert found.steps[-1].ended_by.startswith(ended)
            assert found.steps[-1].state.V <= 4.05 + 1e-5
            assert found.model.lithium_fraction(found.steps[-1].state) >= goal * (1 - 1.1e-6)


# -- repeats and cycles -------------------------------------------------------------------------


def cycles(found: Run) -> list[tuple[int, int]]:
    """(number of the step, cycle) of each step."""
    return sorted({(s.protocol_step, s.cycle) for s in found.steps})


PULSES = ("charge at C/2 for 1 min", "discharge at C/2 for 1 min")


def test_a_repeated_protocol_counts_its_passes() -> None:
    found = run(*PULSES, "rest for 10 s", overrides=("protocol.repeat=3",))
    assert cycles(found) == [(n, n // 3) for n in range(9)]
    assert found.steps[-1].state.time == pytest.approx(390.0, rel=1e-9)


def test_without_repeat_a_charge_after_a_discharge_begins_a_cycle() -> None:
    up, down = PULSES
    found = run(up, "rest for 10 s", up, down, "rest for 10 s", up, down, down)
    assert cycles(found) == list(zip(range(8), [0, 0, 0, 0, 0, 1, 1, 1], strict=True))
    slowly = [pulse.replace("C/2", "C/20") for pulse in (down, up, down)]
    assert cycles(run(*slowly)) == [(0, 0), (1, 1), (2, 1)]


def test_groups_repeat_within_the_list() -> None:
    up, down = PULSES
    found = run("rest for 10 s", f"{{repeat=2, steps=['{up}', '{down}']}}", up)
    assert cycles(found) == [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 2)]
    texts = [end.text for end in found.ends]
    assert texts == ["rest for 10 s", up, down, up, down, up]


# -- stops ------------------------------------------------------------------------------------


def test_steps_stop_on_their_way_and_go_on() -> None:
    steps = ("charge at C/2 until 4.1 V", "discharge at C/2 until 3.6 V")
    stops = 'protocol.stops=["3.9 V", "4.1 V", "4.0 V", "3.6 V", "3.535 V"]'
    quick = "active_material.rate_constant=1e-9 m/s"
    found = run(*steps, overrides=(stops, quick))
    met = [(s.stop, s.protocol_step) for s in found.steps if s.stop is not None]
    # At 3.535 V the charge's first current leads past it, and on the way back it is not reached;
    # the discharge begins at 4.1 V already.
    up = [(voltage, 0) for voltage in (3.6, 3.9, 4.0, 4.1)]
    assert met == [*up, (4.0, 1), (3.9, 1), (3.6, 1)]
    for marched in found.steps:
        if marched.stop is not None:
            assert pytest.approx(marched.stop, abs=1e-5) == marched.state.V
    # A stop ends no step: the time scheme keeps its order.
    at_stops = [
        p for s, p in zip(found.steps, found.past, strict=True) if s.stop and not s.ended_by
    ]
    assert min(at_stops) == 3
    plain = run(*steps, overrides=(quick,))
    assert plain.ends[-1].state.time == pytest.approx(found.ends[-1].state.time, rel=1e-4)
    # The negative control: without stops no time step ends there.
    for voltage in (3.9, 4.0):
        assert min(abs(s.state.V - voltage) for s in plain.steps) > 1e-4
