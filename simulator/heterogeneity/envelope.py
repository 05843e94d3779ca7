r"""Test of the whole cluster curve, and of the nearest pairs, against randomly exchanged values.

The length L* alone cannot say whether values are arranged at random: the field limits it, so values
with a gradient and the same values exchanged may both give "not converged". What is tested is
therefore the whole curve: the standard deviation over clusters at each cluster size, beside Moran's
I of the nearest pairs, which sees correlation shorter than the smallest clusters. Values that are
more alike in a neighbourhood than chance allows make all of these numbers larger.

The same numbers follow from the same particles with their values exchanged at random M times. The
M + 1 curves are ordered by their extreme rank lengths (Myllymaki et al. 2017,
doi:10.1111/rssb.12172, one-sided): each number is ranked among all, the largest first (equal
numbers share the mean rank), the ranks of each curve are sorted, and curves are compared like words
in a dictionary. The places of the curve and of Moran's I in their orders are ordered in the same
way once more, so that both count alike (Mrkvicka et al. 2017, doi:10.1007/s11222-016-9683-9). All
M + 1 sets of numbers are equally likely under random exchange, so p, the share of sets at least as
extreme, is exact however the numbers depend on each other.

The global envelope reaches up to the largest numbers of the sets that are not among the most
extreme. Without equal numbers, the observed set leaves it somewhere if and only if p is at most
1 - level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from heterode.heterogeneity.clusters import ClusterCurve
from heterode.heterogeneity.marks import Floats, Ints

# Numbers are rounded to this many digits of the largest one, so that permutations that give the
# same number only differ in no rank.
_DIGITS = 9


@dataclass(frozen=True, eq=False)
class EnvelopeTest:
    """The cluster curve and the nearest pairs against randomly exchanged values.

    Attributes:
        p_value: probability of so extreme a curve under random exchange; NaN without permutations.
        level: level of the envelope.
        permutations: number M of exchanges.
        sd_upper: (S,) global envelope of the standard deviation over clusters.
        near_um: (2,) distances of the nearest pairs; NaN where they are not tested.
        near_moran, near_moran_upper: Moran's I of these pairs and its global envelope.
        outside_um: sizes of the clusters at which the curve leaves its envelope.
    """

    p_value: float
    level: float
    permutations: int
    sd_upper: Floats
    near_um: Floats
    near_moran: float
    near_moran_upper: float
    outside_um: Floats


def envelope_test(curve: ClusterCurve, *, level: float = 0.95) -> EnvelopeTest:
    """Compare a cluster curve and the nearest pairs with those of the exchanged values."""
    vectors = [np.vstack([curve.sd, curve.null_sd])]
    if np.isfinite(curve.near_moran):
        vectors.append(np.append(curve.near_moran, curve.null_near_moran)[:, None])
    made = len(curve.null_sd)
    order = combined_order(vectors)
    upper = [global_envelope(part, order, level) for part in vectors]
    if not made:
        upper = [np.full(part.shape[1], np.nan) for part in vectors]
    return EnvelopeTest(
        p_value=float(order[0] / (made + 1)) if made else float("nan"),
        level=level,
        permutations=made,
        sd_upper=upper[0],
        near_um=curve.near_um,
        near_moran=curve.near_moran,
        near_moran_upper=float(upper[1][0]) if len(upper) > 1 else float("nan"),
        outside_um=curve.size_um[curve.sd > upper[0]],
    )


def combined_order(parts: Sequence[Floats]) -> Ints:
    """Return (V,) the number of vectors that are at least as extreme, all parts counting alike.

    Args:
        parts: (V, K) numbers of each part, of which large ones are extreme.
    """
    orders = [extreme_rank_lengths(part) for part in parts]
    return extreme_rank_lengths(-np.column_stack(orders).astype(np.float64))


def extreme_rank_lengths(vectors: Floats) -> Ints:
    """Return (V,) for each vector the number of vectors that are at least as extreme.

    Args:
        vectors: (V, K) numbers, of which large ones are extreme.
    """
    largest = np.maximum(np.abs(vectors).max(axis=0), np.finfo(np.float64).tiny)
    ranks = np.sort(rankdata(-np.round(vectors / largest, _DIGITS), axis=0), axis=1)
    _, place, count = np.unique(ranks, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(np.cumsum(count)[place.reshape(-1)], dtype=np.int64)


def global_envelope(vectors: Floats, order: Ints, level: float) -> Floats:
    """Return (K,) the largest numbers among the vectors that are not among the most extreme.

    Args:
        vectors: (V, K) the observed vector and those of the exchanged values.
        order: (V,) number of vectors that are at least as extreme.
        level: level of the envelope.
    """
    kept = order > (1 - level) * len(vectors) + 1e-9
    return np.asarray(vectors[kept].max(axis=0) if kept.any() else vectors.max(axis=0))
