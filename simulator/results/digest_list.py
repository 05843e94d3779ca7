"""SHA256SUMS: the digests of the files of a results folder that are written once.

There is a line for each file, in the order of writing and in the format of `sha256sum`, so that
`sha256sum -c SHA256SUMS` checks a folder without this program. While a run goes on, the list holds
particles.csv, fields/data/*.h5 and stops/*.csv; the files that grow during the run are added at its
end. A resumed run cuts the list back together with the other files. The manifest holds the digest
of the list.
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
    """Appends a line for each file; the line is on disk when `note` returns.

    Args:
        path: the list.
        keep: the number of lines to keep of an earlier run's list; None starts a new one.
        existing: (name, digest) of all existing files, if an earlier run's list cannot be trusted;
            they take the place of its lines.

    Raises:
        OutputError: the list cannot be written.
        TruncatedError: an earlier run's list has fewer lines than `keep`.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep: int | None = None,
        existing: Sequence[tuple[str, str]] | None = None,
    ) -> None:
        self.path = path
        content = b"" if keep is None else first_lines(path, keep)
        if existing is not None:
            content = b"".join(_line(*entry) for entry in existing)
        self.lines = content.count(b"\n")
        write_atomically(path, content)
        self._hash = hashlib.sha256(content)

    @property
    def digest(self) -> PrefixDigest:
        """The digest of the lines so far, and hence of the whole list."""
        return PrefixDigest(self.lines, self._hash.hexdigest())

    def note(self, name: str, digest: str) -> None:
        """Add a file.

        Args:
            name: the file's path within the results folder, with "/".
            digest: the SHA-256 of its content.

        Raises:
            OutputError: the disk is full or the list gone; the earlier lines are intact.
        """
        line = _line(name, digest)
        append_atomically(self.path, line)
        self._hash.update(line)
        self.lines += 1


def first_lines(path: Path, count: int) -> bytes:
    """Return the first `count` lines of a list.

    Raises:
        TruncatedError: the list has fewer.
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
    """Return the digest of the first `count` lines of a list; compare `DigestList.digest`.

    Raises:
        TruncatedError: the list has fewer lines.
    """
    return PrefixDigest(count, text_digest(first_lines(path, count)))


def entries(content: bytes) -> dict[str, str]:
    """Return the digests of the files that a list names, by name; malformed lines are ignored."""
    matches = (
        _LINE.fullmatch(line) for line in content.decode("utf-8", errors="replace").split("\n")
    )
    return {match[2]: match[1] for match in matches if match is not None}


def _line(name: str, digest: str) -> bytes:
    return f"{digest}  {name}\n".encode()
