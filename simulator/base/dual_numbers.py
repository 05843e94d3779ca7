r"""Dual numbers: a formula in plain NumPy yields its exact derivatives as well as its value.

A dual number carries a value and its derivative with respect to each of some variables. Every
operation propagates both by the chain rule,

    f(u, v):  value f,  d f / d x = (df/du) du/dx + (df/dv) dv/dx,

so that the author of a formula does not differentiate by hand. Called with arrays, the same formula
computes values only, in the order in which it is written. Derivatives are needed when Newton's
method linearises, about once in twenty evaluations; the formula is then evaluated a second time.
(Printed UFL, SymPy and a recorded tape were measured too and made the values slower, and Numba cost
half a second in each process; with dual numbers values cost as much as those written by hand.)

A formula may use + - * / ** and the functions of `PARTIALS`, `np.where`, comparisons, and functions
that supply their own slope (`with_slope`). Anything else is refused with a TypeError, so that a
derivative is never silently omitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

Floats = npt.NDArray[np.float64]
Slopes = Mapping[str, Any]
"""The derivative with respect to each variable, by its name: arrays or numbers that broadcast."""


def _first(a: Any, *rest: Any) -> Any:
    return 1.0


PARTIALS: dict[np.ufunc, tuple[Callable[..., Any], ...]] = {
    np.add: (_first, _first),
    np.subtract: (_first, lambda a, b: -1.0),
    np.multiply: (lambda a, b: b, lambda a, b: a),
    np.true_divide: (lambda a, b: 1.0 / b, lambda a, b: -a / (b * b)),
    np.power: (lambda a, b: b * a ** (b - 1), lambda a, b: a**b * np.log(a)),
    np.negative: (lambda a: -1.0,),
    np.positive: (_first,),
    np.square: (lambda a: 2.0 * a,),
    np.sqrt: (lambda a: 0.5 / np.sqrt(a),),
    np.exp: (np.exp,),
    np.expm1: (np.exp,),
    np.log: (lambda a: 1.0 / a,),
    np.log1p: (lambda a: 1.0 / (1.0 + a),),
    np.sinh: (np.cosh,),
    np.cosh: (np.sinh,),
    np.tanh: (lambda a: 1.0 - np.tanh(a) ** 2,),
    np.arcsinh: (lambda a: 1.0 / np.sqrt(1.0 + a * a),),
    np.sin: (np.cos,),
    np.cos: (lambda a: -np.sin(a),),
    np.maximum: (lambda a, b: 1.0 * (a >= b), lambda a, b: 1.0 * (a < b)),
    np.minimum: (lambda a, b: 1.0 * (a <= b), lambda a, b: 1.0 * (a > b)),
    np.absolute: (np.sign,),
}
"""The partial derivatives of a function with respect to each of its arguments."""

COMPARISONS = {
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
    np.equal,
    np.not_equal,
    np.isfinite,
    np.isnan,
}
"""Functions that depend on the value only, and return booleans."""


class Dual(NDArrayOperatorsMixin):
    """A value and its derivatives.

    Args:
        value: (N,) or a number.
        slopes: the derivative with respect to each variable, by its name; those left out are zero.
    """

    def __init__(self, value: Any, slopes: Slopes) -> None:
        self.value, self.slopes = value, slopes

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Return the value of a NumPy function, and its slopes by the chain rule."""
        values = [value_of(i) for i in inputs]
        if method != "__call__" or options:
            raise _without_slope(f"{ufunc.__name__} in place or with options")
        if ufunc in COMPARISONS:
            return ufunc(*values)
        if ufunc not in PARTIALS:
            raise _without_slope(ufunc.__name__)
        slopes: dict[str, Any] = {}
        for argument, partial in zip(inputs, PARTIALS[ufunc], strict=True):
            if isinstance(argument, Dual):
                _add(slopes, argument.slopes, partial(*values))
        return Dual(ufunc(*values), slopes)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Support `np.where`, by which formulas are written in several pieces."""
        if function is not np.where or len(args) != 3 or kwargs:
            raise _without_slope(function.__name__)
        condition, *branches = args
        if isinstance(condition, Dual):
            raise TypeError("np.where takes a comparison, like s < 0.5, as its condition.")
        slopes: dict[str, Any] = {}
        for branch, chosen in zip(branches, (condition, np.logical_not(condition)), strict=True):
            # The slope of the other branch may be infinite or NaN, which would remain if multiplied
            # by zero.
            for name, slope in slopes_of(branch).items():
                slopes[name] = slopes.get(name, 0.0) + np.where(chosen, slope, 0.0)
        return Dual(np.where(condition, *map(value_of, branches)), slopes)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse the conversion: an array would hold the value and lose the derivatives."""
        raise _without_slope("making an array of it")


def _without_slope(what: str) -> TypeError:
    known = ", ".join(sorted(f.__name__ for f in PARTIALS))
    return TypeError(
        f"{what}: no derivative of it is known here. A formula may use + - * / **, np.where and "
        f"{known}; any other function brings its slope (heterode.base.dual_numbers.with_slope)."
    )


def _add(slopes: dict[str, Any], more: Slopes, factor: Any) -> None:
    for name, slope in more.items():
        slopes[name] = slopes[name] + factor * slope if name in slopes else factor * slope


def value_of(x: Any) -> Any:
    """Return the value of a dual number, or anything else as it is."""
    return x.value if isinstance(x, Dual) else x


def slopes_of(x: Any) -> Slopes:
    """Return the slopes of a dual number; there are none for anything else."""
    return x.slopes if isinstance(x, Dual) else {}


def with_slope(function: Callable[..., tuple[Any, Any]]) -> Callable[..., Any]:
    """Make a function for formulas from one that computes its value and its slope.

    It serves for functions that the operations of `PARTIALS` cannot express, or not accurately:
    tables, and powers at zero.

    Args:
        function: (x, constants...) -> f(x) and df/dx, for arrays.

    Returns:
        f of an array or a dual number, and the same constants.
    """

    @wraps(function)
    def formula(x: Any, *constants: Any) -> Any:
        if any(isinstance(c, Dual) for c in constants):
            raise TypeError(f"{function.__name__} has a slope with its first argument alone.")
        value, slope = function(value_of(x), *constants)
        if not isinstance(x, Dual):
            return value
        slopes: dict[str, Any] = {}
        _add(slopes, x.slopes, slope)
        return Dual(value, slopes)

    return formula


def derivatives(formula: Callable[..., Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the derivatives of a formula with respect to each variable on which it depends.

    Args:
        formula: a function that takes the variables by name.
        variables: the values of the variables, arrays or numbers.

    Returns:
        Derivatives by the name of the variable, arrays or numbers that broadcast against the
            formula's value. The names that occur follow from the formula's text alone, not from the
            values.
    """
    result = formula(**{name: Dual(value, {name: 1.0}) for name, value in variables.items()})
    return dict(slopes_of(result))
