"""The clusters behind L*, beside SciPy's k-means.

Both partition the same particles, whose values are correlated over 20 um. The standard deviation of
the clusters' mean values is compared, of which the cluster curve consists.
"""

from __future__ import annotations

from functools import partial
from importlib.metadata import version

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.spatial.distance import pdist, squareform

from heterode.heterogeneity.lloyd import kmeans
from heterode.heterogeneity.marks import Floats, Ints
from verification.claim import Claim, Curve, Outcome, Plot, at_most, near

SIDE_UM, PARTICLES, LENGTH_UM = 228.0, 600, 20.0
NUMBERS = (9, 20, 50, 100)
"""Numbers of clusters, from the largest that decides on L* to those of six particles."""

STARTS = 8
_MOVED = 0.3


def beside_scipy(moved: float = 0.0) -> Outcome:
    """Compare inertia and standard deviation of cluster means with those of SciPy's clusters.

    Args:
        moved: share of the particles that are put into clusters at random.
    """
    positions, value = _field()
    inertia, spread = [], []
    for number in NUMBERS:
        own, other = [], []
        for start in range(STARTS):
            labels = kmeans(positions, number, np.random.default_rng(start))[0]
            own.append(_numbers(positions, value, _some_moved(labels, moved, start)))
            rng = np.random.default_rng(start)
            found = kmeans2(positions, number, iter=100, minit="++", rng=rng, missing="raise")[1]
            other.append(_numbers(positions, value, found))
        (i, s), (i0, s0) = np.mean(own, axis=0), np.mean(other, axis=0)
        inertia.append(i / i0)
        spread.append((s, s0))
    own_sd, scipy_sd = np.array(spread).T
    size = SIDE_UM / np.sqrt(NUMBERS)
    curves = (
        Curve("scipy.cluster.vq.kmeans2", size, scipy_sd),
        Curve("heterode", size, own_sd, line=False),
    )
    return Outcome(
        (
            at_most("inertia over SciPy's, at 9 to 100 clusters", inertia, 1.01),
            near("s.d. of cluster means over that of SciPy's", own_sd / scipy_sd, 1.0, 0.05),
        ),
        (Plot("cluster size, um", "s.d. of cluster means", curves),),
        {"scipy": version("scipy")},
    )


def _field() -> tuple[Floats, Floats]:
    """Return (N, 2) random places, and values of unit variance with exponential correlation."""
    rng = np.random.default_rng(1)
    positions = rng.uniform(0.0, SIDE_UM, (PARTICLES, 2))
    covariance = np.exp(-squareform(pdist(positions)) / LENGTH_UM)
    value = np.linalg.cholesky(covariance) @ rng.standard_normal(PARTICLES)
    return positions, np.asarray(value)


def _some_moved(labels: Ints, share: float, seed: int) -> Ints:
    rng = np.random.default_rng(1000 + seed)
    chosen = rng.random(labels.size) < share
    return np.where(chosen, rng.permutation(labels), labels)


def _numbers(positions: Floats, value: Floats, labels: Ints) -> tuple[float, float]:
    """Return inertia, and standard deviation of the clusters' mean values."""
    count = np.bincount(labels)
    centre = np.column_stack([np.bincount(labels, column) / count for column in positions.T])
    means = np.bincount(labels, value) / count
    return float(np.sum((positions - centre[labels]) ** 2)), float(means.std(ddof=1))


def claims() -> tuple[Claim, ...]:
    """Return the claim on clusters."""
    return (
        Claim(
            "clusters",
            "Clusters are as compact as those of SciPy's k-means, and their means spread as much",
            beside_scipy,
            {"three particles in ten put into clusters at random": partial(beside_scipy, _MOVED)},
        ),
    )
