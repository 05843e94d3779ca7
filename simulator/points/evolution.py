"""Heterogeneity over a whole run, from spread to L*, with a row for each of several instants.

The spread over particles grows if some react faster than others, whether all at the same time or
one after another; `heterode.viewing.particle_currents` distinguishes these cases. The table also
has the scale of that spread (L* and the correlation length), the similarity of neighbours
(Moran's I in the nearest bins) and the linear trend.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from heterode.heterogeneity.analysis import Settings
from heterode.heterogeneity.clusters import cluster_curve
from heterode.heterogeneity.correlogram import correlogram
from heterode.heterogeneity.marks import Ints, MarkedPoints
from heterode.heterogeneity.partitions import Partitions
from heterode.heterogeneity.scale import scale_of_heterogeneity
from heterode.heterogeneity.trend import linear_trend, without_trend
from heterode.heterogeneity.value_range import checked_range
from heterode.heterogeneity.variogram import fit_variogram
from heterode.points.run import LEAST_SPREAD, RunParticles

INSTANTS = 40
NEAREST_BINS = 3
_SIZES = 16
_PERMUTATIONS = 39  # the fewest that can distinguish a correlation length from chance at 5 %


def evenly_charged(run: RunParticles, count: int = INSTANTS) -> Ints:
    """Choose samples at about equal steps of the charge passed, in charge and discharge.

    Args:
        run: a run of T samples.
        count: largest number of samples.

    Returns:
        (M,) increasing numbers of samples, including the first and the last.
    """
    passed = np.r_[0.0, np.cumsum(np.abs(np.diff(run.mean)))]
    wanted = np.linspace(0.0, passed[-1], count)
    after = np.clip(np.searchsorted(passed, wanted), 1, max(len(passed) - 1, 1))
    if len(passed) == 1:
        return np.zeros(1, dtype=np.int64)
    nearer = wanted - passed[after - 1] < passed[after] - wanted
    return np.unique(np.r_[0, after - nearer, len(passed) - 1]).astype(np.int64)


def evolution(
    run: RunParticles, settings: Settings, seed: int, count: int = INSTANTS
) -> pd.DataFrame:
    """Compute spread, L*, correlation length and Moran's I at several instants of a run.

    Args:
        run: a run of T samples.
        settings: settings for one instant, of which some numbers are lowered to save time.
        seed: seed of the clusters, which are the same at every instant.
        count: largest number of instants.

    Returns:
        A row for each instant with time_s, voltage_V, current_A_m2, cycle, step,
        lithium_fraction_mean, lithium_fraction_sd (both weighted by volume), value_range,
        scale_um, scale_flag, correlation_length_um (NaN where none is identified), and
        moran_A_B_um for the nearest distance bins, with the standard deviation of the nearest one
        under permuted values; and the numbers of `Trend.columns`, of the values before a trend is
        removed. Where all particles are equal, the statistics are NaN and the flag is "".

    Raises:
        InputError: there are fewer than 10 particles.
    """
    rows = []
    partitions: Partitions | None = None
    for index in evenly_charged(run, count):
        instant = run.instant(int(index))
        row = {
            "time_s": instant.time_s,
            "voltage_V": instant.voltage_V,
            "current_A_m2": float(run.history["current_A_m2"].iloc[index]),
            "cycle": instant.cycle,
            "step": instant.step,
            "lithium_fraction_mean": instant.lithium_fraction_mean,
            "lithium_fraction_sd": instant.lithium_fraction_sd,
            "value_range": float(np.ptp(run.series.lithium_fraction[index])),
            "scale_um": np.nan,
            "scale_flag": "",
            "correlation_length_um": np.nan,
            **dict.fromkeys(moran_columns(settings), np.nan),
            f"{moran_columns(settings)[0]}_sd": np.nan,
        }
        if np.std(run.series.lithium_fraction[index]) >= LEAST_SPREAD:
            points = run.points(int(index))
            if partitions is None:
                partitions = Partitions.of(
                    [points],
                    ladder=settings.ladder or _ladder(len(points)),
                    seeds=1,
                    rng=np.random.default_rng(seed),
                )
            row |= _statistics(points, settings, partitions, seed)
        rows.append(row)
    return pd.DataFrame(rows)


def moran_columns(settings: Settings) -> list[str]:
    """Return the names of the columns of Moran's I, with the nearest bin first."""
    edges = settings.bin_um * np.arange(NEAREST_BINS + 1)
    return [f"moran_{a:g}_{b:g}_um" for a, b in pairwise(edges)]


def _statistics(
    points: MarkedPoints, settings: Settings, partitions: Partitions, seed: int
) -> dict[str, object]:
    rng, trends = np.random.default_rng(seed).spawn(2)
    trend = linear_trend(
        [points], permutations=settings.permutations, depth=settings.depth, rng=trends
    )
    (points,) = without_trend([points], trend, settings.detrend)
    edges = settings.bin_um * np.arange(NEAREST_BINS + 1)
    pairs = correlogram(
        [points],
        edges,
        permutations=_PERMUTATIONS if settings.permutations else 0,
        rng=rng,
        min_pairs=settings.min_pairs,
    )
    curve = cluster_curve(
        [points],
        permutations=0,
        weighted=settings.weighted,
        partitions=partitions,
        rng=rng,
    )
    p_value = pairs.pearson.p_value
    fit = fit_variogram(
        [points], model=settings.model, p_value=p_value if np.isfinite(p_value) else None
    )
    robust = checked_range(points.value).robust if settings.robust else None
    scale = scale_of_heterogeneity(
        curve,
        band=settings.band,
        value_range=settings.value_range or robust or None,
        variogram=fit,
    )
    return {
        "scale_um": scale.scale_um,
        "scale_flag": scale.flag,
        "correlation_length_um": fit.length_um if fit.identified else np.nan,
        **dict(zip(moran_columns(settings), pairs.moran.value, strict=True)),
        f"{moran_columns(settings)[0]}_sd": pairs.moran.sd[0],
        **trend.columns(),
    }


def _ladder(particles: int) -> tuple[int, ...]:
    """Return numbers of clusters from 4 to half the particles, fewer than for a single instant."""
    sizes = np.geomspace(4, max(particles // 2, 5), _SIZES).round().astype(int)
    return tuple(int(k) for k in np.unique(sizes))
