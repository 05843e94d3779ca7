r"""Particles with Gaussian marks of known correlation, and the L* that they truly have.

Centres are drawn at random, none closer than half the mean spacing. Marks have variance 1 and a
correlation rho(u) of the reduced distance u, in which every coordinate is divided by a length of
its own. Up to 3,000 particles they come from the Cholesky factor of the covariance at the centres,
beyond from circulant embedding on a grid on which the centres then lie.

The true L* is the last size at which the expected standard deviation

    E[s_K^2] = tr(H A C A' H) / (K - 1)

with the covariance C at the drawn centres, the averages A over the k-means clusters of the ladder
and the centring H, exceeds half the band.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from heterode.heterogeneity import MarkedPoints, Partitions

Floats = npt.NDArray[np.float64]

# Particles per um^2 and, at the same spacing, per um^3.
DENSITY: Mapping[int, float] = MappingProxyType({2: 0.019, 3: 0.019**1.5})

_SIZES = 24
_DENSE = 3000
_GRID_UM = 1.0

_SHAPES: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {
        "exponential": lambda u: np.exp(-u),
        "gaussian": lambda u: np.exp(-(u**2)),
        "spherical": lambda u: np.where(u < 1, 1 - 1.5 * u + 0.5 * u**3, 0.0),
    }
)


@dataclass(frozen=True)
class Marks:
    """A correlation of marks.

    Attributes:
        lengths_um: length along each coordinate; the last one holds for those that follow. None
            for independent marks.
        shape: "exponential", "gaussian" or "spherical".
        nugget: part of the variance that is independent.
    """

    lengths_um: tuple[float, ...] | None = None
    shape: str = "exponential"
    nugget: float = 0.0

    def correlation(self, reduced: Floats) -> Floats:
        """Return the correlation at reduced distances, without the nugget."""
        return np.asarray(_SHAPES[self.shape](reduced))

    def reduced(self, positions_um: Floats) -> Floats:
        """Return positions in units of the lengths."""
        if self.lengths_um is None:
            return positions_um
        last = self.lengths_um[-1]
        lengths = [*self.lengths_um, *[last] * positions_um.shape[1]][: positions_um.shape[1]]
        return np.asarray(positions_um / np.array(lengths))

    def covariance(self, first: Floats, second: Floats) -> Floats:
        """Return the covariance between the marks at two sets of positions."""
        distance = cdist(self.reduced(first), self.reduced(second))
        same = (distance == 0) * 1.0
        if self.lengths_um is None:
            return same
        return np.asarray(self.nugget * same + (1 - self.nugget) * self.correlation(distance))


class Placement:
    """One draw of centres in a square or a cube, with their partitions into clusters."""

    def __init__(self, particles: int, rng: np.random.Generator, dimension: int = 2) -> None:
        """Draw the centres and partition them.

        Args:
            particles: number of particles.
            rng: generator of the centres and of the starts of k-means.
            dimension: 2 or 3.
        """
        self.side_um = float((particles / DENSITY[dimension]) ** (1 / dimension))
        self._on_grid = particles > _DENSE
        self.places = self._drawn(particles, dimension, rng)
        edge = 0.5 * _GRID_UM if self._on_grid else 0.0
        self.window_um = np.tile([-edge, self.side_um + edge], (dimension, 1))
        self.partitions = Partitions.of([self.marked(self.places[:, 0])], rng=rng)
        # Sizes with more clusters than this are never near L*.
        counts = np.unique(np.geomspace(4, particles // 2, _SIZES).round().astype(int))[::-1]
        ladder = [int(k) for k in counts[counts <= max(particles // 8, 16)]]
        self._true = Partitions.of(
            [self.marked(self.places[:, 0])], ladder=ladder, seeds=1, rng=rng
        )
        self.size_um = self.side_um / self._true.clusters ** (1 / dimension)

    def marked(self, values: Floats) -> MarkedPoints:
        """Return the particles with these values."""
        return MarkedPoints("draw", self.places, values, window_um=self.window_um)

    def sampler(self, marks: Marks) -> Callable[[np.random.Generator], Floats]:
        """Return a function that draws the values of the particles."""
        if marks.lengths_um is None:
            return lambda rng: rng.standard_normal(len(self.places))
        if self._on_grid:
            return _Embedded(self.places, self.side_um, marks).drawn
        factor = cholesky(
            marks.covariance(self.places, self.places) + 1e-9 * np.eye(len(self.places)), lower=True
        )
        return lambda rng: np.asarray(factor @ rng.standard_normal(len(factor)))

    def expected(self, marks: Marks) -> Floats:
        """Return E[s_K^2] at each of the sizes, by the trace of H A C A' H."""
        counts, places = self._true.clusters, self.places[self._true.orders[0]]
        labels = self._true.labels[:, 0]
        within, shares = np.zeros(len(counts)), []
        for rung, clusters in enumerate(counts):
            label = labels[rung]
            held = np.bincount(label, minlength=clusters)
            ends = np.cumsum(held)[:-1]
            parts = np.split(np.argsort(label, kind="stable"), ends)
            for part in parts:
                within[rung] += float(marks.covariance(places[part], places[part]).mean())
            shares.append(1 / (clusters * held[label]))
        share = np.array(shares).T
        of_mean = np.zeros(len(counts))
        for begin in range(0, len(places), 500):
            part = slice(begin, begin + 500)
            of_mean += np.sum(
                share[part] * (marks.covariance(places[part], places) @ share), axis=0
            )
        return np.asarray((within - counts * of_mean) / (counts - 1), dtype=np.float64)

    def true_um(self, expected: Floats, half_band: float) -> float:
        """Return the true L*; beyond the sizes the standard deviation goes on as L^(-d/2)."""
        d = self.places.shape[1]
        return last_outside(self.size_um, 0.5 * np.log(expected) - np.log(half_band), 2 / d)

    def _drawn(self, number: int, d: int, rng: np.random.Generator) -> Floats:
        apart = 0.5 * self.side_um / number ** (1 / d)
        drawn: Floats = rng.uniform(0, self.side_um, (5 * number, d))
        if self._on_grid:
            drawn = np.unique(np.round(drawn / _GRID_UM), axis=0) * _GRID_UM
            drawn = drawn[rng.permutation(len(drawn))]
        free = np.ones(len(drawn), dtype=bool)
        taken = []
        for i, near in enumerate(cKDTree(drawn).query_ball_point(drawn, apart)):
            if free[i]:
                free[near] = False
                taken.append(i)
        return np.asarray(drawn[taken[:number]], dtype=np.float64)


def last_outside(size: Floats, above: Floats, power: float) -> float:
    """Return the last size at which a logarithm is above 0.

    Args:
        size: (S,) sizes.
        above: (S,) logarithms; beyond the sizes they fall by 1 for each `power` of log size.
        power: see above.
    """
    outside = np.flatnonzero(above > 0)
    if not outside.size:
        return float(size[0])
    last = int(outside[-1])
    if last == len(size) - 1:
        return float(size[-1] * np.exp(power * above[-1]))
    part = above[last] / (above[last] - above[last + 1])
    return float(size[last] * (size[last + 1] / size[last]) ** part)


class _Embedded:
    """Marks on a periodic grid that is more than twice as wide as the particles' field."""

    def __init__(self, places: Floats, side_um: float, marks: Marks) -> None:
        self._cells = int(2.2 * side_um / _GRID_UM + 40 / _GRID_UM) // 2 * 2
        self._at = tuple(np.round(places / _GRID_UM).astype(int).T)
        self._marks = marks

    @cached_property
    def _amplitude(self) -> Floats:
        cells, d = self._cells, len(self._at)
        along = _GRID_UM * np.minimum(np.arange(cells), cells - np.arange(cells))
        grid = np.stack(np.meshgrid(*[along] * d, indexing="ij"), axis=-1).reshape(-1, d)
        reduced = np.linalg.norm(self._marks.reduced(grid), axis=1).reshape((cells,) * d)
        spectrum = np.fft.rfftn(self._marks.correlation(reduced)).real
        return np.sqrt(np.clip(spectrum, 0, None))

    def drawn(self, rng: np.random.Generator) -> Floats:
        shape = (self._cells,) * len(self._at)
        white = np.fft.rfftn(rng.standard_normal(shape))
        smooth = np.fft.irfftn(white * self._amplitude, s=shape, axes=range(len(shape)))[self._at]
        nugget = self._marks.nugget
        plain = rng.standard_normal(smooth.size) if nugget else 0.0
        return np.asarray(np.sqrt(1 - nugget) * smooth + np.sqrt(nugget) * plain)
