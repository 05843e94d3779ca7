"""The scale of heterogeneity L*, read off the cluster curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulator.heterogeneity.clusters import ClusterCurve
from simulator.heterogeneity.marks import Floats
from simulator.heterogeneity.variogram import VariogramFit

Flag = Literal["below", "ok", "above"]


@dataclass(frozen=True, eq=False)
class Scale:
    """L* with all that is needed to judge it; lengths in micrometres.

    Attributes:
        scale_um: L*; with flag "below" the smallest size of the ladder (L* is at most that), with
            "above" the largest (not converged: L* is at least that).
        flag: "below", "ok" or "above".
        scale_particles: L* in particles per cluster.
        band, value_range, half_band: half_band = band * value_range (delta).
        null_quantiles_um: (3,) 2.5, 50 and 97.5 % of L* under permuted marks; NaN without any.
        null_above: fraction of permutations that did not converge.
        p_value: fraction of permutations with L* at least as large (one-sided).
        seed_sd_um: standard deviation of L* over k-means seeds.
        jackknife_error_um: standard error over sub-fields; NaN where a sub-field does not read.
        error_um: both together.
        by_field_um: (fields,) L* of each field alone; NaN where not converged or too few clusters.
        field_sd_um: their standard deviation; NaN below two.
        field_um: (extent / fields)^(1/d), the size of a mean field.
        particles: N.
        independent_um: analytic, independent marks: (sigma/delta) sqrt(1/lambda) in 2D.
        correlated_um: the same with the fitted correlation; NaN without an identified one.
    """

    scale_um: float
    flag: Flag
    scale_particles: float
    band: float
    value_range: float
    half_band: float
    null_quantiles_um: Floats
    null_above: float
    p_value: float
    seed_sd_um: float
    jackknife_error_um: float
    error_um: float
    by_field_um: Floats
    field_sd_um: float
    field_um: float
    particles: int
    independent_um: float
    correlated_um: float


def scale_of_heterogeneity(
    curve: ClusterCurve,
    *,
    band: float = 0.02,
    value_range: float | None = None,
    variogram: VariogramFit | None = None,
) -> Scale:
    """L*: the least size such that at all larger ones mean +- sd stay inside the band.

    Args:
        band: half-width of the band as a fraction of the range of values.
        value_range: in place of the particles' own range.
        variogram: for the analytic L* of correlated marks.
    """
    raise NotImplementedError
