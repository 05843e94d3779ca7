"""Dual numbers: every known derivative against differences, and nothing left out in silence."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from helpers.differences import excess
from heterode.base.dual_numbers import PARTIALS, Dual, derivatives, with_slope

U, V = np.array([0.3, 0.8, 1.7, 2.5]), np.array([1.2, 0.4, 1.9, 0.6])


def error(formula: Callable[..., Any], name: str, factor: float = 1.0) -> float:
    """Error of a derivative, here times a factor, over its tolerance."""
    at = {"u": U, "v": V}
    found = factor * np.broadcast_to(derivatives(formula, at)[name], U.shape)
    size = np.abs(formula(**at)) + 1.0
    return excess(formula, at, name, found, step=np.full(U.shape, 1e-4), size=size)


@pytest.mark.parametrize("function", PARTIALS, ids=lambda f: f.__name__)
def test_every_function_has_its_derivative(function: np.ufunc) -> None:
    def formula(u: Any, v: Any) -> Any:
        # Between other operations: a derivative that is not carried on would be seen.
        w = 0.5 * u * v
        return function(w) + 2 * v if function.nin == 1 else function(w, v + u) + u

    for name in ("u", "v"):
        assert error(formula, name) < 1.0
        assert error(formula, name, 1 + 1e-5) > 1.0


def test_operators_with_numbers_and_arrays_on_either_side() -> None:
    def formula(u: Any, v: Any) -> Any:
        return (V * u - 3.0 / v) ** 2 + 2.0**u - u**v * (-v) + (1 - u) / V

    assert max(error(formula, "u"), error(formula, "v")) < 1.0


def test_a_formula_of_several_pieces() -> None:
    def formula(u: Any, v: Any) -> Any:
        return np.where(u < 1.0, u * v, np.sqrt(u - 1.0 + 2.0 * (u < 1.0)) * v)

    assert max(error(formula, "u"), error(formula, "v")) < 1.0


def test_the_branch_not_taken_leaves_nothing_behind() -> None:
    with np.errstate(divide="ignore"):
        found = derivatives(lambda s: np.where(s > 0.0, np.sqrt(s), 2 * s), {"s": np.zeros(1)})
    assert found["s"].tolist() == [2.0]


def test_a_variable_the_formula_does_not_take_up_has_no_derivative() -> None:
    assert derivatives(lambda u, v: 2 * u, {"u": U, "v": V}).keys() == {"u"}
    assert derivatives(lambda u: 3.0, {"u": U}) == {}


def test_values_with_and_without_derivatives_are_the_same() -> None:
    def formula(u: Any) -> Any:
        return np.exp(-u) * (1 - u) ** 0.3 / (u + 2)

    x = np.linspace(0.1, 0.9, 50)
    np.testing.assert_array_equal(formula(Dual(x, {"u": 1.0})).value, formula(x))


@with_slope
def cube(z: Any, factor: float) -> tuple[Any, Any]:
    return factor * z**3, 3 * factor * z**2


def test_a_function_that_brings_its_slope() -> None:
    assert error(lambda u, v: cube(u * v, 2.0) + u, "v") < 1.0
    np.testing.assert_array_equal(cube(U, 2.0), 2 * U**3)


def in_place(u: Any) -> Any:
    u += 1.0
    return u


@pytest.mark.parametrize(
    ("formula", "named"),
    [
        (np.floor, "floor"),
        (lambda u: np.clip(u, 0, 1), "clip"),
        (lambda u: np.interp(u, [0, 1], [0, 1]), "interp"),
        (lambda u: np.asarray(u) * 2, "an array"),
        (lambda u: np.sum(u), "sum"),
        (lambda u: np.add.reduce(u), "add"),
        (in_place, "in place"),
        (lambda u: cube(U, u), "cube"),
        (lambda u: np.where(u, 1.0, 2.0), "comparison"),
        (lambda u: math.exp(u), ""),
        (lambda u: float(u), ""),
    ],
)
def test_what_has_no_derivative_is_refused(formula: Any, named: str) -> None:
    with pytest.raises(TypeError, match=named):
        derivatives(formula, {"u": U})
