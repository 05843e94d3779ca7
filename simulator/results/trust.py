"""Whether results may be read: only as the run wrote them, unless alterations are accepted.

Commands and `heterode.load` ask here before they read. What is accepted as altered is remembered
while the command runs, so that whatever writes JSON, figures or pages can say so.
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
    """Read results within this context: what is accepted as altered marks all that is written.

    Args:
        places: results folders, or files within them; anything else is passed over.
        say: is called with a line where there is something to mind.
        accept_altered: go on with altered files.

    Yields:
        what is altered, a line each: accepted here, or when the run was gone on with.

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
        what is altered, a line each; empty where nothing is.

    Raises:
        AlteredError, InputError: as in `trusted`.
    """
    folder = ResultsFolder(place)
    found = examine(folder)
    lines = [told(place, problem) for problem in found.problems]
    if lines and not accept_altered:
        raise altered_error(place, found.problems)
    if found.covers == "nothing":
        say(f"{place}: written without digests (by an earlier version): changes would not show")
    for line in lines:
        say(f"{line}; accepted")
    return (*earlier_alterations(read_manifest(folder.manifest)), *lines)


def earlier_alterations(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """What was accepted when the run was gone on with, from the warnings of its manifest."""
    warnings = manifest.get("warnings", [])
    messages = (str(one.get("message", "")) for one in warnings if one.get("code") == CODE)
    return tuple(message.removeprefix(_ACCEPTED) for message in messages)


def altered_warning(lines: Sequence[str]) -> RunWarning:
    """For the manifest of a run that goes on with altered files."""
    message = _ACCEPTED + "; ".join(lines)
    return RunWarning(CODE, message, count=len(lines))


def told(place: Path, finding: Finding) -> str:
    """A finding as a line."""
    return f"{place / finding.name}: {finding.problem}"


def altered_error(place: Path, problems: tuple[Finding, ...]) -> AlteredError:
    """The error that names what is altered, and the remedy as Python or a command spells it."""
    first, more = problems[0], len(problems) - 1
    others = f" (and {more} more: see `heterode verify {place}`)" if more else ""
    text = f"{place / first.name}: {first.problem}{others}. {REMEDY}"
    return AlteredError(text, accept_altered=...)


def summary(examination: Examination) -> str:
    """What the digests of a folder cover, in words."""
    return {
        "whole": "every file of the run, as it ended",
        "prefix": "the run has not ended: its files up to the last checkpoint",
        "nothing": "written without digests (by an earlier version): only checkpoints, and what "
        "contradicts itself",
    }[examination.covers]


def _home(place: Path | str) -> Path | None:
    """The results folder that a place is, or that a data file of a run lies in."""
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
    # Without its manifest it is a damaged one.
    return any((folder / name).exists() for name in ("manifest.json", SUMS))
