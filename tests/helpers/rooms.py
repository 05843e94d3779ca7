"""The rooms of simulator/ (its folders), and what each of them imports."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from helpers.paths import ROOT

PACKAGE = ROOT / "simulator"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Rooms of simulator/, lowest first: each may import from lower layers and itself. The rooms of the
# solver are rooms of their own; what lies beside them in solver/ may import all four.
LAYERS = (
    {"base", "distributions"},
    {"materials", "protocol", "heterogeneity"},
    {"parameters"},
    {"particles"},
    {"physics"},
    {"geometry"},
    {"results"},
    {"accuracy"},
    {"forecast"},
    {"validity"},
    {"progress", "optics"},
    {"points"},
    {"solver.discretisation"},
    {"solver.equations"},
    {"solver.algebra"},
    {"solver.time"},
    {"solver"},
    {"viewing"},
    {"reporting"},
    {"homogenised"},
    {"runs"},
    {"sweep"},
    {"cli"},
    {"__init__"},
    {"__main__"},
)
LAYER = {unit: height for height, units in enumerate(LAYERS) for unit in units}
TOP = {"__init__", "__main__"}
"""All that may lie outside a room."""

EVERYDAY = {"numpy"} | sys.stdlib_module_names
"""Libraries that say nothing of a room, as any may import them."""


@dataclass(frozen=True)
class Imports:
    """What the modules of a room import, anywhere in them.

    Attributes:
        rooms: other rooms.
        libraries: top-level names of other people's packages, but for NumPy.
    """

    rooms: frozenset[str]
    libraries: frozenset[str]


def room_of(name: str) -> str:
    """The room of a module, or of what is imported from one, by its dotted name below the top."""
    first, _, rest = name.partition(".")
    room = f"{first}.{rest.partition('.')[0]}"
    return room if room in LAYER else first


def dotted(path: Path) -> str:
    """Dotted name of a module of simulator/, below the top."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of everything imported anywhere in a module, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_texts() -> dict[str, str]:
    """The source of every module of simulator/, by its dotted name below the top."""
    return {dotted(path): path.read_text(encoding="utf-8") for path in MODULES}


def imports_of_rooms(texts: Mapping[str, str]) -> dict[str, Imports]:
    """What each room imports, those of the highest layers first.

    Args:
        texts: source of each module by its dotted name below the top, such as "solver.model".
    """
    rooms: dict[str, set[str]] = {room_of(module): set() for module in texts}
    libraries: dict[str, set[str]] = {room: set() for room in rooms}
    for module, text in texts.items():
        own = room_of(module)
        for name in imported(ast.parse(text)):
            top, _, inner = name.partition(".")
            if top != "heterode":
                libraries[own] |= {top} - EVERYDAY
            elif room_of(inner) not in {own, "__version__"}:
                rooms[own].add(room_of(inner))
    order = sorted(rooms, key=lambda room: (-LAYER[room], room))
    return {r: Imports(frozenset(rooms[r]), frozenset(libraries[r])) for r in order}


def digest(found: Mapping[str, Imports]) -> str:
    """A short name of all arrows between rooms and of the rooms' libraries."""
    plain = {room: [sorted(i.rooms), sorted(i.libraries)] for room, i in sorted(found.items())}
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:16]
