"""Writer that keeps the history, particle series and fields of a run consistent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from heterode.base.digests import PrefixDigest, file_digest
from heterode.particles.table import ParticleTable
from heterode.results.digest_list import SUMS, DigestList
from heterode.results.fields import FieldWriter
from heterode.results.folder import ResultsFolder
from heterode.results.history import History
from heterode.results.particle_series import ParticleSeries
from heterode.results.sample import FieldGrid, FieldValues, Sample
from heterode.results.stops import StopTables
from heterode.results.storage import make_durable


@dataclass(frozen=True)
class Written:
    """How much of a run its files hold.

    Attributes:
        rows: the number of rows of the history.
        particles: the number of samples of the particle series.
        fields: the number of samples of the fields.
        stops: the number of particle tables at voltage stops.
        digests: digests of this part of each file that grows, by its name within the folder; empty
            if an earlier version kept none.
    """

    rows: int
    particles: int
    fields: int
    stops: int = 0
    digests: Mapping[str, PrefixDigest] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Self:
        """Return the record that `dataclasses.asdict` turned into a dictionary."""
        digests = {name: PrefixDigest(**one) for name, one in entry.get("digests", {}).items()}
        return cls(**{**entry, "digests": digests})


class SampleFiles:
    """Writes each sample to the results folder; used on rank 0 only.

    Args:
        folder: a folder that was just created, or that of an earlier run.
        particles: the number of particles, N.
        grids: the grids of the domains, for the fields.
        keep: how much to keep of an earlier run's files, the rest being cut off; None starts new
            ones.
        table: the particles, for the tables at voltage stops.
        accepted: whether the earlier run's files were altered and are continued as they are.

    Attributes:
        written: how much is recorded, without what `complete` added.

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
        accepted: bool = False,
    ) -> None:
        rows = samples = kept = stopped = lines = None
        if keep is not None:
            rows, samples, kept, stopped = keep.rows, keep.particles, keep.fields, keep.stops
            lines = keep.digests[SUMS].count if keep.digests else None
        self._folder = folder
        # The list is cut back before the files that it names, since entries after a kill are not
        # used.
        self._sums = DigestList(folder.sums, keep=lines)
        self._fields = FieldWriter(
            folder.fields,
            grids,
            keep=kept,
            note=lambda name, digest: self._sums.note(f"{folder.fields.name}/{name}", digest),
        )
        self._series = ParticleSeries(folder.particle_series, particles, keep=samples)
        self._stops = StopTables(
            folder.stops,
            table,
            keep=stopped,
            note=lambda name, digest: self._sums.note(f"{folder.stops.name}/{name}", digest),
        )
        self._history = History(folder.history, keep=rows)
        if keep is None and folder.particles.is_file():
            self._sums.note(folder.particles.name, file_digest(folder.particles))
        elif keep is not None and (accepted or lines is None):
            self._sums = DigestList(folder.sums, existing=self._present())
        self.written = self._count()
        self._last = (False, False)
        self._finished = False

    def record(
        self,
        sample: Sample,
        fields: FieldValues | None = None,
        *,
        particles: bool = True,
        stop: float | None = None,
    ) -> None:
        """Write a sample to the history, and as requested to the other files.

        Args:
            sample: the sample.
            fields: its fields, if they are to be written.
            particles: whether it enters the particle series.
            stop: the voltage of the stop that it reached, V, for a table of its own; None for no
                stop.

        Raises:
            OutputError: the disk is full or the folder gone; the earlier samples are intact.
        """
        # The row of the history is written last, so that the rest of the sample exists if the row
        # does.
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
        """Write what `record` was not given of the last sample, which completes the files for now.

        A run that resumes from `written` cuts this off again.

        Args:
            sample: the last sample that was recorded.
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
        files.append(folder.sums)
        make_durable([*files, *self._stops.files])

    def close(self) -> None:
        """Bring the particle series up to date."""
        self._series.close()

    def list_finished(self) -> Mapping[str, PrefixDigest]:
        """Add the files that have grown to the list of digests, now that the run has ended.

        Returns:
            the digest of every file that grew, including the list, each over the whole file.

        Raises:
            OutputError: as in `record`.
        """
        folder = self._folder
        if self._finished:
            return self._digests()
        self._finished = True
        self._sums.note(folder.history.name, self._history.digest.sha256)
        self._sums.note(folder.particle_series.name, self._series.file_digest)
        for name, digest in self._fields.file_digests.items():
            self._sums.note(f"{folder.fields.name}/{name}", digest)
        return self._digests()

    def _count(self) -> Written:
        counts = self._history.rows, self._series.samples, self._fields.samples
        return Written(*counts, len(self._stops.files), self._digests())

    def _digests(self) -> dict[str, PrefixDigest]:
        folder = self._folder
        listed = {f"{folder.fields.name}/{name}": d for name, d in self._fields.digests.items()}
        return {
            SUMS: self._sums.digest,
            folder.history.name: self._history.digest,
            folder.particle_series.name: self._series.digest,
            **listed,
        }

    def _present(self) -> list[tuple[str, str]]:
        """Return the names and digests of the existing files that are written once."""
        folder = self._folder
        paths = [folder.particles, *self._fields.files, *self._stops.files]
        there = (path for path in paths if path.is_file())
        return [(path.relative_to(folder.path).as_posix(), file_digest(path)) for path in there]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
