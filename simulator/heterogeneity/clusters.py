r"""Means of the value over clusters of neighbouring particles, as a function of cluster size.

The centres of the particles are partitioned by k-means into K clusters, for a ladder of K; a
cluster's size is L = (A/K)^(1/2) in a field of area A, (V/K)^(1/3) in a volume V. With m_c the mean
over the n_c particles of cluster c,

    mean = sum_c m_c / K,    s_K^2 = sum_c (m_c - mean)^2 / (K - 1)

Under random marks of variance S^2, E[s_K^2] = S^2 mean(1/n_c) holds exactly for any partition. With
areas or volumes w as weights, 1/n_c becomes sum w^2 / (sum w)^2. k-means itself weights all centres
equally.

The K clusters are divided among several fields by their areas. Marks are permuted over all fields,
so that a difference between fields counts as heterogeneity on a scale beyond a field's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.heterogeneity.blocks import SubFields
from heterode.heterogeneity.compiled import compiled, on_threads
from heterode.heterogeneity.marks import Floats, Ints, MarkedPoints, checked
from heterode.heterogeneity.pairs import PairGrid
from heterode.heterogeneity.partitions import Partitions

# Number of permutations whose cluster means are in memory at a time.
_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class ClusterCurve:
    """Cluster means for a ladder of S cluster sizes, with one or more fields pooled.

    Sizes increase along the ladder, and numbers of clusters decrease.

    Attributes:
        clusters: (S,) number K of clusters over all fields.
        size_um: (S,) size L = (extent / K)^(1/d).
        particles_per_cluster: (S,) mean number N / K.
        cluster_means: S arrays of (K,) means for the first k-means seed.
        mean: (S,) mean over clusters (and seeds).
        sd: (S,) standard deviation over clusters (ddof 1), root mean square over seeds.
        mean_by_seed, sd_by_seed: (seeds, S) the same for each k-means seed.
        global_mean: mean over all particles.
        value_sd: S, standard deviation of the particles' values (ddof 1).
        value_range: largest minus smallest value.
        expected_sd: (S,) sqrt(S^2 mean(1/n_c)), the exact value for random marks.
        null_mean, null_sd: (permutations, S) the same curve for permuted marks.
        near_um: (2,) distances between which the nearest pairs lie; NaN where none were asked for.
        near_moran: Moran's I of these pairs; NaN without any.
        null_near_moran: (permutations,) the same for the permuted marks.
        jackknife_mean, jackknife_sd: (blocks, S) without the clusters in one block (a sub-field);
            NaN where fewer than two clusters are left.
        field_clusters: (fields, S) numbers of clusters of each field.
        field_size_um, field_mean, field_sd: (fields, S) for each field alone; NaN where it has
            fewer than two clusters.
        field_global_mean: (fields,) mean over all particles of each field.
        weighted: whether means are weighted by the particles' weight.
        dimension, particles, fields: d, N and the number of fields.
        extent: sum of the windows' areas (um^2) or volumes (um^3).
    """

    clusters: Ints
    size_um: Floats
    particles_per_cluster: Floats
    cluster_means: tuple[Floats, ...]
    mean: Floats
    sd: Floats
    mean_by_seed: Floats
    sd_by_seed: Floats
    global_mean: float
    value_sd: float
    value_range: float
    expected_sd: Floats
    null_mean: Floats
    null_sd: Floats
    near_um: Floats
    near_moran: float
    null_near_moran: Floats
    jackknife_mean: Floats
    jackknife_sd: Floats
    field_clusters: Ints
    field_size_um: Floats
    field_mean: Floats
    field_sd: Floats
    field_global_mean: Floats
    weighted: bool
    dimension: int
    particles: int
    fields: int
    extent: float


def cluster_curve(
    fields: Sequence[MarkedPoints],
    *,
    ladder: Sequence[int] | None = None,
    seeds: int = 5,
    permutations: int = 199,
    weighted: bool = False,
    near_um: tuple[float, float] | None = None,
    partitions: Partitions | None = None,
    rng: np.random.Generator,
) -> ClusterCurve:
    """Cluster the centres by k-means for a ladder of K and average the values in each cluster.

    Args:
        ladder: numbers of clusters, which are divided among the fields by area; by default 24
            numbers from 4 (at least one for each field) to N/2.
        seeds: k-means starts for each K.
        permutations: permutations of the marks over all fields; 0 for none.
        weighted: whether means are weighted by area or volume.
        near_um: distances of the nearest pairs, lower <= distance < upper, whose Moran's I is
            found for the same permutations; None for no pairs.
        partitions: partitions of these particles, with a ladder and seeds of their own.
        rng: generator for k-means and permutations.

    Raises:
        InputError: the fields cannot be pooled, or they do not allow the ladder.
    """
    listed = checked(fields)
    if seeds < 1 or permutations < 0:
        raise InputError(f"seeds = {seeds}, permutations = {permutations}: at least 1 and 0.")
    k_means, marks = rng.spawn(2)
    if partitions is None:
        partitions = Partitions.of(listed, ladder=ladder, seeds=seeds, rng=k_means)
    pooled = _PooledParticles(listed, partitions.orders, weighted)
    numbers, shares = partitions.clusters, partitions.shares
    permuted = pooled.permuted(permutations, marks)
    moran = pooled.moran(near_um, permuted)
    jobs = [
        (labels, of_fields)
        for of_seeds, of_fields in zip(partitions.labels, shares, strict=True)
        for labels in of_seeds
    ]
    done = on_threads(lambda job: _partition_statistics(pooled, job[0], job[1], permuted), jobs)
    seeds = partitions.labels.shape[1]
    counts = [_ClusterCount.of(done[k : k + seeds]) for k in range(0, len(done), seeds)]
    extent = sum(field.extent for field in listed)
    d = listed[0].dimension
    extents = np.array([field.extent for field in listed])

    def by_count(name: str) -> Floats:
        return np.stack([getattr(count, name) for count in counts], axis=-1)

    def rms(name: str) -> Floats:
        return np.asarray(np.sqrt(np.mean(by_count(name) ** 2, axis=0)))

    return ClusterCurve(
        clusters=numbers,
        size_um=(extent / numbers) ** (1 / d),
        particles_per_cluster=len(pooled.value) / numbers,
        cluster_means=tuple(count.cluster_means for count in counts),
        mean=by_count("mean").mean(axis=0),
        sd=rms("sd"),
        mean_by_seed=by_count("mean"),
        sd_by_seed=by_count("sd"),
        global_mean=pooled.global_mean,
        value_sd=float(pooled.value.std(ddof=1)),
        value_range=float(np.ptp(pooled.value)),
        expected_sd=rms("expected_sd"),
        null_mean=by_count("null_mean").mean(axis=0),
        null_sd=rms("null_sd"),
        near_um=np.full(2, np.nan) if near_um is None else np.array(near_um),
        near_moran=float(moran[0]),
        null_near_moran=moran[1:],
        jackknife_mean=by_count("jackknife_mean").mean(axis=0),
        jackknife_sd=rms("jackknife_sd"),
        field_clusters=shares.T,
        field_size_um=(extents[:, None] / shares.T) ** (1 / d),
        field_mean=by_count("field_mean").mean(axis=0),
        field_sd=rms("field_sd"),
        field_global_mean=pooled.field_means(),
        weighted=weighted,
        dimension=d,
        particles=len(pooled.value),
        fields=len(listed),
        extent=extent,
    )


class _PooledParticles:
    """The particles of all fields, one field after another, each sorted by place."""

    def __init__(
        self, fields: tuple[MarkedPoints, ...], orders: Sequence[Ints], weighted: bool
    ) -> None:
        self.fields = fields
        self.orders = orders
        pairs = list(zip(fields, orders, strict=True))
        self.positions = [field.positions_um[order] for field, order in pairs]
        self.value = np.concatenate([field.value[order] for field, order in pairs])
        weight = np.concatenate([field.weight[order] for field, order in pairs])
        self.weight = weight if weighted else np.ones_like(weight)
        self.global_mean = float(np.average(self.value, weights=self.weight))
        self.blocks = SubFields(fields)

    def field_means(self) -> Floats:
        """Return (fields,) the mean of each field."""
        ends = np.cumsum([len(field) for field in self.fields])[:-1]
        parts = zip(np.split(self.value, ends), np.split(self.weight, ends), strict=True)
        return np.array([np.average(value, weights=weight) for value, weight in parts])

    def permuted(self, permutations: int, rng: np.random.Generator) -> Floats:
        """Return (N, M) deviations from the global mean, permuted over all fields."""
        found = np.empty((self.value.size, permutations))
        for m in range(permutations):
            found[:, m] = rng.permutation(self.value - self.global_mean)
        return found

    def moran(self, near_um: tuple[float, float] | None, permuted: Floats) -> Floats:
        """Return (1 + M,) Moran's I of the pairs at some distances, observed and permuted.

        Particles count equally, as in the correlogram.
        """
        found = np.full(1 + permuted.shape[1], np.nan)
        if near_um is None:
            return found
        edges = np.array(near_um)
        marks = np.column_stack([self.value - self.global_mean, permuted])
        marks -= marks.mean(axis=0)
        pairs, products, begin = 0, np.zeros(1 + permuted.shape[1]), 0
        for field, order in zip(self.fields, self.orders, strict=True):
            grid = PairGrid.of(field, near_um[1])
            # From the order of this field's particles here to that of the grid.
            rows = np.argsort(order)[grid.order] + begin
            pairs += int(grid.counts(edges).sum()) // 2
            products += grid.products(np.ascontiguousarray(marks[rows]), edges)[0]
            begin += len(field)
        return products / pairs / marks.var(axis=0) if pairs else found


@dataclass(frozen=True, eq=False)
class _ClusterCount:
    """Results for one K: arrays (seeds, ...) as in ClusterCurve, without the last axis."""

    cluster_means: Floats
    mean: Floats
    sd: Floats
    expected_sd: Floats
    null_mean: Floats
    null_sd: Floats
    jackknife_mean: Floats
    jackknife_sd: Floats
    field_mean: Floats
    field_sd: Floats

    @classmethod
    def of(cls, done: Sequence[dict[str, Any]]) -> _ClusterCount:
        """Collect the results of the partitions of each seed."""
        return cls(
            cluster_means=done[0]["cluster_means"],
            **{k: np.stack([m[k] for m in done]) for k in done[0] if k != "cluster_means"},
        )


def _partition_statistics(
    pooled: _PooledParticles,
    labels: npt.NDArray[np.int32],
    shares: Ints,
    permuted: Floats,
) -> dict[str, Any]:
    """Return statistics of the means over one partition's clusters, observed and permuted."""
    clusters = int(shares.sum())
    held = np.bincount(labels, weights=pooled.weight, minlength=clusters)
    share = pooled.weight / held[labels]
    deviation: Floats = np.asarray(
        np.bincount(labels, share * (pooled.value - pooled.global_mean), clusters), dtype=np.float64
    )
    effective = np.bincount(labels, share**2, clusters)
    block = _blocks_of_clusters(pooled, labels, shares)
    kept_mean, kept_sd = _left_out(deviation, block, len(pooled.blocks))
    field = np.repeat(np.arange(len(shares)), shares)
    field_mean, field_sd = _grouped(deviation, field, len(shares))
    starts = range(0, permuted.shape[1], _AT_ONCE)
    ends = (min(m + _AT_ONCE, permuted.shape[1]) for m in starts)
    null = [
        spread(labels, share, permuted, clusters, *part) for part in zip(starts, ends, strict=True)
    ]
    null_mean, null_sd = np.concatenate([np.empty((2, 0)), *null], axis=1)
    g = pooled.global_mean
    return {
        "cluster_means": g + deviation,
        "mean": g + deviation.mean(),
        "sd": deviation.std(ddof=1),
        "expected_sd": pooled.value.std(ddof=1) * np.sqrt(effective.mean()),
        "null_mean": g + null_mean,
        "null_sd": null_sd,
        "jackknife_mean": g + kept_mean,
        "jackknife_sd": kept_sd,
        "field_mean": g + field_mean,
        "field_sd": field_sd,
    }


@compiled
def spread(labels: Any, share: Any, marks: Any, clusters: int, begin: int, end: int) -> Any:
    """Return (2, end - begin) mean and deviation over clusters for columns of (N, M) marks."""
    sets = end - begin
    means = np.zeros((clusters, sets))
    for i in range(len(labels)):
        c = labels[i]
        for m in range(sets):
            means[c, m] += share[i] * marks[i, begin + m]
    found = np.zeros((2, sets))
    for c in range(clusters):
        for m in range(sets):
            found[0, m] += means[c, m] / clusters
    for c in range(clusters):
        for m in range(sets):
            found[1, m] += (means[c, m] - found[0, m]) ** 2 / (clusters - 1.0)
    found[1] = np.sqrt(found[1])
    return found


def _blocks_of_clusters(
    pooled: _PooledParticles, labels: npt.NDArray[np.int32], shares: Ints
) -> Ints:
    """Return (K,) the sub-field in which each cluster's centre lies."""
    first = np.cumsum([0, *shares])
    offset = np.cumsum([0, *(len(p) for p in pooled.positions)])
    found = []
    for f, positions in enumerate(pooled.positions):
        own = labels[offset[f] : offset[f + 1]] - first[f]
        held = np.bincount(own, minlength=shares[f])
        centre = [np.bincount(own, x, shares[f]) / held for x in positions.T]
        found.append(pooled.blocks.of(f, np.column_stack(centre)))
    return np.concatenate(found)


def _grouped(values: Floats, group: Ints, groups: int) -> tuple[Floats, Floats]:
    """Return (groups,) mean and standard deviation of each group; NaN with fewer than two."""
    return _mean_and_sd(*_power_sums(values, group, groups))


def _left_out(values: Floats, group: Ints, groups: int) -> tuple[Floats, Floats]:
    """Return (groups,) mean and standard deviation without each group."""
    sums = _power_sums(values, group, groups)
    return _mean_and_sd(*(sums.sum(axis=1, keepdims=True) - sums))


def _power_sums(values: Floats, group: Ints, groups: int) -> Floats:
    """Return (3, groups) number, sum and sum of squares of each group."""
    return np.array([np.bincount(group, values**power, groups) for power in (0, 1, 2)])


def _mean_and_sd(n: Floats, s: Floats, q: Floats) -> tuple[Floats, Floats]:
    n = np.where(n > 1.5, n, np.nan)
    return s / n, np.sqrt(np.maximum((q - s**2 / n) / (n - 1), 0))
