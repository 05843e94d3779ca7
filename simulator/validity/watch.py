"""Counts the accepted time steps that leave the valid ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from heterode.base.run_warnings import RunWarning
from heterode.results.sample import Extremes
from heterode.validity.errors import ErrorBound
from heterode.validity.ranges import ValidRange


@dataclass(frozen=True)
class Left:
    """A range that a time step has left.

    Attributes:
        range: the range.
        value: the extreme that is farther outside, in the range's unit.
        largest: whether that is the largest value, rather than the least.
        first: whether no earlier time step left it.
        worst: whether no earlier time step left it by more.
    """

    range: ValidRange | ErrorBound
    value: float
    largest: bool
    first: bool
    worst: bool


class Watch:
    """Checks the fields' extremes, and errors, after each accepted time step.

    Since the extremes are the same on every rank, every rank may keep its own watch.

    Args:
        ranges: the ranges in which quantities must stay.
    """

    def __init__(self, ranges: Sequence[ValidRange]) -> None:
        self._ranges = ranges
        self._found: dict[str, RunWarning] = {}

    @property
    def warnings(self) -> list[RunWarning]:
        """Return the warnings so far, in the order in which they arose."""
        return list(self._found.values())

    @property
    def memory(self) -> list[dict[str, Any]]:
        """Return all that `look` depends on, ready for JSON."""
        return [warning.as_dict() for warning in self.warnings]

    def recall(self, memory: Sequence[Mapping[str, Any]]) -> None:
        """Continue from the memory of another run's watch."""
        found = [RunWarning.from_dict(entry) for entry in memory]
        self._found = {warning.code: warning for warning in found}

    def look(self, extremes: Extremes, time_s: float) -> list[Left]:
        """Count a time step that ended at `time_s`.

        Returns:
            The ranges that it left. Call `place` with the place if one is the worst so far.
        """
        left = []
        for valid in self._ranges:
            ends = [valid.scale * end for end in extremes[valid.quantity]]
            excess = [valid.excess(end) for end in ends]
            if max(excess) == 0.0:
                continue
            largest = excess[1] >= excess[0]
            left.append(self._count(valid, ends[largest], largest, time_s))
        return left

    def note(self, bound: ErrorBound, value: float, time_s: float) -> Left | None:
        """Count a time step at whose end an error was `value`, if that is too large."""
        return self._count(bound, value, True, time_s) if bound.excess(value) > 0.0 else None

    def _count(
        self, valid: ValidRange | ErrorBound, value: float, largest: bool, time_s: float
    ) -> Left:
        before = self._found.get(valid.code)
        warning = valid.warning(value)
        count, first, worst = 1, time_s, True
        if before is not None and before.value is not None and before.first_time_s is not None:
            count, first = before.count + 1, before.first_time_s
            worst = valid.excess(value) > valid.excess(before.value)
            warning = warning if worst else before
        self._found[valid.code] = replace(
            warning, count=count, first_time_s=first, last_time_s=time_s
        )
        return Left(valid, value, largest, before is None, worst)

    def place(self, code: str, place: Mapping[str, Any]) -> None:
        """Note where the worst value of a code is."""
        warning = self._found[code]
        self._found[code] = replace(warning, where={**warning.where, **place})
