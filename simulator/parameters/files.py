"""The files that a run reads: the parameter file and all files that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from heterode.parameters.model import Parameters


def files_of(parameters: Parameters) -> list[Path]:
    """Return the parameter file, and the mesh and tables that it names anywhere."""
    folder = parameters.output.directory
    return [path for path in (parameters.source_file, *_paths(parameters)) if path != folder]


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
