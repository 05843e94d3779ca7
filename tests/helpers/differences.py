"""Derivatives of formulas against central differences, with a tolerance that is computed.

With D(h) = (f(x + h) - f(x - h)) / 2h and its error E(h):

    E(h) = h^2 f'''(x) / 6 + ...        where f is smooth,
    E(h) = J (h - d)^2 / 4h             where f'' jumps by J at a distance d < h.

Either way |E(h)| >= 2 |E(h/2)|, so that |E(h/2)| <= |D(h) - D(h/2)|: what is measured bounds the
error. Twice that, and the rounding of f over h, is the tolerance; no number is chosen by hand but
for how many roundings f is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ROUNDINGS = 1000.0
"""How many roundings of `size` a value holds at most. An overpotential is made of potentials of
up to 8 V, whose roundings exp takes 8 F/RT = 340 times, and there are three of them."""


def excess(
    formula: Callable[..., Any],
    variables: Mapping[str, Floats],
    name: str,
    derivative: Floats,
    *,
    step: Floats,
    size: Floats,
) -> float:
    """Largest error of a derivative over its tolerance; above 1 the derivative is wrong.

    Args:
        formula: takes the variables by name.
        variables: (N,) each.
        name: of the variable.
        derivative: (N,) to be checked.
        step: (N,) h, small against the distance over which f changes.
        size: (N,) sum of the magnitudes that f is the difference of.
    """
    wide, narrow = (_difference(formula, variables, name, h) for h in (step, step / 2))
    rounding = ROUNDINGS * np.finfo(np.float64).eps * (size / step + np.abs(derivative))
    tolerance = 2 * np.abs(wide - narrow) + rounding
    error = np.abs(derivative - narrow) / tolerance
    assert np.all(np.isfinite(error)), name
    return float(np.max(error))


def _difference(
    formula: Callable[..., Any], variables: Mapping[str, Floats], name: str, step: Floats
) -> Floats:
    x = variables[name]
    above, below = x + step, x - step
    values = [np.asarray(formula(**{**variables, name: moved})) for moved in (above, below)]
    # What was added, not what should have been: near 1 a small step is rounded.
    return np.asarray((values[0] - values[1]) / (above - below))


def steps(name: str, x: Floats) -> Floats:
    """A ten-thousandth of the distance over which a law changes at x.

    Powers change over the distance from their zero, down to the 1e-9 of `smooth_power`.
    """
    if name == "s":
        return 1e-4 * np.clip(np.minimum(np.abs(x), np.abs(1 - x)), 1e-9, 0.1)
    if name == "y":
        return 1e-4 * np.clip(np.abs(x), 1e-9, 1.0)
    return np.full_like(x, 2e-6)  # V; RT/F is 25 mV
