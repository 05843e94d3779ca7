"""Values of the input file that offer a choice: a name from a list, a number, a named function or
a function of the file itself."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any

from pydantic import BeforeValidator, PlainSerializer, PlainValidator

from heterode.parameters.fields import MistakeError
from heterode.parameters.function_values import (
    is_number_with_unit,
    read_function,
    read_function_table,
)
from heterode.parameters.functions import MaterialFunction, Quantity


def nearest(word: str, names: Collection[str]) -> str:
    """Return ", did you mean 'x'?" for the nearest of `names`, or an empty text."""
    near = difflib.get_close_matches(word, list(names), 1, 0.4)
    return f"Did you mean '{near[0]}'?" if near else ""


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


def given_as(quantity: Quantity, *, number: bool = False) -> Any:
    """Return the annotations of a key whose value is a name or a function of a file.

    Args:
        quantity: what the key gives.
        number: whether it may be a number with its unit as well.
    """

    def read(value: Any) -> float | str | MaterialFunction:
        text = value.strip() if isinstance(value, str) else ""
        if text in quantity.names and text:
            return text
        if text[:1].isalpha() and text.isidentifier() and text not in quantity.variables:
            raise MistakeError(
                f"is no known {quantity.name}" + (" function" if number else ""),
                allowed=", ".join(quantity.names)
                + (", or a number with a unit" if number else "")
                + ", or a formula",
                remedy=nearest(value, quantity.names) or "Choose one of these.",
            )
        if number and is_number_with_unit(value, quantity):
            return quantity.physical.read(value)
        return read_function(value, quantity)

    return PlainValidator(read), PlainSerializer(_plain_function)


def _plain_function(value: Any) -> Any:
    return value.as_dict() if isinstance(value, MaterialFunction) else value


def table_of(quantity: Quantity) -> Any:
    """Return the annotations of a key whose value is the path of a function's table."""
    return (
        PlainValidator(lambda value: read_function_table(value, quantity)),
        PlainSerializer(MaterialFunction.as_dict),
    )
