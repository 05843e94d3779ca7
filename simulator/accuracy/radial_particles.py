r"""Diffusion in N discs or spheres at once, by radial finite elements on given nodes.

    r^(d-1) ds/dt = d/dr (D(s) r^(d-1) ds/dr),      -D ds/dr = q at the surface,

with d = 2 for discs and 3 for spheres. q, m s^-1, is the current density out of the particle over
F c_max. Masses are consistent, since a lumped mass doubles the error at the surface, but for the
share that is lumped in the cell's own equations.

The particles may have different nodes. Their equations follow each other in one banded matrix
without entries between them, so that a single banded solve advances all of them.

Time steps are two stages of the L-stable, stiffly accurate diagonally implicit method of order two
(Alexander, SIAM J. Numer. Anal. 14, 1006 (1977)). It needs no past, so that nothing is to be
forgotten when a current jumps. D(s) is taken at the profile with which a step begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve_banded, cholesky_banded

from heterode.accuracy.radial import basis, partly_lumped

Floats = npt.NDArray[np.float64]
Diffusivity = float | Callable[[Floats], Floats]

GAMMA = 1.0 - 0.5 * np.sqrt(2.0)
"""Diagonal coefficient of the time scheme."""


@dataclass(frozen=True)
class _Elements:
    """All elements of all particles.

    Attributes:
        nodes: (E, degree + 1) degrees of freedom of each element, inner end first.
        size: (E,) lengths, m.
        weights: (E, Q) integration weights with the factor r^(d-1).
        values, slopes: (Q, degree + 1) basis at the points, and its derivative by r/size.
    """

    nodes: npt.NDArray[np.int64]
    size: Floats
    weights: Floats
    values: Floats
    slopes: Floats


class RadialParticles:
    """Finite elements in N particles.

    Args:
        ends: for each particle, the increasing radii, m, between which its elements lie, from 0 to
            its surface.
        dimension: 2 (discs) or 3 (spheres).
        diffusivity: D, m^2 s^-1, or D as a function of lithium fractions.
        degree: polynomial degree of the elements, 1 or 2.
        lumping: for each particle, the lumped share of its elements; None for none.

    Attributes:
        size: number of degrees of freedom.
        surface: (N,) the degree of freedom at each particle's surface.
    """

    def __init__(
        self,
        ends: Sequence[Floats],
        dimension: int,
        diffusivity: Diffusivity,
        degree: int = 1,
        lumping: Sequence[Floats] | None = None,
    ) -> None:
        counts = degree * (np.array([len(radii) for radii in ends]) - 1) + 1
        self.size = int(counts.sum())
        self.surface = surface = np.asarray(np.cumsum(counts) - 1, dtype=np.int64)
        self._degree, self._diffusivity = degree, diffusivity
        at = _elements(ends, surface - counts + 1, dimension, degree)
        self._flux = np.array([radii[-1] for radii in ends]) ** (dimension - 1)
        masses = np.einsum("eq,qi,qj->eij", at.weights, at.values, at.values)
        share = None if lumping is None else np.concatenate(lumping)
        self._mass = self._band(at, partly_lumped(masses, share))
        self._stiffness = self._stiff(at, at.weights)
        # The elements are by far the largest arrays, and are only used again if D follows s.
        self._elements = at if callable(diffusivity) else None
        self._particle = np.repeat(np.arange(len(ends)), counts)

    def spread(self, values: Floats) -> Floats:
        """Return (size,) profiles that are constant in each particle, from (N,) values."""
        return np.asarray(values, dtype=np.float64)[self._particle]

    def advance(self, step: float, s: Floats, profiles: Floats, fluxes: Floats) -> Floats:
        """Return profiles after a time step.

        Args:
            step: time step, s.
            s: (size,) lithium fractions, at which D is taken.
            profiles: (size, k) profiles at its beginning.
            fluxes: (N, k) flux q out of each particle over the step, m s^-1.

        Returns:
            (size, k) profiles at its end.
        """
        stiffness = self._at(s)
        loads = np.zeros_like(profiles)
        loads[self.surface] = -self._flux[:, None] * fluxes
        # The bands of particles never meet, so that one factor serves all of them.
        factor = cholesky_banded(
            self._mass + GAMMA * step * stiffness, lower=True, check_finite=False
        )
        begun = self._times(self._mass, profiles) + GAMMA * step * loads
        inner = cho_solve_banded((factor, True), begun, check_finite=False)
        rate = loads - self._times(stiffness, inner)
        return np.asarray(
            cho_solve_banded((factor, True), begun + (1 - GAMMA) * step * rate, check_finite=False)
        )

    def _at(self, s: Floats) -> Floats:
        """Return the stiffness at a profile."""
        at = self._elements
        if at is None or not callable(self._diffusivity):
            assert not callable(self._diffusivity)
            return self._diffusivity * self._stiffness
        return self._stiff(at, at.weights * self._diffusivity(s[at.nodes] @ at.values.T))

    def _stiff(self, at: _Elements, weights: Floats) -> Floats:
        local = np.einsum("eq,qi,qj->eij", weights, at.slopes, at.slopes)
        return self._band(at, local / (at.size**2)[:, None, None])

    def _band(self, at: _Elements, local: Floats) -> Floats:
        """Return the lower band (degree + 1, size) of the elements' matrices (E, n, n)."""
        band = np.zeros((self._degree + 1, self.size))
        for row in range(self._degree + 1):
            for column in range(row + 1):
                places = at.nodes[:, column]
                band[row - column] += np.bincount(places, local[:, row, column], self.size)
        return band

    @staticmethod
    def _times(band: Floats, profiles: Floats) -> Floats:
        """Return the product of a symmetric band with profiles (size, k)."""
        product: Floats = band[0][:, None] * profiles
        for offset in range(1, len(band)):
            below = band[offset][:-offset, None]
            product[offset:] += below * profiles[:-offset]
            product[:-offset] += below * profiles[offset:]
        return product


def _elements(
    ends: Sequence[Floats], first: npt.NDArray[np.int64], dimension: int, degree: int
) -> _Elements:
    lower = np.concatenate([radii[:-1] for radii in ends])
    size = np.concatenate([np.diff(radii) for radii in ends])
    begin = [f + degree * np.arange(len(r) - 1) for f, r in zip(first, ends, strict=True)]
    nodes = np.concatenate(begin)[:, None] + np.arange(degree + 1)
    x, w, shape, slope = basis(degree)
    radius = lower[:, None] + size[:, None] * x
    weights = w * size[:, None] * radius ** (dimension - 1)
    values, slopes = np.ascontiguousarray(shape.T), np.ascontiguousarray(slope.T)
    return _Elements(nodes, size, weights, values, slopes)
