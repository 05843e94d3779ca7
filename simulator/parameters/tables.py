"""The small CSV files an input file may name: sizes, penalties, a current in time, functions."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.materials.tabulated import TabulatedFunction
from simulator.parameters.fields import MistakeError
from simulator.protocol.records import SHORTEST_ROW, CurrentTable

Array = NDArray[np.float64]


def read_size_table(path: Path) -> tuple[Array, Array]:
    """Particle sizes: (diameters in um, weights), both (K,), from columns diameter_um, weight.

    Raises:
        MistakeError: no such file, other columns, no rows, or a value outside its range.
    """
    rows = _columns(path, ("diameter_um", "weight"))
    for line, diameter, weight in rows:
        if not 0.0 < diameter <= 100.0:
            raise _bad(path, line, f"diameter_um = {diameter:g}", "above 0, up to 100")
        if not weight >= 0.0:
            raise _bad(path, line, f"weight = {weight:g}", "at least 0")
    table = np.array([row[1:] for row in rows], dtype=np.float64)
    if not table[:, 1].sum() > 0.0:
        raise _bad(path, rows[-1][0], "the sum of all weights is 0", "above 0")
    return table[:, 0], table[:, 1]


def read_penalty_table(path: Path) -> Array:
    """Penalty factors (N,), sorted by particle, from columns particle, penalty.

    Raises:
        MistakeError: no such file, other columns, numbers that are not 0..N-1 once each, or a
            penalty outside (0, 1].
    """
    rows = _columns(path, ("particle", "penalty"))
    for line, particle, penalty in rows:
        if particle != int(particle):
            raise _bad(path, line, f"particle = {particle:g}", "whole numbers from 0")
        if not 0.0 < penalty <= 1.0:
            raise _bad(path, line, f"penalty = {penalty:g}", "above 0, up to 1")
    rows = sorted(rows, key=lambda row: row[1])
    for expected, (line, particle, _) in enumerate(rows):
        if int(particle) != expected:
            raise _bad(path, line, f"particle = {particle:g}", "0, 1, 2, ... once each")
    return np.array([row[2] for row in rows], dtype=np.float64)


LARGEST_CURRENT = 1e6
"""Of a current table, A m^-2."""


def read_current_table(path: Path, *, stepwise: bool) -> CurrentTable:
    """A current in time, from columns time_s, current_A_m2 (positive on charge).

    Args:
        path: the file.
        stepwise: each current holds up to the next row; else it is linear between rows.

    Raises:
        MistakeError: no such file, other columns, fewer than two rows, times that do not increase
            from 0, or a current out of range.
    """
    rows = _columns(path, ("time_s", "current_A_m2"))
    line, first, _ = rows[0]
    if first != 0.0:
        raise _bad(path, line, f"time_s = {first:g}", "0 in the first row")
    for (_, before, _), (line, time, _) in pairwise(rows):
        if not before + SHORTEST_ROW * (1 - 1e-9) <= time <= 1e9:
            least = f"at least {before + SHORTEST_ROW:.12g}, later than the row before; up to 1e9"
            raise _bad(path, line, f"time_s = {time:.12g}", least)
    for line, _, current in rows:
        if abs(current) > LARGEST_CURRENT:
            allowed = f"from {-LARGEST_CURRENT:g} to {LARGEST_CURRENT:g} A/m^2"
            raise _bad(path, line, f"current_A_m2 = {current:g}", allowed)
    if len(rows) < 2:
        raise _bad(path, line, "the only row", "two rows or more: the last one ends the table")
    times, currents = (tuple(row[column] for row in rows) for column in (1, 2))
    digest = hashlib.sha256(repr((times, currents)).encode()).hexdigest()
    return CurrentTable(times, currents, stepwise, digest)


@dataclass(frozen=True)
class FractionTable:
    """A positive function of the lithium fraction, as a file gives it.

    Attributes:
        file: where it stands.
        column: what is tabulated, with its unit.
        fractions: (K,) increasing.
        values: (K,) above 0.
    """

    file: Path
    column: str
    fractions: tuple[float, ...]
    values: tuple[float, ...]

    @cached_property
    def function(self) -> TabulatedFunction:
        """The smooth function through the points."""
        return TabulatedFunction(self.fractions, self.values)

    @property
    def text(self) -> str:
        """For listings."""
        return f"{self.file} ({len(self.values)} points)"

    def as_dict(self) -> dict[str, Any]:
        """For the manifest: the numbers themselves, since files change."""
        return {
            "file": str(self.file),
            "stoichiometry": list(self.fractions),
            self.column: list(self.values),
        }


def read_fraction_table(path: Path, column: str, largest: float) -> FractionTable:
    """A function of the lithium fraction, from columns stoichiometry and `column`.

    Args:
        path: the file.
        column: name of the second column.
        largest: allowed in it.

    Raises:
        MistakeError: no such file, other columns, fewer than two rows, a stoichiometry outside
            [0, 1] or twice, or a value that is not above 0 and up to `largest`.
    """
    rows = sorted(_columns(path, ("stoichiometry", column)), key=lambda row: row[1])
    before = -1.0
    for line, fraction, value in rows:
        if not 0.0 <= fraction <= 1.0:
            raise _bad(path, line, f"stoichiometry = {fraction:g}", "from 0 to 1")
        if fraction == before:
            raise _bad(path, line, f"stoichiometry = {fraction:g}", "each stoichiometry once")
        if not 0.0 < value <= largest:
            raise _bad(path, line, f"{column} = {value:g}", f"above 0, up to {largest:g}")
        before = fraction
    if len(rows) < 2:
        raise _bad(path, rows[-1][0], "it is the only row", "two rows or more")
    fractions, values = zip(*((row[1], row[2]) for row in rows), strict=True)
    return FractionTable(path, column, fractions, values)


def _bad(path: Path, line: int, what: str, allowed: str) -> MistakeError:
    return MistakeError(
        f"holds a bad value in line {line}: {what}", allowed=allowed, remedy="Correct the table."
    )


def _columns(path: Path, names: tuple[str, str]) -> list[tuple[int, float, float]]:
    """(line number, first, second) of every row; the two columns may be anywhere."""
    wanted = f"a CSV file with the columns {', '.join(names)}"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MistakeError("is not UTF-8 text", allowed=wanted) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = "does not exist" if isinstance(error, FileNotFoundError) else "cannot be read"
        reason = "is a directory" if isinstance(error, IsADirectoryError) else reason
        raise MistakeError(reason, allowed=wanted, remedy="Correct the path.") from error
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    skipped = len(text.splitlines()) - len(lines)
    reader = csv.DictReader(lines, skipinitialspace=True)
    columns = _header(reader, wanted)
    if not set(names) <= set(columns):
        found = ", ".join(columns)[:80] or "nothing"
        raise MistakeError(f"has the columns {found}", allowed=wanted, remedy="Rename them.")
    rows = []
    for row in _rows(reader, wanted):
        line = reader.line_num + skipped
        try:
            values = float(row[names[0]]), float(row[names[1]])
        except (TypeError, ValueError) as error:
            what = f"a number is missing or unreadable: {_shown(row, names)}"
            raise _bad(path, line, what, wanted) from error
        if not all(math.isfinite(value) for value in values):
            raise _bad(path, line, f"a number is not finite: {_shown(row, names)}", wanted)
        rows.append((line, *values))
    if not rows:
        raise MistakeError("has no rows", allowed=wanted, remedy="Fill the table.")
    return rows


def _shown(row: dict[str, str], names: tuple[str, str]) -> str:
    """The two cells of a row, for a message."""
    return ", ".join(f"{name} = {(row[name] or '').strip()[:20] or 'nothing'}" for name in names)


def _header(reader: csv.DictReader[str], wanted: str) -> list[str]:
    try:
        return list(reader.fieldnames or ())
    except csv.Error as error:
        raise MistakeError(f"cannot be read as CSV: {error}", allowed=wanted) from error


def _rows(reader: csv.DictReader[str], wanted: str) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise MistakeError(f"cannot be read as CSV: {error}", allowed=wanted) from error
