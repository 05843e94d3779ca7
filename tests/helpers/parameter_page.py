"""docs/parameters.md: all keys of the parameter file, from the rows of the reference."""

from __future__ import annotations

from collections.abc import Iterator

from helpers.paths import ROOT
from heterode.parameters.notes import MARKS
from heterode.parameters.reference import Row, rows

PAGE = ROOT / "docs" / "parameters.md"

HEAD = """# Parameters

<!-- Written by scripts/parameters from the schema. -->

All keys of the parameter file. `heterode explain KEY` says the same at the prompt, `heterode init`
makes a file in which each key has its meaning above it, and `heterode schema` is for editors.
A number with a unit is a text in quotes, `"46 um"`, in any unit of its kind; the units below are
those of messages and listings. Behind a default stands where it comes from:
"""


def page() -> str:
    """The whole page."""
    marks = "".join(f"- {mark}: {text}\n" for mark, text in MARKS.items())
    sections = [row for row in rows() if row.is_section]
    contents = "".join(
        f"- [{row.key}](#{row.key.replace('.', '')}): {row.description}\n" for row in sections
    )
    top = "".join(_key(row) for row in rows() if "." not in row.key and not row.is_section)
    body = "".join(_section(row) for row in sections)
    parts = [HEAD, marks, f"## Sections\n\n{contents}", f"## Without a section\n\n{top}{body}"]
    return "\n".join(parts).rstrip() + "\n"


def _section(section: Row) -> str:
    below = [r for r in rows() if r.key.rpartition(".")[0] == section.key and not r.is_section]
    lines = [f"## {section.key}\n\n{section.description}\n\n"]
    lines += [f"{when.full_sentence}\n\n" for when in section.conditions]
    return "".join(lines) + "".join(_key(row) for row in below)


def _key(row: Row) -> str:
    heading = f"### {row.key}" + (f", {row.variant}" if row.variant else "")
    items = "".join(f"- {item}\n" for item in _items(row))
    return f"{heading}\n\n{row.description}\n\n{items}\n"


def _items(row: Row) -> Iterator[str]:
    told = f"{row.kind.name}; unit: {row.unit}"
    yield told + (f", in Python {row.si_unit}" if row.si_unit not in ("", row.unit) else "")
    yield f"allowed: {row.kind.allowed}"
    source = f" ({row.source.mark}: {row.source.text})" if row.source else ""
    yield f"default: {row.necessity}{source}"
    yield from (when.sentence for when in row.conditions)
    yield f"example: `{row.example}`"
