r"""Boundary nodes of the planar mesh, on which size and quality of all other cells depend.

The mesh generator is given every boundary edge and builds the interior from these. On a
surface with distance g to its neighbour, the solution varies along the surface over about
sqrt(2 R g) with 1/R = 1/r_1 + 1/r_2 (the gap widens from g to 2 g over that length), so

    h = min(factor r, maximum, gap_factor sqrt(2 R g) + slope g, factor r_neighbour + slope g).

This also bounds the sag h^2 / (8 r) of a curved edge by a fraction of the gap, which keeps the
curved cells in the gap valid. The least scaled Jacobian, the SICN and the number of unknowns were
measured with 60 particles, a fraction of 0.65, a gap of 0.05 um and four seeds:

    gap_factor     none    1.0    0.8    0.6    0.5    0.35
    Jacobian      -2.5   -0.95  -0.30   0.20   0.47    0.63
    SICN           0.07   0.11   0.15   0.21   0.24    0.40
    unknowns      10.2k  11.6k  12.7k  14.7k  16.5k   21.7k

The next table has the error of the carbon-binder domain's conductance (first-order Laplace problem,
against a solution with 5 to 10 times as many unknowns) and the number of unknowns, with a fraction
of 0.465 and a gap of 0.1 um / a fraction of 0.65 and a gap of 0.05 um:

    gap_factor 0.5, factor 0.35       2.9 %  13.9k  /  5.9 %  15.5k
    gap_factor 0.5, factor 0.25       1.7 %  22.4k  /  4.9 %  20.1k
    gap_factor 0.25, factor 0.35      1.9 %  17.2k  /  1.9 %  27.1k
    gap_factor 0.25, factor 0.5       2.5 %  14.4k  /  2.0 %  26.4k
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, hypot, pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from heterode.geometry import tags

Floats = npt.NDArray[np.floating[Any]]

SLOPE = 0.3
"""Growth of the edge length per unit of distance."""

LEAST_EDGES = 12
"""Least number of edges of a full circle: with curved edges it keeps the area within 0.02 %."""

WIDEST = 0.6
"""Greatest gap_factor at which curved cells stay valid; it holds whatever sizes are requested."""

SAMPLES = 512
"""Least number of points on a curve at which the size is evaluated before nodes are placed."""


@dataclass(frozen=True)
class MeshSizes:
    """Element sizes in micrometres; see the module's docstring."""

    surface_factor: float
    gap_factor: float
    maximum: float
    minimum: float
    separator: float
    order: int


@dataclass(frozen=True)
class Slab:
    """Discs in a slab, whose outline is drawn. They may extend beyond y = 0 and y = width."""

    centres: Floats
    radii: Floats
    coating: float
    separator: float
    width: float


@dataclass
class Outline:
    """Boundary nodes and closed loops of node numbers.

    Attributes:
        points: (P, 2).
        surfaces: (cell tag, loops) pairs; the outer loop comes first, then the holes.
    """

    points: list[tuple[float, float]] = field(default_factory=list)
    surfaces: list[tuple[int, list[list[int]]]] = field(default_factory=list)

    def add(self, x: float, y: float) -> int:
        """Add a node and return its number."""
        self.points.append((float(x), float(y)))
        return len(self.points) - 1

    def add_between(self, start: int, end: int, inner: Floats) -> list[int]:
        """Return the chain from `start` to `end` by way of new nodes at `inner` (n, 2)."""
        return [start, *(self.add(x, y) for x, y in inner), end]


def draw_outline(slab: Slab, sizes: MeshSizes) -> Outline:
    """Return the nodes and loops of the carbon-binder domain, the separator and every particle."""
    return _Drawing(slab, sizes).draw()


def spaced(
    length: float, size: Callable[[Floats], Floats], least: int = 1, samples: int = SAMPLES
) -> Floats:
    """Divide [0, length] into edges of about the local size.

    Args:
        length: length of the curve.
        size: gives the wanted edge lengths at arc positions (S,).
        least: least number of edges.
        samples: number of points at which the size is evaluated.

    Returns:
        (n - 1,) increasing interior positions for n edges.
    """
    position = np.linspace(0.0, length, samples + 1)
    density = 1.0 / size(position)
    passed = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    passed *= length / samples
    edges = max(least, int(np.ceil(passed[-1] - 1e-9)))
    inner: Floats = np.interp(passed[-1] * np.arange(1, edges) / edges, passed, position)
    return inner


def _on_circle(centre: Floats, radius: float, angle: Floats) -> Floats:
    points: Floats = centre + radius * np.column_stack([np.cos(angle), np.sin(angle)])
    return points


def _throat(gap: Floats, first: float, second: float) -> Floats:
    """Return sqrt(2 R g), the length along the surfaces over which the gap between them doubles."""
    curvature = 1.0 / first + 1.0 / second
    length: Floats = np.sqrt(2.0 * np.maximum(gap, 1e-9) / curvature)
    return length


class _Drawing:
    def __init__(self, slab: Slab, sizes: MeshSizes) -> None:
        self.slab, self.sizes = slab, sizes
        self.base = np.minimum(sizes.surface_factor * slab.radii, sizes.maximum)
        self.tree = cKDTree(slab.centres)
        self.largest = float(slab.radii.max())
        self.outline = Outline()

    def draw(self) -> Outline:
        """Draw the walls first, which own the end nodes of cut discs, and then the whole discs."""
        slab, out = self.slab, self.outline
        corners = [
            out.add(x, y)
            for x in (0.0, slab.coating, slab.coating + slab.separator)
            for y in (0.0, slab.width)
        ]
        bottom, cut_bottom = self._wall(corners[0], corners[2], 0.0)
        top, cut_top = self._wall(corners[1], corners[3], slab.width)
        collector = self._cross(corners[0], corners[1], 0.0)
        middle = self._cross(corners[2], corners[3], slab.coating)
        pieces = {**cut_bottom, **cut_top}
        for index in range(len(slab.radii)):
            if index not in pieces:
                pieces[index] = self._circle(index)
        outer = [*bottom[:-1], *middle[:-1], *top[:0:-1], *collector[:0:-1]]
        whole = [pieces[i] for i in pieces if i not in cut_bottom and i not in cut_top]
        out.surfaces.append((tags.CBD, [outer, *whole]))
        out.surfaces.append((tags.SEPARATOR, [self._separator(middle, corners)]))
        for index in range(len(slab.radii)):
            out.surfaces.append((tags.PARTICLE_OFFSET + index, [pieces[index]]))
        return out

    def _wall(self, start: int, end: int, y: float) -> tuple[list[int], dict[int, list[int]]]:
        """Draw the carbon-binder domain's border along a side wall, round the discs it cuts.

        Returns:
            the chain of nodes from collector to separator, and the loops of the cut discs.
        """
        slab, out = self.slab, self.outline
        depth = slab.radii**2 - (slab.centres[:, 1] - y) ** 2
        cut = np.flatnonzero(depth > 0.0)
        cut = cut[np.argsort(slab.centres[cut, 0])]
        chain, loops = [start], {}
        for index in cut:
            half = sqrt(depth[index])
            x = slab.centres[index, 0]
            a, b = out.add(x - half, y), out.add(x + half, y)
            chain += self._wall_line(chain[-1], a, y, cut)[1:]
            inward = 1.0 if y == 0.0 else -1.0
            arc = self._arc(int(index), a, b, inward)
            back = out.add_between(b, a, self._chord(int(index), x + half, 2.0 * half, y))
            loops[int(index)] = [*arc[:-1], *back[:-1]]
            chain += arc[1:]
        chain += self._wall_line(chain[-1], end, y, cut)[1:]
        return chain, loops

    def _chord(self, index: int, start: float, length: float, y: float) -> Floats:
        size = float(self.base[index])
        inner = start - spaced(length, lambda s: np.full(s.shape, size))
        return np.column_stack([inner, np.full(inner.size, y)])

    def _wall_line(self, start: int, end: int, y: float, cut: npt.NDArray[np.intp]) -> list[int]:
        a, b = self.outline.points[start][0], self.outline.points[end][0]

        def size(s: Floats) -> Floats:
            return self._size(np.column_stack([a + s, np.full(s.shape, y)]), touched=set(cut))

        inner = a + spaced(b - a, size)
        return self.outline.add_between(
            start, end, np.column_stack([inner, np.full(inner.size, y)])
        )

    def _cross(self, start: int, end: int, x: float) -> list[int]:
        """Draw a line across the slab, at the collector or between coating and separator."""
        limit = self.sizes.maximum if x == 0.0 else max(self.sizes.separator, self.sizes.minimum)

        def size(s: Floats) -> Floats:
            points = np.column_stack([np.full(s.shape, x), s])
            return np.minimum(self._size(points, touched=set()), limit)

        # A wide slab has many narrow gaps along this line, and none may fall between two samples.
        finest = max(self.sizes.minimum / 3.0, 0.02 * float(self.slab.radii.min()))
        samples = max(SAMPLES, int(np.ceil(self.slab.width / finest)))
        inner = spaced(self.slab.width, size, samples=samples)
        return self.outline.add_between(
            start, end, np.column_stack([np.full(inner.size, x), inner])
        )

    def _separator(self, middle: list[int], corners: list[int]) -> list[int]:
        """Draw the separator; edges on its walls grow from the coating's size to its own."""
        out, slab = self.outline, self.slab
        points = np.array([out.points[i] for i in middle])
        steps = np.hypot(*np.diff(points, axis=0).T)

        def wall(start: int, end: int, first: float, y: float) -> list[int]:
            inner = slab.coating + spaced(
                slab.separator, lambda s: np.minimum(first + SLOPE * s, self.sizes.separator)
            )
            return out.add_between(start, end, np.column_stack([inner, np.full(inner.size, y)]))

        low = wall(corners[2], corners[4], float(steps[0]), 0.0)
        high = wall(corners[3], corners[5], float(steps[-1]), slab.width)
        y = spaced(slab.width, lambda s: np.full(s.shape, self.sizes.separator))
        far = np.column_stack([np.full(y.size, slab.coating + slab.separator), y])
        lithium = out.add_between(corners[4], corners[5], far)
        return [*low[:-1], *lithium[:-1], *high[:0:-1], *middle[:0:-1]]

    def _circle(self, index: int) -> list[int]:
        centre, radius = self.slab.centres[index], float(self.slab.radii[index])

        def on_circle(s: Floats) -> Floats:
            return _on_circle(centre, radius, s / radius)

        # Start where the gap is widest, so that the seam does not fall into a narrow gap.
        size = self._size(on_circle(np.linspace(0.0, 2.0 * pi * radius, SAMPLES + 1)), own=index)
        turn = float(np.argmax(size)) / SAMPLES * 2.0 * pi * radius
        inner = spaced(
            2.0 * pi * radius, lambda s: self._size(on_circle(s + turn), own=index), LEAST_EDGES
        )
        return [self.outline.add(*p) for p in on_circle(np.concatenate([[0.0], inner]) + turn)]

    def _arc(self, index: int, a: int, b: int, inward: float) -> list[int]:
        """Return the chain from a to b along the part of a cut disc's circle inside the slab."""
        centre, radius = self.slab.centres[index], float(self.slab.radii[index])
        start, end = (np.array(self.outline.points[i]) - centre for i in (a, b))
        first, last = (float(np.arctan2(p[1], p[0])) for p in (start, end))
        span = (-inward * (last - first)) % (2.0 * pi)

        def on_arc(s: Floats) -> Floats:
            return _on_circle(centre, radius, first - inward * s / radius)

        least = int(np.ceil(LEAST_EDGES * span / (2.0 * pi)))
        inner = spaced(span * radius, lambda s: self._size(on_arc(s), own=index), max(2, least))
        return self.outline.add_between(a, b, on_arc(inner))

    def _size(
        self, points: Floats, own: int | None = None, touched: set[int] | None = None
    ) -> Floats:
        """Return edge lengths at points of one curve: of disc `own`, or else of a straight border.

        Of the discs `touched`, which meet the border, only the growth from their own size counts.
        """
        if len(points) > SAMPLES + 1:
            parts = np.array_split(points, ceil(len(points) / SAMPLES))
            return np.concatenate([self._size(part, own, touched) for part in parts])
        slab, sizes = self.slab, self.sizes
        base = sizes.maximum if own is None else float(self.base[own])
        size = np.full(len(points), base)
        throat, nearest = np.full(len(points), np.inf), np.full(len(points), np.inf)
        middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
        reach = hypot(*(points.max(axis=0) - middle)) + base / SLOPE + self.largest
        own_radius = np.inf if own is None else float(slab.radii[own])
        for other in self.tree.query_ball_point(middle, reach):
            if other == own:
                continue
            radius = float(slab.radii[other])
            gap = np.hypot(*(points - slab.centres[other]).T) - radius
            np.minimum(size, self.base[other] + SLOPE * np.maximum(gap, 0.0), out=size)
            if not (touched and other in touched):
                np.minimum(throat, _throat(gap, own_radius, radius), out=throat)
                np.minimum(nearest, gap, out=nearest)
        if own is not None:
            x, y = points.T
            gaps = [x, slab.coating - x]
            centre = float(slab.centres[own, 1])
            if centre > own_radius:
                gaps.append(y)
            if slab.width - centre > own_radius:
                gaps.append(slab.width - y)
            for gap in gaps:
                np.minimum(throat, _throat(gap, own_radius, np.inf), out=throat)
                np.minimum(nearest, gap, out=nearest)
        growth = SLOPE * nearest
        np.minimum(size, sizes.gap_factor * throat + growth, out=size)
        np.maximum(size, min(sizes.minimum, base), out=size)
        capped: Floats = np.minimum(size, WIDEST * throat + growth)
        return capped
