"""A numbering of the unknowns that does not depend on the partition of the mesh.

DOLFINx numbers vertices and degrees of freedom differently for every number of ranks. Data on disk
are therefore ordered by the vertices of the mesh *file*: a degree of freedom at a vertex is
identified by that vertex, one on an edge by the edge's two vertices, and a cell by its place in the
file.

gather   owned values on each rank  ->  one array in that order on rank 0
scatter  the array on rank 0        ->  owned values on each rank
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import basix
import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from heterode.solver.discretisation.compat import CELL_NAMES, cell_nodes
from heterode.solver.discretisation.electrode_mesh import Submesh
from heterode.solver.discretisation.facets import FieldOnSubmesh
from heterode.solver.discretisation.layout import FieldLayout

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Order:
    """Sorts the ranks' data by keys that no partition changes. Construction is collective.

    Args:
        comm: the ranks.
        keys: (owned,) this rank's keys; all keys of all ranks are distinct.
    """

    def __init__(self, comm: MPI.Comm, keys: Ints) -> None:
        self._comm = comm
        self._counts = np.array(comm.allgather(keys.size), dtype=np.int64)
        self.total = int(self._counts.sum())
        everywhere = self._to_root(keys)
        self._sorting = None if everywhere is None else np.argsort(everywhere, kind="stable")
        self.keys = None if everywhere is None else everywhere[self._sorting]

    def gather(self, owned: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        """Return (total, ...) values by increasing key on rank 0, None elsewhere. Collective."""
        everywhere = self._to_root(owned)
        return None if everywhere is None else everywhere[self._sorting]

    def scatter(self, ordered: Floats | None) -> Floats:
        """Return (owned,) this rank's values of an array (total,) on rank 0. Collective."""
        everywhere = None
        if self._sorting is not None:
            everywhere = np.empty(self.total)
            everywhere[self._sorting] = ordered
        owned = np.empty(int(self._counts[self._comm.rank]))
        self._comm.Scatterv([everywhere, self._counts], owned, root=0)
        return owned

    def _to_root(self, owned: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        owned = np.ascontiguousarray(owned)
        everywhere = None
        if self._comm.rank == 0:
            everywhere = np.empty((self.total, *owned.shape[1:]), dtype=owned.dtype)
        width = int(np.prod(owned.shape[1:]))
        self._comm.Gatherv(owned, [everywhere, self._counts * width], root=0)
        return everywhere


def vertex_numbers(submesh: Submesh) -> Ints:
    """Return (local cells, dim + 1) the numbers in the mesh file of each cell's vertices."""
    mesh = submesh.mesh
    corners = cell_nodes(mesh)[:, : mesh.topology.dim + 1]
    return np.asarray(mesh.geometry.input_global_indices, dtype=np.int64)[corners]


def cell_numbers(submesh: Submesh) -> Ints:
    """Return (local cells,) the place of each cell in the mesh file."""
    original = np.asarray(submesh.parent.topology.original_cell_index, dtype=np.int64)
    return original[submesh.parent_cells]


def dof_keys(field: FieldOnSubmesh, vertices: int) -> Ints:
    """Return (owned,) a n + b for degrees of freedom at or between vertices a <= b.

    Args:
        field: scalar Lagrange space of degree 1 or 2.
        vertices: number n above every vertex number of the mesh file.
    """
    return local_dof_keys(field, vertices)[: field.space.dofmap.index_map.size_local]


def local_dof_keys(field: FieldOnSubmesh, vertices: int) -> Ints:
    """Return the keys of `dof_keys` for owned and ghost degrees of freedom."""
    numbers, space = vertex_numbers(field.submesh), field.space
    dofs, layout = np.asarray(space.dofmap.list), space.dofmap.dof_layout
    index_map = space.dofmap.index_map
    keys = np.full(index_map.size_local + index_map.num_ghosts, -1, dtype=np.int64)
    cell = getattr(basix.CellType, CELL_NAMES[field.submesh.mesh.topology.dim])
    for dimension, entities in enumerate(basix.topology(cell)[:2]):
        for index, corners in enumerate(entities):
            ends = np.sort(numbers[:, [corners[0], corners[-1]]], axis=1)
            for place in layout.entity_dofs(dimension, index):
                keys[dofs[:, place]] = ends[:, 0] * vertices + ends[:, 1]
    assert np.all(keys >= 0), "a degree of freedom of a Lagrange element inside a cell or face"
    return keys


class StateOrder:
    """`Order` for the fields of an owned vector. Construction is collective.

    Args:
        layout: positions of the fields in the vector.
        fields: space and submesh of each.
        vertices: a number above every vertex number of the mesh file.
    """

    def __init__(
        self, layout: FieldLayout, fields: Mapping[str, FieldOnSubmesh], vertices: int
    ) -> None:
        self._layout = layout
        self._orders = {
            name: Order(layout.comm, dof_keys(fields[name], vertices)) for name in layout.fields
        }

    def gather(self, vector: Floats) -> Floats | None:
        """Return (total,) a vector, by field in the file's order, on rank 0. Collective."""
        slices = self._layout.slices
        fields = [order.gather(vector[slices[name]]) for name, order in self._orders.items()]
        found = [field for field in fields if field is not None]
        return np.concatenate(found) if found else None

    def scatter(self, ordered: Floats | None) -> Floats:
        """Return the owned vector of an array from `gather`, on any number of ranks. Collective."""
        ends = np.cumsum([order.total for order in self._orders.values()])[:-1]
        fields = [None] * len(self._orders) if ordered is None else np.split(ordered, ends)
        orders = self._orders.values()
        return np.concatenate(
            [order.scatter(field) for order, field in zip(orders, fields, strict=True)]
        )
