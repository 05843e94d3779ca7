"""The results folder: the places of its files, and the claim of a run to a folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol

from heterode.base.errors import InputError
from heterode.base.temporary import PARTIAL, PREFIX, is_leftover, new_beside
from heterode.results.digest_list import SUMS
from heterode.results.manifest import Manifest, read_manifest
from heterode.results.storage import OutputError, explain
from heterode.results.written import make_folder

_KNOWN = {
    "manifest.json",
    "history.csv",
    "particles.csv",
    "particles.h5",
    "fields",
    "stops",
    "report",
    "checkpoint",
    SUMS,
}
LOCK = "lock"
"""Name of the file held by the run that writes to a folder; see `heterode.results.lock`."""


class Table(Protocol):
    """A table that can write itself as a CSV file, such as a ParticleTable."""

    def write_csv(self, path: Path, /) -> Any:
        """Write the table to a file."""


class ResultsFolder:
    """The paths of a results folder; `create` makes a new one, `open` opens an existing one.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.manifest = self.path / "manifest.json"
        self.history = self.path / "history.csv"
        self.particles = self.path / "particles.csv"
        self.particle_series = self.path / "particles.h5"
        self.fields = self.path / "fields"
        self.stops = self.path / "stops"
        self.report = self.path / "report"
        self.checkpoint = self.path / "checkpoint"
        self.sums = self.path / SUMS
        self.lock = self.path / LOCK

    @classmethod
    def create(cls, path: Path | str, *, overwrite: bool = False) -> ResultsFolder:
        """Claim `path` for a new run; afterwards it exists and is writable.

        Args:
            path: a folder that is missing or empty; missing parents are created.
            overwrite: whether it may hold the results of an earlier run with a manifest of this
                program. They stay as they are until `heterode.results.clearing.clear` deletes them.

        Raises:
            InputError: the path holds other files, is not a folder, or cannot be written; it is
                unchanged.
        """
        folder = cls(path)
        made = _missing_parents(folder.path)
        try:
            _refuse_foreign(folder, overwrite)
            folder.path.mkdir(parents=True, exist_ok=True)
            _try_writing(folder.path)
        except (OSError, InputError) as error:
            for directory in made:
                with suppress(OSError):
                    directory.rmdir()
            if isinstance(error, InputError):
                raise
            raise InputError(explain(folder.path, error)) from error
        return folder

    @classmethod
    def check(cls, path: Path | str, *, overwrite: bool = False) -> None:
        """Refuse what `create` would refuse, without changing anything.

        Raises:
            InputError: as in `create`.
        """
        folder = cls(path)
        try:
            _refuse_foreign(folder, overwrite)
            present = next(p for p in (folder.path, *folder.path.parents) if os.path.lexists(p))
            if not present.is_dir() or not os.access(present, os.W_OK | os.X_OK):
                raise InputError(f"{folder.path}: cannot be written. Choose another --out")
        except OSError as error:
            raise InputError(explain(folder.path, error)) from error

    @classmethod
    def open(cls, path: Path | str) -> ResultsFolder:
        """Return an existing results folder.

        Raises:
            InputError: the folder does not exist, or has no manifest of this program.
        """
        folder = cls(path)
        if not folder.path.is_dir():
            what = "is not a folder" if os.path.lexists(folder.path) else "no such folder"
            raise InputError(f"{folder.path}: {what}. Give the results folder of a run")
        _refuse_pipes(folder.path)
        read_manifest(folder.manifest)
        return folder

    def continue_manifest(self, **entries: Any) -> Manifest:
        """Return the manifest of the resumed run, with its status set to "running" again."""
        return Manifest(self.manifest, read_manifest(self.manifest), **entries)

    def start_manifest(self, **entries: Any) -> Manifest:
        """Write the manifest with the status "running"."""
        return Manifest(self.manifest, **entries)

    def write_particles(self, table: Table) -> None:
        """Write particles.csv, whole or not at all.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            with new_beside(self.particles) as partial:
                table.write_csv(partial)
                os.replace(partial, self.particles)
        except OSError as error:
            raise OutputError(explain(self.particles, error)) from error

    def make_report(self) -> Path:
        """Return the folder report/, which is created if it is missing.

        Raises:
            InputError: a file is in the way.
            OutputError: the folder cannot be created.
        """
        return make_folder(self.report)


def _refuse_pipes(path: Path) -> None:
    """Refuse a folder with pipes or devices in place of results; reading them never ends."""
    for place in (path, *(path / name for name in _KNOWN)):
        inside = place.iterdir() if place.is_dir() else [place]
        for file in inside:
            if file.exists() and not file.is_dir() and not file.is_file():
                raise InputError(
                    f"{file}: is a pipe or a device, where a results folder has a file. Remove it"
                )


def _missing_parents(path: Path) -> list[Path]:
    """Return those of `path` and its parents that do not exist yet, deepest first."""
    return [place for place in (path, *path.parents) if not os.path.lexists(place)]


def _refuse_foreign(folder: ResultsFolder, overwrite: bool) -> None:
    path = folder.path
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        raise InputError(f"{path}: is not a folder. Choose another --out")
    if is_unborn(path):
        return
    if not overwrite:
        try:
            read_manifest(folder.manifest)
        except InputError:
            raise InputError(
                f"{path}: is not empty, and not a results folder. Choose another --out"
            ) from None
        raise InputError(
            f"{path}: the folder is not empty. Choose another --out; --resume goes on with a run "
            "there, and --overwrite would replace its results"
        )
    if any(place.is_symlink() for place in (path / name for name in _KNOWN)):
        raise InputError(f"{path}: holds links instead of results. Choose another --out")
    try:
        read_manifest(folder.manifest)
    except InputError as error:
        raise InputError(
            f"{path}: not a results folder, so --overwrite does not delete it. Choose another --out"
        ) from error


def is_unborn(path: Path) -> bool:
    """Whether a folder is missing, empty, or as a run may leave it in its first moment."""
    if not path.is_dir():
        return not os.path.lexists(path)
    return all(place.name == LOCK or is_leftover(place.name) for place in path.iterdir())


def _try_writing(path: Path) -> None:
    # The file has no name, where the file system allows that, and so cannot be in any file's way.
    with TemporaryFile(dir=path, prefix=PREFIX, suffix=PARTIAL) as probe:
        probe.write(b"heterode\n")
        probe.flush()
