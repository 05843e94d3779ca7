"""The cluster curve: partitions as good as scikit-learn's, and the exact law of random marks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import KMeans

from helpers.heterogeneity_cases import exponential_marks, field, packing
from heterode.base.errors import InputError
from heterode.heterogeneity import MarkedPoints, cluster_curve
from heterode.heterogeneity.lloyd import balanced_start, kmeans
from heterode.heterogeneity.partitions import Partitions, _shares


def inertia_of(positions: np.ndarray, labels: np.ndarray) -> float:
    centres = [np.bincount(labels, x) / np.bincount(labels) for x in positions.T]
    return float(np.sum((positions - np.column_stack(centres)[labels]) ** 2))


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("clusters", [4, 20, 100, 400, 1000])
def test_partitions_are_as_good_as_scikit_learns(clusters: int, dimension: int) -> None:
    positions = packing() if dimension == 2 else packing(2000, 130.0, 3)
    rng = np.random.default_rng(0)
    own = []
    for _ in range(5):
        labels, inertia = kmeans(positions, clusters, rng)
        assert np.array_equal(np.unique(labels), np.arange(clusters))
        assert inertia == pytest.approx(inertia_of(positions, labels), rel=1e-9)
        own.append(inertia)
    theirs = [
        KMeans(clusters, n_init=1, random_state=seed).fit(positions).inertia_ for seed in range(2)
    ]
    assert np.mean(own) < 1.02 * np.mean(theirs)
    # The start alone, without improvement, is not as good; four quarters of a square are.
    start = balanced_start(positions, clusters)
    assert clusters == 4 or inertia_of(positions, start) > 1.03 * np.mean(own)


def test_extreme_numbers_of_clusters() -> None:
    positions = packing(200, 100.0)
    rng = np.random.default_rng(0)
    assert kmeans(positions, 1, rng)[0].tolist() == [0] * 200
    labels, inertia = kmeans(positions, 200, rng)
    assert sorted(labels) == list(range(200))
    assert inertia == pytest.approx(0.0, abs=1e-9)


def test_clusters_apart_are_found() -> None:
    rng = np.random.default_rng(4)
    islands = np.repeat(rng.permutation(36)[:12, None], 25, axis=1).ravel()
    centres = np.column_stack([islands % 6, islands // 6]) * 100.0
    positions = centres + rng.uniform(-5, 5, (300, 2))
    best = min((kmeans(positions, 12, rng) for _ in range(10)), key=lambda found: found[1])
    pairs = set(zip(best[0].tolist(), islands.tolist(), strict=True))
    assert len(pairs) == 12


def test_a_cluster_that_runs_empty_is_filled() -> None:
    """Two far groups of 5 and 95 points, started by number, need centres to change groups."""
    rng = np.random.default_rng(0)
    positions = np.concatenate([rng.uniform(0, 1, (5, 2)), rng.uniform(0, 1, (95, 2)) + 1000.0])
    for clusters in (2, 7, 50):
        labels, _ = kmeans(positions, clusters, rng)
        assert np.unique(labels).size == clusters


@pytest.mark.parametrize("weighted", [False, True])
def test_random_marks_follow_the_exact_law(weighted: bool) -> None:
    """E[s_K^2] = S^2 mean(1/n_c), or mean(sum w^2 / (sum w)^2), for any partition."""
    rng = np.random.default_rng(8)
    positions = packing(400, 140.0)
    # Particles thinned on one side: clusters of very different numbers.
    positions = positions[rng.random(400) < 0.15 + 0.85 * (positions[:, 0] > 70)]
    count = len(positions)
    weight = rng.lognormal(0, 1, count)
    window = np.array([[0.0, 140.0]] * 2)
    points = MarkedPoints("r", positions, rng.lognormal(0, 1, count), weight, window_um=window)
    found = cluster_curve(
        [points], ladder=[3, 10, 40], seeds=2, permutations=4000, weighted=weighted, rng=rng
    )
    squares = found.null_sd**2
    error = squares.std(axis=0) / np.sqrt(4000)
    deviation = (squares.mean(axis=0) - found.expected_sd**2) / error
    assert np.abs(deviation).max() < 4
    # The number of particles per cluster, in place of the mean of the inverse, is wrong.
    simple = found.value_sd**2 / found.particles_per_cluster
    assert ((squares.mean(axis=0) - simple) / error)[:2].min() > 8


def test_correlated_marks_follow_their_covariance() -> None:
    """E[s_K^2] = tr(H A C A' H) / (K - 1): A averages over clusters, H centres."""
    positions = packing()
    marks = exponential_marks(10.0, 40, seed=7)
    covariance = 0.01 * np.exp(-squareform(pdist(positions)) / 10.0)
    for clusters in (25, 100):
        rng = np.random.default_rng(0)
        found = [
            cluster_curve(
                [field(m, positions)], ladder=[clusters], permutations=0, seeds=1, rng=rng
            )
            for m in marks
        ]
        labels = kmeans(positions, clusters, rng)[0]
        averaging = np.equal.outer(np.arange(clusters), labels) / np.bincount(labels)[:, None]
        of_means = averaging @ covariance @ averaging.T
        expected = (np.trace(of_means) - of_means.sum() / clusters) / (clusters - 1)
        squares = np.array([f.sd[0] ** 2 for f in found])
        error = squares.std(ddof=1) / np.sqrt(40)
        assert squares.mean() == pytest.approx(expected, abs=3.5 * error)
        # Random marks would give far less.
        assert expected > 3 * found[0].expected_sd[0] ** 2


def test_sets_of_values_share_their_partitions() -> None:
    positions = packing()
    marks = exponential_marks(10.0, 2, seed=3)
    options = {"ladder": [100, 9], "seeds": 2}
    shared = Partitions.of(
        [field(marks[0], positions)], rng=np.random.default_rng(4).spawn(2)[0], **options
    )
    for values in marks:
        points = field(values, positions)
        alone = cluster_curve([points], permutations=19, rng=np.random.default_rng(4), **options)
        found = cluster_curve(
            [points], permutations=19, partitions=shared, rng=np.random.default_rng(4)
        )
        assert found.clusters.tolist() == [100, 9]
        assert np.array_equal(found.sd_by_seed, alone.sd_by_seed)
        assert np.array_equal(found.null_sd, alone.null_sd)
    # Other starts give other clusters.
    other = cluster_curve([points], permutations=19, rng=np.random.default_rng(5), **options)
    assert not np.array_equal(other.sd_by_seed, alone.sd_by_seed)


def test_curve_by_hand() -> None:
    rng = np.random.default_rng(1)
    points = field(exponential_marks(20.0, 1, seed=1)[0], packing())
    found = cluster_curve([points], ladder=[50, 9, 300], seeds=3, permutations=5, rng=rng)
    assert found.clusters.tolist() == [300, 50, 9]
    assert found.size_um == pytest.approx(324 / np.sqrt([300, 50, 9]))
    assert found.particles_per_cluster == pytest.approx(2000 / np.array([300, 50, 9]))
    for s in range(3):
        means = found.cluster_means[s]
        assert means.shape == (found.clusters[s],)
        assert found.mean_by_seed[0, s] == pytest.approx(means.mean())
        assert found.sd_by_seed[0, s] == pytest.approx(means.std(ddof=1))
    assert found.sd == pytest.approx(np.sqrt(np.mean(found.sd_by_seed**2, axis=0)))
    assert found.mean == pytest.approx(found.mean_by_seed.mean(axis=0))
    assert found.global_mean == pytest.approx(points.value.mean())
    assert found.null_sd.shape == (5, 3)
    assert found.jackknife_sd.shape == (9, 3)
    # One field: its own curve is the whole.
    assert found.field_sd[0] == pytest.approx(found.sd)
    assert found.field_size_um[0] == pytest.approx(found.size_um)
    # Structure of 20 um: far above what random marks give.
    assert np.all(found.sd > found.null_sd.max(axis=0))


def test_leaving_blocks_out() -> None:
    """A field with one odd corner: without that block the spread falls, without others hardly."""
    positions = packing()
    odd = (positions < 108.0).all(axis=1)
    rng = np.random.default_rng(1)
    points = field(rng.standard_normal(2000) + 5.0 * odd, positions)
    found = cluster_curve([points], ladder=[100], seeds=2, permutations=0, rng=rng)
    without = found.jackknife_sd[:, 0]
    assert without.argmin() == 0
    assert without[0] < 0.5 * found.sd[0]
    assert without[1:].min() > 0.9 * found.sd[0]
    assert found.null_sd.shape == (0, 1)


def test_weights_enter_the_means() -> None:
    positions = packing(100, 100.0)
    heavy = positions[:, 0] > 50
    rng = np.random.default_rng(0)
    value = heavy + 0.01 * rng.random(100)
    points = MarkedPoints("w", positions, value, 1.0 + 8.0 * heavy)
    plain = cluster_curve([points], ladder=[4], permutations=0, rng=rng)
    weighted = cluster_curve([points], ladder=[4], permutations=0, weighted=True, rng=rng)
    assert plain.global_mean == pytest.approx(value.mean())
    assert weighted.global_mean == pytest.approx(np.average(value, weights=1 + 8.0 * heavy))
    assert weighted.weighted
    assert not plain.weighted


def test_fields_share_clusters_by_area() -> None:
    small = field(np.random.default_rng(0).random(60), packing(60, 50.0), 50.0)
    large = field(np.random.default_rng(1).random(500), packing(500, 150.0), 150.0)
    assert _shares(10, (small, large)).tolist() == [1, 9]
    assert _shares(100, (small, large)).tolist() == [10, 90]
    assert _shares(2, (small, large)).tolist() == [1, 1]
    assert _shares(560, (small, large)).tolist() == [60, 500]
    for clusters in range(2, 560, 31):
        assert _shares(clusters, (small, large)).sum() == clusters
    found = cluster_curve(
        [small, large], ladder=[2, 20], permutations=9, rng=np.random.default_rng(0)
    )
    assert found.size_um == pytest.approx(np.sqrt((50**2 + 150**2) / np.array([20, 2])))
    assert found.field_size_um[:, 0] == pytest.approx(np.sqrt([50**2 / 2, 150**2 / 18]))
    # A field that is one cluster has no spread of its own.
    assert np.isnan(found.field_sd[:, 1]).all()
    assert np.isfinite(found.field_sd[:, 0]).all()


def test_a_difference_between_fields_is_heterogeneity() -> None:
    rng = np.random.default_rng(0)
    fields = [
        field(offset + rng.standard_normal(300), packing(300, 100.0), 100.0)
        for offset in (10.0, 14.0)
    ]
    found = cluster_curve(fields, ladder=[4, 20], permutations=99, rng=rng)
    assert np.all(found.sd > found.null_sd.max(axis=0))
    alone = cluster_curve(fields[:1], ladder=[4, 20], permutations=99, rng=rng)
    assert np.all(alone.sd < alone.null_sd.max(axis=0))


def test_default_ladder() -> None:
    points = field(exponential_marks(0.0, 1, seed=1)[0], packing())
    found = cluster_curve([points], seeds=1, permutations=0, rng=np.random.default_rng(0))
    assert found.clusters[0] == 1000
    assert found.clusters[-1] == 4
    assert 20 <= found.clusters.size <= 24
    assert np.all(np.diff(found.size_um) > 0)
    fewest = MarkedPoints("ten", packing(200, 100.0)[:10], np.arange(10.0))
    short = cluster_curve([fewest], seeds=1, permutations=0, rng=np.random.default_rng(0))
    assert short.clusters.tolist() == [5, 4]


@pytest.mark.parametrize("ladder", [[1, 5], [5, 2001], []])
def test_wrong_ladders(ladder: list[int]) -> None:
    points = field(exponential_marks(0.0, 1, seed=1)[0], packing())
    with pytest.raises(InputError, match=r"within 2 \.\. 2000"):
        cluster_curve([points], ladder=ladder, rng=np.random.default_rng(0))


def test_same_numbers_from_the_same_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    points = field(exponential_marks(20.0, 1, seed=1)[0], packing())

    def run(seed: int) -> np.ndarray:
        return cluster_curve(
            [points], ladder=[10, 100], seeds=2, permutations=40, rng=np.random.default_rng(seed)
        ).null_sd

    first = run(1)
    monkeypatch.setattr("heterode.heterogeneity.compiled.threads", lambda: 1)
    assert np.array_equal(first, run(1))
    assert not np.array_equal(first, run(2))
