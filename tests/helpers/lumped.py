"""N particles at one potential, each uniform inside: a model of its own, with nothing of simulator.

    F c_max v_j dx_j/dt = -a_j i_j
    i_j = pen_j F k c_max sqrt(x_j (1 - x_j)) 2 sinh(F (V - U(x_j)) / 2RT)
    sum_j a_j i_j = I                                      gives V

v_j and a_j are volume and surface; all in SI. With w = exp(F V / 2RT) the last line is a quadratic,
A w - B / w = I. U is that of NMC532, x = sum_j X_j / (1 + exp(F (U - U_j) / (R T w_j))): galleries
fitted to NREL's batmods-lite (BSD-3), nmc532_ocv.csv.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.constants import physical_constants
from scipy.integrate import solve_ivp

Floats = npt.NDArray[np.float64]

F = physical_constants["Faraday constant"][0]
R = physical_constants["molar gas constant"][0]
T = 298.15

GALLERIES = np.array(
    [  # U_j (V), X_j, w_j
        [3.286436582666309, 0.009705792059640292, 9.347191151077794],
        [3.647151713615391, 0.024686917493621785, 0.8788104441029467],
        [3.72839475256815, 0.2982204424680605, 1.36887059549451],
        [3.8690911340333405, 0.12151349703415151, 3.103852977585491],
        [4.11737839879475, 0.22540404116741797, 5.682382538446271],
        [4.678833037351435, 0.3204693097771079, 7.126396315163986],
    ]
)

_U = np.linspace(5.0, 2.4, 26001)
_X = np.sum([X / (1 + np.exp(F * (_U - U_j) / (R * T * w))) for U_j, X, w in GALLERIES], axis=0)


def potential(x: Floats) -> Floats:
    """Open-circuit potential of NMC532, V, by linear interpolation between 26,001 points."""
    return np.interp(x, _X, _U)


@dataclass(frozen=True)
class Particles:
    """N particles; every array has shape (N,), SI (per metre of depth in 2D)."""

    volume: Floats
    surface: Floats
    penalty: Floats
    c_max: float
    rate_constant: float

    def voltage(self, x: Floats, current: float) -> float:
        """V at which all particles together carry a current, A."""
        U, i0 = potential(x), self._exchange(x)
        forward = float(np.sum(self.surface * i0 * np.exp(-F * (U - U[0]) / (2 * R * T))))
        backward = float(np.sum(self.surface * i0 * np.exp(F * (U - U[0]) / (2 * R * T))))
        w = (current + np.sqrt(current**2 + 4 * forward * backward)) / (2 * forward)
        return float(U[0] + 2 * R * T / F * np.log(w))

    def _exchange(self, x: Floats) -> Floats:
        return self.penalty * F * self.rate_constant * self.c_max * np.sqrt(x * (1 - x))

    def rate(self, x: Floats, current: float) -> Floats:
        """dx/dt, s^-1."""
        eta = self.voltage(x, current) - potential(x)
        i = 2 * self._exchange(x) * np.sinh(F * eta / (2 * R * T))
        return -self.surface * i / (F * self.c_max * self.volume)

    def mean_and_spread(self, x: Floats) -> tuple[float, float]:
        """Mean and standard deviation of the lithium fraction, weighted by volume."""
        share = self.volume / self.volume.sum()
        mean = float(share @ x)
        return mean, float(np.sqrt(share @ (x - mean) ** 2))


def charge(particles: Particles, start: float, current: float, seconds: float) -> Floats:
    """(M, 2) mean and spread of the lithium fraction along a charge at constant current."""
    return np.array(
        [particles.mean_and_spread(x) for x in fractions(particles, start, current, seconds)]
    )


def fractions(particles: Particles, start: float, current: float, seconds: float) -> Floats:
    """(M, N) lithium fraction of each particle along that charge, 2001 times evenly spaced."""
    solved = solve_ivp(
        lambda t, x: particles.rate(x, current),
        (0.0, seconds),
        np.full(particles.volume.size, start),
        method="LSODA",
        rtol=1e-9,
        atol=1e-11,
        t_eval=np.linspace(0.0, seconds, 2001),
    )
    if not solved.success:
        raise ArithmeticError(f"the lumped model ended early: {solved.message}")
    return np.asarray(solved.y.T)
