r"""Variable-step backward differentiation of order one and two, with error estimate.

With past values u_n, u_{n-1}, ... at t_n > t_{n-1} > ... and the new time t:

    du/dt(t) = alpha u + beta,   beta from the past values   (derivative of the interpolant)

The interpolant of degree k through t, t_n, ..., t_{n-k+1} errs in its derivative by
u^(k+1)/(k+1)! prod (t - t_j), so that u errs by that over alpha. The predictor, of degree k
through k + 1 past values, errs by u^(k+1)/(k+1)! prod (t - t_j) (t - t_{n-k}) with the other
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
class Differentiation:
    """du/dt at the new time as alpha u + sum_j weights_j u_j.

    Attributes:
        alpha: weight of the new value, s^-1.
        weights: weights of the past values, newest first, s^-1.
        error_factor: error of the corrected value over (corrected - predicted); None when there
            are not enough past values to tell.
    """

    alpha: float
    weights: tuple[float, ...]
    error_factor: float | None

    @property
    def order(self) -> int:
        return len(self.weights)

    def past(self, values: Sequence[Floats] | Sequence[float]) -> Floats:
        """beta: the past values' part of du/dt."""
        past = zip(self.weights, values, strict=False)
        return np.asarray(np.sum([weight * np.asarray(value) for weight, value in past], axis=0))

    def slope(self, change: Callable[[float, float], float], times: Sequence[float]) -> float:
        """du/dt at the new time of a u that is known.

        Args:
            change: what u grows by between two times.
            times: the new time and the past ones, newest first.
        """
        time, now = times[:2]
        # From differences alone, since the weights add up to nothing: u itself may be so large
        # that little is left of its growth within a time step.
        past = zip(self.weights[1:], times[2:], strict=False)
        return self.alpha * change(now, time) - sum(w * change(t, now) for w, t in past)


def differentiation(time: float, past_times: Sequence[float], highest: int) -> Differentiation:
    """Weights at `time`, given the past times, newest first.

    Args:
        time: the new time, s.
        past_times: at least one, decreasing, s.
        highest: the highest order wanted.
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
    """Derivative at nodes[0] of the Lagrange polynomial of nodes[j], j >= 1."""
    others = [t for i, t in enumerate(nodes) if i not in (0, j)]
    numerator = float(np.prod([nodes[0] - t for t in others]))
    denominator = float(np.prod([nodes[j] - t for t in others])) * (nodes[j] - nodes[0])
    return numerator / denominator


def extrapolation(time: float, past_times: Sequence[float], highest: int) -> tuple[float, ...]:
    """Weights of the past values, newest first, in the predictor of degree <= `highest`."""
    nodes = list(past_times[: highest + 1])
    return tuple(
        float(np.prod([(time - t) / (nodes[j] - t) for i, t in enumerate(nodes) if i != j]))
        for j in range(len(nodes))
    )
