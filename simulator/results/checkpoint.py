"""checkpoint/: all that a run needs to go on, in a file that proves to be whole.

    checkpoint/000123.h5    after 123 accepted time steps; the last two are kept

The file begins with a block of 512 bytes of text, which HDF5 allows and its readers skip: format,
length and SHA-256 of what follows. Then comes an HDF5 file: named arrays, and a header as JSON.
Cut short, zeroed in places or with a single bit changed anywhere, it is refused.
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
    """A checkpoint file that is not whole: one line, naming it."""


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint.

    Attributes:
        header: plain data, as JSON holds it.
        arrays: by name.
    """

    header: Mapping[str, Any]
    arrays: Mapping[str, NDArray[np.float64]]


class Checkpoints:
    """The checkpoints of a results folder; used on rank 0 alone.

    Args:
        directory: checkpoint/; made at the first checkpoint.
        good: the file a run goes on from; files that are neither this nor written here give way
            to the next ones written.
    """

    def __init__(self, directory: Path, good: Path | None = None) -> None:
        self.directory = directory
        self._kept = [] if good is None else [good]

    def write(self, number: int, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and delete all but it and the one before.

        It is safe from a power cut when this returns. A checkpoint of this number that is there
        already is replaced.

        Args:
            number: accepted time steps so far.
            checkpoint: what to keep.

        Raises:
            OutputError: disk full or folder gone; the checkpoints before are intact.
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
        """Delete the checkpoints, and the folder if nothing else is in it: the run is complete."""
        with suppress(OSError):
            for path in self._all():
                path.unlink()
            self.directory.rmdir()

    def _all(self) -> list[Path]:
        """The checkpoints there, and what was left of writing some."""
        return [*list_checkpoints(self.directory), *leftovers(self.directory)]


def list_checkpoints(directory: Path) -> list[Path]:
    """The checkpoint files there, newest first."""
    return sorted(matching(directory, "checkpoint"), key=lambda path: int(path.stem), reverse=True)


def encode(checkpoint: Checkpoint) -> bytes:
    """The content of a checkpoint file."""

    def build(file: Any) -> None:
        # As a dataset, since an attribute holds no more than 64 kB.
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
        CorruptError: it cannot be read, or is not exactly what was written.
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
