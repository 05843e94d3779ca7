r"""Reading of L* off a cluster curve, with an interval.

The variance over K clusters s_K^2 is a random number: for independent clusters it has K - 1 degrees
of freedom, so that at K = 4 the standard deviation alone is uncertain by 40 %. So no rung decides
by itself. Let q(L) be the expected variance by a fitted covariance. Around each size, the
logarithms of counted over expected variance, (mean offset + s_K)^2 / q, are averaged over the rungs
within a factor of about two, by their degrees of freedom. The average moves q to what was counted
there: the count gives the level of the curve, the covariance only its slope within the window. L*
is the last size at which this smoothed curve is outside the band.

The noise of the logarithms, with its dependence between rungs, is that of permuted values, which
have the same clusters, k-means starts and offsets of the mean; without permutations it is that of
chi squares, with covariance 2 / (larger K - 1). To this the uncertainty of the slope is added, by
leaving out one sub-field at a time in the fit. An average of variance v is distributed like the
logarithm of a chi square with 2 / v degrees of freedom. The interval of L* holds the sizes at which
the band's edge lies within the 95 % interval of the smoothed curve: this inverts a test at each
size, and needs no linearisation in L*.

Rungs with fewer than 9 clusters never decide. Beyond the last rung that does, the smoothed curve
goes on as the covariance goes on, up to the size at which 4 clusters fill a field.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, digamma, stdtrit

from heterode.heterogeneity.clusters import ClusterCurve
from heterode.heterogeneity.marks import Floats

LogVariance = Callable[[Floats], Floats]
"""The logarithm of the expected variance of cluster means, to within a constant, by size."""

DECIDING = 9
"""Fewest clusters of a rung that helps to decide."""

LEVEL = 0.95
"""Level of all intervals."""

# Factor of sizes over which the curve is smoothed, to either side.
_REACH = 2.5

# Sizes at which the smoothed curve is tested, and how far beyond the limit they go.
_SIZES = 240
_BEYOND = 4.0

# Fewest permutations that give the covariance between rungs.
_PERMUTATIONS = 19

# Half the length of a normal interval in standard errors.
_NORMAL = float(stdtrit(np.inf, 0.5 + LEVEL / 2))

# A curve that rises against its expectation by this many standard errors is not extrapolated.
_RISE = 2.5


@dataclass(frozen=True, eq=False)
class Noise:
    """Noise of y = log (|mean - global mean| + sd)^2 over the rungs of a curve.

    Attributes:
        covariance: (S, S) of y.
        bias: (S,) mean of y, less the logarithm of the expected variance.
    """

    covariance: Floats
    bias: Floats


def noise_of(curve: ClusterCurve, *, correlated: bool) -> Noise:
    """Return the noise under permuted values, or without them that of chi squares.

    Args:
        correlated: whether values are correlated. Several k-means starts then average out less of
            the noise than of permuted values, and K - 1 degrees of freedom are the most.
    """
    freedom = curve.clusters - 1.0
    if len(curve.null_sd) < _PERMUTATIONS:
        return Noise(2 / np.maximum(freedom[:, None], freedom), -1 / freedom)
    y = log_excursion(curve.null_mean, curve.null_sd, curve.global_mean)
    bias = y.mean(axis=0) - 2 * np.log(curve.expected_sd)
    # Permutations keep the variance of all values, which is uncertain as well.
    covariance = np.atleast_2d(np.cov(y.T)) + 2 / (curve.particles - 1)
    if correlated:
        lack = np.sqrt(np.maximum(1.0, 2 / (freedom * np.diag(covariance))))
        covariance = covariance * np.outer(lack, lack)
    return Noise(np.asarray(covariance), bias)


def log_excursion(mean: Floats, sd: Floats, global_mean: float) -> Floats:
    """Return log (|mean - global mean| + sd)^2, which the band's edge is compared with."""
    reach = np.abs(mean - global_mean) + sd
    return np.asarray(2 * np.log(np.maximum(reach, np.finfo(float).tiny)))


@dataclass(frozen=True, eq=False)
class Reading:
    """L* with its interval, before it is judged; lengths are in micrometres.

    Attributes:
        length_um: the last size outside; the smallest size if none is.
        low_um, high_um: ends of the interval; low_um is the smallest size if the curve may be
            inside everywhere, and high_um infinite if it may be outside at twice the field.
        rises: whether the curve rises against its expectation, so that it cannot be extrapolated.
        sd, sd_low, sd_high: (S,) the smoothed standard deviation at the rungs, and its interval.
    """

    length_um: float
    low_um: float
    high_um: float
    rises: bool
    sd: Floats
    sd_low: Floats
    sd_high: Floats


def chi_square_arms(error: Floats) -> tuple[Floats, Floats]:
    """Return how far the mean may lie below and above the logarithm of a scaled chi square.

    Args:
        error: (G,) standard deviations of the logarithm, whose own mean is corrected for.
    """
    variance = np.maximum(error**2, 1e-12)
    # The variance of the logarithm is 2 / nu + 2 / nu^2 to second order.
    nu = (1 + np.sqrt(1 + 2 * variance)) / variance
    mean = digamma(nu / 2) - np.log(nu / 2)
    tail = (1 - LEVEL) / 2
    down = np.log(chdtri(nu, tail) / nu) - mean
    up = mean - np.log(chdtri(nu, 1 - tail) / nu)
    return np.asarray(down), np.asarray(up)


def student_arm(estimates: int) -> float:
    """Return half the length of an interval, in standard errors from a few estimates."""
    return float(stdtrit(estimates - 1, 0.5 + LEVEL / 2))


class Reader:
    """Smooths the curves of one ladder, observed or permuted, and reads L* off them."""

    def __init__(
        self,
        size_um: Floats,
        clusters: Floats,
        limit_um: float,
        log_variance: LogVariance,
        noise: Noise,
        uncertain: Sequence[LogVariance] = (),
    ) -> None:
        """Prepare the weights.

        Args:
            size_um: (S,) increasing sizes.
            clusters: (S,) numbers of clusters.
            limit_um: largest size at which an L* can be.
            log_variance: the expected curve.
            noise: noise of the rungs.
            uncertain: the expected curve without each of the sub-fields.
        """
        self.size_um, self.limit_um = size_um, limit_um
        self.deciding = clusters >= min(DECIDING, float(clusters.max()))
        self._noise = noise
        self._grid: Floats = np.geomspace(size_um[0], _BEYOND * limit_um, _SIZES)
        self._at_rungs = log_variance(size_um)
        self._on_grid, self._to_grid = log_variance(self._grid), self._weights(self._grid, clusters)
        self._error = self._standard_error(self._grid, self._to_grid, uncertain)
        self._to_rungs = self._weights(size_um, clusters)
        self._rung_error = self._standard_error(size_um, self._to_rungs, uncertain)

    @property
    def last_um(self) -> float:
        """The largest size that helps to decide."""
        return float(self.size_um[self.deciding][-1])

    def lengths(self, excursion: Floats, half_band: float) -> Floats:
        """Return (R,) L* of R curves of log_excursion (R, S), without intervals."""
        level = self._on_grid + self._counted(excursion) @ self._to_grid.T
        return np.array([self._last_outside(row - 2 * np.log(half_band)) for row in level])

    def read(self, excursion: Floats, half_band: float) -> Reading:
        """Read L* and its interval off one curve of log_excursion (S,)."""
        counted = self._counted(excursion)
        above = self._on_grid + self._to_grid @ counted - 2 * np.log(half_band)
        down, up = chi_square_arms(self._error)
        level = self._at_rungs + self._to_rungs @ counted
        rung_down, rung_up = chi_square_arms(self._rung_error)
        return Reading(
            length_um=self._last_outside(above),
            low_um=self._last_outside(above - down),
            high_um=np.inf if above[-1] + up[-1] > 0 else self._last_outside(above + up),
            rises=self._rises(counted),
            sd=np.exp(level / 2),
            sd_low=np.exp((level - rung_down) / 2),
            sd_high=np.exp((level + rung_up) / 2),
        )

    def _counted(self, excursion: Floats) -> Floats:
        """Return (..., S) logarithms of counted over expected variance, 0 where none decides."""
        return np.where(self.deciding, excursion - self._noise.bias - self._at_rungs, 0.0)

    def _weights(self, size_um: Floats, clusters: Floats) -> Floats:
        """Return (G, S) weights of the rungs in the averages around (G,) sizes."""
        apart = np.abs(np.log(np.minimum(size_um, self.last_um)[:, None] / self.size_um))
        apart = np.where(self.deciding, apart, np.inf)
        reach = np.maximum(np.log(_REACH), 1.1 * apart.min(axis=1, keepdims=True))
        weight = np.clip(1 - apart / reach, 0, None) * np.maximum(clusters - 1.0, 1.0)
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))

    def _standard_error(
        self, size_um: Floats, weights: Floats, uncertain: Sequence[LogVariance]
    ) -> Floats:
        """Return (G,) standard errors of the smoothed logarithm."""
        variance = np.einsum("gi,ij,gj->g", weights, self._noise.covariance, weights)
        if len(uncertain) > 1:
            slopes = np.array([f(size_um) - weights @ f(self.size_um) for f in uncertain])
            # A few sub-fields know their own spread badly, as Student's t allows for.
            wider = (student_arm(len(slopes)) / _NORMAL) ** 2
            variance = variance + wider * (len(slopes) - 1) * slopes.var(axis=0)
        return np.asarray(np.sqrt(variance))

    def _rises(self, counted: Floats) -> bool:
        """Return whether the largest deciding rungs lie above the expectation ever more."""
        used = self.deciding & (self.size_um >= self.last_um / _REACH)
        if np.count_nonzero(used) < 3:
            return False
        x = np.log(self.size_um[used])
        weight = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
        error = np.sqrt(weight @ self._noise.covariance[np.ix_(used, used)] @ weight)
        return bool(weight @ counted[used] > _RISE * error)

    def _last_outside(self, above: Floats) -> float:
        """Return the last size at which (G,) logarithms are above 0, between sizes by a power."""
        if np.isnan(above).any():
            return float("nan")
        outside = np.flatnonzero(above > 0)
        if outside.size == 0:
            return float(self._grid[0])
        last = int(outside[-1])
        if last == len(self._grid) - 1:
            return float(self._grid[-1])
        part = above[last] / (above[last] - above[last + 1])
        return float(self._grid[last] * (self._grid[last + 1] / self._grid[last]) ** part)
