"""The table of a sweep: one row for each run, whether it has ended or not."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from heterode.results.trust import check_whole
from heterode.results.written import write_output
from heterode.sweep.folder import SweepFolder
from heterode.sweep.plan import PlannedRun, SweepPlan

_FIRST = (
    "peak_spread",
    "peak_lithium_fraction",
    "L_star_um",
    "L_star_flag",
    "L_star_null_median_um",
    "L_star_p_value",
    "L_star_independent_um",
    "correlation_length_um",
)
"""Columns that a reader looks for first; they come first if they exist."""


def collect(plan: SweepPlan, folder: SweepFolder) -> pd.DataFrame:
    """Return the table of the present state of the runs, some of which may still be going on.

    Returns:
        a row for each run in the order of the design: run (its id), point, a column for each factor
            (SI, with the unit in its name), packing_seed, penalty_seed, status, reason, then the
            numbers of `heterode.sweep.run_numbers`, which are missing if the run has none.
    """
    rows = [_row(plan, run, folder) for run in plan.runs]
    table = pd.DataFrame(rows)
    numbers = [name for name in table.columns if name not in _keys(plan)]
    first = [name for name in _FIRST if name in numbers]
    if folder.altered:
        table["altered"] = [_altered(folder, run.id) for run in plan.runs]
        numbers.append("altered")
    return table[[*_keys(plan), *first, *(name for name in numbers if name not in first)]]


def check_runs(plan: SweepPlan, folder: SweepFolder, say: Callable[[str], None]) -> None:
    """Refuse runs whose files are not as they wrote them, unless the folder accepts altered files.

    Raises:
        AlteredError: a run is altered.
    """
    for run in plan.unique():
        path = folder.results(run.id)
        ended = folder.ended(run.id)
        if ended is not None and ended.status == "completed" and path.is_dir():
            lines = check_whole(path, say, accept_altered=folder.accept_altered)
            if lines:
                folder.altered.setdefault(run.id, []).extend(lines)


def _altered(folder: SweepFolder, run: str) -> str:
    return "; ".join(dict.fromkeys(folder.altered.get(run, [])))


def _keys(plan: SweepPlan) -> list[str]:
    columns = [factor.column for factor in plan.factors]
    block = ["block", "row"] if plan.file.design.kind == "saltelli" else []
    seeds = ["packing_seed", "penalty_seed"]
    return ["run", "point", *columns, *block, *seeds, "status", "reason"]


def _row(plan: SweepPlan, run: PlannedRun, folder: SweepFolder) -> dict[str, Any]:
    state = folder.state(run.id)
    row: dict[str, Any] = {"run": run.id, "point": run.point}
    for factor in plan.factors:
        row[factor.column] = run.coordinates.get(factor.name)
    if plan.file.design.kind == "saltelli":
        row |= {"block": run.block, "row": run.row}
    row |= {"packing_seed": run.packing_seed, "penalty_seed": run.penalty_seed}
    row |= {"status": state.status, "reason": state.reason}
    # JSON has no nan.
    return row | {k: math.nan if v is None else v for k, v in state.numbers.items()}


def write_table(table: pd.DataFrame, folder: SweepFolder) -> None:
    """Write sweep.csv and sweep.parquet, each whole or not at all.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_output(folder.csv, table.to_csv(index=False, lineterminator="\n").encode())
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    write_output(folder.parquet, buffer.getvalue())
