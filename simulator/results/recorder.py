"""One observer that keeps history, particle series and fields of a run in step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from simulator.particles import ParticleTable
from simulator.results import fields, history, particle_series, stops
from simulator.results.fields import FieldWriter
from simulator.results.folder import ResultsFolder
from simulator.results.history import History
from simulator.results.particle_series import ParticleSeries
from simulator.results.sample import DOMAINS, FieldGrid, FieldValues, Sample
from simulator.results.stops import StopTables
from simulator.results.storage import make_durable


@dataclass(frozen=True)
class Written:
    """How much of a run is in its files.

    Attributes:
        rows: of the history.
        particles: samples of the particle series.
        fields: samples of the fields.
        stops: tables of the particles at voltage stops.
    """

    rows: int
    particles: int
    fields: int
    stops: int = 0


class Recorder:
    """Writes each sample to the results folder; used on rank 0 alone.

    Args:
        folder: a folder just created, or an earlier run's.
        particles: N.
        grids: the domains' grids, for the fields.
        keep: what to go on from in an earlier run's files; the rest is cut off. None starts anew.
        table: the particles, for the tables at voltage stops.

    Attributes:
        written: what the samples recorded amount to, those of `complete` left out.

    Raises:
        OutputError: the folder cannot be written.
        TruncatedError: the earlier run's files hold less than `keep`.
    """

    def __init__(
        self,
        folder: ResultsFolder,
        particles: int,
        grids: Sequence[FieldGrid],
        *,
        keep: Written | None = None,
        table: ParticleTable | None = None,
    ) -> None:
        rows, samples, kept, stopped = (None,) * 4 if keep is None else vars(keep).values()
        self._folder = folder
        self._fields = FieldWriter(folder.fields, grids, keep=kept)
        self._series = ParticleSeries(folder.particle_series, particles, keep=samples)
        self._stops = StopTables(folder.stops, table, keep=stopped)
        self._history = History(folder.history, keep=rows)
        self.written = self._count()
        self._last = (False, False)

    def record(
        self,
        sample: Sample,
        fields: FieldValues | None = None,
        *,
        particles: bool = True,
        stop: float | None = None,
    ) -> None:
        """Write a sample: with `fields` if it has them, to the series if `particles`, and with a
        table of its own at a voltage stop (V).

        Raises:
            OutputError: disk full or folder gone; the samples before are intact.
        """
        # The history's row comes last: once it is there, so is the rest of the sample.
        if fields is not None:
            self._fields.write(sample.time_s, fields)
        if particles:
            self._series.append(sample)
        if stop is not None:
            self._stops.write(sample, stop)
        self._history.append(sample)
        self.written = self._count()
        self._last = (fields is not None, particles)

    def complete(self, sample: Sample, fields: FieldValues) -> None:
        """Write what `record` was not given of the last sample, which ends the files for now.

        A run that goes on from `written` cuts it off again.

        Args:
            sample: the last one recorded.
            fields: its fields.

        Raises:
            OutputError: as in `record`.
        """
        if not self._last[0]:
            self._fields.write(sample.time_s, fields)
        if not self._last[1]:
            self._series.append(sample)
        self._last = (True, True)

    def make_durable(self) -> None:
        """Bring every file up to date, and wait until it would survive a power cut.

        Raises:
            OutputError: as in `record`.
        """
        self._series.flush()
        self._fields.make_durable()
        folder = self._folder
        files = [folder.particle_series, folder.history, folder.manifest, folder.particles]
        make_durable([*files, *self._stops.files])

    def close(self) -> None:
        """Bring the particle series up to date."""
        self._series.close()

    def _count(self) -> Written:
        counts = self._history.rows, self._series.samples, self._fields.samples
        return Written(*counts, len(self._stops.files))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def check_written(folder: ResultsFolder, written: Written) -> None:
    """See that a folder holds what a checkpoint says was written; changes nothing.

    Raises:
        TruncatedError: it holds less.
    """
    history.first_rows(folder.history, written.rows)
    particle_series.first_samples(folder.particle_series, written.particles)
    stops.first_files(folder.stops, written.stops)
    for domain in DOMAINS:
        fields.first_samples(folder.fields, domain, written.fields)
