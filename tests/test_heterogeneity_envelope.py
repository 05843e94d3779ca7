"""The test against randomly exchanged values: exact, as large as it says, and it sees structure."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import binom

from helpers.heterogeneity_cases import exponential_marks, field, packing
from heterode.heterogeneity import (
    ClusterCurve,
    Settings,
    analyse,
    cluster_curve,
    scale_of_heterogeneity,
)
from heterode.heterogeneity.correlogram import correlogram
from heterode.heterogeneity.envelope import (
    combined_order,
    envelope_test,
    extreme_rank_lengths,
    global_envelope,
)
from heterode.heterogeneity.null import global_p_value

COUNT, SIDE_UM = 150, 90.0
NEAR = (0.0, 10.0)
LADDER = (4, 12, 40, 75)


def curves(marks: np.ndarray) -> list[ClusterCurve]:
    positions = packing(COUNT, SIDE_UM)
    return [
        cluster_curve(
            [field(value, positions, SIDE_UM)],
            ladder=LADDER,
            seeds=1,
            permutations=39,
            near_um=NEAR,
            rng=np.random.default_rng(number),
        )
        for number, value in enumerate(marks)
    ]


def p_values(marks: np.ndarray) -> np.ndarray:
    return np.array([envelope_test(curve).p_value for curve in curves(marks)])


@cache
def null_curves(draws: int = 200) -> list[ClusterCurve]:
    return curves(exponential_marks(0.0, draws, seed=5, count=COUNT, side_um=SIDE_UM))


def test_words_in_a_dictionary() -> None:
    """Worked by hand: ranks (largest first) 1 4, 2 1, 3 2, 4 3; sorted 14, 12, 23, 34."""
    vectors = np.array([[9.0, 0.0], [8.0, 7.0], [5.0, 6.0], [1.0, 4.0]])
    assert extreme_rank_lengths(vectors).tolist() == [2, 1, 3, 4]
    # Equal vectors are equally extreme, also if rounding tells them apart.
    twice = np.vstack([vectors, vectors[1] * (1 + 1e-15)])
    assert extreme_rank_lengths(twice).tolist() == [1, 3, 4, 5, 3]


def test_parts_count_alike() -> None:
    """A part of one number weighs as much as one of many that say the same."""
    first, second = np.array([4.0, 3.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0, 4.0])
    order = combined_order([np.tile(first[:, None], 20), second[:, None]])
    assert order.tolist() == [2, 4, 4, 2]
    joined = np.column_stack([first] * 20 + [second])
    assert extreme_rank_lengths(joined).tolist() == [1, 3, 4, 2]


def test_the_envelope_and_p_say_the_same() -> None:
    """The observed vector leaves the envelope if and only if p is at most 1 - level."""
    rng = np.random.default_rng(1)
    outside, small = [], []
    for _ in range(400):
        vectors = np.cumsum(rng.standard_normal((100, 6)), axis=1)
        parts = [vectors[:, :5], vectors[:, 5:]]
        order = combined_order(parts)
        upper = np.concatenate([global_envelope(part, order, 0.8) for part in parts])
        outside.append(bool(np.any(vectors[0] > upper)))
        small.append(bool(order[0] / 100 <= 0.2))
    assert outside == small
    assert 0.12 < np.mean(small) < 0.28


def test_size_on_null_tables() -> None:
    """Binomial bounds of 1 in 10,000."""
    p = np.array([envelope_test(curve).p_value for curve in null_curves()])
    for level in (0.05, 0.5):
        low, high = binom.interval(0.9999, p.size, level)
        assert low <= np.count_nonzero(p <= level) <= high


def test_without_the_global_order_it_would_reject_too_often() -> None:
    """Negative control: the least of the pointwise p values is no p value."""
    least = []
    for curve in null_curves():
        near = np.append(curve.near_moran, curve.null_near_moran)
        vectors = np.column_stack([np.vstack([curve.sd, curve.null_sd]), near])
        least.append(np.mean(vectors >= vectors[0] * (1 - 1e-12), axis=0).min())
    _, high = binom.interval(0.9999, len(least), 0.05)
    assert np.count_nonzero(np.array(least) <= 0.05) > high


def test_a_gradient_is_seen() -> None:
    positions = packing(COUNT, SIDE_UM)
    noise = np.random.default_rng(3).standard_normal((8, COUNT))
    gradient = positions[:, 0] / SIDE_UM + 0.07 * noise
    assert np.corrcoef(gradient[0], positions[:, 0])[0, 1] > 0.95
    found = curves(gradient)
    assert all(scale_of_heterogeneity(curve).p_value == 1 / 40 for curve in found)
    shuffled = p_values(np.random.default_rng(4).permuted(gradient, axis=1))
    assert np.count_nonzero(shuffled <= 0.05) <= 3


def test_weak_correlation_is_seen_as_by_the_nearest_pairs_alone() -> None:
    """At least 0.8 of the power of Moran's I of the first bin, which knows where to look."""
    draws = 100
    correlated = exponential_marks(8.0, draws, seed=8, count=COUNT, side_um=SIDE_UM)
    white = exponential_marks(0.0, draws, seed=9, count=COUNT, side_um=SIDE_UM)
    marks = np.sqrt(0.25) * (correlated - 0.5) + np.sqrt(0.75) * (white - 0.5)
    whole, nearest = [], []
    for curve in curves(marks):
        whole.append(envelope_test(curve).p_value)
        near = np.append(curve.near_moran, curve.null_near_moran)
        nearest.append(global_p_value(near[:1], near[1:, None]))
    of_pairs = np.count_nonzero(np.array(nearest) <= 0.05)
    assert 20 <= of_pairs <= 80
    assert np.count_nonzero(np.array(whole) <= 0.05) >= 0.8 * of_pairs


def test_nearest_pairs_are_those_of_the_correlogram() -> None:
    """Of several fields, in any order of their particles."""
    rng = np.random.default_rng(2)
    marks = exponential_marks(10.0, 2, seed=1, count=COUNT, side_um=SIDE_UM)
    fields = [field(value, packing(COUNT, SIDE_UM), SIDE_UM) for value in marks]
    found = cluster_curve(fields, ladder=LADDER, permutations=39, near_um=NEAR, rng=rng)
    pairs = correlogram(fields, NEAR, permutations=0, rng=rng)
    assert found.near_moran == pytest.approx(pairs.moran.value[0], rel=1e-12)
    assert found.near_moran > found.null_near_moran.max()
    assert abs(found.null_near_moran.mean()) < 0.1


def test_equal_curves_are_no_finding() -> None:
    """One particle has another value: many exchanges give the same, and p counts them all."""
    value = np.zeros(COUNT)
    value[0] = 1.0
    curve = cluster_curve(
        [field(value, packing(COUNT, SIDE_UM), SIDE_UM)],
        ladder=[4],
        seeds=1,
        permutations=99,
        rng=np.random.default_rng(0),
    )
    assert envelope_test(curve).p_value > 0.1


def test_the_whole_analysis_says_it() -> None:
    positions = packing(COUNT, SIDE_UM)
    quick = Settings(permutations=39, seeds=1, ladder=LADDER, max_um=10.0, grid=8)
    for value, differ in ((positions[:, 1], True), (exponential_marks(0.0, 1, seed=5)[0], False)):
        points = field(value[:COUNT], positions, SIDE_UM)
        found = analyse([points], quick, np.random.default_rng(0))
        said = any("cannot be told from randomly exchanged values" in w for w in found.warnings)
        assert said is not differ
        assert (found.envelope.p_value == 1 / 40) is differ
        content = found.as_dict()
        assert content["scale"]["p_value"] == content["envelope_test"]["p_value"]
        assert content["envelope_test"]["near_um"] == [0.0, 10.0]
        outside = found.curve.sd > found.envelope.sd_upper
        assert found.envelope.outside_um.tolist() == found.curve.size_um[outside].tolist()
    none = analyse([points], replace(quick, permutations=0), np.random.default_rng(0))
    assert none.as_dict()["envelope_test"]["p_value"] is None
    assert not any("randomly exchanged" in w for w in none.warnings)
