"""The files that a run reads: the parameter file and all files that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from heterode.parameters.material_files import is_path
from heterode.parameters.model import Parameters


def files_of(parameters: Parameters) -> list[Path]:
    """Return the parameter file, and the mesh, materials and tables that it names."""
    folder = parameters.output.directory
    names = (parameters.active_material.material, parameters.electrolyte.material)
    materials = [Path(name) for name in names if name is not None and is_path(name)]
    found = (parameters.source_file, *materials, *_paths(parameters))
    return [path for path in found if path != folder]


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _paths(getattr(value, name))
    elif is_dataclass(value):
        for one in fields(value):
            yield from _paths(getattr(value, one.name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _paths(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _paths(item)
