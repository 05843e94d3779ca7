"""Text for a terminal: as wide as that, and readable where it is narrow or there is none."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

WIDEST, NARROWEST = 100, 30
"""Longest line that is pleasant to read, and the shortest that holds any words."""

_SPACE = 2
"""Spaces between two columns."""


def width() -> int:
    """Return the number of characters of a line."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))


def paragraph(text: str, indent: int = 0) -> str:
    """Return a text as lines of the terminal's width."""
    return _filled(text, " " * indent, " " * indent)


def _filled(text: str, first: str, further: str) -> str:
    # Keys and file names are not broken: they are there to be copied.
    return textwrap.fill(
        text,
        width(),
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def two_columns(rows: Sequence[tuple[str, str]], indent: int = 2) -> str:
    """Return names with their texts beside them, or below them where the line is too narrow."""
    if not rows:
        return ""
    left = indent + max(len(name) for name, _ in rows) + _SPACE
    if left > width() - NARROWEST // 2:
        below = [(" " * indent + name, paragraph(text, indent + 4)) for name, text in rows]
        return "\n".join(f"{name}\n{text}" for name, text in below)
    lines = []
    for name, text in rows:
        first = f"{' ' * indent}{name}".ljust(left)
        lines.append(_filled(text, first, " " * left) or first.rstrip())
    return "\n".join(lines)
