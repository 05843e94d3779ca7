"""Values of the input file that offer a choice: a name from a list, a number or a named function,
or a table of a function of the lithium fraction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, PlainSerializer
from pydantic_core import CoreSchema, core_schema

from heterode.base.words import nearest
from heterode.parameters.fields import MistakeError, Physical
from heterode.parameters.tables import FractionTable, read_fraction_table


@dataclass(frozen=True)
class NumberOrFunction:
    """Annotation of a number with its unit, or of the name of a function."""

    physical: Physical
    names: Collection[str]
    what: str

    def allowed(self) -> str:
        """Return the range of the number and the names, in words."""
        return f"{self.physical.allowed()}, or a function: {', '.join(self.names)}"

    def _read(self, value: Any) -> float | str:
        if isinstance(value, str) and value[:1].isalpha() and value.isidentifier():
            if value not in self.names:
                raise MistakeError(
                    f"is no known {self.what} function",
                    allowed=", ".join(self.names) + ", or a number with a unit",
                    remedy=nearest(value, self.names) or "Choose one of these.",
                )
            return value
        return self.physical.read(value)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._read, handler(source))


@dataclass(frozen=True)
class Named:
    """Annotation of a text that is one of some names."""

    names: Collection[str]
    what: str

    def allowed(self) -> str:
        """Return the names."""
        return ", ".join(self.names)

    def _check(self, value: Any) -> Any:
        if isinstance(value, str) and value not in self.names:
            raise MistakeError(
                f"is no known {self.what}",
                allowed=self.allowed(),
                remedy=nearest(value, self.names) or "Choose one of these.",
            )
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._check, handler(source))


@dataclass(frozen=True)
class TableOf:
    """Annotation of the path to a table of a function of the lithium fraction.

    Attributes:
        column: name of the column of values.
        largest: largest value that is allowed.
    """

    column: str
    largest: float

    def allowed(self) -> str:
        """Return what the file must hold, in words."""
        return (
            f"a CSV file with the columns stoichiometry, {self.column}; "
            f"values above 0, up to {self.largest:g}"
        )

    @property
    def example(self) -> str:
        """A name of such a file."""
        return f"{self.column.partition('_')[0]}.csv"

    def _read(self, value: Any) -> FractionTable:
        if isinstance(value, FractionTable):
            return value
        if not isinstance(value, str):
            raise MistakeError("is not a path", remedy="Write the path in quotes.")
        return read_fraction_table(Path(value), self.column, self.largest)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)


DiffusivityTable = Annotated[
    FractionTable,
    TableOf("diffusivity_m2_s", 1e-6),
    PlainSerializer(FractionTable.as_dict),
]

ExchangeTable = Annotated[
    FractionTable,
    TableOf("exchange_current_A_m2", 1e6),
    PlainSerializer(FractionTable.as_dict),
]

ConductivityTable = Annotated[
    FractionTable,
    TableOf("conductivity_S_m", 1e8),
    PlainSerializer(FractionTable.as_dict),
]
