"""The sums over pairs behind a correlogram, for observed marks and many permutations at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.heterogeneity import rank_loops
from heterode.heterogeneity.compiled import on_threads
from heterode.heterogeneity.marks import Floats, Ints, MarkedPoints
from heterode.heterogeneity.pairs import Floats32, Integers32, PairGrid, drawn

# Permutations done at once: a row of values then fits into a few cache lines.
_AT_ONCE = 64

# Product of pairs and permutations above which fewer permutations are made (about a minute).
MOST_VISITS = 2e10

# Numbers of items up to which it is not worth starting threads.
_FEW_PAIRS = 20_000
_FEW_PARTICLES = 5_000

# Number of grades into which permuted marks are divided for Kendall's coefficient: the standard
# deviation under the null stays the same to 1e-3, and a table of grades needs no sorting.
GRADES = 128

Curves = dict[str, Floats]


class Pooled:
    """The particles of all fields, one field after another, sorted for the search of pairs.

    Attributes:
        edges_um: (B+1,) edges of the bins.
        grids: cell list of each field; field f has the rows offsets[f] .. offsets[f+1]-1.
        mean, sd: mean and standard deviation of all values.
        z: (N,) standardised values, whose sums of products keep their digits.
        levels: (N,) dense ranks of the values.
        moments: (5, B) sums; see PairMoments.
        counts: (N, B) number of pairs of each particle.
        kendall_pairs: rows (2, P) of the pairs in each bin, at most the cap.
    """

    def __init__(
        self,
        fields: tuple[MarkedPoints, ...],
        edges_um: Floats,
        rng: np.random.Generator,
        rank_pairs_cap: int,
    ) -> None:
        self.edges_um = edges_um
        self.grids = [PairGrid.of(field, float(edges_um[-1])) for field in fields]
        self.offsets = np.cumsum([0, *(len(field) for field in fields)])
        value = np.concatenate([f.value[g.order] for f, g in zip(fields, self.grids, strict=True)])
        self.mean, self.sd = float(value.mean()), float(value.std())
        self.positive = bool(value.min() >= 0)
        self.z: Floats = np.asarray((value - self.mean) / self.sd)
        distinct, levels = np.unique(value, return_inverse=True)
        self.levels = levels.astype(np.int32)
        self.distinct = int(distinct.size)
        by_field = [
            grid.moments(self.z[rows], edges_um).total()
            for grid, rows in zip(self.grids, self._rows(), strict=True)
        ]
        self.pairs_by_field = np.array([sums[0] for sums in by_field]).round().astype(np.int64)
        self.moments = np.sum(by_field, axis=0)
        self.counts = np.concatenate([grid.counts(edges_um) for grid in self.grids])
        self.cap = rank_pairs_cap
        self.kendall_pairs = [self._listed(b, rng) for b in range(self.pairs.size)]

    @property
    def pairs(self) -> Ints:
        """Number of pairs i < j, (B,)."""
        return np.asarray(self.pairs_by_field.sum(axis=0))

    @property
    def distance_um(self) -> Floats:
        """Mean distance of pairs, (B,)."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.moments[1] / self.moments[0])

    def affordable(self, permutations: int, level: float) -> int:
        """Return the number of permutations, lowered if there are too many pairs."""
        fewest = int(np.ceil(2 / (1 - level) - 1e-9)) - 1
        most = int(MOST_VISITS / max(1, int(self.pairs.sum())))
        return min(permutations, max(most, fewest))

    def notes(self, asked: int, made: int) -> dict[str, str]:
        """Return notes on approximations by the name of the statistic."""
        fewer = f"{made} permutations instead of {asked}: {self.pairs.sum():,} pairs"
        every = [fewer] if made < asked else []
        kendall = list(every)
        if np.any(self.pairs > self.cap):
            kendall.append(f"at most {self.cap:,} pairs of a bin, drawn at random")
        return {"": "; ".join(every), "kendall": "; ".join(kendall)}

    def observed(self) -> Curves:
        """Return (B,) each statistic, and bin_mean and bin_sd of the standardised values."""
        count, _, s1, s2, s11 = self.moments
        curves = self._from_sums(count, s1, s2, s11)
        curves["spearman"] = self._spearman(self.levels[None], np.float64)[:, 0]
        tau = [
            rank_loops.kendall(self.levels[i], self.levels[j], self.distinct) if i.size else np.nan
            for i, j in self.kendall_pairs
        ]
        return curves | {"kendall": np.array(tau)}

    def permuted(self, permutations: int, rng: np.random.Generator) -> Curves:
        """Return (M, B) each statistic for marks permuted within each field."""
        done: list[Curves] = []
        for drawn_rows in self._permutations(permutations, rng):
            marks = np.ascontiguousarray(self.z[drawn_rows].T, dtype=np.float32)
            count = self.moments[0][:, None]
            s1 = self.counts.T.astype(np.float64) @ marks
            s2 = self.counts.T.astype(np.float64) @ marks**2
            curves = self._from_sums(count, s1, s2, self._products(marks, self.edges_um))
            levels = self.levels[drawn_rows]
            curves["spearman"] = self._spearman(levels, np.float32)
            curves["kendall"] = self._kendall_by_table(levels)
            done.append(curves)
        if not done:
            return {name: np.empty((0, self.pairs.size)) for name in self.observed()}
        return {name: np.concatenate([c[name] for c in done], axis=1).T for name in done[0]}

    def _rows(self) -> list[slice]:
        return [slice(a, b) for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True)]

    def _permutations(self, number: int, rng: np.random.Generator) -> Iterator[Integers32]:
        """Yield blocks (M, N) of rows from which the particles take their values."""
        for begin in range(0, number, _AT_ONCE):
            size = min(_AT_ONCE, number - begin)
            block = np.tile(np.arange(self.z.size, dtype=np.int32), (size, 1))
            for rows in self._rows():
                block[:, rows] = rng.permuted(block[:, rows], axis=1)
            yield block

    def _products(self, marks: Floats | Floats32, edges_um: Floats) -> Floats:
        """Return (B, M) sums of products over the pairs of all fields."""
        fields = zip(self.grids, self._rows(), strict=True)
        sums = [grid.products(marks[rows], edges_um) for grid, rows in fields]
        return np.asarray(np.sum(sums, axis=0))

    def _spearman(self, levels: Integers32, kind: type[np.floating[Any]]) -> Floats:
        """Return (B, M) coefficients of M sets of levels (M, N)."""
        sets = len(levels)
        ranks: npt.NDArray[Any] = np.empty((self.z.size, sets), dtype=kind)
        step = 16 if self.z.size > _FEW_PARTICLES else sets
        parts = [(m, min(m + step, sets)) for m in range(0, sets, step)]
        found = np.full((self.pairs.size, sets), np.nan)
        for b in np.flatnonzero(self.pairs):
            count = np.ascontiguousarray(self.counts[:, b])
            fill = partial(rank_loops.midranks, levels, count, self.distinct, ranks)
            on_threads(lambda part, fill=fill: fill(*part), parts)
            found[b] = self._products(ranks, self.edges_um[b : b + 2])[0] / self.pairs[b]
        return found

    def _kendall_by_table(self, levels: Integers32) -> Floats:
        """Return (B, M) coefficients of M sets of levels (M, N)."""
        number = min(self.distinct, GRADES)
        grade = self._grade_of_level(number)
        found = np.full((self.pairs.size, len(levels)), np.nan)
        for b in np.flatnonzero(self.pairs):
            first, second = self.kendall_pairs[b]
            step = 8 if first.size > _FEW_PAIRS else len(levels)
            parts = [(m, min(m + step, len(levels))) for m in range(0, len(levels), step)]
            tau = partial(
                rank_loops.kendall_by_table, first, second, levels, self.distinct, grade, number
            )
            found[b] = np.concatenate(on_threads(lambda part, tau=tau: tau(*part), parts))
        return found

    def _grade_of_level(self, number: int) -> npt.NDArray[np.uint8]:
        """Return (levels,) the grade of each level; grades have about equally many particles."""
        if self.distinct <= number:
            return np.arange(self.distinct, dtype=np.uint8)
        held = np.bincount(self.levels, minlength=self.distinct)
        middle = np.cumsum(held) - 0.5 * held
        return (middle * (number / self.z.size)).astype(np.uint8)

    def _listed(self, b: int, rng: np.random.Generator) -> Integers32:
        """Return (2, P) rows of a bin's pairs, at most the cap."""
        wanted = drawn(int(self.pairs[b]), self.cap, rng)
        met = np.cumsum([0, *self.pairs_by_field[:, b]])
        lower, upper = self.edges_um[b : b + 2]
        parts = []
        for f, grid in enumerate(self.grids):
            own = wanted[(wanted >= met[f]) & (wanted < met[f + 1])] - met[f]
            parts.append(grid.listed(lower, upper, own) + np.int32(self.offsets[f]))
        return np.concatenate(parts, axis=1)

    def _from_sums(self, count: Floats, s1: Floats, s2: Floats, s11: Floats) -> Curves:
        """Return the statistics that follow from the pair sums of standardised values."""
        size = self.z.size
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = s1 / (2 * count)
            variance = s2 / (2 * count) - mean**2
            half_square = (s2 - 2 * s11) / (2 * count)
            product = s11 / count
            # A ratio to the squared mean is meaningless for marks of either sign.
            ratio = self.sd / self.mean if self.positive else np.nan
            return {
                "pearson": (product - mean**2) / variance,
                "moran": product,
                "geary": half_square * (size - 1) / size,
                "variogram": self.sd**2 * half_square,
                "mark_correlation": 1 + ratio * (2 * mean + ratio * product),
                "bin_mean": mean,
                "bin_sd": np.sqrt(np.maximum(variance, 0)),
            }
