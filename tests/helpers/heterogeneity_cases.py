"""Packings and marks with known statistics, for the tests of the heterogeneity estimators."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist, squareform

from heterode.heterogeneity import MarkedPoints

SIDE_UM = 324.0


@cache
def packing(count: int = 2000, side_um: float = SIDE_UM, dimension: int = 2) -> np.ndarray:
    """(count, d) centres in a square or cube, none closer than 0.6 of the mean spacing.

    Random candidates are taken one after another where there is room, so that all places of the
    field are alike.
    """
    rng = np.random.default_rng(20260101)
    apart = 0.6 * side_um / count ** (1 / dimension)
    candidates = rng.uniform(0, side_um, (20 * count, dimension))
    neighbours = cKDTree(candidates).query_ball_point(candidates, apart)
    free = np.ones(len(candidates), dtype=bool)
    taken = []
    for i, near in enumerate(neighbours):
        if free[i]:
            free[near] = False
            taken.append(i)
    assert len(taken) >= count, f"only {len(taken)} of {count} fit"
    # The first ones alone would fill the field evenly all the same: the order is random.
    return candidates[taken[:count]]


def field(value: np.ndarray, positions: np.ndarray, side_um: float = SIDE_UM) -> MarkedPoints:
    """Marks on centres in a square or cube."""
    window = np.tile([0.0, side_um], (positions.shape[1], 1))
    return MarkedPoints("field", positions, value, window_um=window)


@cache
def _factor(count: int, side_um: float, length_um: float) -> np.ndarray:
    distance = squareform(pdist(packing(count, side_um)))
    return np.linalg.cholesky(np.exp(-distance / length_um) + 1e-10 * np.eye(count))


def exponential_marks(
    length_um: float, draws: int, seed: int, *, count: int = 2000, side_um: float = SIDE_UM
) -> np.ndarray:
    """(draws, count) Gaussian marks, mean 0.5, sd 0.1, correlation exp(-h / length)."""
    white = np.random.default_rng(seed).standard_normal((count, draws))
    if length_um > 0:
        white = _factor(count, side_um, length_um) @ white
    return 0.5 + 0.1 * white.T


def all_pairs(positions: np.ndarray, lower: float, upper: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows i < j with lower <= distance < upper, by looking at every pair."""
    i, j = np.triu_indices(len(positions), 1)
    distance = np.sqrt(np.sum((positions[i] - positions[j]) ** 2, axis=1))
    inside = (distance >= lower) & (distance < upper)
    return i[inside], j[inside]
