"""history.csv: one row for the whole cell at each accepted time step."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heterode.base.csv_text import read_cells
from heterode.base.digests import PrefixDigest
from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.results.sample import Sample
from heterode.results.storage import TruncatedError, append_atomically, write_atomically

if TYPE_CHECKING:
    import pandas as pd

UNITS = {
    "time_s": "s",
    "voltage_V": "V",
    "current_A_m2": "A m^-2 of collector, positive on charge",
    "capacity_Ah_m2": "A h m^-2 of collector",
    "lithium_fraction_mean": "1, by volume",
    "lithium_fraction_sd": "1, by volume",
    "cycle": "from 0",
    "step": "from 0",
    "voltage_space_error_V": "V, estimated, what the particles' mesh adds to the voltage",
}
COLUMNS = tuple(UNITS)

MEANINGS = {
    "time_s": "time since the start of the run",
    "voltage_V": "voltage of the collector against the lithium metal",
    "current_A_m2": "current density",
    "capacity_Ah_m2": "charge that has passed since the start of the run",
    "lithium_fraction_mean": "mean lithium fraction of the particles",
    "lithium_fraction_sd": "standard deviation of the particles' lithium fractions",
    "cycle": "number of the cycle",
    "step": "number of the protocol step",
    "voltage_space_error_V": "error of the voltage by the mesh",
}
"""What the columns mean, in a few words."""

EARLIER_COLUMNS = COLUMNS[:-1]
"""Columns of histories that were written before errors of the mesh were estimated."""

_WHOLE = {"cycle": np.int64, "step": np.int64}


class History:
    """Appends a row for each sample; the row is on disk when `append` returns.

    Args:
        path: history.csv.
        keep: the number of rows to keep of an earlier run's file; None starts a new one.

    Attributes:
        rows: the number of rows so far.

    Raises:
        OutputError: the file cannot be written.
        TruncatedError: an earlier run's file has fewer rows than `keep`.
    """

    def __init__(self, path: Path, *, keep: int | None = None) -> None:
        self.path, self.rows = path, keep or 0
        new = (",".join(COLUMNS) + "\n").encode()
        content = new if keep is None else first_rows(path, keep)
        # A run that an earlier version began keeps its columns.
        self._columns = _columns_of(content) or COLUMNS
        write_atomically(path, content)
        self._hash = hashlib.sha256(content)

    @property
    def digest(self) -> PrefixDigest:
        """The digest of the rows so far, and hence of the whole file."""
        return PrefixDigest(self.rows, self._hash.hexdigest())

    def append(self, sample: Sample) -> None:
        """Write one row, with numbers in full double precision.

        Raises:
            OutputError: the disk is full or the file gone; the earlier rows are intact.
        """
        # Numbers are converted by float and int, because NumPy scalars print with their type.
        cells = [
            repr(int(value)) if name in _WHOLE else repr(float(value))
            for name in self._columns
            for value in (getattr(sample, name),)
        ]
        row = (",".join(cells) + "\n").encode()
        append_atomically(self.path, row)
        self._hash.update(row)
        self.rows += 1


def first_rows(path: Path, rows: int) -> bytes:
    """Return the header and the first rows of an earlier run's history.

    Raises:
        TruncatedError: the history has fewer rows.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise TruncatedError(f"{path}: cannot be read ({error.strerror})") from error
    # Anything after the last line end is a row that was cut off while being written.
    if len(lines) - 2 < rows:
        raise TruncatedError(
            f"{path}: has {counted(max(len(lines) - 2, 0), 'row')}, but {rows} were written"
        )
    return b"\n".join(lines[: rows + 1]) + b"\n"


def _columns_of(content: bytes) -> tuple[str, ...] | None:
    """Return the columns of a history of this version or an earlier one; None if it is none."""
    header = tuple(content.split(b"\n", 1)[0].decode(errors="replace").split(","))
    return header if header in (COLUMNS, EARLIER_COLUMNS) else None


def _found(path: Path) -> str:
    """Describe, for a message, a file that does not begin as a history does."""
    try:
        return f"it {read_cells(path).described}, as another program saved it"
    except InputError:
        return "it is no table of a run"


def read_history(folder: Path | str) -> pd.DataFrame:
    """Return the history of a results folder, possibly of a run that is going on or was killed.

    Args:
        folder: the results folder, or history.csv itself.

    Returns:
        A frame with the columns `COLUMNS` and one row for each accepted step. A last row without a
            line end was cut off while being written and is left out. Columns that an earlier
            version did not write hold NaN.

    Raises:
        InputError: the file does not exist, or its columns are not those of a history.
    """
    # Runs only write histories, and pandas takes a third of the time in which a rank starts.
    import pandas as pd

    path = Path(folder)
    path = path / "history.csv" if path.is_dir() else path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    whole = content[: content.rfind(b"\n") + 1]
    columns = _columns_of(whole)
    if columns is None:
        raise InputError(
            f"{path}: not a history as a run writes it: {_found(path)}"
            f" (its first line must be {','.join(COLUMNS)})"
        )
    kinds = {name: _WHOLE.get(name, np.float64) for name in columns}
    try:
        # The numbers are read as text first, since pandas versions differ in how exactly they
        # convert.
        table = pd.read_csv(io.BytesIO(whole), dtype=str, keep_default_na=False).astype(kinds)
    except ValueError as error:
        raise InputError(f"{path}: {str(error).splitlines()[0]}") from error
    return table.reindex(columns=list(COLUMNS))
