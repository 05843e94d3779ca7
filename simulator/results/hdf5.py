"""HDF5 files, as bytes for `heterode.results.storage` to write, and read without locks.

Files are replaced as a whole, so that a reader never meets a half-written one. They are read
without locks, so that neither a file system without locks nor another program that holds one
prevents reading.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import h5py

from heterode.base.reading import check_regular

Read = TypeVar("Read")


class UnreadableError(Exception):
    """An HDF5 file cannot be read; the message gives the reason without the file's name."""


def read_hdf5(path: Path, read: Callable[[Any], Read]) -> Read:
    """Open an HDF5 file and return what `read(h5py.File)` returns.

    Raises:
        UnreadableError: the file is missing or damaged, or `read` does not find what it needs in
            it.
    """
    try:
        # The library's own message for a missing file repeats its name and the error number.
        check_regular(path)
        path.open("rb").close()
    except (OSError, ValueError) as error:
        raise UnreadableError(getattr(error, "strerror", None) or str(error)) from error
    try:
        with h5py.File(path, "r", locking=False) as file:
            return read(file)
    except KeyError as error:
        raise UnreadableError(f"it lacks something ({_plain(error)})") from error
    except Exception as error:
        # The library raises almost any exception for a damaged file.
        raise UnreadableError(
            "it is damaged, cut short, no HDF5 file, or another program is changing it: "
            f"{_plain(error)}"
        ) from error


def _plain(error: Exception) -> str:
    """Return the library's reason without the names of its functions."""
    text = " ".join(str(error).strip("\"'").split()) or type(error).__name__
    _, opened, inner = text.partition("(")
    return inner.removesuffix(")") if opened and inner.endswith(")") else text


def hdf5_bytes(build: Callable[[Any], None], size_hint: int = 0) -> bytes:
    """Return the bytes of an HDF5 file that `build(h5py.File)` fills in memory.

    Args:
        build: a function that receives the open file.
        size_hint: the expected size in bytes, which keeps the buffer from growing in small steps.
    """
    block = max(1 << 16, size_hint + size_hint // 8)
    with h5py.File("memory", "w", driver="core", backing_store=False, block_size=block) as file:
        build(file)
        file.flush()
        return bytes(file.id.get_file_image())
