r"""Whether two electrodes have the same correlogram.

No particle is resampled: each electrode's own sub-fields say how uncertain its Pearson coefficient
r_b of a distance bin is (block jackknife of Fisher's z_b = arctanh r_b). Each bin gives

    t_b = (z_b - z'_b) / sqrt(e_b^2 + e'_b^2)

and p is that of the largest |t_b| by Student's distribution, times the number of bins (Bonferroni),
with as many degrees of freedom as the two variances have together (Welch). The jackknife needs
several sub-fields farther apart than the pairs are long, so bins beyond a quarter of the smaller
field's side are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from heterode.heterogeneity.blocks import SubFields
from heterode.heterogeneity.marks import Floats, MarkedPoints
from heterode.heterogeneity.pairs import PairGrid, PairMoments

# Part of the smaller field's side up to which pairs are compared.
_REACH = 0.25


@dataclass(frozen=True, eq=False)
class EqualCorrelograms:
    """Comparison of two correlograms.

    Attributes:
        upper_um: (B,) upper edges of the bins that are compared.
        t: (B,) differences in standard errors; NaN in bins with too few pairs.
        p_value: p value of the largest of them; NaN if there is none.
    """

    upper_um: Floats
    t: Floats
    p_value: float


def equal_correlograms(
    first: Sequence[MarkedPoints],
    second: Sequence[MarkedPoints],
    edges_um: Floats,
    *,
    min_pairs: int = 30,
) -> EqualCorrelograms:
    """Compare the correlograms of two electrodes, each with one or more fields of view."""
    sides = [
        min(float(f.extent ** (1 / f.dimension)) for f in fields) for fields in (first, second)
    ]
    bins = int(np.count_nonzero(edges_um[1:] <= _REACH * min(sides)))
    bins = max(bins, 1)
    edges = edges_um[: bins + 1]
    one, two = (_transformed(fields, edges, min_pairs) for fields in (first, second))
    (z, e2, g), (other_z, other_e2, other_g) = one, two
    with np.errstate(invalid="ignore", divide="ignore"):
        t = (z - other_z) / np.sqrt(e2 + other_e2)
        free = (e2 + other_e2) ** 2 / (e2**2 / (g - 1) + other_e2**2 / (other_g - 1))
        each = 2 * student.sf(np.abs(t), free)
    used = np.isfinite(each)
    p = min(1.0, float(np.min(each[used]) * used.sum())) if used.any() else float("nan")
    return EqualCorrelograms(edges[1:], np.where(used, t, np.nan), p)


def _transformed(
    fields: Sequence[MarkedPoints], edges: Floats, min_pairs: int
) -> tuple[Floats, Floats, int]:
    """Return (B,) arctanh of Pearson's coefficients, their variances, and the number of blocks."""
    blocks = SubFields(fields)
    number = len(blocks)
    value = np.concatenate([field.value for field in fields])
    mean, sd = float(value.mean()), float(value.std())
    found: PairMoments | None = None
    for f, field in enumerate(fields):
        grid = PairGrid.of(field, float(edges[-1]))
        of = blocks.of(f, field.positions_um)[grid.order]
        z = np.asarray((field.value[grid.order] - mean) / sd, dtype=np.float64)
        sums = grid.moments(z, edges, of, number)
        found = sums if found is None else found + sums
    assert found is not None
    total = _z(found.total())
    without = np.array([_z(found.without(block)) for block in range(number)])
    variance = (number - 1) / number * np.sum((without - without.mean(axis=0)) ** 2, axis=0)
    few = found.total()[0] < min_pairs
    return np.where(few, np.nan, total), variance, number


def _z(sums: Floats) -> Floats:
    count, _, s1, s2, s11 = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = s1 / (2 * count)
        r = (s11 / count - mean**2) / (s2 / (2 * count) - mean**2)
    return np.asarray(np.arctanh(np.clip(r, -0.999999, 0.999999)))
