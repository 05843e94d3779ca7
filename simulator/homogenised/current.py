"""The current that a run followed, as points that a DFN can follow too.

A history has the current at the end of each time step and the charge dQ passed in it. The current
of a step begins where its charge says,

    I_begin = 2 dQ / dt - I_end,

at I_end itself under a constant current, after a jump as well. Along a hold that is the end value
of the step before up to the time scheme's error: then that value is taken, so that the current
stays continuous, and a point in the middle keeps the charge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NEAR = 0.25
"""Share of a step's change within which its beginning counts as the end of the step before."""

ROUNDING = 1e-7
"""Rounding of the currents, relative to the largest."""

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
    rounding = ROUNDING * float(np.abs(current_A_m2).max())
    points: list[tuple[float, float]] = []
    jumps: list[float] = []
    lengths = np.diff(time_s)
    means = 3600 * np.diff(capacity_Ah_m2) / lengths
    for start, length, mean, end in zip(time_s, lengths, means, current_A_m2[1:], strict=False):
        before = points[-1][1] if points else None
        begin = _beginning(2 * mean - end, before, float(end), rounding)
        if before is None:
            points.append((float(start), begin))
        elif begin != before:
            rise = float(start + min(1e-3, RISE * length))
            points.append((rise, begin))
            jumps += [float(start), rise]
        middle = float(2 * mean - (begin + end) / 2)
        if abs(middle - (begin + end) / 2) > rounding:
            points.append((float(start + length / 2), middle))
        points.append((float(start + length), float(end)))
    times, currents = np.array(points).T
    kept = _corners(currents)
    return FollowedCurrent(times[kept], currents[kept], np.array(jumps))


def _beginning(begin: float, before: float | None, end: float, rounding: float) -> float:
    """The time at which a step's current begins, without what the time scheme leaves of it.

    Args:
        begin: as its charge has it.
        before: at the end of the step before; None in the first.
        end: at its own end.
        rounding: of currents.
    """
    slack = rounding + NEAR * abs(end - (end if before is None else before))
    if before is not None and abs(begin - before) <= slack:
        return before
    return end if abs(begin - end) <= slack else begin


def _corners(currents: Floats) -> npt.NDArray[np.bool_]:
    """Points that are not in the middle of a constant stretch."""
    changes = np.diff(currents) != 0
    kept = np.ones(currents.size, dtype=bool)
    kept[1:-1] = changes[:-1] | changes[1:]
    return kept
