r"""Radial finite elements: how a mesh with given spacing responds to a unit flux at the surface.

    M du/dT + K u = f,   M_ij = int phi_i phi_j r^(n-1) dr,   K_ij = int phi_i' phi_j' r^(n-1) dr

on 0 <= r <= 1 with a flux of 1 at r = 1: discs (n = 2) and spheres (n = 3), elements of degree 1 or
2. The mass matrix is consistent or, in some elements of degree 1, lumped for a share, as in the
cell's equations: the share of each row's sum is put on the diagonal. The modes K v = l M v give the
solution for all times at once, so that only the error of space remains: at the surface

    u = n T + sum_k v_k(1)^2 (1 - exp(-l_k T))/l_k

The error of the surface's lithium fraction after a step of the flux is the difference from the
exact response times qR/D (heterode.accuracy.series).

Before a front has reached it, a node moves the wrong way: the inverse of a consistent mass matrix
has negative entries, most where an element is much larger than its neighbour.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from heterode.accuracy.series import deviation

Floats = npt.NDArray[np.float64]

POINTS = 4
"""Gauss points of each element; the integrands have degree 2 degree + n - 1 at most, so that the
mass of quadratic elements in spheres is exact."""


class RadialModes:
    """The modes of radial elements, as the surface sees them.

    Attributes:
        rates: (K,) eigenvalues l_k above zero.
        weights: (K,) squares of the modes at the surface.
        shapes: (N, K) modes at all degrees of freedom times those at the surface.
        dimension: 2 for a disc, 3 for a sphere.
    """

    def __init__(
        self, nodes: Floats, dimension: int, degree: int = 1, lumping: Floats | None = None
    ) -> None:
        """Solve for the modes.

        Args:
            nodes: (N,) increasing ends of the elements in radii, from 0 to 1.
            dimension: 2 for a disc, 3 for a sphere.
            degree: degree of the elements, 1 or 2.
            lumping: (N - 1,) lumped share of each element; None for none.
        """
        mass, stiffness = matrices(nodes, dimension, degree, lumping)
        # Scaled to a unit diagonal, Cholesky's factor is accurate on any grading.
        scale = 1.0 / np.sqrt(np.diag(mass))
        factor = np.linalg.cholesky(mass * np.multiply.outer(scale, scale))
        inverse = np.linalg.inv(factor) * scale
        rates, vectors = np.linalg.eigh(inverse @ stiffness @ inverse.T)
        modes = inverse.T @ vectors
        self.dimension = dimension
        # The first mode is the mean, whose rate is zero.
        self.rates: Floats = rates[1:]
        self.weights: Floats = modes[-1, 1:] ** 2
        self.shapes: Floats = modes[:, 1:] * modes[-1, 1:]

    def deviation(self, time: Floats) -> Floats:
        """Return the surface's response less the mean n T, for times T of any shape."""
        time = np.asarray(time, dtype=np.float64)
        grown = -np.expm1(-np.multiply.outer(time, self.rates))
        value: Floats = grown @ (self.weights / self.rates)
        return value

    def overshoot(self, time: Floats) -> float:
        """Return how far fractions leave the range of start and surface at most, for times (T,).

        The exact ones rise everywhere from 0 on; what falls below leaves the range.
        """
        grown = -np.expm1(-np.multiply.outer(time, self.rates)) / self.rates
        least = np.min(grown @ self.shapes.T, axis=1) + self.dimension * time
        return max(0.0, -float(np.min(least)))

    def error(self, time: Floats) -> Floats:
        """Return the surface's response less the exact one, for times T of any shape."""
        return self.deviation(time) - deviation(time, self.dimension)

    def largest_error(self, times: Floats) -> float:
        """Return E, the largest magnitude of the error at some times T."""
        return float(np.max(np.abs(self.error(times))))


def matrices(
    nodes: Floats, dimension: int, degree: int, lumping: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return the mass and the stiffness matrix, (N, N) with the surface last."""
    ends = np.asarray(nodes, dtype=np.float64)
    t, weights, shape, slope = basis(degree)
    length = np.diff(ends)
    r = ends[:-1, None] + length[:, None] * t
    measure = weights * length[:, None] * r ** (dimension - 1)
    mass_of = partly_lumped(np.einsum("eq,iq,jq->eij", measure, shape, shape), lumping)
    stiff_of = np.einsum("eq,iq,jq->eij", measure / length[:, None] ** 2, slope, slope)
    size = degree * length.size + 1
    numbers = degree * np.arange(length.size)[:, None] + np.arange(degree + 1)
    mass, stiffness = np.zeros((size, size)), np.zeros((size, size))
    rows, columns = numbers[:, :, None], numbers[:, None, :]
    np.add.at(mass, (rows, columns), mass_of)
    np.add.at(stiffness, (rows, columns), stiff_of)
    return mass, stiffness


def partly_lumped(masses: Floats, lumping: Floats | None) -> Floats:
    """Return the elements' mass matrices (E, n, n) with a share (E,) of each row on its diagonal.

    Rows keep their sums, so that no lithium is lost.
    """
    if lumping is None:
        return masses
    share = lumping[:, None, None]
    diagonal = masses.sum(axis=2)[:, :, None] * np.eye(masses.shape[1])
    mixed: Floats = (1.0 - share) * masses + share * diagonal
    return mixed


@cache
def basis(degree: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return points and weights on 0 <= t <= 1, (Q,), and shapes and slopes, (degree + 1, Q)."""
    points, weights = np.polynomial.legendre.leggauss(POINTS)
    t = 0.5 * (points + 1.0)
    if degree == 1:
        shape, slope = np.array([1.0 - t, t]), np.array([-np.ones_like(t), np.ones_like(t)])
    else:
        shape = np.array([(1 - t) * (1 - 2 * t), 4 * t * (1 - t), t * (2 * t - 1)])
        slope = np.array([4 * t - 3, 4 - 8 * t, 4 * t - 1])
    return t, 0.5 * weights, shape, slope
