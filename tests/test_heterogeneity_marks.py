"""Marked points: what is refused, and the selections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heterode.base.errors import InputError
from heterode.heterogeneity import MarkedPoints
from heterode.heterogeneity.marks import checked


def points(count: int = 12, dimension: int = 2, **changes: object) -> MarkedPoints:
    rng = np.random.default_rng(1)
    given = {
        "name": "table.csv",
        "positions_um": rng.uniform(0, 50, (count, dimension)),
        "value": rng.random(count),
        "radius_um": rng.uniform(1, 3, count),
    }
    return MarkedPoints(**(given | changes))  # type: ignore[arg-type]


def with_entry(column: np.ndarray, place: object, value: float) -> np.ndarray:
    changed = column.copy()
    changed[place] = value  # type: ignore[index]
    return changed


GOOD = points()
WRONG = {
    "too few": ({"count": 9}, "9 particles are too few"),
    "one coordinate": ({"positions_um": np.arange(12.0)[:, None]}, "allowed is"),
    "a position missing": (
        {"positions_um": with_entry(GOOD.positions_um, (3, 1), np.nan)},
        "positions of particle 3",
    ),
    "a value missing": (
        {"value": with_entry(GOOD.value, 5, np.inf)},
        "value of particle 5 is .*finite numbers",
    ),
    "lengths differ": ({"value": np.arange(11.0)}, r"value has shape \(11,\)"),
    "all equal": ({"value": np.full(12, 0.3)}, "all 12 values equal 0.3"),
    "equal but for rounding": (
        {"value": 0.3 + 1e-15 * np.arange(12)},
        "the 12 values lie between 0.3.* cannot be distinguished in double precision",
    ),
    "no weight": ({"weight": with_entry(np.ones(12), 4, 0.0)}, "weight = 0 of particle 4"),
    "radius below 0": ({"radius_um": with_entry(np.ones(12), 2, -1.0)}, "radius_um = -1"),
    "doubled rows": (
        {"positions_um": with_entry(GOOD.positions_um, 7, GOOD.positions_um[2])},
        "particles 2 and 7 are at the same position",
    ),
    "outside": ({"window_um": np.array([[0.0, 50.0], [0.0, 10.0]])}, "lie outside the field"),
    "bounds of another dimension": ({"window_um": np.array([[0.0, 50.0]])}, "bounds have shape"),
    "flat": (
        {"positions_um": np.column_stack([np.arange(12.0), np.zeros(12)])},
        "same coordinate in one direction",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_named(case: str) -> None:
    changes, message = WRONG[case]
    with pytest.raises(InputError, match=message) as caught:
        points(**changes)  # type: ignore[arg-type]
    assert str(caught.value).startswith("table.csv: ")
    assert "\n" not in str(caught.value)


def test_window_grows_by_the_mean_radius() -> None:
    low, high = GOOD.positions_um.min(axis=0), GOOD.positions_um.max(axis=0)
    assert GOOD.radius_um is not None
    grown = GOOD.radius_um.mean()
    assert GOOD.window_um == pytest.approx(np.column_stack([low - grown, high + grown]))
    assert GOOD.extent == pytest.approx(np.prod(high - low + 2 * grown))


def test_window_without_radii_gives_the_density_back() -> None:
    """The box of the centres alone is too small: a lattice of spacing 2 has 1/4 per area."""
    x, y = np.meshgrid(np.arange(20.0) * 2, np.arange(30.0) * 2)
    lattice = np.column_stack([x.ravel(), y.ravel()])
    found = MarkedPoints("lattice", lattice, np.arange(600.0))
    assert len(found) / found.extent == pytest.approx(0.25, rel=0.01)
    box = np.prod(np.ptp(lattice, axis=0))
    assert len(found) / box > 0.26


def test_input_is_copied_and_kept() -> None:
    value = np.arange(12.0)
    found = points(value=value)
    value[0] = 7.0
    assert found.value[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        found.value[0] = 1.0


def test_minimum_radius() -> None:
    big = points(count=60).larger_than(2.0)
    assert big.radius_um is not None
    assert 10 <= len(big) < 60
    assert big.radius_um.min() >= 2.0
    assert np.array_equal(big.window_um, points(count=60).window_um)
    with pytest.raises(InputError, match="too few"):
        points().larger_than(10.0)
    with pytest.raises(InputError, match="needs a column radius_um"):
        replace(points(), radius_um=None).larger_than(1.0)


def test_margin_shrinks_the_window_too() -> None:
    whole = points(count=200)
    inner = whole.without_margin(5.0)
    assert len(inner) < 200
    assert inner.sides_um == pytest.approx(whole.sides_um - 10.0)
    # Density stays; with the old window it would fall.
    assert len(inner) / inner.extent == pytest.approx(len(whole) / whole.extent, rel=0.15)
    assert len(inner) / whole.extent < 0.75 * len(whole) / whole.extent
    with pytest.raises(InputError, match="edge margin of 40 um"):
        whole.without_margin(40.0)


def test_other_values_on_the_same_points() -> None:
    other = GOOD.with_values(np.arange(12))
    assert np.array_equal(other.positions_um, GOOD.positions_um)
    assert other.value.tolist() == list(range(12))


def test_fields_of_one_dimension_are_pooled_only() -> None:
    assert len(checked([GOOD, points(count=15)])) == 2
    with pytest.raises(InputError, match="pooled only with the same"):
        checked([GOOD, points(dimension=3)])
    with pytest.raises(InputError, match="at least one"):
        checked([])
