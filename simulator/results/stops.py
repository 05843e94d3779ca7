"""stops/: the particles at each voltage stop, as a table for each.

    stops/03_4.20V.csv      the third stop of the run, at 4.20 V

The columns are those of particles.csv, followed by lithium_fraction and surface_lithium_fraction.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from heterode.base.digests import text_digest
from heterode.base.words import counted
from heterode.particles.table import COLUMNS, ParticleTable
from heterode.results.run_files import matching
from heterode.results.sample import Sample
from heterode.results.storage import OutputError, TruncatedError, explain, write_atomically

STOP_COLUMNS = (*COLUMNS, "lithium_fraction", "surface_lithium_fraction")


class StopTables:
    """Writes a table at each stop.

    Args:
        folder: stops/, which is created with the first table.
        table: the particles; None if there are no stops.
        keep: the number of tables to keep of an earlier run; the others are deleted.
        note: called with the name and the digest of each table that is written.

    Attributes:
        files: the tables, in order.

    Raises:
        OutputError: the folder cannot be written.
        TruncatedError: an earlier run's folder has fewer tables than `keep`.
    """

    def __init__(
        self,
        folder: Path,
        table: ParticleTable | None,
        *,
        keep: int | None = None,
        note: Callable[[str, str], None] = lambda name, digest: None,
    ) -> None:
        self._folder, self._table, self._note = folder, table, note
        self.files = first_files(folder, keep or 0)
        try:
            for path in set(_files(folder)) - set(self.files):
                path.unlink()
        except OSError as error:
            raise OutputError(explain(folder, error)) from error

    def write(self, sample: Sample, voltage: float) -> None:
        """Write the table of a sample, whole or not at all.

        Args:
            sample: a sample of N particles.
            voltage: the voltage of the stop, V.

        Raises:
            OutputError: the disk is full or the folder gone; the earlier tables are intact.
        """
        assert self._table is not None
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(explain(self._folder, error)) from error
        path = self._folder / f"{len(self.files) + 1:02d}_{_volts(voltage)}V.csv"
        content = _content(self._table, sample)
        write_atomically(path, content)
        self._note(path.name, text_digest(content))
        self.files.append(path)


def first_files(folder: Path, count: int) -> list[Path]:
    """Return the first tables of an earlier run.

    Raises:
        TruncatedError: there are fewer.
    """
    found = _files(folder)[:count]
    if len(found) < count:
        raise TruncatedError(
            f"{folder}: has {counted(len(found), 'table')}, but {count} were written"
        )
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(matching(folder, "stops"), key=lambda path: int(path.name.partition("_")[0]))


def _volts(voltage: float) -> str:
    """Format a voltage with two decimals, or with more if stops differ only in those."""
    return next(
        text
        for text in (f"{voltage:.{digits}f}" for digits in (2, 3, 4, 9))
        if abs(float(text) - voltage) < 1e-9
    )


def _content(table: ParticleTable, sample: Sample) -> bytes:
    values = [getattr(table, name).tolist() for name in COLUMNS]
    values += [getattr(sample, name).tolist() for name in STOP_COLUMNS[len(COLUMNS) :]]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(STOP_COLUMNS)
    writer.writerows(zip(*values, strict=True))
    return stream.getvalue().encode()
