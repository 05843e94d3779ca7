"""Remeshing of a dense closed surface in even triangles of a given size.

The nodes are the centres of clusters of the dense surface's vertices, and three clusters that meet
in a dense triangle make a triangle of the new surface. The clusters start from points far from
each other, which then move to the centroids of the vertices nearest to them. This makes the
clusters even and the triangles nearly equilateral.

Source: Valette and Chassery, Computer Graphics Forum 23, 381 (2004).
"""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_NODES = 40
SMOOTHINGS = 12


def even_triangles(points: Floats, triangles: Ints, size: float) -> tuple[Floats, Ints] | None:
    """Remesh a closed surface with edges of about the given length.

    Args:
        points: (n, 3) vertices of a closed surface, several for each new node.
        triangles: (m, 3) corners, anticlockwise when seen from outside.
        size: edge length wanted.

    Returns:
        nodes (k, 3) and triangles (l, 3); None where clusters of this size cannot follow the
        surface: its holes, or two sides nearer than a node to the next.
    """
    weight, normals = _vertex_areas(points, triangles)
    count = max(LEAST_NODES, ceil(float(weight.sum()) / (sqrt(0.75) * size**2)) + 2)
    if 3 * count > len(points):
        return None
    seeds = points[_far_apart(points, count)]
    cluster = np.zeros(0, dtype=np.int64)
    for _ in range(SMOOTHINGS):
        cluster = cKDTree(seeds).query(points)[1]
        mass = np.bincount(cluster, weight, count)
        if mass.min() <= 0.0:
            return None
        seeds = np.column_stack(
            [np.bincount(cluster, weight * points[:, k], count) / mass for k in range(3)]
        )
    corners = cluster[triangles]
    new = _unique(corners)
    if not _same_shape(new, count, len(points) - len(triangles) // 2):
        return None
    # A centroid lies inside a curved surface, so it is moved back onto it along the normal.
    near = cKDTree(points).query(seeds)[1]
    height = np.einsum("ij,ij->i", points[near] - seeds, normals[near])
    return seeds + height[:, None] * normals[near], new


def enclosed_volume(points: Floats, triangles: Ints) -> float:
    """Return the volume that triangles enclose; positive if anticlockwise seen from outside."""
    origin = points.mean(axis=0)
    a, b, c = (points[triangles[:, k]] - origin for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


def vertex_normals(points: Floats, triangles: Ints) -> Floats:
    """Return (n, 3) outward unit normals: means over the triangles, weighted by their areas."""
    return _vertex_areas(points, triangles)[1]


def _vertex_areas(points: Floats, triangles: Ints) -> tuple[Floats, Floats]:
    """Return a third of the area of the triangles round each point (n,), and its normal (n, 3)."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    cross = np.cross(b - a, c - a)
    area = 0.5 * np.linalg.norm(cross, axis=1)
    corners = triangles.ravel()
    weight: Floats = np.bincount(corners, np.repeat(area / 3.0, 3), len(points)).astype(np.float64)
    normals: Floats = np.column_stack(
        [np.bincount(corners, np.repeat(cross[:, k], 3), len(points)) for k in range(3)]
    )
    return weight, normals / np.maximum(np.linalg.norm(normals, axis=1), 1e-300)[:, None]


def _far_apart(points: Floats, count: int) -> Ints:
    """Return the numbers of `count` points, each the farthest from those chosen before it."""
    chosen = np.empty(count, dtype=np.int64)
    chosen[0] = int(np.argmax(points[:, 0]))
    nearest = np.full(len(points), np.inf)
    for k in range(1, count):
        step = points - points[chosen[k - 1]]
        np.minimum(nearest, np.einsum("ij,ij->i", step, step), out=nearest)
        chosen[k] = int(np.argmax(nearest))
    return chosen


def _unique(corners: Ints) -> Ints:
    """Return each triangle of three different clusters once, with its sense of rotation kept."""
    a, b, c = corners.T
    three = corners[(a != b) & (b != c) & (c != a)]
    first = np.argmin(three, axis=1)
    turned = np.stack([three[np.arange(len(three)), (first + k) % 3] for k in range(3)], axis=1)
    return np.asarray(np.unique(turned, axis=0), dtype=np.int64)


def _same_shape(triangles: Ints, count: int, euler: int) -> bool:
    """Check that all edges have two sides, all nodes are used, and the holes are the same."""
    if len(triangles) == 0 or count - len(triangles) // 2 != euler:
        return False
    if np.unique(triangles).size != count:
        return False
    edges = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    forward = np.unique(edges, axis=0)
    if len(forward) != len(edges):
        return False
    return np.array_equal(forward, np.unique(edges[:, ::-1], axis=0))
