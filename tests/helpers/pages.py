"""What the documents name: files, functions and classes in them, links."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path

from helpers.paths import ROOT

DEVELOPING = ROOT / "docs" / "developing"
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("meshes/*.md")]
# What earlier versions were like stands in the changelog, with the names of then.
PRESENT = sorted(page for page in PAGES if page.name != "CHANGELOG.md")
HERE = ("simulator", "tests", "scripts", "params", "docs", "meshes", ".ci")

_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(rf"(?<![\w/.:~-])((?:{'|'.join(map(re.escape, HERE))})/[\w./*-]*[\w*/])")
_SPAN = re.compile(r"`([^`\n]+)`")
_NAME = re.compile(r"(?:[A-Z][a-z]\w*(?:\.\w+)?|[A-Za-z_]\w*(?:\.\w+)?\(\))")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    """A page without its blocks of code."""
    return _CODE.sub("", text)


def missing_paths(text: str) -> list[str]:
    """Files and folders of the project that a page names, in text or code, and that are not there.

    A star stands for anything; what `heterode` writes is named without the project's folders.
    """
    named = sorted(set(_PATH.findall(text)))
    return [path for path in named if not any(ROOT.glob(path.rstrip("/")))]


def unknown_names(text: str) -> list[str]:
    """Functions (`name()`), classes and members that no file named on a page has."""
    return _unknown(without_code(text), _named_modules(without_code(text)))


def unknown_in_place(text: str) -> list[str]:
    """The same, where each must be in a file that its own paragraph or list item names."""
    parts = re.split(r"\n\s*\n|\n(?=\s*(?:[-*|]|\d+\.) ?)", without_code(text))
    return [name for part in parts for name in _unknown(part, _named_modules(part))]


def _unknown(text: str, modules: list[Path]) -> list[str]:
    known = {name for module in modules for name in defined(module)} | set(dir(builtins))
    names = (span for span in _SPAN.findall(text) if _NAME.fullmatch(span))
    return [name for name in names if name.removesuffix("()") not in known]


def _named_modules(text: str) -> list[Path]:
    """Python files that a text names, by their paths or by names that are unique."""
    found = []
    for span in _SPAN.findall(text):
        if span.endswith(".py"):
            there = [ROOT / span] if "/" in span else list(ROOT.glob(f"simulator/**/{span}"))
            found += there if len(there) == 1 and there[0].is_file() else []
    return found


def defined(path: Path) -> set[str]:
    """What a module defines: functions, classes and their members, constants."""
    return set(_defined(ast.parse(path.read_text(encoding="utf-8")).body, ""))


def _defined(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from _defined(node.body, f"{node.name}.")
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield prefix + node.target.id
        elif isinstance(node, ast.Assign):
            names = (t for target in node.targets for t in ast.walk(target))
            yield from (prefix + t.id for t in names if isinstance(t, ast.Name))


def dead_links(page: Path, text: str) -> list[str]:
    """Links of a page to files that are not there, or to headings that the file does not have."""
    dead = []
    for link in _LINK.findall(text):
        if "://" in link or link.startswith("mailto:"):
            continue
        place, _, heading = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (heading and heading not in headings(target)):
            dead.append(link)
    return dead


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    text = without_code(page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
