"""checkpoint/: all that a run needs in order to resume, in files whose integrity can be verified.

    checkpoint/000123.h5    after 123 accepted time steps; the last two are kept

A file begins with a block of 512 bytes of text, which HDF5 allows and its readers skip; it states
the format and the length and SHA-256 of what follows. An HDF5 file comes next, with named arrays
and a header as JSON. A file that is cut short, zeroed in places or changed in a single bit is
refused.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heterode.base.temporary import leftovers
from heterode.results.hdf5 import hdf5_bytes
from heterode.results.run_files import matching
from heterode.results.storage import OutputError, explain, write_atomically

FORMAT = 1
_BLOCK = 512
_HEADER = "header"


class CorruptError(Exception):
    """A checkpoint file is damaged; the message is one line that names it."""


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint.

    Attributes:
        header: plain data that JSON can hold.
        arrays: arrays by name.
    """

    header: Mapping[str, Any]
    arrays: Mapping[str, NDArray[np.float64]]


class Checkpoints:
    """The checkpoints of a results folder; used on rank 0 only.

    Args:
        directory: checkpoint/, which is created with the first checkpoint.
        good: the file that a run resumes from; other files, unless written by this object, are
            deleted when the next checkpoint is written.
    """

    def __init__(self, directory: Path, good: Path | None = None) -> None:
        self.directory = directory
        self._kept = [] if good is None else [good]

    def write(self, number: int, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and delete all others but the one before it.

        When this returns, the checkpoint would survive a power cut. An existing checkpoint of the
        same number is replaced.

        Args:
            number: the number of time steps accepted so far.
            checkpoint: the content.

        Raises:
            OutputError: the disk is full or the folder gone; the earlier checkpoints are intact.
        """
        path = self.directory / f"{number:06d}.h5"
        try:
            self.directory.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(explain(self.directory, error)) from error
        write_atomically(path, encode(checkpoint), durable=True)
        self._kept = [*(kept for kept in self._kept if kept != path), path][-2:]
        for stray in self._all():
            if stray not in self._kept:
                with suppress(OSError):
                    stray.unlink()

    def delete(self) -> None:
        """Delete the checkpoints of a complete run, and the folder if it holds nothing else."""
        with suppress(OSError):
            for path in self._all():
                path.unlink()
            self.directory.rmdir()

    def _all(self) -> list[Path]:
        """Return the checkpoint files, including partial ones that were left behind."""
        return [*list_checkpoints(self.directory), *leftovers(self.directory)]


def list_checkpoints(directory: Path) -> list[Path]:
    """Return the checkpoint files in a folder, newest first."""
    return sorted(matching(directory, "checkpoint"), key=lambda path: int(path.stem), reverse=True)


def encode(checkpoint: Checkpoint) -> bytes:
    """Return the content of a checkpoint file."""

    def build(file: Any) -> None:
        # The header is a dataset, since an attribute can hold no more than 64 kB.
        text = json.dumps(checkpoint.header)
        file[_HEADER] = np.frombuffer(text.encode(), dtype=np.uint8)
        for name, array in checkpoint.arrays.items():
            file[f"arrays/{name}"] = array

    size = sum(array.nbytes for array in checkpoint.arrays.values())
    body = hdf5_bytes(build, size)
    return _block(body) + body


def _block(body: bytes) -> bytes:
    digest = hashlib.sha256(body).hexdigest()
    text = f"heterode checkpoint\nformat {FORMAT}\nbytes {len(body)}\nsha256 {digest}\n"
    return text.encode().ljust(_BLOCK, b"\n")


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint file.

    Raises:
        CorruptError: the file cannot be read, or is not exactly what was written.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorruptError(f"{path}: cannot be read ({error.strerror})") from error
    block, body = content[:_BLOCK], content[_BLOCK:]
    if block != _block(body):
        raise CorruptError(f"{path}: {_what_differs(block, body)}")
    with h5py.File(io.BytesIO(body), "r") as file:
        header = json.loads(file[_HEADER][()].tobytes())
        arrays = {name: array[()] for name, array in file.get("arrays", {}).items()}
    return Checkpoint(header, arrays)


def _what_differs(block: bytes, body: bytes) -> str:
    lines = block.decode("ascii", errors="replace").splitlines()
    if lines[:1] != ["heterode checkpoint"]:
        return "not a checkpoint, or its beginning is damaged"
    if lines[1:2] != [f"format {FORMAT}"]:
        return f"is of another format ({lines[1]}; this version reads format {FORMAT})"
    if lines[2:3] != [f"bytes {len(body)}"]:
        return "is cut short, or its beginning is damaged"
    return "is damaged (its checksum differs)"
