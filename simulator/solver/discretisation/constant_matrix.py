"""Matrices of forms that never change, assembled once and multiplied often."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from dolfinx import fem, la
from scipy import sparse

from heterode.solver.discretisation.compilation import compiled

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int32]


def owned_pattern(matrix: la.MatrixCSR) -> tuple[Ints, Indices]:
    """Return where each owned row starts, (rows + 1,), and the local column of each entry.

    For a matrix of blocks these are its rows, columns and entries of blocks.
    """
    rows = int(matrix.index_map(0).size_local)
    firsts = np.asarray(matrix.indptr)[: rows + 1]
    return firsts, np.asarray(matrix.indices)[: firsts[-1]]


def global_columns(matrix: la.MatrixCSR) -> Ints:
    """Return (entries,) the global column of each entry of the owned rows.

    A matrix has more ghost columns than its space has ghosts, so its own map is used.
    """
    local = owned_pattern(matrix)[1].astype(np.int32)
    return np.asarray(matrix.index_map(1).local_to_global(local), dtype=np.int64)


def assembled(matrix: la.MatrixCSR, form: Any) -> la.MatrixCSR:
    """Assemble a compiled form into an existing matrix. Collective."""
    matrix.set_value(0.0)
    fem.assemble_matrix(matrix, form)
    matrix.scatter_reverse()
    return matrix


class ConstantMatrix:
    """A bilinear form as a matrix. Construction and products are collective.

    Args:
        form: UFL form.
    """

    def __init__(self, form: Any) -> None:
        bilinear = compiled(form)
        self.matrix = assembled(fem.create_matrix(bilinear), bilinear)
        # The owned rows share the matrix's memory; columns are those of `index_map(1)`.
        self._rows: sparse.csr_matrix = self.matrix.to_scipy()
        self._columns = la.vector(self.matrix.index_map(1))
        self._owned_columns = self.matrix.index_map(1).size_local

    def add_lumped(self, form: Any) -> None:
        """Add the sums of the rows of another form's matrix to the diagonal. Collective.

        Args:
            form: UFL form on the same space.
        """
        other = ConstantMatrix(form)
        sums = np.asarray(other._rows.sum(axis=1)).ravel()
        rows, columns = self._rows.indptr, self._rows.indices
        entries = np.flatnonzero(columns == np.repeat(np.arange(sums.size), np.diff(rows)))
        # The rows share memory with the matrix.
        self._rows.data[entries] += sums

    @property
    def data(self) -> Floats:
        """Entries of the owned rows, (entries,)."""
        return np.asarray(self._rows.data)

    def diagonal(self) -> Floats:
        """Diagonal, (owned rows,)."""
        return np.asarray(self._rows.diagonal())

    def times(self, owned: Floats) -> Floats:
        """Return the product (owned rows,) with a vector given by its owned values."""
        self._columns.array[: self._owned_columns] = owned
        self._columns.scatter_forward()
        return np.asarray(self._rows @ self._columns.array)
