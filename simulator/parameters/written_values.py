"""Python's values as a parameter file holds them: numbers in SI and quantities become texts.

    as_written(("geometry", "width"), 8e-5)                    -> "8e-05 m"
    as_written(("geometry", "width"), 80 * registry.micrometre) -> "80 micrometer"

A file says every number with its unit, so that nobody takes one for another; in Python, where all
numbers of a `Parameters` are in SI, a plain number is in SI as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heterode.base.units import UnitError, quantity
from heterode.parameters.messages import physical_of

Key = tuple[str, ...]

_UNITS_OF_ITEMS: dict[Key, str] = {("protocol", "stops"): "V"}
"""Of the numbers in lists."""


def as_written(key: Key, value: Any) -> Any:
    """What a parameter file has in the place of a value.

    Args:
        key: path of the key; () of the whole file.
        value: text, number in SI, pint quantity of any registry, path, list, or dict of the keys
            below; NumPy's numbers and arrays count as numbers and lists.
    """
    if isinstance(value, Mapping):
        # A file has no way to say that a key is not given but to leave it out.
        given = {str(name): below for name, below in value.items() if below is not None}
        return {name: as_written((*key, name), below) for name, below in given.items()}
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "magnitude") and hasattr(value, "units"):
        return _quantity(value, _unit_of(key))
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [as_written(key, item) for item in value]
    unit = _unit_of(key)
    if unit and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{float(value)!r} {unit}"
    return value


def _unit_of(key: Key) -> str:
    """The SI unit of a key's number; "" where it has none."""
    if key in _UNITS_OF_ITEMS:
        return _UNITS_OF_ITEMS[key]
    physical = physical_of(".".join(key)) if key else None
    return "" if physical is None else physical.unit


def _quantity(value: Any, unit: str) -> Any:
    """A quantity of pint's as a text with its unit, or as a number where the key has none."""
    number = value.magnitude
    number = number.item() if hasattr(number, "item") else number
    if not unit:
        return _dimensionless(value, number)
    text = f"{number!r} {value.units}"
    try:
        # As it stands, so that 80 um are the very number that "80 um" is.
        quantity(text, unit)
        return text
    except UnitError:
        pass
    try:
        converted = float(value.to(unit).magnitude)
    except Exception:
        # Of another dimension: the message says so of the text.
        return text
    return f"{converted!r} {unit}"


def _dimensionless(value: Any, number: Any) -> Any:
    """A pure number; one with a unit stays a text, for the message."""
    try:
        pure = value.to("")
    except Exception:
        return f"{number!r} {value.units}"
    if pure.units == value.units:
        return number
    return float(pure.magnitude)
