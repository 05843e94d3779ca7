"""The only module that depends on the version of DOLFINx (0.9 to 0.11).

The rest of the solver only uses what these versions have in common.
"""

from __future__ import annotations

import os
from typing import Any

import basix.ufl
import dolfinx
import numpy as np
import numpy.typing as npt
from dolfinx import mesh as dmesh
from mpi4py import MPI

# The library that partitions the mesh reads these variables when it is first called; without them
# every run would have another partition, and the last digits would differ.
os.environ.setdefault("SCOTCH_DETERMINISTIC", "1")
os.environ.setdefault("SCOTCH_PTHREAD_NUMBER", "1")

CELL_NAMES = {2: "triangle", 3: "tetrahedron"}


def create_curved_mesh(
    comm: MPI.Comm,
    points: npt.NDArray[np.float64],
    cells: npt.NDArray[np.int64],
    dimension: int,
    order: int,
) -> dmesh.Mesh:
    """Distribute a simplex mesh held by rank 0.

    Args:
        points: (P, dimension) node coordinates; (0, dimension) on other ranks than 0.
        cells: (M, nodes) cells in gmsh's node order; (0, nodes) on other ranks than 0.
        dimension: 2 or 3.
        order: geometry order, 1 or 2.

    Returns:
        A mesh whose ranks share the cells on both sides of every facet they own.
    """
    cell_type = getattr(dmesh.CellType, CELL_NAMES[dimension])
    permutation = dolfinx.cpp.io.perm_gmsh(cell_type, cells.shape[1])
    element = basix.ufl.element("Lagrange", CELL_NAMES[dimension], order, shape=(dimension,))
    # Keywords are used because 0.10 swapped the positions of x and e.
    return dmesh.create_mesh(
        comm=comm,
        cells=np.ascontiguousarray(cells[:, permutation]),
        x=points,
        e=element,
        partitioner=_facet_sharing_partitioner(),
    )


def _facet_sharing_partitioner() -> Any:
    mode = dmesh.GhostMode.shared_facet
    try:
        return dmesh.create_cell_partitioner(mode)
    except TypeError:  # 0.11 also requires the largest number of cells at a facet
        return dmesh.create_cell_partitioner(mode, 2)


def create_submesh(
    parent: dmesh.Mesh, cells: npt.NDArray[np.int32]
) -> tuple[dmesh.Mesh, npt.NDArray[np.int32]]:
    """Extract cells (owned and ghost) as a separate mesh.

    Returns:
        The submesh, and for each of its local cells the parent's local cell.
    """
    submesh, entity_map = dmesh.create_submesh(parent, parent.topology.dim, cells)[:2]
    if hasattr(entity_map, "sub_topology_to_topology"):
        topology_map = submesh.topology.index_map(parent.topology.dim)
        own = np.arange(topology_map.size_local + topology_map.num_ghosts, dtype=np.int32)
        entity_map = entity_map.sub_topology_to_topology(own, inverse=False)
    return submesh, np.asarray(entity_map, dtype=np.int32)


def cell_nodes(mesh: dmesh.Mesh) -> npt.NDArray[np.int32]:
    """Return (local cells, nodes) rows of `mesh.geometry.x`: vertices first, then edges."""
    try:
        nodes = mesh.geometry.dofmaps[0]
    except (AttributeError, TypeError):  # before 0.11, where `dofmap` is deprecated
        nodes = mesh.geometry.dofmap
    return np.asarray(nodes, dtype=np.int32)
