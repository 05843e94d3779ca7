"""SHA256SUMS: what the files of a results folder that are written once hold.

A line per file, in the order they were written, as `sha256sum` writes them: so
`sha256sum -c SHA256SUMS` checks a folder without this program. While a run goes on the list has
particles.csv, fields/data/*.h5 and stops/*.csv; at its end come the files that grew until then.
A run that goes on cuts the list back with the rest. The manifest holds the digest of the list.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from heterode.base.digests import PrefixDigest, text_digest
from heterode.base.words import counted
from heterode.results.storage import TruncatedError, append_atomically, write_atomically

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([^\x00-\x1f\ufffd]+)")


class DigestList:
    """Appends a line per file; it is on disk when `note` returns.

    Args:
        path: of the list.
        keep: how many lines of an earlier run's to go on from; None starts anew.
        anew: (name, digest) of all files that are there, where an earlier run's list is not to
            be relied on: they take the place of its lines.

    Raises:
        OutputError: the list cannot be written.
        TruncatedError: an earlier run's list has fewer lines.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep: int | None = None,
        anew: Sequence[tuple[str, str]] | None = None,
    ) -> None:
        self.path = path
        content = b"" if keep is None else first_lines(path, keep)
        if anew is not None:
            content = b"".join(_line(*entry) for entry in anew)
        self.lines = content.count(b"\n")
        write_atomically(path, content)
        self._hash = hashlib.sha256(content)

    @property
    def digest(self) -> PrefixDigest:
        """The digest of the lines so far, and so of the whole list."""
        return PrefixDigest(self.lines, self._hash.hexdigest())

    def note(self, name: str, digest: str) -> None:
        """Add a file.

        Args:
            name: its path within the results folder, with "/".
            digest: SHA-256 of its content.

        Raises:
            OutputError: disk full or list gone; the lines before are intact.
        """
        line = _line(name, digest)
        append_atomically(self.path, line)
        self._hash.update(line)
        self.lines += 1


def first_lines(path: Path, count: int) -> bytes:
    """The first lines of a list.

    Raises:
        TruncatedError: it has fewer.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TruncatedError(f"{path}: cannot be read ({error.strerror})") from error
    lines = content.split(b"\n")
    if len(lines) - 1 < count:
        raise TruncatedError(
            f"{path}: has {counted(len(lines) - 1, 'line')}, but {count} were written"
        )
    return b"".join(line + b"\n" for line in lines[:count])


def lines_digest(path: Path, count: int) -> PrefixDigest:
    """What `DigestList.digest` was after so many lines, of the list as it is now.

    Raises:
        TruncatedError: it has fewer.
    """
    return PrefixDigest(count, text_digest(first_lines(path, count)))


def entries(content: bytes) -> dict[str, str]:
    """name -> digest of the files that a list names; lines that can be none are left out."""
    matches = (
        _LINE.fullmatch(line) for line in content.decode("utf-8", errors="replace").split("\n")
    )
    return {match[2]: match[1] for match in matches if match is not None}


def _line(name: str, digest: str) -> bytes:
    return f"{digest}  {name}\n".encode()
