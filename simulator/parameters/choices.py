"""Values of the input file that offer a choice: a name from a list, a number, a named function or
a function of the file itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from heterode.base.words import nearest
from heterode.parameters.fields import MistakeError
from heterode.parameters.function_values import (
    is_number_with_unit,
    read_function,
    read_function_table,
)
from heterode.parameters.functions import MaterialFunction, Quantity


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
class GivenAs:
    """Annotation of a property: a name or a function of the file, and where it may be a number.

    Attributes:
        quantity: what the key gives.
        number: whether it may be a number with its unit as well.
    """

    quantity: Quantity
    number: bool = False

    def allowed(self) -> str:
        """Return all that may be written, in words."""
        q = self.quantity
        forms = [q.physical.allowed()] if self.number else []
        forms += [f"a name: {', '.join(q.names)}"] if q.names else []
        forms += [f"a formula in {', '.join(q.variables)}", "the table of a file"]
        forms += ["MSMR galleries"] if q.column == "potential_V" else []
        return ", or ".join(forms)

    def _read(self, value: Any) -> float | str | MaterialFunction:
        quantity = self.quantity
        text = value.strip() if isinstance(value, str) else ""
        if text in quantity.names and text:
            return text
        if text[:1].isalpha() and text.isidentifier() and text not in quantity.variables:
            raise MistakeError(
                f"is no known {quantity.name}" + (" function" if self.number else ""),
                allowed=", ".join(quantity.names)
                + (", or a number with a unit" if self.number else "")
                + ", or a formula",
                remedy=nearest(value, quantity.names) or "Choose one of these.",
            )
        if self.number and is_number_with_unit(value, quantity):
            return quantity.physical.read(value)
        return read_function(value, quantity)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(_plain_function),
        )


def _plain_function(value: Any) -> Any:
    return value.as_dict() if isinstance(value, MaterialFunction) else value


@dataclass(frozen=True)
class TableOf:
    """Annotation of the path to a table of a function."""

    quantity: Quantity

    def allowed(self) -> str:
        """Return what the file must hold, in words."""
        columns = f"{self.quantity.column_of_argument}, {self.quantity.column}"
        most = self.quantity.physical.up_to
        return f"a CSV file with the columns {columns}; values above 0, up to {most:g}"

    @property
    def example(self) -> str:
        """A name of such a file."""
        return f"{self.quantity.column.partition('_')[0]}.csv"

    def _read(self, value: Any) -> MaterialFunction:
        return read_function_table(value, self.quantity)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(_plain_function),
        )
