"""How far written lithium fractions leave the range that the maximum principle allows.

It needs nothing of a results folder but fields/: a particle's range at a time is that of its first
sample and of its surface's nodes up to that time, which it shares with the carbon-binder domain.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heterode.results import read_fields

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ParticleNodes:
    """The nodes of a particle grid.

    Attributes:
        particle: (P,) particle of each node.
        on_surface: (P,) whether it lies on the surface shared with the carbon-binder domain.
    """

    particle: npt.NDArray[np.int64]
    on_surface: npt.NDArray[np.bool_]


def nodes_of(folder: Path) -> ParticleNodes:
    """The nodes of the particles in a results folder."""
    grid, carbon = (read_fields(folder, domain).grid for domain in ("particles", "carbon"))
    particle = np.empty(len(grid.points_um), dtype=np.int64)
    particle[grid.cells] = grid.cell_data["particle"].astype(np.int64)[:, None]
    around = {tuple(point) for point in carbon.points_um.tolist()}
    on_surface = np.array([tuple(point) in around for point in grid.points_um.tolist()])
    return ParticleNodes(particle, on_surface)


class Ranges:
    """The ranges of the particles, sample by sample.

    Args:
        nodes: nodes of the particles.
        first: (P,) lithium fractions of the first sample.
    """

    def __init__(self, nodes: ParticleNodes, first: Floats) -> None:
        self._nodes, count = nodes, int(nodes.particle.max()) + 1
        self.least, self.greatest = np.full(count, np.inf), np.full(count, -np.inf)
        self._grow(nodes.particle, first)

    def _grow(self, particles: npt.NDArray[np.int64], values: Floats) -> None:
        np.minimum.at(self.least, particles, values)
        np.maximum.at(self.greatest, particles, values)

    def excess(self, values: Floats) -> Floats:
        """(P,) distance of the next sample from the ranges with its own surface; 0 inside."""
        on = self._nodes.on_surface
        self._grow(self._nodes.particle[on], values[on])
        least, greatest = (end[self._nodes.particle] for end in (self.least, self.greatest))
        return np.maximum(np.maximum(least - values, values - greatest), 0.0)


def largest_excess(folder: Path) -> float:
    """The largest distance of a written lithium fraction from the range of its particle."""
    series = read_fields(folder, "particles")
    samples = [series.load(k)["lithium_fraction"] for k in range(len(series.times_s))]
    ranges = Ranges(nodes_of(folder), samples[0])
    return max(float(ranges.excess(values).max()) for values in samples)
