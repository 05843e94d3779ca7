"""A function of the lithium fraction or the salt, and of temperature, as an input file gives it.

Wherever a material property may be a function, its key takes one of (heterode.parameters.
function_values reads them)

    "nmc_function"                                    a name, where there are any
    "3e-14 * exp(-1.5 * x) * exp(2000 / 298.15 - 2000 / T)"      a formula
    { expression = "...", range = [0.2, 0.9], source = "who measured it" }
    { table = "measured.csv", source = "..." }        a CSV file, its range from row to row
    { galleries = [[U_j, X_j, w_j], ...], range = [...] }        of open-circuit potentials, MSMR

or a number with its unit. Formulas are in SI: x is the lithium fraction, c the concentration of the
salt in mol/m^3, T the temperature in K. Beyond its range a function is held at its end (the open-
circuit potential goes on straight), and a run that leaves it gives a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from heterode.base.words import counted
from heterode.materials._math import clamp
from heterode.materials.arrhenius import REFERENCE_TEMPERATURE
from heterode.materials.expressions import Expression, FormulaError, allowed_in
from heterode.materials.galleries import Galleries
from heterode.materials.measured_range import MeasuredRange
from heterode.materials.tabulated import TabulatedFunction
from heterode.parameters.fields import MistakeError, Physical

Array = NDArray[np.float64]

EDGE = 1e-9
"""Distance from 0 and 1 within which a formula is not evaluated, where roots have no slope."""

POINTS = 1001
"""Number of points of its range at which a formula is checked."""


@dataclass(frozen=True)
class Quantity:
    """A property that a file may give as a function.

    Attributes:
        name: what it is, in words.
        physical: unit and bounds of its values.
        column: name of its column in a table.
        argument: "x" or "c".
        positive: whether it is above 0 everywhere.
        names: names of functions that the key may have.
        salt: whether formulas in x may hold c too.
    """

    name: str
    physical: Physical
    column: str
    argument: str = "x"
    positive: bool = True
    names: Collection[str] = field(default=(), compare=False)
    salt: bool = False

    @property
    def variables(self) -> tuple[str, ...]:
        """Names that formulas may hold."""
        return (self.argument, *(("c",) if self.salt else ()), "T")

    @property
    def column_of_argument(self) -> str:
        """Name of the argument's column in a table."""
        return "stoichiometry" if self.argument == "x" else "concentration_mol_m3"

    @property
    def ends(self) -> tuple[float, float]:
        """Least and greatest argument that there may be."""
        return (0.0, 1.0) if self.argument == "x" else (10.0, 4000.0)

    def allowed(self) -> str:
        """Return what the key may have, in words."""
        named = f"{', '.join(self.names)}, or " if self.names else ""
        return f"{named}a formula of {allowed_in(self.variables)}"


@dataclass(frozen=True)
class MaterialFunction:
    """A function that a file gives as a formula, a table or galleries.

    Attributes:
        quantity: what it describes.
        low, high: ends of its range.
        source: where it comes from, or "".
        expression: the formula.
        file, rows: the table's file, and its (argument, value) with rising arguments.
        galleries: the gallery fit.
    """

    quantity: Quantity
    low: float
    high: float
    source: str = ""
    expression: Expression | None = None
    file: Path | None = None
    rows: tuple[tuple[float, float], ...] = ()
    galleries: Galleries | None = None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.is_instance_schema(cls)

    @property
    def origin(self) -> str:
        """Where it comes from, for messages."""
        if self.source or self.file is None:
            return self.source or "formula of the input file"
        return self.file.name

    @property
    def measured(self) -> MeasuredRange:
        """The range in which it was measured."""
        return MeasuredRange(self.low, self.high, self.origin)

    @property
    def depends_on_temperature(self) -> bool:
        """Whether it has a temperature dependence of its own."""
        return self.expression is not None and "T" in self.expression.names

    @property
    def depends_on_salt(self) -> bool:
        """Whether it depends on the salt beside the lithium fraction."""
        return self.expression is not None and {"x", "c"} - {self.quantity.argument} <= (
            self.expression.names
        )

    @property
    def arguments(self) -> tuple[float, ...]:
        """Arguments (K,) of a table's rows."""
        return tuple(argument for argument, _ in self.rows)

    @property
    def values(self) -> tuple[float, ...]:
        """Values (K,) of a table's rows."""
        return tuple(value for _, value in self.rows)

    @cached_property
    def interpolation(self) -> TabulatedFunction:
        """The smooth function through a table's rows."""
        return TabulatedFunction(self.arguments, self.values, positive=self.quantity.positive)

    def at(self, temperature: float) -> Callable[..., Any]:
        """Return the function at a temperature, K, for arrays, dual numbers and UFL expressions.

        It takes the argument, held in the range, and a formula that depends on it the salt `c`.
        """
        if self.expression is None:
            return self.interpolation
        low, high = self.low, self.high
        if self.quantity.argument == "x":
            low, high = max(low, EDGE), min(high, 1.0 - EDGE)
        formula, name = self.expression.bound(T=float(temperature)), self.quantity.argument

        def value(argument: Any, **more: Any) -> Any:
            found = formula(**{name: clamp(argument, low, high)}, **more)
            # A formula that holds only T is one number.
            return found if formula.names else found + 0.0 * argument

        return value

    def check(self, temperature: float = REFERENCE_TEMPERATURE) -> None:
        """Refuse a formula whose values are not finite or out of bounds in its range.

        Raises:
            MistakeError: the first place where it is not.
        """
        if self.expression is None:
            return
        physical, argument = self.quantity.physical, self.quantity.argument
        x = np.linspace(self.low, self.high, POINTS, dtype=np.float64)
        more = {"c": np.full_like(x, 1000.0)} if self.depends_on_salt else {}
        try:
            formula = self.expression.bound(T=float(temperature))
            values = np.array(np.broadcast_to(formula.exactly(**{argument: x}, **more), x.shape))
        except FormulaError as error:
            raise MistakeError(
                f"{error.problem} at {temperature:g} K", allowed=error.allowed, remedy=error.remedy
            ) from None
        wrong = ~np.isfinite(values)
        for k, value in enumerate(values):
            wrong[k] |= not physical.holds(float(value))
        if self.quantity.positive and argument == "x" and physical.at_least:
            # An exchange current vanishes at the ends of the range.
            wrong[[0, -1]] &= ~(values[[0, -1]] >= 0.0)
        for k in np.flatnonzero(wrong)[:1]:
            unit = f" {physical.unit}" if physical.unit else ""
            raise MistakeError(
                f"is {values[k]:.4g}{unit} at {argument} = {x[k]:.4g} and {temperature:g} K",
                allowed=f"{physical.allowed()} from {argument} = {self.low:g} to {self.high:g}",
                remedy="Correct the formula, or narrow its range, like "
                f'{{ expression = "...", range = [{self.low + 0.02 * (self.high - self.low):g}, '
                f"{self.high - 0.02 * (self.high - self.low):g}] }}.",
            )

    @property
    def text(self) -> str:
        """Text for listings."""
        if self.expression is not None:
            return self.expression.text
        if self.galleries is not None:
            return f"{len(self.galleries.potentials)} galleries"
        return f"{self.file} ({counted(len(self.rows), 'point')})"

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for the manifest, since the file may change."""
        found: dict[str, Any] = {}
        if self.expression is not None:
            found = {"expression": self.expression.text, "range": [self.low, self.high]}
        elif self.galleries is not None:
            g = self.galleries
            rows = zip(g.potentials, g.fractions, g.widths, strict=True)
            found = {"galleries": [list(row) for row in rows], "range": [self.low, self.high]}
        else:
            found = {
                "file": str(self.file),
                self.quantity.column_of_argument: list(self.arguments),
                self.quantity.column: list(self.values),
            }
        return found | ({"source": self.source} if self.source else {})
