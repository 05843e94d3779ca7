"""Correlation of pairs along and across the coating.

A pair counts as "across" if its line lies closer to the direction from collector to separator than
to the plane of the coating (within 45 degrees), and as "along" otherwise. Moran's I of each group,
the mean product of the standardised values, is compared with that of values randomly exchanged
within each field. Correlation that is longer along than across tells layers; a trend with the depth
makes the pairs across unlike at long distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from heterode.heterogeneity.marks import Floats, Ints, MarkedPoints, checked
from heterode.heterogeneity.null import (
    exchanged,
    global_p_value,
    pointwise_envelope,
    simultaneous_band,
)
from heterode.heterogeneity.pairs import PairGrid, checked_edges, drawn

GROUPS = ("along", "across")

# Most pairs of a bin, drawn at random above.
_CAP = 200_000

_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class DirectedPairs:
    """Moran's I of one group of pairs in B distance bins.

    Attributes:
        pairs: (B,) number of pairs (of those drawn, in bins with very many).
        moran: (B,) Moran's I; NaN in bins with fewer than `min_pairs` pairs.
        envelope: (2, B) bounds that each bin leaves by chance with 1 - level.
        band: (2, B) bounds that any bin leaves by chance with 1 - level.
        p_value: p value of the largest studentised deviation over all bins.
    """

    pairs: Ints
    moran: Floats
    envelope: Floats
    band: Floats
    p_value: float


@dataclass(frozen=True, eq=False)
class DirectionalCorrelogram:
    """Pairs along and across the coating in B distance bins.

    Attributes:
        edges_um: (B+1,) edges of the bins.
        depth: number of the direction across the coating.
        along, across: the two groups.
        p_value: p value of the largest studentised difference between both over all bins: whether
            the values of exchanged particles would differ as much between the directions.
        permutations: number of random exchanges.
        level: level of the bounds.
    """

    edges_um: Floats
    depth: int
    along: DirectedPairs
    across: DirectedPairs
    p_value: float
    permutations: int
    level: float


def directional_correlogram(
    fields: Sequence[MarkedPoints],
    edges_um: npt.ArrayLike,
    *,
    depth: int = 0,
    permutations: int = 199,
    level: float = 0.95,
    min_pairs: int = 30,
    rng: np.random.Generator,
) -> DirectionalCorrelogram:
    """Correlate the values of pairs along and across the coating by their distance.

    Args:
        fields: pairs are formed, and values exchanged, within a field only.
        edges_um: (B+1,) increasing edges of the distance bins.
        depth: number of the direction from collector to separator.
        permutations: exchanges of the values; 0 for none.
        level: level of the bounds.
        min_pairs: bins with fewer pairs hold NaN.
        rng: generator.

    Raises:
        InputError: the fields cannot be pooled, or the edges are wrong.
    """
    listed, edges = checked(fields), checked_edges(edges_um)
    matrices = _matrices(listed, edges, depth, rng)
    value = np.concatenate([field.value for field in listed])
    z = (value - value.mean()) / value.std()
    pairs = np.array([[matrix.nnz for matrix in group] for group in matrices], dtype=np.int64)
    observed = _moran(matrices, z[:, None])[..., 0]
    null = _null(matrices, z, listed, permutations, rng)
    missing = pairs < min_pairs
    observed = np.where(missing, np.nan, observed)
    null = np.where(missing, np.nan, null)
    along, across = (
        DirectedPairs(
            pairs=pairs[g],
            moran=observed[g],
            envelope=pointwise_envelope(null[:, g], level),
            band=simultaneous_band(null[:, g], level),
            p_value=global_p_value(observed[g], null[:, g]),
        )
        for g in range(2)
    )
    return DirectionalCorrelogram(
        edges_um=edges,
        depth=depth,
        along=along,
        across=across,
        p_value=global_p_value(observed[0] - observed[1], null[:, 0] - null[:, 1]),
        permutations=permutations,
        level=level,
    )


def _matrices(
    fields: tuple[MarkedPoints, ...], edges: Floats, depth: int, rng: np.random.Generator
) -> list[list[csr_array]]:
    """Return for each group and bin the (N, N) matrix with a one for each pair."""
    offsets = np.cumsum([0, *(len(field) for field in fields)])
    size = int(offsets[-1])
    grids = [PairGrid.of(field, float(edges[-1])) for field in fields]
    counts = np.array([grid.counts(edges).sum(axis=0) // 2 for grid in grids])
    found: list[list[csr_array]] = [[], []]
    for b in range(edges.size - 1):
        wanted = drawn(int(counts[:, b].sum()), _CAP, rng)
        met = np.cumsum([0, *counts[:, b]])
        first, second, across = [], [], []
        for f, (field, grid) in enumerate(zip(fields, grids, strict=True)):
            own = wanted[(wanted >= met[f]) & (wanted < met[f + 1])] - met[f]
            i, j = (grid.order[rows] for rows in grid.listed(edges[b], edges[b + 1], own))
            apart = np.abs(field.positions_um[i] - field.positions_um[j])
            # Closer to the depth than to the plane: more than half of the squared distance.
            across.append(2 * apart[:, depth] ** 2 > np.sum(apart**2, axis=1))
            first.append(i + offsets[f])
            second.append(j + offsets[f])
        i, j, is_across = (np.concatenate(parts) for parts in (first, second, across))
        for group, chosen in zip(found, (~is_across, is_across), strict=True):
            ones = np.ones(int(chosen.sum()))
            group.append(csr_array((ones, (i[chosen], j[chosen])), shape=(size, size)))
    return found


def _moran(matrices: list[list[csr_array]], z: Floats) -> Floats:
    """Return (2, B, M) Moran's I of M sets (N, M) of standardised values."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.array(
            [
                [np.sum(z * (matrix @ z), axis=0) / np.float64(matrix.nnz) for matrix in group]
                for group in matrices
            ]
        )


def _null(
    matrices: list[list[csr_array]],
    z: Floats,
    fields: tuple[MarkedPoints, ...],
    permutations: int,
    rng: np.random.Generator,
) -> Floats:
    """Return (permutations, 2, B) Moran's I of values exchanged within each field."""
    ends = np.cumsum([len(field) for field in fields])[:-1]
    found: list[Floats] = [np.empty((0, 2, len(matrices[0])))]
    for begin in range(0, permutations, _AT_ONCE):
        sets = min(_AT_ONCE, permutations - begin)
        found.append(np.moveaxis(_moran(matrices, exchanged(z, ends, sets, rng)), -1, 0))
    return np.concatenate(found)
