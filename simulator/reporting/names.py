"""Names of files and folders, derived from their sources."""

from __future__ import annotations

from collections.abc import Sequence


def unique_names(names: Sequence[str]) -> list[str]:
    """Return names fit for files and folders, numbered where one occurs again."""
    taken: list[str] = []
    for name in names:
        number, candidate = 2, name
        while candidate in taken:
            candidate, number = f"{name}-{number}", number + 1
        taken.append(candidate)
    return taken
