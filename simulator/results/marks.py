"""Marks that everything made from altered results carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from heterode.results.written import write_output

NOTE = "ALTERED.txt"
"""Name of the note beside files that were made from altered results."""

_MARKS: ContextVar[tuple[str, ...]] = ContextVar("altered", default=())


@contextmanager
def marking(lines: Sequence[str]) -> Iterator[None]:
    """Context in which everything written is marked as made from altered results.

    Args:
        lines: a line "path: how it differs" for each altered file.
    """
    token = _MARKS.set((*_MARKS.get(), *lines))
    try:
        yield
    finally:
        _MARKS.reset(token)


def alterations() -> tuple[str, ...]:
    """Return a line for each altered file among the results that are being read."""
    return tuple(dict.fromkeys(_MARKS.get()))


def marked(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a JSON file, with the alterations under `altered` if there are any."""
    found = alterations()
    return {**entries, "altered": list(found)} if found else dict(entries)


def short_mark() -> str:
    """Return the names of the altered files for a figure; "" if there are none."""
    names = [Path(line.partition(": ")[0]).name for line in alterations()]
    if not names:
        return ""
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return f"from altered files: {', '.join(names[:2])}{more}"


def leave_note(folder: Path) -> None:
    """Write ALTERED.txt beside files that were made from altered results, if any were altered.

    Raises:
        InputError, OutputError: the note cannot be written.
    """
    found = alterations()
    if found:
        text = "Files here were made from results that are not as their run wrote them:\n"
        write_output(folder / NOTE, "\n".join([text, *found, ""]).encode())
