"""Labels at the nodes of a grid over a stack of label images.

A node belongs to the nearest particle whose level function, shifted for its volume, holds it. Then
each particle is made one piece by edges of the grid, without two cells that only touch by an edge;
a particle without a node gets the nearest one. Binder that one particle encloses on the grid, but
not in the stack, becomes part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from heterode.geometry.label_lattice import grid_places
from heterode.geometry.label_levels import Levels

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

REPAIRS = 6
"""Most passes that join or part nodes of a particle; after them, nodes are only parted."""


@dataclass(frozen=True, eq=False)
class GridLabels:
    """Labels of a grid's nodes; all arrays have the shape (nx + 1, ny + 1, nz + 1).

    Attributes:
        labels: 0 for binder, or that of a particle or void.
        nearest: the nearest particle or void.
        depth: the level function of that.
    """

    labels: Ints
    nearest: Ints
    depth: Floats

    def settle(self) -> None:
        """Part nodes of a particle that share a face of the grid but no edge."""
        while _without_diagonals(self.labels, self.nearest, self.depth, adding=False):
            _largest_pieces(self.labels)

    def thin(self, cubes: Ints, labels: Ints) -> None:
        """Take the shallowest node of a label in each of some cells of the grid, but not its last.

        Args:
            cubes: (S, 3) lowest corners of the cells.
            labels: (S,).
        """
        present = np.bincount(self.labels.ravel())
        for cube, label in zip(cubes, labels, strict=True):
            part = tuple(slice(c, c + 2) for c in cube)
            mine = self.labels[part] == label
            if present[label] < 2 or not mine.any():
                continue
            depth = np.where(mine, self.depth[part], -np.inf)
            at = np.unravel_index(int(np.argmax(depth)), depth.shape)
            self.labels[part][at] = 0
            present[label] -= 1
        _largest_pieces(self.labels)
        self.settle()


def grid_labels(
    levels: Levels, extent: Floats, number: Ints, low: Floats, centres: Floats, owners: Ints
) -> GridLabels:
    """Return the labels of a grid's nodes.

    Args:
        levels: of the particles 1 .. N, and after them of their voids.
        extent: (3,) extents of the box, um.
        number: (3,) cells of the grid along each axis.
        low: (3,) position of the levels' places in the box, um.
        centres: (N + V, 3) a place inside each of them, um, in the box.
        owners: (V,) label of the particle round each void.
    """
    grid, nearest, depth = _nearest(levels, extent, number, low)
    for _ in range(REPAIRS):
        # Joining need not come to an end.
        if not _without_diagonals(grid, nearest, depth, adding=True):
            break
    _largest_pieces(grid)
    _seed(grid, extent, number, centres)
    _walled(grid, len(centres) - len(owners), owners)
    _enclosed(grid, len(centres) - len(owners))
    found = GridLabels(grid, nearest, depth)
    found.settle()
    return found


def _nearest(
    levels: Levels, extent: Floats, number: Ints, low: Floats
) -> tuple[Ints, Ints, Floats]:
    """Return each node's label, the nearest particle, and the place's level for that."""
    count = number + 1
    step = extent / number
    near: Floats = np.full(tuple(count), np.inf)
    nearest = np.zeros(tuple(count), dtype=np.int64)
    places = grid_places(extent, number).reshape(*count, 3) - low
    for k in range(len(levels.shift)):
        first = levels.origin[k] + low
        last = first + (levels.shape[k] - 1) * levels.spacing
        a = np.maximum(np.ceil(first / step).astype(int), 1)
        b = np.minimum(np.floor(last / step).astype(int), number - 1)
        part = tuple(slice(i, j + 1) for i, j in zip(a, b, strict=True))
        inner = places[part]
        if not inner.size:
            continue
        own, _ = levels.at(np.full(inner.size // 3, k), inner.reshape(-1, 3))
        own = own.reshape(inner.shape[:3])
        closer = own < near[part]
        near[part][closer] = own[closer]
        nearest[part][closer] = k + 1
    shift = np.concatenate([[0.0], levels.shift])[nearest]
    grid = np.where(near < shift, nearest, 0)
    return grid, nearest, near - shift


def _without_diagonals(grid: Ints, nearest: Ints, depth: Floats, adding: bool) -> bool:
    """Part or join the nodes of a particle that share a face of the grid but no edge.

    Of the four nodes round the face, that one changes which is nearest to the outline.
    """
    changed = False
    for axis in range(3):
        corners = [_shifted(axis, a, b) for a, b in ((0, 0), (1, 1), (0, 1), (1, 0))]
        for one, two, three, four in (corners, corners[2:] + corners[:2]):
            p = grid[one]
            bad = (p > 0) & (p == grid[two]) & (grid[three] != p) & (grid[four] != p)
            if not bad.any():
                continue
            changed = True
            label = p[bad]
            costs = [-depth[one][bad], -depth[two][bad]]
            if adding:
                for place in (three, four):
                    free = (grid[place][bad] == 0) & (nearest[place][bad] == label)
                    costs.append(np.where(free, depth[place][bad], np.inf))
            least = np.argmin(costs, axis=0)
            for k, place in enumerate((one, two, three, four)):
                chosen = bad.copy()
                chosen[bad] = least == k
                grid[place][chosen] = 0 if k < 2 else label[least == k]
    return changed


def _shifted(axis: int, a: int, b: int) -> tuple[slice, ...]:
    """Return the part of a grid that begins `a` and `b` nodes later along the other two axes."""
    part = [slice(None)] * 3
    part[(axis + 1) % 3] = slice(a, a - 1 or None)
    part[(axis + 2) % 3] = slice(b, b - 1 or None)
    return tuple(part)


def _largest_pieces(grid: Ints) -> None:
    """Keep the largest piece of each particle."""
    for label, window in enumerate(ndimage.find_objects(grid), start=1):
        if window is None:
            continue
        pieces, count = ndimage.label(grid[window] == label)
        if count > 1:
            sizes = np.bincount(pieces.ravel())
            sizes[0] = 0
            grid[window][(pieces > 0) & (pieces != np.argmax(sizes))] = 0


def _seed(grid: Ints, extent: Floats, number: Ints, centres: Floats) -> None:
    """Give particles without a node the one nearest to their centre."""
    present = np.bincount(grid.ravel(), minlength=len(centres) + 1)
    for k in np.flatnonzero(present[1:] == 0):
        node = np.clip(np.rint(centres[k] / extent * number).astype(int), 1, number - 1)
        old = int(grid[tuple(node)])
        if old == 0 or present[old] > 1:
            grid[tuple(node)] = k + 1
            present[old] -= 1


def _walled(grid: Ints, particles: int, owners: Ints) -> None:
    """Put nodes of its particle where a void would touch binder or another particle."""
    inner = grid > particles
    if not inner.any():
        return
    owner = np.concatenate([np.zeros(particles + 1, dtype=np.int64), owners])[grid]
    open_: npt.NDArray[np.bool_] = np.zeros(grid.shape, dtype=np.bool_)
    for axis in range(3):
        for step in (1, -1):
            beside = np.roll(grid, step, axis)
            open_ |= inner & (beside != grid) & (beside != owner)
    grid[open_] = owner[open_]


def _enclosed(grid: Ints, particles: int) -> None:
    """Fill binder that one particle encloses."""
    pieces, count = ndimage.label(grid == 0)
    if count < 2:
        return
    outside = int(pieces[0, 0, 0])
    for piece, window in enumerate(ndimage.find_objects(pieces), start=1):
        if piece == outside or window is None:
            continue
        wide = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in window)
        mine = pieces[wide] == piece
        around = np.unique(grid[wide][ndimage.binary_dilation(mine) & ~mine])
        solid = around[around <= particles]
        if len(solid) == 1:
            grid[wide][mine] = int(solid[0])
