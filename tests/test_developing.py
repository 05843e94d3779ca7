"""The documents for developers say what is there: picture, names, paths and links."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from helpers import room_table
from helpers.pages import (
    DEVELOPING,
    PRESENT,
    dead_links,
    defined,
    missing_paths,
    unknown_in_place,
    unknown_names,
)
from helpers.paths import ROOT
from helpers.rooms import LAYER, digest, imports_of_rooms, package_texts

TEXTS = package_texts()
AGAIN = "Run scripts/architecture, look at the picture, and commit both."


def in_project(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# -- the picture ------------------------------------------------------------------------------


def test_the_picture_shows_the_imports() -> None:
    with Image.open(room_table.PICTURE) as picture:
        drawn = picture.info["Imports"]
    assert drawn == digest(imports_of_rooms(TEXTS)), AGAIN


def test_the_table_shows_the_imports() -> None:
    page = room_table.PAGE.read_text(encoding="utf-8")
    rows = room_table.table(imports_of_rooms(TEXTS), TEXTS)
    assert room_table.with_table(page, rows) == page, AGAIN
    assert rows.count("\n") == 2 + len(LAYER)


@pytest.mark.parametrize(
    "text", ["from heterode.physics import solid", "def late():\n    import gmsh"]
)
def test_a_new_import_outdates_the_picture(text: str) -> None:
    drawn = imports_of_rooms(TEXTS)
    changed = TEXTS | {"particles.table": f"{TEXTS['particles.table']}\n{text}\n"}
    assert digest(imports_of_rooms(changed)) != digest(drawn)


def test_an_import_within_a_room_does_not() -> None:
    changed = TEXTS | {"particles.table": f"{TEXTS['particles.table']}\nimport json, numpy\n"}
    changed["particles.table"] += "from heterode.particles import drawn_penalties\n"
    assert digest(imports_of_rooms(changed)) == digest(imports_of_rooms(TEXTS))


# -- names, paths and links -------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted(DEVELOPING.glob("*.md")), ids=in_project)
def test_functions_and_classes_are_where_a_page_says(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    # On a walk, the file is in the reader's hand.
    assert (unknown_in_place if page.name == "walks.md" else unknown_names)(text) == []


@pytest.mark.parametrize("page", PRESENT, ids=in_project)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    assert missing_paths(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PRESENT, ids=in_project)
def test_links_lead_somewhere(page: Path) -> None:
    assert dead_links(page, page.read_text(encoding="utf-8")) == []


def test_the_walks_name_much() -> None:
    text = (DEVELOPING / "walks.md").read_text(encoding="utf-8")
    assert len({span for span in text.split("`") if span.endswith("()")}) > 30


@pytest.mark.parametrize(
    ("text", "wrong", "in_place"),
    [
        ("`defined()`, `undefined()` of `tests/helpers/pages.py`", ["undefined()"], None),
        ("`tests/helpers/rooms.py`: `Imports.rooms` of `Imports`, `None`", [], None),
        ("`tests/helpers/rooms.py`: `Imports.walls`", ["Imports.walls"], None),
        ("`Balance` of `balances.py`, `Bilance`", ["Bilance"], None),
        ("`tests/helpers/rooms.py` has it.\n\nThis paragraph `digest()`", [], ["digest()"]),
        ("- `tests/helpers/rooms.py` has it\n- this item `digest()`", [], ["digest()"]),
        ("`key = 1`, `V` and `name` are no names of functions", [], None),
    ],
)
def test_a_wrong_name_is_caught(text: str, wrong: list[str], in_place: list[str] | None) -> None:
    assert unknown_names(text) == wrong
    assert unknown_in_place(text) == (wrong if in_place is None else in_place)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("see `tests/verification/claim.py`", ["tests/verification/claim.py"]),
        ("scripts/run simulator/twin", ["simulator/twin"]),
        ("scripts/run and tests/test_*.py, results/tests/a.csv", []),
        ("tests/test_none_*.py", ["tests/test_none_*.py"]),
    ],
)
def test_a_wrong_path_is_caught(text: str, wrong: list[str]) -> None:
    assert missing_paths(text) == wrong


def test_a_dead_link_is_caught() -> None:
    page = DEVELOPING / "README.md"
    text = "[a](walks.md) [b](no.md) [c](../../README.md#finding-your-way) [d](walks.md#nowhere)"
    assert dead_links(page, text) == ["no.md", "walks.md#nowhere"]


def test_what_a_module_defines_is_found() -> None:
    found = defined(ROOT / "tests" / "helpers" / "rooms.py")
    assert {"LAYERS", "Imports", "Imports.libraries", "digest"} <= found
    assert "Path" not in found
