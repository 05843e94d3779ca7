"""The protocol's language."""

import pytest

from simulator.protocol import Cutoff, Rate, StepError, parse_step, parse_steps


def test_charge_until_a_voltage():
    step = parse_step("charge at C/20 until 4.5 V")
    assert (step.kind, step.rate, step.voltage) == ("charge", Rate(0.05, "C"), None)
    assert step.cutoffs == (Cutoff("voltage", 4.5),)
    assert step.cutoff("voltage") == 4.5
    assert step.cutoff("time") is None


@pytest.mark.parametrize(
    ("text", "cutoffs"),
    [
        ("charge at C/20 until 4500 mV or 10 h", [("voltage", 4.5), ("time", 36000.0)]),
        ("charge at C/20 until 10 h or 4.5 V", [("time", 36000.0), ("voltage", 4.5)]),
        ("discharge at 0.5 A/m^2 until 2.8 V", [("voltage", 2.8)]),
        ("discharge at 1C for 10 min", [("time", 600.0)]),
        ("hold at 4.5 V until C/100", [("current", Rate(0.01, "C"))]),
        (
            "hold at 4.5 V until 0.1 A/m^2 or 2 h",
            [("current", Rate(0.1, "A/m^2")), ("time", 7200.0)],
        ),
        ("hold at 4.5 V for 2 h", [("time", 7200.0)]),
        ("rest for 1 h", [("time", 3600.0)]),
        ("  rest   until  1 h ", [("time", 3600.0)]),
    ],
)
def test_ends(text, cutoffs):
    assert [(c.quantity, c.value) for c in parse_step(text).cutoffs] == cutoffs


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("C/20", Rate(0.05, "C")),
        ("C / 20", Rate(0.05, "C")),
        ("2C", Rate(2.0, "C")),
        ("0.5 C", Rate(0.5, "C")),
        ("0.5 A/m^2", Rate(0.5, "A/m^2")),
        ("0.05 mA/cm^2", Rate(0.5, "A/m^2")),
    ],
)
def test_rates(text, rate):
    found = parse_step(f"charge at {text} until 4.5 V").rate
    assert found.unit == rate.unit
    assert found.value == pytest.approx(rate.value)


def test_current_density_of_both_kinds():
    assert Rate(0.05, "C").current_density(21.15) == pytest.approx(1.0575)
    assert Rate(0.5, "A/m^2").current_density(21.15) == 0.5


def test_a_hold_keeps_its_voltage():
    (step,) = parse_steps(["hold at 4.5 V until C/100"])
    assert (step.rate, step.voltage) == (None, 4.5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a step"),
        ("chrge at C/20 until 4.5 V", "is not a step"),
        ("charge until 4.5 V", "lacks its rate"),
        ("charge at C/20", "has no end"),
        ("charge at 4 V until 4.5 V", "neither like C/20"),
        ("charge at -C/20 until 4.5 V", "neither like C/20"),
        ("charge at C/0 until 4.5 V", "not above zero"),
        ("charge at 0 A/m^2 until 4.5 V", "not above zero"),
        ("charge at C/20 until C/3", "ends on a current"),
        ("charge at C/20 until 4.5 V or 4.6 V", "two ends of the same kind"),
        ("charge at C/20 until tomorrow", "no voltage, no duration and no current"),
        ("charge at C/20 for 4.5 V", "not a duration"),
        ("hold until C/3", "lacks its voltage"),
        ("hold at C/3 for 2 h", "not a voltage"),
        ("hold at 4.5 V until 4.6 V", "ends on a voltage"),
        ("rest", "has no end"),
        ("rest at C/3 for 1 h", "rests at a level"),
        ("rest for 0 s", "not above zero"),
    ],
)
def test_refuses(text, says):
    with pytest.raises(StepError, match=says):
        parse_step(text)
