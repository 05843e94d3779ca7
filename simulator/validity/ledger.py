"""All warnings of one run, shown when they arise and at its end, and kept in its manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from heterode.results.manifest import Manifest
from heterode.results.sample import Extremes
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
        self._manifest: Manifest | None = None

    def open(self, manifest: Manifest | None, memory: Sequence[Mapping[str, Any]] = ()) -> None:
        """Begin, or continue from the memory of a checkpoint.

        Args:
            manifest: manifest of the run, on rank 0.
            memory: memory of the earlier parts of the run.
        """
        self._manifest = manifest
        self._watch.recall(memory)
        for warning in self._before.holding:
            self._say(f"warning: {warning.text}")
        if manifest is not None:
            # Warnings after the checkpoint are not part of the run any more.
            kept = [e for e in manifest.content["warnings"] if e.get("first_time_s") is None]
            manifest.update(warnings=kept)
            manifest.warn(*self._before.holding, *self._watch.warnings)

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
            if left.worst:
                self._watch.place(left.range.code, locate(left.range.quantity, left.largest))
            if left.first:
                self._say(f"warning: at t = {time_s:.6g} s {left.range.message(left.value)}")
                self._write()

    def close(self) -> None:
        """Show again which ranges the run left and how often, and update the manifest."""
        for warning in self._watch.warnings:
            self._say(f"warning: {warning.text}")
        self._write()

    @property
    def memory(self) -> list[dict[str, Any]]:
        """Return the memory for a checkpoint."""
        return self._watch.memory

    def explained(self, reason: str) -> str:
        """Return why a solve failed, with the likely cause if the parameters suggest one."""
        cause = likely_cause(self._before.holding)
        return f"{reason}; {cause}" if cause else reason

    def _write(self) -> None:
        if self._manifest is not None:
            self._manifest.warn(*self._watch.warnings)
