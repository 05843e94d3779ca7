"""Improves the worst tetrahedra by moving single nodes.

In a narrow gap all four nodes of a cell lie on two particles, so smoothing the interior has no
effect there. Here nodes on a sphere slide along it, nodes inside a domain move freely, and nodes on
planes and cuts stay in place. A move is kept if it improves the worst cell round the node. Sliding
a few nodes by fractions of an edge changes a particle's volume by up to a per cent, which raising
all its nodes a little corrects.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heterode.geometry import tags
from heterode.geometry.simplex import integrate_cells, tetrahedron_sicn

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Tags = npt.NDArray[np.int32]

FIXED, FREE = -1, -2
"""Kinds of nodes; the kind of a node on a sphere is the number of the particle."""

TRIALS = 48
SWEEPS = 12
RESTORING = 8
LONGEST_MOVE = 0.35
"""Longest move of a node, in units of the shortest edge at that node."""


def polish(points: Floats, cells: Ints, cell_tags: Tags, centres: Floats, wanted: float) -> Floats:
    """Move the nodes of cells with a SICN below `wanted`, and return all nodes (P, 3).

    Args:
        points: (P, 3) nodes.
        cells: (M, 4) point numbers, all of positive volume.
        cell_tags: (M,) tags of the cells.
        centres: (N, 3) centres of the particles' spheres.
        wanted: the SICN to reach.
    """
    points = points.copy()
    kinds = _node_kinds(points, cells, cell_tags)
    random = np.random.default_rng(0)
    for _ in range(SWEEPS):
        quality = tetrahedron_sicn(points[cells])
        bad = np.flatnonzero(quality < wanted)
        nodes = np.unique(cells[bad])
        nodes = nodes[kinds[nodes] != FIXED]
        if not nodes.size:
            break
        worst = np.full(len(points), np.inf)
        np.minimum.at(worst, cells[bad].ravel(), np.repeat(quality[bad], 4))
        moved = False
        stars = _stars(cells, nodes)
        for rank in np.argsort(worst[nodes], kind="stable"):
            node = int(nodes[rank])
            moved |= _improve(points, cells[stars[rank]], node, int(kinds[node]), centres, random)
        if not moved:
            break
    return points


def restore_volumes(
    points: Floats, cells: Ints, cell_tags: Tags, centres: Floats, volumes: Floats
) -> Floats:
    """Raise or lower nodes above their spheres until each particle has its volume.

    Args:
        points, cells, cell_tags, centres: as in `polish`.
        volumes: (N,) wanted volumes.
    """
    points = points.copy()
    kinds = _node_kinds(points, cells, cell_tags)
    on_sphere = np.flatnonzero(kinds >= 0)
    particle = kinds[on_sphere]
    solid = cells[cell_tags >= tags.PARTICLE_OFFSET]
    owner = cell_tags[cell_tags >= tags.PARTICLE_OFFSET] - tags.PARTICLE_OFFSET
    # The relative height is a third of the relative error on a whole sphere, and more on pieces,
    # whose cuts stay in place.
    gain: Floats = np.full(len(volumes), 1.0 / 3.0)
    before: Floats = np.zeros(len(volumes))
    for _ in range(RESTORING):
        volume, _ = integrate_cells(points, solid, 1)
        error = 1.0 - np.bincount(owner, volume, len(volumes)) / volumes
        if np.abs(error).max() < 1e-9:
            break
        known = np.abs(before) > 1e-8
        gain[known] *= np.clip(before[known] / (before - error)[known], 0.5, 3.0)
        outward = points[on_sphere] - centres[particle]
        points[on_sphere] += (gain * error)[particle][:, None] * outward
        before = error
    return points


def _stars(cells: Ints, nodes: Ints) -> list[Ints]:
    """Return the cells round each of the nodes, which are sorted."""
    is_node = np.zeros(int(cells.max()) + 1, dtype=bool)
    is_node[nodes] = True
    found, corner = np.nonzero(is_node[cells])
    owner = cells[found, corner]
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], nodes)
    return list(np.split(found[order], starts[1:]))


def _improve(
    points: Floats, star: Ints, node: int, kind: int, centres: Floats, random: np.random.Generator
) -> bool:
    """Move one node to the best of some trial places if that improves on its present place."""
    corners = points[star]
    at = star == node
    place = points[node]
    edges = np.linalg.norm(corners - place, axis=2)
    length = LONGEST_MOVE * float(edges[~at].min())
    trials = place + length * random.random((TRIALS, 1)) * _directions(random)
    if kind >= 0:
        outward = trials - centres[kind]
        radius = np.linalg.norm(place - centres[kind])
        trials = centres[kind] + radius * outward / np.linalg.norm(outward, axis=1)[:, None]
    before = float(tetrahedron_sicn(corners).min())
    moved = np.where(at[None, :, :, None], trials[:, None, None, :], corners[None])
    after = tetrahedron_sicn(moved.reshape(-1, 4, 3)).reshape(TRIALS, -1).min(axis=1)
    best = int(np.argmax(after))
    if after[best] <= before + 1e-4:
        return False
    points[node] = trials[best]
    return True


def _directions(random: np.random.Generator) -> Floats:
    vectors = random.standard_normal((TRIALS, 3))
    unit: Floats = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    return unit


def _node_kinds(points: Floats, cells: Ints, cell_tags: Tags) -> Ints:
    """Return FREE inside a domain, a particle's number on its sphere, FIXED on planes and cuts."""
    low = np.full(len(points), np.iinfo(np.int64).max)
    high = np.zeros(len(points), dtype=np.int64)
    owner = np.repeat(cell_tags.astype(np.int64), 4)
    np.minimum.at(low, cells.ravel(), owner)
    np.maximum.at(high, cells.ravel(), owner)
    kinds = np.full(len(points), FIXED, dtype=np.int64)
    kinds[low == high] = FREE
    sphere = (low == tags.CBD) & (high >= tags.PARTICLE_OFFSET)
    kinds[sphere] = high[sphere] - tags.PARTICLE_OFFSET
    kinds[(low == tags.CBD) & (high == tags.SEPARATOR)] = FIXED
    extent = points.max(axis=0)
    on_box = (np.abs(points) < 1e-9) | (np.abs(points - extent) < 1e-9)
    kinds[on_box.any(axis=1)] = FIXED
    return kinds
