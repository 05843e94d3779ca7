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


@dataclass(frozen=True)
class SkippedSteps:
    """All that a run skipped so far.

    Attributes:
        steps, stops: entries of the manifest, the first `MOST_LISTED` of each.
        step_count, stop_count: of all.
    """

    steps: tuple[Mapping[str, Any], ...] = ()
    step_count: int = 0
    stops: tuple[Mapping[str, Any], ...] = ()
    stop_count: int = 0

    def with_those_of(self, marched: Marched) -> SkippedSteps:
        """These and what a piece of the march skipped."""
        skipped, stops = skipped_step(marched), left_out_stops(marched)
        more = () if skipped is None else (asdict(skipped),)
        return SkippedSteps(
            (*self.steps, *more)[:MOST_LISTED],
            self.step_count + (0 if skipped is None else skipped.steps),
            (*self.stops, *map(asdict, stops))[:MOST_LISTED],
            self.stop_count + len(stops),
        )

    @property
    def entries(self) -> dict[str, Any]:
        """For manifest and checkpoint."""
        return {
            "skipped_steps": list(self.steps),
            "skipped_step_count": self.step_count,
            "left_out_stops": list(self.stops),
            "left_out_stop_count": self.stop_count,
        }

    @classmethod
    def of_entries(cls, entries: Mapping[str, Any]) -> SkippedSteps:
        """Those that a checkpoint kept; one of an older version kept none."""
        return cls(
            tuple(entries.get("skipped_steps", ())),
            int(entries.get("skipped_step_count", 0)),
            tuple(entries.get("left_out_stops", ())),
            int(entries.get("left_out_stop_count", 0)),
        )
