r"""Exact response of the surface of a disc or a sphere to a constant flux.

    du/dT = lap u in r < 1,   du/dr = 1 at r = 1,   u = 0 at T = 0

u(1, T) is the rise of the surface lithium fraction in units of qR/D, with q = i/(F c_max) and
T = D t/R^2. It consists of the mean, which is n T in n dimensions, and of a part that goes to a
constant:

    disc    u = 2 T + 1/4 - 2 sum exp(-a_k^2 T)/a_k^2,    J_1(a_k) = 0
    sphere  u = 3 T + 1/5 - 2 sum exp(-a_k^2 T)/a_k^2,    tan(a_k) = a_k

(Carslaw and Jaeger, Conduction of Heat in Solids, 2nd ed., 7.8 and 9.7). At short times the Laplace
transform at large p is inverted term by term: for the sphere 1/(p (sqrt p - 1)), for the disc
I_0/(p^1.5 I_1) in powers of 1/sqrt p. What is left out is of the order of exp(-1/T).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SHORT = 0.01
"""T below which the expansion at short times applies; it then lacks 1e-12."""

TERMS = 24
"""Terms of the series; at T = SHORT the first that is left out is exp(-60)."""

POWERS = 12
"""Terms of the disc's expansion at short times."""

NODES = 200
"""Points of the trapezoidal rule for Bessel functions, exact to rounding at these arguments."""


def surface_response(time: Floats, dimension: int) -> Floats:
    """Return u(1, T) for times T >= 0 of any shape."""
    return dimension * np.asarray(time, dtype=np.float64) + deviation(time, dimension)


def deviation(time: Floats, dimension: int) -> Floats:
    """Return u(1, T) less the mean n T, for times T >= 0 of any shape."""
    time = np.asarray(time, dtype=np.float64)
    flat = time.ravel()
    short = flat < SHORT
    value = np.empty_like(flat)
    early = _early_disc if dimension == 2 else _early_sphere
    value[short] = early(flat[short]) - dimension * flat[short]
    squares = roots(dimension) ** 2
    decay = np.exp(-np.multiply.outer(flat[~short], squares))
    value[~short] = 1.0 / (dimension + 2) - 2.0 * decay @ (1.0 / squares)
    return value.reshape(time.shape)


def _early_sphere(time: Floats) -> Floats:
    root = np.sqrt(time)
    error_function = np.array([math.erf(one) for one in root])
    value: Floats = np.expm1(time) + np.exp(time) * error_function
    return value


def _early_disc(time: Floats) -> Floats:
    root, total = np.sqrt(time), np.zeros_like(time)
    for n, a in enumerate(_ratio_coefficients()):
        total += a * root ** (n + 1) / math.gamma(0.5 * (n + 3))
    return total


@cache
def _ratio_coefficients() -> tuple[float, ...]:
    """Return a_n of I_0(x)/I_1(x) = sum a_n x^-n, by w' = 1 - w^2 + w/x."""
    a = [1.0]
    for n in range(1, POWERS):
        a.append(0.5 * (n * a[n - 1] - sum(a[i] * a[n - i] for i in range(1, n))))
    return tuple(a)


@cache
def roots(dimension: int) -> Floats:
    """Return the first TERMS positive roots of J_1 (disc), or of tan x = x (sphere)."""
    k = np.arange(1, TERMS + 1)
    if dimension == 3:
        x = (k + 0.5) * math.pi - 1.0 / ((k + 0.5) * math.pi)
        for _ in range(8):
            x -= (np.sin(x) - x * np.cos(x)) / (x * np.sin(x))
        return x
    beta = (k + 0.25) * math.pi
    x = beta - 3.0 / (8.0 * beta)
    for _ in range(8):
        zero, one = _bessel(0, x), _bessel(1, x)
        x -= one / (zero - one / x)
    return x


def _bessel(order: int, x: Floats) -> Floats:
    """Return J_order(x), by Bessel's integral over a period."""
    theta = 2.0 * math.pi * np.arange(NODES) / NODES
    value: Floats = np.mean(np.cos(order * theta - np.multiply.outer(x, np.sin(theta))), axis=-1)
    return value
