"""Marching a protocol: cut-offs are met, not overshot, whichever way a step comes to its end."""

from __future__ import annotations

import pytest

from helpers.cells import cell
from heterode.solver.time.march import march

PENALTY = (0.1, 0.9, 0.3, 0.6, 0.2)


def marched(*steps: str):
    """Every accepted step of a protocol on five discs."""
    texts = ", ".join(f'"{step}"' for step in steps)
    model = cell("five_discs_2d", (f"protocol.steps=[{texts}]",), PENALTY)
    stepper = model.stepper(model.start())
    return list(march(stepper, model.parameters.protocol.steps, model.pace)), model


def test_voltage_cut_offs_are_met_from_either_side():
    steps, _ = marched("charge at C/2 until 4.1 V", "discharge at C/2 until 3.6 V")
    ends = [step for step in steps if step.ended_by]
    assert [end.state.V for end in ends] == pytest.approx([4.1, 3.6], abs=1e-5)
    charge = [step.state.V for step in steps if step.protocol_step == 0]
    assert max(charge) <= 4.1 + 1e-5


def test_a_hold_ends_at_its_current():
    steps, model = marched("charge at C/2 until 4.1 V", "hold at 4.1 V until C/5")
    hold = [step.state for step in steps if step.protocol_step == 1]
    assert pytest.approx(model.one_C / 5, rel=1e-5) == hold[-1].I
    assert all(abs(state.V - 4.1) < 1e-9 for state in hold)


def test_durations_are_met():
    steps, _ = marched("charge at C/2 for 7 min", "rest for 11 min")
    ends = [step.state.time for step in steps if step.ended_by]
    assert ends == pytest.approx([420.0, 1080.0], rel=1e-12)


def test_a_jump_beyond_the_cut_off_ends_the_step_before_it_begins():
    steps, _ = marched("charge at C/10 for 5 h", "discharge at 1C until 3.75 V", "rest for 1 min")
    (jumped,) = [step for step in steps if step.protocol_step == 1]
    assert jumped.ended_by.endswith("at once")
    assert jumped.time_step == 0.0
    assert jumped.state.time == pytest.approx(18000.0)
    after = [step for step in steps if step.protocol_step > 0]
    assert all(step.state.V > 3.75 for step in after)


def test_the_jump_alone_does_not_end_a_step():
    # The same discharge with room below the jump: it goes on from there.
    steps, _ = marched("charge at C/10 for 5 h", "discharge at 1C until 3.5 V")
    discharge = [step for step in steps if step.protocol_step == 1]
    assert len(discharge) > 10
    assert pytest.approx(3.5, abs=1e-5) == discharge[-1].state.V
