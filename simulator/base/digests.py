"""Digests that identify the content of a file, or of its beginning, so that changes are noticed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PrefixDigest:
    """Digest of the beginning of a file that grows.

    Attributes:
        count: the number of rows, samples or lines in the beginning.
        sha256: the SHA-256 of the beginning, 64 hexadecimal digits.
    """

    count: int
    sha256: str


def text_digest(content: bytes) -> str:
    """Return the SHA-256 of bytes as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a whole file as 64 hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
