"""Pairs of particles within a distance, visited with a cell list, and moments per distance bin.

Particles are sorted by the cells of a grid, so that the neighbours of a particle are in a few runs
of consecutive rows. Every pair i < j of sorted rows is visited once, and no pair is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.heterogeneity import pair_loops
from heterode.heterogeneity.compiled import on_threads
from heterode.heterogeneity.marks import Floats, Ints, MarkedPoints

Integers32 = npt.NDArray[np.int32]
Floats32 = npt.NDArray[np.float32]

# Parts into which particles are divided for threads, and the fewest particles of a part: the
# same on every machine, so that sums do not depend on it.
_PARTS = 16
_PART = 500

# Entries of the table that gives the first bin in which a distance may be.
_LOOKUP = 4096


def checked_edges(edges_um: npt.ArrayLike) -> Floats:
    """Return (B+1,) edges of distance bins, if they are valid.

    Raises:
        InputError: there are fewer than two, or some are negative, not finite or not increasing.
    """
    edges = np.array(edges_um, dtype=np.float64)
    if edges.ndim != 1 or edges.size < 2 or not np.isfinite(edges).all():
        raise InputError("Distance bins need at least two finite edges in micrometres.")
    if edges[0] < 0 or np.any(np.diff(edges) <= 0):
        raise InputError(f"Edges of distance bins must be increasing from 0 or above: {edges}.")
    return edges


@dataclass(frozen=True, eq=False)
class PairMoments:
    """Sums over the pairs of each of B bins, for G blocks of particles.

    Attributes:
        edges_um: (B+1,) edges of the bins.
        sums: (5, G, G, B) number of pairs, and sums of distance, v_i + v_j, v_i^2 + v_j^2, v_i v_j,
            by the blocks of the first and the second particle.
    """

    edges_um: Floats
    sums: Floats

    def __add__(self, other: PairMoments) -> PairMoments:
        return PairMoments(self.edges_um, self.sums + other.sums)

    def total(self) -> Floats:
        """Return the sums (5, B) over all blocks."""
        return np.asarray(self.sums.sum(axis=(1, 2)))

    def without(self, block: int) -> Floats:
        """Return the sums (5, B) over the pairs with neither particle in a block."""
        kept = np.arange(self.sums.shape[1]) != block
        return np.asarray(self.sums[:, kept][:, :, kept].sum(axis=(1, 2)))


@dataclass(frozen=True, eq=False)
class PairGrid:
    """Particles of one field sorted by cells, for pairs up to a distance.

    Attributes:
        order: (N,) row in the field of each sorted particle.
        positions: (N, 3) sorted positions, um; in 2D the first column is zero, so that there are
            many cells along the last direction, which are consecutive.
        start: (cells + 1,) first sorted row of each cell.
        shape: (3,) cells in each direction.
        low: (3,) lower corner of the grid, um.
        cell_um: side of a cell.
        max_um: largest distance of pairs.
    """

    order: Ints
    positions: Floats
    start: Ints
    shape: Ints
    low: Floats
    cell_um: float
    max_um: float

    @classmethod
    def of(cls, points: MarkedPoints, max_um: float) -> PairGrid:
        """Sort a field's particles for pairs up to max_um."""
        padded = np.zeros((len(points), 3))
        padded[:, 3 - points.dimension :] = points.positions_um
        low, high = padded.min(axis=0), padded.max(axis=0)
        # Smaller cells waste fewer distances, as long as they hold a particle each.
        cell = max(max_um / 3, points.spacing_um)
        shape = np.maximum(1, np.ceil((high - low) / cell)).astype(np.int64)
        place = np.clip(((padded - low) / cell).astype(np.int64), 0, shape - 1)
        number = (place[:, 0] * shape[1] + place[:, 1]) * shape[2] + place[:, 2]
        order = np.argsort(number, kind="stable")
        start = np.searchsorted(number[order], np.arange(int(np.prod(shape)) + 1))
        return cls(
            order=order.astype(np.int64),
            positions=np.ascontiguousarray(padded[order]),
            start=start.astype(np.int64),
            shape=shape,
            low=low,
            cell_um=cell,
            max_um=max_um,
        )

    def moments(
        self, value: Floats, edges_um: Floats, block: Ints | None = None, blocks: int = 1
    ) -> PairMoments:
        """Compute the sums over pairs.

        Args:
            value: (N,) values in the order of the sorted particles.
            edges_um: (B+1,) edges of the bins, up to max_um.
            block: (N,) block of each sorted particle, 0 .. blocks-1.
            blocks: number G of blocks.
        """
        of = np.zeros(len(value), dtype=np.int64) if block is None else block
        parts = on_threads(
            lambda part: self._over(pair_loops.moments, edges_um, value, of, blocks, *part),
            self._parts(),
        )
        return PairMoments(edges_um, np.sum(parts, axis=0))

    def counts(self, edges_um: Floats) -> Integers32:
        """Return (N, B) the number of pairs of each sorted particle."""
        return np.asarray(self._over(pair_loops.counts, edges_um))

    def products(self, marks: Floats | Floats32, edges_um: Floats) -> Floats:
        """Return (B, M) sums of v_i v_j over pairs for M sets of values at once.

        Args:
            marks: (N, M) values in the order of the sorted particles.
        """
        parts = on_threads(
            lambda part: self._over(pair_loops.products, edges_um, marks, *part), self._parts()
        )
        return np.asarray(np.sum(parts, axis=0))

    def listed(self, lower_um: float, upper_um: float, wanted: Ints) -> Integers32:
        """Return (2, P) sorted rows of chosen pairs with lower_um <= distance < upper_um.

        Args:
            wanted: (P,) increasing numbers of pairs in the order of visits.
        """
        edges = np.array([lower_um, upper_um])
        return np.asarray(self._over(pair_loops.listed, edges, wanted))

    def _parts(self) -> list[tuple[int, int]]:
        parts = min(_PARTS, -(-len(self.order) // _PART))
        bounds = np.linspace(0, len(self.order), parts + 1).astype(int)
        return [(int(a), int(b)) for a, b in pairwise(bounds)]

    def _over(self, loop: Callable[..., Any], edges_um: Floats, *arguments: Any) -> Any:
        """Call one of the loops, which all have the same first arguments."""
        lookup = np.searchsorted(edges_um, np.linspace(0, edges_um[-1], _LOOKUP + 1), "right") - 1
        # One step back, since rounding may put a distance into the entry above its own.
        first = np.clip(np.concatenate([[0], lookup[:-1]]), 0, None).astype(np.int64)
        cells = (self.positions, self.start, self.shape, self.low, self.cell_um)
        return loop(*cells, edges_um**2, first, _LOOKUP / float(edges_um[-1]), *arguments)


def drawn(pairs: int, cap: int, rng: np.random.Generator) -> Ints:
    """Draw increasing numbers of at most `cap` pairs, one at random from each equal share."""
    if pairs <= cap:
        return np.arange(pairs, dtype=np.int64)
    bounds = np.arange(cap + 1, dtype=np.int64) * pairs // cap
    return rng.integers(bounds[:-1], bounds[1:])
