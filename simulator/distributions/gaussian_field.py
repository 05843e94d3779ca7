r"""Gaussian random fields at scattered points, and the correlation functions of distance.

    z ~ N(0, C),    C_ij = rho(|x_i - x_j| / l)

    exponential  rho(u) = exp(-u)
    gaussian     rho(u) = exp(-u^2)
    spherical    rho(u) = 1 - 1.5 u + 0.5 u^3, 0 beyond u = 1

All three are correlation functions in 2D and 3D (Chiles and Delfiner, Geostatistics, 2nd ed., 2012,
section 2.5). Distances are along straight lines; a periodic distance would need another rho.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Correlation = Literal["exponential", "spherical", "gaussian"]

MOST_POINTS = 10_000
"""Most points: here the matrix of all pairs takes 0.8 GB, and its factorisation about a minute."""

NUGGET = 1e-9
"""Number added to C's diagonal, since the matrix of a smooth rho is singular to rounding."""


def _exponential(u: Floats) -> Floats:
    return np.asarray(np.exp(-u))


def _spherical(u: Floats) -> Floats:
    return np.where(u < 1, 1 - 1.5 * u + 0.5 * u**3, 0.0)


def _gaussian(u: Floats) -> Floats:
    return np.asarray(np.exp(-(u**2)))


CORRELATIONS: dict[Correlation, Callable[[Floats], Floats]] = {
    "exponential": _exponential,
    "spherical": _spherical,
    "gaussian": _gaussian,
}
"""Correlation functions rho(u) of u = distance / length."""


def gaussian_field(
    points: Floats,
    rng: np.random.Generator,
    *,
    length: float,
    correlation: Correlation = "exponential",
) -> Floats:
    """Draw a field of mean 0 and variance 1 exactly, by the Cholesky factor of C.

    Args:
        points: (N, d) positions, with N up to MOST_POINTS.
        rng: generator for this purpose alone; N normal numbers are drawn from it.
        length: l in the unit of the points; with 0, values at different points are independent.
        correlation: name of rho.

    Returns:
        (N,) values, which depend on the generator alone (to rounding), not on the number of ranks.

    Raises:
        ValueError: there are too many points.
    """
    count = len(points)
    white: Floats = rng.standard_normal(count)
    if length <= 0.0:
        return white
    if count > MOST_POINTS:
        raise ValueError(f"{count} points, more than {MOST_POINTS}")
    # Imported only here, since the schema of the input file imports this module.
    from scipy.spatial.distance import cdist

    covariance = CORRELATIONS[correlation](cdist(points, points) / length)
    covariance[np.diag_indices(count)] += NUGGET
    return np.asarray(np.linalg.cholesky(covariance) @ white)
