"""Listings of parameters for people: dotted keys, and values with their units."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from heterode.parameters.functions import MaterialFunction
from heterode.parameters.geometry import OF_THE_MESH, Geometry
from heterode.parameters.model import Parameters
from heterode.parameters.walking import find_physical, typed


def parameter_rows(parameters: Parameters) -> list[tuple[str, str]]:
    """Return ('section.key', 'value unit') for every key that has a value."""
    return _rows(parameters, ())


def html_table(parameters: Parameters) -> str:
    """Return all keys that have a value as an HTML table for notebooks."""
    rows = "".join(
        f"<tr><td>{escape(key)}</td><td>{escape(value)}</td></tr>"
        for key, value in parameter_rows(parameters)
    )
    heading = escape(f"{parameters.source_file}: {parameters.title}".rstrip(": "))
    return f"<table><caption>{heading}</caption><tbody>{rows}</tbody></table>"


def _rows(section: BaseModel, above: tuple[str, ...]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if field.exclude or value is None or value == "":
            continue
        if isinstance(section, Geometry) and section.mesh_file is not None and name in OF_THE_MESH:
            continue
        if isinstance(value, BaseModel):
            rows += _rows(value, (*above, name))
            continue
        rows.append((".".join((*above, name)), value_text(value, typed(field))))
    return rows


def value_text(value: Any, annotation: Any) -> str:
    """Return a value of a field with its unit, or as a file has it."""
    physical = find_physical(annotation)
    if physical is not None and isinstance(value, float):
        return f"{physical.display(value):.6g} {physical.display_unit}".rstrip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "; ".join(getattr(item, "text", str(item)) for item in value) or "none"
    if isinstance(value, MaterialFunction):
        return value.text
    return str(value) if isinstance(value, str | int | Path) else f"{value:g}"
