"""Formulas of input files: arithmetic in declared names, parsed from text and never executed.

    0.25 - 0.09 * tanh(29.9 * (x - 0.12)) + 1.98 * exp(-39.4 * x)

A formula consists of numbers, the names that the quantity declares (such as x and T), + - * / **
and parentheses, and the functions of one argument in `FUNCTIONS`. Every character is screened
before Python's parser sees the text; of the syntax tree only these nodes are accepted, and parts
without names are computed at once, so that no formula can hold a number that is not finite.

A formula evaluates with arrays, with dual numbers (heterode.base.dual_numbers), which give its
exact derivatives, and with UFL expressions. Square roots and powers that are not whole are smoothly
kept positive, as in the exchange currents, so that a Newton iterate outside has a finite value.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from heterode.materials._math import is_expression
from heterode.materials.exchange_currents import smooth_power

LONGEST = 4000
"""Largest number of characters of a formula."""

DEEPEST = 100
"""Largest depth of operations within one another."""

FUNCTIONS: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "log": math.log,
    "log10": math.log10,
    "sqrt": math.sqrt,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "arcsinh": math.asinh,
    "sin": math.sin,
    "cos": math.cos,
}
"""Functions that a formula may use, for plain numbers; log is the natural logarithm."""

_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}

_SIGN_OF: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![0-9A-Za-z_.])"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>\*\*|[+*/()-])|(?P<space>[ \t\r\n]+)",
    re.ASCII,
)

Node = tuple[Any, ...]
"""("number", v), ("name", n), ("call", function, node) or (operator, left, right)."""


class FormulaError(ValueError):
    """A text that is no formula.

    Attributes:
        problem, allowed, remedy: the parts of the one-line message, as in the parameters' errors.
    """

    def __init__(self, problem: str, *, allowed: str = "", remedy: str = "") -> None:
        super().__init__(problem)
        self.problem, self.allowed, self.remedy = problem, allowed, remedy


@dataclass(frozen=True)
class Expression:
    """A formula: a text and its meaning.

    Attributes:
        text: the formula as it was written, on one line.
        tree: its operations.
    """

    text: str
    tree: Node

    @property
    def names(self) -> frozenset[str]:
        """Names that occur in the formula."""
        return frozenset(_names(self.tree))

    def __call__(self, **values: Any) -> Any:
        """Return the value for arrays, dual numbers or UFL expressions by name."""
        if is_expression(*values.values()):
            import ufl

            return _value(self.tree, values, _in_ufl(ufl))
        with np.errstate(all="ignore"):
            return _value(self.tree, values, _IN_NUMPY)

    def exactly(self, **values: Any) -> Any:
        """Return the value for arrays with NaN wherever the formula has none, such as sqrt(-1)."""
        with np.errstate(all="ignore"):
            return _value(self.tree, values, _EXACT)

    def bound(self, **numbers: float) -> Expression:
        """Return the formula with numbers in place of names.

        Raises:
            FormulaError: a part of it is not finite with these numbers.
        """
        return Expression(self.text, _bound(self.tree, numbers))


def parsed(text: str, names: tuple[str, ...]) -> Expression:
    """Return the formula that a text holds.

    Args:
        text: the text; line breaks count as spaces.
        names: names that may occur in it.

    Raises:
        FormulaError: the text is anything but a formula in these names.
    """
    allowed = allowed_in(names)
    if len(text) > LONGEST:
        raise FormulaError(
            f"is a formula of {len(text)} characters",
            allowed=f"up to {LONGEST} characters",
            remedy="Shorten it, or give a table.",
        )
    text = " ".join(text.split())
    _screen(text, names, allowed)
    remedy = "Correct the formula."
    try:
        body = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        where = f" near character {error.offset}" if error.offset else ""
        raise FormulaError(f"is no formula{where}", allowed=allowed, remedy=remedy) from None
    except (ValueError, MemoryError, RecursionError, OverflowError):
        raise _too_deep() from None
    return Expression(text, _Reader(text, names, allowed).read(body, 0))


def allowed_in(names: tuple[str, ...]) -> str:
    """Return what a formula in some names may hold, in words."""
    return f"numbers, {', '.join(names)}, + - * / ** ( ) and {', '.join(FUNCTIONS)}"


def _too_deep() -> FormulaError:
    return FormulaError(
        "is a formula nested too deeply",
        allowed=f"operations up to {DEEPEST} deep",
        remedy="Simplify it, or give a table.",
    )


def _screen(text: str, names: tuple[str, ...], allowed: str) -> None:
    """Refuse every text with characters, words or a nesting that no formula has."""
    at, depth, signs, before = 0, 0, 0, ""
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            found = re.match(r"[0-9A-Za-z_.]+|.", text[at:], re.DOTALL)
            piece = found.group() if found else text[at]
            raise FormulaError(
                f"holds {piece[:20]!r}, which is no part of a formula",
                allowed=allowed,
                remedy="Correct the formula.",
            )
        kind, piece = token.lastgroup, token.group()
        if kind == "name" and piece not in (*names, *FUNCTIONS):
            raise FormulaError(
                f"holds the unknown name {piece[:40]!r}",
                allowed=allowed,
                remedy="Correct the formula.",
            )
        if kind != "space":
            # Signs that follow one another nest as parentheses do.
            signs = signs + 1 if piece in "+-" and before in ("", "+", "-", "(") else 0
            depth += {"(": 1, ")": -1}.get(piece, 0)
            before = piece
        if max(depth, signs) > DEEPEST:
            raise _too_deep()
        at = token.end()


@dataclass(frozen=True)
class _Reader:
    """Turns the syntax tree of a text into operations, and refuses everything else."""

    text: str
    names: tuple[str, ...]
    allowed: str

    def read(self, node: ast.expr, depth: int) -> Node:
        """Return the operations of a node that lies `depth` operations deep."""
        if depth > DEEPEST:
            raise _too_deep()

        def below(inner: ast.expr) -> Node:
            return self.read(inner, depth + 1)

        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return _number(lambda: float(value))
            case ast.Name(id=name) if name in self.names:
                return ("name", name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _folded(("-", ("number", 0.0), below(operand)))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return below(operand)
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _SIGN_OF:
                return _folded((_SIGN_OF[type(sign)], below(left), below(right)))
            case ast.Call(func=ast.Name(id=function), args=[argument], keywords=[]) if (
                function in FUNCTIONS and not isinstance(argument, ast.Starred)
            ):
                return _folded(("call", function, below(argument)))
        # Not ast.unparse, which a deep tree would exhaust.
        piece = ast.get_source_segment(self.text, node) or self.text
        raise FormulaError(
            f"holds {piece[:40]!r}, which is no part of a formula",
            allowed=f"{self.allowed}, each of one argument",
            remedy="Correct the formula.",
        )


def _number(compute: Callable[[], Any]) -> Node:
    try:
        value = compute()
    except (OverflowError, ZeroDivisionError, ValueError):
        value = math.nan
    if isinstance(value, complex) or not math.isfinite(value):
        raise FormulaError(
            "is a formula of which a part is no finite number",
            allowed="parts between -1e308 and 1e308",
            remedy="Correct the formula.",
        )
    return ("number", float(value))


def _folded(node: Node) -> Node:
    """Return an operation on numbers alone as a number."""
    kind, *parts = node
    if kind == "call":
        function, (below, *value) = parts
        return _number(lambda: FUNCTIONS[function](value[0])) if below == "number" else node
    if all(part[0] == "number" for part in parts):
        return _number(lambda: _SIGNS[kind](parts[0][1], parts[1][1]))
    return node


def _bound(node: Node, numbers: dict[str, float]) -> Node:
    kind, *parts = node
    if kind == "number":
        return node
    if kind == "name":
        return ("number", float(numbers[parts[0]])) if parts[0] in numbers else node
    if kind == "call":
        return _folded(("call", parts[0], _bound(parts[1], numbers)))
    return _folded((kind, *(_bound(part, numbers) for part in parts)))


def _names(node: Node) -> Iterator[str]:
    kind, *parts = node
    if kind == "name":
        yield parts[0]
    elif kind != "number":
        for part in parts:
            if isinstance(part, tuple):
                yield from _names(part)


@dataclass(frozen=True)
class _Arithmetic:
    """Functions and powers of one kind of argument."""

    functions: dict[str, Callable[[Any], Any]]
    power: Callable[[Any, Any], Any]


def _numpy_power(base: Any, exponent: Any) -> Any:
    if isinstance(exponent, float):
        return base**exponent if exponent.is_integer() else smooth_power(base, exponent)
    return base**exponent


_IN_NUMPY = _Arithmetic(
    {
        "exp": np.exp,
        "log": np.log,
        "log10": lambda z: np.log(z) * (1.0 / math.log(10.0)),
        "sqrt": lambda z: smooth_power(z, 0.5),
        "sinh": np.sinh,
        "cosh": np.cosh,
        "tanh": np.tanh,
        "arcsinh": np.arcsinh,
        "sin": np.sin,
        "cos": np.cos,
    },
    _numpy_power,
)

_EXACT = _Arithmetic(_IN_NUMPY.functions | {"sqrt": np.sqrt}, np.power)


def _in_ufl(ufl: Any) -> _Arithmetic:
    return _Arithmetic(
        {
            "exp": ufl.exp,
            "log": ufl.ln,
            "log10": lambda z: ufl.ln(z) / math.log(10.0),
            "sqrt": ufl.sqrt,
            "sinh": ufl.sinh,
            "cosh": ufl.cosh,
            "tanh": ufl.tanh,
            "arcsinh": lambda z: ufl.ln(z + ufl.sqrt(z * z + 1.0)),
            "sin": ufl.sin,
            "cos": ufl.cos,
        },
        operator.pow,
    )


def _value(node: Node, values: dict[str, Any], arithmetic: _Arithmetic) -> Any:
    kind, *parts = node
    if kind == "number":
        return parts[0]
    if kind == "name":
        return values[parts[0]]
    if kind == "call":
        return arithmetic.functions[parts[0]](_value(parts[1], values, arithmetic))
    left, right = (_value(part, values, arithmetic) for part in parts)
    if kind == "**":
        return arithmetic.power(left, right)
    return _SIGNS[kind](left, right)
