"""Pairs within a distance: the cell list against looking at every pair."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.heterogeneity_cases import all_pairs
from heterode.base.errors import InputError
from heterode.heterogeneity import MarkedPoints
from heterode.heterogeneity.pairs import PairGrid, checked_edges, drawn

CASES = {
    "square": ((60.0, 60.0), [0, 5, 10, 20]),
    "slab": ((15.0, 240.0), [0, 10, 20, 30, 40]),
    "slab the other way": ((240.0, 15.0), [3, 4, 9.5, 30]),
    "far": ((60.0, 60.0), [0, 40, 90]),
    "near": ((60.0, 60.0), [0, 0.5, 1.0]),
    "cube": ((25.0, 25.0, 25.0), [0, 4, 8, 12]),
    "plate": ((50.0, 8.0, 40.0), [2, 4, 8, 60]),
}


def scattered(sides: tuple[float, ...], count: int = 300) -> MarkedPoints:
    rng = np.random.default_rng(5)
    positions = rng.uniform(-1, 1, (count, len(sides))) * np.array(sides) + 7.0
    return MarkedPoints("scattered", positions, rng.random(count))


@pytest.mark.parametrize("case", CASES)
def test_moments_are_those_of_all_pairs(case: str) -> None:
    sides, edges = CASES[case]
    points = scattered(sides)
    limits = np.array(edges, dtype=float)
    grid = PairGrid.of(points, float(limits[-1]))
    found = grid.moments(points.value[grid.order], limits).total()
    counts = np.zeros((len(points), limits.size - 1))
    for b in range(limits.size - 1):
        i, j = all_pairs(points.positions_um, limits[b], limits[b + 1])
        v, w = points.value[i], points.value[j]
        distance = np.linalg.norm(points.positions_um[i] - points.positions_um[j], axis=1)
        expected = [i.size, distance.sum(), (v + w).sum(), (v**2 + w**2).sum(), (v * w).sum()]
        assert found[:, b] == pytest.approx(expected, rel=1e-12)
        counts[:, b] = np.bincount(np.concatenate([i, j]), minlength=len(points))
    assert np.array_equal(grid.counts(limits), counts[grid.order])


def test_a_distance_on_an_edge_falls_above_it() -> None:
    x, y = np.meshgrid(np.arange(8.0), np.arange(8.0))
    lattice = MarkedPoints("lattice", np.column_stack([x.ravel(), y.ravel()]), np.arange(64.0))
    grid = PairGrid.of(lattice, 3.0)
    count = grid.moments(np.zeros(64), np.array([0.0, 1.0, 2.0, 3.0])).total()[0]
    # [0, 1): none; [1, 2): sides and diagonals; [2, 3): 2 along, knight's moves, two diagonals.
    assert count.tolist() == [0, 2 * 7 * 8 + 2 * 49, 2 * 6 * 8 + 4 * 6 * 7 + 2 * 36]


def test_products_of_many_sets_at_once() -> None:
    points = scattered((60.0, 60.0))
    edges = np.array([0.0, 6.0, 15.0])
    grid = PairGrid.of(points, 15.0)
    sets = np.random.default_rng(0).standard_normal((len(points), 70))
    found = grid.products(sets, edges)
    each = [grid.moments(column.copy(), edges).total()[4] for column in sets.T]
    assert found == pytest.approx(np.array(each).T, rel=1e-10)
    assert grid.products(sets.astype(np.float32), edges) == pytest.approx(found, rel=1e-3, abs=1e-2)


def test_blocks_split_the_sums() -> None:
    points = scattered((60.0, 60.0))
    edges = np.array([0.0, 10.0])
    grid = PairGrid.of(points, 10.0)
    value = points.value[grid.order]
    block = np.arange(len(points)) % 4
    split = grid.moments(value, edges, block, 4)
    assert split.total() == pytest.approx(grid.moments(value, edges).total())
    kept = points.chosen((block != 2)[np.argsort(grid.order)])
    alone = PairGrid.of(kept, 10.0)
    assert split.without(2) == pytest.approx(
        alone.moments(kept.value[alone.order], edges).total(), rel=1e-12
    )


def test_listed_pairs_are_those_of_the_bin() -> None:
    points = scattered((60.0, 60.0))
    grid = PairGrid.of(points, 20.0)
    i, j = all_pairs(points.positions_um, 10.0, 20.0)
    rows = grid.order[grid.listed(10.0, 20.0, np.arange(i.size))]
    found = {tuple(sorted(pair)) for pair in rows.T.tolist()}
    assert found == set(zip(i.tolist(), j.tolist(), strict=True))
    few = drawn(i.size, 50, np.random.default_rng(0))
    assert np.array_equal(grid.order[grid.listed(10.0, 20.0, few)], rows[:, few])


def test_drawn_pairs_are_spread_evenly() -> None:
    chosen = np.concatenate([drawn(1000, 100, np.random.default_rng(s)) for s in range(400)])
    held = np.bincount(chosen, minlength=1000)
    assert held.sum() == 40_000
    # 400 draws with probability 0.1 each: 40 +- 6.
    assert abs(held.mean() - 40) < 1e-9
    assert held.min() > 10
    assert held.max() < 75
    assert drawn(30, 100, np.random.default_rng(0)).tolist() == list(range(30))


@pytest.mark.parametrize("edges", [[0.0], [1.0, 1.0], [-1.0, 2.0], [0.0, np.nan], [[0.0, 1.0]]])
def test_wrong_edges(edges: list[float]) -> None:
    with pytest.raises(InputError, match=r"[Ee]dges"):
        checked_edges(edges)
