"""The check that the files of a results folder are as the run wrote them.

The manifest holds the digests of the files that grow and of SHA256SUMS, the list of the files
written once; it also carries a digest of its own. While a run goes on, and after it was killed, the
digests cover what the last checkpoint relies on; once the run has ended, they cover every byte.
Checkpoints carry checksums of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from heterode.base.digests import PrefixDigest, file_digest, text_digest
from heterode.base.errors import InputError
from heterode.results import digest_list, fields, history, particle_series
from heterode.results.checkpoint import CorruptError, list_checkpoints, read_checkpoint
from heterode.results.digest_list import SUMS
from heterode.results.folder import ResultsFolder
from heterode.results.json_record import DIGEST, record_problem
from heterode.results.manifest import INDENT, read_manifest
from heterode.results.storage import AlteredError, TruncatedError

Covers = Literal["whole", "prefix", "nothing"]
_AGAIN = 3
_UNITS = {"history.csv": "rows", "particles.h5": "samples", SUMS: "lines"}


@dataclass(frozen=True)
class Finding:
    """The result of checking a file.

    Attributes:
        name: the file's path within the results folder, with "/".
        problem: how the file differs from what was written; "" if it does not.
        extent: the part that was checked, such as "134 rows"; "" for the whole file.
        gone: whether the file is missing, or holds less than was written.
    """

    name: str
    problem: str = ""
    extent: str = ""
    gone: bool = False


@dataclass(frozen=True)
class Examination:
    """The result of checking a results folder.

    Attributes:
        findings: a finding for each file that was checked.
        covers: "whole"; "prefix" while the run goes on or after it was killed; "nothing" if an
            earlier version wrote the folder without digests.
    """

    findings: tuple[Finding, ...]
    covers: Covers

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings about files that differ from what was written."""
        return tuple(finding for finding in self.findings if finding.problem)


def examine(folder: ResultsFolder) -> Examination:
    """Compare every file that a run writes with what was written; report/ is left out.

    Args:
        folder: the folder of a run, which may be going on at the same time.

    Raises:
        InputError: there is no readable manifest.
    """
    for _ in range(_AGAIN):
        before = folder.manifest.read_bytes() if folder.manifest.is_file() else b""
        found = _examined(folder)
        if not found.problems or before == folder.manifest.read_bytes():
            break
        # The run went on or ended in the meantime, so the files did not belong to the manifest
        # read.
    return found


def _examined(folder: ResultsFolder) -> Examination:
    manifest = read_manifest(folder.manifest)
    digests = manifest.get("digests")
    problem = record_problem(folder.manifest, INDENT)
    if DIGEST not in manifest and digests is not None:
        problem = "differs from what was written (its digest is gone)"
    findings = [Finding(folder.manifest.name, problem)]
    if digests is None:
        return Examination((*findings, *_unlisted(folder), *_checkpoints(folder)), "nothing")
    prefixes = {name: PrefixDigest(**one) for name, one in digests.get("prefixes", {}).items()}
    covers: Covers = "whole" if digests.get("covers") == "whole" else "prefix"
    findings += files_against(folder, prefixes, whole=covers == "whole")
    return Examination((*findings, *_checkpoints(folder)), covers)


def files_against(
    folder: ResultsFolder,
    prefixes: Mapping[str, PrefixDigest],
    *,
    whole: bool = False,
    digest_of: Callable[[Path], str] = file_digest,
) -> list[Finding]:
    """Compare the files of a run with digests.

    Args:
        folder: the run's folder.
        prefixes: digests of the beginnings of the files that grow, by name.
        whole: whether the digests are those of whole files, which then stand in the list too.
        digest_of: function that returns the digest of a file.
    """
    names: dict[str, str] = {}
    if SUMS in prefixes and folder.sums.is_file():
        content = folder.sums.read_bytes()
        if not whole:
            content = b"".join(content.splitlines(keepends=True)[: prefixes[SUMS].count])
        names = digest_list.entries(content)
    findings = [
        _of_prefix(folder, name, prefix, whole=whole)
        for name, prefix in prefixes.items()
        if name not in names
    ]
    for name, digest in names.items():
        finding = _of_file(folder.path / name, name, digest, digest_of)
        if finding.problem and name in prefixes and name != folder.particle_series.name:
            # For a text file that grew row by row, the message can be more specific.
            specific = _of_prefix(folder, name, prefixes[name], whole=False)
            finding = specific if specific.problem else finding
        findings.append(finding)
    return findings


def _of_prefix(folder: ResultsFolder, name: str, prefix: PrefixDigest, *, whole: bool) -> Finding:
    extent = f"{prefix.count} {_UNITS.get(name, 'samples')}"
    path = folder.path / name
    if not path.is_file() and not (name.endswith(".xdmf") and prefix.count == 0):
        return Finding(name, "is missing", extent, gone=True)
    try:
        found = _prefix_digest(folder, name, prefix.count)
    except TruncatedError as error:
        return Finding(name, _without_path(folder, name, error), extent, gone=True)
    except AlteredError as error:
        return Finding(name, _without_path(folder, name, error), extent)
    # An earlier version kept no digest, so only the extent can be checked.
    if found != prefix and prefix.sha256:
        return Finding(name, _differs(f"the first {extent} are others"), extent)
    if whole and name == SUMS and file_digest(path) != prefix.sha256:
        return Finding(name, _differs(f"more follows its {extent}"), extent)
    return Finding(name, extent=extent)


def _prefix_digest(folder: ResultsFolder, name: str, count: int) -> PrefixDigest:
    if name == SUMS:
        return digest_list.lines_digest(folder.sums, count)
    if name == folder.history.name:
        return PrefixDigest(count, text_digest(history.first_rows(folder.history, count)))
    if name == folder.particle_series.name:
        samples = particle_series.first_samples(folder.particle_series, count)
        return particle_series.samples_digest(samples)
    domain = Path(name).stem
    return fields.listed_digest(folder.fields, domain, count)


def _of_file(path: Path, name: str, digest: str, digest_of: Callable[[Path], str]) -> Finding:
    if path.exists() and not path.is_file():
        return Finding(name, "is not a file", gone=True)
    try:
        same = digest_of(path) == digest
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        problem = "is missing" if missing else f"cannot be read ({error.strerror})"
        return Finding(name, problem, gone=missing)
    return Finding(name, "" if same else _differs("its SHA-256 is another"))


def _differs(what: str) -> str:
    return f"differs from what was written ({what})"


def _without_path(folder: ResultsFolder, name: str, error: Exception) -> str:
    return str(error).removeprefix(f"{folder.path / name}: ")


def _checkpoints(folder: ResultsFolder) -> Iterator[Finding]:
    for path in list_checkpoints(folder.checkpoint):
        name = path.relative_to(folder.path).as_posix()
        try:
            read_checkpoint(path)
        except CorruptError as error:
            yield Finding(name, _without_path(folder, name, error))
        else:
            yield Finding(name)


def _unlisted(folder: ResultsFolder) -> Iterator[Finding]:
    """Yield the findings in a folder without digests, where only contradictions can be found."""
    try:
        rows = history.read_history(folder.path)["time_s"].to_numpy()
        times = particle_series.read_particle_series(folder.path).time_s
    except InputError:
        return
    # The row is written last of each sample, so the other files are at most one sample ahead of it.
    if len(times) > 1 and (not len(rows) or times[-2] > rows[-1]):
        end = f"{rows[-1]:g} s" if len(rows) else "its header"
        yield Finding(
            folder.history.name,
            f"ends at {end}, but particles.h5 goes on to {times[-1]:g} s: rows are missing",
            gone=True,
        )
