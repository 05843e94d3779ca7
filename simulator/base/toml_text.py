"""Writing of TOML text; the standard library reads TOML but does not write it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


def toml_text(tables: Mapping[str, Any]) -> str:
    """Return nested tables as a TOML document: values first, then a [section] for each table.

    Args:
        tables: nested tables of texts, numbers, booleans and lists.

    Raises:
        TypeError: a value is of another type.
    """
    return "\n".join(_table(tables, ())).strip() + "\n"


def _table(table: Mapping[str, Any], above: tuple[str, ...]) -> list[str]:
    values = {k: v for k, v in table.items() if not isinstance(v, Mapping)}
    lines = [f"{_key(name)} = {toml_value(value)}" for name, value in values.items()]
    if lines and above:
        lines.insert(0, f"[{'.'.join(map(_key, above))}]")
    lines += [""] if lines else []
    for name, value in table.items():
        if isinstance(value, Mapping):
            lines += _table(value, (*above, name))
    return lines


def _key(name: str) -> str:
    return name if _BARE.match(name) else json.dumps(name, ensure_ascii=False)


def toml_value(value: Any) -> str:
    """Return a value on one line, as it stands after `key =`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # JSON's escapes are valid in TOML; only DEL has to be escaped too, which JSON does not do.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(k)} = {toml_value(v)}' for k, v in value.items())} }}"
    raise TypeError(f"TOML has no {type(value).__name__}")
