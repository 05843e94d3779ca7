"""JSON Schema of the parameter file: with it editors complete, explain and check what one types.

It knows names, kinds, choices, bounds of plain numbers, and conditions on other keys where their
values decide. Bounds of numbers with units and what files contain are beyond it: `heterode check`
is the judge.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from heterode.parameters.notes import When
from heterode.parameters.reference import Row, rows_of
from heterode.parameters.walking import Key, sections_of

Schema = dict[str, Any]


def section_schema(section: type[BaseModel], above: Key = ()) -> Schema:
    """Return the schema of a section; conditions on keys of other sections stand at its top.

    Args:
        section: the section.
        above: its key.

    Raises:
        TypeError: a field says nothing of what may be written, see `kind_of`.
    """
    found: list[Row] = []
    schema = _section(section, above, found)
    conditions = [rule for row in found for rule in _rules(row, above, _defaults(found))]
    return schema | ({"allOf": conditions} if conditions else {})


def _section(section: type[BaseModel], above: Key, found: list[Row]) -> Schema:
    """Return the schema of a section without conditions; the rows of its keys go to `found`."""
    properties = {}
    needed = []
    for row in rows_of(section, above):
        found.append(row)
        below = sections_of(section.model_fields[row.name].annotation)
        tables = [_section(inner, (*above, row.name), found) for inner in below]
        schema = _of_sections(tables) if below else dict(row.kind.schema)
        properties[row.name] = schema | _shown(row)
        if row.required:
            needed.append(row.name)
    return {
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": False,
    }


def _of_sections(tables: list[Schema]) -> Schema:
    return tables[0] if len(tables) == 1 else {"oneOf": tables}


def _shown(row: Row) -> Schema:
    """Return what an editor shows of a key."""
    if row.is_section:
        return {"description": row.description}
    told = [row.description, f"Allowed: {row.kind.allowed}.", f"Default: {row.necessity}."]
    told += [when.full_sentence for when in row.conditions]
    return {"description": "\n\n".join(told), "examples": [row.kind.example]}


# -- conditions on other keys ---------------------------------------------------------------------


def _defaults(rows: list[Row]) -> dict[str, Any]:
    return {row.key: row.given_default for row in rows}


def _rules(row: Row, above: Key, defaults: dict[str, Any]) -> list[Schema]:
    """Return where a key must be given, and where it must not."""
    told = [when for when in row.conditions if not when.words and _within(when.key, above)]
    holding = [_holds(when, above, defaults) for when in told]
    given = _given(_path(row.key, above))
    rules: list[Schema] = [
        {"if": holds, "else": {"not": given}}
        for when, holds in zip(told, holding, strict=True)
        if when.only
    ]
    if any(when.needed for when in told):
        rules.append({"if": {"allOf": holding}, "then": given})
    return rules


def _within(key: str, above: Key) -> bool:
    return tuple(key.split("."))[: len(above)] == above


def _path(key: str, above: Key) -> Key:
    return tuple(key.split("."))[len(above) :]


def _holds(when: When, above: Key, defaults: dict[str, Any]) -> Schema:
    path = _path(when.key, above)
    if not when.values:
        return {"not": _given(path)}
    chosen = _given(path, {"enum": list(when.values)})
    if defaults.get(when.key) in when.values:
        return {"anyOf": [chosen, {"not": _given(path)}]}
    return chosen


def _given(path: Key, schema: Schema | None = None) -> Schema:
    """Return the schema of tables that hold a key, with a value of some schema."""
    name, *below = path
    inner = _given(tuple(below), schema) if below else schema
    return {"required": [name]} | ({"properties": {name: inner}} if inner else {})
