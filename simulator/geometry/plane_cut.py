"""The cut of a plane through tetrahedra, as triangles whose corners lie on the cells' edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]


@dataclass(frozen=True)
class PlaneCut:
    """The Q corners and T triangles of a cut.

    Attributes:
        ends: (Q, 2) numbers of the two mesh points between which each corner lies.
        weight: (Q,) weight of the second of these points.
        triangles: (T, 3) corners; a quadrangle makes two triangles.
        cell: (T,) number of the tetrahedron in which each triangle lies.
    """

    ends: Integers
    weight: Floats
    triangles: Integers
    cell: Integers

    def values(self, field: Floats) -> Floats:
        """Interpolate (P, ...) values at the mesh's points linearly to (Q, ...) at the corners."""
        first, second = field[self.ends[:, 0]], field[self.ends[:, 1]]
        weight = self.weight.reshape(-1, *(1,) * (field.ndim - 1))
        return np.asarray(first + weight * (second - first))


def cut_tetrahedra(cells: Integers, height: Floats) -> PlaneCut:
    """Cut tetrahedra where a height changes its sign.

    Args:
        cells: (M, 4) point numbers of each tetrahedron.
        height: (P,) distance of the mesh's points above the plane.
    """
    # A point in the plane would make triangles of no area, so it counts as just above it.
    corners, cell = _cut_cells(cells, height >= 0.0)
    ends, corner = np.unique(np.sort(corners.reshape(-1, 2), axis=1), axis=0, return_inverse=True)
    first, second = ends.T
    weight = height[first] / (height[first] - height[second])
    return PlaneCut(ends, weight, corner.reshape(-1, 3), cell)


def _cut_cells(cells: Integers, above: NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """Return triangles (T, 3, 2), with a corner as the ends of its cut edge, and cells (T,)."""
    sides = above[cells]
    number = sides.sum(axis=1)
    triangles, owners = [], []
    # If one corner is alone on its side, the cut is a triangle on its three edges.
    for alone, count in ((True, 1), (False, 3)):
        chosen = np.flatnonzero(number == count)
        tip = np.argmax(sides[chosen] == alone, axis=1)
        others = np.array([[k for k in range(4) if k != t] for t in range(4)])[tip]
        ends = np.stack([np.repeat(tip[:, None], 3, axis=1), others], axis=2)
        triangles.append(cells[chosen[:, None, None], ends])
        owners.append(chosen)
    # With two on either side it is the quadrangle a-c a-d b-d b-c, split into two triangles.
    chosen = np.flatnonzero(number == 2)
    order = np.argsort(sides[chosen], axis=1, kind="stable")
    a, b, c, d = order.T
    ring = np.stack([np.stack(p, axis=1) for p in ((a, c), (a, d), (b, d), (b, c))], axis=1)
    for corners in ([0, 1, 2], [0, 2, 3]):
        triangles.append(cells[chosen[:, None, None], ring[:, corners]])
        owners.append(chosen)
    return np.concatenate(triangles), np.concatenate(owners)
