"""Conforming meshes of segmented images: particles of any outline in the carbon-binder domain.

The columns of the image run along the thickness, from the collector on the left to the separator
on the right, and the rows along the width. The carbon-binder domain surrounds every particle:
touching particles are separated by the gap, and where a particle reaches the image's border, the
slab is made wider than the image by the gap and a pixel. Outlines are contours of the smoothed
masks. Their nodes are as close to one another as the gaps beside them require, and they are moved
until the outline encloses the area of the pixels (parting.py). Edges are straight.

Closed voids in a particle stay empty. Neither electrolyte nor current reaches them, so they belong
to no domain, and nothing flows through their outlines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from heterode.base.errors import InputError
from heterode.geometry import tags
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.meshing import triangulate
from heterode.geometry.outline import SLOPE, MeshSizes, Outline, spaced
from heterode.geometry.parting import (
    ImageMesh,
    Labels,
    Mask,
    deviations,
    grown,
    largest_piece,
    margins,
    parted,
    require_resolved,
)

Floats = npt.NDArray[np.floating[Any]]

LEAST_PIXELS = 12
RETRIES, FINER = 2, 0.7
LEAST_EDGES = 10
SMOOTH_PX = 1.0
"""Standard deviation, in pixels, of the Gaussian that smooths masks before outlines are drawn."""

_DENSE = 8


@dataclass(frozen=True)
class Outlines:
    """Particles cut out of an image; lengths in um.

    Attributes:
        rings: dense closed outlines (K, 2), anticlockwise, without the first point repeated.
        labels: (N,) number of each particle in the image.
        voids: outlines of the closed voids in each particle, in the form of `rings`.
        areas: (N,) areas of their pixels without the voids.
        extent: thickness and width of the slab, including the room added beyond the image.
        offset: position of the image in the slab.
        dropped: numbers of the particles that are too small to keep.
        filled: number of pixels of voids too small to keep, which count as particle.
        cut: numbers of the particles that the gap cuts into pieces; the largest piece is kept.
    """

    rings: tuple[Floats, ...]
    voids: tuple[tuple[Floats, ...], ...]
    labels: tuple[int, ...]
    areas: Floats
    extent: Floats
    offset: Floats
    dropped: int
    filled: int
    cut: tuple[int, ...]

    @property
    def hollow(self) -> tuple[int, ...]:
        """Return the numbers in the image of the particles with voids."""
        return tuple(n for n, v in zip(self.labels, self.voids, strict=True) if v)


def mesh_labels(
    labels: Labels,
    pixel_um: float,
    separator_um: float,
    gap_um: float,
    sizes: MeshSizes,
) -> ImageMesh:
    """Mesh a label image.

    Args:
        labels: (H, W); 0 is the carbon-binder domain, particles are 1 .. N.
        pixel_um: edge length of a pixel, um.
        separator_um: thickness of the separator, which is added on the right.
        gap_um: gap kept between particles and to the slab's border, um; at least a pixel.
        sizes: element sizes; their order is ignored, since the mesh has order 1.

    Raises:
        InputError: the gap is below a pixel, no particle is left, outlines meet, or gmsh failed.
    """
    outlines = outlines_of(labels, pixel_um, gap_um)
    for attempt in range(RETRIES + 1):
        drawing = _Drawing(outlines, separator_um, gap_um, sizes)
        try:
            outline = drawing.draw()
            break
        except InputError:
            if attempt == RETRIES:
                raise
            sizes = replace(sizes, surface_factor=FINER * sizes.surface_factor)
    points, cells, cell_tags = triangulate(outline, sizes.maximum)
    places = [ring - outlines.offset for ring in drawing.nodes]
    return ImageMesh(
        MeshData.from_cells(points, cells, cell_tags, 1),
        outlines.labels,
        outlines.areas,
        deviations(labels, outlines.labels, (pixel_um, pixel_um), places),
        gap_um,
        outlines.offset,
        outlines.dropped,
        outlines.hollow,
        outlines.filled,
        outlines.cut,
    )


def outlines_of(labels: Labels, pixel_um: float, gap_um: float) -> Outlines:
    """Find the outlines of an image's particles, separated by the gap.

    Raises:
        InputError: the gap is below a pixel, or no particle is left.
    """
    require_resolved(gap_um, pixel_um)
    kept = parted(labels, (pixel_um, pixel_um), gap_um)
    counts = np.bincount(labels.ravel()).astype(np.float64)
    rings, voids, numbers, cut, dropped, filled = [], [], [], [], 0, 0
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        solid = largest_piece(kept[window] == index)
        ring = None if solid is None else _ring(solid.whole, window, pixel_um)
        if solid is None or ring is None:
            dropped += 1
            continue
        inner = [(void, _ring(void, window, pixel_um)) for void in solid.voids]
        small = sum(int(void.sum()) for void, outline in inner if outline is None)
        if solid.beside >= LEAST_PIXELS:
            # The kept piece gets its own area: with that of all pieces it would be too large.
            counts[index] *= solid.share
            cut.append(index)
        counts[index] += small
        filled += small
        rings.append(ring)
        voids.append([outline for _, outline in inner if outline is not None])
        numbers.append(index)
    if not rings:
        raise InputError("the label image holds no particle that is wider than the gaps around it")
    size = pixel_um * np.array(labels.shape[::-1])
    low, high = margins(rings, size, gap_um + pixel_um)
    areas = pixel_um**2 * counts[numbers]
    shifted = tuple(ring + low for ring in rings)
    inside = tuple(tuple(void + low for void in several) for several in voids)
    extent = low + size + high
    return Outlines(
        shifted, inside, tuple(numbers), areas, extent, low, dropped, filled, tuple(cut)
    )


def _ring(mask: Mask, window: tuple[slice, ...], pixel_um: float) -> Floats | None:
    """Return the longest outline of a mask in um, or None where the mask is too small."""
    if mask.sum() < LEAST_PIXELS:
        return None
    soft = ndimage.gaussian_filter(np.pad(mask.astype(np.float64), 4), SMOOTH_PX)
    contours = find_contours(soft, 0.5)
    if not contours:
        return None
    ring = max(contours, key=len)[:-1]
    if len(ring) < LEAST_EDGES:
        return None
    row, column = ring.T - 4.0 + 0.5
    placed = pixel_um * np.column_stack([column + window[1].start, row + window[0].start])
    return placed if _area(placed) > 0.0 else placed[::-1]


def _area(ring: Floats) -> float:
    """Return the area of a polygon, positive if it runs anticlockwise."""
    ahead = np.roll(ring, -1, axis=0)
    return 0.5 * float(np.sum(ring[:, 0] * ahead[:, 1] - ahead[:, 0] * ring[:, 1]))


class _Drawing:
    """Places nodes along the outlines and the slab's border, and joins them to loops."""

    def __init__(
        self, outlines: Outlines, separator_um: float, gap_um: float, sizes: MeshSizes
    ) -> None:
        self.outlines, self.separator, self.sizes = outlines, separator_um, sizes
        self.gap = gap_um
        self.points = np.concatenate(outlines.rings)
        self.owner = np.repeat(np.arange(len(outlines.rings)), [len(r) for r in outlines.rings])
        self.trees = cKDTree(self.points)
        self.out = Outline()
        self.nodes: list[Floats] = []
        self.void_loops: list[list[list[int]]] = []

    def draw(self) -> Outline:
        out = self.out
        thickness, width = (float(length) for length in self.outlines.extent)
        end = thickness + self.separator
        corner = {(x, y): out.add(x, y) for x in (0.0, thickness, end) for y in (0.0, width)}
        bottom = self._line(corner[0.0, 0.0], corner[thickness, 0.0])
        middle = self._line(corner[thickness, 0.0], corner[thickness, width])
        top = self._line(corner[0.0, width], corner[thickness, width])
        collector = self._line(corner[0.0, 0.0], corner[0.0, width])
        outer = [*bottom[:-1], *middle[:-1], *top[:0:-1], *collector[:0:-1]]
        rings = [self._particle(index) for index in range(len(self.outlines.rings))]
        self._require_apart(rings)
        low = self._line(corner[thickness, 0.0], corner[end, 0.0])
        lithium = self._line(corner[end, 0.0], corner[end, width])
        high = self._line(corner[thickness, width], corner[end, width])
        out.surfaces.append((tags.CBD, [outer, *rings]))
        loop = [*low[:-1], *lithium[:-1], *high[:0:-1], *middle[:0:-1]]
        out.surfaces.append((tags.SEPARATOR, [loop]))
        for index, ring in enumerate(rings):
            out.surfaces.append((tags.PARTICLE_OFFSET + index, [ring, *self.void_loops[index]]))
        return out

    def _line(self, start: int, end: int) -> list[int]:
        a, b = (np.array(self.out.points[i]) for i in (start, end))
        length = float(np.hypot(*(b - a)))
        limit = self.sizes.maximum
        if min(a[0], b[0]) >= self.outlines.extent[0]:
            limit = max(self.sizes.separator, self.sizes.minimum)

        def at(s: Floats) -> Floats:
            along: Floats = a + s[:, None] * (b - a) / length
            return along

        def size(s: Floats) -> Floats:
            near = self.trees.query(at(s))[0]
            wanted: Floats = np.clip(0.5 * near, self._least(), limit)
            return wanted

        inner = spaced(length, size, samples=max(512, int(4.0 * length / self.gap)))
        return self.out.add_between(start, end, at(inner))

    def _least(self) -> float:
        return max(self.sizes.minimum, 0.5 * self.gap)

    def _particle(self, index: int) -> list[int]:
        ring, voids = self.outlines.rings[index], self.outlines.voids[index]
        to_ring = cKDTree(ring)

        def to_others(points: Floats) -> Floats:
            gap = self._distance_to_others(points, index)
            if not voids:
                return gap
            nearest: Floats = np.minimum(gap, cKDTree(np.concatenate(voids)).query(points)[0])
            return nearest

        nodes = self._spaced_along(ring, to_others)
        holes = [self._spaced_along(void, lambda p: to_ring.query(p)[0]) for void in voids]
        nodes = self._grown(nodes, index, sum(_area(hole) for hole in holes))
        self.nodes.append(nodes)
        self.void_loops.append([[self.out.add(*point) for point in hole] for hole in holes])
        return [self.out.add(*point) for point in nodes]

    def _spaced_along(self, ring: Floats, apart: Callable[[Floats], Floats]) -> Floats:
        """Place nodes along an outline, closer to one another where the next outline is nearer."""
        closed = np.concatenate([ring, ring[:1]])
        arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
        length = float(arc[-1])
        radius = length / (2.0 * np.pi)
        base = min(self.sizes.surface_factor * radius, self.sizes.maximum)

        def at(s: Floats) -> Floats:
            return np.column_stack([np.interp(s, arc, closed[:, k]) for k in (0, 1)])

        def size(s: Floats) -> Floats:
            gap = apart(at(s))
            wanted: Floats = np.clip(0.7 * gap + SLOPE * gap, min(self._least(), base), base)
            return wanted

        return at(np.concatenate([[0.0], spaced(length, size, LEAST_EDGES)]))

    def _grown(self, nodes: Floats, index: int, void: float) -> Floats:
        """Move nodes along the normals until the polygon has the area of its pixels."""
        along = np.roll(nodes, -1, axis=0) - np.roll(nodes, 1, axis=0)
        normals = np.column_stack([along[:, 1], -along[:, 0]]) / np.hypot(*along.T)[:, None]
        others, border = self._distances(nodes, index)

        def room(share: float) -> Floats:
            gap = share * self.gap
            free: Floats = np.minimum(0.5 * (others - gap), border - gap)
            return np.maximum(free, 0.0)

        area = float(self.outlines.areas[index]) + void
        return grown(nodes, normals, room, _area, area, float(np.sqrt(area / np.pi)))

    def _distance_to_others(self, points: Floats, index: int) -> Floats:
        nearest: Floats = np.minimum(*self._distances(points, index))
        return nearest

    def _distances(self, points: Floats, index: int) -> tuple[Floats, Floats]:
        """Return the distances to the nearest other outline and to the slab's border."""
        distance, near = self.trees.query(points, k=min(64, len(self.points)))
        foreign = self.owner[near] != index
        found = np.where(foreign, distance, np.inf).min(axis=1)
        # If all of the nearest points belong to this particle, the next particle is far away.
        far = np.where(np.isinf(found), distance[:, -1], found)
        border = np.minimum(points, self.outlines.extent - points).min(axis=1)
        return far, border

    def _require_apart(self, rings: list[list[int]]) -> None:
        """Refuse edges of two particles that meet, as chords that cut corners may."""
        dense, owner = [], []
        for index, ring in enumerate(rings):
            nodes = np.array([self.out.points[i] for i in ring])
            step = np.linspace(0.0, 1.0, _DENSE, endpoint=False)[:, None, None]
            ahead = np.roll(nodes, -1, axis=0)
            dense.append((nodes + step * (ahead - nodes)).reshape(-1, 2))
            owner.append(np.full(len(dense[-1]), index))
        points, owners = np.concatenate(dense), np.concatenate(owner)
        pairs = cKDTree(points).query_pairs(0.25 * self.gap, output_type="ndarray")
        meeting = pairs[owners[pairs[:, 0]] != owners[pairs[:, 1]]]
        if len(meeting):
            i, j = (self.outlines.labels[owners[k]] for k in meeting[0])
            raise InputError(
                f"the outlines of particles {i} and {j} of the label image come too close. Lower"
                " geometry.mesh.surface_size_factor or raise geometry.minimum_gap"
            )
