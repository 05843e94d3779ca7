"""TOML of any origin to tables: bounded in size, depth and length of keys.

The parser of the standard library takes time that grows with the square of the number of parts of a
dotted key, and what is nested deeply costs every later reader its stack. No file written for
this program comes near these bounds.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from heterode.base.errors import InputError
from heterode.base.reading import read_regular

LARGEST_FILE = 5_000_000
"""Bytes."""

MOST_PARTS = 32
"""The most parts of a dotted key."""

DEEPEST = 32
"""Tables and lists in one another."""

MOST_BITS = 14_000
"""The most bits of a whole number: Python writes no more than 4300 digits, as in a message."""

_PART = r"""(?:"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+'|[A-Za-z0-9_-]++)"""
# Possessive, and anchored where a key can begin: the time is proportional to the text.
_LONG_KEY = re.compile(
    rf"(?:^|[\[{{,])[ \t]*+{_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MOST_PARTS}}}", re.MULTILINE
)


def read_toml(file: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        InputError: it cannot be read, in one line.
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
    """The tables of a TOML text.

    Raises:
        ValueError: it is no TOML, or beyond the bounds; the message says why, without the text.
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
    """Refuse what is nested too deeply, and whole numbers that TOML does not have."""
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
