r"""The scale of heterogeneity L*, read off the cluster curve.

L* is the least size such that at all larger sizes mean +- sd over clusters stay inside the global
mean +- delta, with delta = band * range of the values. It is read off a smoothed curve with an
interval (heterode.heterogeneity.reading); beside it stands the L* of the fitted covariance, which
counts no clusters (heterode.heterogeneity.modelled).

L* is not a correlation length. Independent marks of standard deviation sigma, with lambda particles
per area, have the finite L* = (sigma / delta) sqrt(1 / lambda), and correlated marks have
(sigma / delta) sqrt(1 / lambda + A_int), where A_int is the integral of the correlation function.
In 3D both are the cube root of the same expression squared.

Over draws of independent and exponentially correlated marks, the interval holds the L* of the
true covariance in more than 90 % of cases, or the flag says "above"
(`scripts/benchmark_heterogeneity.py --coverage`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from heterode.base.errors import InputError
from heterode.heterogeneity.blocks import jackknife_error
from heterode.heterogeneity.clusters import ClusterCurve
from heterode.heterogeneity.envelope import envelope_test
from heterode.heterogeneity.marks import Floats
from heterode.heterogeneity.modelled import (
    ModelledCurve,
    ModelledScale,
    modelled_curves,
    modelled_scale,
)
from heterode.heterogeneity.reading import (
    DECIDING,
    Noise,
    Reader,
    Reading,
    log_excursion,
    noise_of,
)
from heterode.heterogeneity.variogram import VariogramFit

Flag = Literal["below", "ok", "above"]

# Clusters that fill a field where L* can be read at most.
_FILL = 4


@dataclass(frozen=True, eq=False)
class Scale:
    """L* with all that is needed to judge it; lengths are in micrometres.

    Attributes:
        scale_um: L*. With the flag "below" it is the smallest size of the ladder (L* is at most
            that), with "above" the lower end of the interval, at most limit_um (L* is at least
            that).
        flag: "below", "ok" or "above".
        reason: why L* cannot be read, or "".
        low_um, high_um: 95 % interval, which may end beyond limit_um; low_um is
            NaN with the flag "below", high_um infinite beyond twice the field.
        limit_um: the size at which 4 clusters fill a field; larger L* have the flag "above".
        deciding_um: largest size with at least 9 clusters; larger ones decide nothing.
        scale_particles: L* in particles per cluster.
        band, value_range, half_band: half_band = band * value_range (delta).
        null_quantiles_um: (3,) 2.5, 50 and 97.5 % quantiles of L* under permuted marks, where
            permutations without convergence have limit_um; NaN without permutations.
        null_above: fraction of permutations that did not converge.
        p_value: probability of so extreme a cluster curve under randomly exchanged values, by the
            global test of `envelope`.
        length_p_value: fraction of permutations and observation with an L* at least as large.
        seed_sd_um: standard deviation of L* over the k-means seeds.
        jackknife_error_um: standard error over sub-fields; NaN where L* is not converged if one of
            them is left out.
        error_um: half the longer arm of the interval: |L* - scale_um| is less than twice this with
            the interval's confidence; NaN unless the flag is "ok".
        by_field_um: (fields,) L* of each field alone, in the same band; NaN where it is not
            converged or there are too few clusters.
        field_sd_um: standard deviation over fields; NaN with fewer than two.
        field_um: (extent / fields)^(1/d), the size of a mean field.
        particles: number N of particles.
        dimension: d.
        independent_um: analytic L* of independent marks.
        correlated_um: analytic L* with the fitted correlation; NaN where none is identified.
        model_um, model_low_um, model_high_um: L* of the fitted covariance at the particles'
            distances in clusters of finite size, with its interval; of independent marks where no
            correlation is identified.
        model_agrees: whether the two intervals overlap.
        smoothed_sd, smoothed_low, smoothed_high: (S,) the standard deviation over clusters that
            L* was read off, with its 95 % interval.
        model_sd: (S,) standard deviation over clusters that the fitted covariance gives.
        degrees: (S,) effective degrees of freedom of each rung's variance.
    """

    scale_um: float
    flag: Flag
    reason: str
    low_um: float
    high_um: float
    limit_um: float
    deciding_um: float
    scale_particles: float
    band: float
    value_range: float
    half_band: float
    null_quantiles_um: Floats
    null_above: float
    p_value: float
    length_p_value: float
    seed_sd_um: float
    jackknife_error_um: float
    error_um: float
    by_field_um: Floats
    field_sd_um: float
    field_um: float
    particles: int
    dimension: int
    independent_um: float
    correlated_um: float
    model_um: float
    model_low_um: float
    model_high_um: float
    model_agrees: bool
    smoothed_sd: Floats
    smoothed_low: Floats
    smoothed_high: Floats
    model_sd: Floats
    degrees: Floats

    @property
    def counted_text(self) -> str:
        """The interval of the counted L* as text, in micrometres."""
        if self.flag == "below":
            return f"at most {self.high_um:.0f} um"
        if self.flag == "above":
            return f"more than {self.scale_um:.0f} um"
        return f"{self.low_um:.0f} to {self.high_um:.0f} um"


def scale_of_heterogeneity(
    curve: ClusterCurve,
    *,
    band: float = 0.02,
    value_range: float | None = None,
    variogram: VariogramFit | None = None,
) -> Scale:
    """Find L*, the least size such that at all larger ones mean +- sd stay inside the band.

    Args:
        band: half-width of the band as a fraction of the range of values.
        value_range: range used instead of the particles' own.
        variogram: fit of the covariance; without it, values count as independent between sizes.

    Raises:
        InputError: the band or the range is not above 0.
    """
    width = curve.value_range if value_range is None else float(value_range)
    if not band > 0 or not width > 0:
        raise InputError(f"band = {band:g} and value_range = {width:g} must both be above 0.")
    delta = band * width
    d = curve.dimension
    limit = (curve.extent / (_FILL * curve.fields)) ** (1 / d)
    whole, parts = modelled_curves(curve, variogram)
    noise = noise_of(curve, correlated=bool(parts))
    reader = Reader(
        curve.size_um,
        curve.clusters.astype(np.float64),
        limit,
        whole.log_variance,
        noise,
        [part.log_variance for part in parts],
    )
    reading = reader.read(log_excursion(curve.mean, curve.sd, curve.global_mean), delta)
    modelled = modelled_scale(curve, variogram, whole, parts, delta)
    flag, reason = judged(reading, modelled, reader)
    scale = min(reading.low_um, limit) if flag == "above" else reading.length_um
    null_um = _null_lengths(curve, limit, noise, delta)
    seeds = reader.lengths(
        log_excursion(curve.mean_by_seed, curve.sd_by_seed, curve.global_mean), delta
    )
    jackknife = reader.lengths(
        log_excursion(curve.jackknife_mean, curve.jackknife_sd, curve.global_mean), delta
    )
    by_field = np.array([_of_field(curve, f, whole, noise, delta) for f in range(curve.fields)])
    read = by_field[np.isfinite(by_field)]
    density = curve.particles / curve.extent
    reduced = (curve.value_sd / delta) ** 2
    return Scale(
        scale_um=scale,
        flag=flag,
        reason=reason,
        low_um=float("nan") if flag == "below" else reading.low_um,
        high_um=reading.high_um,
        limit_um=limit,
        deciding_um=reader.last_um,
        scale_particles=density * scale**d,
        band=band,
        value_range=width,
        half_band=delta,
        null_quantiles_um=(
            np.quantile(np.minimum(null_um, limit), [0.025, 0.5, 0.975])
            if null_um.size
            else np.full(3, np.nan)
        ),
        null_above=float(np.mean(null_um > limit)) if null_um.size else float("nan"),
        p_value=envelope_test(curve).p_value,
        length_p_value=_p_value(reading.length_um, null_um),
        seed_sd_um=float(np.std(seeds, ddof=1)) if len(seeds) > 1 else float("nan"),
        jackknife_error_um=jackknife_error(np.where(jackknife > limit, np.nan, jackknife)),
        error_um=(
            max(reading.high_um - scale, scale - reading.low_um) / 2
            if flag == "ok"
            else float("nan")
        ),
        by_field_um=by_field,
        field_sd_um=float(np.std(read, ddof=1)) if read.size > 1 else float("nan"),
        field_um=(curve.extent / curve.fields) ** (1 / d),
        particles=curve.particles,
        dimension=d,
        independent_um=(reduced / density) ** (1 / d),
        correlated_um=(
            (reduced * (1 / density + variogram.integral)) ** (1 / d)
            if variogram is not None and variogram.identified
            else float("nan")
        ),
        model_um=modelled.length_um,
        model_low_um=modelled.low_um,
        model_high_um=modelled.high_um,
        model_agrees=(modelled.high_um >= reading.low_um and modelled.low_um <= reading.high_um),
        smoothed_sd=reading.sd,
        smoothed_low=reading.sd_low,
        smoothed_high=reading.sd_high,
        model_sd=np.exp(whole.log_variance(curve.size_um) / 2),
        degrees=2 / np.diag(noise.covariance),
    )


def judged(reading: Reading, modelled: ModelledScale, reader: Reader) -> tuple[Flag, str]:
    """Return the flag of a reading, and why L* cannot be read."""
    if reading.length_um <= reader.size_um[0]:
        return "below", f"every size keeps within the band from {reader.size_um[0]:.3g} um on"
    if reading.rises and reading.high_um > reader.last_um:
        return "above", (
            f"up to {reader.last_um:.3g} um, the largest size with {DECIDING} clusters, the curve"
            " falls more slowly than the fitted covariance lets it: a trend or a longer scale"
        )
    fill = f"{reader.limit_um:.3g} um, where {_FILL} clusters fill a field"
    if reading.high_um > reader.limit_um:
        return "above", f"its interval, from {reading.low_um:.3g} um on, reaches beyond {fill}"
    if modelled.high_um > reader.limit_um:
        # A reading that happens to be low would otherwise pass where others do not.
        interval = f"{modelled.low_um:.3g} to {modelled.high_um:.3g} um"
        return "above", f"the fitted covariance gives {interval}, which reaches beyond {fill}"
    return "ok", ""


def _null_lengths(curve: ClusterCurve, limit: float, noise: Noise, delta: float) -> Floats:
    """Return (M,) L* of permuted marks, which are independent; they may be beyond the limit."""
    independent, _ = modelled_curves(curve, None)
    clusters = curve.clusters.astype(np.float64)
    reader = Reader(curve.size_um, clusters, limit, independent.log_variance, noise)
    return reader.lengths(log_excursion(curve.null_mean, curve.null_sd, curve.global_mean), delta)


def _p_value(scale: float, null_um: Floats) -> float:
    """Return the p value: the observed curve is one of M + 1 equally likely under random marks."""
    if null_um.size == 0:
        return float("nan")
    return float((1 + np.count_nonzero(null_um >= scale)) / (null_um.size + 1))


def _of_field(
    curve: ClusterCurve, field: int, whole: ModelledCurve, noise: Noise, delta: float
) -> float:
    """Return L* of one field alone, about its own mean; NaN where it is not converged."""
    used = np.isfinite(curve.field_sd[field])
    if np.count_nonzero(used) < 2:
        return float("nan")
    clusters = curve.field_clusters[field][used].astype(np.float64)
    size = curve.field_size_um[field][used]
    limit = float(size[0] * (clusters[0] / _FILL) ** (1 / curve.dimension))
    # Numbers of clusters decrease along the ladder.
    bias = np.interp(clusters, curve.clusters[::-1], noise.bias[::-1])
    own = Noise(2 / np.maximum(clusters[:, None], clusters), bias)
    reader = Reader(size, clusters, limit, whole.log_variance, own)
    mean, sd = curve.field_mean[field][used], curve.field_sd[field][used]
    excursion = log_excursion(mean, sd, float(curve.field_global_mean[field]))
    length = float(reader.lengths(excursion[None], delta)[0])
    return length if size[0] < length <= limit else float("nan")
