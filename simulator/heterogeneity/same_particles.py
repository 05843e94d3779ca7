"""Finds particles in two tables, such as a picture and a simulation in its microstructure.

Two tables have the same particles if most centroids of one are close to a centroid of the other. A
shift smaller than the distance between neighbours is allowed, since a mesh of an image is wider
than the image by a margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from scipy.stats import kendalltau, spearmanr

from heterode.heterogeneity.map_difference import MapDifference, map_difference
from heterode.heterogeneity.marks import FEWEST, Floats, Ints, MarkedPoints

CLOSE = 0.3
"""Largest distance between the centroids of one particle, in median distances between neighbours.
A quarter of random places would have a centroid of the other table within this distance."""

SHARE = 0.7
"""Least share of the smaller table's particles that must be in the other table."""

_SEED = 1
"""Seed of the random signs and exchanges."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """The M particles that two tables have in common.

    Attributes:
        first, second: (M,) their rows in either table.
        spearman, kendall: rank correlations of their values.
        rms_difference: root mean square difference of their values.
        noise: whether the differences are more than noise.
    """

    first: Ints
    second: Ints
    spearman: float
    kendall: float
    rms_difference: float
    noise: MapDifference


def same_particles(first: MarkedPoints, second: MarkedPoints) -> Pairs | None:
    """Pair the particles of two tables; None if they are not the same particles."""
    least = SHARE * min(len(first), len(second))
    if first.dimension != second.dimension or min(len(first), len(second)) < FEWEST:
        return None
    tree = cKDTree(first.positions_um)
    reach = CLOSE * float(np.median(tree.query(first.positions_um, k=2)[0][:, 1]))
    shift = np.zeros(first.dimension)
    for _ in range(3):
        rows, others = _mutual(tree, second.positions_um + shift, 2.0 * reach)
        if not rows.size:
            return None
        apart = first.positions_um[rows] - second.positions_um[others]
        shift = np.median(apart, axis=0)
    near = np.linalg.norm(apart - shift, axis=1) <= reach
    rows, others = rows[near], others[near]
    if len(rows) < max(least, FEWEST):
        return None
    a, b = first.value[rows], second.value[others]
    return Pairs(
        rows,
        others,
        float(spearmanr(a, b)[0]),
        float(kendalltau(a, b)[0]),
        float(np.sqrt(np.mean((a - b) ** 2))),
        map_difference(
            first.positions_um[rows],
            a - b,
            _errors(first, rows, second, others),
            np.random.default_rng(_SEED),
        ),
    )


def _errors(first: MarkedPoints, rows: Ints, second: MarkedPoints, others: Ints) -> Floats:
    """Return the errors of the differences; a table without errors is taken for exact."""
    if first.error is None and second.error is None:
        return np.full(rows.size, np.nan)
    none = np.zeros(max(len(first), len(second)))
    one, two = (none if points.error is None else points.error for points in (first, second))
    return np.asarray(np.hypot(one[rows], two[others]))


def paired(names: Sequence[str], fields: Sequence[MarkedPoints]) -> dict[tuple[str, str], Pairs]:
    """Return all pairs of tables that have the same particles."""
    found = {}
    for (a, first), (b, second) in combinations(zip(names, fields, strict=True), 2):
        pairs = same_particles(first, second)
        if pairs is not None:
            found[a, b] = pairs
    return found


def pair_table(
    found: dict[tuple[str, str], Pairs], names: Sequence[str], fields: Sequence[MarkedPoints]
) -> pd.DataFrame:
    """Return a row with place and values for each particle that two tables have in common."""
    by_name = dict(zip(names, fields, strict=True))
    parts = []
    for (a, b), pairs in found.items():
        places = by_name[a].positions_um[pairs.first]
        columns = {f"{'xyz'[k]}_um": column for k, column in enumerate(places.T)}
        values = {
            "first_value": by_name[a].value[pairs.first],
            "second_value": by_name[b].value[pairs.second],
        }
        parts.append(pd.DataFrame({"first": a, "second": b} | columns | values))
    return pd.concat(parts, ignore_index=True)


def _mutual(tree: cKDTree, places: Floats, reach: float) -> tuple[Ints, Ints]:
    """Return rows of the tree and of the places that are mutually nearest, within reach."""
    distance, near = tree.query(places, distance_upper_bound=reach)
    found = np.flatnonzero(np.isfinite(distance))
    back = cKDTree(places).query(tree.data[near[found]])[1]
    found = found[back == found]
    return near[found].astype(np.int64), found.astype(np.int64)
