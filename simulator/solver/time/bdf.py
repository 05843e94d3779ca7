r"""Variable-step backward differentiation of orders one and two with an error estimate.

With past values u_n, u_{n-1}, ... at t_n > t_{n-1} > ... and the new time t:

    du/dt(t) = alpha u + beta,   with beta from the past values   (derivative of the interpolant)

The derivative of the interpolant of degree k through t, t_n, ..., t_{n-k+1} has the error
u^(k+1)/(k+1)! prod (t - t_j), so that the error of u is this over alpha. The predictor of degree k
through k + 1 past values has the error u^(k+1)/(k+1)! prod (t - t_j) (t - t_{n-k}) with the other
sign. Hence the error of the corrected value is

    (u - u_predicted) / (1 + alpha (t - t_{n-k})).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
HIGHEST_ORDER = 2


@dataclass(frozen=True)
class Rates:
    """du/dt = alpha (u - u_n) + rest of a state's vector at the new time, and dV/dt likewise.

    Only differences are used, so that rounding is that of the change within the step: potentials
    of some volts may change by a few of their last digits in a step of a millisecond.

    Attributes:
        alpha: d(du/dt)/du, s^-1.
        vector, V: u_n and V_n, V, at the start of the step.
        rest, rest_V: part of older values, s^-1 and V s^-1.
    """

    alpha: float
    vector: Floats
    V: float
    rest: Floats
    rest_V: float

    def __call__(self, vector: Floats) -> Floats:
        """Return du/dt."""
        return self.alpha * (vector - self.vector) + self.rest

    def of_voltage(self, V: float) -> float:
        """Return dV/dt."""
        return self.alpha * (V - self.V) + self.rest_V


@dataclass(frozen=True)
class Differentiation:
    """The derivative du/dt at the new time as alpha u + sum_j weights_j u_j.

    Attributes:
        alpha: weight of the new value, s^-1.
        weights: weights of the past values, newest first, s^-1.
        error_factor: ratio of the corrected value's error to (corrected - predicted); None if
            there are not enough past values for an estimate.
    """

    alpha: float
    weights: tuple[float, ...]
    error_factor: float | None

    @property
    def order(self) -> int:
        """Order of the scheme, 1 or 2, which is the number of past values."""
        return len(self.weights)

    def past(self, values: Sequence[Floats] | Sequence[float]) -> Floats:
        """Return beta, the past values' part of du/dt."""
        past = zip(self.weights, values, strict=False)
        return np.asarray(np.sum([weight * np.asarray(value) for weight, value in past], axis=0))

    def rates(self, vectors: Sequence[Floats], voltages: Sequence[float]) -> Rates:
        """Return du/dt and dV/dt at the new time as functions of u and V there.

        Args:
            vectors, voltages: past values, newest first.
        """
        # The weights sum to zero.
        older = list(zip(self.weights[1:], vectors[1:], voltages[1:], strict=False))
        now, V = vectors[0], voltages[0]
        rest = sum((w * (vector - now) for w, vector, _ in older), np.zeros_like(now))
        rest_V = sum(w * (voltage - V) for w, _, voltage in older)
        return Rates(self.alpha, now, V, rest, rest_V)

    def slope(self, change: Callable[[float, float], float], times: Sequence[float]) -> float:
        """Return du/dt at the new time for a known u.

        Args:
            change: returns the growth of u between two times.
            times: the new time and the past ones, newest first.
        """
        time, now = times[:2]
        # Only differences are used, since the weights sum to zero: u itself may be so large that
        # few digits are left of its growth within a time step.
        past = zip(self.weights[1:], times[2:], strict=False)
        return self.alpha * change(now, time) - sum(w * change(t, now) for w, t in past)


def differentiation(time: float, past_times: Sequence[float], highest: int) -> Differentiation:
    """Return the weights at `time`, given the past times, newest first.

    Args:
        time: the new time, s.
        past_times: decreasing times, s; at least one.
        highest: highest order that may be used.
    """
    order = min(len(past_times), highest)
    nodes = [time, *past_times[:order]]
    weights = tuple(_slope_weight(nodes, j) for j in range(1, order + 1))
    alpha = sum(1 / (time - t) for t in nodes[1:])
    factor = None
    if len(past_times) > order:
        factor = 1 / (1 + alpha * (time - past_times[order]))
    return Differentiation(alpha, weights, factor)


def _slope_weight(nodes: Sequence[float], j: int) -> float:
    """Return the derivative at nodes[0] of the Lagrange polynomial of nodes[j], j >= 1."""
    others = [t for i, t in enumerate(nodes) if i not in (0, j)]
    numerator = float(np.prod([nodes[0] - t for t in others]))
    denominator = float(np.prod([nodes[j] - t for t in others])) * (nodes[j] - nodes[0])
    return numerator / denominator


def extrapolation(time: float, past_times: Sequence[float], highest: int) -> tuple[float, ...]:
    """Return the past values' weights, newest first, in the predictor of degree <= `highest`."""
    nodes = list(past_times[: highest + 1])
    return tuple(
        float(np.prod([(time - t) / (nodes[j] - t) for i, t in enumerate(nodes) if i != j]))
        for j in range(len(nodes))
    )
