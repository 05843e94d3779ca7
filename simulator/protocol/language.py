"""Parses the texts of a protocol, whose forms are in the package's docstring."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from heterode.base.units import UnitError, quantity
from heterode.protocol.records import (
    Cutoff,
    Group,
    Item,
    Kind,
    Quantity,
    Rate,
    Side,
    Step,
    StepError,
    each_step,
)

FORMS = (
    "'charge at C/20 until 4.5 V', 'discharge at 0.5 A/m^2 until 2.8 V or 10 h', "
    "'charge at 5 W/m^2 until 1 mAh/cm^2', 'charge at C/10 until x = 0.5', "
    "'hold at 4.5 V until C/100', 'hold at 4.5 V for 2 h', 'rest for 1 h', "
    "'follow drive.csv until below 2.8 V', 'follow us06.csv with area 0.1 m^2', "
    "'gitt: charge at C/20 for 10 min, rest for 1 h, until 4.5 V'"
)
"""Examples of every form, for messages."""

LONGEST_TEXT = 5000
"""Largest number of characters of a step, which may contain a path."""

MOST_REPETITIONS = 100_000
"""Largest number of repetitions of a group; with a minute each they would take months."""

# The least and the largest value that a step may have. Times are known to 1e-7 s after 1e9 s
# (30 years), and within 1 ms stored values change by little more than their last digits. A full
# charge takes 0.4 s at 1e4 C and a century at C/1e6; 1e6 A/m^2 would melt any cell.
_DURATION = (1e-3, 1e9, "s")
_C_RATE = (1e-6, 1e4, "C")
_CURRENT = (1e-6, 1e6, "A/m^2")
_POWER = (1e-6, 1e7, "W/m^2")
_CAPACITY = (1e-3, 1e9, "A s/m^2")
_LITHIUM = (1e-6, 1 - 1e-6, "")
# Electrode areas from a microelectrode of 0.1 mm to the electrodes of a thousand large cells.
_AREA = (1e-8, 1e4, "m^2")

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_STEP = re.compile(
    r"(?P<kind>[a-z]+)(?:\s+at\s+(?P<level>.+?))?(?:\s+(?P<link>until|for)\s+(?P<ends>.+))?\s*\Z"
)
_FOLLOW = re.compile(
    r"\s*[Ff]ollow\s+(?P<file>.+?)(?P<stepwise>\s+stepwise)?"
    r"(?:\s+with\s+area\s+(?P<area>.+?)(?P<stepwise_behind>\s+stepwise)?)?"
    r"(?:\s+until\s+(?P<ends>.+))?\s*\Z"
)
_GITT = re.compile(r"gitt\s*:\s*(?P<steps>.+?)\s*,\s*(?P<end>until\s+.+|\d+\s+times)\s*\Z")
_RATE_OVER = re.compile(rf"C\s*/\s*({_NUMBER})\Z")
_RATE_TIMES = re.compile(rf"({_NUMBER})\s*C\Z")
_HOLD = re.compile(r"hold\s+(?P<ends>(?:until|for)\s+.+)\Z")
_SIDED = re.compile(r"(above|below)\s+(.+)\Z")
_FRACTION = re.compile(rf"x\s*(=|above\s|below\s)\s*({_NUMBER})\Z")

_ALLOWED: dict[Kind, tuple[Quantity, ...]] = {
    "charge": ("voltage", "time", "capacity", "lithium fraction"),
    "discharge": ("voltage", "time", "capacity", "lithium fraction"),
    "hold": ("current", "time", "capacity", "lithium fraction"),
    "rest": ("time",),
    "follow": ("voltage", "time", "capacity", "lithium fraction"),
}

# The side on which a cut-off lies if the step only moves in one direction.
_NATURAL: dict[tuple[Kind, Quantity], Side] = {
    ("charge", "voltage"): "above",
    ("charge", "lithium fraction"): "below",
    ("discharge", "voltage"): "below",
    ("discharge", "lithium fraction"): "above",
}


class _RangeError(StepError):
    """A value of the right kind is outside its bounds."""


def parse_item(text: str, before: Item | None = None) -> Item:
    """Read one text: a step, or the pulses and rests of a titration (GITT).

    Args:
        text: the text.
        before: the preceding item of its list, if any.

    Raises:
        StepError: the text has none of the forms.
    """
    clean = _clean(text)
    if not clean.startswith("gitt"):
        return parse_step(clean, before)
    match = _GITT.match(clean)
    if match is None:
        raise StepError("is not a titration: steps, then 'until ...' or '... times', by commas")
    steps = parse_steps(re.split(r"\s*,\s*", match["steps"]))
    if any(step.kind == "follow" for step in steps):
        raise StepError("follows a table within a titration")
    end = match["end"]
    if end.startswith("until"):
        ends = end.removeprefix("until").strip()
        return Group(steps, None, group_ends(ends, steps), ends, clean)
    digits = end.split()[0].lstrip("0")
    # Python does not parse numbers of thousands of digits.
    count = int(digits or "0") if len(digits) <= 20 else 10**20
    return Group(steps, parse_repeat(count), (), "", clean)


def parse_repeat(count: int) -> int:
    """Return a number of repetitions after checking it.

    Raises:
        StepError: the number is not from 1 to 100 000.
    """
    if not 1 <= count <= MOST_REPETITIONS:
        asked = f"{count}" if abs(count) < 10**15 else "far too many"
        most = f"{MOST_REPETITIONS:,}".replace(",", " ")
        raise StepError(f"asks for {asked} repetitions: 1 to {most} are possible")
    return count


def _within(value: float, bounds: tuple[float, float, str], what: str, text: str) -> float:
    """Return a value of a step after checking its bounds.

    Args:
        value: value in the unit of `bounds`.
        bounds: least value, largest value and unit.
        what: name of the quantity with an article, for the message.
        text: the value as it was written.

    Raises:
        StepError: the value is outside the bounds.
    """
    least, largest, unit = bounds
    if not least <= value <= largest:
        problem = "that is not above zero" if value <= 0 else "that is out of range"
        allowed = f"from {least:g} to {largest:g} {unit}".strip()
        raise _RangeError(f"has {what} '{_cut(text)}' {problem}: {allowed}")
    return value


def _cut(text: str) -> str:
    """Return the beginning of a part of a step, for a message."""
    return text if len(text) <= 40 else f"{text[:37]}..."


def _clean(text: str) -> str:
    """Return a text with single spaces and a lower-case first letter or `GITT`.

    Raises:
        StepError: the text is too long for a step.
    """
    if len(text) > LONGEST_TEXT:
        raise StepError(f"is {len(text)} characters long: a step has {LONGEST_TEXT} at most")
    clean = " ".join(text.split())
    first = 4 if clean[:4].lower() == "gitt" else 1
    return clean[:first].lower() + clean[first:]


def parse_step(text: str, before: Item | None = None) -> Step:
    """Read one step.

    Args:
        text: the text.
        before: the preceding item of its list, if any.

    Raises:
        StepError: the text has none of the forms.
    """
    clean = _clean(text)
    if clean.startswith("follow "):
        return _follow(clean)
    clean = re.sub(r"^rest (?=[\d.])", "rest for ", clean)
    hold = _HOLD.match(clean)
    if hold is not None:
        clean = f"hold at {_voltage_held(before):.10g} V {hold['ends']}"
    match = _STEP.match(clean)
    if match is None or match["kind"] not in ("charge", "discharge", "hold", "rest"):
        raise StepError("is not a step")
    kind: Kind = match["kind"]  # type: ignore[assignment]
    level, ends = match["level"], match["ends"]
    if kind == "rest" and level is not None:
        raise StepError("rests at a level: a rest has only a duration")
    if kind != "rest" and level is None:
        raise StepError("lacks its rate" if kind != "hold" else "lacks its voltage and its end")
    if ends is None:
        raise StepError("has no end: add 'until ...' or 'for ...'")
    cutoffs = _cutoffs(kind, match["link"], ends)
    power = _power(level) if kind in ("charge", "discharge") else None
    rate = parse_rate(level) if kind in ("charge", "discharge") and power is None else None
    voltage = _voltage(level) if kind == "hold" else None
    return Step(kind, rate, voltage, cutoffs, clean, power)


def _voltage_held(before: Item | None) -> float:
    """Return the voltage that `hold until C/100` holds, V: that at which the step before it ends.

    Raises:
        StepError: there is no such step, or it may end in another way.
    """
    while isinstance(before, Group) and before.repeat is not None:
        before = before.steps[-1]
    if isinstance(before, Step):
        end = before.cutoff("voltage") if len(before.cutoffs) == 1 else None
        held = before.voltage if before.kind == "hold" else end
        if isinstance(held, float):
            return held
    raise StepError(
        "lacks its voltage: it can be left out only behind a step that ends at a voltage and "
        "nothing else"
    )


def parse_steps(texts: Sequence[str]) -> tuple[Step, ...]:
    """Read a list of steps; see `parse_step`."""
    found: list[Step] = []
    for text in texts:
        found.append(parse_step(text, found[-1] if found else None))
    return tuple(found)


def parse_rate(text: str) -> Rate:
    """Read "C/20", "2C", "0.5 A/m^2", "0.05 mA/cm^2".

    Raises:
        StepError: the text has another form, or the rate is not above zero.
    """
    clean = text.strip()
    over, times = _RATE_OVER.match(clean), _RATE_TIMES.match(clean)
    if over is not None:
        hours = float(over[1])
        return Rate(_within(1.0 / hours if hours > 0 else 0.0, _C_RATE, "a rate", clean), "C")
    if times is not None:
        return Rate(_within(float(times[1]), _C_RATE, "a rate", clean), "C")
    try:
        value = quantity(clean, "A/m^2")
    except UnitError as problem:
        raise StepError(
            f"has a rate '{_cut(clean)}' that is neither like C/20 or 0.5C nor a current density "
            "in A/m^2 nor a power in W/m^2"
        ) from problem
    return Rate(_within(value, _CURRENT, "a rate", clean), "A/m^2")


def _power(text: str) -> float | None:
    """Return a power in W m^-2, or None if the text is not a power."""
    try:
        value = quantity(text, "W/m^2")
    except UnitError:
        return None
    return _within(value, _POWER, "a power", text)


def _voltage(text: str) -> float:
    try:
        return quantity(text, "V")
    except UnitError as problem:
        raise StepError(f"holds at '{_cut(text)}', which is not a voltage") from problem


# Current tables ----------------------------------------------------------------------------------


def _follow(clean: str) -> Step:
    match = _FOLLOW.match(clean)
    assert match is not None
    file = Path(match["file"])
    ends = match["ends"]
    cutoffs = () if ends is None else _cutoffs("follow", "until", ends)
    if match["area"] is not None:
        _area(match["area"])
    # The content of a file is part of the protocol, but its folder is not.
    text = clean.replace(match["file"], file.name, 1)
    return Step("follow", None, None, cutoffs, text, file=file)


def is_stepwise(step: Step) -> bool:
    """Check whether the table of a `follow` holds each current up to the next row."""
    match = _FOLLOW.match(step.text)
    return match is not None and bool(match["stepwise"] or match["stepwise_behind"])


def area_of(step: Step) -> float | None:
    """Return the area, m^2, by which a `follow` divides a cell's current in A, or None."""
    match = _FOLLOW.match(step.text)
    return None if match is None or match["area"] is None else _area(match["area"])


def _area(text: str) -> float:
    try:
        value = quantity(text, "m^2")
    except UnitError as problem:
        allowed = f"from {_AREA[0]:g} to {_AREA[1]:g} m^2"
        raise StepError(f"has an area '{_cut(text)}' that {problem}: {allowed}") from problem
    return _within(value, _AREA, "an area", text)


def resolved(text: str, folder: Path) -> str:
    """Return a text with the path of its current table, if any, made relative to `folder`."""
    match = _FOLLOW.match(text) if len(text) <= LONGEST_TEXT else None
    if match is None:
        return text
    begin, end = match.span("file")
    return f"{text[:begin]}{folder / match['file']}{text[end:]}"


# Ends ----------------------------------------------------------------------------------------


def _cutoffs(kind: Kind, link: str, text: str) -> tuple[Cutoff, ...]:
    found = tuple(_cutoff(part) for part in re.split(r"\s+or\s+", text))
    for cutoff in found:
        if cutoff.quantity not in _ALLOWED[kind]:
            allowed = " or a ".join(_ALLOWED[kind])
            raise StepError(f"ends on a {cutoff.quantity}: a {kind} ends on a {allowed}")
    if link == "for" and (len(found) > 1 or found[0].quantity != "time"):
        raise StepError(f"lasts 'for {_cut(text)}', which is not a duration")
    ends = tuple(_sided(kind, cutoff) for cutoff in found)
    if len({(cutoff.quantity, cutoff.side) for cutoff in ends}) < len(ends):
        raise StepError("has two ends of the same kind")
    return ends


def _sided(kind: Kind, cutoff: Cutoff) -> Cutoff:
    """Return the cut-off with the side to watch, which is "" if the kind of step implies it."""
    if cutoff.quantity not in ("voltage", "lithium fraction"):
        if cutoff.side:
            raise StepError(
                f"ends {cutoff.side} a {cutoff.quantity}: only voltage and x have sides"
            )
        return cutoff
    natural = _NATURAL.get((kind, cutoff.quantity), "")
    if natural and cutoff.side not in ("", natural):
        raise StepError(
            f"ends {cutoff.side} a {cutoff.quantity}: a {kind} ends {natural} it, by itself"
        )
    if not natural and not cutoff.side:
        raise StepError(
            f"ends on a {cutoff.quantity} without its side: write 'below' or 'above' before a "
            "voltage, and 'x below 0.5' or 'x above 0.5'"
        )
    return Cutoff(cutoff.quantity, cutoff.value, "" if natural else cutoff.side)


def group_ends(text: str, items: Sequence[Item]) -> tuple[Cutoff, ...]:
    """Parse the cut-offs of a group that repeats until one of them is met.

    Args:
        text: the text after "until".
        items: the items of the group.

    Raises:
        StepError: a group cannot have such a cut-off, or it is ambiguous.
    """
    found = tuple(_cutoff(part) for part in re.split(r"\s+or\s+", text))
    kinds = {step.kind for step in each_step(items)}
    if kinds <= {"rest"}:
        raise StepError("repeats rests alone until something happens")
    for cutoff in found:
        if cutoff.quantity not in ("voltage", "lithium fraction"):
            raise StepError(
                f"repeats until a {cutoff.quantity}: steps repeat until a voltage or a lithium "
                "fraction, or a number of times"
            )
        if not cutoff.side and not (
            {"charge"} == kinds - {"rest", "hold"} or {"discharge"} == kinds - {"rest", "hold"}
        ):
            raise StepError(
                f"repeats until a {cutoff.quantity} without its side: where the steps do not all "
                "charge or all discharge, write 'below' or 'above' before it"
            )
    if len({(cutoff.quantity, cutoff.side) for cutoff in found}) < len(found):
        raise StepError("has two ends of the same kind")
    return found


def _cutoff(text: str) -> Cutoff:
    """Parse a cut-off, which its unit, or the x before it, identifies."""
    fraction = _FRACTION.match(text)
    if fraction is not None:
        word = fraction[1].strip()
        value = _within(float(fraction[2]), _LITHIUM, "a lithium fraction", text)
        side: Literal["", "above", "below"] = ""
        if word != "=":
            side = "above" if word == "above" else "below"
        return Cutoff("lithium fraction", value, side)
    sided = _SIDED.match(text)
    if sided is None:
        return _plain_cutoff(text)
    cutoff = _plain_cutoff(sided[2])
    return Cutoff(cutoff.quantity, cutoff.value, "above" if sided[1] == "above" else "below")


def _plain_cutoff(text: str) -> Cutoff:
    known: tuple[tuple[Quantity, str, tuple[float, float, str] | None, str], ...] = (
        ("voltage", "V", None, ""),
        ("time", "s", _DURATION, "a duration"),
        ("capacity", "A*s/m^2", _CAPACITY, "a capacity"),
    )
    for name, unit, bounds, what in known:
        try:
            value = quantity(text, unit)
        except UnitError:
            continue
        return Cutoff(name, value if bounds is None else _within(value, bounds, what, text))
    try:
        return Cutoff("current", parse_rate(text))
    except _RangeError:
        raise
    except StepError as problem:
        raise StepError(
            f"has an end '{_cut(text)}' that is no voltage, no duration and no current, nor a "
            "capacity per area or a lithium fraction like x = 0.5"
        ) from problem
