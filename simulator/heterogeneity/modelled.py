"""L* and the cluster curve that the fitted covariance gives, without counting any clusters.

Where a correlation is identified, it is the fit with its nugget, and the interval comes from
leaving out one sub-field at a time. Otherwise the values count as independent, and the upper end
has the correlation that may have stayed hidden: the sum R of the correlation over the m near
neighbours of a particle is estimated from the variogram, with a standard error of sqrt(2 m / N) for
N particles, and the variance of a large cluster's mean goes with 1 + R.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heterode.heterogeneity.blocks import jackknife_error
from heterode.heterogeneity.clusters import ClusterCurve
from heterode.heterogeneity.marks import Floats
from heterode.heterogeneity.reading import student_arm
from heterode.heterogeneity.variogram import VariogramFit

# Mean spacings within which neighbours may have a correlation that is not identified. Beyond them
# the cluster curve and the correlogram see it.
_HIDDEN_SPACINGS = 2.0

# Fewest clusters with which a field's own mean is subtracted: larger clusters are imagined in an
# endless field.
_FEWEST = 4.0

# Sizes at which the curve is computed, between a particle's spacing and this many fields.
_SIZES = 240
_FIELDS = 8.0


@dataclass(frozen=True)
class ModelledScale:
    """L* of the fitted covariance with its interval; lengths are in micrometres."""

    length_um: float
    low_um: float
    high_um: float


class ModelledCurve:
    """The expected variance of cluster means by size, for one set of nugget, sill and length."""

    def __init__(
        self, curve: ClusterCurve, fit: VariogramFit | None, parameters: Floats | None
    ) -> None:
        """Take the particles per cluster from a curve.

        Args:
            curve: the counted curve, of which only the numbers in its clusters are used.
            fit: the model of the correlation and the neighbours.
            parameters: (3,) nugget, sill and length; None for independent values.
        """
        self._fit, self._parameters = fit, parameters
        self._sill = curve.value_sd**2 if parameters is None else float(parameters[1])
        self._d, self._extent = curve.dimension, curve.extent
        self._log_size = np.log(curve.size_um)
        # Mean of 1/n_c times the size of a cluster; it hardly depends on the size.
        inverse = (curve.expected_sd / curve.value_sd) ** 2
        self._log_inverse = np.log(inverse) + self._d * self._log_size

    def log_variance(self, size_um: Floats) -> Floats:
        """Return (G,) log E[s_K^2]."""
        log_size = np.log(size_um)
        inverse = np.interp(log_size, self._log_size, self._log_inverse) - self._d * log_size
        if self._fit is None or self._parameters is None:
            return np.asarray(inverse + np.log(self._sill))
        nugget, sill, length = (float(p) for p in self._parameters)
        clusters = np.maximum(self._extent / size_um**self._d, _FEWEST)
        neighbours, model = self._fit.neighbours, self._fit.model
        in_clusters = sill + (sill - nugget) * neighbours.in_clusters(model, length, size_um)
        in_field = sill + (sill - nugget) * neighbours.in_field(model, length)
        variance = (clusters * in_clusters - in_field) / (clusters - 1)
        return np.asarray(inverse + np.log(np.maximum(variance, np.finfo(float).tiny)))

    def length_um(self, half_band: float) -> float:
        """Return the last size at which the expected standard deviation exceeds the half-band."""
        largest = np.log(_FIELDS) + np.log(self._extent) / self._d
        size: Floats = np.exp(np.linspace(self._log_size[0] - np.log(4.0), largest, _SIZES))
        above = self.log_variance(size) - 2 * np.log(half_band)
        outside = np.flatnonzero(above > 0)
        if outside.size == 0:
            return float(size[0])
        last = int(outside[-1])
        if last == len(size) - 1:
            # Far beyond every correlation length the standard deviation falls by L^(-d/2).
            return float(size[-1] * np.exp(above[-1] / self._d))
        part = above[last] / (above[last] - above[last + 1])
        return float(size[last] * (size[last + 1] / size[last]) ** part)


def modelled_curves(
    curve: ClusterCurve, fit: VariogramFit | None
) -> tuple[ModelledCurve, list[ModelledCurve]]:
    """Return the expected curve, and those without each sub-field (none if independent)."""
    if fit is None or not fit.identified:
        return ModelledCurve(curve, None, None), []
    whole = np.array([fit.nugget, fit.sill, fit.length_um])
    return (
        ModelledCurve(curve, fit, whole),
        [ModelledCurve(curve, fit, without) for without in fit.without_block],
    )


def modelled_scale(
    curve: ClusterCurve,
    fit: VariogramFit | None,
    whole: ModelledCurve,
    parts: list[ModelledCurve],
    half_band: float,
) -> ModelledScale:
    """Return L* of the expected curve, with its interval."""
    length = whole.length_um(half_band)
    # The variance of the values themselves is known to 2 / N.
    of_variance = np.sqrt(2 / curve.particles) / curve.dimension
    if parts:
        logs = np.array([np.log(part.length_um(half_band)) for part in parts])
        half = student_arm(len(parts)) * float(np.hypot(jackknife_error(logs), of_variance))
        return ModelledScale(length, length * np.exp(-half), length * np.exp(half))
    near, found = near_correlation(curve, fit)
    arm = student_arm(curve.particles)
    most = max(found, 0.0) + arm * np.sqrt(2 * near / curve.particles)
    up = np.hypot(np.log1p(most) / curve.dimension, arm * of_variance)
    low, high = length * np.exp(-arm * of_variance), length * np.exp(up)
    return ModelledScale(length, float(low), float(high))


def near_correlation(curve: ClusterCurve, fit: VariogramFit | None) -> tuple[float, float]:
    """Return the number of a particle's near neighbours, and the sum of the correlation over them.

    Args:
        curve: the counted curve.
        fit: the binned variogram; without it the neighbours are those of an even density, and the
            sum is 0.
    """
    if fit is None:
        ball = np.pi if curve.dimension == 2 else 4 * np.pi / 3
        return float(ball * _HIDDEN_SPACINGS**curve.dimension), 0.0
    spacing = (curve.extent / curve.particles) ** (1 / curve.dimension)
    near = fit.distance_um <= _HIDDEN_SPACINGS * spacing
    neighbours = 2 * fit.pairs[near] / curve.particles
    correlation = 1 - fit.gamma[near] / curve.value_sd**2
    return float(neighbours.sum()), float(neighbours @ correlation)
