"""The folder of a sweep: its plan, a results folder a run, and how each run ended.

    sweep.json          the design, the runs with their parameters, versions
    sweep.csv, .parquet a row a run: the table
    points.csv          a row a point of the design
    statistics.json     what explains the spread between runs
    figures/            what `heterode sweep` draws of it
    runs/ID/            results folder of a run
    runs/ID.json        how it ended, and its numbers
    runs/ID.log         what its process said, where that is something
    slurm/              scripts and logs of array jobs

A run is known by its id, so whoever runs it, a pool, an array job or a list of commands, writes
only to files of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from simulator.errors import InputError
from simulator.results.manifest import (
    PROGRAM,
    collect_versions,
    json_text,
    read_manifest,
    write_json,
)
from simulator.results.storage import write_atomically
from simulator.results.written import make_folder

if TYPE_CHECKING:
    from simulator.sweep.plan import Plan

RANKINGS = ("sobol_indices", "regression")
"""What tells which factor matters most, by name of its figure and of its numbers."""

Status = Literal["waiting", "begun", "completed", "stopped", "failed"]


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        status: "completed", "stopped" (it can go on) or "failed".
        reason: in words.
        numbers: of the table; see `simulator.sweep.measures`.
        signal: that stopped it, 0 for none.
        asked: [measure] as it was then; without numbers nothing.
    """

    status: Status
    reason: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    signal: int = 0
    asked: Mapping[str, Any] = field(default_factory=dict)


class SweepFolder:
    """The paths of a sweep's folder.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plan = path / "sweep.json"
        self.runs = path / "runs"
        self.csv, self.parquet = path / "sweep.csv", path / "sweep.parquet"
        self.points, self.statistics = path / "points.csv", path / "statistics.json"
        self.figures = path / "figures"
        self.slurm = path / "slurm"

    def effect(self, factor: str) -> Path:
        """Figure of what a factor does."""
        return self.figures / f"effect_{factor.replace('.', '_')}.png"

    def outputs(self, plan: Plan) -> list[Path]:
        """The table, and all that may be written beside it."""
        figures = [self.effect(factor.name) for factor in plan.factors]
        figures += [self.figures / f"{name}.png" for name in ("variance", *RANKINGS)]
        return [self.csv, self.parquet, self.points, self.statistics, *dict.fromkeys(figures)]

    def results(self, run: str) -> Path:
        """Results folder of a run."""
        return self.runs / run

    def outcome(self, run: str) -> Path:
        """How a run ended."""
        return self.runs / f"{run}.json"

    def log(self, run: str) -> Path:
        """What the process of a run said."""
        return self.runs / f"{run}.log"

    def check(self) -> None:
        """Refuse a folder that holds something else.

        Raises:
            InputError: it does, or it is none.
        """
        if self.plan.is_file():
            read_manifest(self.plan)
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise InputError(
                f"{self.path}: is not the folder of a sweep, and not empty. Choose another --out"
            )

    def create(self, plan: Plan) -> None:
        """Make the folder, or take that of an earlier call, and write the plan into it.

        Raises:
            InputError: see `check`.
            OutputError: it cannot be written.
        """
        self.check()
        make_folder(self.runs)
        content = {"program": PROGRAM, "versions": collect_versions(), **plan.as_dict()}
        write_json(self.plan, content)

    def read(self) -> Plan:
        """The plan of an earlier call.

        Raises:
            InputError: there is none.
        """
        if not self.plan.is_file():
            raise InputError(
                f"{self.path}: no sweep.json, so no folder of a sweep. Give a sweep file (TOML), "
                "or the folder that `heterode sweep` made of one"
            )
        # Workers are started before the parameters' schema is loaded, which takes a while.
        from simulator.sweep.plan import plan_of

        return plan_of(read_manifest(self.plan))

    def ended(self, run: str) -> Ended | None:
        """How a run ended; None where it has not."""
        try:
            content = json.loads(self.outcome(run).read_text(encoding="utf-8"))
            about = {name: content[name] for name in ("status", "reason", "numbers", "asked")}
            return Ended(**about)
        except (OSError, ValueError, KeyError):
            return None

    def state(self, run: str) -> Ended:
        """How far a run is, for the table."""
        ended = self.ended(run)
        if ended is not None:
            return ended
        try:
            status = read_manifest(self.results(run) / "manifest.json")["status"]
        except InputError:
            return Ended("waiting", "")
        # Completed, but not measured yet: somebody is still at it, or was killed there.
        return Ended("stopped" if status == "stopped" else "begun", "")

    def end(self, run: str, ended: Ended) -> None:
        """Note how a run ended. A stopped one is to go on: that is no end."""
        if ended.status == "stopped":
            return
        content = asdict(ended)
        del content["signal"]
        write_atomically(self.outcome(run), json_text(content))
