r"""How far lithium fractions leave the range of start and surface values ahead of a front.

The maximum principle forbids it, but finite elements with a consistent mass matrix do it where an
element is much larger than the one above it, or the first one too thick for the time steps
(heterode.solver.bounds clips what is handed out). It is measured in qR/D, as are the changes that
it is an error of, and each particle counts, however small: the layers, which are equal in all, end
at another share of the radius in each.

Two things keep it small: layers that lead up to the core's elements, and a mass matrix that is
partly lumped in the core, and less in the layers next to it (Layers.lumping). Lumped all over, it
would end overshoots but for some 0.0001, in tetrahedra as well, and triple the error of the
surface; lumped where the elements are large, it hardly touches the error of the first seconds. What
the plan takes is the least share that does.

The radial elements are advanced exactly in time here. As errors do, overshoots count from SETTLED
on: what a first layer makes before that is damped by the first time steps, of 0.02 to 0.9 s.

Quadratic elements cannot be lumped. In 3D, where layers alone would take 2.1 times the unknowns,
there is no bound for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from heterode.accuracy.electrode import SurfaceLaw
from heterode.accuracy.radial import RadialModes
from heterode.accuracy.record import SETTLED
from heterode.geometry.layers import radial_elements
from heterode.parameters.layering import Layers
from heterode.parameters.operation import DEFAULT_ACCURACY

Floats = npt.NDArray[np.float64]

OVERSHOOT = 0.003
"""Largest distance from the range at the default accuracy, in qR/D; in proportion to the accuracy
where less is asked for."""

IRREGULAR = 4.0
"""By how much more the triangles and tetrahedra of a particle overshoot than radial elements of
their size and lumping, in the worst of corners: 1.8 to 4 times on the discs of the presets, with
3 to 11 layers; 2.8 to 3.2 times on the spheres of cube_50 where radial elements do by 0.001."""

CAREFUL = 5.0
"""The same for particles with larger elements than the plan knows of, where more lumping allows for
them and the accuracy for the lumping."""

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

    def are_small(self, layers: Layers | None, irregular: float = IRREGULAR) -> bool:
        """Check whether some layers keep all particles near enough to their range.

        Args:
            layers: the layers; None for none.
            irregular: by how much more the particles overshoot than radial elements.
        """
        particles, solver = self.law.particles, self.law.parameters.solver
        unbounded = particles.dimension == 3 and solver.degree == 2
        if unbounded or self.longest <= SETTLED:
            return True
        limit = OVERSHOOT / irregular * max(1.0, solver.accuracy / DEFAULT_ACCURACY)
        radii, sizes = particles.sizes
        # Neighbours are alike: a few of all sizes come first, so that most failures show soon.
        order = np.argsort(np.arange(len(radii)) % APART, kind="stable")
        return all(self.of(radii[k], sizes[k], layers) <= limit for k in order)

    def largest(self, layers: Layers | None) -> float:
        """Return the largest overshoot of all particles with some layers, qR/D."""
        radii, sizes = self.law.particles.sizes
        return max(self.of(*one, layers) for one in zip(radii, sizes, strict=True))

    def of(self, radius: float, core_size: float, layers: Layers | None) -> float:
        """Return the largest overshoot in a particle after a jump, qR/D.

        Args:
            radius: its radius, m.
            core_size: radial size of its elements without layers, m.
            layers: its layers; None for none.
        """
        particles, solver = self.law.particles, self.law.parameters.solver
        lengths, lumping = radial_elements(radius, core_size, layers)
        nodes: Floats = np.asarray(lengths / radius, dtype=np.float64)
        slowest, fastest = self.law.diffusivities
        begin = slowest * SETTLED / radius**2
        end = max(min(fastest * self.longest / radius**2, 1.0), begin)
        lumped = b"" if lumping is None else lumping.tobytes()
        key = nodes.tobytes() + lumped + np.array([begin, end]).tobytes()
        if key not in self._found:
            modes = RadialModes(nodes, particles.dimension, solver.degree, lumping)
            times: Floats = np.asarray(np.geomspace(begin, end, INSTANTS), dtype=np.float64)
            self._found[key] = modes.overshoot(times)
        return self._found[key]
