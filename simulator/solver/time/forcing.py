"""How exactly each update of Newton's method must be solved for, and what error it leaves.

A linear solve that leaves much less than Newton's method may leave is wasted work. The relative
tolerance of each solve therefore follows from the expected size of the update: that of a time
step's first update from the one of the time step before, those of later updates from the error that
the update before left.

Source: Dembo, Eisenstat and Steihaug, SIAM J. Numer. Anal. 19 (1982) 400, inexact Newton methods.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FIRST_RATE = 0.02
"""Part of the first update of a step that counts as its error if the linearisation is new. Measured
for lithium-ion half-cells at steps of 1/80 of a charge: 5e-4 to 2e-3."""

QUADRATIC = 3.0
"""Size of a first update, in tolerances, from which its error counts as quadratic."""

LOOSEST = 0.2
"""Largest relative tolerance of a linear solve."""

MARGIN = 1.5
"""Ratio to what is allowed of the error that a linear solve may leave, where its update turns out
to be larger than expected."""


@dataclass(frozen=True)
class Foreseen:
    """The first update of a time step, from which that of the next one is foreseen.

    Attributes:
        size: its size, in tolerances.
        alpha: d(du/dt)/du, s^-1.
    """

    size: float
    alpha: float

    def at(self, alpha: float) -> float:
        """Return the size to be expected at another alpha.

        Steps grow as their error allows, so that longer ones are hardly predicted worse.
        """
        return self.size * max(1.0, self.alpha / alpha)


def forcing_term(expected: float, allowed: float) -> float:
    """Return the relative tolerance with which to solve for an update.

    Args:
        expected: its size, in tolerances; infinite if it is not known.
        allowed: error that Newton's method may leave, in tolerances.
    """
    return LOOSEST if expected * LOOSEST <= allowed else allowed / expected


def solved_well_enough(forcing: float, size: float, allowed: float) -> bool:
    """Check what the linear solve for an update of some size, in tolerances, has left."""
    return forcing * size < MARGIN * allowed


def remaining(size: float, before: float, *, fresh: bool) -> float:
    """Estimate the error after an update, in tolerances, apart from that of the linear solve.

    It follows from the rate at which updates shrink, if that is known already.

    Source: Hairer and Wanner, Solving Ordinary Differential Equations II, 2nd ed., IV.8.

    Args:
        size, before: sizes of this update and of the one before, infinite for the first.
        fresh: whether the linearisation is that at the iterate before.
    """
    if np.isinf(before):
        return FIRST_RATE * size * max(1.0, size / QUADRATIC) if fresh else size
    rate = size / before
    return size * rate / (1 - rate) if 0 < rate < 1 else size
