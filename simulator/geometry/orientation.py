"""Orientation of the cells of a mesh from elsewhere.

Some programs number the corners of a triangle clockwise and others anticlockwise, the corners of a
tetrahedron come in either sense, and mirroring a mesh reverses all of them. A cell whose corners
span a negative area or volume is therefore renumbered the other way round, which does not change
its shape. This cannot repair a cell that is folded over its neighbour: both then see the facet
between them from the same side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heterode.geometry.simplex import EDGES, FACETS, integrate_cells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def oriented(points: Floats, cells: Ints, order: int) -> Ints:
    """Return the cells, renumbered so that none has corners of negative area or volume.

    Args:
        points: (P, d).
        cells: (M, nodes) in gmsh's node order.
        order: 1 or 2.
    """
    dimension = points.shape[1]
    volume, _ = integrate_cells(points, cells[:, : dimension + 1], 1)
    turned = volume < 0.0
    mended = cells.copy()
    mended[turned] = cells[turned][:, _mirrored(dimension, order)]
    return mended


def _mirrored(dimension: int, order: int) -> list[int]:
    """Return the new order of a cell's nodes when its corners 1 and 2 change places."""
    corners = [0, 2, 1, 3][: dimension + 1]
    if order == 1:
        return corners
    sets = [frozenset(edge) for edge in EDGES[dimension]]
    edges = [sets.index(frozenset((corners[a], corners[b]))) for a, b in EDGES[dimension]]
    return [*corners, *(dimension + 1 + edge for edge in edges)]


def folded_facets(cells: Ints, dimension: int) -> int:
    """Count the facets that have both of their oriented cells on the same side.

    Args:
        cells: (M, nodes), each of positive area or volume.
        dimension: number of spatial dimensions, 2 or 3.
    """
    facets = cells[:, FACETS[dimension]].reshape(-1, dimension)
    rank = np.argsort(facets, axis=1)
    # A permutation of two is odd if it begins with 1, and one of three if it is not a rotation.
    odd = rank[:, 0] == 1 if dimension == 2 else (rank[:, 1] - rank[:, 0]) % 3 == 2
    corners = np.take_along_axis(facets, rank, axis=1)
    order = np.lexsort(corners.T[::-1])
    corners, odd = corners[order], odd[order]
    shared = np.all(corners[1:] == corners[:-1], axis=1)
    return int(np.sum(shared & (odd[1:] == odd[:-1])))
