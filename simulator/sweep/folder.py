"""The folder of a sweep: its plan, a results folder for each run, and how each run ended.

    sweep.json          the design, the runs with their parameters, versions
    sweep.csv, .parquet the table, a row for each run
    points.csv          a row for each point of the design
    statistics.json     what explains the spread between runs
    figures/            the figures of `heterode sweep`
    runs/ID/            results folder of a run
    runs/ID.json        how the run ended, and its numbers
    runs/ID.log         output of the run's process, if there was any
    slurm/              scripts and logs of array jobs

A run is identified by its id, so that a pool, an array job and a list of commands alike write only
to files of the runs that they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from heterode.base.errors import InputError
from heterode.results.json_record import read_record, record_problem
from heterode.results.manifest import (
    PROGRAM,
    RECORD_INDENT,
    collect_versions,
    read_manifest,
    read_own_record,
    record_bytes,
)
from heterode.results.storage import AlteredError, write_atomically
from heterode.results.written import make_folder, write_output

if TYPE_CHECKING:
    from heterode.sweep.plan import SweepPlan

RANKINGS = ("sobol_indices", "regression")
"""Names of the rankings of factors by importance, in file names and in statistics.json."""

Status = Literal["waiting", "begun", "completed", "stopped", "failed"]


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        status: "completed", "stopped" (the run can be resumed) or "failed".
        reason: the reason, in words.
        numbers: the numbers for the table; see `heterode.sweep.run_numbers`.
        signal: the signal that stopped the run, 0 for none.
        asked: the [measure] table that the numbers were computed for; empty without numbers.
    """

    status: Status
    reason: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    signal: int = 0
    asked: Mapping[str, Any] = field(default_factory=dict)


_OUTCOME = ("status", "reason", "numbers", "asked")
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError)
_PLAN_REMEDY = "Give the sweep file (TOML) again, which writes it again"
_OUTCOME_REMEDY = (
    "Restore it from a copy, or move it away: the same sweep then measures this run again"
)


def _malformed(content: Mapping[str, Any]) -> str:
    """Return what is wrong with the record of a run's end; "" if nothing is."""
    missing = [name for name in _OUTCOME if name not in content]
    if missing:
        return f"lacks '{missing[0]}'"
    if content["status"] not in ("completed", "stopped", "failed"):
        return "its status is none (allowed: completed, stopped, failed)"
    numbers, asked = content["numbers"], content["asked"]
    if not isinstance(content["reason"], str):
        return "its reason is not a string"
    if not isinstance(numbers, dict) or not isinstance(asked, dict):
        return "its numbers are not an object"
    if any(isinstance(value, dict | list) for value in numbers.values()):
        return "its numbers hold something else"
    return ""


class SweepFolder:
    """The paths of a sweep's folder.

    Attributes:
        path: the folder.
        accept_altered: whether to continue with altered files; see `altered`.
        altered: a line for each altered file by the id of its run, for the runs checked so far.
    """

    def __init__(self, path: Path, *, accept_altered: bool = False) -> None:
        self.path, self.accept_altered = path, accept_altered
        self.altered: dict[str, list[str]] = {}
        self.plan = path / "sweep.json"
        self.runs = path / "runs"
        self.csv, self.parquet = path / "sweep.csv", path / "sweep.parquet"
        self.points, self.statistics = path / "points.csv", path / "statistics.json"
        self.figures = path / "figures"
        self.slurm = path / "slurm"

    def effect(self, factor: str) -> Path:
        """Return the path of the figure that shows the effect of a factor."""
        return self.figures / f"effect_{factor.replace('.', '_')}.png"

    def outputs(self, plan: SweepPlan) -> list[Path]:
        """Return the table and all files that may be written beside it."""
        figures = [self.effect(factor.name) for factor in plan.factors]
        figures += [self.figures / f"{name}.png" for name in ("variance", *RANKINGS)]
        return [self.csv, self.parquet, self.points, self.statistics, *dict.fromkeys(figures)]

    def results(self, run: str) -> Path:
        """Return the results folder of a run."""
        return self.runs / run

    def outcome(self, run: str) -> Path:
        """Return the file that records how a run ended."""
        return self.runs / f"{run}.json"

    def log(self, run: str) -> Path:
        """Return the file that holds the output of a run's process."""
        return self.runs / f"{run}.log"

    def check(self) -> None:
        """Refuse a folder that holds something else.

        Raises:
            InputError: the path holds something other than a sweep, or is not a folder.
        """
        if self.plan.is_file():
            read_own_record(self.plan)
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise InputError(
                f"{self.path}: is not the folder of a sweep, and not empty. Choose another --out"
            )

    def create(self, plan: SweepPlan) -> None:
        """Create the folder, or take that of an earlier call, and write the plan into it.

        Raises:
            InputError: see `check`.
            OutputError: the plan cannot be written.
        """
        self.check()
        make_folder(self.runs)
        content = {"program": PROGRAM, "versions": collect_versions(), **plan.as_dict()}
        write_output(self.plan, record_bytes(content))

    def read(self) -> SweepPlan:
        """Return the plan of an earlier call.

        Raises:
            InputError: there is no plan, or it is damaged.
            AlteredError: the plan is not as `create` wrote it.
        """
        if not self.plan.is_file():
            raise InputError(
                f"{self.path}: no sweep.json, so no folder of a sweep. Give a sweep file (TOML), "
                "or the folder that `heterode sweep` made of one"
            )
        # Workers are started before the parameters' schema is loaded, which takes a while.
        from heterode.sweep.plan import plan_of

        content = read_own_record(self.plan)
        problem = record_problem(self.plan, RECORD_INDENT)
        if problem:
            raise AlteredError(f"{self.plan}: {problem}. {_PLAN_REMEDY}")
        try:
            return plan_of(content)
        except _MALFORMED as error:
            reason = " ".join(str(error).split())[:120]
            raise InputError(f"{self.plan}: is no sweep's ({reason}). {_PLAN_REMEDY}") from None

    def ended(self, run: str) -> Ended | None:
        """Return how a run ended, or None if it has not ended.

        Raises:
            AlteredError: the record was changed after it was written.
        """
        path = self.outcome(run)
        if not path.exists():
            return None
        try:
            content = read_record(path)
            problem = record_problem(path, RECORD_INDENT) or _malformed(content)
        except InputError as error:
            problem = str(error).removeprefix(f"{path}: ")
        if problem and not (self.accept_altered and problem.startswith("differs")):
            raise AlteredError(f"{path}: {problem}. {_OUTCOME_REMEDY}")
        if problem:
            self.altered.setdefault(run, []).append(f"{path}: {problem}")
        return Ended(**{name: content[name] for name in _OUTCOME})

    def state(self, run: str) -> Ended:
        """Return the state of a run for the table, whether it has ended or not."""
        ended = self.ended(run)
        if ended is not None:
            return ended
        try:
            status = read_manifest(self.results(run) / "manifest.json")["status"]
        except InputError:
            return Ended("waiting", "")
        # The run is complete but not measured: another process is at work on it, or was killed
        # then.
        return Ended("stopped" if status == "stopped" else "begun", "")

    def end(self, run: str, ended: Ended) -> None:
        """Record how a run ended; a stopped run is to be resumed and has no such record."""
        if ended.status == "stopped":
            return
        content = asdict(ended)
        del content["signal"]
        write_atomically(self.outcome(run), record_bytes(content))
