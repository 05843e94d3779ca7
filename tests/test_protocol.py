"""The protocol's language."""

from pathlib import Path

import pytest

from heterode.protocol import (
    CurrentTable,
    Cutoff,
    Group,
    Rate,
    StepError,
    parse_item,
    parse_step,
    parse_steps,
    resolved,
)
from heterode.protocol.language import is_stepwise


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
        ("rest 30 minutes", [("time", 1800.0)]),
        ("charge at C/10 until 1 mAh/cm^2", [("capacity", 36000.0)]),
        ("discharge at C/10 until 10 A h/m^2", [("capacity", 36000.0)]),
        ("charge at C/10 until x = 0.5", [("lithium fraction", 0.5)]),
        ("charge at C/10 until x below 0.5", [("lithium fraction", 0.5)]),
        ("charge at 5 W/m^2 until 4.5 V or x=.5", [("voltage", 4.5), ("lithium fraction", 0.5)]),
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


def test_steps_as_people_write_them():
    """A hold without its voltage, a rest without its 'for', sentences with a capital letter."""
    texts = ("Charge at C/40 until 4.5 V", "hold until C/100", "hold for 1 min", "rest 1 hour")
    charge, hold, again, rest = parse_steps(texts)
    assert charge == parse_step("charge at C/40 until 4.5 V")
    assert hold == parse_step("hold at 4.5 V until C/100")
    assert again == parse_step("hold at 4.5 V for 1 min")
    assert rest.cutoffs == (Cutoff("time", 3600.0),)
    # What a group ends with, unless nobody knows when it ends.
    group = Group((rest, charge), 3)
    assert parse_item("hold until C/100", group) == hold
    with pytest.raises(StepError, match="lacks its voltage"):
        parse_item("hold until C/100", Group((charge,), None, charge.cutoffs, "4.5 V"))
    titration = parse_item("GITT: charge at C/20 until 4.2 V, hold until C/50, 3 times")
    assert titration.steps[1].voltage == 4.2
    assert resolved(" Follow a.csv stepwise", Path("in")) == " Follow in/a.csv stepwise"


@pytest.mark.parametrize("before", ["rest 1 h", "charge at C/2 until 4.5 V or 1 h"])
def test_a_hold_whose_voltage_nobody_knows_is_refused(before):
    with pytest.raises(StepError, match="only behind a step that ends at a voltage and nothing"):
        parse_steps([before, "hold until C/100"])


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
        ("hold", "lacks its voltage and its end"),
        ("hold at C/3 for 2 h", "not a voltage"),
        ("hold at 4.5 V until 4.6 V", "ends on a voltage"),
        ("rest", "has no end"),
        ("rest at C/3 for 1 h", "rests at a level"),
        ("rest for 0 s", "not above zero"),
        ("charge at 0 W/m^2 until 4.5 V", "power '0 W/m\\^2' that is not above zero"),
        ("charge at 5 W until 4.5 V", "nor a power in W/m\\^2"),
        ("charge at C/20 until 5 W/m^2", "no voltage, no duration and no current"),
        ("charge at C/20 until 1 mAh", "no voltage, no duration and no current"),
        ("charge at C/20 until 0 mAh/cm^2", "capacity '0 mAh/cm\\^2' that is not above zero"),
        ("charge at C/20 until x = 1.5", "out of range: from 1e-06 to 0.999999"),
        ("charge at C/20 until x = half", "no voltage"),
        ("charge at C/20 until below 3 V", "a charge ends above it"),
        ("discharge at C/20 until x below 0.5", "a discharge ends above it"),
        ("hold at 4.5 V until x = 0.5", "without its side"),
        ("rest until x below 0.5", "a rest ends on a time"),
        ("charge at C/20 until above 2 h", "only voltage and x have sides"),
        ("follow", "is not a step"),
        ("follow drive.csv until 2.8 V", "without its side"),
        ("follow drive.csv until C/3", "ends on a current"),
        ("follow drive.csv until below 2.8 V or below 3 V", "two ends of the same kind"),
    ],
)
def test_refuses(text, says):
    with pytest.raises(StepError, match=says):
        parse_step(text)


def test_a_power_is_no_rate():
    step = parse_step("discharge at 2 mW/cm^2 until 2.8 V")
    assert step.rate is None
    assert step.power == pytest.approx(20.0)
    assert step.current_density(21.0, 4.0) == pytest.approx(5.0)
    assert parse_step("discharge at 5 A/m^2 until 2.8 V").power is None


@pytest.mark.parametrize(
    ("text", "file", "stepwise", "cutoffs"),
    [
        ("follow drive.csv", "drive.csv", False, ()),
        ("follow a b/my drive.csv stepwise", "a b/my drive.csv", True, ()),
        (
            "follow drive.csv stepwise until below 2.8 V or above 4.4 V or 1 h",
            "drive.csv",
            True,
            (
                Cutoff("voltage", 2.8, "below"),
                Cutoff("voltage", 4.4, "above"),
                Cutoff("time", 3600),
            ),
        ),
        ("follow a b/us06.csv with area 0.1027 m^2", "a b/us06.csv", False, ()),
        ("follow us06.csv stepwise with area 1 cm^2", "us06.csv", True, ()),
        (
            "follow us06.csv with area 1 cm^2 stepwise until 1 h",
            "us06.csv",
            True,
            (Cutoff("time", 3600),),
        ),
        (
            "follow drive.csv until x above 0.9",
            "drive.csv",
            False,
            (Cutoff("lithium fraction", 0.9, "above"),),
        ),
    ],
)
def test_current_tables(text, file, stepwise, cutoffs):
    step = parse_step(text)
    assert (step.kind, step.file, step.cutoffs) == ("follow", Path(file), cutoffs)
    assert is_stepwise(step) == stepwise
    assert resolved(text, Path("/there")) == text.replace(file, f"/there/{file}")
    # Where the file lies is no part of the text that a resumed run is compared by.
    assert parse_step(resolved(text, Path("/there"))).text == text.replace("a b/", "")


def test_a_path_is_sought_in_tables_alone():
    assert resolved("charge at C/20 until 4.5 V", Path("/there")) == "charge at C/20 until 4.5 V"


def test_a_table_holds_between_its_rows():
    linear = CurrentTable((0.0, 10.0, 20.0), (0.0, 5.0, -5.0), False, "")
    steps = CurrentTable((0.0, 10.0, 20.0), (0.0, 5.0, -5.0), True, "")
    assert [linear.along(row) for row in (0, 1)] == [(0.0, 0.5), (5.0, -1.0)]
    assert [steps.along(row) for row in (0, 1)] == [(0.0, 0.0), (5.0, 0.0)]
    # From a row on, or a rounding before it, the stretch behind it holds; the last to the end.
    times = (0.0, 9.99, 10.0 - 1e-9, 10.0, 15.0, 20.0)
    assert [linear.stretch(time) for time in times] == [0, 0, 1, 1, 1, 1]
    assert list(linear.charges()) == [(10.0, 25.0), (10.0, 0.0)]
    assert list(steps.charges()) == [(10.0, 0.0), (10.0, 50.0)]


def test_a_titration_is_pulses_and_rests_until_its_end():
    group = parse_item("gitt: charge at C/20 for 10 min, rest for 1 h, until 4.5 V or x = 0.3")
    assert isinstance(group, Group)
    assert [step.text for step in group.steps] == ["charge at C/20 for 10 min", "rest for 1 h"]
    assert group.repeat is None
    assert group.until == (Cutoff("voltage", 4.5), Cutoff("lithium fraction", 0.3))
    counted = parse_item("gitt: discharge at C/20 for 10 min, rest for 1 h, 20 times")
    assert (counted.repeat, counted.until) == (20, ())
    assert counted.plain == "gitt: discharge at C/20 for 10 min, rest for 1 h, 20 times"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gitt: charge at C/20 for 10 min, rest for 1 h", "is not a titration"),
        ("gitt charge at C/20 for 10 min, until 4.5 V", "is not a titration"),
        ("gitt: until 4.5 V", "is not a titration"),
        ("gitt: charge at C/20, rest for 1 h, until 4.5 V", "has no end"),
        ("gitt: rest for 1 h, until 4.5 V", "rests alone"),
        ("gitt: charge at C/20 for 10 min, rest for 1 h, until 2 h", "repeats until a time"),
        ("gitt: charge at C/20 for 10 min, rest for 1 h, 0 times", "0 repetitions"),
        ("gitt: charge at C/20 for 1 h, discharge at C/20 for 1 h, until 4 V", "without its side"),
        ("gitt: follow drive.csv, rest for 1 h, until below 3 V", "within a titration"),
    ],
)
def test_refuses_titrations(text, says):
    with pytest.raises(StepError, match=says):
        parse_item(text)


# -- bounds -------------------------------------------------------------------------------------

OUT_OF_BOUNDS = {
    "rest for 1e300 h": "duration '1e300 h' that is out of range: from 0.001 to 1e.09 s",
    "rest for 1e-9 s": "duration '1e-9 s' that is out of range",
    "charge at C/1e308 until 4.5 V": "rate 'C/1e308' that is out of range: from 1e-06 to 10000 C",
    "charge at C/1e-400 until 4.5 V": "not above zero",
    "charge at 1e400C until 4.5 V": "rate '1e400C' that is out of range",
    "charge at 1e308 A/m^2 until 4.5 V": "out of range: from 1e-06 to 1e.06 A/m.2",
    "charge at 1e-300 W/m^2 until 4.5 V": "power '1e-300 W/m.2' that is out of range",
    "charge at C/2 until x = 1e-400": "lithium fraction 'x = 1e-400' that is not above zero",
    "charge at C/2 until x = 1e-300": "out of range: from 1e-06",
    "charge at C/2 until 1e300 h": "duration '1e300 h' that is out of range",
    "charge at C/2 until 1e300 A h/m^2": "capacity '1e300 A h/m.2' that is out of range",
    "hold at 4.5 V until C/1e308": "rate 'C/1e308' that is out of range",
    "hold at 46 V**9**9**9**9 until C/2": "which is not a voltage",
    "gitt: charge at C/2 for 1 h, 10000000000000000000000000 times": "far too many repetitions",
    "gitt: charge at C/2 for 1 h, " + "9" * 4500 + " times": "far too many repetitions",
    "charge at " + "C/2 " * 30_000 + "until 4 V": "is 120019 characters long: a step has 5000",
    "follow " + " " * 100_000 + "x": "characters long",
    "charge at " + "9" * 300 + " V until 4 V": "has a rate '9{37}[.]{3}' that is neither",
}


@pytest.mark.parametrize("text", OUT_OF_BOUNDS, ids=lambda text: text[:40])
def test_refuses_what_no_cell_could_do(text):
    with pytest.raises(StepError, match=OUT_OF_BOUNDS[text]) as refused:
        parse_item(text)
    assert len(str(refused.value)) < 200
    assert resolved(text, Path("/there")) == text or len(text) < 5000


@pytest.mark.parametrize(
    "text",
    [
        "rest for 1 ms",
        "rest for 1e9 s",
        "charge at C/1000000 until 4.5 V",
        "charge at 10000C until 4.5 V",
        "hold at 4.5 V until C/100000",
        "charge at 1e6 A/m^2 until x = 1e-6",
        "gitt: charge at C/2 for 1 h, 100000 times",
    ],
)
def test_takes_what_lies_within_the_bounds(text):
    parse_item(text)
