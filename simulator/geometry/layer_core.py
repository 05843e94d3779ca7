"""The move of a particle's inside when its surface moves: a harmonic displacement.

    div grad u = 0,   u = given at the corners of the surface,   u_k = 0 where coordinate k is held

in linear elements on the particles' old cells. A ball whose surface moves by T shrinks evenly, so
that its cells keep their shapes.
"""

from __future__ import annotations

from math import factorial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from heterode.geometry.layer_surface import Surface

if TYPE_CHECKING:
    from scipy.sparse import coo_array

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RESIDUAL = 1e-8
"""Relative residual of the displacement; it decides on no more than the shape of inner cells."""


class Inside:
    """The particles' inside, which follows its surface.

    Args:
        points: (P, d) nodes of the mesh.
        surface: its surface.
    """

    def __init__(self, points: Floats, surface: Surface) -> None:
        self._total, dimension = points.shape
        self._present, flat = np.unique(surface.nodes, return_inverse=True)
        local = flat.reshape(surface.nodes.shape)
        vertex = np.concatenate([np.arange(self._total), surface.vertex])[self._present]
        self._matrix = _stiffness(points[vertex], local)
        self._corner = self._present >= self._total
        self._surface = surface
        held = surface.held[vertex]
        held[self._corner] = True
        self._free = [np.flatnonzero(~held[:, axis]) for axis in range(dimension)]
        self._found = np.zeros((len(vertex), dimension))

    def displacement(self, depth: Floats) -> Floats:
        """Return (P, d) moves of the inner nodes for the depth (S,) of the corners' last rings."""
        given = self._surface.direction * depth[:, None]
        self._found[self._corner] = given[self._present[self._corner] - self._total]
        for axis, free in enumerate(self._free):
            self._found[free, axis] = self._solve(axis, free)
        moves = np.zeros((self._total, self._found.shape[1]))
        inner = ~self._corner
        moves[self._present[inner]] = self._found[inner]
        return moves

    def _solve(self, axis: int, free: Ints) -> Floats:
        values = self._found[:, axis].copy()
        start = values[free]
        values[free] = 0.0
        load = -(self._matrix @ values)[free]
        if not free.size or not load.any():
            return np.zeros(len(free))
        # Imported only here, since `heterode check` plans layers and makes none.
        from scipy.sparse import diags_array
        from scipy.sparse.linalg import cg

        matrix = self._matrix[free][:, free]
        scale = 1.0 / np.sqrt(matrix.diagonal())
        scaled = diags_array(scale) @ matrix @ diags_array(scale)
        found, _ = cg(scaled, scale * load, x0=start / scale, rtol=RESIDUAL, maxiter=2000)
        solution: Floats = scale * found
        return solution


def _stiffness(points: Floats, cells: Ints) -> coo_array:
    """Return the matrix of linear elements for div grad, (n, n) in rows of CSR."""
    from scipy.sparse import coo_array

    dimension = points.shape[1]
    edges = points[cells[:, 1:]] - points[cells[:, :1]]
    slopes = np.linalg.inv(edges).transpose(0, 2, 1)
    slopes = np.concatenate([-slopes.sum(axis=1, keepdims=True), slopes], axis=1)
    volume = np.abs(np.linalg.det(edges)) / factorial(dimension)
    entries = volume[:, None, None] * (slopes @ slopes.transpose(0, 2, 1))
    rows = np.repeat(cells, dimension + 1, axis=1)
    columns = np.tile(cells, (1, dimension + 1))
    place = (rows.ravel(), columns.ravel())
    return coo_array((entries.ravel(), place), (len(points),) * 2).tocsr()
