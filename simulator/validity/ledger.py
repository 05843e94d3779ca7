"""All warnings of one run, shown when they arise and counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from heterode.base.run_warnings import RunWarning
from heterode.results.sample import Extremes
from heterode.validity.errors import ErrorBound
from heterode.validity.input import Before
from heterode.validity.losses import likely_cause
from heterode.validity.ranges import ValidRange
from heterode.validity.watch import Watch

Locate = Callable[[str, bool], Mapping[str, Any]]
"""Returns where the largest (True) or least value of a quantity of `Extremes` is. Collective."""


class Ledger:
    """The warnings of a run; every rank keeps an equal ledger, and only rank 0 shows lines.

    Args:
        before: the warnings from before the run.
        ranges: the ranges for which the run is watched.
        say: shows a line to the user.
    """

    def __init__(
        self, before: Before, ranges: Sequence[ValidRange], say: Callable[[str], None]
    ) -> None:
        self._before, self._watch, self._say = before, Watch(ranges), say

    def open(self, memory: Sequence[Mapping[str, Any]] = ()) -> None:
        """Begin, or continue from the memory of a checkpoint.

        Args:
            memory: memory of the earlier parts of the run.
        """
        self._watch.recall(memory)
        for warning in self._before.holding:
            self._say(f"warning: {warning.text}")

    def look(self, extremes: Extremes | None, time_s: float, locate: Locate) -> None:
        """Take an accepted time step into account. Collective.

        Args:
            extremes: extremes of the fields, which are the same on every rank.
            time_s: time at its end, s.
            locate: finds the places of extremes.
        """
        if extremes is None:
            return
        for left in self._watch.look(extremes, time_s):
            if left.worst and isinstance(left.range, ValidRange):
                self._watch.place(left.range.code, locate(left.range.quantity, left.largest))
            if left.first:
                self._say(f"warning: at t = {time_s:.6g} s {left.range.message(left.value)}")

    def look_at_error(self, bound: ErrorBound, value: float, time_s: float) -> None:
        """Take an estimated error at the end of a time step into account.

        Args:
            bound: how large it may be.
            value: its magnitude, in the bound's unit; the same on every rank.
            time_s: time at the end of the step, s.
        """
        left = self._watch.note(bound, value, time_s)
        if left is not None and left.first:
            self._say(f"warning: at t = {time_s:.6g} s {bound.message(value)}")

    @property
    def met(self) -> tuple[RunWarning, ...]:
        """Return a warning for each range that the run has left so far."""
        return tuple(self._watch.warnings)

    @property
    def memory(self) -> list[dict[str, Any]]:
        """Return the memory for a checkpoint."""
        return self._watch.memory

    def explained(self, reason: str) -> str:
        """Return why a solve failed, with the likely cause if the parameters suggest one."""
        cause = likely_cause(self._before.holding)
        return f"{reason}; {cause}" if cause else reason
