"""exp, sqrt, min and max for NumPy arrays and for UFL expressions.

UFL is never imported here: an argument can only be a UFL expression if other code has imported UFL
already, so users of NumPy never wait for FEniCS.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from heterode.base.dual_numbers import Dual


def is_expression(*arguments: Any) -> bool:
    """Return True if one of the arguments is a UFL expression, coefficient or constant."""
    module = sys.modules.get("ufl.core.expr")
    return module is not None and any(isinstance(a, module.Expr) for a in arguments)


def exp(value: Any) -> Any:
    """Return exp of an array, a number or a UFL expression."""
    if is_expression(value):
        import ufl

        return ufl.exp(value)
    return np.exp(value)


def sqrt(value: Any) -> Any:
    """Return the square root of an array, a number or a UFL expression."""
    if is_expression(value):
        import ufl

        return ufl.sqrt(value)
    return np.sqrt(value)


def power_of_ten(value: Any) -> Any:
    """Return 10**value, written as exp so that UFL can differentiate it."""
    return exp(math.log(10.0) * value)


def clamp(value: Any, low: float, high: float) -> Any:
    """Return `value` limited to [low, high]; its derivative is 1 inside and 0 outside."""
    if is_expression(value):
        import ufl

        return ufl.max_value(low, ufl.min_value(value, high))
    if isinstance(value, Dual):
        return np.maximum(np.minimum(value, high), low)
    return np.clip(value, low, high)
