r"""Time and memory of a run, from measured runs (simulator/forecast/measured/performance.csv).

Each measured run gives the work of a time step (ranks times seconds), the work of everything else,
and the memory beyond the MEMORY_OF_A_RANK that every rank takes for the interpreter and its
libraries. All three are interpolated for the wanted unknowns and ranks:

    work(dofs, ranks) = work(dofs, 1) growth(dofs, ranks)

work(dofs, 1) is interpolated between the measured runs in the logarithms of both. growth is the
cost of communication and shared memory bandwidth. It was measured by running the same mesh on 1 and
more ranks, and is interpolated in the logarithms of ranks and dofs. For a measured run the estimate
is the measurement. Outside the measured dofs, work follows a power of dofs: that between the two
nearest runs, within the bounds below. Beyond the largest measured number of ranks, growth is
constant up to RANKS_BEYOND times as many ranks, and with more ranks the time stays the same.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import get_args

import numpy as np

from heterode.base.words import counted
from heterode.forecast.estimate.steps import expected_steps
from heterode.parameters import Parameters
from heterode.parameters.operation import Preset

MEMORY_OF_A_RANK = 1.6e8
"""Bytes that a rank takes before it has a mesh."""

RANKS_BEYOND = 16
"""Ratio to the largest measured number of ranks up to which more ranks count as faster."""

Case = tuple[int, Preset]

TIME_EXPONENTS: dict[Case, tuple[float, float]] = {
    (2, "direct"): (1.0, 1.6),
    (2, "fieldsplit"): (1.0, 1.4),
    (3, "direct"): (1.8, 2.4),  # factorisations by MUMPS: 16k 3.1 s, 30k 6.9 s, 64k 41.9 s
    (3, "fieldsplit"): (1.0, 1.4),
}
MEMORY_EXPONENTS: dict[Case, tuple[float, float]] = {
    (2, "direct"): (1.0, 1.2),
    (2, "fieldsplit"): (0.9, 1.1),
    (3, "direct"): (4.0 / 3.0, 1.5),  # fill-in of nested dissection: George, SINUM 10, 345 (1973)
    (3, "fieldsplit"): (0.9, 1.1),
}
"""Least and greatest power of dofs for extrapolation; with a single run their mean is used."""

BEYOND = 1.25
"""Ratio to the nearest measured run from which an estimate counts as extrapolated."""


@dataclass(frozen=True)
class MeasuredRun:
    """A row of the table: one run from start to end."""

    dimension: int
    linear_solver: Preset
    dofs: int
    ranks: int
    steps: int
    newton_iterations: int
    krylov_iterations: int
    seconds_total: float
    seconds_solve: float
    memory_bytes: float
    machine: str


@dataclass(frozen=True)
class Cost:
    """The expected cost of a run.

    Attributes:
        steps: number of time steps.
        seconds: wall time, s.
        memory_bytes: memory of all ranks together.
        beyond: text on an extrapolation; "" if measured runs lie on both sides.
        machine: machine on which the runs were measured.
    """

    steps: int
    seconds: float
    memory_bytes: float
    beyond: str
    machine: str


@cache
def measured_runs() -> tuple[MeasuredRun, ...]:
    """Return the table that comes with heterode."""
    table = resources.files("heterode.forecast.measured") / "performance.csv"
    text = table.read_text("utf-8")
    return parse_measured_runs(text)


def parse_measured_runs(text: str) -> tuple[MeasuredRun, ...]:
    """Parse the rows of a table.

    Args:
        text: CSV with the fields of `MeasuredRun` as its columns.

    Raises:
        ValueError: an entry is not a number, or two rows have the same case.
    """
    rows = tuple(
        MeasuredRun(
            dimension=int(row["dimension"]),
            linear_solver=_preset(row["linear_solver"]),
            dofs=int(row["dofs"]),
            ranks=int(row["ranks"]),
            steps=int(row["steps"]),
            newton_iterations=int(row["newton_iterations"]),
            krylov_iterations=int(row["krylov_iterations"]),
            seconds_total=float(row["seconds_total"]),
            seconds_solve=float(row["seconds_solve"]),
            memory_bytes=float(row["memory_bytes"]),
            machine=row["machine"],
        )
        for row in csv.DictReader(text.splitlines())
    )
    cases = [(run.dimension, run.linear_solver, run.dofs, run.ranks) for run in rows]
    if len(set(cases)) < len(cases):
        raise ValueError("the table of measured runs has two rows for one case")
    return rows


def _preset(text: str) -> Preset:
    presets: dict[str, Preset] = {name: name for name in get_args(Preset)}
    if text not in presets:
        raise ValueError(f"the table of measured runs has a linear_solver '{text}'")
    return presets[text]


def expected_cost(
    parameters: Parameters,
    dofs: int,
    ranks: int = 1,
    *,
    solver: Preset | None = None,
    runs: Sequence[MeasuredRun] | None = None,
) -> Cost | None:
    """Estimate the time and memory of the run that the parameters describe.

    Args:
        parameters: parameters of the run.
        dofs: number of its unknowns.
        ranks: number of ranks that share them.
        solver: the linear solver; None for the one that a run would choose.
        runs: measured runs; None for the table that comes with heterode.

    Returns:
        The cost, or None if no run of this dimension and solver was measured.
    """
    dimension = parameters.geometry.dimension
    case: Case = (dimension, solver or parameters.solver.preset(dofs, dimension))
    runs = measured_runs() if runs is None else runs
    alike = [run for run in runs if (run.dimension, run.linear_solver) == case]
    if not alike:
        return None
    steps = expected_steps(parameters)
    stepping = Work.of([(r.dofs, r.ranks, r.ranks * r.seconds_solve / r.steps) for r in alike])
    other = Work.of([(r.dofs, r.ranks, r.ranks * _other_seconds(r)) for r in alike])
    stored = Work.of([(r.dofs, r.ranks, _own_memory(r)) for r in alike])
    useful = min(ranks, RANKS_BEYOND * max(run.ranks for run in alike))
    in_time, in_memory = TIME_EXPONENTS[case], MEMORY_EXPONENTS[case]
    work = steps * stepping.at(dofs, useful, in_time) + other.at(dofs, useful, (1.0, 1.0))
    return Cost(
        steps=steps,
        seconds=work / useful,
        memory_bytes=stored.at(dofs, ranks, in_memory) + ranks * MEMORY_OF_A_RANK,
        beyond=_beyond(alike, dofs, ranks),
        machine=", ".join(sorted({run.machine for run in alike})),
    )


def _other_seconds(run: MeasuredRun) -> float:
    """Return the time of meshing, set-up, output and figures, s."""
    return max(run.seconds_total - run.seconds_solve, 1e-3)


def _own_memory(run: MeasuredRun) -> float:
    return max(run.memory_bytes - run.ranks * MEMORY_OF_A_RANK, 1e6)


def _beyond(runs: Sequence[MeasuredRun], dofs: int, ranks: int) -> str:
    sizes, most = [run.dofs for run in runs], max(run.ranks for run in runs)
    parts = []
    if dofs > BEYOND * max(sizes):
        parts.append(f"at most {max(sizes):,} unknowns".replace(",", " "))
    if dofs < min(sizes) / BEYOND:
        parts.append(f"at least {min(sizes):,} unknowns".replace(",", " "))
    if ranks > most:
        known = counted(most, "rank")
        parts.append(f"at most {known}, whose efficiency is assumed up to {RANKS_BEYOND * most}")
    return f"extrapolated: measured on {' and '.join(parts)}" if parts else ""


@dataclass(frozen=True)
class Work:
    """An amount that grows with dofs and ranks; see the module's docstring.

    Attributes:
        alone: (log dofs, log of the amount on 1 rank), with increasing dofs.
        growth: (log dofs, log of the growth) with increasing dofs, by numbers of ranks above 1.
    """

    alone: list[tuple[float, float]]
    growth: dict[int, list[tuple[float, float]]]

    @classmethod
    def of(cls, points: Sequence[tuple[int, int, float]]) -> Work:
        """Make it from points (dofs, ranks, amount), which differ in dofs or ranks."""
        logs = [(math.log(dofs), ranks, math.log(amount)) for dofs, ranks, amount in points]
        alone = {x: amount for x, ranks, amount in logs if ranks == 1}
        growth: dict[int, list[tuple[float, float]]] = {}
        for x, ranks, amount in sorted(logs):
            if ranks > 1 and x in alone:
                growth.setdefault(ranks, []).append((x, amount - alone[x]))
        # Runs on several ranks only are converted to one rank by the growth known so far.
        measured_alone = set(alone)
        known = {ranks: list(pairs) for ranks, pairs in growth.items()}
        for x, ranks, amount in sorted(logs):
            if x not in measured_alone:
                alone.setdefault(x, amount - _grown(known, x, ranks))
                growth.setdefault(ranks, []).append((x, amount - alone[x]))
        return cls(sorted(alone.items()), {r: sorted(pairs) for r, pairs in growth.items()})

    def at(self, dofs: int, ranks: int, exponents: tuple[float, float]) -> float:
        """Return the amount; `exponents` bound the power of dofs in an extrapolation."""
        x = math.log(dofs)
        places, values = zip(*self.alone, strict=True)
        amount = float(np.interp(x, places, values)) + _grown(self.growth, x, ranks)
        if x > places[-1]:
            amount += (x - places[-1]) * self._slope(-2, exponents)
        elif x < places[0]:
            amount += (x - places[0]) * self._slope(0, (0.5, exponents[1]))
        return math.exp(amount)

    def _slope(self, first: int, bounds: tuple[float, float]) -> float:
        """Return the power of dofs between two neighbouring points, within bounds."""
        if len(self.alone) < 2:
            return 0.5 * sum(bounds)
        (x0, y0), (x1, y1) = self.alone[first], self.alone[first + 1]
        return min(max((y1 - y0) / (x1 - x0), bounds[0]), bounds[1])


def _grown(growth: dict[int, list[tuple[float, float]]], x: float, ranks: int) -> float:
    """Return the logarithm of the growth at log dofs x."""
    places, values = [0.0], [0.0]
    for count in sorted(growth):
        sizes, logs = zip(*growth[count], strict=True)
        places.append(math.log(count))
        values.append(float(np.interp(x, sizes, logs)))
    return float(np.interp(math.log(ranks), places, values))
