"""Whoever adds a key says what it means, in which unit and range, and where its default is from."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import TypeAdapter

from helpers import parameter_page
from helpers.paths import FIVE_DISCS, ROOT
from heterode.base.errors import InputError
from heterode.parameters import Parameters
from heterode.parameters.docstrings import attribute_docstrings
from heterode.parameters.fields import Physical, Section
from heterode.parameters.idle import RULES
from heterode.parameters.json_schema import section_schema
from heterode.parameters.kinds import kind_of
from heterode.parameters.notes import MARKS, Source, When
from heterode.parameters.reference import Row, rows, rows_of
from heterode.parameters.toml_file import read_toml
from heterode.parameters.walking import all_keys, annotation_of

ROWS = rows()
KEYS = [row for row in ROWS if not row.is_section]


def lacking(row: Row) -> list[str]:
    """What is not told of a key."""
    found = [] if row.description.endswith((".", '"')) else ["description"]
    if row.is_section:
        return found
    numbers = row.kind.name.startswith("number with")
    found += ["unit"] if numbers and row.unit == "none" else []
    found += [] if row.kind.allowed else ["range"]
    found += [] if row.kind.example not in ("", None) else ["example"]
    if row.default and (row.source is None or row.source.mark not in MARKS):
        found.append("source")
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.key} {row.variant}".strip())
def test_everything_is_told_of_a_key(row: Row) -> None:
    assert lacking(row) == []


def test_rows_are_the_schema() -> None:
    assert {row.key for row in ROWS} == {".".join(key) for key in all_keys(Parameters)}
    assert len(KEYS) >= 108


def test_what_is_not_told_is_noticed() -> None:
    class Bare(Section):
        depth: Annotated[float, Physical("m", shown="um", above=0)]
        rate: Annotated[float, Physical(above=0), Source("a book", "F")] = 1.0
        """Rate of change."""
        count: Literal[1, 2] = 1
        """Number of things."""

    (depth, rate, count) = rows_of(Bare)
    assert lacking(depth) == ["description", "example"]
    assert lacking(rate) == []
    assert lacking(count) == ["source"]
    assert "unit" in lacking(replace(rate, kind=replace(depth.kind, unit="")))
    with pytest.raises(TypeError, match="says nothing of what may be written"):
        kind_of(complex)


def test_a_text_below_a_field_is_its_meaning() -> None:
    texts = attribute_docstrings(type(Parameters.load(ROOT / "params/quickstart.toml").solver))
    assert texts["minimum_step"] == (
        "Shortest time step, s; a run ends if even this one cannot be solved."
    )
    assert "preset" not in texts


# -- what is told is true -------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that examples name, in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cells.msh").write_bytes(FIVE_DISCS.read_bytes())
    (tmp_path / "sizes.csv").write_text("diameter_um,weight\n3,1\n5,2\n")
    (tmp_path / "penalties.csv").write_text("particle,penalty\n0,0.5\n1,1\n")
    for row in KEYS:
        name = str(row.kind.example)
        if row.key.endswith("_table"):
            column = row.kind.allowed.partition("stoichiometry, ")[2].partition(";")[0]
            (tmp_path / name).write_text(f"stoichiometry,{column}\n0.2,1e-9\n0.9,1e-8\n")


@pytest.mark.usefixtures("files")
def test_every_example_is_accepted() -> None:
    for row in KEYS:
        if row.variant or row.key in ("protocol.steps", "protocol.stops"):
            continue  # their sections read them, see below
        annotation = annotation_of(tuple(row.key.split(".")), Parameters)
        TypeAdapter(annotation).validate_python(row.kind.example)
    tables = quickstart()
    for name in ("steps", "stops"):
        (row,) = (row for row in KEYS if row.key == f"protocol.{name}")
        tables["protocol"][name] = row.kind.example
    assert len(Parameters.from_dict(tables).protocol.steps) == 2
    for variant in {row.variant for row in KEYS if row.variant}:
        size = {row.name: row.kind.example for row in KEYS if row.variant == variant}
        tables = quickstart()
        tables["geometry"]["particle_size"] = size
        assert Parameters.from_dict(tables).geometry.particle_size.distribution in variant


def quickstart() -> dict[str, Any]:
    return copy.deepcopy(read_toml(ROOT / "params/quickstart.toml"))


def put(tables: dict[str, Any], key: str, value: Any) -> None:
    """Give a key a value, or leave it out where that is None."""
    *above, name = key.split(".")
    for part in above:
        tables = tables.setdefault(part, {})
    tables.pop(name, None)
    if value is not None:
        tables[name] = value


def chosen(when: When, value: Any) -> dict[str, Any]:
    """The preset with another value of what a condition is on, and all that this value needs."""
    tables = quickstart()
    put(tables, when.key, value)
    for row in KEYS:
        for other in row.conditions:
            if other.needed and other.key == when.key and value in other.values:
                put(tables, row.key, row.kind.example)
    return tables


NEEDED = [(row, when) for row in KEYS for when in row.conditions if when.needed and when.values]
ONLY = [
    (row, when)
    for row in KEYS
    for when in row.conditions
    if when.only and when.values and when.text not in {rule.only.text for rule in RULES}
]


@pytest.mark.parametrize(("row", "when"), NEEDED, ids=lambda one: getattr(one, "key", ""))
def test_a_key_is_needed_where_that_is_told(row: Row, when: When) -> None:
    for value in when.values:
        tables = chosen(when, value)
        put(tables, row.key, None)
        with pytest.raises(InputError, match=rf"\b{row.name}\b.* (is missing|missing: )"):
            Parameters.from_dict(tables)


@pytest.mark.parametrize(("row", "when"), ONLY, ids=lambda one: getattr(one, "key", ""))
def test_a_key_is_refused_where_it_has_no_effect(row: Row, when: When) -> None:
    (choice,) = {r.kind.allowed for r in KEYS if r.key == when.key}
    for value in set(choice.split(", ")) - set(when.values):
        tables = chosen(when, value)
        put(tables, row.key, row.kind.example)
        with pytest.raises(InputError, match=rf"{row.name} = .* (no use for it|computes it)"):
            Parameters.from_dict(tables)


def test_conditions_are_tried_in_both_senses() -> None:
    assert len(NEEDED) >= 8
    assert len(ONLY) >= 5


# -- JSON Schema ----------------------------------------------------------------------------------


def test_the_json_schema_is_made_from_the_rows() -> None:
    schema = Parameters.model_json_schema()
    assert json.loads(json.dumps(schema)) == schema == section_schema(Parameters)
    thickness = schema["properties"]["geometry"]["properties"]["coating_thickness"]
    assert thickness["description"].startswith("Thickness of the cathode's coating")
    assert thickness["type"] == "string"
    assert "solver" not in schema["required"]
    assert TypeAdapter(Annotated[float, Physical(above=0, up_to=1)]).json_schema() == {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1,
    }


# -- the page -------------------------------------------------------------------------------------


def test_the_page_of_parameters_is_made_from_the_rows() -> None:
    text = parameter_page.PAGE.read_text(encoding="utf-8")
    assert text == parameter_page.page(), "Run scripts/parameters, and commit the page."
    for row in KEYS:
        assert f"### {row.key}" in text
        assert row.description in text
