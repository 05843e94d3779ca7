"""CSV tables with a heading, as columns of numbers: what all tables of this unit are read with."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import InputError

Floats = npt.NDArray[np.floating[Any]]


def read_rows(path: Path | str) -> tuple[list[str], list[dict[str, str]]]:
    """Heading and rows as text; lines that begin with # and empty ones are left out.

    Raises:
        InputError: no such file, not UTF-8 text, no heading, or no rows.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except IsADirectoryError:
        raise InputError(f"{path}: is a directory, not a CSV file") from None
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text. Save it as CSV in UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        rows = list(csv.reader(lines, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}: is not readable as CSV ({error})") from None
    if len(rows) < 2:
        raise InputError(f"{path}: holds no rows below a heading")
    heading = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(heading):
            raise InputError(
                f"{path}: row {number} has {len(row)} entries, the heading {len(heading)}"
            )
    return heading, [dict(zip(heading, map(str.strip, row), strict=True)) for row in rows[1:]]


def numbers(path: Path | str, rows: Sequence[dict[str, str]], column: str) -> Floats:
    """One column as finite numbers, (N,).

    Raises:
        InputError: an entry is not a finite number.
    """
    values = np.empty(len(rows))
    for index, row in enumerate(rows):
        try:
            values[index] = float(row[column])
        except ValueError:
            values[index] = np.nan
        if not np.isfinite(values[index]):
            raise InputError(
                f"{path}: {column} = '{row[column]}' in row {index + 2} is not a finite number"
            )
    return values


def write_csv(columns: dict[str, Sequence[object] | npt.NDArray[np.generic]]) -> bytes:
    """Columns of equal length as the bytes of a CSV file; floats in their shortest exact form."""
    lists = [c.tolist() if isinstance(c, np.ndarray) else list(c) for c in columns.values()]
    lines = [",".join(columns)]
    for row in zip(*lists, strict=True):
        lines.append(",".join("" if _absent(entry) else _quoted(entry) for entry in row))
    return ("\n".join(lines) + "\n").encode("utf-8")


def _absent(entry: object) -> bool:
    return entry is None or (isinstance(entry, float) and not np.isfinite(entry))


def _quoted(entry: object) -> str:
    text = repr(entry) if isinstance(entry, float) else str(entry)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text
