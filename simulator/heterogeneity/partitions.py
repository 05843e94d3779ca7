"""Partitions of the particles of all fields into clusters, by k-means, for a ladder of K.

They depend on the centres alone, so that several sets of values of the same particles, such as the
moments of a run, share them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.heterogeneity.compiled import on_threads
from heterode.heterogeneity.lloyd import kmeans
from heterode.heterogeneity.marks import Ints, MarkedPoints, checked
from heterode.heterogeneity.pairs import PairGrid

# Number of cluster sizes in the ladder, and the fewest clusters with a meaningful spread.
_SIZES = 24
_FEWEST = 4


@dataclass(frozen=True, eq=False)
class Partitions:
    """Partitions of N particles, those of one field after another, each sorted by place.

    Attributes:
        clusters: (S,) decreasing numbers K of clusters over all fields.
        shares: (S, fields) numbers of clusters of each field.
        orders: for each field, its particles in the order in which they are sorted.
        labels: (S, seeds, N) numbers of clusters, which go on from field to field.
    """

    clusters: Ints
    shares: Ints
    orders: tuple[Ints, ...]
    labels: npt.NDArray[np.int32]

    @classmethod
    def of(
        cls,
        fields: Sequence[MarkedPoints],
        *,
        ladder: Sequence[int] | None = None,
        seeds: int = 5,
        rng: np.random.Generator,
    ) -> Partitions:
        """Partition the centres by k-means.

        Args:
            ladder: numbers of clusters, which are divided among the fields by area; by default 24
                numbers from 4 (at least one for each field) to N/2.
            seeds: k-means starts for each K.
            rng: generator of the starts.

        Raises:
            InputError: the fields cannot be pooled, or they do not allow the ladder.
        """
        listed = checked(fields)
        if seeds < 1:
            raise InputError(f"seeds = {seeds}: at least 1.")
        numbers = _ladder(ladder, listed)
        shares = np.array([_shares(int(k), listed) for k in numbers])
        orders = tuple(PairGrid.of(field, 4 * field.spacing_um).order for field in listed)
        places = [field.positions_um[order] for field, order in zip(listed, orders, strict=True)]
        labels = np.empty((len(numbers), seeds, sum(len(p) for p in places)), dtype=np.int32)

        def partition(job: tuple[int, int, np.random.Generator]) -> None:
            rung, seed, start = job
            first = np.cumsum([0, *shares[rung]])
            labels[rung, seed] = np.concatenate(
                [
                    first[f] + kmeans(positions, int(shares[rung, f]), start)[0]
                    for f, positions in enumerate(places)
                ]
            )

        starts = rng.spawn(len(numbers) * seeds)
        on_threads(partition, [(*divmod(k, seeds), start) for k, start in enumerate(starts)])
        return cls(numbers, shares, orders, labels)


def _ladder(given: Sequence[int] | None, fields: tuple[MarkedPoints, ...]) -> Ints:
    """Return (S,) decreasing numbers of clusters."""
    particles = sum(len(field) for field in fields)
    if given is None:
        steps = np.geomspace(max(_FEWEST, len(fields)), particles // 2, _SIZES)
        return np.unique(np.round(steps).astype(np.int64))[::-1].copy()
    numbers = np.unique(np.asarray(given, dtype=np.int64))
    fewest = max(2, len(fields))
    if numbers.size == 0 or numbers[0] < fewest or numbers[-1] > particles:
        raise InputError(
            f"ladder = {list(given)}: numbers of clusters must lie within {fewest} .. {particles}"
            " (at least one per field, at most one per particle)."
        )
    return numbers[::-1].copy()


def _shares(clusters: int, fields: tuple[MarkedPoints, ...]) -> Ints:
    """Divide clusters among the fields by area, at least one and at most one for each particle."""
    extents = np.array([field.extent for field in fields])
    most = np.array([len(field) for field in fields])
    wanted = clusters * extents / extents.sum()
    shares: Ints = np.clip(np.floor(wanted), 1, most).astype(np.int64)
    while shares.sum() != clusters:
        # The field whose number is farthest from its share gains or loses one.
        lack = wanted - shares
        if shares.sum() < clusters:
            shares[np.argmax(np.where(shares < most, lack, -np.inf))] += 1
        else:
            shares[np.argmin(np.where(shares > 1, lack, np.inf))] -= 1
    return shares
