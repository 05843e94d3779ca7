"""particles.h5: the lithium in every particle over time.

    time_s                      (T,)     s
    lithium_fraction            (T, N)   mean over the particle
    surface_lithium_fraction    (T, N)   mean over its reacting surface
    current_A_m2                (T, N)   mean over that surface; positive when lithium leaves

The N particles are in the order of particles.csv. The file is rewritten as a whole: it is small (7
MB for 1,000 particles and 300 samples), and a file that HDF5 extends in place is unreadable if the
process is killed meanwhile. Rewriting at every sample costs O(T^2) in total, so it is done only as
often as a given share of the run's wall time allows.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heterode.base.digests import PrefixDigest, text_digest
from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.results.hdf5 import UnreadableError, hdf5_bytes, read_hdf5
from heterode.results.sample import Floats, Sample
from heterode.results.storage import AlteredError, TruncatedError, write_atomically

UNITS = {
    "lithium_fraction": "1",
    "surface_lithium_fraction": "1",
    "current_A_m2": "A m^-2, positive when lithium leaves the particle",
}


@dataclass(frozen=True)
class ParticleHistory:
    """The content of particles.h5: T samples of N particles.

    Attributes:
        time_s: (T,) times, s.
        lithium_fraction: (T, N) mean over each particle.
        surface_lithium_fraction: (T, N) mean over each particle's reacting surface.
        current_A_m2: (T, N) mean current density, A m^-2; positive when lithium leaves the
            particle.
    """

    time_s: Floats
    lithium_fraction: Floats
    surface_lithium_fraction: Floats
    current_A_m2: Floats


class ParticleSeries:
    """Collects the samples of the particles and keeps particles.h5 up to date.

    Args:
        path: particles.h5.
        particles: the number of particles, N.
        wall_share: the share of the wall time that rewriting may take; infinity rewrites every
            time.
        keep: the number of samples to keep of an earlier run's file; None starts a new one.

    Raises:
        OutputError: the file cannot be written.
        TruncatedError: an earlier run's file has fewer samples than `keep`.
    """

    def __init__(
        self,
        path: Path,
        particles: int,
        *,
        wall_share: float = 0.02,
        keep: int | None = None,
    ) -> None:
        self.path = path
        self.particles = particles
        self._wall_share = wall_share
        self._count = 0
        self._written = -1
        self._time: Floats = np.empty(64)
        self._values = {name: np.empty((64, particles)) for name in UNITS}
        self._not_before = 0.0
        self._hash = hashlib.sha256()
        self._file_digest = ""
        if keep is not None:
            self._load(keep)
        self.flush()

    @property
    def samples(self) -> int:
        """The number of samples so far."""
        return self._count

    @property
    def digest(self) -> PrefixDigest:
        """The digest of the samples' numbers so far."""
        return PrefixDigest(self._count, self._hash.hexdigest())

    @property
    def file_digest(self) -> str:
        """The digest of the file as it was last written."""
        return self._file_digest

    def append(self, sample: Sample) -> None:
        """Take a sample; it is written at once, or a little later if the file is large.

        Raises:
            OutputError: the disk is full or the folder gone; the file on disk is intact.
        """
        arrays = (
            sample.lithium_fraction,
            sample.surface_lithium_fraction,
            sample.particle_current_A_m2,
        )
        for name, array in zip(UNITS, arrays, strict=True):
            if np.shape(array) != (self.particles,):
                raise ValueError(f"{name} has shape {np.shape(array)}, not ({self.particles},)")
        if self._count == len(self._time):
            self._grow()
        self._time[self._count] = sample.time_s
        for name, array in zip(UNITS, arrays, strict=True):
            self._values[name][self._count] = array
        _add_sample(self._hash, self._time, self._values.values(), self._count)
        self._count += 1
        if time.monotonic() >= self._not_before:
            self.flush()

    def flush(self) -> None:
        """Bring the file up to date."""
        if self._written == self._count:
            return
        begin = time.monotonic()
        size = 8 * self._count * (1 + 3 * self.particles)
        content = hdf5_bytes(self._build, size)
        write_atomically(self.path, content)
        self._file_digest = text_digest(content)
        self._written = self._count
        end = time.monotonic()
        self._not_before = end + (end - begin) / self._wall_share

    def close(self) -> None:
        """Bring the file up to date for the last time."""
        self.flush()

    def _build(self, file: Any) -> None:
        file["time_s"] = self._time[: self._count]
        file["time_s"].attrs["unit"] = "s"
        for name, unit in UNITS.items():
            file[name] = self._values[name][: self._count]
            file[name].attrs["unit"] = unit

    def _load(self, count: int) -> None:
        earlier = first_samples(self.path, count)
        while len(self._time) < count:
            self._grow()
        self._time[:count] = earlier.time_s
        for name, values in self._values.items():
            values[:count] = getattr(earlier, name)
        for index in range(count):
            _add_sample(self._hash, self._time, self._values.values(), index)
        self._count = count

    def _grow(self) -> None:
        more = 2 * len(self._time)
        self._time = np.concatenate([self._time, np.empty(more - len(self._time))])
        for name, old in self._values.items():
            new = np.empty((more, self.particles))
            new[: len(old)] = old
            self._values[name] = new


def first_samples(path: Path, count: int) -> ParticleHistory:
    """Return the first samples of an earlier run's particles.h5.

    Raises:
        TruncatedError: the file has fewer samples, or does not exist.
        AlteredError: the file cannot be read.
    """
    try:
        found = read_particle_series(path)
    except InputError as error:
        kind = AlteredError if path.is_file() else TruncatedError
        raise kind(str(error)) from error
    if len(found.time_s) < count:
        raise TruncatedError(
            f"{path}: has {counted(len(found.time_s), 'sample')}, but {count} were written"
        )
    return ParticleHistory(*(values[:count] for values in vars(found).values()))


def samples_digest(history: ParticleHistory) -> PrefixDigest:
    """Return the digest that `ParticleSeries.digest` has after these samples."""
    hashed = hashlib.sha256()
    arrays = [getattr(history, name) for name in UNITS]
    for index in range(len(history.time_s)):
        _add_sample(hashed, history.time_s, arrays, index)
    return PrefixDigest(len(history.time_s), hashed.hexdigest())


def _add_sample(hashed: Any, times: Floats, arrays: Iterable[Floats], index: int) -> None:
    for values in (times, *arrays):
        hashed.update(np.ascontiguousarray(values[index], dtype="<f8").tobytes())


def read_particle_series(folder: Path | str) -> ParticleHistory:
    """Return the samples of the particles in a results folder.

    Args:
        folder: the results folder, or particles.h5 itself.

    Raises:
        InputError: the file does not exist, or was not written by heterode.
    """
    path = Path(folder)
    path = path / "particles.h5" if path.is_dir() else path
    try:
        return read_hdf5(path, _read)
    except UnreadableError as error:
        raise InputError(f"{path}: not readable as a particle series ({error})") from error


def _read(file: Any) -> ParticleHistory:
    return ParticleHistory(*(_numbers(file, name) for name in ("time_s", *UNITS)))


def _numbers(file: Any, name: str) -> Floats:
    dataset = file[name]
    # A damaged file may claim more numbers than fit in memory.
    if dataset.dtype != np.float64 or dataset.nbytes > file.id.get_filesize():
        raise ValueError(f"{name} is damaged")
    if dataset.ndim != (1 if name == "time_s" else 2) or len(dataset) != len(file["time_s"]):
        raise ValueError(f"{name} has the shape {dataset.shape}")
    return np.asarray(dataset[()])
