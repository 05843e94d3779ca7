"""All estimators together: one call turns particles into numbers and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from heterode.base.errors import ArgumentError, InputError
from heterode.distributions.gaussian_field import Correlation
from heterode.heterogeneity import export
from heterode.heterogeneity.clusters import ClusterCurve, cluster_curve
from heterode.heterogeneity.correlogram import Correlogram, correlogram
from heterode.heterogeneity.density import DensityMap, density_map
from heterode.heterogeneity.directional import DirectionalCorrelogram, directional_correlogram
from heterode.heterogeneity.envelope import EnvelopeTest, envelope_test
from heterode.heterogeneity.marks import Floats, MarkedPoints, checked
from heterode.heterogeneity.scale import Scale, scale_of_heterogeneity
from heterode.heterogeneity.trend import Detrend, Trend, linear_trend, without_trend
from heterode.heterogeneity.value_range import RangeCheck, checked_range
from heterode.heterogeneity.variogram import VariogramFit, fit_variogram

# Largest distance of the pairs shown if the field is larger, um.
_FARTHEST_UM = 100.0

# One number is kept for each bin of each permutation and each coefficient.
_MOST_BINS = 2000


@dataclass(frozen=True)
class Settings:
    """Settings of the analysis; lengths are in micrometres.

    Attributes:
        bin_um: width of the distance bins.
        max_um: largest distance; None for the lesser of 100 um and half the longest side.
        permutations: permutations of the marks for all null distributions; 0 for none.
        level: level of the envelopes.
        min_pairs: bins with fewer pairs hold NaN.
        rank_pairs_cap: most pairs in a bin for Kendall's coefficient.
        ladder: numbers of clusters; None for 24 sizes.
        seeds: k-means starts for each size.
        weighted: whether cluster means are weighted by area or volume.
        band: half-width of the band for L*, as a fraction of the range of values.
        value_range: range used instead of the particles' own.
        bandwidth_um: bandwidth of the density maps; None for that of `density.bandwidth`.
        grid: cells along a map's longer side.
        model: model of the variogram.
        robust: whether the band of L* is a fraction of the range from the 1 to the 99 % quantile.
        detrend: whether the linear trend is removed before all else: "none", "depth" for the
            direction across the coating, or "all".
        depth: number of the direction from the collector to the separator; None if it is not in
            the fields.

    Raises:
        InputError: a width, a distance or a number is not above 0, or the model is unknown.
    """

    bin_um: float = 10.0
    max_um: float | None = None
    permutations: int = 199
    level: float = 0.95
    min_pairs: int = 30
    rank_pairs_cap: int = 2_000_000
    ladder: tuple[int, ...] | None = None
    seeds: int = 5
    weighted: bool = False
    band: float = 0.02
    value_range: float | None = None
    bandwidth_um: float | None = None
    grid: int = 256
    model: Correlation | Literal["best"] = "best"
    robust: bool = False
    detrend: Detrend = "none"
    depth: int | None = 0

    def __post_init__(self) -> None:
        for name in ("bin_um", "max_um", "min_pairs", "rank_pairs_cap", "seeds", "band"):
            number = getattr(self, name)
            if number is not None and not (number > 0 and np.isfinite(number)):
                raise InputError(f"{name} = {number} must be above 0 and finite.")
        if self.max_um is not None and self.max_um < self.bin_um:
            raise InputError(
                f"max_um = {self.max_um:g} is less than one bin (bin_um = {self.bin_um:g})."
            )
        models = ("best", "exponential", "spherical", "gaussian")
        if self.model not in models:
            raise InputError(f"model = {self.model!r}; allowed are {', '.join(models)}.")
        if self.detrend not in get_args(Detrend):
            raise InputError(f"detrend = {self.detrend!r}; allowed are none, depth, all.")
        if self.robust and self.value_range is not None:
            raise ArgumentError(
                "{robust} and {value_range}: the range is either found or given. Leave one out",
                robust=...,
                value_range=self.value_range,
            )

    def edges_um(self, fields: Sequence[MarkedPoints]) -> Floats:
        """Return (B+1,) edges of the distance bins."""
        longest = max(float(field.sides_um.max()) for field in fields)
        reach = min(_FARTHEST_UM, 0.5 * longest) if self.max_um is None else self.max_um
        if reach / self.bin_um > _MOST_BINS:
            raise InputError(
                f"distance bins of {self.bin_um:g} um up to {reach:g} um are too many (allowed: "
                f"{_MOST_BINS}). Take wider bins, at least {reach / _MOST_BINS:.3g} um, or a "
                "shorter largest distance."
            )
        bins = max(1, int(reach / self.bin_um + 1e-9))
        return np.asarray(self.bin_um * np.arange(bins + 1), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Heterogeneity:
    """Result of `analyse`.

    Attributes:
        fields: the fields that were analysed, without the trend if it was removed.
        settings: the settings that were used.
        correlogram, variogram, curve, scale: the results for all fields pooled.
        range_check: range of the values against outliers.
        scale_full, scale_robust: L* with the band of the whole range, and of that from 1 to 99 %.
        trend: linear trend of the values as they were given.
        directional: pairs along and across the coating; None if the depth is not in the fields.
        envelope: test of the cluster curve and the nearest pairs against randomly exchanged values.
        density: one map for each field.
        warnings: sentences that a reader must see.
    """

    fields: tuple[MarkedPoints, ...]
    settings: Settings
    correlogram: Correlogram
    variogram: VariogramFit
    curve: ClusterCurve
    scale: Scale
    envelope: EnvelopeTest
    range_check: RangeCheck
    scale_full: Scale
    scale_robust: Scale
    trend: Trend
    directional: DirectionalCorrelogram | None
    density: tuple[DensityMap, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return every number, ready for JSON (with NaN as None) and with units in the keys.

        The maps' pixels are left out, and quantiles replace the single permutations.
        """
        return {
            "fields": [export.field_dict(field) for field in self.fields],
            "settings": export.jsonable(asdict(self.settings)),
            "correlogram": export.correlogram_dict(self.correlogram),
            "variogram": export.variogram_dict(self.variogram, self.curve.dimension),
            "clusters": export.curve_dict(self.curve),
            "scale": export.jsonable(asdict(self.scale)),
            "scale_by_range": {
                name: {
                    key: export.jsonable(getattr(scale, key))
                    for key in ("value_range", "scale_um", "flag", "error_um")
                }
                for name, scale in (("full", self.scale_full), ("robust", self.scale_robust))
            },
            "range": export.jsonable(asdict(self.range_check)),
            "trend": export.trend_dict(self.trend),
            "directional": export.directional_dict(self.directional),
            "envelope_test": export.jsonable(asdict(self.envelope)),
            "density": [export.density_dict(density) for density in self.density],
            "warnings": list(self.warnings),
        }

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the curves as tables.

        "correlogram" has a row for each distance bin, "variogram" for each bin of the fit,
        "directions" for each distance bin along and across the coating, "clusters" for each cluster
        size, and "cluster_means" for each cluster.
        """
        return {
            "correlogram": export.correlogram_table(self.correlogram),
            "variogram": export.variogram_table(self.variogram),
            "directions": export.directions_table(self.directional),
            "clusters": export.clusters_table(self.curve),
            "cluster_means": export.cluster_means_table(self.curve),
        }


def analyse(
    fields: Sequence[MarkedPoints],
    settings: Settings,
    rng: np.random.Generator,
) -> Heterogeneity:
    """Apply all estimators to one or more fields of view of the same kind, pooled.

    Args:
        fields: at least one field; all have the same dimension.
        settings: see `Settings`.
        rng: generator; each purpose gets a child of its own.

    Raises:
        InputError: there is no field, dimensions differ, or the fields do not allow the settings.
    """
    given = checked(fields)
    pairs, clusters, trends, directions = rng.spawn(4)
    trend = linear_trend(
        given,
        permutations=settings.permutations,
        level=settings.level,
        depth=settings.depth,
        rng=trends,
    )
    listed = without_trend(given, trend, settings.detrend)
    of_pairs = correlogram(
        listed,
        settings.edges_um(listed),
        permutations=settings.permutations,
        rng=pairs,
        level=settings.level,
        min_pairs=settings.min_pairs,
        rank_pairs_cap=settings.rank_pairs_cap,
    )
    # Without permutations, or with too few pairs, no test supports the fit.
    p_value = of_pairs.pearson.p_value
    variogram = fit_variogram(
        listed, model=settings.model, p_value=p_value if np.isfinite(p_value) else None
    )
    curve = cluster_curve(
        listed,
        ladder=settings.ladder,
        seeds=settings.seeds,
        permutations=settings.permutations,
        weighted=settings.weighted,
        near_um=_nearest(of_pairs),
        rng=clusters,
    )
    range_check = checked_range(np.concatenate([field.value for field in listed]))

    def scale_in(width: float | None) -> Scale:
        return scale_of_heterogeneity(
            curve, band=settings.band, value_range=width, variogram=variogram
        )

    full, robust = scale_in(None), scale_in(range_check.robust or None)
    scale = robust if settings.robust else full
    if settings.value_range is not None:
        scale = scale_in(settings.value_range)
    directional = None
    if settings.depth is not None:
        directional = directional_correlogram(
            listed,
            of_pairs.edges_um,
            depth=settings.depth,
            permutations=settings.permutations,
            level=settings.level,
            min_pairs=settings.min_pairs,
            rng=directions,
        )
    density = tuple(
        density_map(field, bandwidth_um=settings.bandwidth_um, grid=settings.grid)
        for field in listed
    )
    return Heterogeneity(
        fields=listed,
        settings=settings,
        correlogram=of_pairs,
        variogram=variogram,
        curve=curve,
        scale=scale,
        envelope=envelope_test(curve, level=settings.level),
        range_check=range_check,
        scale_full=full,
        scale_robust=robust,
        trend=trend,
        directional=directional,
        density=density,
        warnings=(
            *_warnings(of_pairs, variogram, scale),
            *([range_check.warning] if range_check.warning and scale is full else []),
        ),
    )


def _nearest(of_pairs: Correlogram) -> tuple[float, float] | None:
    """Return the first distance bin with enough pairs, or None."""
    enough = np.flatnonzero(of_pairs.pairs >= of_pairs.min_pairs)
    if not enough.size:
        return None
    lower, upper = of_pairs.edges_um[enough[0] : enough[0] + 2]
    return float(lower), float(upper)


def _warnings(of_pairs: Correlogram, variogram: VariogramFit, scale: Scale) -> list[str]:
    """Return sentences that a reader of L* and the curves must know."""
    found = []
    if scale.flag == "above":
        found.append(
            f"L* is not converged: above {scale.scale_um:.0f} um in a field of {scale.field_um:.0f}"
            f" um, since {scale.reason}. A larger field is needed."
        )
    if scale.flag == "below":
        found.append(
            f"L* is below {scale.scale_um:.1f} um, the smallest cluster size: every cluster size"
            " keeps within the band."
        )
    if not scale.model_agrees:
        found.append(
            f"The fitted covariance gives L* = {scale.model_um:.0f} um ({scale.model_low_um:.0f} to"
            f" {scale.model_high_um:.0f}), which disagrees with the counted clusters"
            f" ({scale.counted_text}): a trend, another form of correlation, or chance."
        )
    if scale.p_value > 0.05:
        found.append(
            "The values cannot be told from randomly exchanged values by the cluster curve and the"
            f" nearest pairs (p = {scale.p_value:.2g})."
        )
    if scale.null_above > 0.05:
        found.append(
            f"Randomly exchanged values leave L* not converged in {scale.null_above:.0%} of cases:"
            " the field holds too few particles for this band."
        )
    if not variogram.identified:
        found.append(f"No correlation length: {variogram.reason}.")
    notes = {s.note: s.name for s in of_pairs.statistics.values() if s.note}
    found += [f"Correlogram, {name}: {note}." for note, name in notes.items()]
    return found
