"""Field types of the schema: a text with a unit becomes a float in SI, and bounds are checked.

`Annotated[float, Physical("m", shown="um", above=0)]` reads "46 um" as 4.6e-5; a dimensionless
`Annotated[float, Physical(above=0, up_to=1)]` requires a bare number. Bounds are given in the unit
that users commonly use (`shown`), which is also the unit of messages and of `heterode check`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from heterode.base.units import UnitError, convert, quantity

# Without looking ahead, which the expressions of some editors cannot do.
QUANTITY = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*[^\s\d.eE+-].*$"
"""Regular expression of a number with a unit behind it, for JSON Schema."""


class MistakeError(ValueError):
    """A mistake in the input file, as the parts of its one-line message.

    Args:
        problem: continuation of the sentence after the value, such as "is not above zero".
        allowed: the allowed range or choices, without parentheses.
        remedy: sentence on what to do.
        key: path of the key at fault relative to the section that raises, when it is not the
            field itself.
    """

    def __init__(
        self, problem: str, *, allowed: str = "", remedy: str = "", key: tuple[str, ...] = ()
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.allowed = allowed
        self.remedy = remedy
        self.key = key


class Section(BaseModel):
    """A table of the input file, which is frozen and has no unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=False, allow_inf_nan=False
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # What a file may hold is made from the rows of the reference: pydantic would describe the
        # validated record, in which lengths are numbers in m and all derived values are present.
        from heterode.parameters.json_schema import section_schema

        return section_schema(cls)


@dataclass(frozen=True)
class Physical:
    """A number with a unit (or without one, `unit=""`), and its bounds in the unit `shown`."""

    unit: str = ""
    shown: str = ""
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    up_to: float | None = None
    example: str = ""

    @property
    def display_unit(self) -> str:
        """Unit of messages and listings."""
        return self.shown or self.unit

    def display(self, value: float) -> float:
        """Convert an SI value to the display unit."""
        return convert(value, self.unit, self.display_unit) if self.unit else value

    def allowed(self) -> str:
        """Return the bounds in words, as in 'above 0, up to 1000 um'."""
        parts = []
        if self.above is not None:
            parts.append(f"above {self.above:g}")
        if self.at_least is not None:
            parts.append(f"at least {self.at_least:g}")
        if self.below is not None:
            parts.append(f"below {self.below:g}")
        if self.up_to is not None:
            parts.append(f"up to {self.up_to:g}")
        unit = f" {self.display_unit}" if self.unit else ""
        return (", ".join(parts) + unit) if parts else f"any number{unit}"

    def remedy(self) -> str:
        """Return a sentence on how such a value is written."""
        if not self.unit:
            return f"Write a plain number like {self.example or '0.5'}, without quotes."
        return f'Write a number and its unit in quotes, like "{self.example or self._example()}".'

    def _example(self) -> str:
        return f"{self.at_least or 1:g} {self.display_unit}"

    def json_schema(self) -> JsonSchemaValue:
        """Return what JSON Schema can say of the value: bounds only of a plain number."""
        if self.unit:
            return {"type": "string", "pattern": QUANTITY}
        bounds = {
            "exclusiveMinimum": self.above,
            "minimum": self.at_least,
            "exclusiveMaximum": self.below,
            "maximum": self.up_to,
        }
        return {"type": "number"} | {k: v for k, v in bounds.items() if v is not None}

    def read(self, value: Any) -> float:
        """Validate one value of the input file.

        Raises:
            MistakeError: the value is not a number of this kind, or is outside the bounds.
        """
        try:
            number = quantity(value, self.unit) if self.unit else _plain(value)
        except UnitError as error:
            raise MistakeError(str(error), allowed=self.allowed(), remedy=self.remedy()) from error
        if not self._inside(self.display(number)):
            remedy = "Change the value, or its unit." if self.unit else "Change the value."
            raise MistakeError("is out of range", allowed=self.allowed(), remedy=remedy)
        return number

    def holds(self, value: float) -> bool:
        """Check whether an SI value is within the bounds."""
        return self._inside(self.display(value))

    def _inside(self, shown: float) -> bool:
        # A value exactly at a bound must not fail because of rounding in the conversion.
        slack = 1e-12 * abs(shown)
        return (
            (self.above is None or shown > self.above)
            and (self.at_least is None or shown >= self.at_least - slack)
            and (self.below is None or shown < self.below)
            and (self.up_to is None or shown <= self.up_to + slack)
        )

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return self.json_schema()


def _plain(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnitError("is not a plain number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise UnitError("is not finite")
    return number


def _order(value: Any) -> Any:
    # True equals 1 in Python, and so in a Literal.
    if isinstance(value, bool):
        raise MistakeError("is not a polynomial order", allowed="1, 2", remedy="Write 1 or 2.")
    return value


Order = Annotated[Literal[1, 2], BeforeValidator(_order)]
"""Polynomial order."""

Fraction = Annotated[float, Physical(at_least=1e-6, up_to=1 - 1e-6)]
"""A fraction so far from 0 and 1 that its powers, logarithms and 1 - x are finite numbers."""

Temperature = Annotated[float, Physical("K", at_least=243.15, up_to=333.15, example="298.15 K")]

Voltage = Annotated[float, Physical("V", above=0, up_to=6, example="4.5 V")]

ParticleLength = Annotated[
    float, Physical("m", shown="um", at_least=0.001, up_to=100, example="5 um")
]
"""A particle's diameter, m."""

SlabLength = Annotated[
    float, Physical("m", shown="um", at_least=0.01, up_to=10000, example="46 um")
]
"""A thickness or a width of the slab, m."""

SaltConcentration = Annotated[
    float, Physical("mol/m^3", at_least=10, up_to=4000, example="1000 mol/m^3")
]

Diffusivity = Annotated[float, Physical("m^2/s", at_least=1e-22, up_to=1e-6, example="3e-15 m^2/s")]

Conductivity = Annotated[float, Physical("S/m", at_least=1e-9, up_to=1e8, example="10 S/m")]

ActivationEnergy = Annotated[
    float, Physical("J/mol", shown="kJ/mol", at_least=0, up_to=150, example="30 kJ/mol")
]
"""Arrhenius activation energy, J/mol; values are given at 298.15 K and rise with temperature."""

ExchangeDensity = Annotated[float, Physical("A/m^2", at_least=1e-9, up_to=1e6, example="2 A/m^2")]
"""An exchange current density, A m^-2."""

Capacitance = Annotated[float, Physical("F/m^2", at_least=0, up_to=1000, example="0.2 F/m^2")]
"""Capacitance of a surface, F m^-2."""

RateConstant = Annotated[float, Physical("m/s", at_least=1e-18, up_to=1, example="1e-9 m/s")]
