"""Means of the value over clusters of neighbouring particles, by the clusters' size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.heterogeneity.marks import Floats, Ints, MarkedPoints


@dataclass(frozen=True, eq=False)
class ClusterCurve:
    """Cluster means for a ladder of S cluster sizes, one or more fields pooled.

    Sizes increase along the ladder, numbers of clusters decrease.

    Attributes:
        clusters: (S,) K, over all fields.
        size_um: (S,) L = (extent / K)^(1/d).
        particles_per_cluster: (S,) N / K.
        cluster_means: S arrays of (K,) means, of the first k-means seed.
        mean: (S,) mean over clusters (and seeds).
        sd: (S,) standard deviation over clusters (ddof 1), root mean square over seeds.
        mean_by_seed, sd_by_seed: (seeds, S).
        global_mean: of all particles.
        value_sd: S, standard deviation of the particles' values (ddof 1).
        value_range: largest minus smallest value.
        expected_sd: (S,) sqrt(S^2 mean(1/n_c)): random marks, exact.
        null_mean, null_sd: (permutations, S) the same curve for permuted marks.
        jackknife_mean, jackknife_sd: (blocks, S) without the clusters of one block (a sub-field).
        field_size_um, field_mean, field_sd: (fields, S) of each field alone; NaN where it has
            fewer than two clusters.
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
    jackknife_mean: Floats
    jackknife_sd: Floats
    field_size_um: Floats
    field_mean: Floats
    field_sd: Floats
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
    rng: np.random.Generator,
) -> ClusterCurve:
    """Cluster the centres by k-means for a ladder of K and average the values in each cluster.

    Args:
        ladder: numbers of clusters over all fields, shared out by area; 24 of them from 4 (at
            least one per field) to N/2 by default.
        seeds: k-means starts for each K.
        permutations: of the marks over all fields.
        weighted: means weighted by area or volume.
        rng: for k-means and permutations.
    """
    raise NotImplementedError
