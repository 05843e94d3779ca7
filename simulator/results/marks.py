"""What is altered among the results being read: whatever is made of them carries the mark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from heterode.results.written import write_output

NOTE = "ALTERED.txt"
"""Beside files that were made from altered results."""

_MARKS: ContextVar[tuple[str, ...]] = ContextVar("altered", default=())


@contextmanager
def marking(lines: Sequence[str]) -> Iterator[None]:
    """Mark all that is written within this context.

    Args:
        lines: what is altered, "path: how it differs" each.
    """
    token = _MARKS.set((*_MARKS.get(), *lines))
    try:
        yield
    finally:
        _MARKS.reset(token)


def alterations() -> tuple[str, ...]:
    """What is altered among the results being read, a line each."""
    return tuple(dict.fromkeys(_MARKS.get()))


def marked(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of a JSON file, with the alterations under `altered` where there are any."""
    found = alterations()
    return {**entries, "altered": list(found)} if found else dict(entries)


def short_mark() -> str:
    """For a figure: names of the altered files; "" where there are none."""
    names = [Path(line.partition(": ")[0]).name for line in alterations()]
    if not names:
        return ""
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return f"from altered files: {', '.join(names[:2])}{more}"


def leave_note(folder: Path) -> None:
    """Write ALTERED.txt beside files that were made from altered results; nothing otherwise.

    Raises:
        InputError, OutputError: it cannot be written.
    """
    found = alterations()
    if found:
        text = "Files here were made from results that are not as their run wrote them:\n"
        write_output(folder / NOTE, "\n".join([text, *found, ""]).encode())
