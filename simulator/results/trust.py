"""Whether results may be read: only if they are as the run wrote them, or alterations are accepted.

Commands and `heterode.load` ask this module before they read. Accepted alterations are remembered
while the command runs, so that all JSON files, figures and pages that are made can mention them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heterode.base.run_warnings import RunWarning
from heterode.results.digest_list import SUMS
from heterode.results.folder import ResultsFolder
from heterode.results.integrity import Examination, Finding, examine
from heterode.results.manifest import read_manifest
from heterode.results.marks import marking
from heterode.results.storage import AlteredError

CODE = "altered_files"
"""The code of the warning in a manifest."""

REMEDY = (
    "Restore it from a copy, run it again into another folder, or pass {accept_altered} to go on "
    "with what is there and have all that is written say so"
)
_ACCEPTED = "the run was gone on with from altered files: "
_FILES = {"manifest.json", "history.csv", "particles.csv", "particles.h5"}
_FOLDERS = {"stops", "fields"}

Say = Callable[[str], None]


@contextmanager
def trusted(
    places: Iterable[Path | str], say: Say = lambda text: None, *, accept_altered: bool = False
) -> Iterator[tuple[str, ...]]:
    """Context for reading results, in which accepted alterations mark all that is written.

    Args:
        places: results folders, or files in them; anything else is ignored.
        say: called with a line for the reader if there is a reason for caution.
        accept_altered: whether to continue with altered files.

    Yields:
        a line for each alteration that was accepted here, or when the run was resumed.

    Raises:
        AlteredError: files are not as the run wrote them, and that is not accepted.
        InputError: a manifest cannot be read.
    """
    folders = dict.fromkeys(filter(None, map(_home, places)))
    lines: list[str] = []
    for folder in folders:
        lines += check_whole(folder, say, accept_altered=accept_altered)
    with marking(lines):
        yield tuple(lines)


def check_whole(
    place: Path, say: Say = lambda text: None, *, accept_altered: bool = False
) -> tuple[str, ...]:
    """Refuse a results folder that is not as its run wrote it.

    Returns:
        a line for each alteration that was accepted; empty if there is none.

    Raises:
        AlteredError, InputError: as in `trusted`.
    """
    folder = ResultsFolder(place)
    found = examine(folder)
    lines = [finding_line(place, problem) for problem in found.problems]
    if lines and not accept_altered:
        raise altered_error(place, found.problems)
    if found.covers == "nothing":
        say(f"{place}: written without digests (by an earlier version): changes would not show")
    for line in lines:
        say(f"{line}; accepted")
    return (*earlier_alterations(read_manifest(folder.manifest)), *lines)


def earlier_alterations(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the alterations accepted when the run was resumed, from its manifest's warnings."""
    warnings = manifest.get("warnings", [])
    messages = (str(one.get("message", "")) for one in warnings if one.get("code") == CODE)
    return tuple(message.removeprefix(_ACCEPTED) for message in messages)


def altered_warning(lines: Sequence[str]) -> RunWarning:
    """Return the warning for the manifest of a run that is resumed with altered files."""
    message = _ACCEPTED + "; ".join(lines)
    return RunWarning(CODE, message, count=len(lines))


def finding_line(place: Path, finding: Finding) -> str:
    """Return a finding as one line."""
    return f"{place / finding.name}: {finding.problem}"


def altered_error(place: Path, problems: tuple[Finding, ...]) -> AlteredError:
    """Return the error that lists the alterations, with the remedy for Python or a command."""
    first, more = problems[0], len(problems) - 1
    others = f" (and {more} more: see `heterode verify {place}`)" if more else ""
    text = f"{place / first.name}: {first.problem}{others}. {REMEDY}"
    return AlteredError(text, accept_altered=...)


def summary(examination: Examination) -> str:
    """Describe in words what the digests of a folder cover."""
    return {
        "whole": "every file of the run, as it ended",
        "prefix": "the run has not ended: its files up to the last checkpoint",
        "nothing": "written without digests (by an earlier version): only checkpoints, and what "
        "contradicts itself",
    }[examination.covers]


def _home(place: Path | str) -> Path | None:
    """Return the results folder that a path is or lies in, or None if it is no file of a run."""
    path = Path(place)
    if path.is_dir():
        return path if _is_run(path) else None
    parent = path.parent
    if parent.resolve().name in _FOLDERS:
        parent = parent.parent if parent.name else parent.resolve().parent
    elif path.name not in _FILES:
        return None
    return parent if _is_run(parent) else None


def _is_run(folder: Path) -> bool:
    # A folder without its manifest is a damaged one.
    return any((folder / name).exists() for name in ("manifest.json", SUMS))
