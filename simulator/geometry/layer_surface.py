"""The surface of the particles, ready to be moved inward: its corners, and where each may go.

A node of the surface is one corner for each group of particle cells around it that hang together by
facets. It is several where particles, or parts of one, meet at a single point, since each side then
moves its own way. A corner moves against the mean normal of its facets towards the carbon-binder
domain, weighted so that it is exact on a circle and on a sphere:

    n ~ sum over facets of  e1 x e2 / (|e1|^2 |e2|^2)   (in 3D; e1, e2 its edges at the node)
    n ~ sum over facets of  m / |e|                     (in 2D; m unit normal, e the facet)

What else bounds a particle stays as it is: walls of the box, contacts with other particles, and the
separator. A corner on a plane of the first two slides in the plane, one on two planes along their
common line, and one on a curved contact or on the separator stays.
Source of the weights: Max, J. Graphics Tools 4(2), 1 (1999).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heterode.geometry import tags
from heterode.geometry.mesh_data import ON_PLANE, MeshData, facet_mates
from heterode.geometry.simplex import FACETS, facet_nodes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

LONGEST = 2.0
"""Largest way of a corner for a unit of thickness; more would be needed in a wedge below 30 deg."""

STEEP = 0.2
"""Least thickness of the layers under each facet of a corner, as a share of their mean."""

COPLANAR = 1e-14
"""Largest squared sine of the angle between the planes of facets that count as one plane."""


@dataclass(frozen=True, eq=False)
class Surface:
    """The corners and facets of the particles' surface towards the carbon-binder domain.

    Attributes:
        vertex: (S,) node of each corner.
        facets: (F, d) corners of each facet, seen from outside anticlockwise.
        facet_nodes: (F, nodes) nodes of the facets, in gmsh's order.
        particle: (F,) particle under each facet.
        cells: (C,) cells of the particles.
        nodes: (C, d + 1) their vertices: a node, or P + corner.
        held: (P, d) whether a coordinate of a node inside the particles must stay.
        direction: (S, d) way of each corner for a unit of thickness; 0 where it must stay.
        reach: (S,) thickness for a unit asked for: 1, less in sharp wedges, 0 where it stays.
    """

    vertex: Ints
    facets: Ints
    facet_nodes: Ints
    particle: Ints
    cells: Ints
    nodes: Ints
    held: Mask
    direction: Floats
    reach: Floats

    def least(self, of_particle: Ints, cell_tags: npt.NDArray[np.int32]) -> Ints:
        """Return (S,) the least value among the particles that meet at a corner.

        Args:
            of_particle: (N,) values.
            cell_tags: (M,) tags of the mesh.
        """
        total = len(self.held)
        value = of_particle[cell_tags[self.cells].astype(np.int64) - tags.PARTICLE_OFFSET]
        row, column = np.nonzero(self.nodes >= total)
        least = np.full(len(self.vertex), np.iinfo(np.int64).max)
        np.minimum.at(least, self.nodes[row, column] - total, value[row])
        return least


def find_surface(mesh: MeshData) -> Surface:
    """Find the corners of the particles' surface and the way of each into its particle."""
    dimension, corners = mesh.dimension, mesh.cells[:, : mesh.dimension + 1]
    each = dimension + 1
    own = mesh.cell_tags.astype(np.int64)
    mates = facet_mates(mesh.cells, dimension)
    rows = np.flatnonzero(np.repeat(own >= tags.PARTICLE_OFFSET, each))
    other = np.where(mates[rows] >= 0, own[mates[rows] // each], 0)
    interface = rows[other == tags.CBD]
    bound = rows[(other != tags.CBD) & (other != own[rows // each])]
    rigid = other[(other != tags.CBD) & (other != own[rows // each])] == tags.SEPARATOR
    inner = rows[(other >= tags.PARTICLE_OFFSET) & (mates[rows] > rows)]

    corner_of_slot, vertex = _corners(corners, interface, inner, mates[inner], rows)
    local = facet_nodes(dimension, mesh.order)
    surface_slots = _slots(interface, dimension)
    facets = corner_of_slot[surface_slots]
    held, normals = _bounds(mesh, bound, rigid, corner_of_slot, len(vertex))
    direction, reach = _directions(mesh.points_um[vertex], facets, _null_spaces(normals))
    cells = np.flatnonzero(own >= tags.PARTICLE_OFFSET)
    slots = cells[:, None] * each + np.arange(each)
    corner = corner_of_slot[slots]
    return Surface(
        vertex=vertex,
        facets=facets,
        facet_nodes=mesh.cells[interface[:, None] // each, local[interface % each]],
        particle=own[interface // each] - tags.PARTICLE_OFFSET,
        cells=cells,
        nodes=np.where(corner >= 0, len(mesh.points_um) + corner, corners[cells]),
        held=held,
        direction=direction,
        reach=reach,
    )


def _slots(rows: Ints, dimension: int) -> Ints:
    """Return (rows, d) positions c (d + 1) + v of the vertices v of cell c that span a facet."""
    each = dimension + 1
    slots: Ints = (rows // each * each)[:, None] + np.array(FACETS[dimension])[rows % each]
    return slots


def _corners(
    cells: Ints, interface: Ints, inner: Ints, beyond: Ints, rows: Ints
) -> tuple[Ints, Ints]:
    """Return the corner at each vertex of each cell, -1 for none, and the node of each corner."""
    # Imported only here, since `heterode check` plans layers and makes none.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    dimension = cells.shape[1] - 1
    flat = cells.ravel()
    on_surface = np.zeros(int(flat.max()) + 1, dtype=np.bool_)
    on_surface[flat[_slots(interface, dimension)]] = True
    # The vertices of a facet come in another order in the cell beyond; sorted by node they pair.
    pairs = []
    for side in (inner, beyond):
        slots = _slots(side, dimension)
        order = np.argsort(flat[slots], axis=1)
        pairs.append(np.take_along_axis(slots, order, axis=1).ravel())
    kept = on_surface[flat[pairs[0]]]
    solid = np.unique(rows // (dimension + 1))
    slots = (solid[:, None] * (dimension + 1) + np.arange(dimension + 1)).ravel()
    slots = slots[on_surface[flat[slots]]]
    number = np.full(len(flat), -1, dtype=np.int64)
    number[slots] = np.arange(len(slots))
    first, second = (number[side[kept]] for side in pairs)
    links = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), (len(slots),) * 2)
    groups, group = connected_components(links.tocsr(), directed=False)
    # Corners are numbered by their node, and those of one node by their first cell.
    earliest = np.full(groups, len(flat), dtype=np.int64)
    np.minimum.at(earliest, group, slots)
    order = np.lexsort((earliest, flat[earliest]))
    corner = np.empty(groups, dtype=np.int64)
    corner[order] = np.arange(groups)
    number[slots] = corner[group]
    return number, flat[earliest[order]]


def _bounds(
    mesh: MeshData, rows: Ints, rigid: Mask, corner_of_slot: Ints, count: int
) -> tuple[Mask, Floats]:
    """Collect what holds the nodes on walls, on contacts and on the separator.

    Args:
        mesh: the mesh.
        rows: rows of these facets, in order.
        rigid: which of them have the separator behind them, whose nodes no other may join.
        corner_of_slot: the corner at each vertex of each cell, or -1.
        count: number of corners S.

    Returns:
        held (P, d) of the nodes that are no corners, and (S, d, d), for each corner the sum of
        n n^T over the planes that it must not leave.
    """
    dimension, points = mesh.dimension, mesh.points_um
    each = dimension + 1
    held = np.zeros(points.shape, dtype=np.bool_)
    normals = np.zeros((count, dimension, dimension))
    nodes = mesh.cells[rows[:, None] // each, facet_nodes(dimension, mesh.order)[rows % each]]
    places = points[nodes]
    flat = np.ptp(places, axis=1) <= ON_PLANE * 1e-3 * np.ptp(points, axis=0).max()
    flat &= ~rigid[:, None]
    normal, _ = facet_normals(places[:, :dimension])
    # A facet along an axis is one of a wall as a rule, whose nodes slide. Others are of contacts.
    normal = np.where(flat.any(axis=1)[:, None], flat.astype(np.float64), normal)
    for axis in range(dimension):
        held[nodes[flat[:, axis]].ravel(), axis] = True
    held[nodes[~flat.any(axis=1)].ravel()] = True
    slots = corner_of_slot[_slots(rows, dimension)]
    product = normal[:, :, None] * normal[:, None, :]
    product[rigid | _curved(places, dimension)] = np.eye(dimension)
    for column in range(dimension):
        chosen = slots[:, column] >= 0
        np.add.at(normals, slots[chosen, column], product[chosen])
    return held, normals


def _curved(places: Floats, dimension: int) -> Mask:
    """Tell which facets (F, nodes, d) have a node off the middle of its edge."""
    if places.shape[1] == dimension:
        return np.zeros(len(places), dtype=np.bool_)
    ends = ((0, 1),) if dimension == 2 else ((0, 1), (1, 2), (2, 0))
    middle = np.stack([places[:, pair].mean(axis=1) for pair in ends], axis=1)
    size = np.ptp(places, axis=1).max(axis=1)
    curved: Mask = np.abs(places[:, dimension:] - middle).max(axis=(1, 2)) > 1e-9 * size
    return curved


def facet_normals(corners: Floats) -> tuple[Floats, Floats]:
    """Return outward unit normals (F, d) and areas (F,) of straight facets (F, d, d)."""
    first = corners[:, 1] - corners[:, 0]
    if corners.shape[2] == 2:
        normal, factor = np.column_stack([first[:, 1], -first[:, 0]]), 1.0
    else:
        second = corners[:, 2] - corners[:, 0]
        normal, factor = np.asarray(np.cross(first, second), dtype=np.float64), 0.5
    length = np.sqrt((normal**2).sum(axis=1))
    return normal / length[:, None], factor * length


def _null_spaces(normals: Floats) -> Floats:
    """Return (S, d, d) projections onto what the planes with sum of n n^T (S, d, d) leave free."""
    count, dimension, _ = normals.shape
    free = np.broadcast_to(np.eye(dimension), (count, dimension, dimension)).copy()
    bound = np.flatnonzero(np.trace(normals, axis1=1, axis2=2) > 0.0)
    values, vectors = np.linalg.eigh(normals[bound])
    left = vectors * (values < COPLANAR * values.sum(axis=1)[:, None])[:, None, :]
    free[bound] = left @ vectors.transpose(0, 2, 1)
    free[np.abs(free) < 1e-15] = 0.0
    return free


def _directions(places: Floats, facets: Ints, free: Floats) -> tuple[Floats, Floats]:
    """Return the way of each corner for a unit of thickness, and the thickness that it gives."""
    count, dimension = places.shape
    normal, _ = facet_normals(places[facets])
    corner = facets.ravel()
    normals = np.repeat(normal, dimension, axis=0)
    weights = _weights(places, facets)

    def mean(weight: Floats, chosen: Mask) -> Floats:
        total = np.zeros((count, dimension))
        for axis in range(dimension):
            total[:, axis] = np.bincount(corner[chosen], (weight * normals[chosen, axis]), count)
        total = np.einsum("sij,sj->si", free, total)
        unit: Floats = total / np.maximum(np.linalg.norm(total, axis=1), 1e-300)[:, None]
        return unit

    def least(found: Floats) -> tuple[Floats, Floats]:
        cosine = np.einsum("ij,ij->i", normals, found[corner])
        lowest = np.full(count, np.inf)
        np.minimum.at(lowest, corner, cosine)
        return lowest, cosine

    way = mean(weights, np.ones(len(corner), dtype=np.bool_))
    lowest, cosine = least(way)
    # At a sharp corner the facets furthest from the mean normal get more weight, step by step.
    sharp = lowest < 0.5
    chosen = sharp[corner]
    for _ in range(20 if chosen.any() else 0):
        weights[chosen] *= np.exp(1.0 - cosine[chosen])
        trial = mean(weights[chosen], chosen)
        worst, cosine = least(np.where(sharp[:, None], trial, way))
        better = sharp & (worst > lowest)
        way[better], lowest[better] = trial[better], worst[better]
    _, cosine = least(way)
    times = np.maximum(np.bincount(corner, minlength=count), 1)
    gain = np.bincount(corner, cosine, count) / times
    stays = ~(lowest > STEEP * np.maximum(gain, 0.0)) | ~(gain > 1e-3)
    length = np.minimum(1.0 / np.where(stays, 1.0, gain), LONGEST)
    length[stays] = 0.0
    return -way * length[:, None], np.where(stays, 0.0, np.minimum(length * gain, 1.0))


def _weights(places: Floats, facets: Ints) -> Floats:
    """Return (F d,) weights of the facets' unit normals at their corners."""
    corners = places[facets]
    dimension = facets.shape[1]
    following = np.roll(corners, -1, axis=1) - corners
    squares = (following**2).sum(axis=2)
    if dimension == 2:
        weights: Floats = np.sqrt(1.0 / squares)
    else:
        area = facet_normals(corners)[1]
        weights = 2.0 * area[:, None] / (squares * np.roll(squares, 1, axis=1))
    return weights.ravel()
