"""Orientation of the cells of a mesh from elsewhere: the order of a cell's nodes says no more.

Programs number the corners of a triangle clockwise as well as anticlockwise, and those of a
tetrahedron in either sense, and mirroring a mesh turns all of them. A cell whose corners span a
negative area or volume is therefore numbered the other way round, which leaves the cell as it is.
What that cannot mend is a cell that lies folded over its neighbour: there both see the facet
between them from the same side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heterode.geometry.simplex import EDGES, FACETS, integrate_cells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def oriented(points: Floats, cells: Ints, order: int) -> Ints:
    """The cells, numbered so that none has corners of negative area or volume.

    Args:
        points: (P, d).
        cells: (M, nodes) in gmsh's node order.
        order: 1 or 2.
    """
    dimension = points.shape[1]
    measure, _ = integrate_cells(points, cells[:, : dimension + 1], 1)
    turned = measure < 0.0
    mended = cells.copy()
    mended[turned] = cells[turned][:, _mirrored(dimension, order)]
    return mended


def _mirrored(dimension: int, order: int) -> list[int]:
    """Which node stands where once the corners 1 and 2 of a cell have changed places."""
    corners = [0, 2, 1, 3][: dimension + 1]
    if order == 1:
        return corners
    sets = [frozenset(edge) for edge in EDGES[dimension]]
    edges = [sets.index(frozenset((corners[a], corners[b]))) for a, b in EDGES[dimension]]
    return [*corners, *(dimension + 1 + edge for edge in edges)]


def folded_facets(cells: Ints, dimension: int) -> int:
    """How many facets between two oriented cells have both of them on the same side.

    Args:
        cells: (M, nodes), each of positive area or volume.
        dimension: 2 or 3.
    """
    facets = cells[:, FACETS[dimension]].reshape(-1, dimension)
    rank = np.argsort(facets, axis=1)
    # A permutation of two is odd where it begins with 1; of three, if it is no rotation.
    odd = rank[:, 0] == 1 if dimension == 2 else (rank[:, 1] - rank[:, 0]) % 3 == 2
    corners = np.take_along_axis(facets, rank, axis=1)
    order = np.lexsort(corners.T[::-1])
    corners, odd = corners[order], odd[order]
    shared = np.all(corners[1:] == corners[:-1], axis=1)
    return int(np.sum(shared & (odd[1:] == odd[:-1])))
