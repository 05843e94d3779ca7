"""Small electrodes of which everything is known: a grid of simplices, cut into blocks, then bent.

Every cube of a grid is split along its diagonal (Kuhn): 2 triangles or 6 tetrahedra. Particles are
boxes of cubes; a smooth map bends the grid, so that interfaces are curved, while which cell and
which facet belongs to what is still told by the straight reference coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from heterode.geometry import tags
from heterode.geometry.mesh_data import MeshData, thickness_axis
from heterode.geometry.simplex import EDGES

Floats = npt.NDArray[np.float64]
Map = Callable[[Floats], Floats]
Box = tuple[tuple[float, ...], tuple[float, ...]]

OUTSIDE = 0


def straight(points: Floats) -> Floats:
    """The map that leaves the grid as it is."""
    return points


@dataclass(frozen=True)
class Blocks:
    """An electrode made of boxes, um.

    Attributes:
        lengths: extents of the slab.
        coating: where the separator begins along the thickness.
        particles: (lower, upper) corner of each particle.
    """

    lengths: tuple[float, ...]
    coating: float
    particles: tuple[Box, ...]

    def tag(self, points: Floats) -> npt.NDArray[np.int32]:
        """(P,) tag of the region that reference points lie in, OUTSIDE beyond the slab."""
        axis = thickness_axis(len(self.lengths))
        found = np.where(points[:, axis] < self.coating, tags.CBD, tags.SEPARATOR)
        for number, (lower, upper) in enumerate(self.particles):
            inside = np.all((points > lower) & (points < upper), axis=1)
            found[inside] = tags.PARTICLE_OFFSET + number
        found[np.any((points < 0) | (points > self.lengths), axis=1)] = OUTSIDE
        return found.astype(np.int32)


@dataclass(frozen=True)
class MappedGrid:
    """The mesh, and the way back to its reference coordinates.

    Attributes:
        blocks: what it is made of.
        data: the mesh.
        reference: (P, d) reference coordinates of `data.points_um`.
    """

    blocks: Blocks
    data: MeshData
    reference: Floats

    def facet_sides(self, vertices_um: Floats) -> npt.NDArray[np.int32]:
        """(F, 2) sorted tags on both sides of facets that lie in planes of the reference grid.

        Args:
            vertices_um: (F, d, d) vertices of each facet after the map.
        """
        count, corners, dimension = vertices_um.shape
        distance, nearest = cKDTree(self.data.points_um).query(vertices_um.reshape(-1, dimension))
        assert distance.max(initial=0.0) < 1e-9
        reference = self.reference[nearest].reshape(count, corners, dimension)
        across = np.argmin(np.ptp(reference, axis=1), axis=1)
        assert np.all(np.ptp(reference, axis=1)[np.arange(count), across] < 1e-9)
        nudge = 1e-3 * np.eye(dimension)[across]
        middle = reference.mean(axis=1)
        sides = [self.blocks.tag(middle - nudge), self.blocks.tag(middle + nudge)]
        return np.sort(np.column_stack(sides), axis=1)


def mapped_grid(blocks: Blocks, per_um: int, order: int, bend: Map = straight) -> MappedGrid:
    """Mesh the blocks.

    Args:
        blocks: their corners must lie on the grid.
        per_um: cubes per micrometre.
        order: of the geometry; with 2, edges follow the bend.
        bend: (P, d) reference to actual coordinates; keeps the slab's outer faces in place.
    """
    cells = _kuhn_cells([round(length * per_um) for length in blocks.lengths])
    dimension = len(blocks.lengths)
    # Nodes lie on the grid refined once, where every edge has its middle.
    nodes = [cells[:, a] for a in range(dimension + 1)]
    if order == 2:
        nodes += [(cells[:, a] + cells[:, b]) // 2 for a, b in EDGES[dimension]]
    lattice = np.stack(nodes, axis=1)
    unique, numbers = np.unique(lattice.reshape(-1, dimension), axis=0, return_inverse=True)
    reference = unique / (2 * per_um)
    cell_tags = blocks.tag(cells.mean(axis=1) / (2 * per_um))
    data = MeshData.from_cells(
        bend(reference), numbers.reshape(lattice.shape[:2]).astype(np.int64), cell_tags, order
    )
    return MappedGrid(blocks, data, reference)


def _kuhn_cells(counts: Sequence[int]) -> npt.NDArray[np.int64]:
    """(M, d + 1, d) corners of positively oriented simplices, in halves of the grid's spacing."""
    dimension = len(counts)
    origins = 2 * np.array(list(product(*map(range, counts))), dtype=np.int64)
    cells = []
    for path in permutations(range(dimension)):
        steps = 2 * np.eye(dimension, dtype=np.int64)[list(path)]
        corners = np.vstack([np.zeros(dimension, dtype=np.int64), np.cumsum(steps, axis=0)])
        if np.linalg.det(corners[1:] - corners[0]) < 0:
            corners[[1, 2]] = corners[[2, 1]]
        cells.append(origins[:, None, :] + corners[None, :, :])
    return np.concatenate(cells)
