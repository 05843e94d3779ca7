"""A segmented image -> conforming mesh: particles of any outline in the carbon-binder domain.

Columns run along the thickness, from the collector on the left to the separator on the right; rows
along the width. Where particles touch each other or the image's border half the gap is taken from
each, so that every particle has the carbon-binder domain all round it. Outlines are contours of the
smoothed masks; their nodes stand as close as the gaps beside them ask for. Edges are straight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from simulator.errors import InputError
from simulator.geometry import tags
from simulator.geometry.mesh_data import MeshData
from simulator.geometry.meshing import triangulate
from simulator.geometry.outline import SLOPE, MeshSizes, Outline, spaced

Floats = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

LEAST_EDGES = 10
SMOOTH_PX = 1.0
"""Sigma by which masks are smoothed before their outline is drawn."""

_DENSE = 8


@dataclass(frozen=True)
class Outlines:
    """Particles cut out of an image; lengths in um.

    Attributes:
        rings: closed outlines, (K, 2) each, dense, without the first point repeated.
        labels: number in the image of each.
        thickness_um, width_um: of the image.
        dropped: particles too small to keep.
    """

    rings: tuple[Floats, ...]
    labels: tuple[int, ...]
    thickness_um: float
    width_um: float
    dropped: int


def mesh_labels(
    labels: Labels,
    pixel_um: float,
    separator_um: float,
    gap_um: float,
    sizes: MeshSizes,
) -> tuple[MeshData, Outlines]:
    """Mesh a label image.

    Args:
        labels: (H, W) 0 the carbon-binder domain, particles 1 .. N.
        pixel_um: edge of a pixel.
        separator_um: thickness of the separator, which is added on the right.
        gap_um: kept between particles and to the image's border; at least a pixel.
        sizes: element sizes; the order is 1 whatever they say.

    Raises:
        InputError: gap below a pixel, no particle left, outlines that meet, or gmsh failed.
    """
    outlines = outlines_of(labels, pixel_um, gap_um)
    outline = _Drawing(outlines, separator_um, gap_um, sizes).draw()
    points, cells, cell_tags = triangulate(outline, sizes.maximum)
    return MeshData.from_cells(points, cells, cell_tags, 1), outlines


def outlines_of(labels: Labels, pixel_um: float, gap_um: float) -> Outlines:
    """The outlines of an image's particles, parted by the gap.

    Raises:
        InputError: gap below a pixel, or no particle left.
    """
    if gap_um < pixel_um:
        raise InputError(
            f"geometry.minimum_gap = {gap_um:g} um is less than a pixel of {pixel_um:g} um: an"
            " image cannot show such gaps. Raise it to a pixel or more"
        )
    kept = _parted(labels, gap_um / pixel_um)
    rings, numbers, dropped = [], [], 0
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        ring = _ring(kept[window] == index, window, pixel_um)
        if ring is None:
            dropped += 1
        else:
            rings.append(ring)
            numbers.append(index)
    if not rings:
        raise InputError("the label image holds no particle that is wider than the gaps around it")
    height, width = labels.shape
    return Outlines(tuple(rings), tuple(numbers), width * pixel_um, height * pixel_um, dropped)


def _parted(labels: Labels, gap_px: float) -> Labels:
    """Labels without the pixels nearer than half the gap to another particle, or to the border."""
    # Between centres of pixels, of which each reaches half a pixel further on either side.
    half = 0.5 * gap_px + 1.0 + 1e-6
    kept = labels.copy()
    margin = int(np.ceil(gap_px)) + 2
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        wide = tuple(slice(max(s.start - margin, 0), s.stop + margin) for s in window)
        part = labels[wide]
        others = (part > 0) & (part != index)
        if others.any():
            near = ndimage.distance_transform_edt(~others) <= half
            kept[wide][near & (part == index)] = 0
    edge = int(np.ceil(gap_px + 0.5))
    frame = np.ones(labels.shape, dtype=bool)
    frame[edge:-edge, edge:-edge] = False
    kept[frame] = 0
    return kept


def _ring(mask: Mask, window: tuple[slice, ...], pixel_um: float) -> Floats | None:
    """The longest outline of a mask in um, or None where it is too small."""
    pieces, count = ndimage.label(mask)
    if count == 0:
        return None
    sizes = np.bincount(pieces.ravel())[1:]
    if sizes.max() < 12:
        return None
    whole = ndimage.binary_fill_holes(pieces == 1 + int(np.argmax(sizes)))
    soft = ndimage.gaussian_filter(np.pad(whole.astype(np.float64), 4), SMOOTH_PX)
    contours = find_contours(soft, 0.5)
    if not contours:
        return None
    ring = max(contours, key=len)[:-1]
    if len(ring) < LEAST_EDGES:
        return None
    row, column = ring.T - 4.0 + 0.5
    return pixel_um * np.column_stack([column + window[1].start, row + window[0].start])


class _Drawing:
    """Nodes along the outlines and the slab's border, and the loops they make."""

    def __init__(
        self, outlines: Outlines, separator_um: float, gap_um: float, sizes: MeshSizes
    ) -> None:
        self.outlines, self.separator, self.sizes = outlines, separator_um, sizes
        self.gap = gap_um
        self.points = np.concatenate(outlines.rings)
        self.owner = np.repeat(np.arange(len(outlines.rings)), [len(r) for r in outlines.rings])
        self.trees = cKDTree(self.points)
        self.out = Outline()

    def draw(self) -> Outline:
        out, thickness, width = self.out, self.outlines.thickness_um, self.outlines.width_um
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
            out.surfaces.append((tags.PARTICLE_OFFSET + index, [ring]))
        return out

    def _line(self, start: int, end: int) -> list[int]:
        a, b = (np.array(self.out.points[i]) for i in (start, end))
        length = float(np.hypot(*(b - a)))
        limit = self.sizes.maximum
        if min(a[0], b[0]) >= self.outlines.thickness_um:
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
        ring = self.outlines.rings[index]
        closed = np.concatenate([ring, ring[:1]])
        arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
        length = float(arc[-1])
        radius = length / (2.0 * np.pi)
        base = min(self.sizes.surface_factor * radius, self.sizes.maximum)

        def at(s: Floats) -> Floats:
            return np.column_stack([np.interp(s, arc, closed[:, k]) for k in (0, 1)])

        def size(s: Floats) -> Floats:
            # The narrower the gap beside a node, the closer the next one.
            gap = self._distance_to_others(at(s), index)
            wanted: Floats = np.clip(0.7 * gap + SLOPE * gap, min(self._least(), base), base)
            return wanted

        inner = spaced(length, size, LEAST_EDGES)
        return [self.out.add(*point) for point in at(np.concatenate([[0.0], inner]))]

    def _distance_to_others(self, points: Floats, index: int) -> Floats:
        distance, near = self.trees.query(points, k=min(64, len(self.points)))
        foreign = self.owner[near] != index
        found = np.where(foreign, distance, np.inf).min(axis=1)
        # Where all of the nearest points are the particle's own, the next particle is far.
        far = np.where(np.isinf(found), distance[:, -1], found)
        x, y = points.T
        border = np.minimum.reduce(
            [x, self.outlines.thickness_um - x, y, self.outlines.width_um - y]
        )
        nearest: Floats = np.minimum(far, border)
        return nearest

    def _require_apart(self, rings: list[list[int]]) -> None:
        """Edges of two particles must not meet: chords cut corners."""
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
