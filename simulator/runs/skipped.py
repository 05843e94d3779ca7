"""Protocol steps that a run skipped: their ends were met where they began, so no time passed.

The manifest lists them under `skipped_steps`. history.csv has no row of a skipped step, and its
number is missing there: steps and cycles are counted as the protocol has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from heterode.solver.time.march import Marched

MOST_LISTED = 1000
"""Entries of the list; what is skipped beyond them is counted alone, so that a manifest stays
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
        more = f", and {self.steps - 1} steps of the passes after it" if self.steps > 1 else ""
        return (
            f"skipped step {self.step} '{self.text}'{more}: {self.reason} "
            f"(t = {self.time_s:.6g} s, V = {self.voltage_V:.4f} V)"
        )


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


def told(marched: Marched) -> str:
    """For the log: a step that took no time, or no more of it."""
    skipped = skipped_step(marched)
    return f"'{marched.text}' {marched.ended_by}" if skipped is None else skipped.line


@dataclass(frozen=True)
class SkippedSteps:
    """All protocol steps that a run skipped so far.

    Attributes:
        listed: entries of the manifest, the first `MOST_LISTED` of them.
        count: of all.
    """

    listed: tuple[Mapping[str, Any], ...] = ()
    count: int = 0

    def with_one(self, skipped: SkippedStep) -> SkippedSteps:
        """These and one more."""
        listed = self.listed
        if len(listed) < MOST_LISTED:
            listed = (*listed, asdict(skipped))
        return SkippedSteps(listed, self.count + skipped.steps)

    @property
    def entries(self) -> dict[str, Any]:
        """For manifest and checkpoint."""
        return {"skipped_steps": list(self.listed), "skipped_step_count": self.count}

    @classmethod
    def of_entries(cls, entries: Mapping[str, Any]) -> SkippedSteps:
        """Those that a checkpoint kept; one of an older version kept none."""
        listed = tuple(entries.get("skipped_steps", ()))
        return cls(listed, int(entries.get("skipped_step_count", 0)))
