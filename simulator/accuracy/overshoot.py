r"""How far lithium fractions leave the range of start and surface values ahead of a front.

The maximum principle forbids it, but finite elements with a consistent mass matrix do it where an
element is much larger than the one above it, or the first one too thick for the time steps
(heterode.solver.bounds clips what is handed out). It is measured in qR/D, as are the changes that
it is an error of, and each particle counts, however small: the layers, which are equal in all, end
at another share of the radius in each.

The radial elements are advanced exactly in time here. As errors do, overshoots count from SETTLED
on: what a first layer makes before that is damped by the first time steps, of 0.02 to 0.9 s. At 3C
one of 31 nm leaves 0.0013 qR/D.

In 3D there is no bound. Layers that lead up to the core's elements would take 2.1 times the
unknowns, and tetrahedra that do not lie in shells would still leave twice OVERSHOOT.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from heterode.accuracy.electrode import SurfaceLaw
from heterode.accuracy.radial import RadialModes
from heterode.accuracy.record import SETTLED
from heterode.geometry.layers import spacing
from heterode.parameters.layering import Layers
from heterode.parameters.operation import DEFAULT_ACCURACY

Floats = npt.NDArray[np.float64]

OVERSHOOT = 0.003
"""Largest distance from the range at the default accuracy, in qR/D; in proportion to the accuracy
where less is asked for."""

IRREGULAR = 3.0
"""By how much more the triangles of a particle overshoot than radial elements of their size: 1.8 to
3.1 times on the discs of the presets, with 3 to 10 layers."""

APART = 8
"""Distance in the list of sizes of those that are looked at first."""

INSTANTS = 64
"""Times at which fractions are looked at, evenly by their logarithm."""


@dataclass
class Overshoots:
    """The overshoots of an electrode's particles.

    Attributes:
        law: the material and the particles.
        longest: longest time since a jump of the current, s.
    """

    law: SurfaceLaw
    longest: float
    _found: dict[bytes, float] = field(default_factory=dict)

    def are_small(self, layers: Layers | None) -> bool:
        """Check whether some layers keep all particles near enough to their range."""
        particles, solver = self.law.particles, self.law.parameters.solver
        if particles.dimension == 3 or self.longest <= SETTLED:
            return True
        limit = OVERSHOOT / IRREGULAR * max(1.0, solver.accuracy / DEFAULT_ACCURACY)
        radii, sizes = particles.sizes
        # Neighbours are alike: a few of all sizes come first, so that most failures show soon.
        order = np.argsort(np.arange(len(radii)) % APART, kind="stable")
        return all(self.of(radii[k], sizes[k], layers) <= limit for k in order)

    def of(self, radius: float, core_size: float, layers: Layers | None) -> float:
        """Return the largest overshoot in a particle after a jump, qR/D.

        Args:
            radius: its radius, m.
            core_size: radial size of its elements without layers, m.
            layers: its layers; None for none.
        """
        particles, solver = self.law.particles, self.law.parameters.solver
        nodes: Floats = np.asarray(spacing(radius, core_size, layers) / radius, dtype=np.float64)
        slowest, fastest = self.law.diffusivities
        begin = slowest * SETTLED / radius**2
        end = max(min(fastest * self.longest / radius**2, 1.0), begin)
        key = nodes.tobytes() + np.array([begin, end]).tobytes()
        if key not in self._found:
            modes = RadialModes(nodes, particles.dimension, solver.degree)
            times: Floats = np.asarray(np.geomspace(begin, end, INSTANTS), dtype=np.float64)
            self._found[key] = modes.overshoot(times)
        return self._found[key]
