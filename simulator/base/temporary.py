"""Temporary files that are written under a unique name and then renamed to their final one.

The name is drawn at random and the file is created exclusively, so that no existing file is ever
overwritten. A file left by a killed process can be recognised by the form of its name: it is
hidden, no reader considers it, and a process that has the folder to itself removes it.
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
    """Yield a new, empty file in the folder of `path`, to be written and renamed.

    If it has not been renamed when the context ends, it is removed.

    Args:
        path: the final path of the file.
        ending: the ending of its name, such as ".mp4", for programs that choose the format by it.

    Raises:
        OSError: the folder is missing, full or not writable.
    """
    made = _made_in(path.parent, ending)
    try:
        yield made
    finally:
        with suppress(OSError):
            made.unlink()


def is_leftover(name: str) -> bool:
    """Whether a name is that of a temporary file of this module."""
    return _LEFTOVER.fullmatch(name) is not None


def leftovers(folder: Path) -> list[Path]:
    """Return the temporary files in a folder; none if the path is a link or not a folder."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if is_leftover(path.name)]


def remove_leftovers(folders: Iterable[Path]) -> None:
    """Remove the files that killed processes left in folders that no other process writes to."""
    for folder in folders:
        with suppress(OSError):
            for path in leftovers(folder):
                path.unlink()


def _made_in(folder: Path, ending: str) -> Path:
    while True:
        path = folder / f"{PREFIX}{secrets.token_hex(4)}{PARTIAL}{ending}"
        with suppress(FileExistsError):
            # As accessible as any other new file of the user; tempfile would make it private.
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            return path
