"""Making room for a run: what an earlier one wrote is deleted by its name, all else stays.

A run's files are known by the names it gives them, those of report/ by the record beside them
(`heterode.results.written`). A table, a figure or a list that was changed since it was written is
the user's by now, and is kept beside as NAME.yours.EXT. Folders go when nothing is left in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from heterode.base.digests import file_digest
from heterode.physics.weak_form import DOMAINS
from heterode.results.digest_list import SUMS, entries
from heterode.results.storage import PARTIAL
from heterode.results.written import RECORD, is_own, recorded, set_aside

_DOMAIN = "|".join(DOMAINS)
_RUN_FILES = {
    "": re.compile(rf"history\.csv|particles\.csv|particles\.h5|{SUMS}"),
    "fields": re.compile(rf"({_DOMAIN})\.xdmf"),
    "fields/data": re.compile(r"mesh\.h5|[0-9]{6,}\.h5"),
    "stops": re.compile(r"[0-9]{2,}_-?[0-9]+\.[0-9]+V\.csv"),
    "checkpoint": re.compile(r"[0-9]{6,}\.h5"),
}
"""Names that a run gives its files, by folder; of the manifest, see `clear`."""

_TABLES = (".csv",)
"""Endings of a run's files that people edit: these are compared with what was written."""


def clear(folder: Path) -> None:
    """Delete what an earlier run wrote to its results folder, all but the manifest.

    Raises:
        OSError: something cannot be deleted.
        OutputError: a file that was changed cannot be renamed.
    """
    digests = _listed(folder)
    for path in list(earlier_files(folder)):
        name = path.relative_to(folder).as_posix()
        if _is_users(path, name, digests):
            set_aside(path)
        else:
            path.unlink()
    (folder / "report" / RECORD).unlink(missing_ok=True)
    for name in ("fields/data", "fields", "stops", "checkpoint", "report"):
        # What a user put there keeps the folder.
        with suppress(OSError):
            (folder / name).rmdir()


def earlier_files(folder: Path) -> Iterator[Path]:
    """The files that an earlier run wrote, by their names, the manifest left out."""
    for name, pattern in _RUN_FILES.items():
        place = folder / name
        if place.is_dir() and not place.is_symlink():
            for path in sorted(place.iterdir()):
                if pattern.fullmatch(path.name.removesuffix(PARTIAL)):
                    yield path
    report = folder / "report"
    for name in recorded(report):
        path = report / name
        # A record can be altered as any file: it names nothing outside its folder.
        if name != ".." and path.parent == report and (path.is_symlink() or path.exists()):
            yield path


def _is_users(path: Path, name: str, digests: Mapping[str, str]) -> bool:
    """Whether a file of a run's name is another's by now: no file, or changed since."""
    if path.is_symlink() or not path.is_file():
        return True
    if name.startswith("report/"):
        return not is_own(path)
    known = digests.get(name) if path.suffix in _TABLES else None
    return known is not None and file_digest(path) != known


def matching(folder: Path, kind: str) -> list[Path]:
    """Files of one kind that a run wrote, by their names.

    Args:
        folder: where they lie, as in RESULTS/stops.
        kind: "stops", "checkpoint" or "fields/data".
    """
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if _RUN_FILES[kind].fullmatch(path.name)]


def _listed(folder: Path) -> dict[str, str]:
    """Digests of the run's files written once, as the run listed them; none of older runs."""
    try:
        return entries((folder / SUMS).read_bytes())
    except OSError:
        return {}
