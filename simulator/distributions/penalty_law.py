r"""The penalty factor of each particle, which slows its surface reaction: equation (15).

    pen ~ Weibull(lambda, k) restricted to [pen_min, 1], drawn once and fixed for the run.

Restrictions:
    truncate  inverse of the truncated distribution: pen = lambda (-ln(1 - u F(1)))^(1/k)
    clip      values above 1 become 1
    rescale   all values are divided by the largest, if that is above 1
A value below pen_min becomes pen_min, so that a particle may be almost dead but never singular.

Of N particles the share of factors up to p, with F the Weibull distribution, is for p < 1

    truncate  F(p) / F(1)
    clip      F(p)
    rescale   F(p) F(1)^(N-1) + integral over m > 1 of F(p m) d F(m)^(N-1)

where m is the largest of the other N - 1 values; a value above m becomes 1. The share is 1 at
p = 1 and 0 below pen_min.

u is uniform. It is independent from particle to particle, or u = Phi(z) with a Gaussian random
field z (heterode.distributions.gaussian_field), which does not change the distribution but makes
neighbours similar. If the correlation of z is r, that of the penalties pen = g(z) is

    C(r) = sum_k c_k^2 r^k / sum_k c_k^2,    c_k = E[g(z) He_k(z)] / sqrt(k!),    k = 1, 2, ...

with the Hermite polynomials He_k, and is at most r. The length of z is chosen such that C is 1/e at
the requested length, so correlation_length is a length of the penalties.

Conditioning, if requested, changes the factors w after each cycle by a rule, so that they are a
function of the first factors and of the number n of completed cycles alone:
    relax    1 - (1 - w) (1 - f)^n
    redraw   drawn again for each n
    uniform  one value for all particles from n = 1 on, by default the mean of the first factors
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr

from heterode.distributions.gaussian_field import CORRELATIONS, Correlation

Floats = npt.NDArray[np.float64]
Rule = Literal["relax", "redraw", "uniform"]
Restriction = Literal["truncate", "clip", "rescale"]

NODES = 500
"""Number of quadrature nodes over the law of the largest of N values, for "rescale"."""

HERMITE = 80
"""Number of terms of C(r); r^80 is below 1e-3 up to r = 0.917."""


def weibull_distribution(value: float, shape: float, scale: float) -> float:
    """Return F(value) = 1 - exp(-(value / lambda)^k)."""
    return float(_weibull(np.float64(value), shape, scale))


def _weibull(value: npt.ArrayLike, shape: float, scale: float) -> Floats:
    # Far beyond the scale the power would overflow, and F is 1.
    with np.errstate(over="ignore"):
        return np.asarray(-np.expm1(-((np.asarray(value) / scale) ** shape)))


@dataclass(frozen=True)
class RestrictedWeibull:
    """The distribution of the penalty factors.

    Attributes:
        shape, scale: parameters k and lambda.
        minimum: least factor pen_min, in (0, 1].
        restriction: name of the restriction; see the module's docstring.
    """

    shape: float
    scale: float
    minimum: float
    restriction: Restriction

    def factors(self, u: Floats) -> Floats:
        """Return (N,) factors in [minimum, 1] for probabilities u in [0, 1)."""
        pen = self._unbounded(u)
        if self.restriction == "rescale":
            pen = np.asarray(pen / max(1.0, float(np.max(pen, initial=0.0))))
        return np.clip(pen, self.minimum, 1.0).astype(np.float64)

    def _unbounded(self, u: Floats) -> Floats:
        if self.restriction == "truncate":
            u = u * weibull_distribution(1.0, self.shape, self.scale)
        return np.asarray(self.scale * (-np.log1p(-u)) ** (1 / self.shape))

    def cumulative(self, pen: npt.ArrayLike, count: int) -> Floats:
        """Return the expected share of `count` independent factors up to `pen`, of any shape."""
        pen = np.asarray(pen, dtype=np.float64)
        below = np.clip(pen, 0.0, 1.0)
        if self.restriction == "rescale":
            # Mean over the largest of the others, at the midpoints of equal shares of its law.
            largest = np.maximum(1.0, self._largest_of(count - 1))
            share = self._weibull(below[..., None] * largest).mean(axis=-1)
        else:
            share = self._weibull(below)
        if self.restriction == "truncate":
            share = share / weibull_distribution(1.0, self.shape, self.scale)
        share = np.where(pen >= 1.0, 1.0, share)
        return np.where(pen < self.minimum, 0.0, share).astype(np.float64)

    def quantile(self, share: float, count: int) -> float:
        """Return the least factor that this share of `count` factors is expected not to exceed."""
        low, high = self.minimum, 1.0
        if self.cumulative(low, count) >= share:
            return low
        # Factors extend over decades, so the ratio of the bounds is halved.
        while high / low > 1.0 + 1e-12:
            middle = math.sqrt(low * high)
            reached = bool(self.cumulative(middle, count) >= share)
            low, high = (low, middle) if reached else (middle, high)
        return high

    def _weibull(self, value: Floats) -> Floats:
        """Return F(value)."""
        return _weibull(value, self.shape, self.scale)

    def _largest_of(self, count: int) -> Floats:
        """Return (NODES,) equally probable values of the largest of `count` values."""
        if count < 1:
            return np.zeros(1)
        middle = (np.arange(NODES) + 0.5) / NODES
        # F(m)^count = middle is solved for 1 - F(m), which is tiny if count is large.
        above = -np.expm1(np.log(middle) / count)
        return np.asarray(self.scale * (-np.log(above)) ** (1.0 / self.shape))

    def correlation_of(self, r: float) -> float:
        """Return C(r), the correlation of two factors whose Gaussian variables have r >= 0.

        "rescale" divides all factors by one number, which changes no correlation. The result is NaN
        if all factors are equal.
        """
        squares = self._squares
        total = squares.sum()
        powers = r ** np.arange(1, squares.size + 1)
        return float(powers @ squares / total) if total > 0 else float("nan")

    @cached_property
    def _squares(self) -> Floats:
        """Coefficients c_k^2 from k = 1 on, (HERMITE,)."""
        z: Floats = np.linspace(-8.0, 8.0, 8001, dtype=np.float64)
        weight = np.exp(-0.5 * z**2)
        weight /= weight.sum()
        pen = self._unbounded(probability(z))
        g = pen if self.restriction == "rescale" else np.clip(pen, self.minimum, 1.0)
        squares, below, here = np.zeros(HERMITE), np.zeros_like(z), np.ones_like(z)
        if np.ptp(g) == 0:
            return squares
        for k in range(HERMITE):
            # He_(k+1) / sqrt((k+1)!) follows from the two polynomials before it.
            below, here = here, (z * here - np.sqrt(k) * below) / np.sqrt(k + 1)
            squares[k] = (weight @ (g * here)) ** 2
        return squares


def draw_weibull(count: int, rng: np.random.Generator, law: RestrictedWeibull) -> Floats:
    """Draw (count,) independent factors; `rng` is the generator for this purpose alone."""
    return law.factors(rng.random(count))


def probability(z: Floats) -> Floats:
    """Return u = Phi(z), kept below 1 like a uniform random number."""
    return np.asarray(np.minimum(ndtr(z), 1.0 - 2.0**-53))


def field_length(length: float, correlation: Correlation, law: RestrictedWeibull) -> float:
    """Return the length of the Gaussian field if the penalties' correlation is 1/e at `length`.

    It is the same length if all penalties are equal, since there is no correlation then.
    """
    if not np.isfinite(law.correlation_of(1.0)):
        return length
    rho = CORRELATIONS[correlation]

    def excess(u: float) -> float:
        return law.correlation_of(float(rho(np.array(u)))) - math.exp(-1.0)

    return float(length / brentq(excess, 0.0, 40.0))


def relaxed(first: Floats, cycles: int, fraction: float) -> Floats:
    """Relax factors towards 1: each cycle removes a fraction of the difference to 1.

    Args:
        first: (N,) factors of the first cycle, in (0, 1].
        cycles: number of completed cycles.
        fraction: fraction f, in (0, 1].
    """
    return np.asarray(1 - (1 - first) * (1 - fraction) ** cycles, dtype=np.float64)


def levelled(first: Floats, value: float | None = None) -> Floats:
    """Return (N,) equal factors: `value`, or the mean of the first factors."""
    return np.full_like(first, np.mean(first) if value is None else value)


def conditioned(
    first: Floats,
    cycle: int,
    rule: Rule,
    *,
    fraction: float | None = None,
    value: float | None = None,
    draw: Callable[[int], Floats] | None = None,
) -> Floats:
    """Return the penalty factors of a cycle.

    Args:
        first: (N,) factors in cycle 0.
        cycle: number of the cycle from 0, which is the number of cycles completed before it.
        rule: name of the rule; see the module's docstring.
        fraction: fraction f of "relax".
        value: factor of "uniform".
        draw: function of "redraw" that returns the (N,) factors of a cycle.

    Returns:
        (N,) factors in (0, 1]; `first` itself in cycle 0.
    """
    if cycle == 0:
        return first
    if rule == "relax":
        assert fraction is not None
        return relaxed(first, cycle, fraction)
    if rule == "uniform":
        return levelled(first, value)
    assert draw is not None
    return draw(cycle)
