"""Smooth functions of the lithium fraction through points, without oscillations.

Of a positive function, ln f is a piecewise cubic through the points (with Fritsch and Carlson's
slopes as in SciPy's PCHIP), so f is positive, once continuously differentiable, and rises or falls
only where the points do. Two points give a straight line in ln f. Beyond the ends, f becomes
constant within LEVELLING:

    ln f = ln f_end + slope w tanh((x - x_end) / w),    w = LEVELLING

A function that may be negative, such as an entropic coefficient, is itself the piecewise cubic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heterode.base.dual_numbers import Dual, with_slope
from heterode.materials._math import clamp, is_expression

Array = NDArray[np.float64]

LEVELLING = 0.05
"""Distance beyond the ends within which the function becomes constant, as a lithium fraction."""


class TabulatedFunction:
    """A function f(x) through K points, for NumPy arrays, dual numbers and UFL expressions.

    Args:
        fractions: (K,) increasing lithium fractions, or other arguments; K is at least 2.
        values: (K,) values.
        positive: whether all values are above 0, as the function then is everywhere.
    """

    def __init__(
        self, fractions: Sequence[float], values: Sequence[float], *, positive: bool = True
    ) -> None:
        # Imported only here, since commands that read no table need no SciPy.
        from scipy.interpolate import PchipInterpolator

        self._x: Array = np.asarray(fractions, dtype=np.float64)
        self._positive = positive
        heights = np.asarray(values, dtype=np.float64)
        pieces = PchipInterpolator(self._x, np.log(heights) if positive else heights)
        self._cubics: Array = np.asarray(pieces.c, dtype=np.float64).T
        slopes = np.asarray(pieces(self._x[[0, -1]], 1), dtype=np.float64)
        self._end_slopes = (float(slopes[0]), float(slopes[1]))

    def __call__(self, x: Any) -> Any:
        """Return f(x) in the shape of the argument."""
        if is_expression(x):
            return self._in_ufl(x)
        if isinstance(x, Dual):
            return with_slope(self.value_and_slope)(x)
        return self.value_and_slope(np.asarray(x, dtype=np.float64))[0]

    def value_and_slope(self, x: Array) -> tuple[Array, Array]:
        """Return f(x) and its exact derivative, both in the shape of the argument."""
        last = self._x.size - 2
        inside = np.clip(x, self._x[0], self._x[-1])
        k = np.clip(np.searchsorted(self._x, inside, side="right") - 1, 0, last)
        t = inside - self._x[k]
        a, b, c, d = np.moveaxis(self._cubics[k], -1, 0)
        beyond = (x - inside) / LEVELLING
        first, final = self._end_slopes
        end_slope = np.where(beyond < 0, first, final)
        level = np.tanh(beyond)
        value = d + t * (c + t * (b + t * a)) + LEVELLING * end_slope * level
        slope = np.where(beyond == 0, c + t * (2 * b + 3 * t * a), end_slope * (1 - level**2))
        if not self._positive:
            return value, slope
        value = np.exp(value)
        return value, value * slope

    def _in_ufl(self, x: Any) -> Any:
        import ufl

        ends = float(self._x[0]), float(self._x[-1])
        inside = clamp(x, *ends)
        pieces = []
        for start, cubic in zip(self._x[:-1], self._cubics, strict=True):
            t = inside - float(start)
            a, b, c, d = map(float, cubic)
            pieces.append(d + t * (c + t * (b + t * a)))
        value = pieces.pop()
        while pieces:
            end = float(self._x[len(pieces)])
            value = ufl.conditional(ufl.lt(inside, end), pieces.pop(), value)
        below, above = ufl.min_value(x - ends[0], 0.0), ufl.max_value(x - ends[1], 0.0)
        for slope, beyond in zip(self._end_slopes, (below, above), strict=True):
            value += LEVELLING * slope * ufl.tanh(beyond / LEVELLING)
        return ufl.exp(value) if self._positive else value
