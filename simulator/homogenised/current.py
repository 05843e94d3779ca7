"""The current that a run followed, as points for a DFN.

A history has the current at the end of each time step and the charge dQ that passed in it. The
charge determines the current at which a step begins,

    I_begin = 2 dQ / dt - I_end,

which is I_end under a constant current, also after a jump. During a hold it equals the end value of
the step before, apart from the time scheme's error. That value is then used, so that the current
stays continuous, and a point in the middle preserves the charge.
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
    """A current that is linear between M points.

    Attributes:
        time_s: (M,) increasing times.
        current_A_m2: (M,) currents per collector area, positive on charge.
        jumps_s: times before and after each rise, at which the current jumps.
    """

    time_s: Floats
    current_A_m2: Floats
    jumps_s: Floats


def followed_current(
    time_s: Floats, current_A_m2: Floats, capacity_Ah_m2: Floats
) -> FollowedCurrent:
    """Compute the current from the columns of a history, (T,) each, with T of at least 2."""
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
    """Return the current at which a step begins, without the time scheme's error.

    Args:
        begin: the value that follows from its charge.
        before: current at the end of the step before; None in the first one.
        end: current at its own end.
        rounding: rounding error of currents.
    """
    slack = rounding + NEAR * abs(end - (end if before is None else before))
    if before is not None and abs(begin - before) <= slack:
        return before
    return end if abs(begin - end) <= slack else begin


def _corners(currents: Floats) -> npt.NDArray[np.bool_]:
    """Mark the points that are not in the middle of a constant stretch."""
    changes = np.diff(currents) != 0
    kept = np.ones(currents.size, dtype=bool)
    kept[1:-1] = changes[:-1] | changes[1:]
    return kept
