"""What of a results folder is as the run wrote it.

The manifest holds digests of the files that grow, and of the list SHA256SUMS of those written once,
and carries a digest of its own. While a run goes on, or after a kill, they cover what the last
checkpoint counts on; once it has ended, every byte. Checkpoints carry checksums of their own.
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
    """What is known of a file.

    Attributes:
        name: within the results folder, with "/".
        problem: how it differs from what was written; "" where it is whole.
        extent: how much of it was looked at, such as "134 rows"; "" for all of it.
        gone: whether it is missing, or holds less than was written.
    """

    name: str
    problem: str = ""
    extent: str = ""
    gone: bool = False


@dataclass(frozen=True)
class Examination:
    """What is known of a results folder.

    Attributes:
        findings: a finding per file looked at.
        covers: "whole", "prefix" while the run goes on or after a kill, or "nothing" where an
            earlier version wrote the folder without digests.
    """

    findings: tuple[Finding, ...]
    covers: Covers

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings about files that are not whole."""
        return tuple(finding for finding in self.findings if finding.problem)


def examine(folder: ResultsFolder) -> Examination:
    """Compare every file that a run writes with what was written; report/ is left out.

    Args:
        folder: of a run, also one that goes on meanwhile.

    Raises:
        InputError: there is no manifest that can be read.
    """
    for _ in range(_AGAIN):
        before = folder.manifest.read_bytes() if folder.manifest.is_file() else b""
        found = _examined(folder)
        if not found.problems or before == folder.manifest.read_bytes():
            break
        # A run that went on, or ended, in between: its files were not those of that manifest.
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
    """Compare a run's files with digests.

    Args:
        folder: of the run.
        prefixes: name -> digest of the beginning of each file that grows.
        whole: the digests are of the whole files, of which the list has digests, too.
        digest_of: digest of a file.
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
            # Of a text that grew row by row it can be said better what is wrong.
            told = _of_prefix(folder, name, prefixes[name], whole=False)
            finding = told if told.problem else finding
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
    # Without a digest, from an earlier version, only the extent counts.
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
    """The findings in a folder without digests: only what contradicts itself shows."""
    try:
        rows = history.read_history(folder.path)["time_s"].to_numpy()
        times = particle_series.read_particle_series(folder.path).time_s
    except InputError:
        return
    # A sample's row comes last: no more than one sample is ahead of it.
    if len(times) > 1 and (not len(rows) or times[-2] > rows[-1]):
        end = f"{rows[-1]:g} s" if len(rows) else "its header"
        yield Finding(
            folder.history.name,
            f"ends at {end}, but particles.h5 goes on to {times[-1]:g} s: rows are missing",
            gone=True,
        )
