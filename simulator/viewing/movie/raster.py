"""Rasterisation of triangles, done once; afterwards a frame costs a weighted sum for each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heterode.results.sample import Floats, Integers

_MOST_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Raster:
    """The M pixels whose centres lie in a triangle.

    Attributes:
        row, column: (M,) place in the picture, with row 0 at the top.
        corner: (M, 3) points of the triangle.
        weight: (M, 3) barycentric coordinates of the pixel's centre.
    """

    row: Integers
    column: Integers
    corner: Integers
    weight: Floats

    def values(self, field: Floats) -> Floats:
        """Return values at the pixels, (M,), from values at the points, (P,)."""
        return np.asarray(np.einsum("mk,mk->m", field[self.corner], self.weight))


def rasterise(points: Floats, cells: Integers, height: int, width: int) -> Raster:
    """Find the pixels of triangles.

    Args:
        points: (P, 2) in pixels from the top left corner of the picture, to the right and down.
        cells: (T, 3) corners.
        height, width: size of the picture; anything outside is left out.

    Returns:
        each pixel once, with the last triangle that contains its centre.
    """
    corners = points[cells]
    # Pixel k covers k to k + 1; its centre lies half-way.
    low = np.ceil(corners.min(axis=1) - 0.5).astype(np.int64)
    high = np.floor(corners.max(axis=1) - 0.5).astype(np.int64)
    low = np.maximum(low, 0)
    high = np.minimum(high, [width - 1, height - 1])
    size = high - low + 1
    kept = np.flatnonzero((size > 0).all(axis=1))
    found: list[tuple[Integers, Integers, Integers, Floats]] = []
    # Triangles of the same size in pixels are processed together, as whole arrays.
    kinds, kind_of = np.unique(size[kept], axis=0, return_inverse=True)
    for kind, (columns, rows) in enumerate(kinds):
        alike = kept[kind_of.ravel() == kind]
        portion = max(1, int(_MOST_AT_ONCE // (columns * rows)))
        for begin in range(0, len(alike), portion):
            chosen = alike[begin : begin + portion]
            found.append(_inside(corners[chosen], low[chosen], int(rows), int(columns), chosen))
    if not found:
        empty = np.empty(0, dtype=np.int64)
        return Raster(empty, empty, np.empty((0, 3), dtype=np.int64), np.empty((0, 3)))
    row, column, cell, weight = (np.concatenate(parts) for parts in zip(*found, strict=True))
    # A centre on a shared edge counts once.
    _, once = np.unique(row * width + column, return_index=True)
    return Raster(row[once], column[once], cells[cell[once]], weight[once])


def _inside(
    corners: Floats, low: Integers, rows: int, columns: int, cell: Integers
) -> tuple[Integers, Integers, Integers, Floats]:
    """Return the pixels of triangles whose boxes all are rows x columns large.

    They are given as row, column, cell and barycentric weights.
    """
    down, across = (a.ravel() for a in np.mgrid[:rows, :columns])
    x = low[:, :1] + across + 0.5
    y = low[:, 1:] + down + 0.5
    (ax, ay), (bx, by), (cx, cy) = (corners[:, k].T[:, :, None] for k in range(3))
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    with np.errstate(divide="ignore", invalid="ignore"):
        second = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
        third = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
        first = 1.0 - second - third
    # Triangles without area divide to NaN or infinity, which lie in no range.
    slack = -1e-9
    chosen, pixel = np.nonzero((first >= slack) & (second >= slack) & (third >= slack))
    weight = np.stack([w[chosen, pixel] for w in (first, second, third)], axis=1)
    row = low[chosen, 1] + down[pixel]
    column = low[chosen, 0] + across[pixel]
    return row, column, cell[chosen], weight
