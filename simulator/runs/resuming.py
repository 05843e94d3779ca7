"""Going on with a run that ended early: whether it can be, and from which checkpoint.

What may differ between the pieces of one run is [output], the title, and where files lie.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from heterode import __version__
from heterode.base.digests import PrefixDigest, file_digest
from heterode.base.errors import InputError, ResumeError
from heterode.base.ranks import on_root
from heterode.base.temporary import remove_leftovers
from heterode.parameters import Parameters
from heterode.parameters.files import files_of
from heterode.physics.weak_form import DOMAINS
from heterode.results.checkpoint import (
    Checkpoint,
    Checkpoints,
    CorruptError,
    list_checkpoints,
    read_checkpoint,
)
from heterode.results.fields import first_samples
from heterode.results.folder import ResultsFolder, is_unborn
from heterode.results.history import read_history
from heterode.results.integrity import Finding, files_against
from heterode.results.json_record import record_problem
from heterode.results.lock import FolderLock
from heterode.results.manifest import INDENT, read_manifest
from heterode.results.run_files import FOLDERS, earlier_files
from heterode.results.sample_files import Written
from heterode.results.stops import first_files
from heterode.results.storage import TruncatedError
from heterode.results.trust import altered_error, check_whole, told

Stage = Literal["unborn", "begun", "under way", "completed"]

_FREE_SECTIONS = {"title", "output"}
_FREE_KEYS = {"file", "mesh_file"}
"""Paths: the mesh and the penalties are compared themselves."""

_ANEW = "Start anew with another --out"


@dataclass(frozen=True)
class Found:
    """A checkpoint to go on from.

    Attributes:
        path: its file.
        checkpoint: its content.
        written: what the results files held then.
        remarks: for the user: damaged checkpoints passed over, another program version.
        altered: files gone on with though they are not as the run wrote them, a line each.
    """

    path: Path
    checkpoint: Checkpoint
    written: Written
    remarks: tuple[str, ...]
    altered: tuple[str, ...] = ()


def stage(folder: Path, parameters: Parameters) -> Stage:
    """How far the run in a folder came.

    Returns:
        "unborn": there is none; "begun": none of its checkpoints; "under way"; or "completed".

    Raises:
        InputError: it is another run's folder, or none at all.
    """
    if is_unborn(folder):
        return "unborn"
    try:
        manifest = read_manifest(ResultsFolder(folder).manifest)
    except InputError as error:
        if ResultsFolder(folder).manifest.exists():
            raise
        raise InputError(
            f"{folder}: not a results folder, so --resume finds no run there. Choose another --out"
        ) from error
    compare(folder, manifest["parameters"], parameters)
    if list_checkpoints(ResultsFolder(folder).checkpoint):
        # Checkpoints go last: a run killed while it drew its figures draws them again.
        return "under way"
    return "completed" if manifest["status"] == "completed" else "begun"


def is_completed(
    folder: Path,
    parameters: Parameters,
    comm: Any,
    *,
    mind: Callable[[str], None] = lambda line: None,
    accept_altered: bool = False,
) -> bool:
    """Whether a folder holds the whole run of these parameters, as it was written. Collective.

    Args:
        folder, parameters, comm: of the run.
        mind, accept_altered: see `heterode.results.trust.check_whole`.

    Raises:
        InputError: it is another run's folder, or none at all.
        AlteredError: its files are not as the run wrote them.
    """

    def look() -> bool:
        if stage(folder, parameters) != "completed":
            return False
        check_whole(folder, mind, accept_altered=accept_altered)
        return True

    return bool(comm.bcast(on_root(comm, look), root=0))


def compare(folder: Path, earlier: Mapping[str, Any], parameters: Parameters) -> None:
    """Refuse to go on with other parameters.

    Args:
        folder: for the message.
        earlier: parameters of the run so far, from its manifest or checkpoint.
        parameters: those given now.

    Raises:
        InputError: the first key that differs, with both values.
    """
    now = dict(_leaves(parameters.to_si_dict()))
    # Keys that the earlier run's version did not have yet keep their defaults.
    for key, before in _leaves(earlier):
        if now.get(key) != before:
            raise InputError(
                f"{parameters.source_file}: {key} = {_shown(now.get(key))}, but the run in "
                f"{folder} has {_shown(before)} (SI units; allowed: changes in [output]). "
                f"Give the same value. {_ANEW}"
            )


def _leaves(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if (not above and name in _FREE_SECTIONS) or name in _FREE_KEYS:
            continue
        if isinstance(value, Mapping):
            # A section, or a table, that one run has and the other has not.
            yield above + name, "given"
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield above + name, value


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def newest(
    folder: ResultsFolder,
    parameters: Parameters,
    hashes: Mapping[str, str | None],
    *,
    accept_altered: bool = False,
) -> Found:
    """The newest checkpoint that is whole, with the results files it counts on.

    Args:
        folder: a run under way.
        parameters: those given now.
        hashes: by name ("mesh", "penalty"), of what the parameters lead to now.
        accept_altered: go on with files that are not as the run wrote them.

    Raises:
        InputError: the checkpoint is of other parameters, another mesh or other penalties; or the
            results files hold less than every checkpoint counts on.
        AlteredError: the results files are not as the run wrote them.
        ResumeError: no checkpoint is whole.
    """
    damaged: list[str] = []
    short: list[Finding] = []
    manifest = _manifest_finding(folder)
    # One file may be looked at for two checkpoints.
    digest_of = cache(file_digest)
    for path in list_checkpoints(folder.checkpoint):
        try:
            checkpoint = read_checkpoint(path)
        except CorruptError as error:
            damaged.append(str(error))
            continue
        written = Written.from_dict(checkpoint.header["written"])
        findings = files_against(folder, expected(written), digest_of=digest_of)
        findings += [] if written.digests else _unlisted(folder, written)
        short = [finding for finding in findings if finding.gone]
        if short:
            # What is missing is computed again from the checkpoint before.
            damaged += [told(folder.path, finding) for finding in short]
            continue
        altered = [*manifest, *(finding for finding in findings if finding.problem)]
        if altered and not accept_altered:
            raise altered_error(folder.path, tuple(altered))
        header = checkpoint.header
        compare(folder.path, header["parameters"], parameters)
        _compare_hashes(folder, header["hashes"], hashes)
        remarks = [f"{problem}; going on from {path}" for problem in damaged]
        if header["version"] != __version__:
            remarks.append(f"{path} was written by heterode {header['version']}")
        if not written.digests:
            remarks.append(f"{path} has no digests (an earlier version's): changes would not show")
        lines = tuple(told(folder.path, finding) for finding in altered)
        remarks += [f"{line}; accepted" for line in lines]
        return Found(path, checkpoint, written, tuple(remarks), lines)
    if short:
        raise InputError(
            f"{folder.path}: its files hold less than its checkpoints count on "
            f"({'; '.join(damaged)}). Nothing was changed. Restore them from a copy, or start anew "
            "with another --out"
        )
    raise ResumeError(
        f"{folder.path}: no checkpoint is usable ({'; '.join(damaged)}). Nothing was changed. "
        f"{_ANEW}"
    )


def _compare_hashes(
    folder: ResultsFolder,
    earlier: Mapping[str, str | None],
    hashes: Mapping[str, str | None],
) -> None:
    for name, value in hashes.items():
        before = earlier.get(name)
        if before != value:
            raise InputError(
                f"{folder.path}: its {name} has the hash {before}, but the "
                f"parameters now lead to {value}. Use the same files and the gmsh of the first "
                f"run, or give its mesh as geometry.mesh_file. {_ANEW}"
            )


def _manifest_finding(folder: ResultsFolder) -> list[Finding]:
    problem = record_problem(folder.manifest, INDENT)
    return [Finding(folder.manifest.name, problem)] if problem else []


def _unlisted(folder: ResultsFolder, written: Written) -> Iterator[Finding]:
    """Files that are missing, where an earlier version kept no list of them."""
    try:
        first_files(folder.stops, written.stops)
        for domain in DOMAINS:
            first_samples(folder.fields, domain, written.fields)
    except TruncatedError as error:
        yield Finding(".", str(error), gone=True)


def expected(written: Written) -> Mapping[str, PrefixDigest]:
    """How much each file must hold that grows, with its digest where there is one."""
    if written.digests:
        return written.digests
    counts = {"history.csv": written.rows, "particles.h5": written.particles}
    counts |= {f"fields/{domain}.xdmf": written.fields for domain in DOMAINS}
    return {name: PrefixDigest(count, "") for name, count in counts.items()}


def _refuse_lost(folder: ResultsFolder) -> None:
    """Refuse to begin anew in the place of a run whose checkpoints were there, and are gone.

    A run that is stopped writes one: without any, what it computed is all there is of it.

    Raises:
        InputError: it was stopped, and has results.
    """
    stopped = read_manifest(folder.manifest)["status"] == "stopped"
    if stopped and len(read_history(folder.path)) > 1:
        raise InputError(
            f"{folder.checkpoint}: the checkpoints of the run are gone, so it cannot be gone on "
            "with, and its results are not replaced. Bring them back, or choose another --out"
        )


@dataclass(frozen=True)
class Claim:
    """A folder that is this run's to write to.

    Attributes:
        folder: the folder.
        lock: keeps other runs out.
        checkpoints: its checkpoints.
        found: the checkpoint to go on from; None where the run starts.
        replaces: an earlier run's results are there, to be cleared before the first file.
    """

    folder: ResultsFolder
    lock: FolderLock
    checkpoints: Checkpoints
    found: Found | None = None
    replaces: bool = False

    @property
    def without_found(self) -> Claim:
        """The claim without its checkpoint."""
        return replace(self, found=None)

    def release(self) -> None:
        """Let other runs in."""
        self.lock.release()


@dataclass(frozen=True)
class Intent:
    """What a run wants with its folder.

    Attributes:
        path: the folder.
        parameters: of the run.
        overwrite: replace an earlier run's results.
        resume: go on with the run that is there, if there is one.
        accept_altered: also where its files are not as it wrote them.
    """

    path: Path
    parameters: Parameters
    overwrite: bool = False
    resume: bool = False
    accept_altered: bool = False

    def check(self) -> None:
        """Refuse early what `claim` would refuse, changing nothing.

        Raises:
            InputError: as in `claim`.
        """
        if not self.resume:
            ResultsFolder.check(self.path, overwrite=self.overwrite)
            self._spare_inputs()
            return
        reached = stage(self.path, self.parameters)
        if reached == "unborn":
            ResultsFolder.check(self.path)
        elif reached == "begun":
            _refuse_lost(ResultsFolder(self.path))
            self._spare_inputs()

    def _spare_inputs(self) -> None:
        """Refuse to replace results that the parameters are read from.

        Raises:
            InputError: a file that is read would be deleted.
        """
        if not self.path.is_dir():
            return
        read = files_of(self.parameters)
        for path in earlier_files(self.path):
            for source in read:
                if path.exists() and source.exists() and path.samefile(source):
                    raise InputError(
                        f"{source}: is read by this run, and lies among the results in {self.path} "
                        "that it would replace. Choose another --out"
                    )

    def claim(self, hashes: Mapping[str, str | None]) -> Claim:
        """Take the folder for this run, and find the checkpoint to go on from.

        Args:
            hashes: see `newest`.

        Raises:
            InputError: the folder is another run's or cannot be written; it is as before.
            ResumeError: no checkpoint is usable; likewise.
        """
        folder = ResultsFolder(self.path)
        lock = FolderLock(folder) if self.path.is_dir() else None
        try:
            reached = stage(self.path, self.parameters) if self.resume else "unborn"
            found, replaces = None, False
            if reached == "under way":
                found = newest(folder, self.parameters, hashes, accept_altered=self.accept_altered)
            else:
                if reached == "begun":
                    _refuse_lost(folder)
                    told = f"{self.path}: the run there has no checkpoint yet, and begins anew"
                    print(f"heterode: note: {told}", file=sys.stderr, flush=True)
                overwrite = self.overwrite or reached == "begun"
                replaces = overwrite and not is_unborn(self.path)
                folder = ResultsFolder.create(self.path, overwrite=overwrite)
            kept = Checkpoints(folder.checkpoint, None if found is None else found.path)
            lock = lock or FolderLock(folder)
            remove_leftovers([folder.path, *(folder.path / name for name in FOLDERS)])
            return Claim(folder, lock, kept, found, replaces)
        except BaseException:
            if lock is not None:
                lock.release()
            raise
