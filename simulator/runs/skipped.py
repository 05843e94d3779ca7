"""What of a protocol a run skipped: steps whose ends were met where they began, and stops.

A stop is left out where the jump of the voltage with the current, at a step's beginning, leads
across it; the manifest lists these under `left_out_stops`. No time passes in a step that is
skipped, and the manifest lists it under `skipped_steps`. history.csv has no row of a skipped step,
and its number is missing there: steps and cycles are counted as the protocol has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from heterode.base.words import counted
from heterode.results.manifest import Manifest
from heterode.solver.time.march import Marched

MOST_LISTED = 1000
"""Entries of a list; what is skipped beyond them is counted alone, so that a manifest stays
small."""


@dataclass(frozen=True)
class SkippedStep:
    """A step that was skipped.

    Attributes:
        cycle, step: its numbers, as in history.csv.
        text: of the step.
        reason: the end that was met.
        time_s, voltage_V: where it would have begun.
        steps: protocol steps that this entry stands for: more than one where all steps of a pass
            of a group were skipped, and the passes after it were not tried.
    """

    cycle: int
    step: int
    text: str
    reason: str
    time_s: float
    voltage_V: float
    steps: int = 1

    @property
    def line(self) -> str:
        """For the log."""
        more = (
            f", and {counted(self.steps - 1, 'step')} of the passes after it"
            if self.steps > 1
            else ""
        )
        return (
            f"skipped step {self.step} '{self.text}'{more}: {self.reason} "
            f"(t = {self.time_s:.6g} s, V = {self.voltage_V:.4f} V)"
        )


@dataclass(frozen=True)
class LeftOutStop:
    """A stop of which no table was written.

    Attributes:
        cycle, step: of the step whose beginning led across it, as in history.csv.
        text: of the step.
        stop_V: its voltage.
        time_s: when.
        before_V, after_V: between which the voltage jumped.
    """

    cycle: int
    step: int
    text: str
    stop_V: float
    time_s: float
    before_V: float
    after_V: float

    @property
    def line(self) -> str:
        """For the log."""
        return (
            f"stop at {self.stop_V:g} V left out: the jump of the current where step {self.step} "
            f"'{self.text}' begins leads across it, from {self.before_V:.4f} V to "
            f"{self.after_V:.4f} V (t = {self.time_s:.6g} s)"
        )


def left_out_stops(marched: Marched) -> list[LeftOutStop]:
    """The stops that a time step's jump led across."""
    jump, where = marched.jump, (marched.cycle, marched.protocol_step, marched.text)
    if jump is None:
        return []
    return [LeftOutStop(*where, V, jump.time, jump.before, jump.after) for V in jump.stops]


def skipped_step(marched: Marched) -> SkippedStep | None:
    """What a march skipped; None where a step took some time before it ended."""
    if not marched.skipped:
        return None
    return SkippedStep(
        cycle=marched.cycle,
        step=marched.protocol_step,
        text=marched.text,
        reason=marched.ended_by,
        time_s=marched.state.time,
        voltage_V=marched.state.V,
        steps=marched.skipped,
    )


def told(marched: Marched) -> list[str]:
    """For the log: a step that took no time, or no more of it; stops that are left out."""
    lines = [stop.line for stop in left_out_stops(marched)]
    if marched.time_step > 0.0:
        return lines
    skipped = skipped_step(marched)
    ended = f"'{marched.text}' {marched.ended_by}" if skipped is None else skipped.line
    return [*lines, ended]


class SkippedSteps:
    """All that a run skipped so far; used on rank 0 alone."""

    def __init__(self) -> None:
        self._listed: list[dict[str, Any]] = []
        self._count = 0
        self._stops: list[dict[str, Any]] = []
        self._stop_count = 0

    def note(self, marched: Marched, manifest: Manifest | None) -> None:
        """Take one more into account, also in the manifest.

        Raises:
            OutputError: the manifest cannot be written.
        """
        skipped, stops = skipped_step(marched), left_out_stops(marched)
        if skipped is not None:
            if len(self._listed) < MOST_LISTED:
                self._listed.append(asdict(skipped))
            self._count += skipped.steps
        self._stops += [asdict(stop) for stop in stops][: MOST_LISTED - len(self._stops)]
        self._stop_count += len(stops)
        if manifest is not None and (skipped is not None or stops):
            manifest.update(**self.entries)

    @property
    def entries(self) -> dict[str, Any]:
        """For manifest and checkpoint."""
        return {
            "skipped_steps": list(self._listed),
            "skipped_step_count": self._count,
            "left_out_stops": list(self._stops),
            "left_out_stop_count": self._stop_count,
        }

    def recall(self, entries: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint kept; one of an older version kept nothing."""
        self._listed = list(entries.get("skipped_steps", ()))
        self._count = int(entries.get("skipped_step_count", 0))
        self._stops = list(entries.get("left_out_stops", ()))
        self._stop_count = int(entries.get("left_out_stop_count", 0))
