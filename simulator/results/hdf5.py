"""HDF5 files: as bytes, for `heterode.results.storage` to write, and read without locks.

Files are replaced as a whole, so that a reader never meets one half written; and a file system
without locks, or another program that holds one, must not keep anyone from reading.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import h5py

from heterode.base.reading import check_regular

Read = TypeVar("Read")


class UnreadableError(Exception):
    """An HDF5 file that cannot be read, and why: in plain words, without the file's name."""


def read_hdf5(path: Path, read: Callable[[Any], Read]) -> Read:
    """What `read(h5py.File)` makes of an HDF5 file.

    Raises:
        UnreadableError: there is none, it is damaged, or `read` misses something in it.
    """
    try:
        # The library's own words for a missing file name it twice, and errno.
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
        # Of a damaged file the library raises almost anything.
        raise UnreadableError(
            "it is damaged, cut short, no HDF5 file, or another program is changing it: "
            f"{_plain(error)}"
        ) from error


def _plain(error: Exception) -> str:
    """The library's reason, without its own calls around it."""
    text = " ".join(str(error).strip("\"'").split()) or type(error).__name__
    _, opened, inner = text.partition("(")
    return inner.removesuffix(")") if opened and inner.endswith(")") else text


def hdf5_bytes(build: Callable[[Any], None], size_hint: int = 0) -> bytes:
    """The bytes of an HDF5 file that `build(h5py.File)` fills in memory.

    Args:
        build: receives the open file.
        size_hint: expected size in bytes, which saves the buffer from growing by small steps.
    """
    block = max(1 << 16, size_hint + size_hint // 8)
    with h5py.File("memory", "w", driver="core", backing_store=False, block_size=block) as file:
        build(file)
        file.flush()
        return bytes(file.id.get_file_image())
