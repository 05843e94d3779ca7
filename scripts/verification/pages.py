"""Tables in Markdown, and their places on the pages of docs/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def markdown(heading: Sequence[str], table: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, with its columns aligned."""
    escaped = [tuple(cell.replace("|", "\\|") for cell in row) for row in (heading, *table)]
    widths = [max(len(row[k]) for row in escaped) for k in range(len(heading))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in escaped
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def put_on_page(page: Path, name: str, text: str) -> None:
    """Replace the table of this name between its marks on a page."""
    begin, end = f"<!-- table: {name} -->\n", f"<!-- end: {name} -->"
    head, rest = page.read_text(encoding="utf-8").split(begin)
    page.write_text(head + begin + text + "\n" + end + rest.split(end)[1], encoding="utf-8")
