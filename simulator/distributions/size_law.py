"""The law of particle diameters: one definition for packing, regime numbers, estimates and checks.

In a lognormal law, ln d is normal about ln(median) with standard deviation sigma and truncated at
both ends: diameters outside [minimum, maximum] are drawn again (they are not clipped, so particles
do not accumulate at the bounds). A table has the share of the particles with each diameter, and in
a monodisperse law all have the same diameter.

A law counts particles. A measured table may have weights by volume instead, as laser diffraction
gives. Its weights are then divided by d^3, the volume of a sphere, also in 2D, since the measured
powder consists of spheres.

Lengths have the unit with which the law was made.
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
"""Least share of a lognormal law inside its bounds for which diameters can be drawn."""

FARTHEST = 9.0
"""Standard deviations from the median beyond which almost nothing (1e-19) of a normal law lies."""

NODES = 200
"""Number of Gauss nodes over a lognormal law; moments are then exact to rounding."""


def _below(z: Floats) -> Floats:
    """Return the share of the standard normal law below each z."""
    # SciPy's function is not used: loading it takes as long as reading a parameter file.
    return np.array([0.5 * math.erfc(-one / math.sqrt(2.0)) for one in z])


class SizeLaw(ABC):
    """A law of diameters, by number of particles."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """Return the least and the greatest diameter that can be drawn."""

    @property
    @abstractmethod
    def nodes(self) -> tuple[Floats, Floats]:
        """Return (B,) diameters and (B,) shares of the particles, which sum to 1.

        Sums over them, weighted by the shares, are means over the law.
        """

    @property
    @abstractmethod
    def median(self) -> float:
        """Return the diameter that half of the particles do not exceed."""

    @abstractmethod
    def sampler(self, random: np.random.Generator) -> Callable[[int], Floats]:
        """Return a function that draws a given number of diameters from one random stream."""

    def moment(self, power: float) -> float:
        """Return the mean of diameter**power over the particles."""
        diameter, share = self.nodes
        return float(np.sum(share * diameter**power))

    def surface_radius(self, dimension: int) -> float:
        """Return the radius of the ball with the particles' ratio of total volume to surface.

        It is dimension * volume / surface: 3 V/A for spheres and 2 A/P for discs.
        """
        return 0.5 * self.moment(dimension) / self.moment(dimension - 1)

    def mean_volume(self, dimension: int) -> float:
        """Return the mean area of a disc (2D) or volume of a sphere (3D)."""
        factor = math.pi / 4.0 if dimension == 2 else math.pi / 6.0
        return factor * self.moment(dimension)


@dataclass(frozen=True, eq=False)
class Discrete(SizeLaw):
    """A law with a finite number of diameters.

    Attributes:
        diameter: (B,) diameters, which may recur.
        share: (B,) shares of the particles, which sum to 1; with a share of 0 none is drawn.
    """

    diameter: Floats
    share: Floats

    @classmethod
    def measured(cls, diameter: Floats, weight: Floats, *, by_volume: bool) -> Discrete:
        """Return the law of a measured table; weights (B,) count particles or their volume."""
        # Diameters are relative to the largest, so that no power of metres underflows.
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
        # The 1e-12 allows for rounding where shares sum to one half.
        first = int(np.searchsorted(below, 0.5 - 1e-12))
        return float(self.diameter[order][min(first, below.size - 1)])

    def sampler(self, random: np.random.Generator) -> Callable[[int], Floats]:
        if self.diameter.size == 1:
            return lambda count: np.full(count, self.diameter[0])
        return lambda count: random.choice(self.diameter, size=count, p=self.share)


@dataclass(frozen=True)
class Lognormal(SizeLaw):
    """A lognormal law that is truncated at both ends.

    Attributes:
        location: exp of the mean of ln d, which is the median before truncation.
        sigma: standard deviation of ln d.
        minimum, maximum: bounds of the diameters.
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
        """Bounds in standard deviations from the median, (2,)."""
        ratio = np.array([self.minimum, self.maximum]) / self.location
        # If sigma is almost zero, the bounds are infinitely many standard deviations away.
        with np.errstate(over="ignore"):
            return np.asarray(np.log(ratio) / self.sigma, dtype=np.float64)

    @property
    def share_inside(self) -> float:
        """Share of the law before truncation that lies within the bounds."""
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
            # All of the law lies beyond one of the bounds, so it ends at that bound.
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
