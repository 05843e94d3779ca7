"""The table of rooms in docs/developing/architecture.md, made from docstrings and imports."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from helpers.paths import ROOT
from helpers.rooms import LAYER, TOP, Imports

PAGE = ROOT / "docs" / "developing" / "architecture.md"
PICTURE = PAGE.with_suffix(".png")
BEGIN = "<!-- Written by scripts/architecture from docstrings and imports. -->\n\n"
END = "\n<!-- End of what scripts/architecture writes. -->\n"
HEADING = "| room | what is there | imports | libraries |\n|---|---|---|---|\n"


def purpose(room: str, texts: Mapping[str, str]) -> str:
    """First sentence of the docstring of a room's `__init__`, or of the module that it is."""
    text = texts[room if room in TOP else f"{room}.__init__"]
    docstring = ast.get_docstring(ast.parse(text)) or ""
    sentence = " ".join(docstring.partition("\n\n")[0].split())
    return sentence.partition(". ")[0].rstrip(".")


def table(found: Mapping[str, Imports], texts: Mapping[str, str]) -> str:
    """A row a room, the highest layer first."""
    rows = [
        f"| `{room}` | {purpose(room, texts)} | {_names(imports.rooms)} | "
        f"{', '.join(sorted(imports.libraries))} |\n"
        for room, imports in found.items()
    ]
    return HEADING + "".join(rows)


def _names(rooms: frozenset[str]) -> str:
    return ", ".join(sorted(rooms, key=lambda room: (-LAYER[room], room)))


def with_table(page: str, rows: str) -> str:
    """The page with the table in its place."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + rows + END + rest.partition(END)[2]
