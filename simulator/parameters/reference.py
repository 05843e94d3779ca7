"""What is told of each key of the parameter file: a row, from which all that tells it is made.

`heterode explain`, the schema for editors and the page of parameters read these rows, and nothing
else. A row comes from the field of the schema: its type and bounds, the text below it, and its
notes (`heterode.parameters.notes`); conditions come from the rules of `heterode.parameters.idle` as
well, by which keys without effect are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from heterode.parameters.docstrings import attribute_docstrings
from heterode.parameters.idle import RULES
from heterode.parameters.kinds import Kind, kind_of
from heterode.parameters.listing import value_text
from heterode.parameters.model import Parameters
from heterode.parameters.notes import Example, Source, When, Written
from heterode.parameters.walking import Key, choices_of, metadata_of, sections_of, typed

_OWN_EXAMPLES = {"number with its unit", "number", "text", "whole number", "true or false"}
"""Kinds of values of which the default is as good an example as any."""


@dataclass(frozen=True)
class Row:
    """What is told of a key, or of a section.

    Attributes:
        key: the dotted key.
        variant: the choice of table that has the key, as 'distribution = "table"'; "" for all.
        description: its meaning.
        kind: what its value can be.
        required: whether every file must have it.
        default: the value that it has if it is not given, with its unit; "" if it has none.
        given_default: the same as a file has it, where that is a text or a truth value.
        source: where the default comes from; None without a default.
        conditions: on other keys; it is needed where all that evaluate to that hold.
    """

    key: str
    variant: str
    description: str
    kind: Kind
    required: bool
    default: str
    given_default: str | bool | None
    source: Source | None
    conditions: tuple[When, ...]

    @property
    def is_section(self) -> bool:
        """Whether the key is a table of keys."""
        return self.kind.name == "section"

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2]

    @property
    def unit(self) -> str:
        """Unit of messages and listings, or "none"."""
        return self.kind.unit or "none"

    @property
    def si_unit(self) -> str:
        """Unit of the number in Python and in the manifest; "" if it has none."""
        return self.kind.si_unit

    @property
    def necessity(self) -> str:
        """What the default is, or that there is none."""
        if self.default:
            return self.default
        if self.required:
            return "none, it must be given"
        needed = any(when.needed for when in self.conditions)
        return "none, see the conditions" if needed else "none, it may be left out"

    @property
    def default_line(self) -> str:
        """The default as it may stand in a file; "" without one."""
        if not self.default:
            return ""
        if isinstance(self.given_default, str):
            value = json.dumps(self.given_default)
        elif self.kind.name.startswith("number with its unit"):
            value = json.dumps(self.default)
        else:
            value = "[]" if self.kind.name.startswith("list") else self.default
        return f"{self.name} = {value}"

    @property
    def example(self) -> str:
        """A line, or the heading of a section, as it may stand in a file."""
        if self.is_section:
            return f"[{self.key}]"
        return f"{self.name} = {_toml(self.kind.example)}"


@cache
def rows() -> tuple[Row, ...]:
    """Return the rows of all keys and sections, in the order of the schema.

    A section that can be one of several tables has the rows of each, with their `variant`.
    """
    return tuple(_rows(Parameters, (), ""))


def _rows(section: type[BaseModel], above: Key, variant: str) -> Iterator[Row]:
    for row in rows_of(section, above, variant):
        yield row
        below = sections_of(section.model_fields[row.name].annotation)
        for inner in below:
            yield from _rows(inner, (*above, row.name), _variant(inner, below) or variant)


def rows_of(section: type[BaseModel], above: Key = (), variant: str = "") -> list[Row]:
    """Return the rows of a section's own keys.

    Args:
        section: the section.
        above: its key.
        variant: the choice of table that leads to it.
    """
    texts = attribute_docstrings(section)
    return [
        _row((*above, name), field, texts.get(name, ""), variant)
        for name, field in section.model_fields.items()
    ]


def _row(key: Key, field: FieldInfo, text: str, variant: str) -> Row:
    annotation = typed(field)
    notes = metadata_of(annotation)
    default = _default(field, annotation)
    conditions = _conditions(key, notes)
    return Row(
        key=".".join(key),
        variant=variant,
        description=text,
        kind=_with_example(kind_of(annotation), notes, default, field.default if default else None),
        required=field.is_required() and not any(when.needed for when in conditions),
        default=default,
        given_default=field.default if isinstance(field.default, str | bool) else None,
        source=next((note for note in notes if isinstance(note, Source)), None),
        conditions=conditions,
    )


def _variant(section: type[BaseModel], choices: list[type[BaseModel]]) -> str:
    if len(choices) < 2:
        return ""
    return f'distribution = "{choices_of(typed(section.model_fields["distribution"]))}"'


def _default(field: FieldInfo, annotation: Any) -> str:
    value = field.default
    if value is PydanticUndefined or value is None or isinstance(value, BaseModel):
        return ""
    return '""' if value == "" else value_text(value, annotation)


def _with_example(kind: Kind, notes: list[Any], default: str, value: Any) -> Kind:
    """Return a kind whose example is the default, unless a note gives one or the default is off."""
    told = any(isinstance(note, Example | Written) for note in notes)
    if told or not value or kind.name not in _OWN_EXAMPLES:
        return kind
    with_unit = isinstance(value, float) and kind.unit
    return replace(kind, example=default if with_unit else value)


def _conditions(key: Key, notes: list[Any]) -> tuple[When, ...]:
    """Return the conditions of a key, those that its section has included."""
    told = [note for note in notes if isinstance(note, When)]
    ruled = [rule.only for rule in RULES if any(key[: len(k)] == k for k in rule.keys)]
    known = {when.text for when in told}
    return (*told, *(when for when in ruled if when.text not in known))


def _toml(value: Any) -> str:
    """Return a value as it is written in a file."""
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False)
