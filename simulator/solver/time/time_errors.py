"""The time error of the cell voltage over a run.

It is counted from COUNTS_FROM after each jump of the terminals' control on: before that, no time
step is short enough to resolve the voltage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from heterode.solver.time.surface_lithium import COUNTS_FROM


@dataclass(frozen=True)
class TimeErrors:
    """Bounds, by estimate, of the time error of the voltage.

    Attributes:
        largest_V: the largest, V.
        at_s: its time, s; None before any.
        squares: integral of the squares over time, V^2 s.
        duration: time over which they are counted, s.
    """

    largest_V: float = 0.0
    at_s: float | None = None
    squares: float = 0.0
    duration: float = 0.0

    @property
    def rms_V(self) -> float:
        """Root of the mean square over time, V."""
        return math.sqrt(self.squares / self.duration) if self.duration > 0.0 else 0.0

    def with_step(self, error: float, time: float, step: float, elapsed: float) -> TimeErrors:
        """Return the errors with those of one more time step.

        Args:
            error: bound of the time error at its end, V.
            time: time of its end, s.
            step: its length, s.
            elapsed: time from the last jump of the control to its end, s.
        """
        counts = min(step, elapsed - COUNTS_FROM)
        if counts < 0.0:
            return self
        error, largest, at = abs(error), self.largest_V, self.at_s
        if at is None or error > largest:
            largest, at = error, time
        squares = self.squares + counts * error**2
        return TimeErrors(largest, at, squares, self.duration + counts)


NO_ERRORS = TimeErrors()
"""The errors before the first time step."""
