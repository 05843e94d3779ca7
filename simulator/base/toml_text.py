"""Tables to TOML text, by tomlkit: the standard library reads TOML, and does not write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# tomlkit is imported where it is needed: it takes 0.1 s to load, and most commands write no TOML.


def toml_text(tables: Mapping[str, Any]) -> str:
    """Nested tables as a TOML document: values first, then a [section] per table.

    Args:
        tables: of texts, numbers, truth values, lists and tables.

    Raises:
        TypeError: something else among them.
    """
    import tomlkit

    return tomlkit.dumps(_with_arrays(tables))


def toml_value(value: Any) -> str:
    """A value on one line, as it stands after `key =`.

    Raises:
        TypeError: TOML has no such value.
    """
    # Within an array tomlkit writes tables on the line, too.
    return str(_array([value]).as_string())[1:-1]


def _with_arrays(value: Any) -> Any:
    """The same with lists as arrays: tomlkit makes a list of tables a run of [[sections]]."""
    if isinstance(value, Mapping):
        return {key: _with_arrays(inner) for key, inner in value.items()}
    return _array(value) if isinstance(value, list | tuple) else value


def _array(values: Any) -> Any:
    import tomlkit

    array = tomlkit.array()
    array.extend(values)
    return array
