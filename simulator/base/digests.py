"""Digests: what names the content of a file or of its beginning, so that a change of it shows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PrefixDigest:
    """What names the beginning of a file that grows.

    Attributes:
        count: how many rows, samples or lines the beginning holds.
        sha256: of its content, 64 hexadecimal digits.
    """

    count: int
    sha256: str


def text_digest(content: bytes) -> str:
    """SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a whole file, as 64 hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
