"""MeshData: an electrode mesh as plain arrays, on rank 0, before DOLFINx sees it.

Nothing here comes from the packing: the slab's extents and the particles' areas, surfaces and
centroids are measured on the (curved) cells, so a mesh from elsewhere with the same tags works too.
Lengths are micrometres. The thickness runs along the first axis in 2D and along the last in 3D.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import pi

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.geometry import tags
from heterode.geometry.simplex import FACETS, facet_nodes, integrate_cells, node_count
from heterode.particles.table import ParticleTable

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Tags = npt.NDArray[np.int32]


ON_PLANE = 1e-6
"""Largest distance at which a point counts as on an end plane, in thicknesses of the slab."""


@dataclass(frozen=True, eq=False)
class MeshData:
    """A conforming mesh of particles, carbon-binder domain and separator.

    Attributes:
        points_um: (P, dimension) nodes, each used by a cell; collector and lower walls are at 0.
        cells: (M, nodes) point numbers in gmsh's node order (triangle6: v0 v1 v2 e01 e12 e20).
        cell_tags: (M,) CBD, SEPARATOR or PARTICLE_OFFSET + particle.
        order: 1 (straight edges) or 2 (curved).
        width_um: lateral extents; one in 2D (y), two in 3D (x, y).
        coating_thickness_um, separator_thickness_um: extents along the thickness.
        particles: the table measured on the cells, with penalties of 1.
        hash: hash of what determined the mesh, or of its content if it comes from elsewhere.
        layer_cells: how many cells, the last ones, are thin layers under the particles' surfaces;
            see heterode.geometry.layers.
        lumping: (M,) share of each cell's mass matrix that is lumped; None where none is. Files do
            not keep it.
    """

    points_um: Floats
    cells: Ints
    cell_tags: Tags
    order: int
    width_um: tuple[float, ...]
    coating_thickness_um: float
    separator_thickness_um: float
    particles: ParticleTable
    hash: str
    layer_cells: int = 0
    lumping: Floats | None = None

    @property
    def dimension(self) -> int:
        """Number of spatial dimensions, 2 or 3."""
        return int(self.points_um.shape[1])

    @property
    def base_cells(self) -> int:
        """Number of cells that are not in layers; they come first."""
        return len(self.cells) - self.layer_cells

    @property
    def thickness_axis(self) -> int:
        """Axis from collector to lithium: 0 in 2D, 2 in 3D."""
        return thickness_axis(self.dimension)

    @classmethod
    def from_cells(
        cls, points_um: Floats, cells: Ints, cell_tags: Tags, order: int, name: str = ""
    ) -> MeshData:
        """Measure a mesh and shift it so that collector and lower side walls lie at 0.

        Args:
            points_um: (P, d); points that no cell uses are dropped.
            cells: (M, nodes); inverted cells are not repaired here, but by `oriented`.
            cell_tags: (M,).
            order: 1 or 2.
            name: the mesh's hash; if empty, the content is hashed.

        Raises:
            InputError: a domain or a particle number is missing, or a cell is inverted.
        """
        dimension = points_um.shape[1]
        if cells.shape[1] != node_count(dimension, order):
            raise ValueError(f"{cells.shape[1]} nodes a cell: not order {order} in {dimension}D")
        _require_domains(cell_tags)
        used, flat = np.unique(cells, return_inverse=True)
        points = np.ascontiguousarray(points_um[used], dtype=np.float64)
        cells = np.ascontiguousarray(flat.reshape(cells.shape), dtype=np.int64)
        points = points - points.min(axis=0)
        cell_tags = np.array(cell_tags, dtype=np.int32)
        volumes, moment = integrate_cells(points, cells, order)
        if not np.all(volumes > 0.0):
            worst = int(np.argmin(volumes))
            raise InputError(
                f"the mesh has {int(np.sum(~(volumes > 0.0)))} cells that are flat or turned inside"
                f" out (worst: cell {worst}, {volumes[worst]:.3g} um^{dimension}). Mesh it again"
                " with a finer size."
            )
        axis = thickness_axis(dimension)
        lateral = [a for a in range(dimension) if a != axis]
        extent = points.max(axis=0)
        separator = points[cells[cell_tags == tags.SEPARATOR].ravel(), axis]
        coating = float(separator.min())
        for array in (points, cells, cell_tags):
            array.flags.writeable = False
        return cls(
            points_um=points,
            cells=cells,
            cell_tags=cell_tags,
            order=order,
            width_um=tuple(float(extent[a]) for a in lateral),
            coating_thickness_um=coating,
            separator_thickness_um=float(extent[axis]) - coating,
            particles=_particle_table(points, cells, cell_tags, order, volumes, moment),
            hash=name or content_hash(points, cells, cell_tags),
        )


def thickness_axis(dimension: int) -> int:
    """Return the axis from collector to lithium: 0 (x) in 2D, 2 (z) in 3D."""
    return 0 if dimension == 2 else 2


def content_hash(points: Floats, cells: Ints, cell_tags: Tags) -> str:
    """Return a hash of the exact content of a mesh; equal arrays give equal hashes."""
    digest = hashlib.sha256()
    for array, kind in ((points, "<f8"), (cells, "<i8"), (cell_tags, "<i4")):
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
    return digest.hexdigest()[:32]


def facets_of(points: Floats, cells: Ints, cell_tags: Tags, order: int) -> tuple[Ints, Ints]:
    """Return all outer facets and all facets between a particle and the CBD, with their tags.

    Returns:
        facets (F, nodes) in gmsh's node order, seen from the particle or from inside the slab, and
        facet_tags (F,): COLLECTOR, LITHIUM, WALLS or INTERFACE. Nothing passes the facets between a
        particle and the separator, so they are not listed.
    """
    dimension = points.shape[1]
    facets, cell_of, mate = _paired_facets(cells, dimension, order)
    own = cell_tags[cell_of]
    other = np.where(mate >= 0, cell_tags[mate], 0)
    interface = (own >= tags.PARTICLE_OFFSET) & (other == tags.CBD)
    outer = mate < 0
    kind = np.zeros(len(facets), dtype=np.int64)
    kind[interface] = tags.INTERFACE
    kind[outer] = tags.WALLS
    axis = thickness_axis(dimension)
    along = points[facets[:, :dimension], axis]
    top = points[:, axis].max()
    tolerance = ON_PLANE * top
    kind[outer & (along.max(axis=1) < tolerance)] = tags.COLLECTOR
    kind[outer & (along.min(axis=1) > top - tolerance)] = tags.LITHIUM
    keep = kind > 0
    return facets[keep], kind[keep]


def _paired_facets(cells: Ints, dimension: int, order: int) -> tuple[Ints, Ints, Ints]:
    """Return (facets, its cell, the cell beyond it or -1), once for each cell a facet bounds."""
    local = facet_nodes(dimension, order)
    facets = cells[:, local].reshape(-1, local.shape[1])
    cell_of = np.repeat(np.arange(len(cells)), len(local))
    mates = facet_mates(cells, dimension)
    return facets, cell_of, np.where(mates >= 0, mates // len(local), -1)


def facet_mates(cells: Ints, dimension: int) -> Ints:
    """Return for facet k of cell c, in row c (d + 1) + k, the row of the same facet beyond it.

    Args:
        cells: (M, nodes).
        dimension: number of spatial dimensions d, 2 or 3.

    Returns:
        (M (d + 1),) rows; -1 on the outer boundary.

    Raises:
        InputError: a facet bounds more than two cells.
    """
    corners = np.sort(cells[:, FACETS[dimension]].reshape(-1, dimension), axis=1)
    rank = np.lexsort(corners.T[::-1])
    ordered = corners[rank]
    same = np.all(ordered[1:] == ordered[:-1], axis=1)
    if np.any(same[1:] & same[:-1]):
        raise InputError("the mesh is not conforming: a facet bounds more than two cells.")
    mates = np.full(len(corners), -1, dtype=np.int64)
    first, second = rank[:-1][same], rank[1:][same]
    mates[first], mates[second] = second, first
    return mates


def _require_domains(cell_tags: Tags) -> None:
    present = np.unique(cell_tags)
    for tag, name in tags.CELL_NAMES.items():
        if tag not in present:
            raise InputError(f"the mesh has no cells tagged '{name}'. Make it by `heterode mesh`.")
    particles = present[present >= tags.PARTICLE_OFFSET] - tags.PARTICLE_OFFSET
    strange = present[(present < tags.PARTICLE_OFFSET) & (present > tags.SEPARATOR) | (present < 1)]
    if strange.size:
        raise InputError(f"the mesh has cells of unknown tag {int(strange[0])}.")
    if not particles.size:
        raise InputError("the mesh has no particles. Make it by `heterode mesh`.")
    # The numbers are sorted: the first that differs from its index follows the first gap.
    holes = np.flatnonzero(particles != np.arange(len(particles)))
    if holes.size:
        raise InputError(
            f"the mesh has no cells tagged '{tags.particle_name(int(holes[0]))}', though"
            f" '{tags.particle_name(int(particles.max()))}' exists."
            " Number them from 0 up, as `heterode mesh` does."
        )


def _particle_table(
    points: Floats, cells: Ints, cell_tags: Tags, order: int, volumes: Floats, moment: Floats
) -> ParticleTable:
    dimension = points.shape[1]
    index = cell_tags.astype(np.int64) - tags.PARTICLE_OFFSET
    inside = index >= 0
    count = int(index.max()) + 1
    volume = np.bincount(index[inside], volumes[inside], count).astype(np.float64)
    centre = np.zeros((count, 3))
    for axis in range(dimension):
        centre[:, axis] = np.bincount(index[inside], moment[inside, axis], count) / volume
    facets, cell_of, mate = _paired_facets(cells, dimension, order)
    border = inside[cell_of] & (mate >= 0)
    border &= cell_tags[mate] == tags.CBD
    area, _ = integrate_cells(points, facets[border], order)
    surface = np.bincount(index[cell_of[border]], area, count).astype(np.float64)
    radius = np.sqrt(volume / pi) if dimension == 2 else np.cbrt(0.75 * volume / pi)
    return ParticleTable(
        particle=np.arange(count),
        x_um=centre[:, 0],
        y_um=centre[:, 1],
        z_um=centre[:, 2],
        radius_um=radius,
        volume_um3=volume,
        surface_um2=surface,
        penalty=np.ones(count),
    )
