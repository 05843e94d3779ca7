r"""Dual numbers: a formula of values, written in plain NumPy, gives its exact derivatives too.

A dual number carries a value and its derivative with respect to each of some variables. Every
operation carries both on by the chain rule,

    f(u, v):  value f,  d f / d x = (df/du) du/dx + (df/dv) dv/dx,

so that nobody who writes a formula differentiates by hand. Called with arrays the same formula
computes values alone, in the order in which it is written. Derivatives are wanted where Newton's
method linearises, once in some twenty evaluations: there the formula is evaluated a second time.
(Printed UFL, SymPy and a recorded tape were measured as well. They cost the values more, Numba
half a second in each process; with dual numbers values cost what they cost by hand.)

What a formula may use: + - * / ** and the functions of `PARTIALS`, `np.where`, comparisons, and
functions that bring their slope (`with_slope`). Anything else is refused with a TypeError that
says so: a derivative is never silently left out.
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
"""d value / d variable by the name of the variable, arrays or numbers that broadcast."""


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
"""What a function's value changes with each of its arguments."""

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
"""Functions of the value alone, whose answer is yes or no."""


class Dual(NDArrayOperatorsMixin):
    """A value and its derivatives.

    Args:
        value: (N,) or a number.
        slopes: d value / d variable, by the variable's name; those left out are zero.
    """

    def __init__(self, value: Any, slopes: Slopes) -> None:
        self.value, self.slopes = value, slopes

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """The value of a NumPy function, and its slopes by the chain rule."""
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
        """`np.where`, which formulas of several pieces are written with."""
        if function is not np.where or len(args) != 3 or kwargs:
            raise _without_slope(function.__name__)
        condition, *branches = args
        if isinstance(condition, Dual):
            raise TypeError("np.where takes a comparison, like s < 0.5, as its condition.")
        slopes: dict[str, Any] = {}
        for branch, chosen in zip(branches, (condition, np.logical_not(condition)), strict=True):
            # The other branch's slope may be infinite or no number; times zero it would remain.
            for name, slope in slopes_of(branch).items():
                slopes[name] = slopes.get(name, 0.0) + np.where(chosen, slope, 0.0)
        return Dual(np.where(condition, *map(value_of, branches)), slopes)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        """Refused: an array would hold the value and lose the derivatives."""
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
    """The value of a dual number; anything else as it is."""
    return x.value if isinstance(x, Dual) else x


def slopes_of(x: Any) -> Slopes:
    """The slopes of a dual number; none of anything else."""
    return x.slopes if isinstance(x, Dual) else {}


def with_slope(function: Callable[..., tuple[Any, Any]]) -> Callable[..., Any]:
    """A function for formulas out of one that computes its value and its slope.

    For what the operations of `PARTIALS` do not make, or not accurately: tables, and powers at
    zero.

    Args:
        function: (x, constants...) -> f(x) and df/dx, of arrays.

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
    """The derivatives of a formula with respect to each variable on which it depends.

    Args:
        formula: takes the variables by name.
        variables: their values, arrays or numbers.

    Returns:
        By name of the variable, arrays or numbers that broadcast against the formula's value.
        Which names occur follows from the formula's text alone, not from the values.
    """
    result = formula(**{name: Dual(value, {name: 1.0}) for name, value in variables.items()})
    return dict(slopes_of(result))
