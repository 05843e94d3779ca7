"""Tables of text that users give, however a program or a spreadsheet wrote them.

What is understood without being asked for:

    characters   UTF-8, UTF-16 and UTF-32 with a byte order mark, UTF-16 without one, Windows-1252
                 (Latin-1)
    line ends    \\n, \\r\\n, \\r
    separators   comma, semicolon, tab, as the heading shows; others by a first line `sep=|`
    left out     blank lines, lines of nothing but separators, lines that begin with #
    heading      the first line, or the comment above the numbers, as numpy.savetxt writes it
    cells        quoted or not, with spaces around; one empty column behind the last separator
    numbers      with a decimal point or, where commas do not separate cells, a decimal comma

What could be read in two ways is refused: decimal commas beside decimal points, a comma that may
separate thousands, rows with more or fewer cells than the heading.
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
    """A table's cells, by column and as numbers."""

    def require(self, names: Sequence[str], allowed: str = "") -> None:
        """Refuse a table without some columns.

        Args:
            names: of the columns.
            allowed: what the message says is wanted; empty: these columns.

        Raises:
            TableError: one is not there.
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
        """(R,) cells of a column."""
        index = self.columns.index(column)
        return [row[index] for row in self.rows]

    def numbers(self, column: str) -> Array:
        """(R,) finite numbers of a column.

        Raises:
            TableError: a cell is empty, is none, is not finite, or can be read in two ways.
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
        """(R,) numbers of a column; NaN where a cell holds no finite one.

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
        """Line and text of the first cell with a decimal point."""
        for line, row in zip(self.lines, self.rows, strict=True):
            for cell in row:
                if "." in cell and _POINT.fullmatch(plain(cell)):
                    return line, cell
        return None

    @cached_property
    def _may_be_thousands(self) -> bool:
        """Whether each comma in a number stands where it may separate thousands."""
        # Semicolons separate cells just because commas are needed for decimals.
        if self.separator == ";":
            return False
        commas = (plain(cell) for row in self.rows for cell in row if "," in cell)
        return all(_THOUSANDS.fullmatch(cell) for cell in commas if _COMMA.fullmatch(cell))


def read_csv_table(path: Path | str, names: Sequence[str] = ()) -> CsvTable:
    """Read a table; see the top of this module for what is understood.

    Args:
        path: the file.
        names: columns that must be there, in any order and beside others.

    Raises:
        TableError: no regular file, no text, empty, no rows, two columns of one name, rows of
            unequal length, or a column is missing.
    """
    table = CsvTable(**vars(read_cells(path, with_columns(names) if names else "a CSV table")))
    table.require(names)
    return table


def with_columns(names: Sequence[str]) -> str:
    """What a message says is wanted."""
    return f"a CSV table with the columns {', '.join(names)}"


def what_is_wrong(cell: str) -> str:
    """Why a cell is no finite number: "= much is not a number"."""
    if not cell.strip():
        return "is empty"
    text = plain(cell).replace(",", ".")
    number = NUMBER.fullmatch(text) or text.lower().lstrip("+-") in ("inf", "infinity", "nan")
    return f"= {harmless(cell, 20)} is not {'finite' if number else 'a number'}"


def _number(cell: str) -> float:
    # Not pandas' way: what was written in full is to come back to the last digit.
    text = plain(cell)
    if _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    value = float(text) if NUMBER.fullmatch(text) else np.nan
    return value if np.isfinite(value) else np.nan
