"""The same particles in two tables are found; other ones are not taken for them."""

from __future__ import annotations

import numpy as np
import pytest

from heterode.heterogeneity.marks import MarkedPoints
from heterode.heterogeneity.same_particles import pair_table, paired, same_particles
from heterode.optics.synthetic import random_positions


@pytest.fixture
def field() -> MarkedPoints:
    x, y, radius = random_positions((60.0, 60.0), np.random.default_rng(1))
    value = np.random.default_rng(2).uniform(0.3, 0.9, x.size)
    return MarkedPoints("run", np.column_stack([x, y]), value, radius_um=radius)


def seen(field: MarkedPoints, *, shift: tuple[float, float] = (0.4, 0.4)) -> MarkedPoints:
    """The field through a microscope: in another order, some lost, places and values off."""
    random = np.random.default_rng(3)
    kept = random.permutation(len(field))[: int(0.8 * len(field))]
    places = field.positions_um[kept] + random.normal(0.0, 0.1, (len(kept), 2)) + shift
    value = 1.6 - field.value[kept] + random.normal(0.0, 0.02, len(kept))
    return MarkedPoints("seen", places, value)


def test_pairs_are_the_same_particles(field: MarkedPoints) -> None:
    other = seen(field)
    pairs = same_particles(field, other)
    assert pairs is not None
    assert len(pairs.first) > 0.97 * len(other)
    apart = field.positions_um[pairs.first] - other.positions_um[pairs.second]
    assert np.abs(apart + 0.4).max() < 0.6
    # Brightness falls with lithium: ranks are reversed.
    assert pairs.spearman < -0.98
    expected = field.value[pairs.first] - other.value[pairs.second]
    assert pairs.rms_difference == pytest.approx(np.sqrt(np.mean(expected**2)))


def test_another_place_is_not_the_same(field: MarkedPoints) -> None:
    assert same_particles(field, seen(field, shift=(7.0, 5.0))) is None
    x, y, _ = random_positions((60.0, 60.0), np.random.default_rng(9))
    other = MarkedPoints("other", np.column_stack([x, y]), np.arange(x.size) / x.size)
    assert same_particles(field, other) is None


def test_table(field: MarkedPoints) -> None:
    fields = [field, seen(field)]
    found = paired(["run", "seen"], fields)
    table = pair_table(found, ["run", "seen"], fields)
    assert table.columns.tolist() == [
        *("first", "second", "x_um", "y_um", "first_value", "second_value")
    ]
    assert len(table) == len(found["run", "seen"].first)
