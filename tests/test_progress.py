"""The progress of a run: a panel in place on a terminal, seldom in a log, silent when told so."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from heterode.progress import Course, Display, progress_line, simulated_time, wall_time
from heterode.progress.panel import sparkline
from heterode.protocol import Group, parse_item, parse_steps
from heterode.results import Sample

SAMPLE = Sample(
    time_s=12672.0,
    voltage_V=3.84213,
    current_A_m2=1.0,
    capacity_Ah_m2=3.5,
    lithium_fraction_mean=0.61318,
    lithium_fraction_sd=0.02,
    cycle=0,
    step=0,
    accepted=40,
    lithium_fraction=np.zeros(3),
    surface_lithium_fraction=np.zeros(3),
    particle_current_A_m2=np.zeros(3),
)


@pytest.fixture(autouse=True)
def a_terminal_that_can_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite's own environment has a terminal that cannot."""
    monkeypatch.setenv("TERM", "xterm")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def last_panel(stream: io.StringIO) -> str:
    return stream.getvalue()[stream.getvalue().rindex("╭") :]


def drive(stream: io.StringIO, updates: int, seconds: float, quiet: bool = False) -> str:
    """A run of `updates` equal steps, `seconds` of wall time each."""
    clock = Clock()
    progress = Display(stream, quiet=quiet, clock=clock)
    for i in range(updates + 1):
        progress.update(SAMPLE, 312.0, i / updates)
        clock.now += seconds
    progress.close()
    return stream.getvalue()


def test_the_line_says_everything() -> None:
    line = progress_line(SAMPLE, 312.0, 0.42, 70.0)
    assert line == " 42 %  t = 3.52 h  V = 3.8421 V  x = 0.6132  step 312 s  left 1 min 10 s"
    assert progress_line(SAMPLE, 312.0, None, None).startswith("t = 3.52 h")


def screen_after(text: str) -> list[str]:
    """What a terminal shows after some text: lines, with cursor up, erase and carriage return."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif part.startswith("\x1b"):
            if part.endswith("A"):
                row = max(row - int(part[2:-1] or 1), 0)
            elif part.endswith("K"):
                lines[row] = ""
        else:
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return lines


def test_a_terminal_keeps_to_one_panel() -> None:
    text = drive(Terminal(), 50, 1.0)
    screen = [line for line in screen_after(text) if line]
    assert len(screen) == 6
    assert screen[0].startswith("╭")
    assert screen[-1].startswith("╰")
    assert "100 %" in screen[1]
    assert "3.8421 V" in screen[2]
    assert "0.0200" in screen[3]
    assert "mean x 0.6132" in screen[4]
    # The cursor is back.
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_a_terminal_is_not_flooded() -> None:
    # 2,000 steps in 2 s at ten pictures a second.
    assert drive(Terminal(), 2000, 1e-3).count("╭") <= 24


def test_a_panel_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    pictures = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", drive(Terminal(), 3, 1.0))
    assert max(len(line) for line in re.split(r"[\r\n]", pictures)) == 40


def test_what_is_said_stands_above_the_panel() -> None:
    stream, clock = Terminal(), Clock()
    progress = Display(stream, clock=clock, title="My run")
    progress.update(SAMPLE, 312.0, 0.1)
    clock.now += 1.0
    progress.say("'charge at C/2' met its voltage [4.5 V]")
    progress.update(SAMPLE, 312.0, 0.9)
    progress.close()
    screen = [line for line in screen_after(stream.getvalue()) if line]
    assert screen[0] == "heterode: 'charge at C/2' met its voltage [4.5 V]"
    assert "My run" in screen[1]
    assert len(screen) == 7
    assert " 90 %" in screen[2]


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    text = drive(Terminal(), 100, 1.2)
    assert "\x1b" not in text
    assert len(text.splitlines()) == 11


def test_a_course_runs_from_low_to_high() -> None:
    assert sparkline([1.0, 2.0, 3.0], 10) == "▁▅█"
    assert sparkline([5.0] * 4, 3) == "▁▁▁"
    assert sparkline(list(range(1000)), 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([1.0], 8, "") == ""


def test_a_log_gets_a_line_per_tenth() -> None:
    text = drive(io.StringIO(), 100, 1.2)
    assert "\r" not in text
    assert "\x1b" not in text
    shares = [int(line.split("%")[0]) for line in text.splitlines()]
    assert shares == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 100]


def test_a_quick_run_leaves_a_short_log() -> None:
    assert len(drive(io.StringIO(), 100, 0.01).splitlines()) <= 2


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()])
def test_quiet_is_silent(stream: io.StringIO) -> None:
    assert drive(stream, 100, 1.0, quiet=True) == ""


def test_remaining_time_follows_a_steady_pace() -> None:
    clock, stream = Clock(), Terminal()
    progress = Display(stream, clock=clock)
    for i in range(51):
        progress.update(SAMPLE, 1.0, i / 100)
        clock.now += 2.0
    assert "left 1 min 40 s" in last_panel(stream)


def test_remaining_time_forgets_a_slow_start() -> None:
    clock, stream = Clock(), Terminal()
    progress = Display(stream, clock=clock)
    # The first hundredth takes a minute, each later one a second.
    for i in range(51):
        progress.update(SAMPLE, 1.0, i / 100)
        clock.now += 60.0 if i == 0 else 1.0
    assert "left 50 s" in last_panel(stream)


def test_the_hint_stands_in_for_the_fraction() -> None:
    stream = Terminal()
    Display(stream, 2 * SAMPLE.time_s, clock=Clock()).update(SAMPLE, 1.0)
    assert " 50 %" in stream.getvalue()
    stream = Terminal()
    Display(stream, clock=Clock()).update(replace(SAMPLE, time_s=0.0), 1.0)
    assert "%" not in stream.getvalue()
    assert "left" not in stream.getvalue()


def test_a_closed_stream_does_not_stop_the_run() -> None:
    stream = Terminal()
    progress = Display(stream, clock=Clock())
    stream.close()
    progress.update(SAMPLE, 1.0, 0.5)
    progress.close()


def test_nothing_to_say_prints_nothing() -> None:
    stream = Terminal()
    Display(stream, clock=Clock()).close()
    assert stream.getvalue() == ""


def test_times_read_naturally() -> None:
    assert [simulated_time(s) for s in (0.25, 312.4, 999.7, 144_000)] == [
        "0.25 s",
        "312 s",
        "0.278 h",
        "40 h",
    ]
    assert [wall_time(s) for s in (0.4, 59.6, 70, 11_100)] == [
        "0 s",
        "1 min 00 s",
        "1 min 10 s",
        "3 h 05 min",
    ]


class TestCourse:
    """Share of a protocol that is done."""

    STEPS = parse_steps(["charge at C/10 until 4.5 V", "rest for 1 h"])

    def at(self, step, mean, of_duration=None, course=None):
        course = course or Course(self.STEPS, lambda voltage: 0.0 * voltage + 0.25)
        sample = replace(SAMPLE, step=step, lithium_fraction_mean=mean)
        return course, course.fraction_done(sample, of_duration)

    def test_follows_the_lithium_fraction_to_a_voltage(self):
        course, begin = self.at(0, 0.85)
        _, middle = self.at(0, 0.55, course=course)
        _, end = self.at(0, 0.2, course=course)
        assert (begin, middle, end) == (0.0, pytest.approx(0.25), 0.5)

    def test_follows_the_duration_of_a_rest(self):
        assert self.at(1, 0.2, of_duration=0.5)[1] == 0.75

    def test_repeats_count_as_often_as_they_run(self):
        protocol = Group((*self.STEPS, Group(self.STEPS, 2)), 2)
        course = Course(protocol, lambda voltage: 0.0 * voltage + 0.25)
        sample = replace(SAMPLE, step=9)
        for place, done in [
            (((0, 0),), 0.5),
            (((1, 0),), 1.5),
            (((2, 0), (0, 0)), 2.5),
            (((2, 0), (1, 1)), 5.5),
            (((2, 1), (1, 1)), 11.5),
        ]:
            assert course.fraction_done(sample, 0.5, place) == pytest.approx(done / 12)

    def test_a_titration_counts_its_way_as_a_whole(self):
        gitt = parse_item("gitt: charge at C/20 for 10 min, rest for 1 h, until 4.5 V")
        course = Course([*self.STEPS, gitt], lambda voltage: 0.0 * voltage + 0.25)
        places = [((2, 0), (0, 0)), ((2, 0), (1, 7)), ((2, 0), (0, 30))]
        found = []
        for number, (place, mean) in enumerate(zip(places, (0.85, 0.55, 0.25), strict=True)):
            sample = replace(SAMPLE, step=number, lithium_fraction_mean=mean)
            found.append(course.fraction_done(sample, 0.9, place))
            # What a resumed run is told of its course.
            course.recall(json.loads(json.dumps(course.memory)))
        assert found == pytest.approx([2 / 3, 5 / 6, 1.0])

    def test_is_unknown_where_nothing_tells(self):
        assert self.at(1, 0.2)[1] is None
