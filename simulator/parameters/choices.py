"""Values of the input file that offer a choice: a name from a list, a number or a named function,
or a table of a function of the lithium fraction."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, PlainValidator

from heterode.parameters.fields import MistakeError, Physical
from heterode.parameters.tables import FractionTable, read_fraction_table


def nearest(word: str, names: Collection[str]) -> str:
    """Return ", did you mean 'x'?" for the nearest of `names`, or an empty text."""
    near = difflib.get_close_matches(word, list(names), 1, 0.4)
    return f"Did you mean '{near[0]}'?" if near else ""


def number_or_function(physical: Physical, names: Collection[str], what: str) -> BeforeValidator:
    """Return the validator of a number with its unit, or of the name of a function."""

    def read(value: Any) -> float | str:
        if isinstance(value, str) and value[:1].isalpha() and value.isidentifier():
            if value not in names:
                raise MistakeError(
                    f"is no known {what} function",
                    allowed=", ".join(names) + ", or a number with a unit",
                    remedy=nearest(value, names) or "Choose one of these.",
                )
            return value
        return physical.read(value)

    return BeforeValidator(read)


def named(names: Collection[str], what: str) -> BeforeValidator:
    """Return a validator that refuses a text outside `names` and suggests the nearest one."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value not in names:
            raise MistakeError(
                f"is no known {what}",
                allowed=", ".join(names),
                remedy=nearest(value, names) or "Choose one of these.",
            )
        return value

    return BeforeValidator(check)


def table_of(column: str, largest: float) -> PlainValidator:
    """Return the validator of the path to a table of a function of the lithium fraction.

    Args:
        column: name of the column of values.
        largest: largest value that is allowed.
    """

    def read(value: Any) -> FractionTable:
        if isinstance(value, FractionTable):
            return value
        if not isinstance(value, str):
            raise MistakeError("is not a path", remedy="Write the path in quotes.")
        return read_fraction_table(Path(value), column, largest)

    return PlainValidator(read)


DiffusivityTable = Annotated[
    FractionTable,
    table_of("diffusivity_m2_s", 1e-6),
    PlainSerializer(FractionTable.as_dict),
]

ExchangeTable = Annotated[
    FractionTable,
    table_of("exchange_current_A_m2", 1e6),
    PlainSerializer(FractionTable.as_dict),
]

ConductivityTable = Annotated[
    FractionTable,
    table_of("conductivity_S_m", 1e8),
    PlainSerializer(FractionTable.as_dict),
]
