"""Mistakes in [protocol]: one line that names file, key, value, what is allowed and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.refusals import line, message, write
from heterode.forecast.regimes import fastest_current
from heterode.parameters import load_parameters
from heterode.protocol import Group, Step
from heterode.runs.description import describe, describe_protocol, describe_tables

GOOD = "time_s,current_A_m2\n0,0\n10,5\n20,-5\n"

TABLES = {
    "a word": (GOOD.replace("10,5", "10,fast"), ["line 3", "current_A_m2 = fast is not a number"]),
    "nothing": (GOOD.replace("10,5", "10,"), ["line 3", "current_A_m2 is empty"]),
    "not finite": (GOOD.replace("10,5", "10,nan"), ["line 3", "not finite", "current_A_m2 = nan"]),
    "time back": (GOOD.replace("20,", "9,"), ["line 4", "time_s = 9", "at least 10.001"]),
    "time twice": (GOOD.replace("20,", "10,"), ["line 4", "time_s = 10", "'follow FILE stepwise'"]),
    "time twice, stepwise": (
        GOOD.replace("20,", "10,"),
        ["line 4", "time_s = 10", "Keep one of the two rows"],
    ),
    "late begin": (GOOD.replace("0,0", "1,0", 1), ["line 2", "time_s = 1", "0 in the first row"]),
    "too much": (GOOD.replace("10,5", "10,2e6"), ["line 3", "current_A_m2 = 2e+06", "1e+06 A/m^2"]),
    "far too much": (GOOD.replace("10,5", "10,1e308"), ["line 3", "1e+308", "1e+06 A/m^2"]),
    "next to nothing": (
        "time_s,current_A_m2\n0,1e-300\n10,1e-320\n",
        ["line 2", "current_A_m2 = 1e-300 is the largest", "1e-06 A/m^2 or more"],
    ),
    "a late end": (GOOD.replace("20,", "1e308,"), ["line 4", "time_s = 1e+308", "up to 1e9"]),
    "rows too near": (GOOD.replace("10,", "1e-300,"), ["line 3", "1e-300", "at least 0.001"]),
    "one row": ("time_s,current_A_m2\n0,0\n", ["line 2", "the only row", "two rows or more"]),
    "no rows": ("time_s,current_A_m2\n", ["has no rows"]),
    "amperes": (
        GOOD.replace("current_A_m2", "current_A"),
        ["columns time_s, current_A, separated"],
    ),
    "PyBaMM": (
        GOOD.replace("time_s,current_A_m2", "Time [s],Current [A]"),
        ["columns Time [s], Current [A]", "write 'follow drive.csv with area 0.1 m^2'", "PyBaMM"],
    ),
    "density, with area": (GOOD, ["Time [s] is missing", "leave out 'with area'"]),
    "other columns, with area": (
        GOOD.replace("time_s,current_A_m2", "Time [s],I"),
        ["Current [A] is missing", "positive on discharge", "Rename"],
    ),
    "a word, with area": (
        GOOD.replace("time_s,current_A_m2", "Time [s],Current [A]").replace("10,5", "10,x"),
        ["line 3", "Current [A] = x is not a number"],
    ),
    "late begin, with area": (
        "Time [s],Current [A]\n1,0\n2,0\n",
        ["line 2", "Time [s] = 1", "0 in the first row"],
    ),
    "too much, with area": (
        "Time [s],Current [A]\n0,0\n2,1e308\n",
        ["line 3", "Current / area = -inf", "1e+06 A/m^2", "Correct the table, or the area"],
    ),
    "PyBaMM's density": (
        GOOD.replace("time_s,current_A_m2", "Time [s],Current density [A.m-2]"),
        ["Current density [A.m-2]", "Rename the columns, and change the sign"],
    ),
    "commented": ("# drive\n" + GOOD.replace("10,5", "10,x"), ["line 4", "current_A_m2 = x"]),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_bad_table_is_named_with_row_and_value(name: str, tmp_path: Path) -> None:
    content, fragments = TABLES[name]
    how = " stepwise" if "stepwise" in name else ""
    how += " with area 1e-3 m^2" if "with area" in name else ""
    file = write(tmp_path, (line("steps"), f'steps = ["rest for 1 min", "follow drive.csv{how}"]'))
    (tmp_path / "drive.csv").write_text(content)
    text = message(file)
    assert text.startswith(f"{file}: protocol.steps[1] = ")
    assert "names drive.csv, which " in text
    for fragment in fragments:
        assert fragment in text
    assert "\n" not in text


WRONG_AREAS = {
    "0 m^2": "that is not above zero: from 1e-08 to 10000 m^2",
    "-0.1 m^2": "that is not above zero",
    "1e308 m^2": "that is out of range",
    "1e-300 m^2": "that is out of range",
    "1e999 m^2": "that is not finite",
    "0.1 m": "is a length, not an area",
    "0.1": "has no unit",
    "nan m^2": "does not begin with a finite number",
    "0.1 m^2 with area 0.2 m^2": "an area '0.1 m^2 with area 0.2 m^2'",
}


@pytest.mark.parametrize("area", WRONG_AREAS)
def test_a_wrong_area_is_one_line(area: str, tmp_path: Path) -> None:
    steps = f'steps = ["follow drive.csv with area {area} until below 2.8 V"]'
    (tmp_path / "drive.csv").write_text("Time [s],Current [A]\n0,0\n10,1\n")
    text = message(write(tmp_path, (line("steps"), steps)))
    assert f"has an area '{area}' " in text
    assert WRONG_AREAS[area] in text
    assert "\n" not in text


def test_a_cell_s_current_is_said_with_sign_and_area(tmp_path: Path) -> None:
    """As in PyBaMM's own files: letters of any case, columns in any order, another before them."""
    file = write(tmp_path, (line("steps"), 'steps = ["follow d.csv with area 50 cm^2 stepwise"]'))
    (tmp_path / "d.csv").write_text("# a drive cycle,\nn,current [A],time [s]\n0,0,0\n1,2,60\n")
    parameters = load_parameters(file)
    (step,) = parameters.protocol.steps
    assert isinstance(step, Step)
    assert step.text == "follow d.csv with area 50 cm^2 stepwise"
    assert step.table is not None
    assert (step.table.times, step.table.currents) == ((0.0, 60.0), (0.0, -400.0))
    assert step.table.stepwise
    (told,) = describe_protocol(parameters)
    assert "up to 400 A/m^2; Current [A], positive on discharge, divided by -0.005 m^2" in told
    (logged,) = describe_tables(parameters)
    assert "positive on discharge, divided by -0.005 m^2; up to 400 A/m^2" in logged
    # Another area is another table: a run does not go on with it.
    step_of_60 = f"follow {tmp_path / 'd.csv'} with area 60 cm^2 stepwise"
    other = load_parameters(file, (f'protocol.steps=["{step_of_60}"]',))
    assert list(other.protocol.digests.values()) != list(parameters.protocol.digests.values())


def test_a_good_table_is_found_beside_the_file(tmp_path: Path) -> None:
    """The negative control, and that the path is relative to the parameter file, in groups too."""
    steps = 'steps = ["follow drive.csv", { repeat = 2, steps = ["follow drive.csv stepwise"] }]'
    file = write(tmp_path, (line("steps"), steps))
    (tmp_path / "drive.csv").write_text(GOOD)
    single, group = load_parameters(file).protocol.steps
    assert isinstance(group, Group)
    assert single.table.times == (0.0, 10.0, 20.0)
    assert single.table.currents == (0.0, 5.0, -5.0)
    assert (single.table.stepwise, group.steps[0].table.stepwise) == (False, True)
    assert load_parameters(file).to_si_dict()["protocol"]["steps"] == [
        "follow drive.csv",
        {"repeat": 2, "steps": ["follow drive.csv stepwise"]},
    ]


def steps(text: str) -> tuple[str, str]:
    return line("steps"), f"steps = [{text}]"


MISTAKES = {
    "no such table": (
        [steps('"follow nothing.csv"')],
        ["protocol.steps[0]", "names nothing.csv, which does not exist", "Correct the path"],
    ),
    "a table without its cut-off's side": (
        [steps('"follow drive.csv until 2.8 V"')],
        ["without its side", "'below'"],
    ),
    "group without steps": (
        [steps("{ repeat = 3 }")],
        ["protocol.steps[0]", "has the keys repeat"],
    ),
    "group that repeats never": (
        [steps('{ steps = ["rest for 1 h"] }')],
        ["has the keys steps", "one of repeat and until"],
    ),
    "group with both": (
        [steps('{ steps = ["rest for 1 h"], repeat = 2, until = "4 V" }')],
        ["has the keys steps, repeat, until"],
    ),
    "group zero times": (
        [steps('{ repeat = 0, steps = ["rest for 1 h"] }')],
        ["protocol.steps[0].repeat = 0", "asks for 0 repetitions"],
    ),
    "group half a time": (
        [steps('{ repeat = 1.5, steps = ["rest for 1 h"] }')],
        ["protocol.steps[0].repeat = 1.5", "not a whole number"],
    ),
    "group until a time": (
        [steps('{ until = "2 h", steps = ["charge at C/2 for 1 h"] }')],
        ['protocol.steps[0].until = "2 h"', "repeats until a time"],
    ),
    "bad step within groups": (
        [steps('{ repeat = 2, steps = ["rest for 1 h", { repeat = 2, steps = ["rest"] }] }')],
        ['protocol.steps[0].steps[1].steps[0] = "rest"', "has no end"],
    ),
    "a first step within groups that cannot begin": (
        [steps('{ repeat = 2, steps = ["charge at C/2 until 3.2 V"] }')],
        ["protocol.steps[0].steps[0]", "would end at once", "3.534 V already"],
    ),
    "groups too deep": (
        [steps("{ repeat = 2, steps = [" * 11 + '"rest for 1 h"' + "] }" * 11)],
        ["lies in more than 10 groups", "10 deep"],
    ),
    "repeats of repeats": (
        [steps("{ repeat = 100000, steps = [" * 5 + '"rest for 1 s"' + "] }" * 5)],
        ["protocol.steps = ", "comes to more than 1e15 steps", "up to 1 000 000"],
    ),
    "a list repeated too often": (
        [(line("steps"), "repeat = 100000\nsteps = [" + '"rest for 1 s", ' * 11 + "]")],
        ["comes to 1 100 000 steps", "Repeat less often"],
    ),
    "a number of repetitions with 4000 digits": (
        [steps("{ repeat = " + "9" * 4000 + ', steps = ["rest for 1 s"] }')],
        ["asks for far too many repetitions", "1 to 100 000"],
    ),
    "a text of 200 kB": (
        [steps('"charge ' + "at C/2 " * 30_000 + 'until 4 V"')],
        ["is 210016 characters long", "5000 at most"],
    ),
    "charge to more lithium": (
        [steps('"charge at C/2 until x = 0.99"')],
        ["protocol.steps[0]", "would end at once", "0.985", "x below 0.985"],
    ),
    "titration beyond the curve": (
        [steps('"gitt: charge at C/20 for 10 min, rest for 1 h, until 4.9 V"')],
        ["protocol.steps[0]", "4.9 V", "outside the range of the open-circuit curve"],
    ),
    "repeat zero": (
        [(line("steps"), 'repeat = 0\nsteps = ["rest for 1 h"]')],
        ["protocol.repeat = 0"],
    ),
    "stop without unit": (
        [(line("steps"), 'stops = [4.2]\nsteps = ["rest for 1 h"]')],
        ["protocol.stops[0] = 4.2", "has no unit", "4.2 V"],
    ),
    "stop out of range": (
        [(line("steps"), 'stops = ["4.0 V", "5 V"]\nsteps = ["rest for 1 h"]')],
        ['protocol.stops[1] = "5 V"', "outside the range", "2.8"],
    ),
    "stop twice": (
        [(line("steps"), 'stops = ["4.0 V", "4000 mV"]\nsteps = ["rest for 1 h"]')],
        ["protocol.stops", "names a voltage twice"],
    ),
    "stops a text": (
        [(line("steps"), 'stops = "4.0 V"\nsteps = ["rest for 1 h"]')],
        ['protocol.stops = "4.0 V"', "not a list of voltages"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_in_a_protocol(name: str, tmp_path: Path) -> None:
    edits, fragments = MISTAKES[name]
    file = write(tmp_path, *edits)
    (tmp_path / "drive.csv").write_text(GOOD)
    text = message(file)
    assert text.startswith(f"{file}: ")
    for fragment in fragments:
        assert fragment in text


def test_the_same_without_a_mistake_loads(tmp_path: Path) -> None:
    """The negative control of all the above."""
    edit = (
        'stops = ["4.0 V", "4.2 V"]\nrepeat = 2\nsteps = ["charge at C/2 until x = 0.5", '
        '{ repeat = 2, steps = ["rest for 1 h", { repeat = 2, steps = ["rest for 1 h"] }] }, '
        '"gitt: charge at C/20 for 10 min, rest for 1 h, until 4.5 V", '
        '{ until = "below 3 V", steps = ["discharge at C/2 for 1 h", "charge at C/9 for 1 h"] }]'
    )
    # Ends that a later step may meet where it begins are the run's concern.
    slower = '["charge at C/2 until 4.2 V", "charge at C/20 until 4.2 V"]'
    for legal in (slower, f"[{{ repeat = 2, steps = {slower} }}]", '["hold at 3.9 V until C/9"]'):
        load_parameters(write(tmp_path, (line("steps"), f"steps = {legal}")))
    protocol = load_parameters(write(tmp_path, (line("steps"), edit))).protocol
    assert (len(protocol.steps), protocol.repeat, protocol.stops) == (4, 2, (4.0, 4.2))


def test_check_lists_the_steps_with_what_they_come_to(tmp_path: Path) -> None:
    edit = (
        'stops = ["4.0 V"]\nrepeat = 2\nsteps = ["charge at C/2 until x = 0.5", '
        '"discharge at 40 W/m^2 until 3.5 V", "follow drive.csv", '
        '{ repeat = 3, steps = ["rest for 1 h"] }]'
    )
    (tmp_path / "drive.csv").write_text(GOOD)
    parameters = load_parameters(write(tmp_path, (line("steps"), edit)))
    lines = describe_protocol(parameters)
    # 1C is 21.15 A/m^2; the open-circuit curve is 3.9 V in the mean.
    assert lines[0] == "  charge at C/2 until x = 0.5  (10.58 A/m^2, 0.5C)"
    assert lines[1].startswith("  discharge at 40 W/m^2 until 3.5 V  (about 10.")
    assert lines[2] == "  follow drive.csv  (3 rows, linear between rows, 20 s, up to 5 A/m^2)"
    assert lines[3:5] == ["  repeated 3 times:", "    rest for 1 h"]
    assert lines[5] == "  all of it 2 times, each a cycle"
    assert lines[6] == "  stops at 4 V: a table of the particles each in stops/"
    assert "Protocol" in describe(parameters)
    assert fastest_current(parameters) == pytest.approx(21.15 / 2, rel=1e-3)
    halved = load_parameters(write(tmp_path, (line("steps"), edit.replace("C/2", "C/9"))))
    assert fastest_current(halved) == pytest.approx(40 / 3.9, rel=0.03)
