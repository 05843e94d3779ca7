"""The plane in which a grid is drawn: the mesh itself in 2D, a cut through the tetrahedra in 3D."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.results.sample import FieldGrid, Floats, Integers


@dataclass(frozen=True)
class Section:
    """Triangles in a plane, and how values at the grid's points become values at theirs.

    Attributes:
        grid: 2D; first coordinate along the thickness. Cell data are those of the cells cut.
        ends: (Q, 2) points of the original grid between which each point lies.
        weight: (Q,) of the second of them.
        across_um: position of the plane along y; None where the grid is planar itself.
    """

    grid: FieldGrid
    ends: Integers
    weight: Floats
    across_um: float | None

    def values(self, field: Floats) -> Floats:
        """(Q,) values at the section's points from (P,) values at the grid's."""
        first, second = field[self.ends].T
        return np.asarray(first + self.weight * (second - first))


def mid_section(grid: FieldGrid, across_um: float | None = None) -> Section:
    """Cut a grid in the plane y = across_um (in the middle by default), drawn over z and x.

    Args:
        grid: 2D (returned whole) or 3D.
        across_um: position of the plane, um.
    """
    if grid.dimension == 2:
        points = np.arange(len(grid.points_um))
        return Section(grid, np.column_stack([points, points]), np.zeros(len(points)), None)
    y = grid.points_um[:, 1]
    place = 0.5 * float(y.min() + y.max()) if across_um is None else across_um
    height = y - place
    # A point in the plane would make triangles of no area: it counts as just above.
    above = height >= 0.0
    triangles, cell_of = _cut_cells(grid.cells, above)
    pairs, corner = np.unique(
        np.sort(triangles.reshape(-1, 2), axis=1), axis=0, return_inverse=True
    )
    first, second = pairs.T
    weight = height[first] / (height[first] - height[second])
    points = grid.points_um[first] + weight[:, None] * (
        grid.points_um[second] - grid.points_um[first]
    )
    data: dict[str, NDArray[np.generic]] = {
        name: values[cell_of] for name, values in grid.cell_data.items()
    }
    cut = FieldGrid(grid.name, points[:, [2, 0]], corner.reshape(-1, 3), data)
    return Section(cut, pairs, weight, place)


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
