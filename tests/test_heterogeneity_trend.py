"""Trends: found with their size and direction, removed on request, absent in exchanged values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, linregress

from helpers.heterogeneity_cases import exponential_marks, field, packing
from heterode.base.errors import InputError
from heterode.heterogeneity import MarkedPoints, Settings, analyse
from heterode.heterogeneity.directional import directional_correlogram
from heterode.heterogeneity.trend import Trend, linear_trend, without_trend

COUNT, SIDE_UM = 200, 100.0
QUICK = Settings(permutations=39, seeds=1, ladder=(4, 12, 40), max_um=30.0, grid=8)


def tilted(slope: tuple[float, ...], noise: float, seed: int, count: int = COUNT) -> MarkedPoints:
    positions = packing(count, SIDE_UM, len(slope))
    random = noise * np.random.default_rng(seed).standard_normal(count)
    return field(5.0 + positions @ np.array(slope) + random, positions, SIDE_UM)


def trend(points: list[MarkedPoints], permutations: int = 99, depth: int | None = 0) -> Trend:
    rng = np.random.default_rng(0)
    return linear_trend(points, permutations=permutations, depth=depth, rng=rng)


def test_size_and_direction() -> None:
    found = trend([tilted((0.03, -0.04), 0.5, 1)])
    assert found.slope == pytest.approx([0.03, -0.04], abs=0.004)
    assert found.difference == pytest.approx(100 * found.slope)
    assert found.angle_deg == pytest.approx(-53.1, abs=5)
    assert found.total == pytest.approx(7.0, abs=0.6)
    assert np.all(found.lower < [3, -4])
    assert np.all(found.upper > [3, -4])
    assert found.p_value.tolist() == [1 / 100, 1 / 100]
    assert found.total_p_value == 1 / 100
    sd = tilted((0.03, -0.04), 0.5, 1).value.std(ddof=1)
    assert found.total_in_sd == pytest.approx(found.total / sd)
    assert found.explained == pytest.approx(1 - 0.25 / sd**2, abs=0.03)


def test_a_single_direction_agrees_with_scipy() -> None:
    """On a lattice the directions are independent, and each slope is that of a line of its own."""
    x, y = (side.ravel() for side in np.meshgrid(np.arange(12.0), np.arange(10.0)))
    value = 0.1 * x + np.random.default_rng(2).standard_normal(120)
    found = trend([MarkedPoints("lattice", np.column_stack([x, y]), value)], permutations=0)
    assert found.slope[0] == pytest.approx(linregress(x, value).slope, rel=1e-12)
    assert found.slope[1] == pytest.approx(linregress(y, value).slope, rel=1e-12)
    assert np.isnan([*found.p_value, found.total_p_value]).all()


def test_size_of_the_tests_and_cover_of_the_interval() -> None:
    """Independent marks: p is exact, and the interval of no trend covers 0."""
    rng = np.random.default_rng(3)
    positions = packing(60, 60.0)
    found = [
        linear_trend(
            [field(rng.exponential(size=60), positions, 60.0)], permutations=39, depth=0, rng=rng
        )
        for _ in range(400)
    ]
    low, high = binom.interval(0.9999, 400, 0.05)
    for p in (
        [f.p_value[0] for f in found],
        [f.p_value[1] for f in found],
        [f.total_p_value for f in found],
    ):
        assert low <= np.count_nonzero(np.array(p) <= 0.05) <= high
    covered = [f.lower[0] <= 0 <= f.upper[0] for f in found]
    assert np.mean(covered) > 0.92
    # Negative control: half as wide, it does not cover.
    halved = [abs(f.difference[0]) <= (f.upper[0] - f.lower[0]) / 4 for f in found]
    assert np.mean(halved) < 0.85


def test_neighbours_that_are_alike_widen_the_interval() -> None:
    """What exchanged values call a trend may be a patch: the jackknife knows."""
    marks = exponential_marks(20.0, 60, seed=5, count=COUNT, side_um=SIDE_UM)
    white = exponential_marks(0.0, 60, seed=6, count=COUNT, side_um=SIDE_UM)
    correlated, independent = (
        [trend([field(v, packing(COUNT, SIDE_UM), SIDE_UM)]) for v in values]
        for values in (marks, white)
    )
    widths = [np.median([f.upper - f.lower for f in each]) for each in (correlated, independent)]
    assert widths[0] > 2 * widths[1]
    covered = [bool(f.lower[0] <= 0 <= f.upper[0]) for f in correlated]
    exact = [bool(f.p_value[0] > 0.05) for f in correlated]
    assert np.mean(covered) > np.mean(exact) + 0.2


def test_fields_with_different_means_have_no_trend_of_their_own() -> None:
    """Two fields side by side in one frame: what lies between them is no slope."""
    rng = np.random.default_rng(4)
    left = field(rng.standard_normal(COUNT), packing(COUNT, SIDE_UM), SIDE_UM)
    away = left.positions_um + np.array([500.0, 0.0])
    right = MarkedPoints("right", away, rng.standard_normal(COUNT) + 9)
    assert abs(trend([left, right]).difference[0]) < 1.0
    joined = MarkedPoints(
        "joined",
        np.concatenate([left.positions_um, right.positions_um]),
        np.concatenate([left.value, right.value]),
    )
    assert trend([joined]).difference[0] > 9.0


def test_removal() -> None:
    points = tilted((0.03, -0.04), 0.5, 1)
    found = trend([points])
    (flat,) = without_trend([points], found, "all")
    assert trend([flat]).slope == pytest.approx([0, 0], abs=1e-12)
    assert flat.value.mean() == pytest.approx(points.value.mean())
    (part,) = without_trend([points], found, "depth")
    assert trend([part]).slope == pytest.approx([0, found.slope[1]], abs=1e-12)
    assert without_trend([points], found, "none") == (points,)
    with pytest.raises(InputError, match="not in these fields"):
        without_trend([points], replace(found, depth=None), "depth")
    exact = tilted((0.03, -0.04), 0.0, 1)
    with pytest.raises(InputError, match="linear in the position"):
        without_trend([exact], trend([exact]), "all")


def test_all_curves_are_those_without_the_trend() -> None:
    points = tilted((0.03, 0.0), 0.3, 7)
    plain = analyse([points], QUICK, np.random.default_rng(0))
    flat = analyse([points], replace(QUICK, detrend="all"), np.random.default_rng(0))
    assert plain.envelope.p_value == 1 / 40
    assert flat.envelope.p_value > 0.05
    assert flat.trend.difference[0] == plain.trend.difference[0]
    assert flat.correlogram.pearson.p_value > 0.05 >= plain.correlogram.pearson.p_value
    assert flat.curve.value_range < 0.8 * plain.curve.value_range
    content = flat.as_dict()
    assert content["trend"]["slope_per_um"][0] == pytest.approx(0.03, abs=0.003)
    assert content["settings"]["detrend"] == "all"


def test_three_dimensions_and_no_depth() -> None:
    found = trend([tilted((0.0, 0.0, 0.05), 0.5, 1)], depth=None)
    assert found.direction == pytest.approx([0, 0, 1], abs=0.2)
    assert np.isnan(found.angle_deg)
    none = analyse(
        [tilted((0.0, 0.0, 0.05), 0.5, 1)], replace(QUICK, depth=None), np.random.default_rng(0)
    )
    assert none.as_dict()["directional"] is None
    assert none.tables()["directions"].empty


def layers(across: int) -> np.ndarray:
    """Marks that are alike along and independent across, or the other way round."""
    positions = packing(COUNT, SIDE_UM)
    level = np.random.default_rng(8).standard_normal(20)
    noise = np.random.default_rng(9).standard_normal(COUNT)
    return level[(positions[:, across] / 5).astype(int)] + 0.3 * noise


def test_pairs_along_and_across() -> None:
    for across, sign in ((0, 1), (1, -1)):
        found = directional_correlogram(
            [field(layers(across), packing(COUNT, SIDE_UM), SIDE_UM)],
            [0.0, 10.0, 20.0, 30.0],
            permutations=99,
            rng=np.random.default_rng(0),
        )
        assert np.all(sign * (found.along.moran - found.across.moran)[1:] > 0.05)
        assert found.p_value == 1 / 100
    swapped = directional_correlogram(
        [field(layers(1), packing(COUNT, SIDE_UM), SIDE_UM)],
        [0.0, 10.0, 20.0, 30.0],
        depth=1,
        permutations=0,
        rng=np.random.default_rng(0),
    )
    assert swapped.across.moran == pytest.approx(found.along.moran)
    shuffled = np.random.default_rng(2).permutation(layers(0))
    none = directional_correlogram(
        [field(shuffled, packing(COUNT, SIDE_UM), SIDE_UM)],
        [0.0, 10.0, 20.0, 30.0],
        permutations=99,
        rng=np.random.default_rng(0),
    )
    assert none.p_value > 0.05


def test_both_groups_together_are_the_correlogram() -> None:
    value = exponential_marks(20.0, 1, seed=5, count=COUNT, side_um=SIDE_UM)[0]
    found = analyse(
        [field(value, packing(COUNT, SIDE_UM), SIDE_UM)], QUICK, np.random.default_rng(0)
    )
    pairs, groups = found.correlogram, found.directional
    assert groups is not None
    assert (groups.along.pairs + groups.across.pairs).tolist() == pairs.pairs.tolist()
    summed = groups.along.pairs * groups.along.moran + groups.across.pairs * groups.across.moran
    assert summed / pairs.pairs == pytest.approx(pairs.moran.value)
    table = found.tables()["directions"]
    assert table["along_moran"].tolist() == groups.along.moran.tolist()
