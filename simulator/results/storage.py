"""Writing of files in such a way that the process can be killed at any moment.

Every file of a results folder is either replaced as a whole (written beside its place, then
renamed, which POSIX makes atomic) or, in the case of history.csv, extended by a single `write`. A
killed process therefore leaves each file in the state after some finished sample, and at worst a
hidden file beside it (`heterode.base.temporary`). HDF5 files are built in memory and written as
plain bytes, because the HDF5 library may neither raise a clean error nor release the file when the
disk becomes full (hdf5.py).
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

    It is an `InputError`, since only the user can remedy it: one line, no traceback.
    """


class TruncatedError(OutputError):
    """A results file to be continued holds less than was written: damaged, or of another run."""


class AlteredError(ArgumentError):
    """A results file was edited or damaged after the run wrote it; exit code 2, nothing changed."""


def explain(path: Path, error: OSError, *, kept: str = "", option: str = "--out") -> str:
    """Return one line that says which file failed, why, and what to do.

    Args:
        path: the file.
        error: what the system said.
        kept: a sentence on what is intact, with a space at its end.
        option: the option that chooses another place; "" if there is none.
    """
    why = error.strerror or str(error)
    remedy = f"Free space or choose another {option}" if option else "Free space there"
    return f"{path}: cannot be written ({why}). {kept}{remedy}"


@contextmanager
def _as_output_error(path: Path, option: str = "--out") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = explain(path, error, kept="Everything written before is intact. ", option=option)
        raise OutputError(message) from error


def write_atomically(
    path: Path, content: bytes, *, durable: bool = False, option: str = "--out"
) -> None:
    """Replace `path` by `content`; a reader finds either the old file or the new one, whole.

    Args:
        path: the file.
        content: the whole content.
        durable: whether to wait until the file would survive a power cut.
        option: the option that chooses another place, for the message; "" if there is none.

    Raises:
        OutputError: the folder is gone, full or not writable; the old file is intact.
    """
    with _as_output_error(path, option):
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
    """Wait until files, and their entries in their folders, would survive a power cut.

    Raises:
        OutputError: a file is gone, or the disk fails.
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

    The file is opened each time, since a handle kept open would go on writing to a deleted file.

    Raises:
        OutputError: the file is gone, or the disk is full; the file is unchanged.
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
