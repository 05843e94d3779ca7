"""Writing of TOML text by tomlkit; the standard library reads TOML but does not write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# tomlkit is imported where it is needed: it takes 0.1 s to load, and most commands write no TOML.


def toml_text(tables: Mapping[str, Any]) -> str:
    """Return nested tables as a TOML document: values first, then a [section] for each table.

    Args:
        tables: nested tables of texts, numbers, booleans and lists.

    Raises:
        TypeError: a value is of another type.
    """
    import tomlkit

    return tomlkit.dumps(_with_arrays(tables))


def toml_value(value: Any) -> str:
    """Return a value on one line, as it stands after `key =`.

    Raises:
        TypeError: TOML has no value of this type.
    """
    # Within an array, tomlkit writes tables on the same line.
    return str(_array([value]).as_string())[1:-1]


def _with_arrays(value: Any) -> Any:
    """Return a value with lists as arrays; tomlkit would turn lists of tables into [[sections]]."""
    if isinstance(value, Mapping):
        return {key: _with_arrays(inner) for key, inner in value.items()}
    return _array(value) if isinstance(value, list | tuple) else value


def _array(values: Any) -> Any:
    import tomlkit

    array = tomlkit.array()
    array.extend(values)
    return array
