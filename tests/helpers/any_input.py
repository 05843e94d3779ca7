"""Inputs of every kind for the property-based tests, and what must hold whatever comes of them."""

from __future__ import annotations

import argparse
import datetime
import functools
import math
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from heterode.base.errors import LONGEST_LINE, InputError, MistakesError
from heterode.cli import main

MORE = int(os.environ.get("HETERODE_THOROUGH") or 1)
"""So many times as many examples as usual, and new ones in every call: HETERODE_THOROUGH=50."""


def examples(count: int) -> Callable[[Any], Any]:
    """As many examples, always the same ones; more, and new ones, if asked."""
    return settings(
        max_examples=MORE * count,
        derandomize=MORE == 1,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


# -- values ------------------------------------------------------------------------------------

UNITS = ("", "um", "m", "s", "h", "mol/m^3", "m^2/s", "V", "K", "degC", "A/m^2", "mA/cm^2", "S/m")
UNITS += (
    "um**9**9",
    "um^-9999999",
    "m^1e308",
    "(" * 50 + "m" + ")" * 50,
    "m/",
    "*",
    "µm",
    "k" * 300,
)

EXTREMES = (
    "0", "-0", "1", "-1", "2", "0.5", "1e-5", "5e-324", "1e-300", "1e-12", "1e-9", "1e12", "1e300",
    "1e308", "-1e308", "1.7976931348623157e308", "1e309", "1e400", "1e-400", "inf", "-inf", "nan",
    "9" * 5000, "0." + "0" * 400 + "1", "1_000", "0x10", "1e", "٣", "１", "1,5", "1e5e5", "",
    " ", "+",
)  # fmt: skip

PATHS = (
    "/dev/zero", "/dev/null", "/dev/full", "/dev/stdin", ".", "/", "..", "/proc/self/mem", "none",
    "pipe", "plain", "loop", "folder", "plain/below", "n" * 300, "a/" * 2500 + "b", "nu\0ll", "~",
    "new\nline.csv", "\x1b[31mred", "sur\udc80rogate", "\u202egnp.exe", "", " ", "-", "*", "bytes",
    "empty",
)  # fmt: skip

TEXTS = (
    "none", "table", "weibull", "lognormal", "C/2", "C/0", "x=0.5", "4.2 V", "end", "start", "{}",
    "[]", "a = b", "'", '"', "\\", "\0", "\n", "two\nlines", "\x1b]0;title\x07", "\u2028", "\ud800",
    "𝟙", "ÄÖÜ€", "%s%n", "{0}", "$(id)", "x" * 100_000, "a." * 50_000, "(" * 10_000, "[" * 10_000,
    "1" * 10_000, " " * 100_000 + "x", "-" * 5000, "1e1e1e", "46 um" + " " * 50_000 + "um",
)  # fmt: skip

wild_texts = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(PATHS),
    st.text(max_size=20),
    st.text(st.sampled_from("0123456789.eE+-*/^()[]{}=,;:'\" umVKAsC\n\t#"), max_size=24),
)
"""Texts that nobody would call an input."""

quantities = st.builds(
    "{}{}{}".format,
    st.one_of(st.sampled_from(EXTREMES), st.floats().map(repr), st.integers().map(str)),
    st.sampled_from(("", " ", "  ", "\t")),
    st.sampled_from(UNITS),
)
"""Numbers from the edge of what can be written, with units and without."""

any_text = st.one_of(wild_texts, quantities)

scalars = st.one_of(
    st.sampled_from((0, 1, -1, 2, 3, 10**6, 2**31, 2**63, 2**64, 10**30, True, False)),
    st.builds(lambda: 16**4999),  # more digits than Python writes
    st.sampled_from((0.0, 5e-324, 1e-300, 1e-5, 0.5, 1.0, 1e300, 1e308, -1e308)),
    st.floats(),
    st.integers(),
    any_text,
    st.sampled_from((datetime.date(1, 1, 1), datetime.time(0), datetime.datetime(9999, 12, 31))),
)

toml_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(st.sampled_from(("distribution", "file", "a")), any_text), inner, max_size=3
        ),
    ),
    max_leaves=6,
)
"""Whatever a TOML file can hold."""


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:#x}" if value > 10**30 else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{toml(str(k))} = {toml(v)}' for k, v in value.items())}}}"
    if isinstance(value, str):
        return '"' + "".join(_escaped(c) for c in value) + '"'
    return str(value.isoformat())


def _escaped(character: str) -> str:
    if character in '"\\' or ord(character) < 32 or ord(character) == 127:
        return f"\\u{ord(character):04X}"
    return "?" if "\ud800" <= character <= "\udfff" else character


# -- what must hold -----------------------------------------------------------------------------

CPU_S, WALL_S = 60.0, 600.0
"""An example may take so long. Nearly all take milliseconds; a machine under load is a
hundred times slower, and what hangs does so for ever."""


class HangError(BaseException):
    """An example that does not end."""


@contextmanager
def ends_soon() -> Iterator[None]:
    """Raise a HangError when what is done inside does not end; processor time is what counts."""

    def hangs(number: int, frame: FrameType | None) -> None:
        raise HangError(f"no end after {CPU_S:g} s of processor time or {WALL_S:g} s")

    timers = ((signal.ITIMER_VIRTUAL, signal.SIGVTALRM, CPU_S),)
    timers += ((signal.ITIMER_REAL, signal.SIGALRM, WALL_S),)
    before = [signal.signal(number, hangs) for _, number, _ in timers]
    for timer, _, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for (timer, number, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0.0)
            signal.signal(number, handler)


def check_line(line: str, longest: int = LONGEST_LINE) -> None:
    """One printable line of bounded length that is no fault of the program."""
    assert line.isprintable(), ascii(line[:200])
    assert 0 < len(line) <= longest, f"{len(line)} characters"
    for jargon in ("a fault of the program", "Traceback", "pydantic", "validation error", "errno"):
        assert jargon not in line, line


def returns_or_refuses(action: Callable[[], Any]) -> Any:
    """The action's result, or None where it raises an InputError of one line."""
    with ends_soon():
        try:
            return action()
        except InputError as error:
            check_line(str(error), type(error).longest)
            return None


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def heterode_here(arguments: Sequence[str]) -> Ended:
    """`heterode ARGUMENTS` in this process: ends well, or with one line and code 2 (3: the PyBaMM,
    the disk or the memory that it needs is not there)."""
    out, err = StringIO(), StringIO()
    with ends_soon(), redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(list(arguments))
        except SystemExit as left:  # --help
            code = int(left.code or 0)
    said = err.getvalue()
    assert code in (0, 2), f"code {code}: {said[-2000:]}"
    if code == 2:
        assert said.endswith("\n"), said
        lines = said[:-1].split("\n")
        assert len(lines) == 1, said[-2000:]
        assert lines[0].startswith("heterode: error: "), said
        # Of an input file all mistakes are named.
        check_line(lines[0], 40 + (MistakesError if ".toml" in said else InputError).longest)
    return Ended(code, out.getvalue(), said)


@functools.cache
def schema_keys() -> tuple[str, ...]:
    """Every key of the parameter file, and of its sections."""
    from heterode.parameters.model import Parameters
    from heterode.parameters.walking import all_keys

    return tuple(".".join(key) for key in all_keys(Parameters))


@functools.cache
def edges() -> dict[str, tuple[str, ...]]:
    """Key -> values at the edges of its range, as TOML: each of them is allowed, or nearly."""
    from heterode.parameters.walking import physical_of

    found = {}
    for key in schema_keys():
        physical = physical_of(key)
        if physical is None:
            continue
        bounds = (physical.above, physical.at_least, physical.below, physical.up_to)
        numbers = {bound for bound in bounds if bound is not None} | {5e-324, 1e-300, 1e-9, 1.0}
        close = {f(n) for n in numbers for f in (_up, _down)}
        unit = physical.display_unit
        texts = sorted({repr(number) for number in numbers | close | {1e300}})
        found[key] = tuple(f'"{text} {unit}"' if unit else text for text in texts)
    return found


def _up(number: float) -> float:
    return math.nextafter(number, math.inf)


def _down(number: float) -> float:
    return math.nextafter(number, -math.inf)


# -- commands -----------------------------------------------------------------------------------


@functools.cache
def options_of(name: str) -> tuple[tuple[str, int], ...]:
    """(flag, number of values) of every option of a command that takes values."""
    from heterode.cli.main import command_parser

    parser = command_parser()
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    found = []
    for action in commands.choices[name]._actions:
        if action.option_strings and action.nargs != 0:
            count = action.nargs if isinstance(action.nargs, int) else 1
            found.append((action.option_strings[-1], count))
    return tuple(found)


def odd_options(name: str, without: Sequence[str] = ()) -> st.SearchStrategy[list[str]]:
    """Some options of a command with odd values."""
    lists = st.lists(any_text, min_size=2, max_size=6).map(",".join)
    value = st.one_of(st.sampled_from(EXTREMES), any_text, quantities, lists, near_values)
    pairs = [
        st.lists(value, min_size=count, max_size=count).map(lambda v, f=flag: _words(f, v))
        for flag, count in options_of(name)
        if flag not in without
    ]
    return st.lists(st.one_of(pairs), min_size=1, max_size=2).map(
        lambda w: [x for p in w for x in p]
    )


near_values = st.sampled_from(
    ("1e-9", "1e-12", "1e-5", "1e-3", "0.1", "0.5", "1.5", "10", "1000", "1e5", "1e-9um",
     "1e-12 um", "0.1um", "1 nm", "0.1m", "0.99m", "1m", "0,1e308", "0,inf", "-1e308,1e308",
     "0,5e-324", "1,2",
     "0,1e-300", "0,1,0,1", "0,1e308,0,1e308", "0,100,0,1e-300", "1e-300,1", "0,0,0", "1e308,0,0",
     "z=10um", "y=1e308um", "z=1e-300", "x=0.5", "1e300 h", "1e-300 V", "0,0.5", "0.5,1e-300")
)  # fmt: skip


def _words(flag: str, values: list[str]) -> list[str]:
    # An empty list of values never occurs; a value that begins with - is given behind =.
    return [f"{flag}={values[0]}"] if len(values) == 1 else [flag, *values]
