"""Draws the rooms of simulator/ with their imports, and writes their table: scripts/architecture.

Both are made from the actual imports, for docs/developing/architecture.md. A room stands above all
rooms that it imports. An arrow is left out if a longer path replaces it: where A imports B and B
imports C, there is no arrow from A to C. The picture holds the digest of all imports, by which
tests/test_developing.py notices that it is out of date.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Curve

# The folder holds `helpers`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.room_table import PAGE, PICTURE, table, with_table
from helpers.rooms import Imports, digest, imports_of_rooms, package_texts

SHOWN = {"__init__": "import heterode", "__main__": "python -m heterode"}
WIDTH, HEIGHT, PITCH = 2.05, 0.62, 1.08  # size of boxes, and distance between rows, inches
TRIALS = 60
APART = {True: 2.3, False: 0.36}  # between middles of boxes, and between an arrow and its neighbour
SOLVER, OTHER, EDGE, TEXT = "#cfe3f5", "#f4f1ea", "#5b6770", "#17202a"

Node = tuple[str, str, int]
"""A room (its name, "", its row), or the point where an arrow crosses a row (from, to, row)."""


def reduced(arrows: Mapping[str, frozenset[str]]) -> list[tuple[str, str]]:
    """Return the arrows that no longer path replaces."""

    def below(room: str) -> set[str]:
        return set(arrows[room]).union(*(below(other) for other in arrows[room]))

    kept = []
    for room in arrows:
        by_others = set[str]().union(*(below(other) for other in arrows[room]))
        kept += [(room, other) for other in sorted(arrows[room] - by_others)]
    return kept


def heights(arrows: Mapping[str, frozenset[str]]) -> dict[str, int]:
    """Return the row of each room, 0 at the bottom: one above the highest room that it imports."""

    def height(room: str) -> int:
        return 1 + max((height(other) for other in arrows[room]), default=-1)

    return {room: height(room) for room in arrows}


def ways(links: Sequence[tuple[str, str]], rows: Mapping[str, int]) -> list[list[Node]]:
    """Return the nodes that each arrow passes, one in each row."""
    return [
        [
            (upper, "", rows[upper]),
            *((upper, lower, row) for row in range(rows[upper] - 1, rows[lower], -1)),
            (lower, "", rows[lower]),
        ]
        for upper, lower in links
    ]


def placed(paths: Sequence[Sequence[Node]], rows: Mapping[str, int]) -> dict[Node, float]:
    """Return the place of each node in its row, close to the nodes that it is joined to."""
    joined: dict[Node, set[Node]] = {(room, "", row): set() for room, row in rows.items()}
    for path in paths:
        for upper, lower in pairwise(path):
            joined.setdefault(upper, set()).add(lower)
            joined.setdefault(lower, set()).add(upper)
    # In an order of their own, so that the same imports make the same picture.
    neighbours = {node: sorted(joined[node]) for node in sorted(joined)}
    trials = (_settled(neighbours, np.random.default_rng(seed)) for seed in range(TRIALS))
    return min(trials, key=lambda x: (_crossings(neighbours, x), _length(neighbours, x)))


def _settled(
    joined: Mapping[Node, Sequence[Node]], chance: np.random.Generator
) -> dict[Node, float]:
    """Return the places reached from a shuffled start after sweeps down and up the rows."""
    last = max(row for _, _, row in joined)
    order = [sorted(n for n in joined if n[2] == row) for row in range(1 + last)]
    x: dict[Node, float] = {}
    for nodes in order:
        x |= dict(zip(nodes, chance.permutation(len(nodes)).tolist(), strict=True))
    for sweep in range(40):
        for nodes in order if sweep % 2 else order[::-1]:
            wish = {node: float(np.mean([x[other] for other in joined[node]])) for node in nodes}
            nodes.sort(key=lambda node: (wish[node], node))
            x |= _spread(nodes, wish)
    return x


def _crossings(joined: Mapping[Node, Sequence[Node]], x: Mapping[Node, float]) -> int:
    """Return the number of pairs of arrows that cross between two rows."""
    steps = [(a, b) for a in joined for b in joined[a] if a[2] > b[2]]
    pairs = ((p, q) for i, p in enumerate(steps) for q in steps[:i] if p[0][2] == q[0][2])
    return sum((x[a] - x[c]) * (x[b] - x[d]) < 0 for (a, b), (c, d) in pairs)


def _length(joined: Mapping[Node, Sequence[Node]], x: Mapping[Node, float]) -> float:
    """Return the total sideways extent of all arrows."""
    return sum(abs(x[a] - x[b]) for a in joined for b in joined[a])


def _spread(nodes: Sequence[Node], wish: Mapping[Node, float]) -> dict[Node, float]:
    """Return places in the given order, sufficiently apart and close to those wished for."""
    offsets = np.zeros(len(nodes))
    for i in range(1, len(nodes)):
        both = not nodes[i][1], not nodes[i - 1][1]
        offsets[i] = offsets[i - 1] + sum(APART[box] for box in both) / 2
    # The closest ascending numbers to the wishes less offsets: pool adjacent violators.
    groups: list[list[float]] = []
    for node, offset in zip(nodes, offsets, strict=True):
        groups.append([wish[node] - offset])
        while len(groups) > 1 and np.mean(groups[-2]) > np.mean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    level = np.concatenate([np.full(len(group), np.mean(group)) for group in groups])
    return dict(zip(nodes, (level + offsets).tolist(), strict=True))


def draw(found: Mapping[str, Imports]) -> Figure:
    """Draw the rooms as boxes; a room is in a row above those that it imports."""
    arrows = {room: imports.rooms for room, imports in found.items()}
    rows = heights(arrows)
    paths = ways(reduced(arrows), rows)
    x = placed(paths, rows)
    left, right = min(x.values()) - 0.6 * WIDTH, max(x.values()) + 0.6 * WIDTH
    top = PITCH * max(rows.values()) + HEIGHT
    figure = Figure(figsize=(right - left, top + HEIGHT))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(left, right), ylim=(-HEIGHT, top))
    axes.axis("off")
    for path in paths:
        axes.add_patch(_arrow([(x[node], PITCH * node[2]) for node in path]))
    for room, row in rows.items():
        colour = SOLVER if room.startswith("solver") else OTHER
        corner = (x[room, "", row] - WIDTH / 2, PITCH * row - HEIGHT / 2)
        style = "round,pad=0,rounding_size=0.08"
        axes.add_patch(
            FancyBboxPatch(corner, WIDTH, HEIGHT, style, facecolor=colour, edgecolor=EDGE, zorder=2)
        )
        _label(axes, x[room, "", row], PITCH * row, room, sorted(found[room].libraries))
    return figure


def _label(axes: matplotlib.axes.Axes, x: float, y: float, room: str, libraries: list[str]) -> None:
    name = SHOWN.get(room, room.replace(".", "/"))
    lines = textwrap.wrap(", ".join(libraries), 36)
    centred = {"ha": "center", "va": "center", "color": TEXT, "zorder": 3}
    above = 0.07 + 0.05 * len(lines) if lines else 0.0
    axes.text(x, y + above, name, size=12, weight="bold", **centred)
    axes.text(x, y - 0.12, "\n".join(lines), size=7.5, linespacing=1.0, **centred)


def _arrow(points: Sequence[tuple[float, float]]) -> FancyArrowPatch:
    """Return a curve from the bottom of a box, through the rows between, to the top of another."""
    (x0, y0), *between, (x1, y1) = points
    # Curves run straight down between the boxes of a row, and sideways only between rows.
    passed = [(x, y + half) for x, y in between for half in (HEIGHT / 2, -HEIGHT / 2)]
    stations = [(x0, y0 - HEIGHT / 2), *passed, (x1, y1 + HEIGHT / 2)]
    vertices, codes = [stations[0]], [Curve.MOVETO]
    for (xa, ya), (xb, yb) in pairwise(stations):
        middle = (ya + yb) / 2
        vertices += [(xa, middle), (xb, middle), (xb, yb)]
        codes += [Curve.CURVE4] * 3
    return FancyArrowPatch(
        path=Curve(vertices, codes), arrowstyle="-|>", mutation_scale=11, color=EDGE, linewidth=1.1
    )


def main() -> int:
    """Draw the picture and write the table; returns the exit code."""
    texts = package_texts()
    found = imports_of_rooms(texts)
    draw(found).savefig(PICTURE, dpi=110, metadata={"Imports": digest(found), "Software": None})
    PAGE.write_text(with_table(PAGE.read_text("utf-8"), table(found, texts)), encoding="utf-8")
    print(f"{PICTURE}: {len(found)} rooms; {PAGE}: their table")
    return 0


if __name__ == "__main__":
    sys.exit(main())
