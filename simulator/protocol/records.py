"""What a protocol is made of once it is read: steps, groups of steps, current tables."""

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
"""Least distance of two rows of a current table, s."""

ROUNDING = 1e-6
"""How far a time may lie before a row and count as at the row, s."""


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
    """Where a step ends.

    Attributes:
        quantity: what is watched.
        value: voltage in V, current as a Rate, time as the step's duration in s, capacity as the
            size of the charge that the step passed in A s m^-2, mean lithium fraction.
        side: on which side of the value the end lies, where the kind of step does not say so.
    """

    quantity: Quantity
    value: float | Rate
    side: Side = ""


@dataclass(frozen=True)
class CurrentTable:
    """A current that changes in time: a drive cycle.

    Attributes:
        times: (K,) s, increasing from 0; the last is the table's end.
        currents: (K,) A m^-2 of collector area, positive on charge.
        stepwise: each current holds up to the next row, the last one not at all; else the current
            is linear between rows.
        digest: of the file, so that another table of the same name is told apart.
        area: m^2, by which the file's current in A, positive on discharge, was divided; None where
            the file gives `currents` as they are.
    """

    times: tuple[float, ...]
    currents: tuple[float, ...]
    stepwise: bool
    digest: str
    area: float | None = None

    @property
    def origin(self) -> str:
        """For the user: how the file's current became this one; "" where it is as it was."""
        if self.area is None:
            return ""
        return f"Current [A], positive on discharge, divided by -{self.area:.6g} m^2"

    @property
    def duration(self) -> float:
        """s."""
        return self.times[-1]

    @property
    def peak(self) -> float:
        """Largest size of the current, A m^-2."""
        return max(abs(current) for current in self.currents)

    def stretch(self, time: float) -> int:
        """The row whose stretch, up to the next row, holds at a time, s, or just after it."""
        row = bisect_right(self.times, time + ROUNDING) - 1
        return min(max(row, 0), len(self.times) - 2)

    def along(self, row: int) -> tuple[float, float]:
        """Current at a row, A m^-2, and its slope up to the next one, A m^-2 s^-1."""
        begin, end = self.currents[row : row + 2]
        if self.stepwise:
            return begin, 0.0
        return begin, (end - begin) / (self.times[row + 1] - self.times[row])

    def passed(self, begin: float, end: float) -> float:
        """Integral of the current between two times within the table, s: the charge, A s m^-2.

        Exact but for the rounding of a few operations, across rows as well; the integrals of
        pieces add up to that of the whole.
        """
        row = min(max(bisect_right(self.times, begin) - 1, 0), len(self.times) - 2)
        parts = []
        while begin < end:
            last = row == len(self.times) - 2
            until = end if last else min(end, self.times[row + 1])
            current, slope = self.along(row)
            # Each time less that of the row first: far into a table, their sum has fewer digits.
            middle = 0.5 * ((begin - self.times[row]) + (until - self.times[row]))
            parts.append((until - begin) * (current + slope * middle))
            begin, row = until, row + 1
        return math.fsum(parts)

    def charges(self) -> Iterator[tuple[float, float]]:
        """Duration, s, and charge, A s m^-2, of each stretch."""
        for row in range(len(self.times) - 1):
            lasts = self.times[row + 1] - self.times[row]
            current, slope = self.along(row)
            yield lasts, lasts * (current + 0.5 * slope * lasts)


@dataclass(frozen=True)
class Step:
    """One step; it ends at the first of its cut-offs, and `follow` at the end of its table.

    Attributes:
        kind: what it does.
        rate: of a charge or discharge at a current, else None.
        voltage: of a hold, V, else None.
        cutoffs: its ends.
        text: as it was written; of a current table's path the name alone.
        power: of a charge or discharge at a power, W m^-2 of collector area, else None; positive.
        file: where the current table of `follow` is.
        table: its content, once it is read.
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
        """The value of the cut-off on `quantity`, or None."""
        return next((c.value for c in self.cutoffs if c.quantity == quantity), None)

    def current_density(self, one_C: float, potential: float) -> float | None:
        """Size of the current that the step names, A m^-2; None for a hold and a rest.

        Args:
            one_C: current density of 1C, A m^-2.
            potential: at which a power is taken, V.
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
        """For the manifest: its text."""
        return self.text


@dataclass(frozen=True)
class Group:
    """Steps, or groups of them, that repeat.

    Attributes:
        steps: in order.
        repeat: how many times; None repeats until one of the cut-offs `until` is met.
        until: voltage or lithium fraction that ends the step under way and the group with it.
        ends: the cut-offs as they were written.
        written: the text of a group that was written as one, else "".
    """

    steps: tuple[Item, ...]
    repeat: int | None = 1
    until: tuple[Cutoff, ...] = ()
    ends: str = ""
    written: str = ""

    @property
    def text(self) -> str:
        """For the user."""
        if self.written:
            return self.written
        how = f"until {self.ends}" if self.repeat is None else counted(self.repeat, "time")
        return f"{how} ({', '.join(item.text for item in self.steps)})"

    @property
    def plain(self) -> Any:
        """For the manifest: as it stands in the input file."""
        if self.written:
            return self.written
        steps = [item.plain for item in self.steps]
        if self.repeat is None:
            return {"until": self.ends, "steps": steps}
        return {"repeat": self.repeat, "steps": steps}


Item = Step | Group


def each_step(items: Sequence[Item]) -> Iterator[Step]:
    """Every step that is written, groups opened, repetitions left out."""
    for item in items:
        if isinstance(item, Group):
            yield from each_step(item.steps)
        else:
            yield item
