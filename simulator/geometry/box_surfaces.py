"""Triangulated planes of the electrode's box: collector, coating/separator, lithium, side walls.

Where a wall cuts particles, the borders of the cuts (spheres.py) are prescribed edge by edge: the
wall gets a hole, and the cut becomes a surface of its own. gmsh fills the planes with triangles.
Their sizes come from a field on a grid, which grows from each particle's own size with the
distance from that particle.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.geometry import tags
from heterode.geometry.gmsh_session import BuiltInKernel, gmsh_session
from heterode.geometry.packing import Packing
from heterode.geometry.spheres import Border, Surface

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SLOPE = 0.3
"""Growth of the edge length per length of distance from a particle."""

ON_PLANES = 1.5
"""Greatest edge length on the planes round the coating, um. Longer edges would make bad cells in
the narrow gaps between a plane and the particles."""

GRID = 1.0
"""Spacing of the grid of sizes, um."""


@dataclass(frozen=True)
class BoxSizes:
    """Edge lengths in um: greatest in the coating and in the separator."""

    maximum: float
    separator: float


@dataclass(frozen=True, eq=False)
class Plane:
    """Triangles of one plane, with the domains (cell tags) it bounds."""

    triangles: Ints
    domains: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class BoxSurfaces:
    """All planes round the coating and the separator.

    Attributes:
        points: (n, 3).
        planes: the outer planes and the cuts of the particles.
    """

    points: Floats
    planes: tuple[Plane, ...]


def mesh_box(
    extent: Floats, surfaces: Sequence[Surface], separator_um: float, grid: Floats
) -> BoxSurfaces:
    """Triangulate the planes round coating and separator.

    Args:
        extent: (3,) extents of the coating, um.
        surfaces: one for each particle; their borders are kept as they are.
        separator_um: thickness of the separator, um.
        grid: edge lengths as `size_grid` returns them, um.

    Raises:
        InputError: gmsh failed.
    """
    options = {"Mesh.MeshSizeExtendFromBoundary": 0, "Mesh.MeshSizeMax": 1e3}
    with gmsh_session("heterode-box", options) as gmsh:
        drawing = _Drawing(gmsh.model.geo, extent, surfaces, separator_um)
        drawing.draw()
        gmsh.model.geo.synchronize()
        with _size_field(gmsh, grid):
            try:
                gmsh.model.mesh.generate(2)
            except Exception as error:  # gmsh raises bare Exception
                raise InputError(
                    f"gmsh could not mesh the side walls ({error}). Try another seeds.packing or a"
                    " wider geometry.minimum_gap."
                ) from None
        numbers, coordinates, _ = gmsh.model.mesh.getNodes()
        blocks = [gmsh.model.mesh.getElementsByType(2, s)[1] for s, _ in drawing.planes]
    lookup = np.zeros(int(numbers.max()) + 1, dtype=np.int64)
    lookup[numbers] = np.arange(len(numbers))
    planes = tuple(
        Plane(lookup[block].reshape(-1, 3), domains)
        for block, (_, domains) in zip(blocks, drawing.planes, strict=True)
    )
    return BoxSurfaces(coordinates.reshape(-1, 3).astype(np.float64), planes)


@dataclass
class _Drawing:
    """Hands the planes to gmsh; `planes` holds pairs of a gmsh surface and its domains."""

    geo: BuiltInKernel
    extent: Floats
    surfaces: Sequence[Surface]
    separator_um: float
    planes: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)

    def draw(self) -> None:
        self._nodes: dict[tuple[int, int], int] = {}
        self._edges: dict[tuple[int, int], int] = {}
        x, y, coating = (float(length) for length in self.extent)
        heights = (0.0, coating, coating + self.separator_um)
        self._corner = {
            (i, j, k): self.geo.addPoint(i * x, j * y, z)
            for i in (0, 1)
            for j in (0, 1)
            for k, z in enumerate(heights)
        }
        self._upright = {(i, j): self._box_edge(i, j) for i in (0, 1) for j in (0, 1)}
        for level, domains in enumerate(
            ((tags.CBD,), (tags.CBD, tags.SEPARATOR), (tags.SEPARATOR,))
        ):
            ring = [self._corner[i, j, level] for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
            self._plane([[self._line(a, b) for a, b in _around(ring)]], domains)
        for axis in (0, 1):
            for side in (0, 1):
                self._wall(axis, side)
                self._separator_wall(axis, side)

    def _line(self, a: int, b: int, whole: bool = False) -> int:
        """Return the line from point a to b; a `whole` line is not divided further."""
        key = (min(a, b), max(a, b))
        if key not in self._edges:
            self._edges[key] = self.geo.addLine(*key)
            if whole:
                self.geo.mesh.setTransfiniteCurve(self._edges[key], 2)
        return self._edges[key] if a < b else -self._edges[key]

    def _plane(self, loops: list[list[int]], domains: tuple[int, ...]) -> None:
        surface = self.geo.addPlaneSurface([self.geo.addCurveLoop(loop) for loop in loops])
        self.planes.append((surface, domains))

    def _node(self, particle: int, number: int) -> int:
        key = (particle, number)
        if key not in self._nodes:
            self._nodes[key] = self.geo.addPoint(*self.surfaces[particle].points[number])
        return self._nodes[key]

    def _borders(self, axis: int, side: int) -> list[tuple[int, Border]]:
        position = side * float(self.extent[axis])
        return [
            (particle, border)
            for particle, surface in enumerate(self.surfaces)
            for border in surface.borders
            if border.axis == axis and border.position_um == position
        ]

    def _box_edge(self, i: int, j: int) -> list[tuple[int, int, int]]:
        """Return (particle or -1, lower point, upper point) along a coating edge, going up."""
        cut = []
        for particle, border in self._borders(0, i):
            other = any(b.axis == 1 for b in self.surfaces[particle].borders)
            if other and any(p == particle for p, _ in self._borders(1, j)):
                low, high = int(border.nodes[0]), int(border.nodes[-1])
                height = float(self.surfaces[particle].points[low, 2])
                cut.append(
                    (height, particle, self._node(particle, low), self._node(particle, high))
                )
        parts, at = [], self._corner[i, j, 0]
        for _, particle, low, high in sorted(cut):
            parts += [(-1, at, low), (particle, low, high)]
            at = high
        return [*parts, (-1, at, self._corner[i, j, 1])]

    def _wall(self, axis: int, side: int) -> None:
        """Draw a side wall of the coating and the cuts in it."""
        first, second = [(side, k) if axis == 0 else (k, side) for k in (0, 1)]
        arcs, holes = {}, []
        for particle, border in self._borders(axis, side):
            chain = [self._node(particle, int(n)) for n in border.nodes]
            domains = (tags.PARTICLE_OFFSET + particle,)
            if border.closed:
                loop = [self._line(a, b, whole=True) for a, b in _around(chain)]
                holes.append(loop)
                self._plane([loop], domains)
            else:
                arc = [self._line(a, b, True) for a, b in pairwise(chain)]
                arcs[particle] = arc
                self._plane([[*arc, self._line(chain[-1], chain[0])]], domains)
        up = self._along(self._upright[second], arcs)
        down = [-line for line in reversed(self._along(self._upright[first], arcs))]
        low, high = (
            self._line(self._corner[*a, k], self._corner[*b, k])
            for k, a, b in ((0, first, second), (1, second, first))
        )
        self._plane([[low, *up, high, *down], *holes], (tags.CBD,))

    def _along(self, parts: list[tuple[int, int, int]], arcs: dict[int, list[int]]) -> list[int]:
        """Return the lines that go up an edge of the box, round the particles cut there."""
        lines = []
        for particle, low, high in parts:
            lines += [self._line(low, high)] if particle < 0 else arcs[particle]
        return lines

    def _separator_wall(self, axis: int, side: int) -> None:
        first, second = [(side, k) if axis == 0 else (k, side) for k in (0, 1)]
        ring = [
            self._corner[*place, k]
            for place, k in ((first, 1), (second, 1), (second, 2), (first, 2))
        ]
        self._plane([[self._line(a, b) for a, b in _around(ring)]], (tags.SEPARATOR,))


def _around(ring: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(ring, [*ring[1:], ring[0]], strict=True))


def size_grid(
    packing: Packing, particle_sizes: Floats, separator_um: float, sizes: BoxSizes
) -> Floats:
    """Return edge lengths (X, Y, Z), um, on a grid of spacing GRID begun GRID outside the box."""
    axes, grid = empty_grid(packing.box_um, separator_um, sizes)
    largest = float(grid.max())
    for centre, radius, size in zip(
        packing.centres_um, packing.radii_um, particle_sizes, strict=True
    ):
        reach = radius + max(largest - size, 0.0) / SLOPE
        low = np.maximum(np.floor((centre - reach) / GRID).astype(int) + 1, 0)
        high = np.ceil((centre + reach) / GRID).astype(int) + 2
        part = tuple(slice(a, max(b, a)) for a, b in zip(low, high, strict=True))
        x, y, z = (axis[s] - c for axis, s, c in zip(axes, part, centre, strict=True))
        away = np.sqrt(x[:, None, None] ** 2 + y[:, None] ** 2 + z**2) - radius
        np.minimum(grid[part], size + SLOPE * np.maximum(away, 0.0), out=grid[part])
    return grid


def empty_grid(extent: Floats, separator_um: float, sizes: BoxSizes) -> tuple[list[Floats], Floats]:
    """Return the axes and the edge lengths of `size_grid` as they are without particles, um."""
    coating = float(extent[2])
    lengths = (*extent[:2], coating + separator_um)
    axes = [GRID * np.arange(int(np.ceil(length / GRID)) + 4) - GRID for length in lengths]
    beyond = np.maximum(axes[2] - coating, 0.0)
    in_coating = min(sizes.maximum, ON_PLANES)
    top = np.clip(in_coating + SLOPE * beyond, None, max(sizes.separator, in_coating))
    return axes, np.tile(top, (len(axes[0]), len(axes[1]), 1))


@contextmanager
def _size_field(gmsh: ModuleType, grid: Floats) -> Iterator[None]:
    """Set gmsh's background field from `size_grid`, by way of a temporary file."""
    handle, name = tempfile.mkstemp(suffix=".sizes")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(np.full(3, -GRID).tobytes() + np.full(3, GRID).tobytes())
            stream.write(np.array(grid.shape, dtype=np.int32).tobytes())
            stream.write(np.ascontiguousarray(grid).tobytes())
        fields = gmsh.model.mesh.field
        number = fields.add("Structured")
        fields.setString(number, "FileName", name)
        fields.setNumber(number, "TextFormat", 0)
        fields.setAsBackgroundMesh(number)
        yield
    finally:
        Path(name).unlink(missing_ok=True)
