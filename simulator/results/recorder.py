"""One observer that keeps history, particle series and fields of a run in step."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from simulator.results.fields import FieldWriter
from simulator.results.folder import ResultsFolder
from simulator.results.history import History
from simulator.results.particle_series import ParticleSeries
from simulator.results.sample import FieldGrid, FieldValues, Sample


class Recorder:
    """Writes each sample to the results folder; used on rank 0 alone.

    Args:
        folder: a folder just created.
        particles: N.
        grids: the domains' grids, for the fields.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: ResultsFolder, particles: int, grids: Sequence[FieldGrid]) -> None:
        self._fields = FieldWriter(folder.fields, grids)
        self._series = ParticleSeries(folder.particle_series, particles)
        self._history = History(folder.history)

    def record(
        self, sample: Sample, fields: FieldValues | None = None, *, particles: bool = True
    ) -> None:
        """Write a sample: with `fields` if it has them, to the series if `particles`.

        Raises:
            OutputError: disk full or folder gone; the samples before are intact.
        """
        # The history's row comes last: once it is there, so is the rest of the sample.
        if fields is not None:
            self._fields.write(sample.time_s, fields)
        if particles:
            self._series.append(sample)
        self._history.append(sample)

    def close(self) -> None:
        """Bring the particle series up to date."""
        self._series.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
