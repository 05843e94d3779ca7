"""Nodes of a layered mesh, also those in the middle of its edges (the rule: layer_rings.py)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heterode.geometry.layer_rings import Rings, curved_edges, edge_keys
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.simplex import EDGES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STRAIGHT = 1e-9
"""Largest distance of a node from the middle of its straight edge, in lengths of the edge."""


def curved_cells(
    mesh: MeshData, rings: Rings, depths: Floats, moves: Floats
) -> tuple[Floats, Ints, Ints]:
    """Place all nodes.

    Args:
        mesh: the mesh without layers.
        rings: the layers.
        depths: (S, J + 1) thickness of the layers above each ring at each corner.
        moves: (P, d) displacements of the vertices inside the particles.

    Returns:
        Points (P', d), of which the first P are those of the mesh, the nodes (C, nodes) of the
        particles' old cells, and those of the layers (L, nodes).
    """
    points = np.concatenate([mesh.points_um + moves, rings.places(mesh.points_um, depths)])
    core, cells = rings.core(), rings.cells
    if mesh.order == 1:
        return points, core, cells
    return _second_order(mesh, rings, depths, points, core, cells)


def _second_order(
    mesh: MeshData, rings: Rings, depths: Floats, points: Floats, core: Ints, cells: Ints
) -> tuple[Floats, Ints, Ints]:
    surface, dimension = rings.surface, mesh.dimension
    count, total = len(surface.vertex), len(points)
    keys, pairs, middles = curved_edges(surface)
    # Edges of the layers: of each, its ends as corner and ring.
    ends = np.array(EDGES[dimension])
    every = edge_keys(cells[:, ends].reshape(-1, 2), total)
    names, where, edge_of = np.unique(every, return_index=True, return_inverse=True)
    corner, ring = (a[:, ends].reshape(-1, 2)[where] for a in (rings.corners, rings.rings))
    radial = corner[:, 0] == corner[:, 1]
    places = points[rings.node(corner, ring)].mean(axis=1)
    along = np.flatnonzero(~radial)
    edge = np.searchsorted(keys, edge_keys(corner[along], count))
    low, high = ring[along].min(axis=1), ring[along].max(axis=1)
    # A corner on its last ring is on all later ones, so an edge from there lies on the other's.
    at_low = np.take_along_axis(corner[along], ring[along].argmin(axis=1)[:, None], 1)[:, 0]
    on_ring = (low == high) | (low == rings.counts[at_low])
    low = np.where(on_ring, high, low)
    way, start = surface.direction[pairs[edge]], mesh.points_um[middles[edge]]
    chord = mesh.points_um[surface.vertex[pairs[edge]]]
    bow = np.abs(start - chord.mean(axis=1)).max(axis=1)
    curved = bow > STRAIGHT * np.abs(chord[:, 1] - chord[:, 0]).max(axis=1)

    def ring_middle(level: Ints) -> Floats:
        move = way * depths[pairs[edge], level[:, None]][:, :, None]
        mean = move.mean(axis=1)
        # On a circle the middle goes as far as the ends do, though these go different ways.
        length = np.linalg.norm(move, axis=2).mean(axis=1)
        norm = np.linalg.norm(mean, axis=1)
        stretches = curved & (norm > 0.5 * length)
        stretch = np.where(stretches, length / np.maximum(norm, 1e-300), 1.0)
        moved: Floats = start + stretch[:, None] * mean
        return moved

    places[along] = 0.5 * (ring_middle(low) + ring_middle(high))
    # Edges on the surface itself have their node already.
    old = (rings.node(corner, ring) < len(mesh.points_um)).all(axis=1)
    number = np.empty(len(names), dtype=np.int64)
    number[~old] = total + np.arange(int((~old).sum()))
    on_surface = np.zeros(len(names), dtype=np.int64)
    on_surface[along] = middles[edge]
    number[old] = on_surface[old]
    cells = np.column_stack([cells, number[edge_of].reshape(len(cells), -1)])

    # Edges of the core: those on the last ring have that ring's node, others follow their ends.
    middle = mesh.cells[surface.cells][:, dimension + 1 :]
    new_points = np.concatenate([points, places[~old]])
    core_names = edge_keys(core[:, ends].reshape(-1, 2), total).reshape(middle.shape)
    found = np.minimum(np.searchsorted(names, core_names), len(names) - 1)
    shared = (names[found] == core_names) & np.isin(middle, middles)
    shift = points[core] - mesh.points_um[mesh.cells[surface.cells][:, : dimension + 1]]
    follows = ~shared & ~np.isin(middle, middles)
    new_points[middle[follows]] = (mesh.points_um[middle] + shift[:, ends].mean(axis=2))[follows]
    own = np.where(shared, number[found], middle)
    return new_points, np.column_stack([core, own]), cells
