"""Making room for a new run: files of an earlier run are deleted by name, everything else stays.

The files of a run are recognised by the names that it gives them, and those of report/ by the
record beside them (`heterode.results.written`). A file that was changed after it was written (a
table, a figure or a field) is taken to be the user's and is kept beside as NAME.yours.EXT; the same
holds for every file that `heterode verify` reports as altered. Folders are removed when they are
empty.
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

    The manifest stays until another takes its place, and states that the run is being overwritten.
    The remains of an interrupted deletion can therefore not be taken for a whole run, and can be
    overwritten again.

    Raises:
        InputError: there is no readable manifest; nothing was deleted.
        OutputError: a file cannot be deleted or renamed.
    """
    is_users = _judge(folder)
    files = list(earlier_files(folder.path))
    # Files to be kept are handled first, because the digests that identify them are deleted later.
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
        # The folder stays if it holds a file of the user's.
        with suppress(OSError):
            (folder.path / name).rmdir()


def _judge(folder: ResultsFolder) -> Callable[[Path], bool]:
    """Return a function that decides whether a file named like a run's is the user's now."""
    found = examine(folder)
    known = {finding.name: finding.problem for finding in found.findings}
    # The list may be longer than the part that manifest and checkpoint vouch for.
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
    """Return the run's list of digests of files written once; empty for older versions."""
    try:
        return entries(folder.sums.read_bytes())
    except OSError:
        return {}


def _copy_aside(path: Path) -> None:
    """Keep a copy of a file that is still needed in its place."""
    kept = free_name(path)
    write_atomically(kept, path.read_bytes())
    say_kept(path, kept)
