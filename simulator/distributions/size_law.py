"""The law of particle diameters: one definition for packing, regime numbers, estimates and checks.

Lognormal: ln d is normal about ln(median) with standard deviation sigma, cut at both ends: what
falls outside [minimum, maximum] is drawn again (truncation, not clipping: no heap of particles at
the bounds). Table: each diameter with its share of the particles. Monodisperse: one diameter.

A law counts particles. A measured table may weigh by volume instead, as laser diffraction does;
its weights are then divided by d^3, the volume of a sphere, in 2D as well: the sample that was
measured consists of spheres.

Lengths carry whatever unit the law was made with.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST_SHARE = 1e-3
"""Least share of a lognormal that must fall inside its bounds to be drawn from."""

FARTHEST = 9.0
"""Standard deviations from the median beyond which a normal law holds nothing (1e-19)."""

NODES = 200
"""Nodes of Gauss' quadrature over a lognormal: moments come out to rounding error."""


def _below(z: Floats) -> Floats:
    """Share of the standard normal law below each z."""
    # Not SciPy's: it takes as long to load as all the rest of reading a parameter file.
    return np.array([0.5 * math.erfc(-one / math.sqrt(2.0)) for one in z])


class SizeLaw(ABC):
    """A law of diameters, by number of particles."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """Least and greatest diameter that can be drawn."""

    @property
    @abstractmethod
    def nodes(self) -> tuple[Floats, Floats]:
        """(B,) diameters and (B,) shares of the particles that sum to 1: sums over them are means
        over the law."""

    @property
    @abstractmethod
    def median(self) -> float:
        """Diameter that half of the particles do not exceed."""

    @abstractmethod
    def sampler(self, random: np.random.Generator) -> Callable[[int], Floats]:
        """A function that draws as many diameters as it is asked for, from one random stream."""

    def moment(self, power: float) -> float:
        """Mean of diameter**power over the particles."""
        diameter, share = self.nodes
        return float(np.sum(share * diameter**power))

    def surface_radius(self, dimension: int) -> float:
        """Radius of the ball with the same volume per surface as all particles together:
        dimension * volume / surface, which is 3 V/A of spheres and 2 A/P of discs."""
        return 0.5 * self.moment(dimension) / self.moment(dimension - 1)

    def mean_volume(self, dimension: int) -> float:
        """Mean area of a disc (2D) or volume of a sphere (3D)."""
        factor = math.pi / 4.0 if dimension == 2 else math.pi / 6.0
        return factor * self.moment(dimension)


@dataclass(frozen=True, eq=False)
class Discrete(SizeLaw):
    """Some diameters only.

    Attributes:
        diameter: (B,), all different or not.
        share: (B,) of the particles, sum 1; a share of 0 is never drawn.
    """

    diameter: Floats
    share: Floats

    @classmethod
    def measured(cls, diameter: Floats, weight: Floats, *, by_volume: bool) -> Discrete:
        """The law of a measured table with weights (B,) that count particles or their volume."""
        # Relative to the largest, so that no power of a length in metres underflows.
        number = weight / (diameter / diameter.max()) ** 3 if by_volume else weight
        return cls(diameter, number / number.sum())

    @property
    def bounds(self) -> tuple[float, float]:
        drawn = self.diameter[self.share > 0.0]
        return float(drawn.min()), float(drawn.max())

    @property
    def nodes(self) -> tuple[Floats, Floats]:
        return self.diameter, self.share

    @property
    def median(self) -> float:
        order = np.argsort(self.diameter)
        below = np.cumsum(self.share[order])
        # 1e-12: shares that sum to one half but for rounding.
        first = int(np.searchsorted(below, 0.5 - 1e-12))
        return float(self.diameter[order][min(first, below.size - 1)])

    def sampler(self, random: np.random.Generator) -> Callable[[int], Floats]:
        if self.diameter.size == 1:
            return lambda count: np.full(count, self.diameter[0])
        return lambda count: random.choice(self.diameter, size=count, p=self.share)


@dataclass(frozen=True)
class Lognormal(SizeLaw):
    """A lognormal law cut at both ends.

    Attributes:
        location: exp of the mean of ln d, the median before the cut.
        sigma: standard deviation of ln d.
        minimum, maximum: where it is cut.
    """

    location: float
    sigma: float
    minimum: float
    maximum: float

    @property
    def bounds(self) -> tuple[float, float]:
        return self.minimum, self.maximum

    @cached_property
    def cut(self) -> Floats:
        """(2,) the bounds in standard deviations from the median."""
        ratio = np.array([self.minimum, self.maximum]) / self.location
        # The bounds of a law that is all but one diameter are infinitely far from it.
        with np.errstate(over="ignore"):
            return np.asarray(np.log(ratio) / self.sigma, dtype=np.float64)

    @property
    def share_inside(self) -> float:
        """Share of the uncut law that lies within the bounds."""
        return float(np.diff(_below(self.cut))[0])

    @cached_property
    def nodes(self) -> tuple[Floats, Floats]:
        low, high = np.clip(self.cut, -FARTHEST, FARTHEST)
        u, weight = np.polynomial.legendre.leggauss(NODES)
        z = 0.5 * (low + high) + 0.5 * (high - low) * u
        share = weight * np.exp(-0.5 * z**2)
        return self.location * np.exp(self.sigma * z), share / share.sum()

    @property
    def median(self) -> float:
        middle = float(np.mean(_below(self.cut)))
        if not 0.0 < middle < 1.0:
            # Bounds so far out that all of the law lies beyond one of them: it ends there.
            return float(np.clip(self.location, self.minimum, self.maximum))
        return self.location * math.exp(self.sigma * NormalDist().inv_cdf(middle))

    def sampler(self, random: np.random.Generator) -> Callable[[int], Floats]:
        share = self.share_inside

        def draw(count: int) -> Floats:
            kept: Floats = np.zeros(0)
            while kept.size < count:
                wanted = math.ceil(1.2 * (count - kept.size) / share) + 8
                trial = self.location * np.exp(self.sigma * random.standard_normal(wanted))
                inside = (trial >= self.minimum) & (trial <= self.maximum)
                kept = np.concatenate([kept, trial[inside]])
            return kept[:count]

        return draw
