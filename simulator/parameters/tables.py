"""The small CSV files that an input file may name: sizes, penalties, currents."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heterode.base.csv_table import CsvTable, read_csv_table, with_columns
from heterode.base.csv_text import TableError, read_cells
from heterode.parameters.fields import MistakeError
from heterode.protocol.records import SHORTEST_ROW, CurrentTable

Array = NDArray[np.float64]


def read_size_table(path: Path) -> tuple[Array, Array]:
    """Read particle diameters, um, and weights, (K,) each, from columns diameter_um, weight.

    Raises:
        MistakeError: the file is missing, has other columns or no rows, or a value is out of range.
    """
    rows = columns_of(path, ("diameter_um", "weight"))
    for line, diameter, weight in rows:
        if not 0.0 < diameter <= 100.0:
            raise bad_value(path, line, f"diameter_um = {diameter:g}", "above 0, up to 100")
        if not weight >= 0.0:
            raise bad_value(path, line, f"weight = {weight:g}", "at least 0")
    table = np.array([row[1:] for row in rows], dtype=np.float64)
    if not table[:, 1].sum() > 0.0:
        raise bad_value(path, rows[-1][0], "the sum of all weights is 0", "above 0")
    return table[:, 0], table[:, 1]


def read_penalty_table(path: Path) -> Array:
    """Read penalty factors (N,), sorted by particle, from columns particle, penalty.

    Raises:
        MistakeError: the file is missing or has other columns, the numbers are not 0..N-1 once
            each, or a penalty is outside (0, 1].
    """
    rows = columns_of(path, ("particle", "penalty"))
    for line, particle, penalty in rows:
        if particle != int(particle):
            raise bad_value(path, line, f"particle = {particle:g}", "whole numbers from 0")
        if not 0.0 < penalty <= 1.0:
            raise bad_value(path, line, f"penalty = {penalty:g}", "above 0, up to 1")
    rows = sorted(rows, key=lambda row: row[1])
    for expected, (line, particle, _) in enumerate(rows):
        if int(particle) != expected:
            raise bad_value(path, line, f"particle = {particle:g}", "0, 1, 2, ... once each")
    return np.array([row[2] for row in rows], dtype=np.float64)


CURRENT_COLUMNS = ("time_s", "current_A_m2")

CELL_COLUMNS = ("Time [s]", "Current [A]")
"""Columns of PyBaMM's drive cycles, in upper or lower case; current is positive on discharge."""

LARGEST_CURRENT = 1e6
"""The largest current of a current table, A m^-2."""

LEAST_PEAK = 1e-6
"""Least peak of a current table, A m^-2. A smaller current is practically a rest, since its charge
is lost in the last digits of a cell's lithium; a table of zeros is an explicit rest."""


def read_current_table(path: Path, *, stepwise: bool, area: float | None = None) -> CurrentTable:
    """Read a current over time from columns time_s, current_A_m2 (positive on charge).

    Args:
        path: the file.
        stepwise: whether each current holds up to the next row; else it is linear between rows.
        area: electrode area, m^2, by which the current is divided if the columns are Time [s] and
            Current [A] (positive on discharge).

    Raises:
        MistakeError: the file is missing, has other columns or fewer than two rows, times do not
            increase from 0, or a current is out of range.
    """
    rows = _current_rows(path) if area is None else _rows_of_a_cell(path, area)
    time_s, current_A_m2 = CURRENT_COLUMNS if area is None else (CELL_COLUMNS[0], "Current / area")
    line, first, _ = rows[0]
    if first != 0.0:
        raise bad_value(path, line, f"{time_s} = {first:g}", "0 in the first row")
    for (_, before, _), (line, time, _) in pairwise(rows):
        if not before + SHORTEST_ROW * (1 - 1e-9) <= time <= 1e9:
            least = f"at least {before + SHORTEST_ROW:.12g}, later than the row before; up to 1e9"
            what = f"{time_s} = {time:.12g}"
            raise bad_value(path, line, what, least, _jump(before, time, stepwise))
    check = "Correct the table." if area is None else "Correct the table, or the area."
    for line, _, current in rows:
        if abs(current) > LARGEST_CURRENT:
            allowed = f"from {-LARGEST_CURRENT:g} to {LARGEST_CURRENT:g} A/m^2"
            raise bad_value(path, line, f"{current_A_m2} = {current:g}", allowed, check)
    if len(rows) < 2:
        raise bad_value(path, line, "the only row", "two rows or more: the last one ends the table")
    line, _, peak = max(rows, key=lambda row: abs(row[2]))
    if 0.0 < abs(peak) < LEAST_PEAK:
        allowed = f"a current of {LEAST_PEAK:g} A/m^2 or more in one row at least, or zeros alone"
        raise bad_value(path, line, f"{current_A_m2} = {peak:g} is the largest", allowed, check)
    times, currents = (tuple(row[column] for row in rows) for column in (1, 2))
    digest = hashlib.sha256(repr((times, currents)).encode()).hexdigest()
    return CurrentTable(times, currents, stepwise, digest, area)


def _jump(before: float, time: float, stepwise: bool) -> str:
    """Return a remedy that says how to write the jump that two rows at one time mean."""
    if time != before:
        return "Correct the table."
    if stepwise:
        return "Keep one of the two rows."
    return (
        "A current that jumps is followed by 'follow FILE stepwise', where each current holds up"
        " to the next row; else keep one of the two rows."
    )


def _current_rows(path: Path) -> list[tuple[int, float, float]]:
    """Read line numbers, times and currents; an error explains other programs' columns."""
    try:
        return columns_of(path, CURRENT_COLUMNS)
    except MistakeError as mistake:
        if not re.match(r"has the columns .*\bcurrent\b", mistake.problem, re.IGNORECASE):
            raise
        remedy = (
            f"A cell's current in A is divided by its electrode area: name the columns"
            f" {', '.join(CELL_COLUMNS)}, positive on discharge as in PyBaMM, and write"
            f" 'follow {path.name[:60]} with area 0.1 m^2', with the cell's own."
        )
        if re.search(r"current density|A[/. ]?m[*^]*-?2", mistake.problem, re.IGNORECASE):
            remedy = "Rename the columns, and change the sign where discharge is positive (PyBaMM)."
        raise MistakeError(
            mistake.problem,
            allowed=f"{', '.join(CURRENT_COLUMNS)}: A per m^2 of collector, positive on charge",
            remedy=remedy,
        ) from mistake


def _rows_of_a_cell(path: Path, area: float) -> list[tuple[int, float, float]]:
    """Read line numbers, times, s, and a cell's current in A, converted to A m^-2 on charge."""
    with _of_the_input_file():
        table = CsvTable(**vars(read_cells(path, with_columns(CELL_COLUMNS))))
    by_name = {" ".join(name.lower().split()): name for name in table.columns}
    names = [by_name.get(name.lower()) for name in CELL_COLUMNS]
    if None in names:
        density = set(CURRENT_COLUMNS) <= set(table.columns)
        raise MistakeError(
            f"{table.described}: {CELL_COLUMNS[names.index(None)]} is missing",
            allowed=f"with area: {', '.join(CELL_COLUMNS)}, positive on discharge",
            remedy="Its current is per area already: leave out 'with area'."
            if density
            else "Rename the columns, and change the sign where charge is positive.",
        )
    times, currents = (_numbers(table, name) for name in names if name is not None)
    # Adding 0 keeps a rest from becoming -0.
    return [
        (line, time, 0.0 - current / area)
        for line, time, current in zip(table.lines, times, currents, strict=True)
    ]


def bad_value(
    path: Path, line: int, what: str, allowed: str, remedy: str = "Correct the table."
) -> MistakeError:
    """Return the mistake of a value in a line of a table."""
    return MistakeError(f"holds a bad value in line {line}: {what}", allowed=allowed, remedy=remedy)


def columns_of(path: Path, names: tuple[str, str]) -> list[tuple[int, float, float]]:
    """Return (line number, first, second) of every row; the two columns may be anywhere."""
    with _of_the_input_file():
        table = read_csv_table(path, names)
    first, second = (_numbers(table, name) for name in names)
    return list(zip(table.lines, first, second, strict=True))


def _numbers(table: CsvTable, name: str) -> list[float]:
    with _of_the_input_file():
        return list(map(float, table.numbers(name)))


@contextmanager
def _of_the_input_file() -> Iterator[None]:
    """Turn an error in a table into a mistake of the key that names it."""
    try:
        yield
    except TableError as error:
        problem = error.problem.replace("no such file", "does not exist")
        raise MistakeError(problem, allowed=error.allowed, remedy=error.remedy) from error
