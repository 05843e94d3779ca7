"""The errors of a run in a few numbers: the largest and when it was, and the mean over time.

Errors count from 0.1 s after each jump of the current on, as the accuracy asked for does: before
that, no finite step and no finite element follows the jump.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SETTLED = 0.1
"""Time after a jump of the current from which on errors count, s."""

ROUNDING = 1e-9
"""Relative rounding of the times between which that is measured."""


@dataclass(frozen=True)
class ErrorSummary:
    """An error over a run.

    Attributes:
        largest: its largest magnitude.
        rms: its root mean square over time.
        at_s: the time of the largest, s.
    """

    largest: float
    rms: float
    at_s: float


class ErrorRecord:
    """Collects the error at the end of each accepted time step."""

    def __init__(self) -> None:
        self._largest, self._at = 0.0, 0.0
        self._squares, self._time = 0.0, 0.0

    def add(self, time_s: float, step_s: float, since_jump_s: float, error: float) -> bool:
        """Take an error into account.

        Args:
            time_s: the time at the end of the step, s.
            step_s: the length of the step, s.
            since_jump_s: the time since the last jump of the current, s.
            error: the error, in any unit.

        Returns:
            Whether it counts. What is no finite number does not.
        """
        if not math.isfinite(error) or since_jump_s < SETTLED * (1.0 - ROUNDING):
            return False
        if abs(error) > self._largest or self._time == 0.0:
            self._largest, self._at = abs(error), time_s
        self._squares += step_s * error * error
        self._time += step_s
        return True

    @property
    def summary(self) -> ErrorSummary | None:
        """The errors so far; None if none counts yet."""
        if self._time == 0.0:
            return None
        return ErrorSummary(self._largest, math.sqrt(self._squares / self._time), self._at)

    @property
    def memory(self) -> dict[str, float]:
        """All that the summary depends on, ready for JSON."""
        return {
            "largest": self._largest,
            "at": self._at,
            "squares": self._squares,
            "time": self._time,
        }

    def recall(self, memory: Mapping[str, float]) -> None:
        """Continue from the memory of the same run."""
        self._largest, self._at = memory["largest"], memory["at"]
        self._squares, self._time = memory["squares"], memory["time"]


@dataclass(frozen=True)
class Reached:
    """The accuracy that a run has reached; what is not known is None and left out of records.

    Attributes:
        asked_V: the accuracy asked for, V.
        space: error of the voltage that the mesh makes, V.
        time: error of the voltage that the time steps make, V.
        current: error of the current that the mesh makes while the voltage is prescribed, A m^-2.
        particle_mean_error: largest error of a particle's mean lithium fraction, by the mesh.
        largest_clip: largest change of a lithium fraction where fields were kept within bounds,
            under "lithium_fraction", and more about it.
    """

    asked_V: float
    space: ErrorSummary | None = None
    time: ErrorSummary | None = None
    current: ErrorSummary | None = None
    particle_mean_error: float | None = None
    largest_clip: Mapping[str, Any] | None = None

    @property
    def entries(self) -> dict[str, Any]:
        """The section `accuracy` of a manifest."""
        found = {
            "asked_V": self.asked_V,
            "voltage_space_error_V": _entry(self.space),
            "voltage_time_error_V": _entry(self.time),
            "current_space_error_A_m2": _entry(self.current),
            "particle_mean_error": self.particle_mean_error,
            "largest_clip": None if self.largest_clip is None else dict(self.largest_clip),
        }
        return {name: value for name, value in found.items() if value is not None}


def _entry(summary: ErrorSummary | None) -> dict[str, float] | None:
    return None if summary is None else asdict(summary)


def sentence(entries: Mapping[str, Any]) -> str:
    """Return what the section `accuracy` of a manifest says, in one sentence; "" if nothing."""
    parts = []
    for key, what in (("space", "the mesh"), ("time", "the time steps")):
        if error := entries.get(f"voltage_{key}_error_V"):
            parts.append(
                f"{what} may be wrong by {1e3 * error['largest']:.2g} mV of the voltage at "
                f"t = {error['at_s']:.3g} s, {1e3 * error['rms']:.2g} mV in the mean"
            )
    if error := entries.get("current_space_error_A_m2"):
        parts.append(
            f"by {error['largest']:.2g} A/m^2 of the current at a held voltage "
            f"(t = {error['at_s']:.3g} s)"
        )
    if (mean := entries.get("particle_mean_error")) is not None:
        parts.append(f"by {mean:.2g} of a particle's mean lithium fraction")
    if (clip := entries.get("largest_clip")) and clip["lithium_fraction"] > 0.0:
        cut = clip["lithium_fraction"]
        parts.append(f"fields were cut by at most {cut:.2g} of lithium to stay within bounds")
    if not parts:
        return ""
    asked = f" (asked for: {1e3 * entries['asked_V']:.3g} mV)" if "asked_V" in entries else ""
    return f"estimated errors{asked}: {'; '.join(parts)}"
