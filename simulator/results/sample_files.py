"""What keeps history, particle series and fields of a run in step."""

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
    """How much of a run is in its files.

    Attributes:
        rows: of the history.
        particles: samples of the particle series.
        fields: samples of the fields.
        stops: tables of the particles at voltage stops.
        digests: of this much of each file that grows, by its name within the folder; empty where
            an earlier version kept none.
    """

    rows: int
    particles: int
    fields: int
    stops: int = 0
    digests: Mapping[str, PrefixDigest] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Self:
        """What `dataclasses.asdict` made of it."""
        digests = {name: PrefixDigest(**one) for name, one in entry.get("digests", {}).items()}
        return cls(**{**entry, "digests": digests})


class SampleFiles:
    """Writes each sample to the results folder; used on rank 0 alone.

    Args:
        folder: a folder just created, or an earlier run's.
        particles: N.
        grids: the domains' grids, for the fields.
        keep: what to go on from in an earlier run's files; the rest is cut off. None starts anew.
        table: the particles, for the tables at voltage stops.
        accepted: the earlier run's files were altered, and are gone on with as they are.

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
        accepted: bool = False,
    ) -> None:
        rows = samples = kept = stopped = lines = None
        if keep is not None:
            rows, samples, kept, stopped = keep.rows, keep.particles, keep.fields, keep.stops
            lines = keep.digests[SUMS].count if keep.digests else None
        self._folder = folder
        # Before the files that it lists: what a kill leaves behind it is not relied on.
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
            self._sums = DigestList(folder.sums, anew=self._present())
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
        files.append(folder.sums)
        make_durable([*files, *self._stops.files])

    def close(self) -> None:
        """Bring the particle series up to date."""
        self._series.close()

    def list_finished(self) -> Mapping[str, PrefixDigest]:
        """Add the files that grew until now to the list of digests, as the run has ended.

        Returns:
            digests of all of every file that grew, the list among them.

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
        """The files written once that are there: their names and digests."""
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
