"""Gaps at the contacts of particles in a mesh of tetrahedra.

A node where several particles meet is copied for each of them, and once more for each part of a
particle that hangs together there only by that node. The copies move inward. Above every triangle
with copies lies a prism between the old nodes and the copies, which becomes up to three tetrahedra
of the carbon-binder domain. The side faces of prisms are divided from the lower number of an old
node, so that neighbours agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from heterode.geometry.label_lattice import Lattice
from heterode.geometry.label_loops import inward
from heterode.geometry.mesh_data import facet_mates
from heterode.geometry.simplex import FACETS, tetrahedron_sicn

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SHORTER = 0.6
"""Factor on the move of a copy each time that a cell of its particle would be bad."""

MOVES = 12
TWISTED = 0.05
"""Least cosine of a copy's move with the inward normals below which a surface is twisted."""

LEAST = 0.08
"""SICN below which a cell is bad."""


@dataclass(frozen=True, eq=False)
class _Corners:
    """What hangs together at the nodes of interfaces.

    Attributes:
        of_slot: (4 M,) corner of each cell's node, or -1.
        node: (C,) node of each corner.
    """

    of_slot: Ints
    node: Ints


def parted_at_contacts(mesh: Lattice, particles: int, gap_um: float) -> tuple[Lattice, Ints]:
    """Part labels 1 .. `particles` by gaps as wide as the cells allow.

    Returns:
        the mesh, and (node, label) of it (S, 2) where a particle's surface is twisted, so that no
        move of a copy leads behind all triangles round it.
    """
    cells, labels = mesh.cells, mesh.labels
    mates = facet_mates(cells, 3)
    corners = _corners(cells, labels, mates, particles)
    several = np.bincount(corners.node, minlength=len(mesh.points))[corners.node] > 1
    copy = np.full(len(corners.node), -1, dtype=np.int64)
    copy[several] = len(mesh.points) + np.arange(int(several.sum()))
    slot_copy = np.where(corners.of_slot >= 0, copy[corners.of_slot], -1)
    moved = np.where(slot_copy >= 0, slot_copy, cells.ravel()).reshape(cells.shape)
    rows = np.arange(len(mates))
    solid = (labels >= 1) & (labels <= particles)
    own = labels[rows // 4]
    other = np.where(mates >= 0, labels[mates // 4], 0)
    surface = np.flatnonzero(solid[rows // 4] & (other != own))
    local = np.array(FACETS[3])[surface % 4]
    base = cells[surface[:, None] // 4, local]
    top = moved[surface[:, None] // 4, local]
    points = np.concatenate([mesh.points, mesh.points[corners.node[several]]])
    move, behind = _moves(points, base, top, len(mesh.points), gap_um)
    points = _placed(points, moved[solid], move, len(mesh.points))
    with_copy = (base != top).any(axis=1)
    void = np.where(other[surface] > particles, other[surface], 0)
    prisms, of = _prisms(base[with_copy], top[with_copy])
    nodes = corners.node[several]
    twisted = np.flatnonzero(behind < TWISTED)
    label = np.zeros(len(points), dtype=np.int64)
    label[moved[solid]] = labels[solid][:, None]
    found = np.column_stack([nodes[twisted], label[len(mesh.points) + twisted]])
    made = Lattice(
        points,
        np.concatenate([moved, prisms]),
        np.concatenate([labels, void[with_copy][of]]),
        np.concatenate([mesh.fixed, np.zeros(len(nodes), dtype=np.bool_)]),
        np.concatenate([mesh.cube, mesh.cube[nodes]]),
    )
    return made, found


def _corners(cells: Ints, labels: Ints, mates: Ints, particles: int) -> _Corners:
    """Find the groups of a particle's cells round each node that hang together by facets."""
    size = int(cells.max()) + 1
    low = np.full(size, np.iinfo(np.int64).max)
    high = np.full(size, -1, dtype=np.int64)
    each = np.repeat(labels, 4)
    np.minimum.at(low, cells.ravel(), each)
    np.maximum.at(high, cells.ravel(), each)
    interface = low < high
    solid = (each >= 1) & (each <= particles)
    wanted = solid & interface[cells.ravel()]
    rows = np.flatnonzero(mates > np.arange(len(mates)))
    a, b = rows // 4, mates[rows] // 4
    same = (labels[a] == labels[b]) & (labels[a] >= 1) & (labels[a] <= particles)
    rows, a, b = rows[same], a[same], b[same]
    local = np.array(FACETS[3])[rows % 4]
    starts, ends = [], []
    for k in range(3):
        nodes = cells[a, local[:, k]]
        at = interface[nodes]
        place = np.argmax(cells[b[at]] == nodes[at, None], axis=1)
        starts.append(4 * a[at] + local[at, k])
        ends.append(4 * b[at] + place)
    first, last = np.concatenate(starts), np.concatenate(ends)
    number = np.full(cells.size, -1, dtype=np.int64)
    slots = np.flatnonzero(wanted)
    number[slots] = np.arange(len(slots))
    links = coo_array(
        (np.ones(len(first), dtype=np.int8), (number[first], number[last])),
        shape=(len(slots), len(slots)),
    )
    count, group = connected_components(links.tocsr(), directed=False)
    of_slot = np.full(cells.size, -1, dtype=np.int64)
    of_slot[slots] = group
    node = np.zeros(count, dtype=np.int64)
    node[group] = cells.ravel()[slots]
    return _Corners(of_slot, node)


def _moves(points: Floats, base: Ints, top: Ints, old: int, gap_um: float) -> tuple[Floats, Floats]:
    """Return moves that take copies half a gap into their particles.

    Returns:
        (P, 3) moves, 0 for other nodes than copies, and (C,) for each copy the least cosine of its
        move with the inward normals round it.
    """
    a, b, c = (points[base[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    size = np.linalg.norm(normal, axis=1)
    normal /= np.maximum(size, 1e-300)[:, None]
    copies: Ints = top.ravel() - old
    moving = np.flatnonzero(copies >= 0)
    facet = moving // 3
    copies = copies[moving]
    order = np.argsort(copies, kind="stable")
    number = len(points) - old
    first = np.searchsorted(copies[order], np.arange(number + 1))
    moves: Floats = np.zeros((len(points), 3))
    found = inward(normal, facet[order], first, 0.5 * gap_um)
    moves[old:] = found[:, :3]
    return moves, found[:, 3]


def _placed(points: Floats, solid: Ints, move: Floats, old: int) -> Floats:
    """Move copies as far as the cells of their particles stay good."""
    touched = solid[(solid >= old).any(axis=1)]
    corners: Floats = points[touched]
    before = tetrahedron_sicn(corners)
    edges = corners[:, [0, 0, 0, 1, 1, 2]] - corners[:, [1, 2, 3, 2, 3, 3]]
    shortest = np.full(len(points), np.inf)
    least = np.linalg.norm(edges, axis=2).min(axis=1)
    np.minimum.at(shortest, touched.ravel(), np.repeat(least, 4))
    length = np.linalg.norm(move, axis=1)
    share = np.minimum(1.0, 0.4 * shortest / np.maximum(length, 1e-300))
    for _ in range(MOVES):
        corners = points[touched] + share[touched][:, :, None] * move[touched]
        bad = tetrahedron_sicn(corners) < np.minimum(LEAST, 0.7 * before)
        shorter = np.zeros(len(points), dtype=np.bool_)
        shorter[touched[bad]] = True
        share[shorter] *= SHORTER
    placed: Floats = points + share[:, None] * move
    return placed


def _prisms(base: Ints, top: Ints) -> tuple[Ints, Ints]:
    """Return the tetrahedra between triangles, seen from outside anticlockwise, and their copies.

    Returns:
        cells (K, 4), and the row of each in `base`.
    """
    order = np.argsort(base, axis=1)
    odd = np.linalg.det(np.eye(3)[order]) < 0.0
    v = np.take_along_axis(base, order, axis=1)
    w = np.take_along_axis(top, order, axis=1)
    cells, of = [], []
    rows = np.arange(len(base))
    for corners, number in (
        ((v[:, 0], v[:, 1], v[:, 2], w[:, 2]), 2),
        ((v[:, 0], v[:, 1], w[:, 1], w[:, 2]), 1),
        ((v[:, 0], w[:, 0], w[:, 1], w[:, 2]), 0),
    ):
        made = np.column_stack(corners)
        there = v[:, number] != w[:, number]
        # The copies lie behind the triangle: this makes the volumes of all three positive.
        keep = odd if number != 1 else ~odd
        turned = np.where(keep[:, None], made, made[:, [1, 0, 2, 3]])
        cells.append(turned[there])
        of.append(rows[there])
    return np.concatenate(cells), np.concatenate(of)
