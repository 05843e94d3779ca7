"""The cells between a particle's surface and the copies of it further inside, ring by ring.

Ring 0 is the surface, ring j lies below j layers. A corner has as many rings as the particle has
layers, or fewer where particles meet or where it must stay; beyond its last ring, copies coincide.
Between two rings stands a prism on each facet. With the nodes of the facet sorted as a < b < c and
dashes on the ring below, it is cut into

    a b b'   a a' b'                 (in 2D)
    a b c c'   a b b' c'   a a' b' c'   (in 3D)

so that every diagonal starts at the lower node of its side above: neighbouring prisms match. A cell
that would have a node and its copy where these coincide is left out; the others then fill the rest.

Nodes of order 2 lie in the middle of the edges, but for those on rings, which follow the curved
edge of the surface; that of a diagonal is the mean of the middles of the two rings' edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heterode.geometry import tags
from heterode.geometry.layer_surface import Surface
from heterode.geometry.simplex import EDGES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Rings:
    """The cells of the layers, as corners and rings.

    Attributes:
        surface: the surface.
        counts: (S,) rings of each corner below the surface.
        first: (S,) node of the first ring of each corner; its others follow.
        corners, rings: (L, d + 1) of the vertices of each cell.
        tags: (L,) tag of each cell.
        facet: (L,) facet above each cell.
        radial: (L, 2) the corner that is in the cell with its copy, and the upper ring of the two.
        nodes: number of nodes of order 1 with the rings.
    """

    surface: Surface
    counts: Ints
    first: Ints
    corners: Ints
    rings: Ints
    tags: npt.NDArray[np.int32]
    facet: Ints
    radial: Ints
    nodes: int

    def node(self, corner: Ints, ring: Ints) -> Ints:
        """Return the node of a ring at a corner."""
        below = self.first[corner] + ring - 1
        return np.where(ring == 0, self.surface.vertex[corner], below)

    @property
    def cells(self) -> Ints:
        """Return the vertices of the cells, (L, d + 1)."""
        return self.node(self.corners, self.rings)

    def core(self) -> Ints:
        """Return the vertices of the particles' old cells, now below the layers, (C, d + 1)."""
        nodes, total = self.surface.nodes, len(self.surface.held)
        corner = np.maximum(nodes - total, 0)
        return np.where(nodes >= total, self.node(corner, self.counts[corner]), nodes)

    def places(self, points: Floats, depths: Floats) -> Floats:
        """Return the nodes of the rings in the order of their numbers.

        Args:
            points: (P, d) nodes of the mesh.
            depths: (S, J + 1) thickness of the layers above each ring at each corner.
        """
        corner = np.repeat(np.arange(len(self.counts)), self.counts)
        ring = np.arange(len(corner)) - np.repeat(self.first - self.first[:1], self.counts) + 1
        way = self.surface.direction[corner] * depths[corner, ring][:, None]
        found: Floats = points[self.surface.vertex[corner]] + way
        return found


def make_rings(surface: Surface, counts: Ints, corner_counts: Ints, nodes: int) -> Rings:
    """Cut the layers into cells.

    Args:
        surface: the surface.
        counts: (N,) layers of each particle.
        corner_counts: (S,) rings of each corner, at most those of its particles.
        nodes: number of nodes of the mesh, after which those of the rings are numbered.
    """
    dimension = surface.facets.shape[1]
    first = nodes + np.concatenate([[0], np.cumsum(corner_counts)])
    order = np.argsort(surface.vertex[surface.facets], axis=1, kind="stable")
    # A permutation of two is odd if it begins with 1, and one of three if it is not a rotation.
    odd = order[:, 0] == 1 if dimension == 2 else (order[:, 1] - order[:, 0]) % 3 == 2
    ordered = np.take_along_axis(surface.facets, order, axis=1)
    layers = counts[surface.particle]
    facet = np.repeat(np.arange(len(layers)), layers)
    ring = np.arange(len(facet)) - np.repeat(np.cumsum(layers) - layers, layers)

    corners: Ints = np.empty((len(facet), dimension, dimension + 1), dtype=np.int64)
    rings: Ints = np.empty_like(corners)
    for k in range(dimension):
        columns = [*range(k + 1), *range(k, dimension)]
        below = [*np.zeros(k + 1, np.int64), *np.ones(dimension - k, np.int64)]
        turned = odd[facet] ^ ((dimension - 1 - k) % 2 == 1) ^ (dimension == 3)
        corners[:, k] = ordered[facet][:, columns]
        rings[:, k] = ring[:, None] + np.array(below)
        for array in (corners, rings):
            array[turned, k] = array[turned, k][
                :, [*range(dimension - 1), dimension, dimension - 1]
            ]
    radial = np.stack([ordered[facet], np.repeat(ring[:, None], dimension, axis=1)], axis=2)
    kept = (corner_counts[ordered[facet]] > ring[:, None]).ravel()
    corners, rings = (a.reshape(-1, dimension + 1)[kept] for a in (corners, rings))
    facet = np.repeat(facet, dimension)[kept]
    return Rings(
        surface=surface,
        counts=corner_counts,
        first=first[:-1],
        corners=corners,
        rings=np.minimum(rings, corner_counts[corners]),
        tags=(tags.PARTICLE_OFFSET + surface.particle[facet]).astype(np.int32),
        facet=facet,
        radial=radial.reshape(-1, 2)[kept],
        nodes=int(first[-1]),
    )


def curved_edges(surface: Surface) -> tuple[Ints, Ints, Ints]:
    """Return the keys of the surface's edges in rising order, their corners and their middle nodes.

    The key of the edge between two corners is `edge_keys` of them.
    """
    dimension = surface.facets.shape[1]
    pairs = np.concatenate([surface.facets[:, pair] for pair in EDGES[dimension - 1]])
    middle = surface.facet_nodes[:, dimension:].T.ravel()
    keys, where = np.unique(edge_keys(pairs, len(surface.vertex)), return_index=True)
    return keys, pairs[where], middle[where]


def edge_keys(pairs: Ints, count: int) -> Ints:
    """Return one number for each unordered pair (E, 2) of numbers below `count`."""
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    keys: Ints = low * count + high
    return keys
