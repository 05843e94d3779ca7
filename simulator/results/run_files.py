"""The names that a run gives its files, by which they differ from a user's files beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from heterode.physics.weak_form import DOMAINS
from heterode.results.digest_list import SUMS
from heterode.results.written import recorded

_DOMAIN = "|".join(DOMAINS)
_NAMES = {
    "": re.compile(rf"history\.csv|particles\.csv|particles\.h5|{SUMS}"),
    "fields": re.compile(rf"({_DOMAIN})\.xdmf"),
    "fields/data": re.compile(r"mesh\.h5|[0-9]{6,}\.h5"),
    "stops": re.compile(r"[0-9]{2,}_-?[0-9]+\.[0-9]+V\.csv"),
    "checkpoint": re.compile(r"[0-9]{6,}\.h5"),
}
"""Patterns of names by folder; the manifest, and report/ with its record, are not included."""

FOLDERS = ("fields/data", "fields", "stops", "checkpoint", "report")
"""Folders that a run creates in its own, the deepest first."""


def earlier_files(folder: Path) -> Iterator[Path]:
    """Yield the files that an earlier run wrote, recognised by name, except the manifest."""
    for name, pattern in _NAMES.items():
        place = folder / name
        if place.is_dir() and not place.is_symlink():
            yield from (path for path in sorted(place.iterdir()) if pattern.fullmatch(path.name))
    report = folder / "report"
    for name in recorded(report):
        path = report / name
        # A record can be altered like any file, so names that lead out of the folder are ignored.
        if name != ".." and path.parent == report and (path.is_symlink() or path.exists()):
            yield path


def matching(folder: Path, kind: str) -> list[Path]:
    """Return the files of one kind that a run wrote, recognised by name.

    Args:
        folder: the folder that holds them, such as RESULTS/stops.
        kind: "stops", "checkpoint" or "fields/data".
    """
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if _NAMES[kind].fullmatch(path.name)]
