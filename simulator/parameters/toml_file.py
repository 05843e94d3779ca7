"""Reads TOML of any origin into tables, with bounds on size, depth and length of keys.

The time of the standard library's parser grows with the square of the number of parts of a dotted
key, and deeply nested tables would exhaust the stack of later readers. No file written for this
program comes near these bounds.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from heterode.base.errors import InputError
from heterode.base.reading import read_regular

LARGEST_FILE = 5_000_000
"""Largest size of a file, bytes."""

MOST_PARTS = 32
"""Largest number of parts of a dotted key."""

DEEPEST = 32
"""Largest depth of tables and lists within one another."""

MOST_BITS = 14_000
"""Largest number of bits of an integer: Python writes no more than 4300 digits in a message."""

_PART = r"""(?:"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+'|[A-Za-z0-9_-]++)"""
# Possessive and anchored where a key can begin, so that the time is proportional to the text.
_LONG_KEY = re.compile(
    rf"(?:^|[\[{{,])[ \t]*+{_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MOST_PARTS}}}", re.MULTILINE
)


def read_toml(file: Path) -> dict[str, Any]:
    """Read the tables of a TOML file.

    Raises:
        InputError: the file cannot be read; the error takes one line.
    """
    try:
        text = read_regular(file, LARGEST_FILE).decode("utf-8")
    except FileNotFoundError:
        raise InputError(f"{file}: no such file. Give the path of a parameter file.") from None
    except IsADirectoryError:
        raise InputError(f"{file}: is a directory, not a parameter file (TOML).") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file}: is not UTF-8 text (byte {error.start}). Save it as UTF-8."
        ) from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}.") from None
    try:
        return parse_toml(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise InputError(f"{file}: is not valid TOML: {error}.") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Parse the tables of a TOML text.

    Raises:
        ValueError: the text is not TOML, or exceeds the bounds; the message leaves out the text.
    """
    long = _LONG_KEY.search(text)
    if long is not None:
        line = text.count("\n", 0, long.start()) + 1
        raise ValueError(f"a key of more than {MOST_PARTS} parts (at line {line})")
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"lists or tables nested more than {DEEPEST} deep") from None
    _check_values(tables)
    return tables


def _check_values(tables: dict[str, Any]) -> None:
    """Refuse tables and lists that are nested too deeply, and integers that TOML does not allow."""
    level: list[Any] = [tables]
    for _ in range(DEEPEST + 1):
        values = [
            value
            for outer in level
            for value in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if any(isinstance(value, int) and value.bit_length() > MOST_BITS for value in values):
            raise ValueError("a whole number of more than 4000 digits")
        level = [value for value in values if isinstance(value, (dict, list))]
        if not level:
            return
    raise ValueError(f"lists or tables nested more than {DEEPEST} deep")
