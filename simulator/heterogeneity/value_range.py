r"""The range of the values, which sets the band of L*, and whether a few outliers set the range.

The band is a fraction of the largest minus the smallest value, so that a single wrong particle
narrows what all others are measured by. The robust range runs from the 1 % to the 99 % quantile.

Whether a range is plausible is decided by the largest values themselves, as heavy tails are no
mistake. With D_i = X_(i) - X_(i+1) of the values from the top down, i D_i are independent and
exponential with one mean if the tail is exponential (Renyi 1953), and their mean grows slowly down
the tail of any light-tailed distribution (normal, uniform: it falls towards the top) or stretched
one (Weibull). So

    F = m D_m / mean(i D_i, i = m+1 .. m+k)

has the F distribution with 2 and 2k degrees of freedom, P(F > f) = (1 + f/k)^(-k), if the m most
extreme values belong to the others. They are outliers if that is below 1e-5 for one of m = 1 .. 5
on either side. A range is called implausible if, besides, it exceeds that expected of as many
normal values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import quad
from scipy.special import ndtr, zeta

from heterode.base.words import counted
from heterode.heterogeneity.marks import Floats

QUANTILES = (0.01, 0.99)
"""Ends of the robust range."""

_MOST_OUTLIERS = 5
_TAIL = 20
_TOP = 8
_CHANCE = 1e-5


@dataclass(frozen=True)
class RangeCheck:
    """Range of N values against what so many values have.

    Attributes:
        robust: difference between the 1 % and the 99 % quantile.
        in_sd: largest minus smallest value in standard deviations.
        normal_in_sd: its expectation for N normal values.
        outliers: number of extreme values that do not belong to the others; 0 if plausible.
        particles: number N of values.
    """

    robust: float
    in_sd: float
    normal_in_sd: float
    outliers: int
    particles: int

    @property
    def warning(self) -> str:
        """Return what a reader has to know of the range, or nothing."""
        if not self.outliers:
            return ""
        return (
            f"The range of the values is {self.in_sd:.3g} standard deviations, of"
            f" {self.particles} normal values {self.normal_in_sd:.2g} are expected:"
            f" {counted(self.outliers, 'particle', 'lies')} far from the others and"
            " the band of L* follows from it. Check for mistakes, or take the range from 1 to 99 %."
        )


def checked_range(value: Floats) -> RangeCheck:
    """Compare the range of (N,) values with that of so many values without outliers."""
    count = value.size
    in_sd = float(np.ptp(value) / value.std(ddof=1))
    normal = normal_range(count)
    above, below = outliers_above(value), outliers_above(-value)
    low, high = np.quantile(value, QUANTILES)
    return RangeCheck(
        robust=float(high - low),
        in_sd=in_sd,
        normal_in_sd=normal,
        outliers=above + below if in_sd > normal else 0,
        particles=count,
    )


def normal_range(count: int) -> float:
    """Return the expected range of so many normal values, in their standard deviation.

    The expectation is the integral of 1 - F^n - (1 - F)^n (Tippett 1925).
    """
    found, _ = quad(lambda x: 1 - ndtr(x) ** count - ndtr(-x) ** count, 0, 10)
    return float(2 * found)


def outliers_above(value: Floats) -> int:
    """Return how many of the largest values do not belong to the others."""
    found = 0
    down = np.sort(value)[::-1]
    tail = min(_TAIL, value.size // 3)
    most = min(_MOST_OUTLIERS, value.size // 10)
    spacing = np.arange(1, value.size) * -np.diff(down)
    for m in range(1, most + 1):
        rest = down[m:]
        # Rounded values may be equal in the tail. A normal one has this mean.
        least = rest.std() / np.sqrt(2 * np.log(rest.size))
        mean = max(float(spacing[m : m + tail].mean()), float(least))
        if mean > 0 and (1 + spacing[m - 1] / mean / tail) ** -tail < _CHANCE:
            found = m
    return found


def range_error(value: Floats, *, robust: bool) -> float:
    """Return the standard error of the range, relative to it, over samples of as many particles.

    With a tail of mean excess b, as the spacings in the tail tell it, the k-th value from the end
    has the variance b^2 (1/k^2 + 1/(k+1)^2 + ...) (Renyi 1953). In tails lighter than exponential,
    b falls towards the end, and the error is overestimated, by a fifth for 1,000 normal values.

    Args:
        value: (N,) values, which count as independent.
        robust: whether the range is that from the 1 to the 99 % quantile.
    """
    first = max(1, round(QUANTILES[0] * value.size)) if robust else 1
    rest = float(zeta(2.0, first))
    variance = sum(_mean_excess(end, first) ** 2 * rest for end in (value, -value))
    ends = np.quantile(value, QUANTILES) if robust else (value.min(), value.max())
    return float(np.sqrt(variance) / (ends[1] - ends[0]))


def _mean_excess(value: Floats, first: int) -> float:
    """Return the mean of i D_i over the spacings in the upper tail, from the `first` on."""
    down = np.sort(value)[::-1]
    number = np.arange(first, min(first + _TOP, value.size))
    return float(np.mean(number * (down[number - 1] - down[number])))
