"""Turns pydantic's findings into one line in the words of the input file, the first in full.

FILE: key.path = VALUE <what is wrong> (allowed: RANGE). <remedy> Also wrong: KEY = VALUE <what is
wrong> (allowed: RANGE); ... Also missing: KEY, ...
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from heterode.base.words import nearest
from heterode.parameters.fields import MistakeError
from heterode.parameters.model import Parameters
from heterode.parameters.walking import (
    Key,
    Root,
    all_keys,
    annotation_of,
    choices_of,
    find_physical,
    metadata_of,
    sections_of,
    typed,
    whole_numbers,
)

_RANK = {"extra_forbidden": 0, "missing": 2}
"""Order of findings: a misspelt key is usually missing as well, and its spelling comes first."""

_MISSING = "is missing"

_MOST = 20
"""Number of other mistakes that are written out; missing keys are all named."""

_COUNTED = 100
"""Number of findings of a kind whose texts are made, since a file can have a million."""

_ALIASES = {"rate_constant_cathodic": "rate_constant", "rate_constant_anodic": "rate_constant"}


def first_line(
    error: ValidationError,
    data: dict[str, Any],
    file: Path,
    changed: AbstractSet[Key] = frozenset(),
    root: Root = Parameters,
    how: str = "--set",
    origins: Mapping[Key, Path] = MappingProxyType({}),
) -> str:
    """Return the message of an InputError, with the first mistake in full and all others briefly.

    Args:
        data: the tables of the file after overrides, for the values.
        changed: keys that `--set` gave.
        root: the schema of the file.
        how: name of the source of these keys in messages, usually "--set".
        origins: the files of included materials from which keys were taken.
    """
    found = sorted(error.errors(include_url=False), key=lambda e: _RANK.get(e["type"], 1))
    # A file can have a million mistakes.
    missing = [details for details in found if details["type"] == "missing"]
    wrong = [details for details in found if details["type"] != "missing"]
    uncounted = len(found) - len(wrong[:_COUNTED]) - len(missing[:_COUNTED])
    mistakes: dict[str, tuple[ErrorDetails, MistakeError, Key]] = {}
    for details in (*wrong[:_COUNTED], *missing[:_COUNTED]):
        key = _alias(_written_key(details["loc"], data), data)
        mistake = _mistake(details, key, root)
        key = key + mistake.key
        mistakes.setdefault(_finding(mistake, key, data), (details, mistake, key))
    (details, mistake, key), *others = mistakes.values()
    unknown = details["type"] == "extra_forbidden"
    by_set = any(key[: len(c)] == c or (unknown and c[: len(key)] == key) for c in changed)
    origin = next((origins[k] for k in origins if key[: len(k)] == k), file)
    line = mistake_line(mistake, key, data, f"{file} with {how}" if by_set else str(origin))
    return line + _others([(mistake, key) for _, mistake, key in others], data, uncounted)


def _others(
    mistakes: Sequence[tuple[MistakeError, Key]], data: dict[str, Any], uncounted: int
) -> str:
    """Return every other mistake of a file for the same line, or ""."""
    wrong = [_finding(m, key, data) for m, key in mistakes if m.problem != _MISSING]
    missing = [_name(key) for m, key in mistakes if m.problem == _MISSING]
    left = max(len(wrong) - _MOST, 0) + uncounted
    more = [f"and {left} more"] if left else []
    parts = [
        f" Also {what}: {between.join(named)}."
        for what, between, named in (
            ("wrong", "; ", [*wrong[:_MOST], *more]),
            ("missing", ", ", missing),
        )
        if named
    ]
    return _one_line("".join(parts), lead=" ") if parts else ""


def mistake_line(mistake: MistakeError, key: Key, data: dict[str, Any], source: str) -> str:
    """Return the message of a mistake at a key of the data that were read from `source`."""
    remedy = f" {mistake.remedy}" if mistake.remedy else ""
    return _one_line(f"{source}: {_finding(mistake, key, data)}.{remedy}")


def _finding(mistake: MistakeError, key: Key, data: dict[str, Any]) -> str:
    """Return what is wrong with a key, and what is allowed."""
    exists, value = _lookup(data, key)
    shown = f" = {_show(value)}" if exists and not isinstance(value, dict) else ""
    allowed = f" (allowed: {mistake.allowed})" if mistake.allowed else ""
    return f"{_name(key)}{shown} {mistake.problem}{allowed}"


def _name(key: Key) -> str:
    return _shorten(".".join(key).replace(".[", "["))


def _one_line(text: str, lead: str = "") -> str:
    """Make a text one printable line, since keys and values may hold anything TOML can quote."""
    return lead + "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def _written_key(loc: tuple[int | str, ...], data: dict[str, Any]) -> Key:
    """Return a location without the tags that pydantic adds for a choice between tables."""
    key: list[str] = []
    table: Any = data
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        known = isinstance(table, dict) and part in table
        if not known and not last and isinstance(table, dict) and part in table.values():
            continue
        if not known and last and isinstance(table, dict) and part == table.get("distribution"):
            continue
        key.append(part if isinstance(part, str) else f"[{part}]")
        table = table[part] if known else None
    return tuple(key)


def _alias(key: Key, data: dict[str, Any]) -> Key:
    """Replace the two rate constants by rate_constant, which sets them, unless one was written."""
    if not key or key[-1] not in _ALIASES or _lookup(data, key)[0]:
        return key
    partners = [(*key[:-1], name) for name in _ALIASES if name != key[-1]]
    if any(_lookup(data, partner)[0] for partner in partners):
        return key
    return (*key[:-1], _ALIASES[key[-1]])


def _lookup(data: Any, key: Key) -> tuple[bool, Any]:
    value = data
    for part in key:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.startswith("["):
            value = value[int(part[1:-1])]
        else:
            return False, None
    return True, value


def _show(value: Any) -> str:
    """Return the value as TOML would write it, on one line and not too long."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        text = repr(value)
    text = " ".join(text.replace("NaN", "nan").replace("Infinity", "inf").split())
    return _shorten(text)


def _shorten(text: str) -> str:
    # It is cut in the middle, since the end of a long path matters most.
    return text if len(text) <= 70 else f"{text[:25]} ... {text[-40:]}"


def _mistake(details: ErrorDetails, key: Key, root: Root) -> MistakeError:
    kind, context = details["type"], details.get("ctx", {})
    error = context.get("error")
    if isinstance(error, MistakeError):
        return error
    if kind == "extra_forbidden":
        return _unknown(key, root, _variant(details["loc"], key))
    if kind in ("missing", "union_tag_not_found"):
        return _missing(key if kind == "missing" else (*key, "distribution"), kind, root)
    if kind in ("literal_error", "union_tag_invalid"):
        return _not_a_choice(details)
    if kind.startswith(("greater_than", "less_than")):
        return _out_of_range(key, root)
    return _wrong_type(kind, key, root)


def _variant(loc: tuple[int | str, ...], key: Key) -> str:
    """Return the distribution by which a section was read, or "" if it offers no choice."""
    # pydantic puts it before the key, although the file has no such level.
    return str(loc[-2]) if len(loc) == len(key) + 1 else ""


def _unknown(key: Key, root: Root, variant: str = "") -> MistakeError:
    names = _names(key[:-1], root)
    if variant:
        # A key of another of the section's tables is not misspelt.
        tables = {
            choices_of(typed(table.model_fields["distribution"])): list(table.model_fields)
            for table in _tables(key[:-1], root)
        }
        others = [name for name, fields in tables.items() if key[-1] in fields]
        names = tables.get(variant, names)
        if others:
            choice = f"{'.'.join(key[:-1])}.distribution"
            return MistakeError(
                f'has no effect with {choice} = "{variant}"',
                allowed=f"with {variant}: {', '.join(names[1:])}",
                remedy=f"Remove it, or set {choice} = "
                f"{' or '.join(json.dumps(name) for name in others)}.",
            )
    hint = nearest(key[-1], names)
    elsewhere = [where for where in all_keys(root) if where[-1] == key[-1]]
    if elsewhere:
        hint = f"Did you mean '{'.'.join(elsewhere[0])}'?"
    where = f"[{'.'.join(key[:-1])}]" if key[:-1] else "the file"
    return MistakeError(
        f"is not a key of {where}", remedy=hint or "Remove it.", allowed=", ".join(names)
    )


def _missing(key: Key, kind: str, root: Root) -> MistakeError:
    relative = ("distribution",) if kind == "union_tag_not_found" else ()
    annotation = annotation_of(key, root)
    if sections_of(annotation):
        return MistakeError(_MISSING, remedy=f"Add a section [{'.'.join(key)}].", key=relative)
    physical = find_physical(annotation)
    if relative:
        tables = _tables(key[:-1], root)
        choices = ", ".join(choices_of(typed(table.model_fields[key[-1]])) for table in tables)
    else:
        choices = choices_of(annotation)
    allowed = physical.allowed() if physical else choices
    remedy = physical.remedy() if physical else "Add it."
    if key in (("geometry", "active_fraction"), ("carbon_binder", "electrolyte_fraction")):
        remedy = "Give it, or a section [composition] from which it follows."
    return MistakeError(_MISSING, allowed=allowed, remedy=remedy, key=relative)


def _not_a_choice(details: ErrorDetails) -> MistakeError:
    context = details.get("ctx", {})
    text = str(context.get("expected_tags") or context.get("expected") or "")
    names = [name.strip(" '") for name in text.replace(" or ", ",").split(",") if name.strip(" '")]
    value = details["input"]
    relative: Key = ()
    if details["type"] == "union_tag_invalid":
        relative = ("distribution",)
        value = value.get("distribution") if isinstance(value, dict) else value
    hint = nearest(value, names) if isinstance(value, str) else ""
    return MistakeError(
        "is not one of the choices",
        allowed=", ".join(names),
        remedy=hint or "Choose one of these.",
        key=relative,
    )


def _out_of_range(key: Key, root: Root) -> MistakeError:
    allowed = _whole_numbers(key, root)
    return MistakeError("is out of range", allowed=allowed, remedy="Change the value.")


def _whole_numbers(key: Key, root: Root) -> str:
    return whole_numbers(metadata_of(annotation_of(key, root)))


_TYPES = {
    "string": ("a text", "Write it in quotes."),
    "bool": ("true or false", "Write true or false without quotes."),
    "model": ("a section", "Write it as a table with keys of its own."),
    "path": ("a path", "Write the path in quotes."),
    "is_instance": ("a path", "Write the path in quotes."),
    "dict": ("a section", "Write it as a table with keys of its own."),
}


def _wrong_type(kind: str, key: Key, root: Root) -> MistakeError:
    if kind.startswith("int"):
        return MistakeError(
            "is not a whole number",
            allowed=_whole_numbers(key, root),
            remedy="Write a whole number without quotes or decimal point.",
        )
    for prefix, (name, remedy) in _TYPES.items():
        if kind.startswith(prefix):
            return MistakeError(f"is not {name}", remedy=remedy)
    return MistakeError("cannot be read", remedy="See the parameter files in params/.")


def _tables(key: Key, root: Root) -> list[type[BaseModel]]:
    return sections_of(annotation_of(key, root))


def _names(key: Key, root: Root) -> list[str]:
    names = [n for s in _tables(key, root) for n in s.model_fields]
    return list(dict.fromkeys(names))
