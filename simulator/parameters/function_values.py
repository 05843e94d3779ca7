"""Reads functions of the input file: formulas, tables and galleries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from heterode.materials.expressions import FUNCTIONS, FormulaError, parsed
from heterode.materials.galleries import Galleries
from heterode.materials.monotone import largest_rise
from heterode.parameters.fields import MistakeError
from heterode.parameters.functions import MaterialFunction, Quantity
from heterode.parameters.tables import bad_value, columns_of

LARGEST_RISE = 5e-3
"""Rise of a measured open-circuit curve that is put down to noise and smoothed away, V."""


def is_function(value: Any) -> bool:
    """Check whether a value of the file is a formula, a table or galleries, and not a name."""
    if isinstance(value, Mapping | MaterialFunction):
        return True
    return isinstance(value, str) and not value.strip().isidentifier()


def is_number_with_unit(value: Any, quantity: Quantity) -> bool:
    """Check whether a text without a variable or a function is a number with its unit."""
    if not isinstance(value, str):
        return not isinstance(value, Mapping | MaterialFunction)
    words = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", value))
    return not words & {*quantity.variables, *FUNCTIONS}


def read_function(value: Any, quantity: Quantity) -> MaterialFunction:
    """Return the function that a value of the file describes.

    Raises:
        MistakeError: it describes none; keys of a table are named.
    """
    if isinstance(value, MaterialFunction):
        return value
    if isinstance(value, str):
        if value.strip().lower().endswith(".csv"):
            raise MistakeError(
                "is the name of a file",
                allowed=quantity.allowed(),
                remedy=f'Write {{ table = "{value.strip()[-60:]}" }}.',
            )
        return _of_formula(value, quantity, *quantity.ends, "", ())
    if not isinstance(value, Mapping):
        raise MistakeError("is no function", allowed=quantity.allowed(), remedy="See README.")
    return _of_table(value, quantity)


def _of_table(given: Mapping[str, Any], quantity: Quantity) -> MaterialFunction:
    forms = ["expression", "table", *(["galleries"] if quantity.column == "potential_V" else [])]
    present = [form for form in forms if form in given]
    for key in given:
        if key not in (*forms, "range", "source"):
            raise MistakeError(
                "is not a key of a function",
                allowed=f"one of {', '.join(forms)}, and range, source",
                remedy="Remove it.",
                key=(str(key),),
            )
    if len(present) != 1:
        raise MistakeError(
            f"has {' and '.join(present) or 'none of its forms'}",
            allowed=f"one of {', '.join(forms)}",
            remedy="Give one of them.",
            key=(present[1],) if present else (),
        )
    source = given.get("source", "")
    if not isinstance(source, str):
        raise MistakeError("is no text", remedy="Write it in quotes.", key=("source",))
    low, high = _range(given["range"], quantity) if "range" in given else quantity.ends
    if present == ["expression"]:
        return _of_formula(given["expression"], quantity, low, high, source, ("expression",))
    if present == ["galleries"]:
        if "range" not in given:
            raise MistakeError(
                "is missing: galleries do not say where they were fitted",
                allowed="two lithium fractions",
                remedy="Add it, like range = [0.2, 0.95].",
                key=("range",),
            )
        galleries = _read_galleries(given["galleries"], low, high, source)
        return MaterialFunction(quantity, low, high, source, galleries=galleries)
    try:
        return read_function_table(
            given["table"], quantity, low if "range" in given else -np.inf, high, source
        )
    except MistakeError as mistake:
        raise _within(mistake, "table") from None


def _within(mistake: MistakeError, key: str) -> MistakeError:
    return MistakeError(
        mistake.problem, allowed=mistake.allowed, remedy=mistake.remedy, key=(key, *mistake.key)
    )


def _range(value: Any, quantity: Quantity) -> tuple[float, float]:
    low, high = quantity.ends
    numbers = isinstance(value, list | tuple) and len(value) == 2
    if not numbers or any(isinstance(v, bool) or not isinstance(v, int | float) for v in value):
        problem = "is not two numbers"
    elif not low <= value[0] < value[1] <= high:
        problem = "is no range"
    else:
        return float(value[0]), float(value[1])
    unit = " mol/m^3" if quantity.argument == "c" else ""
    raise MistakeError(
        problem,
        allowed=f"two rising numbers from {low:g} to {high:g}{unit}",
        remedy=f"Write them like [{low + 0.1 * (high - low):g}, {low + 0.9 * (high - low):g}].",
        key=("range",),
    )


def _of_formula(
    text: Any, quantity: Quantity, low: float, high: float, source: str, key: tuple[str, ...]
) -> MaterialFunction:
    if not isinstance(text, str):
        raise MistakeError(
            "is no formula", allowed=quantity.allowed(), remedy="Write it in quotes.", key=key
        )
    try:
        expression = parsed(text, quantity.variables)
    except FormulaError as error:
        names = f"{', '.join(quantity.names)}, or " if quantity.names else ""
        allowed = f"{names}a formula of {error.allowed}" if names else error.allowed
        raise MistakeError(error.problem, allowed=allowed, remedy=error.remedy, key=key) from None
    found = MaterialFunction(quantity, low, high, source, expression=expression)
    # One in T is checked at the temperature of the run, which is not known yet.
    if not found.depends_on_temperature:
        found.check()
    return found


def _read_galleries(value: Any, low: float, high: float, source: str) -> Galleries:
    def is_row(row: Any) -> bool:
        return (
            isinstance(row, list | tuple)
            and len(row) == 3
            and all(isinstance(v, int | float) and not isinstance(v, bool) for v in row)
            and -1.0 <= row[0] <= 6.0
            and 0.0 < row[1] <= 1.0
            and 1e-3 <= row[2] <= 100.0
        )

    wrong = MistakeError(
        "are no galleries",
        allowed="rows [U_j, X_j, w_j] of numbers: U_j in V from -1 to 6, X_j above 0 up to 1, w_j "
        "from 0.001 to 100, the X_j with the sum 1",
        remedy="Write them like [[3.62, 0.134, 0.97], ...].",
        key=("galleries",),
    )
    if not isinstance(value, list | tuple) or not value or len(value) > 100:
        raise wrong
    if not all(map(is_row, value)) or abs(sum(row[1] for row in value) - 1.0) > 0.01:
        raise wrong
    U, X, w = (tuple(map(float, column)) for column in zip(*value, strict=True))
    fit = Galleries("galleries of the input file", U, X, w, 1.0, (0.0, 1.0), source)
    return fit.measured_between(low, high)


def read_function_table(
    value: Any, quantity: Quantity, low: float = -np.inf, high: float = np.inf, source: str = ""
) -> MaterialFunction:
    """Read a function from a CSV file.

    Args:
        value: path of the file.
        quantity: what it describes, which gives the names of the columns.
        low, high: ends between which rows are used.
        source: where it comes from.

    Raises:
        MistakeError: the file is missing, has other columns or fewer than two rows, an argument is
            outside its bounds or occurs twice, or a value is out of bounds.
    """
    if isinstance(value, MaterialFunction):
        return value
    if not isinstance(value, str | Path):
        raise MistakeError("is not a path", remedy="Write the path in quotes.")
    path, argument, physical = Path(value), quantity.column_of_argument, quantity.physical
    rows = sorted(columns_of(path, (argument, quantity.column)), key=lambda row: row[1])
    least, most = quantity.ends
    before = -np.inf
    for line, x, number in rows:
        if not least <= x <= most:
            raise bad_value(path, line, f"{argument} = {x:g}", f"from {least:g} to {most:g}")
        if x == before:
            raise bad_value(path, line, f"{argument} = {x:g}", f"each {argument} once")
        # The least positive value of a number bounds no table, as values may fall by decades.
        inside = 0.0 < number <= (physical.up_to or np.inf)
        if not (inside if quantity.positive else physical.holds(number)):
            unit = f" {physical.unit}".rstrip()
            allowed = f"above 0, up to {physical.up_to:g}" if quantity.positive else ""
            raise bad_value(
                path,
                line,
                f"{quantity.column} = {number:g}",
                allowed or physical.allowed().removesuffix(unit),
            )
        before = x
    inside_range = [row for row in rows if low <= row[1] <= high]
    if len(inside_range) < 2:
        only = "it is the only row" if len(rows) < 2 else "fewer than two rows are in the range"
        raise bad_value(path, rows[-1][0], only, "two rows or more")
    points = tuple((x, number) for _, x, number in inside_range)
    lines = {x: line for line, x, _ in inside_range}
    found = MaterialFunction(quantity, points[0][0], points[-1][0], source, file=path, rows=points)
    if quantity.column == "potential_V":
        _refuse_rising(found, lines)
    return found


def _refuse_rising(found: MaterialFunction, lines: Mapping[float, int]) -> None:
    rise, low, high = largest_rise(np.array(found.values))
    if rise <= LARGEST_RISE * (1 + 1e-9):
        return
    (x0, U0), (x1, U1) = found.rows[low], found.rows[high]
    assert found.file is not None
    raise bad_value(
        found.file,
        lines[x1],
        f"potential_V rises by {1e3 * rise:.3g} mV, from {U0:g} at stoichiometry = {x0:g} in line "
        f"{lines[x0]} to {U1:g} at {x1:g}",
        f"rises up to {1e3 * LARGEST_RISE:g} mV, which are smoothed",
        "Correct the table, or narrow its range.",
    )
