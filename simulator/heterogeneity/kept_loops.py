"""Machine code of compiled loops on disk, each file with a digest of its content.

numba keeps code beside the module or in the user's cache folder and trusts these files: a truncated
file ends the program, and a flipped bit in one may compute anything. This module replaces numba's
index and data files with one file for each signature, whose first bytes are the SHA-256 of the
rest. If this does not match, or if other source code or another numba made the file, the function
is compiled again.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core import serialize

from heterode.base.cache_folder import remove_entry

_serialize: Any = serialize
"""numba's own pickling, which supports its types. It is Any because numba has no annotations."""

SIZE = hashlib.sha256().digest_size


class KeptLoops:
    """The operations that numba requires of a cache: load, save and flush.

    Args:
        folder: folder of the files.
        base: beginning of their names, different for each function.
        stamp: stamp of the function's source.
    """

    def __init__(self, folder: Path, base: str, stamp: object) -> None:
        self._folder = folder
        self._base = base
        self._version = _short(f"{numba.__version__} {stamp!r}")

    def load(self, key: object) -> Any:
        """Return the code kept for a signature, or None if it is missing or damaged.

        Files of another user could hold any code, and are not loaded either.
        """
        try:
            with open(self._path(key), "rb") as file:
                if not _is_own(os.fstat(file.fileno())):
                    return None
                content = file.read()
        except OSError:
            return None
        digest, data = content[:SIZE], content[SIZE:]
        return pickle.loads(data) if hashlib.sha256(data).digest() == digest else None

    def save(self, key: object, data: Any) -> None:
        """Keep the code of a signature, and remove what another source version has left."""
        path = self._path(key)
        kept = _serialize.dumps(data)
        # A cache that cannot be written only costs time in the next process.
        with suppress(OSError):
            for other in self._folder.glob(f"{self._base}.*.loop"):
                if not other.name.startswith(f"{self._base}.{self._version}."):
                    remove_entry(other)
            handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=self._folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(kept).digest() + kept)
                if path.is_dir() and not path.is_symlink():
                    remove_entry(path)
                os.replace(temporary, path)
            except OSError:
                Path(temporary).unlink(missing_ok=True)

    def flush(self) -> None:
        """Forget the function."""
        for file in self._folder.glob(f"{self._base}.*.loop"):
            remove_entry(file)

    def _path(self, key: object) -> Path:
        return self._folder / f"{self._base}.{self._version}.{_short(repr(key))}.loop"


def _is_own(found: os.stat_result) -> bool:
    return found.st_uid in (os.geteuid(), 0) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def keep_with_digests(dispatcher: Any) -> None:
    """Make numba keep a function's code on disk with digests."""
    cache = dispatcher._cache
    implementation = cache._impl
    cache._cache_file = KeptLoops(
        Path(cache.cache_path),
        implementation.filename_base,
        implementation.locator.get_source_stamp(),
    )


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
