"""Straight (order 1) and curved (order 2) simplices in gmsh's node order: bases, rules, integrals.

Node order of a cell: its vertices, then one node per edge in the order of EDGES. The interval is
(v0, v1, e01), the triangle (v0, v1, v2, e01, e12, e20), the tetrahedron as in gmsh's manual.
"""

from __future__ import annotations

from functools import cache
from math import factorial, sqrt

import numpy as np
import numpy.typing as npt
from scipy.special import roots_jacobi

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

EDGES: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((0, 1),),
    2: ((0, 1), (1, 2), (2, 0)),
    3: ((0, 1), (1, 2), (2, 0), (0, 3), (2, 3), (1, 3)),
}
"""Vertex pairs of the edges of a simplex, by dimension, in gmsh's order."""

FACETS: dict[int, tuple[tuple[int, ...], ...]] = {
    2: ((0, 1), (1, 2), (2, 0)),
    3: ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)),
}
"""Vertices of the facets of a simplex, by dimension, seen from outside anticlockwise."""


def node_count(dimension: int, order: int) -> int:
    """Return the number of nodes of a simplex: vertices, and edge nodes for order 2."""
    return dimension + 1 + (len(EDGES[dimension]) if order == 2 else 0)


@cache
def facet_nodes(dimension: int, order: int) -> Ints:
    """Return the local nodes (facets, nodes) of each facet of a cell, in the facet's gmsh order."""
    rows = []
    for vertices in FACETS[dimension]:
        row = list(vertices)
        if order == 2:
            sets = [frozenset(edge) for edge in EDGES[dimension]]
            for a, b in EDGES[dimension - 1]:
                row.append(dimension + 1 + sets.index(frozenset((vertices[a], vertices[b]))))
        rows.append(row)
    return np.array(rows, dtype=np.int64)


def basis_gradients(dimension: int, order: int, points: Floats) -> Floats:
    """Return gradients (Q, nodes, d) of the Lagrange basis at reference points (Q, d)."""
    barycentric = np.column_stack([1.0 - points.sum(axis=1), points])
    slopes = np.vstack([-np.ones(dimension), np.eye(dimension)])
    if order == 1:
        return np.broadcast_to(slopes, (len(points), *slopes.shape)).copy()
    corner = (4.0 * barycentric - 1.0)[:, :, None] * slopes
    edge = [
        4.0 * (barycentric[:, a, None] * slopes[b] + barycentric[:, b, None] * slopes[a])
        for a, b in EDGES[dimension]
    ]
    return np.concatenate([corner, np.stack(edge, axis=1)], axis=1)


def basis_values(dimension: int, order: int, points: Floats) -> Floats:
    """Return values (Q, nodes) of the Lagrange basis at reference points (Q, d)."""
    barycentric = np.column_stack([1.0 - points.sum(axis=1), points])
    if order == 1:
        return barycentric
    corner = barycentric * (2.0 * barycentric - 1.0)
    edge = [4.0 * barycentric[:, a] * barycentric[:, b] for a, b in EDGES[dimension]]
    return np.column_stack([corner, *edge])


@cache
def quadrature(dimension: int, points_per_axis: int = 4) -> tuple[Floats, Floats]:
    """Return the collapsed Gauss-Jacobi rule on the reference simplex, exact to degree 2 n - 1.

    Returns:
        points (Q, dimension) and weights (Q,) that sum to 1 / dimension!.

    Source: Karniadakis and Sherwin, Spectral/hp Element Methods, section 4.1.
    """
    points = np.zeros((1, 0))
    weights = np.ones(1)
    for axis in range(dimension):
        # Each further axis is collapsed by (1 - t)^axis, a factor in the Jacobi weight.
        nodes, mass = roots_jacobi(points_per_axis, axis, 0)
        t, w = 0.5 * (1.0 + nodes), mass / 2.0 ** (axis + 1)
        shrunk = points[None, :, :] * (1.0 - t)[:, None, None]
        column = np.broadcast_to(t[:, None, None], (t.size, len(points), 1))
        points = np.concatenate([shrunk, column], axis=2).reshape(-1, axis + 1)
        weights = (w[:, None] * weights[None, :]).ravel()
    assert abs(weights.sum() * factorial(dimension) - 1.0) < 1e-12
    return points, weights


def integrate_cells(points: Floats, cells: Ints, order: int) -> tuple[Floats, Floats]:
    """Integrate 1 and the position over each cell.

    Args:
        points: (P, n) nodes; n may exceed the dimension of the cells (facets of a mesh).
        cells: (M, nodes) of dimension d <= n.
        order: 1 or 2.

    Returns:
        volume (M,), which is the area or length in lower dimensions and signed when d = n, and the
        first moment (M, n), the integral of the position.
    """
    dimension = _dimension(cells, order)
    space = points.shape[1]
    if order == 1:
        return _integrate_straight(points, cells)
    rule, weights = quadrature(dimension)
    values = basis_values(dimension, order, rule)
    gradients = basis_gradients(dimension, order, rule)
    volume = np.zeros(len(cells))
    moment = np.zeros((len(cells), space))
    corners = points[cells]
    for weight, value, gradient in zip(weights, values, gradients, strict=True):
        jacobian = gradient.T @ corners
        if dimension == space:
            scale = np.linalg.det(jacobian)
        else:
            scale = np.sqrt(np.linalg.det(jacobian @ jacobian.transpose(0, 2, 1)))
        volume += weight * scale
        moment += weight * scale[:, None] * (value @ corners)
    return volume, moment


def _integrate_straight(points: Floats, cells: Ints) -> tuple[Floats, Floats]:
    """Do the same as `integrate_cells` in closed form, since the Jacobian is constant."""
    dimension, space = cells.shape[1] - 1, points.shape[1]
    first = points[cells[:, 0]]
    edges = [points[cells[:, k]] - first for k in range(1, dimension + 1)]
    if dimension == space == 3:
        scale = np.einsum("ij,ij->i", np.cross(edges[0], edges[1]), edges[2])
    elif dimension == space:
        scale = np.linalg.det(np.stack(edges, axis=1))
    elif dimension == 2:
        scale = np.linalg.norm(np.cross(edges[0], edges[1]), axis=1)
    else:
        scale = np.linalg.norm(edges[0], axis=1)
    volume = scale / factorial(dimension)
    moment = volume[:, None] * (first + sum(edges) / (dimension + 1.0))
    return volume, moment


def sicn(corners: Floats) -> Floats:
    """Return signed inverse condition numbers (M,) of simplices (M, d + 1, d), 1 if equilateral."""
    return triangle_sicn(corners) if corners.shape[2] == 2 else tetrahedron_sicn(corners)


def triangle_sicn(corners: Floats) -> Floats:
    """Return signed inverse condition numbers 4 sqrt(3) A / sum l^2 (M,) of triangles (M, 3, 2)."""
    edges = np.roll(corners, -1, axis=1) - corners
    double = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    found: Floats = 2.0 * sqrt(3.0) * double / (edges**2).sum(axis=(1, 2))
    return found


def tetrahedron_sicn(corners: Floats) -> Floats:
    """Return signed inverse condition numbers (M,) of tetrahedra (M, 4, 3), 1 if equilateral.

    It is 3 / (|A| |A^-1|) in Frobenius norms, where A maps the equilateral tetrahedron to the cell.
    Source: Freitag and Knupp, Int. J. Numer. Meth. Engng. 53, 1377 (2002).
    """
    edges = corners[:, 1:] - corners[:, :1]
    a = edges[:, 0]
    b = (2.0 * edges[:, 1] - a) / sqrt(3.0)
    c = (3.0 * edges[:, 2] - edges[:, 0] - edges[:, 1]) / sqrt(6.0)
    faces = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
    determinant = np.einsum("ij,ij->i", a, faces[:, 0])
    squares = (a * a + b * b + c * c).sum(axis=1) * (faces * faces).sum(axis=(1, 2))
    sicn: Floats = 3.0 * determinant / np.sqrt(np.maximum(squares, 1e-300))
    return sicn


def jacobian_range(points: Floats, cells: Ints, order: int) -> tuple[Floats, Floats]:
    """Return the least and the greatest Jacobian determinant of each cell, (M,) each.

    In 2D these are the extremes of the Bezier coefficients, bounds that hold in the whole cell
    (Johnen, Remacle and Geuzaine, J. Comput. Phys. 233, 359, 2013); in 3D they are the extremes
    over the nodes.
    """
    dimension = _dimension(cells, order)
    corner = np.vstack([np.zeros(dimension), np.eye(dimension)])
    lattice = [*corner]
    if order == 2:
        lattice += [0.5 * (corner[a] + corner[b]) for a, b in EDGES[dimension]]
    gradients = basis_gradients(dimension, order, np.array(lattice))
    nodes = points[cells]
    determinant = np.stack([np.linalg.det(gradient.T @ nodes) for gradient in gradients], axis=1)
    if order == 2 and dimension == 2:
        for row, (a, b) in enumerate(EDGES[2]):
            ends = determinant[:, a] + determinant[:, b]
            determinant[:, 3 + row] = 2.0 * determinant[:, 3 + row] - 0.5 * ends
    return determinant.min(axis=1), determinant.max(axis=1)


def _dimension(cells: Ints, order: int) -> int:
    for dimension in (1, 2, 3):
        if node_count(dimension, order) == cells.shape[1]:
            return dimension
    raise ValueError(f"cells with {cells.shape[1]} nodes are not simplices of order {order}")
