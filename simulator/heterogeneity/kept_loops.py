"""Machine code of compiled loops on disk, each file with a digest of what it holds.

numba keeps code beside the module or in the user's cache folder and trusts what lies there: a file
that was cut ends the program, and a flipped bit in it may compute anything. This takes the place of
numba's index and data files: one file for each signature, whose first bytes are the SHA-256 of
the rest. What does not match is compiled again, and so is what other source or another numba made.
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
"""numba's own pickling, which knows its types; numba is not typed."""

SIZE = hashlib.sha256().digest_size


class KeptLoops:
    """What numba asks of a cache: load, save and flush.

    Args:
        folder: where files are kept.
        base: how their names begin, one for each function.
        stamp: of the function's source.
    """

    def __init__(self, folder: Path, base: str, stamp: object) -> None:
        self._folder = folder
        self._base = base
        self._version = _short(f"{numba.__version__} {stamp!r}")

    def load(self, key: object) -> Any:
        """What was kept for a signature, None where there is nothing or something damaged.

        What another user put there is code of theirs, and is not loaded either.
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
        """Keep the code of a signature; what other source has left goes."""
        path = self._path(key)
        kept = _serialize.dumps(data)
        # A cache that cannot be written costs time in the next process, nothing else.
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
    """Let a function of numba's that is kept on disk be kept with digests."""
    cache = dispatcher._cache
    implementation = cache._impl
    cache._cache_file = KeptLoops(
        Path(cache.cache_path),
        implementation.filename_base,
        implementation.locator.get_source_stamp(),
    )


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
