"""What a claim is: a measurement, the range its figures must lie in, and damages that break it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["pass", "FAIL", "not run"]
"""Of a claim's figure; "not run" is never a pass."""


@dataclass(frozen=True)
class Figure:
    """One or more numbers that must all lie in one range.

    Attributes:
        name: what was measured.
        values: at least one.
        least, most: the range, ends included; NaN lies in none.
        unit: of values and range, "" where dimensionless.
    """

    name: str
    values: tuple[float, ...]
    least: float = -math.inf
    most: float = math.inf
    unit: str = ""

    @property
    def holds(self) -> bool:
        return bool(self.values) and all(self.least <= v <= self.most for v in self.values)

    @property
    def caught(self) -> bool:
        """Whether a finite number lies outside: what a damage must bring about."""
        return any(math.isfinite(v) and not self.least <= v <= self.most for v in self.values)

    @property
    def shown(self) -> str:
        """The value, or least and largest of several."""
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
    """Three digits: 0.0123, 1.98, 4.5e-09."""
    return f"{value:.3g}"


def at_most(name: str, value: float | Sequence[float], most: float, unit: str = "") -> Figure:
    """A figure, or several, bounded from above; none of them is negative."""
    values = (value,) if isinstance(value, int | float) else tuple(value)
    return Figure(name, tuple(map(float, values)), most=most, unit=unit)


def near(name: str, values: Sequence[float], middle: float, band: float) -> Figure:
    """Figures that lie within `band` of `middle`."""
    return Figure(name, tuple(map(float, values)), middle - band, middle + band)


@dataclass(frozen=True)
class Curve:
    """x and y of equal length; `line` as a line, otherwise as marks."""

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
    """What was measured.

    Attributes:
        figures: all must hold.
        plots: that show it.
        versions: of other programs that took part.
    """

    figures: tuple[Figure, ...]
    plots: tuple[Plot, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return bool(self.figures) and all(figure.holds for figure in self.figures)

    @property
    def caught(self) -> bool:
        return any(figure.caught for figure in self.figures)


Measurement = Callable[[], Outcome]


@dataclass(frozen=True)
class Claim:
    """A statement about the simulator that can be measured.

    Attributes:
        name: short, for the command line and file names.
        text: the statement, in one sentence.
        measure: returns its figures.
        controls: damage in words -> the same measurement of the damaged program or reference, of
            which a figure must fall outside its range.
        quick: whether claim and controls together take seconds.
    """

    name: str
    text: str
    measure: Measurement
    controls: Mapping[str, Measurement]
    quick: bool = True


@dataclass(frozen=True)
class Verified:
    """A claim or one of its controls, run.

    Attributes:
        claim: which.
        damage: of the negative control; "" for the claim itself.
        outcome: None where it could not be run.
        reason: why not.
        seconds: wall time.
    """

    claim: Claim
    damage: str
    outcome: Outcome | None
    reason: str
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """Of the claim: that it holds; of a negative control: that the damage was noticed."""
        if self.outcome is None:
            return "not run"
        good = self.outcome.caught if self.damage else self.outcome.holds
        return "pass" if good else "FAIL"
