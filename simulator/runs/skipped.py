"""Parts of a protocol that a run skipped: steps whose end was met at their beginning, and stops.

A stop is left out if the voltage jumps across it with the current at the beginning of a step; the
manifest lists these stops under `left_out_stops`. A skipped step takes no time, and the manifest
lists it under `skipped_steps`. history.csv has no row for a skipped step, whose number is missing
there, because steps and cycles are counted as in the protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from heterode.base.words import counted
from heterode.solver.time.march import Marched

MOST_LISTED = 1000
"""Largest number of entries in a list; further ones are only counted, to keep manifests small."""


@dataclass(frozen=True)
class SkippedStep:
    """A step that was skipped.

    Attributes:
        cycle, step: the numbers of cycle and step, as in history.csv.
        text: the text of the step.
        reason: the end condition that was met.
        time_s, voltage_V: time, s, and voltage, V, at which the step would have begun.
        steps: number of protocol steps that this entry stands for; more than one if all steps in a
            pass of a group were skipped, so that later passes were not tried.
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
        """The entry as a line for the log."""
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
    """A stop for which no table was written.

    Attributes:
        cycle, step: numbers of the step that began with the jump, as in history.csv.
        text: the text of the step.
        stop_V: the voltage of the stop, V.
        time_s: the time of the jump, s.
        before_V, after_V: the voltages before and after the jump, V.
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
        """The entry as a line for the log."""
        return (
            f"stop at {self.stop_V:g} V left out: the jump of the current where step {self.step} "
            f"'{self.text}' begins leads across it, from {self.before_V:.4f} V to "
            f"{self.after_V:.4f} V (t = {self.time_s:.6g} s)"
        )


def left_out_stops(marched: Marched) -> list[LeftOutStop]:
    """Return the stops that the voltage jumped across in a time step."""
    jump, where = marched.jump, (marched.cycle, marched.protocol_step, marched.text)
    if jump is None:
        return []
    return [LeftOutStop(*where, V, jump.time, jump.before, jump.after) for V in jump.stops]


def skipped_step(marched: Marched) -> SkippedStep | None:
    """Return the step that a march skipped; None if the step took some time before it ended."""
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


def skipped_lines(marched: Marched) -> list[str]:
    """Return lines for the log on steps that took no (further) time, and on stops left out."""
    lines = [stop.line for stop in left_out_stops(marched)]
    if marched.time_step > 0.0:
        return lines
    skipped = skipped_step(marched)
    ended = f"'{marched.text}' {marched.ended_by}" if skipped is None else skipped.line
    return [*lines, ended]


@dataclass(frozen=True)
class SkippedSteps:
    """All that a run has skipped so far.

    Attributes:
        steps, stops: entries of the manifest, the first `MOST_LISTED` of each.
        step_count, stop_count: the number of all of them.
    """

    steps: tuple[Mapping[str, Any], ...] = ()
    step_count: int = 0
    stops: tuple[Mapping[str, Any], ...] = ()
    stop_count: int = 0

    def with_those_of(self, marched: Marched) -> SkippedSteps:
        """Return these and those that a piece of the march skipped."""
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
        """The entries for manifest and checkpoint."""
        return {
            "skipped_steps": list(self.steps),
            "skipped_step_count": self.step_count,
            "left_out_stops": list(self.stops),
            "left_out_stop_count": self.stop_count,
        }

    @classmethod
    def of_entries(cls, entries: Mapping[str, Any]) -> SkippedSteps:
        """Return what a checkpoint kept; one of an older version kept nothing."""
        return cls(
            tuple(entries.get("skipped_steps", ())),
            int(entries.get("skipped_step_count", 0)),
            tuple(entries.get("left_out_stops", ())),
            int(entries.get("left_out_stop_count", 0)),
        )
