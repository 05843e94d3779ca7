"""The schema, walked by key: its sections, and the annotations of their fields with metadata."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from heterode.parameters.choices import GivenAs
from heterode.parameters.fields import Physical, Section
from heterode.parameters.model import Parameters

Key = tuple[str, ...]
Root = type[BaseModel]
"""The schema of a whole file."""

_BOUNDS = {
    "ge": ("at least", "minimum"),
    "gt": ("above", "exclusiveMinimum"),
    "le": ("up to", "maximum"),
    "lt": ("below", "exclusiveMaximum"),
}


def sections_of(annotation: Any) -> list[type[BaseModel]]:
    """Return the section types that an annotation allows (several for a choice of tables)."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        return [s for part in get_args(annotation) for s in sections_of(part)]
    return []


def annotation_of(key: Key, root: Root) -> Any:
    """Return the annotation of a key with its metadata, or None."""
    annotation: Any = root
    for part in key:
        fields = [s.model_fields[part] for s in sections_of(annotation) if part in s.model_fields]
        if not fields:
            return None
        annotation = typed(fields[0])
    return annotation


def typed(field: FieldInfo) -> Any:
    """Return the annotation of a field with its metadata, which pydantic stores separately."""
    annotation: Any = field.annotation
    for item in field.metadata:
        annotation = Annotated[annotation, item]
    return annotation


def all_keys(section: type[BaseModel], above: Key = ()) -> list[Key]:
    """Return every key below a section, sections included, in the order of the schema."""
    keys: list[Key] = []
    for name, field in section.model_fields.items():
        below = sections_of(field.annotation)
        keys.append((*above, name))
        for inner in below:
            keys.extend(all_keys(inner, (*above, name)))
    return keys


def metadata_of(annotation: Any) -> list[Any]:
    """Return everything that an annotation carries beside its type, outermost first."""
    if get_origin(annotation) is Annotated:
        inner, *items = get_args(annotation)
        flat = [m for item in items for m in (item, *getattr(item, "metadata", ()))]
        return flat + metadata_of(inner)
    if get_origin(annotation) in (Union, types.UnionType):
        return [m for part in get_args(annotation) for m in metadata_of(part)]
    return []


def whole_numbers(metadata: Sequence[Any]) -> str:
    """Return the bounds of a whole number in words."""
    bounds = [f"{word} {value:,}".replace(",", " ") for word, _, value in bounds_of(metadata)]
    return "whole numbers " + ", ".join(dict.fromkeys(bounds))


def bounds_of(metadata: Sequence[Any]) -> list[tuple[str, str, int]]:
    """Return the bounds of a whole number: words, the name in JSON Schema, the value."""
    return [
        (word, name, getattr(item, bound))
        for item in metadata
        for bound, (word, name) in _BOUNDS.items()
        if getattr(item, bound, None) is not None
    ]


def physical_of(key: str) -> Physical | None:
    """Return unit and bounds of a parameter key like "penalty.shape", or None without them."""
    return find_physical(annotation_of(tuple(key.split(".")), Parameters))


def find_physical(annotation: Any) -> Physical | None:
    """Return unit and bounds of an annotation, or None without them."""
    found = [
        m.quantity.physical if isinstance(m, GivenAs) and m.number else m
        for m in metadata_of(annotation)
    ]
    return next((m for m in found if isinstance(m, Physical)), None)


def choices_of(annotation: Any) -> str:
    """Return the values of a Literal, or an empty text."""
    if get_origin(annotation) is Annotated:
        return choices_of(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return ", ".join(str(value) for value in get_args(annotation))
    return ""
