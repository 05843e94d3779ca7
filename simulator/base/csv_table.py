"""Text tables from users, in any form that programs and spreadsheets commonly write.

The following variants are recognised without any option:

    characters   UTF-8, UTF-16 and UTF-32 with a byte order mark, UTF-16 without one, Windows-1252
                 (Latin-1)
    line ends    \\n, \\r\\n, \\r
    separators   comma, semicolon, tab, as the heading shows; others by a first line `sep=|`
    left out     blank lines, lines of nothing but separators, lines that begin with #
    heading      the first line, or the comment above the numbers, as numpy.savetxt writes it
    cells        quoted or not, with spaces around; one empty column after the last separator
    numbers      with a decimal point or, where commas do not separate cells, a decimal comma

A table that could be read in two ways is refused: one with decimal commas beside decimal points,
with a comma that may separate thousands, or with rows of more or fewer cells than the heading.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heterode.base.csv_text import NUMBER, Cells, TableError, harmless, plain, read_cells

Array = NDArray[np.float64]

_POINT = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)


class CsvTable(Cells):
    """The cells of a table, by column, as text or as numbers."""

    def require(self, names: Sequence[str], allowed: str = "") -> None:
        """Refuse the table if it lacks any of the named columns.

        Args:
            names: the required columns.
            allowed: the message's statement of what is allowed; empty to list `names`.

        Raises:
            TableError: a column is missing.
        """
        missing = [name for name in names if name not in self.columns]
        if not missing:
            return
        verb = "is" if len(missing) == 1 else "are"
        raise TableError(
            self.path,
            f"{self.described}: {', '.join(missing)} {verb} missing",
            allowed=allowed or with_columns(names),
            remedy="Rename them, or name the right file.",
        )

    def texts(self, column: str) -> list[str]:
        """Return the R cells of a column as text."""
        index = self.columns.index(column)
        return [row[index] for row in self.rows]

    def numbers(self, column: str) -> Array:
        """Return a column as an array (R,) of finite numbers.

        Raises:
            TableError: a cell is empty, is not a number, is not finite, or can be read in two ways.
        """
        values = self.numbers_or_nan(column)
        for bad in np.flatnonzero(~np.isfinite(values))[:1]:
            cell = self.texts(column)[bad]
            raise TableError(
                self.path,
                f"holds a bad value in line {self.lines[bad]}: {column} {what_is_wrong(cell)}",
                allowed="a finite number in every row",
                remedy="Correct the table.",
            )
        return values

    def numbers_or_nan(self, column: str) -> Array:
        """Return a column as an array (R,), with NaN where a cell holds no finite number.

        Raises:
            TableError: a cell can be read in two ways.
        """
        cells = self.texts(column)
        if any("," in cell for cell in cells):
            self._check_commas(column, cells)
        return np.array([_number(cell) for cell in cells], dtype=np.float64)

    def _check_commas(self, column: str, cells: Sequence[str]) -> None:
        for line, cell in zip(self.lines, cells, strict=True):
            if not _COMMA.fullmatch(plain(cell)):
                continue
            if self._point is not None:
                where, other = self._point
                raise TableError(
                    self.path,
                    f"holds numbers of two kinds: {column} = {harmless(cell, 20)} in line {line}"
                    f" has a decimal comma, {harmless(other, 20)} in line {where} a decimal point",
                    allowed="one of the two in all of a table, no separators of thousands",
                    remedy="Export it with decimal points.",
                )
            if self._may_be_thousands:
                raise TableError(
                    self.path,
                    f"holds a number in line {line} that can be read in two ways, as a decimal or"
                    f" as thousands: {column} = {harmless(cell, 20)}",
                    allowed="decimal points, and no separators of thousands",
                    remedy="Export the numbers without grouping.",
                )
            return

    @cached_property
    def _point(self) -> tuple[int, str] | None:
        """Return the line and the text of the first cell with a decimal point, or None."""
        for line, row in zip(self.lines, self.rows, strict=True):
            for cell in row:
                if "." in cell and _POINT.fullmatch(plain(cell)):
                    return line, cell
        return None

    @cached_property
    def _may_be_thousands(self) -> bool:
        """Whether each comma in a number stands where it may separate thousands."""
        # Semicolons separate cells because commas are needed for decimals.
        if self.separator == ";":
            return False
        commas = (plain(cell) for row in self.rows for cell in row if "," in cell)
        return all(_THOUSANDS.fullmatch(cell) for cell in commas if _COMMA.fullmatch(cell))


def read_csv_table(path: Path | str, names: Sequence[str] = ()) -> CsvTable:
    """Read a table in any of the forms that this module's docstring lists.

    Args:
        path: the file.
        names: the required columns, which may stand in any order and beside others.

    Raises:
        TableError: the file is not a regular file, is not text, is empty, has no rows, has two
            columns of the same name or rows of unequal length, or lacks a required column.
    """
    table = CsvTable(**vars(read_cells(path, with_columns(names) if names else "a CSV table")))
    table.require(names)
    return table


def with_columns(names: Sequence[str]) -> str:
    """Return the statement of a message that a table with these columns is wanted."""
    return f"a CSV table with the columns {', '.join(names)}"


def what_is_wrong(cell: str) -> str:
    """Return why a cell is not a finite number, for example "= much is not a number"."""
    if not cell.strip():
        return "is empty"
    text = plain(cell).replace(",", ".")
    number = NUMBER.fullmatch(text) or text.lower().lstrip("+-") in ("inf", "infinity", "nan")
    return f"= {harmless(cell, 20)} is not {'finite' if number else 'a number'}"


def _number(cell: str) -> float:
    # float, unlike pandas' default parser, returns a number written in full to its last digit.
    text = plain(cell)
    if _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    value = float(text) if NUMBER.fullmatch(text) else np.nan
    return value if np.isfinite(value) else np.nan
