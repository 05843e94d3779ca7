r"""Correlation of the values of particle pairs as a function of their distance.

All pairs i < j of a field with edges[b] <= distance < edges[b+1] form bin b. Each pair counts in
both orders, so that nothing depends on the order of rows. With P pairs, their sums
s1 = sum(v_i + v_j), s2 = sum(v_i^2 + v_j^2) and s11 = sum v_i v_j, and the mean M and the variance
S^2 of all N particles, the statistics are

    m_b = s1 / 2P,   s_b^2 = s2 / 2P - m_b^2        over the bin's pairs
    pearson           r_b = (s11 / P - m_b^2) / s_b^2
    variogram         gamma_b = (s2 - 2 s11) / 2P = s_b^2 (1 - r_b)
    moran             (s11 / P - 2 M m_b + M^2) / S^2
    geary             gamma_b (N - 1) / (N S^2)
    mark_correlation  s11 / (P M^2)
    spearman          Pearson's coefficient of midranks among the bin's 2P ordered pairs
    kendall           tau-b of the 2P ordered pairs

Every particle counts equally, whatever its weight (area, volume). Marks are permuted within each
field, so that a difference between fields (in their illumination, say) does not count as structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heterode.heterogeneity.marks import Floats, Ints, MarkedPoints, checked
from heterode.heterogeneity.null import (
    checked_permutations,
    global_p_value,
    mean_of,
    pointwise_envelope,
    sd_of,
    simultaneous_band,
)
from heterode.heterogeneity.pairs import checked_edges
from heterode.heterogeneity.pooled import Pooled

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
        envelope: (2, B) pointwise bounds, which each bin leaves by chance with 1 - level.
        band: (2, B) simultaneous bounds, which any bin leaves by chance with 1 - level.
        p_value: p value of the largest studentised deviation over all bins (the global test).
        permutations: number of permutations behind the null distribution.
        note: sentence on an approximation, or "".
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
    """All coefficients of one or more pooled fields in B distance bins.

    Attributes:
        edges_um: (B+1,) edges of the bins.
        pairs: (B,) number of unordered pairs i < j in each bin.
        distance_um: (B,) mean distance of the bin's pairs; NaN where there are none.
        bin_mean, bin_sd: (B,) mean and standard deviation of the values over the bin's pairs,
            each pair in both orders: gamma_b = bin_sd^2 (1 - r_b).
        pearson ... mark_correlation: the coefficients in the module's docstring.
        kendall_pairs: (B,) number of pairs for Kendall's coefficient (capped, drawn at random).
        level: level of the envelopes.
        min_pairs: bins with fewer pairs hold NaN.
        particles, fields: their numbers.
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
    def chance(self) -> str:
        """Return the p value of the rank correlation in words, or why there is none."""
        found = self.spearman
        if np.isfinite(found.p_value):
            return f"p = {found.p_value:.2g}"
        if not found.permutations:
            return "no p value, as no values were shuffled"
        return f"no p value, as no distance bin holds {self.min_pairs} pairs of particles"

    @property
    def statistics(self) -> dict[str, BinnedStatistic]:
        """Return the statistics by name, in the order of STATISTICS."""
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
    """Correlate the values of particle pairs by their distance, pooled over fields.

    Args:
        fields: pairs are formed within a field only; marks are permuted within a field.
        edges_um: (B+1,) increasing; pairs with edges[b] <= distance < edges[b+1] form bin b.
        permutations: permutations of the marks for envelopes and tests; 0 for none. Fewer are
            made if they would take minutes, which the statistics' notes mention.
        rng: generator for the permutations and for drawing pairs above the cap.
        level: level of the envelopes.
        min_pairs: bins with fewer pairs hold NaN.
        rank_pairs_cap: Kendall's coefficient uses at most this many pairs in each bin.

    Raises:
        InputError: the fields cannot be pooled, the edges are wrong, or there are too few
            permutations.
    """
    checked_permutations(permutations, level)
    pooled = Pooled(checked(fields), checked_edges(edges_um), rng, rank_pairs_cap)
    made = pooled.affordable(permutations, level)
    observed = pooled.observed()
    null = pooled.permuted(made, rng)
    missing = pooled.pairs < min_pairs
    notes = pooled.notes(permutations, made)
    statistics = {}
    for name in STATISTICS:
        value = np.where(missing, np.nan, observed[name])
        curves = np.where(missing, np.nan, null[name])
        statistics[name] = BinnedStatistic(
            name=name,
            value=value,
            expected=mean_of(curves),
            sd=sd_of(curves),
            envelope=pointwise_envelope(curves, level),
            band=simultaneous_band(curves, level),
            p_value=global_p_value(value, curves),
            permutations=made,
            note=notes.get(name, notes[""]),
        )
    return Correlogram(
        edges_um=pooled.edges_um,
        pairs=pooled.pairs,
        distance_um=pooled.distance_um,
        bin_mean=pooled.mean + pooled.sd * observed["bin_mean"],
        bin_sd=pooled.sd * observed["bin_sd"],
        kendall_pairs=np.array([first.size for first, _ in pooled.kendall_pairs]),
        level=level,
        min_pairs=min_pairs,
        particles=pooled.z.size,
        fields=len(pooled.grids),
        **statistics,
    )
