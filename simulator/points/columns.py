"""Roles and length units of a table's columns, recognised from their headers.

`x_um`, `X (µm)`, `centroid-1 [px]` and plain `x` all mean x; the unit follows the name or comes
from the caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from heterode.base.csv_text import shown_columns
from heterode.base.errors import ArgumentError

UNITS_UM: Mapping[str, float] = MappingProxyType(
    {"nm": 1e-3, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
)
"""Micrometres in each unit of length; the caller gives the size of "px"."""

_SPELLINGS = {
    "micron": "um",
    "microns": "um",
    "micrometer": "um",
    "micrometre": "um",
    "pixel": "px",
    "pixels": "px",
}

ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "x": ("x", "centroid_x", "center_x", "centre_x", "position_x", "pos_x", "xm", "centroid_1"),
        "y": ("y", "centroid_y", "center_y", "centre_y", "position_y", "pos_y", "ym", "centroid_0"),
        "z": ("z", "centroid_z", "center_z", "centre_z", "position_z", "pos_z", "zm"),
        "value": (
            "value",
            "lithium_fraction",
            "li_fraction",
            "lithium",
            "stoichiometry",
            "soc",
            "state_of_charge",
            "mark",
            "intensity",
            "mean",
        ),
        "radius": ("radius", "r", "equivalent_radius"),
        "diameter": ("diameter", "equivalent_diameter", "equivalent_diameter_area", "d"),
        "area": ("area", "section_area"),
        "volume": ("volume",),
        "field": ("field", "image", "frame", "micrograph", "fov", "file", "filename"),
    }
)
"""Names of each role, in order of preference."""

POWER: Mapping[str, int] = MappingProxyType(
    {"x": 1, "y": 1, "z": 1, "radius": 1, "diameter": 1, "area": 2, "volume": 3}
)
"""Power of the length in a role's unit."""


@dataclass(frozen=True)
class Column:
    """A column that has a role.

    Attributes:
        header: header in the table.
        unit: unit of length in the header ("um", "px", ...); None if there is none.
    """

    header: str
    unit: str | None = None


def find_columns(headers: Sequence[str], path: object, value: str | None) -> dict[str, Column]:
    """Find the columns that have a role.

    Args:
        headers: headers of the table.
        path: file of the table, for messages.
        value: header of the values if the caller names it, otherwise None.

    Returns:
        The column of each role; x, y and value are always present. The role "error" has the column
        named as the values with _sd or _error behind.

    Raises:
        InputError: one of these three is missing.
    """
    known = [(header, *_name_and_unit(header)) for header in headers]
    found = {}
    for role, names in ROLES.items():
        for name in names:
            # A header with a unit is preferred: beside x_um, a bare x may be a lithium fraction.
            fitting = [c for c in known if c[1] == name and _fits(role, c[2])]
            match = min(fitting, key=lambda c: not c[2], default=None)
            if match is not None:
                found[role] = Column(match[0], _unit(match[2]))
                break
    if value is not None:
        found["value"] = Column(_named(headers, path, value))
    if "value" in found:
        of_value = {f"{found['value'].header.strip().lower()}{end}" for end in ("_sd", "_error")}
        errors = [header for header in headers if header.strip().lower() in of_value]
        if errors:
            found["error"] = Column(errors[0])
    missing = [role for role in ("x", "y", "value") if role not in found]
    if missing:
        remedy = "Name its columns x, y, value"
        if missing == ["value"]:
            remedy = "Pass {value} with the name of the column"
        raise ArgumentError(
            f"{path}: no column '{missing[0]}' (it has: {shown_columns(headers)}). {remedy}",
            value=...,
        )
    return found


def find_value(headers: Sequence[str], path: object, value: str | None) -> str:
    """Return the header of the values: the one that the caller names, or one of the usual names.

    Raises:
        InputError: there is none.
    """
    if value is not None:
        return _named(headers, path, value)
    known = {_name_and_unit(header): header for header in reversed(headers)}
    for name in ROLES["value"]:
        if (name, "") in known:
            return known[name, ""]
    raise ArgumentError(
        f"{path}: no column 'value' (it has: {shown_columns(headers)}). Pass {{value}} with the "
        "name of the column",
        value=...,
    )


def find_time(headers: Sequence[str]) -> tuple[str, float] | None:
    """Return the header of the times, such as time_s, and their unit in hours; None for none.

    A time without unit is in seconds.
    """
    for header in headers:
        words = [word for word in re.split(r"[\s_\-/.()\[\]]+", header.strip().lower()) if word]
        if words[:1] in (["time"], ["t"]) and len(words) <= 2:
            unit = _HOURS.get(words[1] if len(words) > 1 else "s")
            if unit is not None:
                return header, unit
    return None


_HOURS = {"s": 1 / 3600, "sec": 1 / 3600, "min": 1 / 60, "h": 1.0, "hours": 1.0, "d": 24.0}


def _name_and_unit(header: str) -> tuple[str, str]:
    """Return a header in lower case without its unit, and the unit as "", "um" or "px2"."""
    text = header.strip().lower().replace("µ", "u").replace("μ", "u").replace("^", "")
    words = [word for word in re.split(r"[\s_\-/.,:;()\[\]{}]+", text) if word]
    if len(words) > 1 and re.fullmatch(_UNIT, words[-1]):
        return "_".join(words[:-1]), words[-1]
    return "_".join(words), ""


_UNIT = rf"({'|'.join([*UNITS_UM, 'px', *_SPELLINGS])})([23]?)"


def _fits(role: str, unit: str) -> bool:
    """Check whether a column in this unit can have the role: x_um2 is not a place."""
    if not unit or role not in POWER:
        return not unit
    power = unit[-1] if unit[-1] in "23" else "1"
    return int(power) == POWER[role]


def _unit(text: str) -> str | None:
    plain = text.rstrip("23")
    return _SPELLINGS.get(plain, plain) or None


def _named(headers: Sequence[str], path: object, value: str) -> str:
    if value in headers:
        return value
    wanted = _name_and_unit(value)[0]
    match = [header for header in headers if _name_and_unit(header)[0] == wanted]
    if len(match) != 1:
        listed = shown_columns(headers)
        raise ArgumentError(
            f"{path}: no column '{value}' for {{value}} (it has: {listed})", value=...
        )
    return match[0]
