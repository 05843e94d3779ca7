"""Converts Python's values to those of a parameter file: SI numbers and quantities become texts.

    as_written(("geometry", "width"), 8e-5)                    -> "8e-05 m"
    as_written(("geometry", "width"), 80 * registry.micrometre) -> "80 micrometer"

In a file every number has its unit, so that units cannot be confused; in Python, where all numbers
of a `Parameters` are in SI, a plain number is in SI as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heterode.base.units import UnitError, quantity
from heterode.parameters.walking import physical_of

Key = tuple[str, ...]

_UNITS_OF_ITEMS: dict[Key, str] = {("protocol", "stops"): "V"}
"""SI units of the numbers in lists, by key."""


def as_written(key: Key, value: Any) -> Any:
    """Return what a parameter file has instead of a value.

    Args:
        key: path of the key; () for the whole file.
        value: text, number in SI, pint quantity of any registry, path, list, or dict of the keys
            below; NumPy's numbers and arrays count as numbers and lists.
    """
    if isinstance(value, Mapping):
        # In a file, the only way to give no value is to leave the key out.
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
    """Return the SI unit of a key's number, or "" if it has none."""
    if key in _UNITS_OF_ITEMS:
        return _UNITS_OF_ITEMS[key]
    physical = physical_of(".".join(key)) if key else None
    return "" if physical is None else physical.unit


def _quantity(value: Any, unit: str) -> Any:
    """Return a pint quantity as a text with its unit, or as a number if the key has no unit."""
    number = value.magnitude
    number = number.item() if hasattr(number, "item") else number
    if not unit:
        return _dimensionless(value, number)
    text = f"{number!r} {value.units}"
    try:
        # The text keeps the unit, so that 80 um give exactly the same number as "80 um".
        quantity(text, unit)
        return text
    except UnitError:
        pass
    try:
        converted = float(value.to(unit).magnitude)
    except Exception:
        # It has another dimension, so the message about the text will say so.
        return text
    return f"{converted!r} {unit}"


def _dimensionless(value: Any, number: Any) -> Any:
    """Return a pure number; one with a unit stays a text for the message."""
    try:
        pure = value.to("")
    except Exception:
        return f"{number!r} {value.units}"
    if pure.units == value.units:
        return number
    return float(pure.magnitude)
