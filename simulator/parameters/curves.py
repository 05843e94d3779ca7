"""The open-circuit curve of a material as the input file gives it, at a temperature."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heterode.base.dual_numbers import Dual
from heterode.materials.arrhenius import REFERENCE_TEMPERATURE
from heterode.materials.expressions import Expression, FormulaError
from heterode.materials.monotone import largest_rise
from heterode.materials.open_circuit import (
    Analytic,
    OpenCircuitPotential,
    nodes_of,
    of_galleries,
    open_circuit_potential,
    through,
)
from heterode.parameters.fields import MistakeError
from heterode.parameters.function_values import LARGEST_RISE
from heterode.parameters.functions import EDGE, MaterialFunction

Array = NDArray[np.float64]

LEAST_FALL = 1e-6
"""Least fall of a curve over its whole range, V."""


def curve_of(
    given: str | MaterialFunction, entropic: float | MaterialFunction | None, temperature: float
) -> OpenCircuitPotential:
    """Return the open-circuit curve at a temperature.

    Args:
        given: name or function of the open-circuit potential.
        entropic: entropic coefficient, V/K, a number or a function; None for 0.
        temperature: temperature, K.

    Raises:
        MistakeError: the curve rises by more than 5 mV, is not finite, or is level.
    """
    curve = (
        open_circuit_potential(given) if isinstance(given, str) else _of_file(given, temperature)
    )
    apart = temperature - REFERENCE_TEMPERATURE
    if entropic is None or abs(apart) < 1e-9:
        return curve
    return _warmed(curve, entropic, temperature)


def entropic_function(entropic: float | MaterialFunction, temperature: float) -> Analytic:
    """Return dU/dT, V/K, and its slope as a function of the lithium fraction."""
    if isinstance(entropic, MaterialFunction):
        return _analytic_of(entropic, temperature)
    number = entropic
    return lambda x: (np.full_like(x, number), np.zeros_like(x))


@lru_cache(maxsize=32)
def _warmed(
    curve: OpenCircuitPotential, entropic: float | MaterialFunction, temperature: float
) -> OpenCircuitPotential:
    apart = temperature - REFERENCE_TEMPERATURE
    coefficient = entropic_function(entropic, temperature)
    knots = entropic.arguments if isinstance(entropic, MaterialFunction) else ()

    def change(x: Array) -> tuple[Array, Array]:
        value, slope = coefficient(x)
        return apart * value, apart * slope

    found = curve.changed_by(change, np.array(knots, dtype=np.float64))
    if found.correction > LARGEST_RISE:
        raise MistakeError(
            f"makes the open-circuit curve rise at {temperature:g} K (it would be changed by "
            f"{1e3 * found.correction:.3g} mV)",
            allowed=f"changes up to {1e3 * LARGEST_RISE:g} mV, which are smoothed",
            remedy="Correct the coefficient, or the temperature.",
            key=("entropic_coefficient",),
        )
    return found


@lru_cache(maxsize=32)
def _of_file(given: MaterialFunction, temperature: float) -> OpenCircuitPotential:
    if given.galleries is not None:
        return of_galleries(given.galleries, named=False)
    ends = given.low, given.high
    if given.rows:
        x, U = np.array(given.arguments), np.array(given.values)
        slope = None
    else:
        assert given.expression is not None
        bound = _at(given.expression, temperature)
        x, U, slope = nodes_of(
            _with_slope(lambda argument: bound(x=argument)),
            max(ends[0], EDGE),
            min(ends[1], 1.0 - EDGE),
        )
        exact = np.broadcast_to(bound.exactly(x=x), x.shape)
        _refuse_rising(x, np.where(np.isfinite(exact), U, exact), given, temperature)
    return through(x, U, slope, name=given.origin, source=given.origin, measured_range=ends)


def _at(expression: Expression, temperature: float) -> Expression:
    try:
        return expression.bound(T=temperature)
    except FormulaError as error:
        raise _of_curve(
            f"{error.problem} at {temperature:g} K", allowed=error.allowed, remedy=error.remedy
        ) from None


def _of_curve(problem: str, *, allowed: str, remedy: str) -> MistakeError:
    return MistakeError(problem, allowed=allowed, remedy=remedy, key=("open_circuit_potential",))


def _refuse_rising(x: Array, U: Array, given: MaterialFunction, temperature: float) -> None:
    span = f"from x = {given.low:g} to {given.high:g} at {temperature:g} K"
    narrow = 'Correct it, or narrow its range, like { expression = "...", range = [0.05, 0.95] }.'
    wrong = ~np.isfinite(U) | (np.abs(U) > 1e3)
    if np.any(wrong):
        at = int(np.flatnonzero(wrong)[0])
        raise _of_curve(
            f"is {U[at]:.4g} V at x = {x[at]:.4g} and {temperature:g} K",
            allowed=f"finite potentials {span}",
            remedy=narrow,
        )
    rise, low, high = largest_rise(U)
    if rise > LARGEST_RISE:
        raise _of_curve(
            f"rises by {1e3 * rise:.3g} mV, from {U[low]:.4f} V at x = {x[low]:.4g} to "
            f"{U[high]:.4f} V at {x[high]:.4g}",
            allowed=f"a potential that falls {span}, or rises by up to {1e3 * LARGEST_RISE:g} mV",
            remedy=narrow,
        )
    if U[0] - U[-1] < LEAST_FALL:
        raise _of_curve(
            f"is level: {U[0]:.4f} V everywhere",
            allowed=f"a potential that falls {span}",
            remedy="Give a curve whose ends differ, even if by little.",
        )


def _analytic_of(given: MaterialFunction, temperature: float) -> Analytic:
    if given.rows:
        return given.interpolation.value_and_slope
    return _with_slope(given.at(temperature))


def _with_slope(function: Callable[[Any], Any]) -> Analytic:
    def analytic(x: Array) -> tuple[Array, Array]:
        found = function(Dual(x, {"x": np.ones_like(x)}))
        if not isinstance(found, Dual):
            return np.full_like(x, found), np.zeros_like(x)
        value = np.broadcast_to(np.asarray(found.value, dtype=np.float64), x.shape)
        slope = np.broadcast_to(np.asarray(found.slopes.get("x", 0.0), dtype=np.float64), x.shape)
        return np.array(value), np.array(slope)

    return analytic
