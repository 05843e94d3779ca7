"""Reading of files that a user named: regular files of a reasonable size, and nothing else.

Reading a pipe could wait for ever, a device such as /dev/zero never ends, and a file of gigabytes
in place of a table of parameters would fill the memory. Each is refused with an `OSError` whose
`strerror` gives the reason, just as the system refuses a folder, so that a caller that reports
unreadable files reports these in the same way.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISFIFO, "it is a pipe, not a file; save what comes out of it to a file"),
    (stat.S_ISCHR, "it is a device, not a file"),
    (stat.S_ISBLK, "it is a device, not a file"),
    (stat.S_ISSOCK, "it is a socket, not a file"),
)


def check_regular(path: Path | str, largest: int | None = None) -> None:
    """Refuse anything but a regular file, without opening it.

    Args:
        path: the file; links are followed.
        largest: the largest size accepted, bytes; None for no limit.

    Raises:
        OSError: the path is not a regular file, is missing, cannot be a file's name, or the file
            is larger; `strerror` gives the reason.
    """
    name = os.fspath(path)
    try:
        found = os.stat(name)
    except ValueError:  # a null character, or what no file name can be encoded with
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from None
    _check(found, name, largest)


def read_regular(path: Path | str, largest: int | None = None) -> bytes:
    """Return the content of a regular file; arguments and errors are those of `check_regular`."""
    check_regular(path, largest)
    # If a pipe takes the file's place at this very moment, opening it does not block.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        _check(os.fstat(handle), os.fspath(path), largest)
        content = file.read(-1 if largest is None else largest + 1)
    if largest is not None and len(content) > largest:
        raise _too_large(len(content), largest, os.fspath(path))
    return content


def _check(found: os.stat_result, name: str, largest: int | None) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    for is_one, why in _KINDS:
        if is_one(found.st_mode):
            raise OSError(errno.EINVAL, why, name)
    if largest is not None and found.st_size > largest:
        raise _too_large(found.st_size, largest, name)


def _too_large(size: int, largest: int, name: str) -> OSError:
    why = f"it has {size / 1e6:.3g} MB, and at most {largest / 1e6:g} MB are read"
    return OSError(errno.EFBIG, why, name)
