"""How often the interval of L* holds the L* of the true covariance.

Centres are drawn at random, none closer than half the mean spacing, at 0.019 per um^2; values are
Gaussian, independent or with the correlation exp(-r / l), by circulant embedding on a grid on which
the centres lie. The true L* of a draw is the last size at which the expected standard deviation

    E[s_K^2] = tr(H A C A' H) / (K - 1)

with the covariance C at the drawn centres, the averages A over the k-means clusters of the ladder
and the centring H, exceeds 2 % of the drawn range; beyond 4 clusters it falls by its last power.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from heterode.heterogeneity import (
    MarkedPoints,
    cluster_curve,
    correlogram,
    fit_variogram,
    scale_of_heterogeneity,
)
from heterode.heterogeneity.lloyd import kmeans

Floats = npt.NDArray[np.float64]

HEADING = (
    "particles",
    "length / um",
    "draws",
    "field / L*",
    "held",
    "held or flagged",
    "flagged",
    "half interval",
    "fitted covariance held",
    "last rung alone held",
)
DENSITY = 0.019
LENGTHS = (0.0, 2.0, 5.0, 10.0, 20.0)
DRAWS = {300: 20, 1000: 20, 3000: 10, 20_000: 6}
_SIZES = 24
_BAND = 0.02


def rows(particles: int) -> Iterator[tuple[str, ...]]:
    """Yield a row of the table for each correlation length."""
    for length in LENGTHS:
        yield _row(particles, length)


def _row(particles: int, length_um: float) -> tuple[str, ...]:
    side = float(np.sqrt(particles / DENSITY))
    grid = 0.5 if particles <= 3000 else 1.0
    rng = np.random.default_rng([particles, int(length_um)])
    places = _centres(particles, side, grid, rng)
    window = np.tile([-0.5 * grid, side + 0.5 * grid], (2, 1))
    counts = np.unique(np.geomspace(4, particles // 2, _SIZES).round().astype(int))[::-1]
    # Rungs with more clusters than this are never where L* is.
    counts = counts[counts <= particles // 8]
    truth = _expected(places, counts, length_um, rng)
    size = side / np.sqrt(counts)
    field = _Field(side, length_um, grid)
    found = []
    for _ in range(DRAWS[particles]):
        points = MarkedPoints("draw", places, field.at(places, rng), window_um=window)
        found.append(_draw(points, size, truth, rng))
    ratio, held, flagged, half, model, old = np.array(found, dtype=np.float64).T
    return (
        f"{particles:,}",
        f"{length_um:g}" if length_um else "independent",
        str(len(found)),
        f"{np.median(ratio):.1f}",
        f"{held.mean():.2f}",
        f"{np.maximum(held, flagged).mean():.2f}",
        f"{flagged.mean():.2f}",
        f"{np.median(half):.0%}" if np.isfinite(np.median(half)) else "no end",
        f"{model.mean():.2f}",
        f"{old.mean():.2f}",
    )


def _draw(
    points: MarkedPoints, size: Floats, truth: Floats, rng: np.random.Generator
) -> tuple[float, ...]:
    """Return field / L*, whether held and flagged, half an interval, and two other readings."""
    curve = cluster_curve([points], permutations=99, rng=rng)
    edges = 10.0 * np.arange(4)
    p_value = correlogram([points], edges, permutations=39, rng=rng).pearson.p_value
    found = scale_of_heterogeneity(
        curve, band=_BAND, variogram=fit_variogram([points], p_value=p_value)
    )
    above = 0.5 * np.log(truth) - np.log(found.half_band)
    true_um = _last_outside(size, above)
    reach = np.log((np.abs(curve.mean - curve.global_mean) + curve.sd) / found.half_band)
    alone = _last_outside(curve.size_um, reach)
    # Not converged, or within twice the error that jackknife and k-means starts give.
    alone_held = alone > curve.size_um[-1] or not (
        abs(alone - true_um) > 2 * np.hypot(found.jackknife_error_um, found.seed_sd_um / 5**0.5)
    )
    return (
        float(points.sides_um[0]) / true_um,
        found.high_um > true_um and not found.low_um > true_um,
        found.flag != "ok",
        0.5 * np.log(found.high_um / found.low_um),
        found.model_low_um < true_um < found.model_high_um,
        alone_held,
    )


def _last_outside(size: Floats, above: Floats) -> float:
    """Return the last size at which a logarithm is above 0, going on as L^-1 beyond the sizes."""
    last = int(np.flatnonzero(above > 0)[-1])
    if last == len(size) - 1:
        return float(size[-1] * np.exp(above[-1]))
    part = above[last] / (above[last] - above[last + 1])
    return float(size[last] * (size[last + 1] / size[last]) ** part)


def _centres(number: int, side: float, grid: float, rng: np.random.Generator) -> Floats:
    """Return (N, 2) points of a grid, none closer than half the mean spacing."""
    apart = 0.5 * side / np.sqrt(number)
    drawn = np.unique(np.round(rng.uniform(0, side, (5 * number, 2)) / grid), axis=0) * grid
    drawn = drawn[rng.permutation(len(drawn))]
    free = np.ones(len(drawn), dtype=bool)
    taken = []
    for i, near in enumerate(cKDTree(drawn).query_ball_point(drawn, apart)):
        if free[i]:
            free[near] = False
            taken.append(i)
    return np.asarray(drawn[taken[:number]], dtype=np.float64)


class _Field:
    """Values of variance 1 on a periodic grid, more than twice as wide as the particles' field."""

    def __init__(self, side: float, length_um: float, grid: float) -> None:
        self._grid, self._independent = grid, length_um == 0
        if self._independent:
            return
        cells = int(2.2 * side / grid + 40 / grid)
        cells += cells % 2
        along = grid * np.minimum(np.arange(cells), cells - np.arange(cells))
        covariance = np.exp(-np.hypot(along[:, None], along) / length_um)
        self._amplitude = np.sqrt(np.clip(np.fft.rfft2(covariance).real, 0, None))
        self._cells = cells

    def at(self, places: Floats, rng: np.random.Generator) -> Floats:
        if self._independent:
            return rng.standard_normal(len(places))
        white = np.fft.rfft2(rng.standard_normal((self._cells, self._cells)))
        drawn = np.fft.irfft2(white * self._amplitude, s=(self._cells, self._cells))
        x, y = np.round(places / self._grid).astype(int).T
        return np.asarray(drawn[x, y], dtype=np.float64)


def _expected(
    places: Floats, counts: npt.NDArray[np.int64], length_um: float, rng: np.random.Generator
) -> Floats:
    """Return E[s_K^2] of variance 1 for each number of clusters, by the trace of H A C A' H."""

    def covariance(a: Floats, b: Floats) -> Floats:
        distance = cdist(a, b)
        return (distance == 0) * 1.0 if length_um == 0 else np.exp(-distance / length_um)

    within, shares = [], []
    for clusters in counts:
        label = kmeans(places, int(clusters), rng)[0]
        held = np.bincount(label, minlength=clusters)
        parts = np.split(np.argsort(label, kind="stable"), np.cumsum(held)[:-1])
        within.append(sum(float(covariance(places[p], places[p]).mean()) for p in parts))
        shares.append(1 / (clusters * held[label]))
    share = np.array(shares).T
    of_mean = np.zeros(len(counts))
    for begin in range(0, len(places), 500):
        part = slice(begin, begin + 500)
        of_mean += np.sum(share[part] * (covariance(places[part], places) @ share), axis=0)
    return np.asarray((np.array(within) - counts * of_mean) / (counts - 1), dtype=np.float64)
