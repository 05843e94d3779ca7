"""The cut of a plane through tetrahedra: triangles, and where their corners lie on the edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]


@dataclass(frozen=True)
class PlaneCut:
    """Q corners and T triangles.

    Attributes:
        ends: (Q, 2) points of the mesh between which each corner lies.
        weight: (Q,) of the second of them.
        triangles: (T, 3) corners; a quadrangle counts as two.
        cell: (T,) the tetrahedron each triangle lies in.
    """

    ends: Integers
    weight: Floats
    triangles: Integers
    cell: Integers

    def values(self, field: Floats) -> Floats:
        """(Q, ...) values at the corners from (P, ...) values at the mesh's points, linearly."""
        first, second = field[self.ends[:, 0]], field[self.ends[:, 1]]
        weight = self.weight.reshape(-1, *(1,) * (field.ndim - 1))
        return np.asarray(first + weight * (second - first))


def cut_tetrahedra(cells: Integers, height: Floats) -> PlaneCut:
    """Cut tetrahedra where a height changes its sign.

    Args:
        cells: (M, 4) points of each tetrahedron.
        height: (P,) distance of the mesh's points above the plane.
    """
    # A point in the plane would make triangles of no area: it counts as just above.
    corners, cell = _cut_cells(cells, height >= 0.0)
    ends, corner = np.unique(np.sort(corners.reshape(-1, 2), axis=1), axis=0, return_inverse=True)
    first, second = ends.T
    weight = height[first] / (height[first] - height[second])
    return PlaneCut(ends, weight, corner.reshape(-1, 3), cell)


def _cut_cells(cells: Integers, above: NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """Triangles (T, 3, 2), each corner as the ends of the cut edge, and their cells (T,)."""
    sides = above[cells]
    number = sides.sum(axis=1)
    triangles, owners = [], []
    # One corner alone on its side: the cut is a triangle over its three edges.
    for alone, count in ((True, 1), (False, 3)):
        chosen = np.flatnonzero(number == count)
        tip = np.argmax(sides[chosen] == alone, axis=1)
        others = np.array([[k for k in range(4) if k != t] for t in range(4)])[tip]
        ends = np.stack([np.repeat(tip[:, None], 3, axis=1), others], axis=2)
        triangles.append(cells[chosen[:, None, None], ends])
        owners.append(chosen)
    # Two and two: a quadrangle, a-c a-d b-d b-c round its border, as two triangles.
    chosen = np.flatnonzero(number == 2)
    order = np.argsort(sides[chosen], axis=1, kind="stable")
    a, b, c, d = order.T
    ring = np.stack([np.stack(p, axis=1) for p in ((a, c), (a, d), (b, d), (b, c))], axis=1)
    for corners in ([0, 1, 2], [0, 2, 3]):
        triangles.append(cells[chosen[:, None, None], ring[:, corners]])
        owners.append(chosen)
    return np.concatenate(triangles), np.concatenate(owners)
