"""Files on their way: each has a name that no other file has, until it takes its place.

The name is drawn at random and the file made exclusively, so that nobody's file is written over,
whatever it is called. What a killed process leaves behind is known by the form of the name: it is
hidden, no reader looks at it, and who has the folder to themselves removes it.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX, PARTIAL = ".heterode-", ".partial"

_LEFTOVER = re.compile(rf"{re.escape(PREFIX)}[0-9a-z_]{{8}}{re.escape(PARTIAL)}(\.[0-9a-z]+)?")


@contextmanager
def new_beside(path: Path, ending: str = "") -> Iterator[Path]:
    """A new, empty file in the folder of `path`, to be filled and renamed; else it goes at the end.

    Args:
        path: the place that it will take.
        ending: of the name, for programs that go by it, such as ".mp4".

    Raises:
        OSError: the folder is gone, full or not writable.
    """
    made = _made_in(path.parent, ending)
    try:
        yield made
    finally:
        with suppress(OSError):
            made.unlink()


def is_leftover(name: str) -> bool:
    """Whether a file of this name is, or was left by, one on its way."""
    return _LEFTOVER.fullmatch(name) is not None


def leftovers(folder: Path) -> list[Path]:
    """What files on their way a folder holds; none where it is no folder, or a link."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if is_leftover(path.name)]


def remove_leftovers(folders: Iterable[Path]) -> None:
    """Remove what killed processes left, from folders that nobody else writes to now."""
    for folder in folders:
        with suppress(OSError):
            for path in leftovers(folder):
                path.unlink()


def _made_in(folder: Path, ending: str) -> Path:
    while True:
        path = folder / f"{PREFIX}{secrets.token_hex(4)}{PARTIAL}{ending}"
        with suppress(FileExistsError):
            # As public as any new file of the user's: tempfile would make it private.
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            return path
