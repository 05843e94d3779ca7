"""Writing files so that no moment is a bad one to be killed in.

Every file of a results folder is either replaced as a whole (written beside its place, then
renamed, which POSIX makes atomic) or, for history.csv, appended to in one `write`. A killed process
therefore leaves each file as it was after some finished sample, and at worst a hidden file beside
it (`heterode.base.temporary`). HDF5 files are built in memory and written as plain bytes: the HDF5
library cannot be relied on for a clean error, or to let go of the file, when the disk fills up
under it (hdf5.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from heterode.base.errors import ArgumentError, InputError
from heterode.base.temporary import new_beside


class OutputError(InputError):
    """A results file can no longer be written (disk full, folder gone, no permission).

    An `InputError`, as the user alone can remedy it: one line, no traceback.
    """


class TruncatedError(OutputError):
    """A results file to go on from holds less than was written: damaged, or not that run's."""


class AlteredError(ArgumentError):
    """A results file is not as the run wrote it: edited, or damaged. Code 2, nothing changed."""


def explain(path: Path, error: OSError, *, kept: str = "") -> str:
    """One line that says which file, why, and what to do."""
    why = error.strerror or str(error)
    return f"{path}: cannot be written ({why}). {kept}Free space or choose another --out"


@contextmanager
def _as_output_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = explain(path, error, kept="Everything written before is intact. ")
        raise OutputError(message) from error


def write_atomically(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Replace `path` by `content`: a reader finds the old file or the new one, whole.

    Args:
        path: the file.
        content: all of it.
        durable: wait until it would survive a power cut as well.

    Raises:
        OutputError: the folder is gone, full or not writable; the old file is intact.
    """
    with _as_output_error(path):
        with new_beside(path) as partial:
            with open(partial, "wb") as file:
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(partial, path)
        if durable:
            _sync(path.parent)


def make_durable(paths: Iterable[Path]) -> None:
    """Wait until files, and their places in their folders, would survive a power cut.

    Raises:
        OutputError: one is gone, or the disk fails.
    """
    files = set(paths)
    for path in sorted(files) + sorted({path.parent for path in files}):
        with _as_output_error(path):
            _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def append_atomically(path: Path, content: bytes) -> None:
    """Append `content` to an existing file, all of it or nothing.

    The file is opened anew each time: a handle kept open would go on writing into a deleted file.

    Raises:
        OutputError: the file is gone, or the disk is full; the file is as it was before.
    """
    with _as_output_error(path):
        handle = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            before = os.fstat(handle).st_size
            try:
                written = 0
                while written < len(content):
                    written += os.write(handle, content[written:])
            except OSError:
                os.ftruncate(handle, before)
                raise
        finally:
            os.close(handle)
