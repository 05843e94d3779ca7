"""manifest.json: what was run, with which versions, and how the run ended."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from heterode import __version__
from heterode.base.digests import PrefixDigest
from heterode.base.errors import InputError
from heterode.base.run_warnings import RunWarning, merge_warnings
from heterode.results.json_record import REMEDY, read_record, record_problem, record_text
from heterode.results.manifest_types import manifest_problem
from heterode.results.marks import marked
from heterode.results.storage import write_atomically
from heterode.results.written import write_output

Status = Literal["running", "completed", "stopped", "failed"]

Covers = Literal["prefix", "whole"]

PROGRAM = "heterode"
INDENT, RECORD_INDENT = 2, 1
_PACKAGES = (
    "fenics-dolfinx",
    "fenics-ufl",
    "petsc4py",
    "mpi4py",
    "numpy",
    "scipy",
    "pandas",
    "numba",
    "h5py",
    "gmsh",
)

_DEFAULTS: dict[str, Any] = {
    "program": PROGRAM,
    "status": "running",
    "reason": "",
    "parameters": {},
    "seeds": {},
    "versions": {},
    "mesh_hash": None,
    "ranks": None,
    "dofs": None,
    "particles": None,
    "steps": 0,
    "newton_iterations": 0,
    "krylov_iterations": 0,
    "wall_s": {},
    "peak_memory_bytes": None,
    "balance": {"charge": None, "lithium": None, "salt": None, "prescribed_charge": None},
    "accuracy": {},
    "skipped_steps": [],
    "skipped_step_count": 0,
    "left_out_stops": [],
    "left_out_stop_count": 0,
    "pieces": [],
    "warnings": [],
    "digests": {},
}


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        status: completed, stopped (by a signal) or failed.
        reason: the reason, in words.
        signal: the number of the signal that stopped the run, 0 if none did.
    """

    status: Status
    reason: str
    signal: int = 0


def stopped_by(signal: int) -> Outcome:
    """Return the outcome of a run that a signal ended."""
    return Outcome("stopped", f"stopped by signal {signal}", signal)


class Manifest:
    """The manifest of a run, on disk from the start and rewritten as a whole at every change.

    Every key is present from the start, and empty until its value is known, so that readers need
    not ask whether a key exists. A run that was killed keeps the status "running".

    Args:
        path: manifest.json.
        earlier: the content of an earlier run's manifest to continue; None starts a new one.
        entries: the first values; see `update`.
    """

    def __init__(
        self, path: Path, earlier: Mapping[str, Any] | None = None, **entries: Any
    ) -> None:
        self.path = path
        self._content: dict[str, Any] = json.loads(json.dumps(_DEFAULTS))
        if earlier is None:
            self._content["started"] = _now()
        else:
            self._content.update(earlier, status="running", reason="")
        self.update(**entries)

    def add_piece(self, **entries: Any) -> None:
        """Record that a piece of the run starts: the first, or one resumed from a checkpoint."""
        self.update(pieces=[*self._content["pieces"], {"started": _now(), **entries}])

    def warn(self, *warnings: RunWarning) -> None:
        """Add warnings; each replaces an earlier one of the same code."""
        if warnings:
            self.update(warnings=merge_warnings(self._content["warnings"], warnings))

    @property
    def content(self) -> Mapping[str, Any]:
        """The content that is on disk now."""
        return self._content

    def update(self, **entries: Any) -> None:
        """Set entries, possibly of NumPy types, and rewrite the file.

        Mappings are merged one level deep: `update(wall_s={"mesh": 3.1})` keeps the other phases.

        Raises:
            OutputError: the file cannot be written.
        """
        for name, value in entries.items():
            new, old = to_json(value), self._content.get(name)
            if isinstance(new, dict) and isinstance(old, dict):
                new = {**old, **new}
            self._content[name] = new
        self._content["updated"] = _now()
        self._write()

    def seal(self, covers: Covers, prefixes: Mapping[str, PrefixDigest]) -> None:
        """Record the digests of the run's files as they are now, and rewrite the file.

        Args:
            covers: "prefix" while the files grow, "whole" once the run has ended.
            prefixes: digests of the beginnings of files, or of whole files, by name within the
                folder.

        Raises:
            OutputError: the file cannot be written.
        """
        listed = {name: asdict(digest) for name, digest in prefixes.items()}
        self._content["digests"] = {"covers": covers, "prefixes": listed}
        self._write()

    def _write(self) -> None:
        write_atomically(self.path, record_text(self._content, INDENT))

    def finish(self, status: Status, reason: str, **entries: Any) -> None:
        """Record how the run ended and why, in words; this is the last entry."""
        self.update(status=status, reason=reason, **entries)


def to_json(value: Any) -> Any:
    """Convert `value` to JSON's own types; numbers that JSON cannot hold (nan, inf) become null."""
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, np.generic):
        return to_json(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def write_json(path: Path, entries: Mapping[str, Any]) -> None:
    """Write a strict JSON file, whole or not at all; numbers that JSON cannot hold become null.

    Raises:
        InputError: a file that is not heterode's own is in the way.
        OutputError: the file cannot be written.
    """
    write_output(path, json_text(entries))


def json_text(entries: Mapping[str, Any]) -> bytes:
    """Return strict JSON; numbers that it cannot hold (nan, inf) become null.

    If it is made from altered results, they are listed under `altered`.
    """
    text = json.dumps(to_json(marked(entries)), indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def record_bytes(entries: Mapping[str, Any]) -> bytes:
    """Return JSON that carries a digest of its content; see `heterode.results.json_record`."""
    return record_text(to_json(entries), RECORD_INDENT)


@cache
def collect_versions() -> Mapping[str, str]:
    """Return the versions of heterode, Python and the installed packages that affect results."""
    versions = {PROGRAM: __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return MappingProxyType(versions)


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the content of a manifest.json.

    Raises:
        InputError: the file does not exist, or is not a manifest of this program.
    """
    content = read_own_record(path)
    problem = manifest_problem(content)
    if problem:
        raise InputError(f"{path}: {problem}. {REMEDY}")
    # Digests that an earlier version did not keep differ from an empty set of digests.
    defaults = {name: value for name, value in _DEFAULTS.items() if name != "digests"}
    return {**json.loads(json.dumps(defaults)), **content}


def read_own_record(path: Path) -> dict[str, Any]:
    """Return the content of any JSON record that names this program as its author.

    Raises:
        InputError: the file does not exist, or is not such a record.
    """
    content = read_record(path)
    if content.get("program") != PROGRAM:
        raise InputError(f"{path}: not a manifest written by {PROGRAM}, or altered. {REMEDY}")
    return content


def add_warnings(path: Path, *warnings: RunWarning) -> None:
    """Add warnings to the manifest of a run that ended, without any other change.

    A manifest that was altered can still be recognised as altered.

    Args:
        path: manifest.json.
        warnings: as in `Manifest.warn`.

    Raises:
        InputError: as in `read_manifest`.
        OutputError: the file cannot be written.
    """
    content, whole = read_manifest(path), not record_problem(path, INDENT)
    content["warnings"] = to_json(merge_warnings(content["warnings"], warnings))
    text = record_text(content, INDENT)
    write_atomically(path, text if whole else text.replace(b'"digest": "', b'"digest": "altered '))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
