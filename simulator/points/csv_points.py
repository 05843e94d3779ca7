"""MarkedPoints from any CSV table with x, y [, z] and a value; one line explains a failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heterode.base.csv_table import CsvTable, read_csv_table, what_is_wrong
from heterode.base.csv_text import TableError, harmless
from heterode.base.errors import ArgumentError, InputError
from heterode.base.words import counted
from heterode.heterogeneity.marks import FEWEST, Floats, MarkedPoints, check_spread
from heterode.points.columns import POWER, UNITS_UM, Column, find_columns

LEAST_EXTENT_UM, LARGEST_EXTENT_UM = 1.0, 1e5
"""Bounds of a table's extent: no electrode is below 1 um or above 10 cm, except in a wrong unit."""


@dataclass(frozen=True)
class Reading:
    """Options for reading a table.

    Attributes:
        value: header of the values; None looks for its usual names.
        unit: "nm", "um", "mm", "cm", "m" or "px" for columns without a unit; None means "um".
        pixel_um: size of a pixel, for lengths in pixels.
        window_um: (d, 2) bounds of the field; None leaves them to MarkedPoints.
        drop_missing: whether to leave out rows without a number instead of refusing the table.
    """

    value: str | None = None
    unit: str | None = None
    pixel_um: float | None = None
    window_um: Floats | None = None
    drop_missing: bool = False


@dataclass(frozen=True)
class Table:
    """The content of a table.

    Attributes:
        path: path of the file.
        fields: one field for each image in the field column, or a single one.
        columns: the header that was read for each role, such as {"x": "x_um"}.
        units: the unit of length in which each role was read.
        rows: number of rows in the file, including those left out.
        dropped: number of rows left out.
    """

    path: Path
    fields: tuple[MarkedPoints, ...]
    columns: Mapping[str, str]
    units: Mapping[str, str]
    rows: int
    dropped: int


def read_table(path: Path | str, reading: Reading | None = None) -> Table:
    """Read a CSV table from any program; see heterode.base.csv_table.

    Raises:
        InputError: the file is not a table or empty, lacks a column or a number, has two particles
            at one place, fewer than 10 particles or equal values only, or an implausible extent.
    """
    path, reading = Path(path), reading or Reading()
    table = read_csv_table(path)
    if not table.separator:
        raise TableError(
            path,
            f"not a table of particles: {table.described}",
            allowed="a CSV table with columns such as x_um, y_um, value",
        )
    columns = find_columns(table.columns, path, reading.value)
    scales, units = _scales(path, columns, reading)
    numbers = {
        role: _numbers(table, columns[role].header, reading) * scales.get(role, 1.0)
        for role in columns
        if role not in ("field", "error")
    }
    whole = np.all([np.isfinite(values) for values in numbers.values()], axis=0)
    if "error" in columns:
        # A particle without a stated error remains one.
        numbers["error"] = table.numbers_or_nan(columns["error"].header)
    names, lines = _field_names(table, columns.get("field")), np.array(table.lines)
    fields = tuple(
        _field(path, name, {r: v[rows] for r, v in numbers.items()}, lines[rows], reading)
        for name, rows in _rows_by_field(names, whole)
    )
    if not fields:
        raise InputError(f"{path}: no row is complete. Give a value to each particle")
    headers = {role: column.header for role, column in columns.items()}
    return Table(path, fields, headers, units, whole.size, int(whole.size - whole.sum()))


def _scales(
    path: Path, columns: Mapping[str, Column], reading: Reading
) -> tuple[dict[str, float], dict[str, str]]:
    """Return factors to micrometres (and their powers), and the units for which they are."""
    scales, units = {}, {}
    # A radius without a unit has that of the place beside it.
    fallback = columns["x"].unit or reading.unit or "um"
    for role, power in POWER.items():
        column = columns.get(role)
        if column is None:
            continue
        if reading.unit is not None and column.unit not in (None, reading.unit):
            raise ArgumentError(
                f"{path}: {{unit}}, but column '{column.header}' is in {column.unit}. Leave it out",
                unit=reading.unit,
            )
        unit = column.unit or fallback
        if unit == "px" and reading.pixel_um is None:
            raise ArgumentError(
                f"{path}: column '{column.header}' is in pixels. Pass {{pixel_um}}, its size",
                pixel_um=...,
            )
        scales[role] = (reading.pixel_um or 1.0 if unit == "px" else UNITS_UM[unit]) ** power
        units[role] = unit
    return scales, units


def _numbers(table: CsvTable, column: str, reading: Reading) -> Floats:
    """Return a column as numbers, with NaN for missing ones if rows may be dropped."""
    numbers = table.numbers_or_nan(column)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if bad.size and not reading.drop_missing:
        what = what_is_wrong(table.texts(column)[bad[0]])
        others = f" (and {bad.size - 1} more)" if bad.size > 1 else ""
        raise ArgumentError(
            f"{table.path}: line {table.lines[bad[0]]}, column '{harmless(column)}' {what}{others}."
            " Complete the table or pass {drop_missing}",
            drop_missing=...,
        )
    return numbers


def _field_names(table: CsvTable, column: Column | None) -> Any:
    if column is None:
        return np.full(len(table.rows), table.path.stem, dtype=object)
    return np.array(table.texts(column.header), dtype=object)


def _rows_by_field(names: Any, whole: Any) -> Iterator[tuple[str, Any]]:
    for name in dict.fromkeys(names[whole]):
        yield str(name), np.flatnonzero(whole & (names == name))


def _field(
    path: Path, name: str, numbers: dict[str, Floats], rows: Any, reading: Reading
) -> MarkedPoints:
    """Make one field of view from its complete rows."""
    where = f"{path}" if name == path.stem else f"{path}, field {name}"
    axes = [axis for axis in ("x", "y", "z") if axis in numbers]
    if "z" in axes and np.ptp(numbers["z"]) == 0.0:
        # Tables of 2D runs have z = 0.
        axes.remove("z")
    positions = np.column_stack([numbers[axis] for axis in axes])
    check_particles(where, positions, numbers["value"], rows)
    _check_extent(where, positions)
    radius = _radius(where, numbers, len(axes))
    window = {} if reading.window_um is None else {"window_um": reading.window_um}
    if reading.window_um is not None and len(reading.window_um) != len(axes):
        raise ArgumentError(
            f"{where}: {{window_um}} has bounds for {len(reading.window_um)} of {axes}",
            window_um=...,
        )
    error = numbers.get("error")
    return MarkedPoints(name, positions, numbers["value"], radius_um=radius, error=error, **window)


def check_particles(where: str, positions: Floats, value: Floats, rows: Any) -> None:
    """Refuse particles on which no statistics are possible, and name their rows.

    Args:
        where: file and field for the message.
        positions: (N, d) positions, um.
        value: (N,) values.
        rows: (N,) numbers by which the user finds the particles.

    Raises:
        InputError: there are fewer than 10 particles, two at one place, or equal values only.
    """
    if len(value) < FEWEST:
        raise InputError(
            f"{where}: {counted(len(value), 'particle')}, too few to cluster (at least {FEWEST}). "
            "Give more, or pool several fields"
        )
    order = np.lexsort(positions.T)
    same = np.flatnonzero((np.diff(positions[order], axis=0) == 0.0).all(axis=1))
    if same.size:
        first, second = sorted((rows[order[same[0]]], rows[order[same[0] + 1]]))
        raise InputError(
            f"{where}: rows {first} and {second} are at the same place "
            f"({same.size} such pairs). Remove one, or name the column of images 'field'"
        )
    check_spread(where, value)


def _check_extent(where: str, positions: Floats) -> None:
    extent = np.ptp(positions, axis=0)
    if LEAST_EXTENT_UM <= extent.max() <= LARGEST_EXTENT_UM:
        if extent.min() > 0.0:
            return
        raise InputError(f"{where}: all particles lie on one line")
    raise ArgumentError(
        f"{where}: extends over {extent.max():.3g} um, which is not between 1 um and 10 cm. "
        "Say the unit of length with {unit} nm, um, mm, cm, m or px, or in the header (x_um)",
        unit=...,
    )


def _radius(where: str, numbers: Mapping[str, Floats], dimension: int) -> Floats | None:
    if "radius" in numbers:
        radius = numbers["radius"]
    elif "diameter" in numbers:
        radius = numbers["diameter"] / 2
    elif "area" in numbers:
        radius = np.sqrt(np.maximum(numbers["area"], 0.0) / np.pi)
    elif "volume" in numbers and dimension == 3:
        radius = np.cbrt(3 * np.maximum(numbers["volume"], 0.0) / (4 * np.pi))
    else:
        return None
    if radius.min() <= 0.0:
        raise InputError(f"{where}: a particle's size is {radius.min():g}; sizes are positive")
    return np.asarray(radius)
