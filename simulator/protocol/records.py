"""The records of a protocol: steps, groups of steps, and current tables."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from heterode.base.words import counted

Kind = Literal["charge", "discharge", "hold", "rest", "follow"]
Quantity = Literal["voltage", "current", "time", "capacity", "lithium fraction"]
Side = Literal["", "above", "below"]

SHORTEST_ROW = 1e-3
"""Least time between two rows of a current table, s."""

ROUNDING = 1e-6
"""Time before a row, s, within which an instant counts as being at the row."""


class StepError(ValueError):
    """A step cannot be parsed; the message continues the sentence after the step's text."""


@dataclass(frozen=True)
class Rate:
    """A positive current in units of C (1/h of the capacity) or in A m^-2 of collector area."""

    value: float
    unit: Literal["C", "A/m^2"]

    def current_density(self, one_C: float) -> float:
        """Return A m^-2 of collector area, given the current density `one_C` of 1C in A m^-2."""
        return self.value * one_C if self.unit == "C" else self.value


@dataclass(frozen=True)
class Cutoff:
    """A condition at which a step ends.

    Attributes:
        quantity: the quantity that is watched.
        value: voltage in V, current as a Rate, time as the step's duration in s, capacity as the
            magnitude of the charge that the step passed in A s m^-2, or mean lithium fraction.
        side: side of the value on which the step ends, if its kind does not imply one.
    """

    quantity: Quantity
    value: float | Rate
    side: Side = ""


@dataclass(frozen=True)
class CurrentTable:
    """A current that changes over time, such as a drive cycle.

    Attributes:
        times: (K,) increasing times from 0, s; the last one is the table's end.
        currents: (K,) currents, A m^-2 of collector area, positive on charge.
        stepwise: whether each current holds up to the next row (the last one does not hold at
            all); otherwise the current is linear between rows.
        digest: digest of the file, which distinguishes it from other tables of the same name.
        area: area, m^2, by which the file's current in A, positive on discharge, was divided; None
            if the file gives `currents` directly.
    """

    times: tuple[float, ...]
    currents: tuple[float, ...]
    stepwise: bool
    digest: str
    area: float | None = None

    @property
    def origin(self) -> str:
        """Text for the user on how the file's current was converted; "" if it was not."""
        if self.area is None:
            return ""
        return f"Current [A], positive on discharge, divided by -{self.area:.6g} m^2"

    @property
    def duration(self) -> float:
        """Duration, s."""
        return self.times[-1]

    @property
    def peak(self) -> float:
        """Largest magnitude of the current, A m^-2."""
        return max(abs(current) for current in self.currents)

    def stretch(self, time: float) -> int:
        """Return the row whose stretch, up to the next row, applies at or just after a time, s."""
        row = bisect_right(self.times, time + ROUNDING) - 1
        return min(max(row, 0), len(self.times) - 2)

    def along(self, row: int) -> tuple[float, float]:
        """Return the current at a row, A m^-2, and its slope up to the next one, A m^-2 s^-1."""
        begin, end = self.currents[row : row + 2]
        if self.stepwise:
            return begin, 0.0
        return begin, (end - begin) / (self.times[row + 1] - self.times[row])

    def passed(self, begin: float, end: float) -> float:
        """Return the charge between two times within the table, s, in A s m^-2.

        This integral of the current is exact apart from rounding, also across rows, and the
        integrals of pieces sum to that of the whole.
        """
        row = min(max(bisect_right(self.times, begin) - 1, 0), len(self.times) - 2)
        parts = []
        while begin < end:
            last = row == len(self.times) - 2
            until = end if last else min(end, self.times[row + 1])
            current, slope = self.along(row)
            # The row's time is subtracted first: late in a table, sums of times have fewer digits.
            middle = 0.5 * ((begin - self.times[row]) + (until - self.times[row]))
            parts.append((until - begin) * (current + slope * middle))
            begin, row = until, row + 1
        return math.fsum(parts)

    def charges(self) -> Iterator[tuple[float, float]]:
        """Yield the duration, s, and the charge, A s m^-2, of each stretch."""
        for row in range(len(self.times) - 1):
            lasts = self.times[row + 1] - self.times[row]
            current, slope = self.along(row)
            yield lasts, lasts * (current + 0.5 * slope * lasts)


@dataclass(frozen=True)
class Step:
    """One step; it ends at the first of its cut-offs, and `follow` at the end of its table.

    Attributes:
        kind: the kind of step.
        rate: current of a charge or discharge, otherwise None.
        voltage: voltage of a hold, V, otherwise None.
        cutoffs: conditions at which it ends.
        text: the text as it was written, with only the name of a current table's path.
        power: positive power of a charge or discharge, W m^-2 of collector area, otherwise None.
        file: path of the current table of a `follow`.
        table: content of this table once it is read.
    """

    kind: Kind
    rate: Rate | None
    voltage: float | None
    cutoffs: tuple[Cutoff, ...]
    text: str
    power: float | None = None
    file: Path | None = None
    table: CurrentTable | None = None

    def cutoff(self, quantity: Quantity) -> float | Rate | None:
        """Return the value of the cut-off on `quantity`, or None."""
        return next((c.value for c in self.cutoffs if c.quantity == quantity), None)

    def current_density(self, one_C: float, potential: float) -> float | None:
        """Return the magnitude of the step's current, A m^-2; None for a hold and a rest.

        Args:
            one_C: current density of 1C, A m^-2.
            potential: potential at which a power is converted, V.
        """
        if self.rate is not None:
            return self.rate.current_density(one_C)
        if self.power is not None:
            return self.power / potential
        if self.table is not None and self.table.peak > 0.0:
            return self.table.peak
        return None

    @property
    def plain(self) -> str:
        """Return the text of the step, for the manifest."""
        return self.text


@dataclass(frozen=True)
class Group:
    """Steps, or groups of steps, that repeat.

    Attributes:
        steps: the items in order.
        repeat: number of passes; None repeats until one of the cut-offs `until` is met.
        until: voltage or lithium fraction that ends the current step together with the group.
        ends: the cut-offs as they were written.
        written: the text of a group that was written as one text, otherwise "".
    """

    steps: tuple[Item, ...]
    repeat: int | None = 1
    until: tuple[Cutoff, ...] = ()
    ends: str = ""
    written: str = ""

    @property
    def text(self) -> str:
        """Text for the user."""
        if self.written:
            return self.written
        how = f"until {self.ends}" if self.repeat is None else counted(self.repeat, "time")
        return f"{how} ({', '.join(item.text for item in self.steps)})"

    @property
    def plain(self) -> Any:
        """Return the group for the manifest, in the form of the input file."""
        if self.written:
            return self.written
        steps = [item.plain for item in self.steps]
        if self.repeat is None:
            return {"until": self.ends, "steps": steps}
        return {"repeat": self.repeat, "steps": steps}


Item = Step | Group


def each_step(items: Sequence[Item]) -> Iterator[Step]:
    """Yield every step once, including those in groups, without repetitions."""
    for item in items:
        if isinstance(item, Group):
            yield from each_step(item.steps)
        else:
            yield item
