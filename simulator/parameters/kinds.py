"""What the value of a key can be: kind, unit, range and an example, read off its annotation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from heterode.parameters.choices import GivenAs, Named, TableOf
from heterode.parameters.fields import Physical
from heterode.parameters.notes import Example, Written
from heterode.parameters.walking import bounds_of, metadata_of, sections_of, whole_numbers


@dataclass(frozen=True)
class Kind:
    """What the value of a key can be.

    Attributes:
        name: what is written: "number with its unit", "text", "section".
        unit: unit of messages and listings; "" for what has none.
        si_unit: unit of the number once it is read.
        allowed: range or choices, in words.
        example: a value as it stands in a file; None for a section.
        schema: what JSON Schema says of it.
    """

    name: str
    unit: str
    allowed: str
    example: Any
    schema: Mapping[str, Any]
    si_unit: str = ""


def kind_of(annotation: Any) -> Kind:
    """Return what a field's value can be.

    Args:
        annotation: the field's annotation with its metadata, as `typed` returns it.

    Raises:
        TypeError: no metadata says what the value is; give the field a `Written`.
    """
    notes = metadata_of(annotation)
    kind = _by_note(notes) or _by_type(annotation, notes)
    given = [note.value for note in notes if isinstance(note, Example)]
    return replace(kind, example=given[0]) if given else kind


def _by_note(notes: Sequence[Any]) -> Kind | None:
    """Return the kind that the metadata tell, or None."""
    for note in notes:
        if isinstance(note, Written):
            return Kind(note.kind, note.unit, note.allowed, note.example, note.schema)
        if isinstance(note, Physical):
            return _number(note)
        if isinstance(note, GivenAs):
            return _given(note)
        if isinstance(note, Named):
            names = list(note.names)
            return Kind("text", "", note.allowed(), names[0], {"enum": names})
        if isinstance(note, TableOf):
            return Kind("path", "", note.allowed(), note.example, {"type": "string"})
    return None


def _given(note: GivenAs) -> Kind:
    number = _number(note.quantity.physical)
    # A word without arithmetic is a name, and a misspelt one no formula.
    formula = {"type": "string", "pattern": r"[-+*/(]|^ *[xcT] *$"}
    schemas: list[Mapping[str, Any]] = [formula, {"type": "object"}]
    schemas += [{"enum": list(note.quantity.names)}] if note.quantity.names else []
    schemas += [number.schema] if note.number else []
    if note.number:
        name, example = f"{number.name}, or a function", number.example
    else:
        name, example = "name, or a function", next(iter(note.quantity.names), "")
    return Kind(name, number.unit, note.allowed(), example, {"anyOf": schemas}, number.si_unit)


def _number(physical: Physical) -> Kind:
    name = "number with its unit" if physical.unit else "number"
    example: str | float = physical.example if physical.unit else float(physical.example or "0.5")
    return Kind(
        name,
        physical.display_unit,
        physical.allowed(),
        example,
        physical.json_schema(),
        physical.unit,
    )


def _by_type(annotation: Any, notes: Sequence[Any]) -> Kind:
    if sections_of(annotation):
        return Kind("section", "", "a table of keys", None, {})
    plain = _plain(annotation)
    if values := _values(plain):
        name = "text" if isinstance(values[0], str) else "whole number"
        return Kind(name, "", ", ".join(map(str, values)), values[0], {"enum": values})
    if plain is bool:
        return Kind("true or false", "", "true, false", True, {"type": "boolean"})
    if plain is int:
        bounds = {name: value for _, name, value in bounds_of(notes)}
        example = max(bounds.get("minimum", 1), 1)
        schema = {"type": "integer"} | bounds
        return Kind("whole number", "", whole_numbers(notes), example, schema)
    if plain is str:
        return Kind("text", "", "any text", "", {"type": "string"})
    if plain is Path:
        return Kind("path", "", "the path of a file", "", {"type": "string", "minLength": 1})
    raise TypeError(f"{annotation} says nothing of what may be written: annotate it with Written")


def _plain(annotation: Any) -> Any:
    """Return the type within Annotated and `| None`."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        parts = [part for part in get_args(annotation) if part is not NoneType]
        if len(parts) == 1:
            return _plain(parts[0])
    return annotation


def _values(annotation: Any) -> list[Any]:
    """Return the values of a Literal or of a union of such."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        found = [_values(_plain(part)) for part in get_args(annotation)]
        return [value for values in found for value in values] if all(found) else []
    return []
