"""Tetrahedra that follow the labels at the nodes of a grid, and fail on none of them.

The nodes of the mesh are those of a grid and one in each of its cells. Round an edge of the grid
lie four cells. If both its ends have the same label, it makes four tetrahedra with the nodes of
these cells in turn. If not, the four nodes of the cells make two triangles between the ends, each
of which makes a tetrahedron with either end. All grid nodes of a tetrahedron have the same label,
so that it belongs to one part. Every interface consists of nodes of cells, which can be moved onto
the outline: no tetrahedron has all its corners there. On a perfect grid the mesh is a body-centred
cubic lattice. At the planes of the box the cells beyond have their nodes on the plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RING = ((0, 0), (1, 0), (1, 1), (0, 1))
"""Cells round an edge of the grid, anticlockwise when seen against its direction."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """Tetrahedra in a box.

    Attributes:
        points: (P, 3), um.
        cells: (M, 4), of positive volume.
        labels: (M,) label of each cell.
        fixed: (P,) whether a node lies on a plane of the box.
        cube: (P, 3) lowest corner, on the grid, of the cell in which a node was put; -1 for others.
    """

    points: Floats
    cells: Ints
    labels: Ints
    fixed: npt.NDArray[np.bool_]
    cube: Ints


def grid_places(extent: Floats, number: Ints) -> Floats:
    """Return (n, 3) the nodes of a grid with a number of cells along each axis."""
    axes = [np.linspace(0.0, e, n + 1) for e, n in zip(extent, number, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def lattice_of(grid: Ints, extent: Floats) -> Lattice:
    """Make tetrahedra round the edges of a grid.

    Args:
        grid: (nx + 1, ny + 1, nz + 1) labels of its nodes; 0 on the planes of the box.
        extent: (3,) extents of the box, um.
    """
    number = np.array(grid.shape) - 1
    nodes = grid_places(extent, number)
    flat = grid.ravel()
    beyond = number + 2
    centres = _cell_centres(extent, number)
    ghost = _ghosts(beyond)
    index = np.arange(flat.size).reshape(grid.shape)
    edges, rings = [], []
    for axis in range(3):
        along, second, third = axis, (axis + 1) % 3, (axis + 2) % 3
        lower = np.take(index, range(number[axis]), axis).ravel()
        upper = np.take(index, range(1, number[axis] + 1), axis).ravel()
        place = np.array(np.unravel_index(lower, grid.shape))
        cell = place.copy()
        cell[along] += 1
        ring = []
        for b, c in RING:
            at = cell.copy()
            at[second] += b
            at[third] += c
            ring.append(np.ravel_multi_index(tuple(at), tuple(beyond)))
        edges.append(np.column_stack([lower, upper]))
        rings.append(np.column_stack(ring))
    edge, ring = np.concatenate(edges), np.concatenate(rings)
    mixed = flat[edge[:, 0]] != flat[edge[:, 1]]
    cells, labels = _tetrahedra(edge, ring, mixed, flat, ghost)
    points = np.concatenate([nodes, centres])
    fixed = np.concatenate([_on_planes(nodes, extent), ghost])
    used, renumbered = np.unique(cells, return_inverse=True)
    cubes = np.stack(np.unravel_index(np.arange(len(centres)), tuple(beyond)), axis=-1) - 1
    cube = np.concatenate([np.full((len(nodes), 3), -1), cubes]).astype(np.int64)
    return Lattice(
        points[used],
        renumbered.reshape(cells.shape).astype(np.int64),
        labels,
        fixed[used],
        cube[used],
    )


def _cell_centres(extent: Floats, number: Ints) -> Floats:
    axes = []
    for e, n in zip(extent, number, strict=True):
        inner = (np.arange(n) + 0.5) * e / n
        axes.append(np.concatenate([[0.0], inner, [e]]))
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _ghosts(beyond: Ints) -> npt.NDArray[np.bool_]:
    ghost = np.ones(tuple(beyond), dtype=np.bool_)
    ghost[1:-1, 1:-1, 1:-1] = False
    return ghost.ravel()


def _on_planes(points: Floats, extent: Floats) -> npt.NDArray[np.bool_]:
    away = np.minimum(points, extent - points).min(axis=1)
    return np.asarray(away < 1e-9 * float(extent.max()), dtype=np.bool_)


def _tetrahedra(
    edge: Ints,
    ring: Ints,
    mixed: npt.NDArray[np.bool_],
    flat: Ints,
    ghost: npt.NDArray[np.bool_],
) -> tuple[Ints, Ints]:
    shift = len(flat)
    cells, labels = [], []
    low, high = edge[~mixed].T
    for k in range(4):
        a, b = ring[~mixed, k], ring[~mixed, (k + 1) % 4]
        keep = ~(ghost[a] & ghost[b])
        cells.append(np.column_stack([low, high, a + shift, b + shift])[keep])
        labels.append(flat[low[keep]])
    low, high = edge[mixed].T
    quad = ring[mixed]
    # Which diagonal parts the four does not matter on a perfect grid; neighbours take turns.
    quad = np.where((low % 2 == 0)[:, None], quad, np.roll(quad, -1, axis=1)) + shift
    for corners in ((0, 1, 2), (0, 2, 3)):
        a, b, c = (quad[:, k] for k in corners)
        cells += [np.column_stack([low, a, b, c]), np.column_stack([high, a, c, b])]
        labels += [flat[low], flat[high]]
    return np.concatenate(cells), np.concatenate(labels).astype(np.int64)
