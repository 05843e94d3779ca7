"""The correlogram: exact against explicit pairs, and calibrated against random marks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from helpers.heterogeneity_cases import all_pairs, exponential_marks, field, packing
from helpers.paths import HELPERS
from heterode.base.errors import InputError
from heterode.heterogeneity import Correlogram, MarkedPoints, correlogram, rank_loops
from heterode.heterogeneity.correlogram import STATISTICS
from heterode.heterogeneity.marks import checked
from heterode.heterogeneity.pooled import GRADES, Pooled

EDGES = np.array([0.0, 8.0, 16.0, 32.0, 60.0])


def some_field(count: int = 150, seed: int = 3, *, ties: bool = False) -> MarkedPoints:
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, 100, (count, 2))
    value = np.sin(positions[:, 0] / 20) + rng.standard_normal(count) + 5
    return MarkedPoints("some", positions, np.round(value) if ties else value)


def quick(
    fields: list[MarkedPoints], edges: np.ndarray = EDGES, permutations: int = 0
) -> Correlogram:
    return correlogram(fields, edges, permutations=permutations, rng=np.random.default_rng(0))


@pytest.mark.parametrize("ties", [False, True])
def test_coefficients_are_scipys_on_pairs_in_both_orders(ties: bool) -> None:
    points = some_field(ties=ties)
    found = quick([points])
    for b in range(4):
        i, j = all_pairs(points.positions_um, EDGES[b], EDGES[b + 1])
        v, w = points.value[np.concatenate([i, j])], points.value[np.concatenate([j, i])]
        assert found.pairs[b] == i.size
        assert found.pearson.value[b] == pytest.approx(stats.pearsonr(v, w)[0], abs=1e-13)
        assert found.spearman.value[b] == pytest.approx(stats.spearmanr(v, w)[0], abs=1e-13)
        assert found.kendall.value[b] == pytest.approx(stats.kendalltau(v, w)[0], abs=1e-13)
        assert found.bin_mean[b] == pytest.approx(v.mean(), rel=1e-13)
        assert found.bin_sd[b] == pytest.approx(v.std(), rel=1e-12)
        assert found.variogram.value[b] == pytest.approx(0.5 * np.mean((v - w) ** 2), rel=1e-12)
        mark = np.mean(v * w) / points.value.mean() ** 2
        assert found.mark_correlation.value[b] == pytest.approx(mark, rel=1e-12)


def test_variogram_follows_from_pearson() -> None:
    found = quick([some_field()])
    assert found.variogram.value == pytest.approx(
        found.bin_sd**2 * (1 - found.pearson.value), rel=1e-12
    )
    # With the variance of all values in place of the bin's it holds no longer.
    wrong = some_field().value.var() * (1 - found.pearson.value)
    assert np.abs(wrong / found.variogram.value - 1).max() > 1e-3


def test_pairs_in_one_order_follow_the_order_of_rows() -> None:
    """A trend, rows sorted by it: i < j puts small values first, so that they look alike less."""
    rng = np.random.default_rng(2)
    positions = rng.uniform(0, 228, (1000, 2))
    positions = positions[np.argsort(positions[:, 0])]
    points = MarkedPoints("trend", positions, positions[:, 0] + 20 * rng.standard_normal(1000))
    found = quick([points], np.array([90.0, 100.0])).pearson.value[0]
    i, j = all_pairs(positions, 90.0, 100.0)
    one_order = stats.pearsonr(points.value[i], points.value[j])[0]
    assert abs(one_order - found) > 0.3
    shuffled = rng.permutation(1000)
    again = quick([points.chosen(np.ones(1000))], np.array([90.0, 100.0])).pearson.value[0]
    other = MarkedPoints("trend", positions[shuffled], points.value[shuffled])
    assert quick([other], np.array([90.0, 100.0])).pearson.value[0] == pytest.approx(found)
    assert again == found


def test_moran_and_geary_are_esdas() -> None:
    found = quick([some_field()])
    esda = json.loads((HELPERS / "esda_values.json").read_text(encoding="utf-8"))
    assert esda["edges_um"] == EDGES.tolist()
    assert found.moran.value == pytest.approx(esda["moran"], rel=1e-10)
    assert found.geary.value == pytest.approx(esda["geary"], rel=1e-10)
    # Its default, weights that sum to 1 for each particle, is another number.
    assert np.abs(found.moran.value - esda["moran_by_rows"]).max() > 1e-4


@pytest.mark.parametrize("name", ["2D", "3D", "2D with ties"])
def test_the_variogram_is_that_of_gstools(name: str) -> None:
    table = json.loads((HELPERS / "gstools_values.json").read_text(encoding="utf-8"))
    rng = np.random.default_rng(3)
    positions = rng.uniform(0, 100, (150, 3 if name == "3D" else 2))
    value = np.sin(positions[:, 0] / 20) + rng.standard_normal(150) + 5
    value = np.round(value) if "ties" in name else value
    assert table["edges_um"] == EDGES.tolist()
    found = correlogram(
        [MarkedPoints(name, positions, value)],
        EDGES,
        permutations=0,
        rng=np.random.default_rng(0),
        min_pairs=1,
    )
    expected = table["fields"][name]
    assert found.pairs.tolist() == expected["pairs"]
    assert found.variogram.value == pytest.approx(expected["gamma"], rel=1e-10)
    # The values of another field are other ones.
    others = [one["gamma"] for key, one in table["fields"].items() if key != name]
    assert all(np.abs(found.variogram.value - other).max() > 1e-3 for other in others)


def test_moran_expects_minus_one_over_n_minus_one() -> None:
    points = some_field(count=14)
    found = correlogram(
        [points], [0.0, 60.0], permutations=20_000, rng=np.random.default_rng(1), min_pairs=1
    ).moran
    error = found.sd[0] / np.sqrt(20_000)
    assert found.expected[0] == pytest.approx(-1 / 13, abs=4 * error)
    assert abs(found.expected[0]) > 10 * error


def test_permuted_curves_are_those_of_permuted_fields() -> None:
    """The fast way for many permutations gives what each would give as a field of its own."""
    fields = checked([some_field(), some_field(count=90, seed=4)])
    pooled = Pooled(fields, EDGES, np.random.default_rng(0), 2_000_000)
    curves = pooled.permuted(3, np.random.default_rng(7))
    rows = next(pooled._permutations(3, np.random.default_rng(7)))
    value = pooled.mean + pooled.sd * pooled.z
    for m in range(3):
        permuted = []
        for f, points in enumerate(fields):
            own = slice(pooled.offsets[f], pooled.offsets[f + 1])
            column = np.empty(len(points))
            column[pooled.grids[f].order] = value[rows[m]][own]
            assert sorted(column) == pytest.approx(sorted(points.value))
            permuted.append(points.with_values(column))
        alone = quick(permuted)
        for name in STATISTICS:
            # Tables of 128 grades stand in for Kendall's ranks of 240 values.
            close = 3e-3 if name == "kendall" else 2e-6
            assert curves[name][m] == pytest.approx(
                alone.statistics[name].value, rel=close, abs=close
            )


def test_kendall_by_table_is_exact_for_few_levels() -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 40, 500).astype(np.int32)
    first, second = rng.integers(0, 500, (2, 3000)).astype(np.int32)
    exact = rank_loops.kendall(levels[first], levels[second], 40)
    grade = np.arange(40, dtype=np.uint8)
    table = rank_loops.kendall_by_table(first, second, levels[None], 40, grade, 40, 0, 1)
    assert table[0] == pytest.approx(exact, abs=1e-14)


def test_grades_keep_the_null_distribution_of_kendall() -> None:
    """The only approximation of the permutations: 128 grades in place of 2,000 ranks."""
    rng = np.random.default_rng(0)
    levels = np.stack([rng.permutation(2000) for _ in range(200)]).astype(np.int32)
    first, second = rng.integers(0, 2000, (2, 4000)).astype(np.int32)
    exact = np.array([rank_loops.kendall(row[first], row[second], 2000) for row in levels])

    def graded_by(number: int) -> np.ndarray:
        grade = (np.arange(2000) * number // 2000).astype(np.uint8)
        return rank_loops.kendall_by_table(first, second, levels, 2000, grade, number, 0, 200)

    graded = graded_by(GRADES)
    assert graded.std() == pytest.approx(exact.std(), rel=1e-3)
    assert np.abs(graded - exact).max() < 0.05 * exact.std()
    assert np.abs(graded_by(4) - exact).max() > 0.1 * exact.std()


def test_moving_turning_and_scaling_changes_nothing() -> None:
    points = some_field()
    base = quick([points], permutations=39)
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    order = np.random.default_rng(0).permutation(len(points))
    others = {
        "moved": MarkedPoints("m", points.positions_um + np.array([300.0, -40.0]), points.value),
        "turned": MarkedPoints("t", points.positions_um @ turn, points.value),
        "shuffled": MarkedPoints("s", points.positions_um[order], points.value[order]),
        "percent": MarkedPoints("p", points.positions_um, 100 * points.value),
    }
    for name, other in others.items():
        found = quick([other])
        for statistic in STATISTICS:
            factor = 1e4 if (name, statistic) == ("percent", "variogram") else 1.0
            assert found.statistics[statistic].value == pytest.approx(
                factor * base.statistics[statistic].value, rel=1e-9, abs=1e-12
            ), (name, statistic)
    inches = MarkedPoints("i", points.positions_um / 25.4, points.value)
    assert quick([inches], EDGES / 25.4).kendall.value == pytest.approx(base.kendall.value)


def test_pair_averaged_correlation_comes_back() -> None:
    """Mean over 24 draws against the correlation function averaged over the bin's pairs."""
    positions = packing()
    edges = np.array([0.0, 10.0])
    for length in (5.0, 20.0):
        curves = [
            quick([field(marks, positions)], edges).pearson.value
            for marks in exponential_marks(length, 24, seed=1)
        ]
        i, j = all_pairs(positions, 0.0, 10.0)
        distance = np.linalg.norm(positions[i] - positions[j], axis=1)
        truth = np.mean(np.exp(-distance / length))
        mean, error = np.mean(curves, axis=0)[0], np.std(curves, axis=0)[0] / np.sqrt(24)
        # The field's own mean is subtracted: about its variance is lost (0.003 and 0.03).
        lost = 2 * np.pi * length**2 / 324**2
        assert mean == pytest.approx(truth - lost * (1 - truth), abs=4 * error + 0.004)
        # The value at the bin's centre is not what a bin shows.
        assert abs(mean - np.exp(-5.0 / length)) > 10 * error


def false_positives(draws: int, count: int, permutations: int) -> dict[str, float]:
    """Fraction of fields with independent marks in which each kind of test finds structure."""
    rng = np.random.default_rng(11)
    positions = packing(count, 100.0)
    edges = np.array([0.0, 10.0, 20.0, 30.0, 40.0])
    hits: dict[str, list[bool]] = {"pointwise": [], "any": [], "global": [], "textbook": []}
    for _ in range(draws):
        # With ties, as images of few grey levels have them.
        points = MarkedPoints("r", positions, np.round(4 * rng.standard_normal(count)))
        found = correlogram([points], edges, permutations=permutations, rng=rng)
        for statistic in (found.spearman, found.kendall):
            outside = (statistic.value < statistic.envelope[0]) | (
                statistic.value > statistic.envelope[1]
            )
            hits["pointwise"] += outside.tolist()
            hits["any"].append(bool(outside.any()))
            hits["global"].append(statistic.p_value <= 0.05)
        z = np.arctanh(found.pearson.value) * np.sqrt(2 * found.pairs - 3)
        hits["textbook"] += (np.abs(z) > 1.96).tolist()
    return {name: float(np.mean(found)) for name, found in hits.items()}


def test_false_positives_are_five_percent() -> None:
    found = false_positives(draws=400, count=120, permutations=39)
    assert found["pointwise"] == pytest.approx(0.05, abs=0.02)
    assert found["global"] == pytest.approx(0.05, abs=0.02)
    # Reading the pointwise envelope in four bins, or the textbook's p value, finds too much.
    assert found["any"] > 0.1
    assert found["textbook"] > 0.1


@pytest.mark.slow
def test_false_positives_of_a_real_field() -> None:
    found = false_positives(draws=400, count=1000, permutations=199)
    assert found["pointwise"] == pytest.approx(0.05, abs=0.02)
    assert found["global"] == pytest.approx(0.05, abs=0.02)


def test_structure_is_found() -> None:
    marks = exponential_marks(20.0, 1, seed=5)[0]
    found = quick([field(marks, packing())], np.arange(0.0, 60.0, 10.0), permutations=39)
    for statistic in found.statistics.values():
        assert statistic.p_value == pytest.approx(1 / 40)
        assert statistic.permutations == 39
    assert found.kendall.value[0] > found.kendall.band[1, 0]
    assert found.geary.value[0] < found.geary.band[0, 0]


def test_a_difference_between_fields_is_no_structure() -> None:
    rng = np.random.default_rng(3)
    fields = [
        field(offset + rng.standard_normal(300), packing(300, 100.0), 100.0)
        for offset in (10.0, 14.0)
    ]
    found = quick(fields, np.array([0.0, 20.0, 40.0]), permutations=99)
    assert found.pearson.value[0] > 0.5
    assert found.pearson.expected[0] == pytest.approx(found.pearson.value[0], abs=0.02)
    assert found.pearson.p_value > 0.05
    assert found.fields == 2
    assert found.particles == 600
    one = quick(fields[:1], np.array([0.0, 20.0, 40.0]))
    assert found.pairs.tolist() == (2 * one.pairs).tolist()


def test_capped_pairs_are_said_and_close() -> None:
    marks = exponential_marks(20.0, 1, seed=5)[0]
    points = field(marks, packing())
    edges = np.array([0.0, 20.0, 40.0])
    whole = quick([points], edges)
    capped = correlogram(
        [points], edges, permutations=39, rng=np.random.default_rng(0), rank_pairs_cap=10_000
    )
    assert capped.kendall_pairs.tolist() == [10_000, 10_000]
    assert "at most 10,000 pairs" in capped.kendall.note
    # What stands in for ranks does not move a result, so a reader is not told.
    assert capped.kendall.note == "at most 10,000 pairs of a bin, drawn at random"
    assert whole.kendall.note == ""
    assert capped.kendall.value == pytest.approx(whole.kendall.value, abs=0.03)
    assert capped.spearman.value == pytest.approx(whole.spearman.value, abs=1e-12)


def test_fewer_permutations_where_pairs_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heterode.heterogeneity.pooled.MOST_VISITS", 100_000.0)
    found = quick([some_field()], permutations=999)
    assert 39 <= found.pearson.permutations < 999
    assert f"{found.pearson.permutations} permutations instead of 999" in found.pearson.note


def test_bins_with_few_pairs_are_empty() -> None:
    found = correlogram(
        [some_field()],
        [0.0, 0.001, 10.0, 500.0, 501.0],
        permutations=39,
        rng=np.random.default_rng(0),
    )
    assert found.pairs[0] == found.pairs[3] == 0
    assert np.isnan(found.distance_um[[0, 3]]).all()
    for statistic in found.statistics.values():
        assert np.isnan(statistic.value).tolist() == [True, False, False, True]
        assert np.isnan(statistic.envelope[0]).tolist() == [True, False, False, True]
        assert 0 < statistic.p_value <= 1


def test_marks_of_either_sign_have_no_mark_correlation() -> None:
    points = some_field()
    found = quick([points.with_values(points.value - points.value.mean())], permutations=39)
    assert np.isnan(found.mark_correlation.value).all()
    assert np.isnan(found.mark_correlation.p_value)
    assert np.isfinite(found.pearson.value).all()


def test_too_few_permutations_for_an_envelope() -> None:
    with pytest.raises(InputError, match="at least 39"):
        quick([some_field()], permutations=38)
    with pytest.raises(InputError, match="outside"):
        correlogram([some_field()], EDGES, level=1.0, rng=np.random.default_rng(0))
    assert np.isnan(quick([some_field()]).pearson.envelope).all()
