"""The current that a run followed, as points that a DFN can follow too.

A history has the current at the end of each time step and the charge passed until then. Within a
step the current goes linearly to its end value, from where the charge of the step says it began:

    I_begin = 2 dQ / dt - I_end

At constant current that is I_end, after a jump as well; along a hold it is the end value of the
step before, up to the time scheme's error, and then that is taken: the current stays continuous.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NEAR = 0.25
"""Share of a step's change within which its beginning counts as the end of the step before."""

RISE = 1e-4
"""Share of the following time step over which a jump rises, 1 ms at most."""


@dataclass(frozen=True)
class FollowedCurrent:
    """Linear between M points.

    Attributes:
        time_s: (M,) increasing.
        current_A_m2: (M,) per collector area, positive on charge.
        jumps_s: times at which it jumps: before and after each rise.
    """

    time_s: Floats
    current_A_m2: Floats
    jumps_s: Floats


def followed_current(
    time_s: Floats, current_A_m2: Floats, capacity_Ah_m2: Floats
) -> FollowedCurrent:
    """From the columns of a history, (T,) each, T at least 2."""
    times, currents, jumps = [], [], []
    before = None
    for k in range(1, time_s.size):
        start, length = float(time_s[k - 1]), float(time_s[k] - time_s[k - 1])
        end = float(current_A_m2[k])
        begin = 2 * 3600 * float(capacity_Ah_m2[k] - capacity_Ah_m2[k - 1]) / length - end
        begin = _settled(begin, before, end)
        if before is None:
            times, currents = [start], [begin]
        elif begin != before:
            rise = start + min(1e-3, RISE * length)
            times.append(rise)
            currents.append(begin)
            jumps += [start, rise]
        times.append(float(time_s[k]))
        currents.append(end)
        before = end
    kept = _corners(np.array(times), np.array(currents))
    return FollowedCurrent(np.array(times)[kept], np.array(currents)[kept], np.array(jumps))


def _settled(begin: float, before: float | None, end: float) -> float:
    """The beginning of a step, without what the time scheme leaves of a jump."""
    change = abs(end - (end if before is None else before))
    slack = NEAR * change + 1e-6 * abs(end)
    if before is not None and abs(begin - before) <= slack:
        return before
    return end if abs(begin - end) <= slack else begin


def _corners(times: Floats, currents: Floats) -> npt.NDArray[np.bool_]:
    """Points that a constant stretch needs: where the current differs from a neighbour's."""
    changes = np.diff(currents) != 0
    kept = np.ones(times.size, dtype=bool)
    kept[1:-1] = changes[:-1] | changes[1:]
    return kept
