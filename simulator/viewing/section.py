"""The plane in which a grid is drawn: the mesh itself in 2D, a cut through the tetrahedra in 3D."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heterode.geometry.plane_cut import cut_tetrahedra
from heterode.results.sample import FieldGrid, Floats, Integers


@dataclass(frozen=True)
class Section:
    """Triangles in a plane, and the interpolation from the grid's points to theirs.

    Attributes:
        grid: a 2D grid with the thickness as first coordinate; cell data are those of the cells
            cut.
        ends: (Q, 2) points of the original grid between which each point lies.
        weight: (Q,) weight of the second of them.
        across_um: position of the plane along y, um; None if the grid itself is planar.
    """

    grid: FieldGrid
    ends: Integers
    weight: Floats
    across_um: float | None

    def values(self, field: Floats) -> Floats:
        """Return values at the section's points, (Q,), from values at the grid's points, (P,)."""
        first, second = field[self.ends].T
        return np.asarray(first + self.weight * (second - first))


def mid_section(grid: FieldGrid, across_um: float | None = None) -> Section:
    """Cut a grid in the plane y = across_um (in the middle by default), drawn over z and x.

    Args:
        grid: a 2D grid, which is returned whole, or a 3D grid.
        across_um: position of the plane, um.
    """
    if grid.dimension == 2:
        points = np.arange(len(grid.points_um))
        return Section(grid, np.column_stack([points, points]), np.zeros(len(points)), None)
    y = grid.points_um[:, 1]
    place = 0.5 * float(y.min() + y.max()) if across_um is None else across_um
    cut = cut_tetrahedra(grid.cells, y - place)
    data: dict[str, NDArray[np.generic]] = {
        name: values[cut.cell] for name, values in grid.cell_data.items()
    }
    planar = FieldGrid(grid.name, cut.values(grid.points_um)[:, [2, 0]], cut.triangles, data)
    return Section(planar, cut.ends, cut.weight, place)
