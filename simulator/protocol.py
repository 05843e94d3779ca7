"""The protocol's language: steps as text to frozen records. Marching them is the solver's work.

    charge at C/20 until 4.5 V            charge at 0.5 A/m^2 until 4.5 V or 10 h
    discharge at C/2 until 2.8 V          hold at 4.5 V until C/100
    hold at 4.5 V for 2 h                 rest for 1 h

A C-rate counts the capacity of the active material between the ends of the voltage window; a
current density is per collector area. Current is positive on charge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from simulator.units import UnitError, quantity

Kind = Literal["charge", "discharge", "hold", "rest"]
Quantity = Literal["voltage", "current", "time"]

FORMS = (
    "'charge at C/20 until 4.5 V', 'discharge at 0.5 A/m^2 until 2.8 V or 10 h', "
    "'hold at 4.5 V until C/100', 'hold at 4.5 V for 2 h', 'rest for 1 h'"
)
"""Examples of every form, for messages."""

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_STEP = re.compile(
    r"(?P<kind>[a-z]+)(?:\s+at\s+(?P<level>.+?))?(?:\s+(?P<link>until|for)\s+(?P<ends>.+))?\s*\Z"
)
_RATE_OVER = re.compile(rf"C\s*/\s*({_NUMBER})\Z")
_RATE_TIMES = re.compile(rf"({_NUMBER})\s*C\Z")


class StepError(ValueError):
    """A step that cannot be read; the message reads on after the step's text."""


@dataclass(frozen=True)
class Rate:
    """A current: in units of C (1/h of the capacity) or as A m^-2 of collector area; positive."""

    value: float
    unit: Literal["C", "A/m^2"]

    def current_density(self, one_C: float) -> float:
        """A m^-2 of collector area, where `one_C` is the current density of 1C in A m^-2."""
        return self.value * one_C if self.unit == "C" else self.value


@dataclass(frozen=True)
class Cutoff:
    """Where a step ends: voltage in V, current as a Rate, time as the step's duration in s."""

    quantity: Quantity
    value: float | Rate


@dataclass(frozen=True)
class Step:
    """One step; it ends at the first of its cut-offs. `voltage` is set for a hold, `rate` for
    charge and discharge."""

    kind: Kind
    rate: Rate | None
    voltage: float | None
    cutoffs: tuple[Cutoff, ...]
    text: str

    def cutoff(self, quantity: Quantity) -> float | Rate | None:
        """The value of the cut-off on `quantity`, or None."""
        return next((c.value for c in self.cutoffs if c.quantity == quantity), None)


def parse_rate(text: str) -> Rate:
    """Read "C/20", "2C", "0.5 A/m^2", "0.05 mA/cm^2".

    Raises:
        StepError: neither form, or not above zero.
    """
    clean = text.strip()
    over, times = _RATE_OVER.match(clean), _RATE_TIMES.match(clean)
    if over and float(over[1]) > 0:
        return Rate(1.0 / float(over[1]), "C")
    if times and float(times[1]) > 0:
        return Rate(float(times[1]), "C")
    if over or times:
        raise StepError(f"has a rate '{clean}' that is not above zero")
    try:
        value = quantity(clean, "A/m^2")
    except UnitError as problem:
        raise StepError(
            f"has a rate '{clean}' that is neither like C/20 or 0.5C nor a current density in A/m^2"
        ) from problem
    if value <= 0:
        raise StepError(f"has a rate '{clean}' that is not above zero")
    return Rate(value, "A/m^2")


def parse_step(text: str) -> Step:
    """Read one step.

    Raises:
        StepError: not one of the forms in the module's docstring.
    """
    clean = " ".join(text.split())
    match = _STEP.match(clean)
    if match is None or match["kind"] not in ("charge", "discharge", "hold", "rest"):
        raise StepError("is not a step")
    kind: Kind = match["kind"]  # type: ignore[assignment]
    level, ends = match["level"], match["ends"]
    if kind == "rest" and level is not None:
        raise StepError("rests at a level: a rest has only a duration")
    if kind != "rest" and level is None:
        raise StepError("lacks its rate" if kind != "hold" else "lacks its voltage")
    if ends is None:
        raise StepError("has no end: add 'until ...' or 'for ...'")
    cutoffs = _cutoffs(kind, match["link"], ends)
    rate = parse_rate(level) if kind in ("charge", "discharge") else None
    voltage = _voltage(level) if kind == "hold" else None
    return Step(kind, rate, voltage, cutoffs, clean)


def parse_steps(texts: Sequence[str]) -> tuple[Step, ...]:
    """Read a list of steps; see `parse_step`."""
    return tuple(parse_step(text) for text in texts)


def _voltage(text: str) -> float:
    try:
        return quantity(text, "V")
    except UnitError as problem:
        raise StepError(f"holds at '{text}', which is not a voltage") from problem


_ALLOWED: dict[str, tuple[Quantity, ...]] = {
    "charge": ("voltage", "time"),
    "discharge": ("voltage", "time"),
    "hold": ("current", "time"),
    "rest": ("time",),
}


def _cutoffs(kind: str, link: str, text: str) -> tuple[Cutoff, ...]:
    found = tuple(_cutoff(part) for part in re.split(r"\s+or\s+", text))
    for cutoff in found:
        if cutoff.quantity not in _ALLOWED[kind]:
            allowed = " or a ".join(_ALLOWED[kind])
            raise StepError(f"ends on a {cutoff.quantity}: a {kind} ends on a {allowed}")
    if link == "for" and (len(found) > 1 or found[0].quantity != "time"):
        raise StepError(f"lasts 'for {text}', which is not a duration")
    if len({cutoff.quantity for cutoff in found}) < len(found):
        raise StepError("has two ends of the same kind")
    return found


def _cutoff(text: str) -> Cutoff:
    """Voltage, duration or current, told apart by the unit."""
    for name, unit in (("voltage", "V"), ("time", "s")):
        try:
            value = quantity(text, unit)
        except UnitError:
            continue
        if name == "time" and value <= 0:
            raise StepError(f"has a duration '{text}' that is not above zero")
        return Cutoff("voltage" if name == "voltage" else "time", value)
    try:
        return Cutoff("current", parse_rate(text))
    except StepError as problem:
        raise StepError(
            f"has an end '{text}' that is no voltage, no duration and no current"
        ) from problem
