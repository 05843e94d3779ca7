"""Correlation of the values of particle pairs by their distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.heterogeneity.marks import Floats, Ints, MarkedPoints

STATISTICS = (
    "pearson",
    "spearman",
    "kendall",
    "moran",
    "geary",
    "variogram",
    "mark_correlation",
)


@dataclass(frozen=True, eq=False)
class BinnedStatistic:
    """One coefficient in B distance bins with its null distribution under random marks.

    Attributes:
        name: one of STATISTICS.
        value: (B,); NaN in bins with fewer than `min_pairs` pairs.
        expected: (B,) mean of the permutations.
        sd: (B,) standard deviation of the permutations.
        envelope: (2, B) pointwise: each bin's value lies outside by chance with 1 - level.
        band: (2, B) simultaneous: any bin lies outside by chance with 1 - level.
        p_value: of the largest studentised deviation over all bins (the global test).
        permutations: how many the null distribution rests on.
        note: what was approximated, or "".
    """

    name: str
    value: Floats
    expected: Floats
    sd: Floats
    envelope: Floats
    band: Floats
    p_value: float
    permutations: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class Correlogram:
    """All coefficients of one or more fields, pooled, in B distance bins.

    Attributes:
        edges_um: (B+1,).
        pairs: (B,) unordered pairs i < j per bin.
        distance_um: (B,) mean distance of the bin's pairs; NaN where there are none.
        bin_mean, bin_sd: (B,) mean and standard deviation of the values over the bin's pairs,
            each pair in both orders: gamma_b = bin_sd^2 (1 - r_b).
        pearson ... mark_correlation: see the module's text.
        kendall_pairs: (B,) pairs that Kendall's coefficient rests on (capped, drawn at random).
        level: of the envelopes.
        min_pairs: bins with fewer pairs hold NaN.
        particles, fields: counts.
    """

    edges_um: Floats
    pairs: Ints
    distance_um: Floats
    bin_mean: Floats
    bin_sd: Floats
    pearson: BinnedStatistic
    spearman: BinnedStatistic
    kendall: BinnedStatistic
    moran: BinnedStatistic
    geary: BinnedStatistic
    variogram: BinnedStatistic
    mark_correlation: BinnedStatistic
    kendall_pairs: Ints
    level: float
    min_pairs: int
    particles: int
    fields: int

    @property
    def statistics(self) -> dict[str, BinnedStatistic]:
        """By name, in the order of STATISTICS."""
        return {name: getattr(self, name) for name in STATISTICS}


def correlogram(
    fields: Sequence[MarkedPoints],
    edges_um: npt.ArrayLike,
    *,
    permutations: int = 199,
    rng: np.random.Generator,
    level: float = 0.95,
    min_pairs: int = 30,
    rank_pairs_cap: int = 2_000_000,
) -> Correlogram:
    """Correlate the values of particle pairs, binned by distance, pooled over fields.

    Args:
        fields: pairs are formed within a field only; marks are permuted within a field.
        edges_um: (B+1,) increasing; pairs with edges[b] <= distance < edges[b+1] fall in bin b.
        permutations: of the marks, for envelopes and global tests.
        rng: for the permutations and for drawing pairs above the cap.
        level: of the envelopes.
        min_pairs: bins with fewer pairs hold NaN.
        rank_pairs_cap: Kendall's coefficient uses at most this many pairs per bin.
    """
    raise NotImplementedError
