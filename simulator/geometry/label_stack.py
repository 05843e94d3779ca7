"""Conforming tetrahedral meshes of stacks of label images, with particles of any shape.

Pages run along the thickness, the first one at the collector; rows are y and columns are x. A
particle's surface is the iso-surface of its smoothed mask. It is sampled as finely as the wanted
edge length requires, remeshed with even triangles of that length (even_surface.py), and moved along
its normals until it encloses the volume of the voxels (parting.py). Where the border of the stack
cuts a particle, the surface is closed there, and the box is made wider than the stack by the gap
and a voxel. gmsh fills the volumes as it does for spheres. Closed voids in a particle have their
own surface and stay empty, since neither electrolyte nor current reaches them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.geometry.box_surfaces import SLOPE, BoxSizes, empty_grid, mesh_box
from heterode.geometry.even_surface import enclosed_volume, even_triangles, vertex_normals
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.meshing_3d import filled
from heterode.geometry.packing import Progress
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
from heterode.geometry.spheres import Surface
from heterode.parameters.geometry import MeshSettings

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_VOXELS = 30
SMOOTH = 1.0
"""Standard deviation of the Gaussian that smooths masks, in longest edges of a voxel."""

SMOOTHED = 0.15
"""Largest such standard deviation in radii: with more, small particles would vanish."""

SAMPLES = 4.0
"""Samples of the smoothed mask in an edge length."""

EVERY = 50
"""Number of particles between two lines of progress."""

REFINEMENTS = 6
RETRIES = 2
FINER = 0.75


@dataclass(frozen=True, eq=False)
class Solids:
    """Particles cut out of a stack; lengths in um, (x, y, z).

    Attributes:
        surfaces: closed surfaces that enclose the voxels' volumes as far as there is room.
        voids: (particle, surface) pairs for the empty space inside particles.
        labels: (N,) number of each particle in the stack.
        volumes: (N,) volumes of their voxels without the voids.
        extent: (3,) extents of the box, including the room added beyond the stack.
        offset: (3,) position of the stack in the box.
        dropped: numbers of the particles that are too small to keep.
        filled: number of voxels of voids too small to keep, which count as particle.
        cut: numbers of the particles that the gap cuts into pieces; the largest piece is kept.
    """

    surfaces: list[Surface]
    voids: list[tuple[int, Surface]]
    labels: tuple[int, ...]
    volumes: Floats
    extent: Floats
    offset: Floats
    dropped: int
    filled: int
    cut: tuple[int, ...]

    @property
    def hollow(self) -> tuple[int, ...]:
        """Return the numbers in the stack of the particles with voids."""
        return tuple(self.labels[k] for k in dict.fromkeys(index for index, _ in self.voids))


def mesh_stack(
    labels: Labels,
    voxel_um: Sequence[float],
    separator_um: float,
    gap_um: float,
    settings: MeshSettings,
    progress: Progress | None = None,
) -> ImageMesh:
    """Mesh a stack of label images with elements of order 1.

    Args:
        labels: (Z, Y, X); 0 is the carbon-binder domain, particles are 1 .. N.
        voxel_um: edges of a voxel along x, y and z, um.
        separator_um: thickness of the separator, which is added beyond the last page.
        gap_um: gap kept between particles and to the box, um; at least a voxel.
        settings: `Parameters.geometry.mesh` (lengths in m).
        progress: called with a line of text from time to time.

    Raises:
        InputError: the gap is below a voxel, no particle is left, or gmsh failed.
    """
    sizes = BoxSizes(1e6 * settings.maximum_size, 1e6 * settings.separator_size)
    factor = float(settings.surface_size_factor)
    for attempt in range(RETRIES + 1):
        solids = solids_of(labels, voxel_um, gap_um, factor, sizes.maximum, progress)
        if progress is not None:
            progress(f"filling the space between {counted(len(solids.labels), 'particle')}")
        inner = [surface for _, surface in solids.voids]
        grid = _size_grid([*solids.surfaces, *inner], solids.extent, separator_um, sizes)
        try:
            box = mesh_box(solids.extent, solids.surfaces, separator_um, grid)
            points, cells, cell_tags = filled(box, solids.surfaces, solids.voids)
        except InputError:
            # Chords of two surfaces may cross in a gap, so finer ones are tried next.
            if attempt == RETRIES:
                break
            factor *= FINER
            continue
        places = [surface.points - solids.offset for surface in solids.surfaces]
        return ImageMesh(
            MeshData.from_cells(points, cells, cell_tags, 1),
            solids.labels,
            solids.volumes,
            deviations(labels, solids.labels, voxel_um[::-1], places),
            gap_um,
            solids.offset,
            solids.dropped,
            solids.hollow,
            solids.filled,
            solids.cut,
        )
    raise InputError(
        "gmsh could not fill the space between the particles of the label stack. Raise"
        " geometry.minimum_gap or lower geometry.mesh.surface_size_factor"
    )


def solids_of(
    labels: Labels,
    voxel_um: Sequence[float],
    gap_um: float,
    factor: float,
    maximum: float,
    progress: Progress | None = None,
) -> Solids:
    """Find the surfaces of a stack's particles, separated by the gap.

    Args:
        labels: (Z, Y, X).
        voxel_um: edges of a voxel along x, y and z, um.
        gap_um: gap between particles and to the box, um.
        factor: ratio of the edge length to the radius of the sphere of the same volume.
        maximum: greatest edge length, um.
        progress: called with a line of text from time to time.

    Raises:
        InputError: the gap is below a voxel, or no particle is left.
    """
    require_resolved(gap_um, max(voxel_um))
    spacing = np.array(voxel_um[::-1], dtype=np.float64)
    kept = parted(labels, list(spacing), gap_um)
    counts = np.bincount(labels.ravel())
    found: list[Surface] = []
    voids: list[tuple[int, Surface]] = []
    dense, numbers, volumes, cut, dropped, filled_voxels = [], [], [], [], 0, 0
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        if progress is not None and index % EVERY == 0:
            progress(f"surface {index} of {len(counts) - 1}")
        solid = largest_piece(kept[window] == index)
        origin = np.array([s.start for s in window]) * spacing
        voxels = float(counts[index])
        if solid is not None and solid.beside >= LEAST_VOXELS:
            # The kept piece gets its own volume: with that of all pieces it would be too large.
            voxels *= solid.share
        made = None
        if solid is not None and solid.whole.sum() >= LEAST_VOXELS:
            size = _edge(voxels * spacing.prod(), factor, maximum)
            made = _surface(solid.whole, origin, spacing, size)
        if solid is None or made is None:
            dropped += 1
            continue
        for void in solid.voids:
            many = int(void.sum())
            inner = None
            if many >= LEAST_VOXELS:
                size = _edge(many * spacing.prod(), factor, maximum)
                inner = _surface(void, origin, spacing, size)
            if inner is None:
                voxels, filled_voxels = voxels + many, filled_voxels + many
            else:
                voids.append((len(found), inner[0]))
        if solid.beside >= LEAST_VOXELS:
            cut.append(index)
        found.append(made[0])
        dense.append(made[1])
        numbers.append(index)
        volumes.append(float(voxels * spacing.prod()))
    if not found:
        raise InputError("the label stack holds no particle that is wider than the gaps around it")
    size_um = np.array(labels.shape[::-1]) * np.array(voxel_um)
    room = margins(dense, size_um, gap_um + max(voxel_um))
    low, high = (np.asarray(side, dtype=np.float64) for side in room)
    extent = low + size_um + high
    target = np.array(volumes)
    empty = np.zeros(len(target))
    for owner, surface in voids:
        empty[owner] += enclosed_volume(surface.points, surface.triangles)
    surfaces = _with_volumes(
        [Surface(s.points + low, s.triangles, s.size, ()) for s in found],
        [points + low for points in dense],
        target + empty,
        extent,
        gap_um,
    )
    inside = [(i, Surface(s.points + low, s.triangles, s.size, ())) for i, s in voids]
    return Solids(
        surfaces, inside, tuple(numbers), target, extent, low, dropped, filled_voxels, tuple(cut)
    )


def _edge(volume: float, factor: float, maximum: float) -> float:
    """Return the edge length on the surface of a body, from the sphere of the same volume."""
    return min(factor * float(np.cbrt(0.75 * volume / np.pi)), maximum)


def _surface(
    mask: Mask, origin: Floats, spacing: Floats, size: float
) -> tuple[Surface, Floats] | None:
    """Return even triangles round a mask and their dense points; None if the mask is too thin."""
    for _ in range(REFINEMENTS):
        dense = _iso_surface(mask, origin, spacing, size / SAMPLES)
        if dense is None:
            return None
        points, triangles = dense
        made = even_triangles(points, triangles, size)
        if made is not None:
            return Surface(made[0], made[1], size, ()), points
        size *= FINER
    return None


def _iso_surface(
    mask: Mask, origin: Floats, spacing: Floats, step: float
) -> tuple[Floats, Ints] | None:
    """Return the dense closed surface (x, y, z) of a smoothed mask, sampled at the given step."""
    radius = float(np.cbrt(0.75 * mask.sum() * spacing.prod() / np.pi))
    sigma = max(min(SMOOTH * float(spacing.max()), SMOOTHED * radius), 0.5 * step)
    pad = np.ceil(3.0 * sigma / spacing).astype(int) + 2
    soft = ndimage.gaussian_filter(
        np.pad(mask, [(p, p) for p in pad]).astype(np.float32), sigma / spacing, truncate=3.0
    )
    length = (np.array(soft.shape) - 1) * spacing
    number = np.ceil(length / step).astype(int) + 1
    axes = [np.linspace(0.0, n - 1.0, k) for n, k in zip(soft.shape, number, strict=True)]
    sampled = ndimage.map_coordinates(soft, np.meshgrid(*axes, indexing="ij"), order=1)
    if sampled.max() <= 0.5:
        return None
    vertices, faces, _, _ = marching_cubes(
        sampled, 0.5, spacing=tuple(length / (number - 1)), allow_degenerate=False
    )
    points = vertices.astype(np.float64) + origin + (0.5 - pad) * spacing
    points, triangles = _largest_part(points[:, ::-1], faces.astype(np.int64))
    if enclosed_volume(points, triangles) < 0.0:
        triangles = triangles[:, ::-1]
    return points, triangles


def _largest_part(points: Floats, triangles: Ints) -> tuple[Floats, Ints]:
    """Return the connected part of a surface that has most points."""
    a, b = triangles.ravel(), np.roll(triangles, 1, axis=1).ravel()
    links = coo_matrix((np.ones(len(a), dtype=np.int8), (a, b)), shape=(len(points), len(points)))
    count, part = connected_components(links, directed=False)
    if count == 1:
        return points, triangles
    chosen = part == np.argmax(np.bincount(part))
    number = np.cumsum(chosen) - 1
    return points[chosen], number[triangles[chosen[triangles[:, 0]]]]


def _with_volumes(
    surfaces: list[Surface], dense: list[Floats], volumes: Floats, extent: Floats, gap_um: float
) -> list[Surface]:
    """Move nodes along their normals until each surface encloses its volume."""
    low = np.array([points.min(axis=0) for points in dense])
    high = np.array([points.max(axis=0) for points in dense])
    made = []
    for index, surface in enumerate(surfaces):
        reach = gap_um + surface.size
        near = np.all((low < high[index] + reach) & (high > low[index] - reach), axis=1)
        near[index] = False
        others = [dense[k] for k in np.flatnonzero(near)]
        made.append(_grown(surface, others, extent, gap_um, float(volumes[index])))
    return made


def _grown(
    surface: Surface, others: list[Floats], extent: Floats, gap_um: float, volume: float
) -> Surface:
    points, triangles = surface.points, surface.triangles
    reach = gap_um + surface.size
    apart: Floats = np.full(len(points), reach)
    if others:
        tree = cKDTree(np.concatenate(others))
        apart = np.minimum(tree.query(points, distance_upper_bound=reach)[0], reach)
    walls = np.minimum(points, extent - points).min(axis=1)

    def room(share: float) -> Floats:
        gap = share * gap_um
        free: Floats = np.minimum(0.5 * (apart - gap), walls - gap)
        return np.maximum(free, 0.0)

    radius = float(np.cbrt(0.75 * volume / np.pi))
    normals = vertex_normals(points, triangles)

    def enclosed(places: npt.NDArray[np.floating[Any]]) -> float:
        return enclosed_volume(np.asarray(places, dtype=np.float64), triangles)

    placed = np.asarray(grown(points, normals, room, enclosed, volume, radius), dtype=np.float64)
    return Surface(placed, triangles, surface.size, ())


def _size_grid(
    surfaces: Sequence[Surface], extent: Floats, separator_um: float, sizes: BoxSizes
) -> Floats:
    """Return edge lengths for `mesh_box`, which grow with the distance from each particle."""
    axes, grid = empty_grid(extent, separator_um, sizes)
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    size = np.repeat([s.size for s in surfaces], [len(s.points) for s in surfaces])
    away, near = cKDTree(np.concatenate([s.points for s in surfaces])).query(places)
    wanted: Floats = np.minimum(grid, (size[near] + SLOPE * away).reshape(grid.shape))
    return wanted
