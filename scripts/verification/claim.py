"""A claim: a measurement, the range that its figures must lie in, and damages that break it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["pass", "FAIL", "not run"]
"""The verdict on a claim's figure; "not run" never counts as a pass."""


@dataclass(frozen=True)
class Figure:
    """One or more numbers that must all lie in the same range.

    Attributes:
        name: what was measured.
        values: at least one number.
        least, most: the ends of the range, which belong to it; NaN lies in no range.
        unit: unit of the values and the range, "" if they are dimensionless.
    """

    name: str
    values: tuple[float, ...]
    least: float = -math.inf
    most: float = math.inf
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether all values lie in the range."""
        return bool(self.values) and all(self.least <= v <= self.most for v in self.values)

    @property
    def caught(self) -> bool:
        """Whether a finite number lies outside the range, which a damage has to bring about."""
        return any(math.isfinite(v) and not self.least <= v <= self.most for v in self.values)

    @property
    def shown(self) -> str:
        """The value, or the smallest and largest of several."""
        low, high = min(self.values), max(self.values)
        text = number(low) if len(self.values) == 1 else f"{number(low)} to {number(high)}"
        return f"{text} {self.unit}".strip()

    @property
    def bound(self) -> str:
        """The range in words."""
        if self.least == -math.inf:
            text = f"at most {number(self.most)}"
        elif self.most == math.inf:
            text = f"at least {number(self.least)}"
        else:
            text = f"{number(self.least)} to {number(self.most)}"
        return f"{text} {self.unit}".strip()


def number(value: float) -> str:
    """Format a number with three digits: 0.0123, 1.98, 4.5e-09."""
    return f"{value:.3g}"


def at_most(name: str, value: float | Sequence[float], most: float, unit: str = "") -> Figure:
    """Return a figure of one or more values, none negative, that is bounded from above."""
    values = (value,) if isinstance(value, int | float) else tuple(value)
    return Figure(name, tuple(map(float, values)), most=most, unit=unit)


def near(name: str, values: Sequence[float], middle: float, band: float) -> Figure:
    """Return a figure whose values lie within `band` of `middle`."""
    return Figure(name, tuple(map(float, values)), middle - band, middle + band)


@dataclass(frozen=True)
class Curve:
    """x and y of equal length, drawn as a line if `line`, otherwise as marks."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    line: bool = True


@dataclass(frozen=True)
class Plot:
    """Curves on one pair of axes, whose labels carry the units."""

    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    logarithmic: bool = False


@dataclass(frozen=True)
class Outcome:
    """The result of a measurement.

    Attributes:
        figures: all of them must hold.
        plots: plots that show the result.
        versions: versions of other programs that took part.
    """

    figures: tuple[Figure, ...]
    plots: tuple[Plot, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether there are figures and all of them hold."""
        return bool(self.figures) and all(figure.holds for figure in self.figures)

    @property
    def caught(self) -> bool:
        """Whether a figure has left its range."""
        return any(figure.caught for figure in self.figures)


Measurement = Callable[[], Outcome]


@dataclass(frozen=True)
class Claim:
    """A statement about the simulator that can be measured.

    Attributes:
        name: a short name, for the command line and file names.
        text: the statement, in one sentence.
        measure: function that returns the outcome.
        controls: by damage in words, the same measurement of the damaged program or reference, in
            which a figure must fall outside its range.
        quick: whether claim and controls together take only seconds.
        note: whole sentences on what was found about the figures, for the page; may be empty.
    """

    name: str
    text: str
    measure: Measurement
    controls: Mapping[str, Measurement]
    quick: bool = True
    note: str = ""


@dataclass(frozen=True)
class Verified:
    """The result of measuring a claim or one of its controls.

    Attributes:
        claim: the claim.
        damage: the damage of the negative control; "" for the claim itself.
        outcome: the outcome; None if it could not be measured.
        reason: why it could not be measured.
        seconds: wall time, s.
    """

    claim: Claim
    damage: str
    outcome: Outcome | None
    reason: str
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """Whether the claim holds or, for a negative control, whether the damage was noticed."""
        if self.outcome is None:
            return "not run"
        good = self.outcome.caught if self.damage else self.outcome.holds
        return "pass" if good else "FAIL"
