"""Making room for a run: what an earlier one wrote is deleted by its name, all else stays.

A run's files are known by the names it gives them, those of report/ by the record beside them
(`heterode.results.written`). Whatever was changed since it was written, be it a table, a figure or
a field, is the user's by now, and is kept beside as NAME.yours.EXT: so is everything that `heterode
verify` finds altered. Folders go when nothing is left in them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from heterode.base.digests import file_digest
from heterode.base.temporary import remove_leftovers
from heterode.results.digest_list import SUMS, entries
from heterode.results.folder import ResultsFolder
from heterode.results.integrity import examine
from heterode.results.manifest import Manifest
from heterode.results.run_files import FOLDERS, earlier_files
from heterode.results.storage import OutputError, explain, write_atomically
from heterode.results.written import RECORD, free_name, is_own, say_kept, set_aside


def clear(folder: ResultsFolder) -> None:
    """Delete what an earlier run wrote to its results folder.

    The manifest stays until another takes its place, and says that the run is being overwritten:
    what an interrupted deletion leaves must not be taken for whole, and can be overwritten again.

    Raises:
        InputError: there is no manifest that can be read; nothing was deleted.
        OutputError: a file cannot be deleted or renamed.
    """
    is_users = _judge(folder)
    files = list(earlier_files(folder.path))
    # All that is kept first: afterwards there are no digests to tell it by.
    users = [path for path in files if is_users(path)]
    if is_users(folder.manifest):
        _copy_aside(folder.manifest)
    for path in users:
        set_aside(path)
    Manifest(folder.manifest).finish("failed", "being overwritten")
    try:
        for path in set(files) - set(users):
            path.unlink()
        (folder.report / RECORD).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(explain(folder.path, error)) from error
    remove_leftovers([folder.path, *(folder.path / name for name in FOLDERS)])
    for name in FOLDERS:
        # What a user put there keeps the folder.
        with suppress(OSError):
            (folder.path / name).rmdir()


def _judge(folder: ResultsFolder) -> Callable[[Path], bool]:
    """What tells whether a file of a run's name is the user's by now."""
    found = examine(folder)
    known = {finding.name: finding.problem for finding in found.findings}
    # The list goes on behind what manifest and checkpoint know of it.
    listed = _listed(folder)
    complete = found.covers == "whole" and known.get(SUMS) == ""

    def is_users(path: Path) -> bool:
        if path.is_symlink() or not path.is_file():
            return True
        name = path.relative_to(folder.path).as_posix()
        if name.startswith(f"{folder.report.name}/"):
            return not is_own(path)
        if name in known:
            return known[name] != ""
        return file_digest(path) != listed[name] if name in listed else complete

    return is_users


def _listed(folder: ResultsFolder) -> dict[str, str]:
    """Digests of the run's files written once, as the run listed them; none of older runs."""
    try:
        return entries(folder.sums.read_bytes())
    except OSError:
        return {}


def _copy_aside(path: Path) -> None:
    """Keep a copy of a file that is yet needed in its place."""
    kept = free_name(path)
    write_atomically(kept, path.read_bytes())
    say_kept(path, kept)
