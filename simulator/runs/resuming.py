"""Resuming of a run that ended early: whether it is possible, and from which checkpoint.

The pieces of a run may differ in [output], the title, and the places of files.
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
from heterode.results.trust import altered_error, check_whole, finding_line

Stage = Literal["unborn", "begun", "under way", "completed"]

_FREE_SECTIONS = {"title", "output"}
_FREE_KEYS = {"file", "mesh_file"}
"""Keys that hold paths; the mesh and the penalties themselves are compared instead."""

_NEW_RUN = "Start a new run with another --out"


@dataclass(frozen=True)
class Found:
    """A checkpoint to resume from.

    Attributes:
        path: the checkpoint file.
        checkpoint: its content.
        written: what the results files held at that time.
        remarks: remarks for the user on damaged checkpoints or another version of the program.
        altered: a line for each file that is used although it is not as the run wrote it.
    """

    path: Path
    checkpoint: Checkpoint
    written: Written
    remarks: tuple[str, ...]
    altered: tuple[str, ...] = ()


def stage(folder: Path, parameters: Parameters) -> Stage:
    """Return how far the run in a folder has come.

    Returns:
        "unborn" if there is no run, "begun" if it has no checkpoint, "under way", or "completed".

    Raises:
        InputError: the folder belongs to another run, or is not a results folder.
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
    refuse_other_parameters(folder, manifest["parameters"], parameters)
    if list_checkpoints(ResultsFolder(folder).checkpoint):
        # Checkpoints are removed last, so that a run killed while drawing its figures draws them
        # again.
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
        folder, parameters, comm: the folder, the parameters of the run and the communicator.
        mind, accept_altered: see `heterode.results.trust.check_whole`.

    Raises:
        InputError: the folder belongs to another run, or is not a results folder.
        AlteredError: files are not as the run wrote them.
    """

    def look() -> bool:
        if stage(folder, parameters) != "completed":
            return False
        check_whole(folder, mind, accept_altered=accept_altered)
        return True

    return bool(comm.bcast(on_root(comm, look), root=0))


def refuse_other_parameters(
    folder: Path, earlier: Mapping[str, Any], parameters: Parameters
) -> None:
    """Refuse to resume a run with other parameters than its own.

    Args:
        folder: the folder, for the message.
        earlier: parameters of the run so far, from its manifest or checkpoint.
        parameters: the present parameters.

    Raises:
        InputError: the parameters differ; the message names the first such key with both values.
    """
    now = dict(_leaves(parameters.to_si_dict()))
    # Keys that the earlier run's version did not have yet keep their defaults.
    for key, before in _leaves(earlier):
        if now.get(key) != before:
            raise InputError(
                f"{parameters.source_file}: {key} = {_shown(now.get(key))}, but the run in "
                f"{folder} has {_shown(before)} (SI units; allowed: changes in [output]). "
                f"Give the same value. {_NEW_RUN}"
            )


def _leaves(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if (not above and name in _FREE_SECTIONS) or name in _FREE_KEYS:
            continue
        if isinstance(value, Mapping):
            # A section or table that exists in one run only.
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
    """Return the newest intact checkpoint whose results files are intact as well.

    Args:
        folder: the folder of a run under way.
        parameters: the present parameters.
        hashes: hashes of the mesh and penalties that the parameters lead to now, by "mesh" and
            "penalty".
        accept_altered: whether to continue with files that are not as the run wrote them.

    Raises:
        InputError: the checkpoint belongs to other parameters, another mesh or other penalties; or
            the results files hold less than every checkpoint relies on.
        AlteredError: the results files are not as the run wrote them.
        ResumeError: no checkpoint is intact.
    """
    damaged: list[str] = []
    short: list[Finding] = []
    manifest = _manifest_finding(folder)
    # One file may be examined for two checkpoints.
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
            damaged += [finding_line(folder.path, finding) for finding in short]
            continue
        altered = [*manifest, *(finding for finding in findings if finding.problem)]
        if altered and not accept_altered:
            raise altered_error(folder.path, tuple(altered))
        header = checkpoint.header
        refuse_other_parameters(folder.path, header["parameters"], parameters)
        _compare_hashes(folder, header["hashes"], hashes)
        remarks = [f"{problem}; going on from {path}" for problem in damaged]
        if header["version"] != __version__:
            remarks.append(f"{path} was written by heterode {header['version']}")
        if not written.digests:
            remarks.append(f"{path} has no digests (an earlier version's): changes would not show")
        lines = tuple(finding_line(folder.path, finding) for finding in altered)
        remarks += [f"{line}; accepted" for line in lines]
        return Found(path, checkpoint, written, tuple(remarks), lines)
    if short:
        raise InputError(
            f"{folder.path}: its files hold less than its checkpoints count on "
            f"({'; '.join(damaged)}). Nothing was changed. Restore them from a copy, or start "
            "again with another --out"
        )
    raise ResumeError(
        f"{folder.path}: no checkpoint is usable ({'; '.join(damaged)}). Nothing was changed. "
        f"{_NEW_RUN}"
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
                f"run, or give its mesh as geometry.mesh_file. {_NEW_RUN}"
            )


def _manifest_finding(folder: ResultsFolder) -> list[Finding]:
    problem = record_problem(folder.manifest, INDENT)
    return [Finding(folder.manifest.name, problem)] if problem else []


def _unlisted(folder: ResultsFolder, written: Written) -> Iterator[Finding]:
    """Yield files that are missing, for a run of an earlier version that kept no list of them."""
    try:
        first_files(folder.stops, written.stops)
        for domain in DOMAINS:
            first_samples(folder.fields, domain, written.fields)
    except TruncatedError as error:
        yield Finding(".", str(error), gone=True)


def expected(written: Written) -> Mapping[str, PrefixDigest]:
    """Return how much each growing file must hold, with its digest if there is one."""
    if written.digests:
        return written.digests
    counts = {"history.csv": written.rows, "particles.h5": written.particles}
    counts |= {f"fields/{domain}.xdmf": written.fields for domain in DOMAINS}
    return {name: PrefixDigest(count, "") for name, count in counts.items()}


def _refuse_lost(folder: ResultsFolder) -> None:
    """Refuse to start again in place of a run whose checkpoints existed and are lost.

    A run that is stopped writes a checkpoint. Without one, what it has computed cannot be computed
    further.

    Raises:
        InputError: the run was stopped, and has results.
    """
    stopped = read_manifest(folder.manifest)["status"] == "stopped"
    if stopped and len(read_history(folder.path)) > 1:
        raise InputError(
            f"{folder.checkpoint}: the checkpoints of the run are gone, so it cannot be gone on "
            "with, and its results are not replaced. Bring them back, or choose another --out"
        )


@dataclass(frozen=True)
class Claim:
    """A folder that this run may write to.

    Attributes:
        folder: the folder.
        lock: keeps other runs out.
        checkpoints: the checkpoints of the folder.
        found: the checkpoint to resume from; None for a new run.
        replaces: whether there are earlier results, to be deleted before the first file is written.
    """

    folder: ResultsFolder
    lock: FolderLock
    checkpoints: Checkpoints
    found: Found | None = None
    replaces: bool = False

    @property
    def without_found(self) -> Claim:
        """Return the claim without its checkpoint."""
        return replace(self, found=None)

    def release(self) -> None:
        """Release the folder for other runs."""
        self.lock.release()


@dataclass(frozen=True)
class Intent:
    """What a run intends to do with its folder.

    Attributes:
        path: the folder.
        parameters: the parameters of the run.
        overwrite: whether to replace an earlier run's results.
        resume: whether to resume the run that is there, if there is one.
        accept_altered: whether to resume even if its files are not as it wrote them.
    """

    path: Path
    parameters: Parameters
    overwrite: bool = False
    resume: bool = False
    accept_altered: bool = False

    def check(self) -> None:
        """Refuse what `claim` would refuse, without changing anything.

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
        """Claim the folder for this run, and find the checkpoint to resume from.

        Args:
            hashes: see `newest`.

        Raises:
            InputError: the folder belongs to another run or cannot be written; it is unchanged.
            ResumeError: no checkpoint is usable; the folder is unchanged.
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
                    note = f"{self.path}: the run there has no checkpoint yet, and starts again"
                    print(f"heterode: note: {note}", file=sys.stderr, flush=True)
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
