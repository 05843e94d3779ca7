"""Bodies of active material: particles, or groups of particles that share nodes.

Lithium diffuses from one particle to another only where they share nodes, as in meshes of other
programs whose particles have grown together. Every such group is one body.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from scipy import sparse
from scipy.sparse import csgraph

from heterode.solver.discretisation.electrode_mesh import ElectrodeMesh
from heterode.solver.discretisation.facets import FieldOnSubmesh

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Bodies:
    """The body of each degree of freedom of a field on the particles. Construction is collective.

    Args:
        mesh: the electrode's mesh.
        field: space and submesh of the field.

    Attributes:
        of_particle: (N,) body of each particle, from 0.
        of_dof: (local and ghost,) body of each degree of freedom.
    """

    def __init__(self, mesh: ElectrodeMesh, field: FieldOnSubmesh) -> None:
        dofs = np.asarray(field.space.dofmap.list)
        index_map = field.space.dofmap.index_map
        size = index_map.size_local + index_map.num_ghosts
        particles = np.repeat(mesh.particle_of_cell, dofs.shape[1])
        count = len(mesh.particle_table)
        first, last = np.full(size, count, dtype=np.int64), np.full(size, -1, dtype=np.int64)
        np.minimum.at(first, dofs.ravel(), particles)
        np.maximum.at(last, dofs.ravel(), particles)
        shared = np.unique(np.column_stack([first, last])[(first < last) & (last >= 0)], axis=0)
        pairs = np.concatenate(mesh.comm.allgather(shared))
        links = sparse.coo_matrix((np.ones(len(pairs)), pairs.T), shape=(count, count))
        _, body = csgraph.connected_components(links, directed=False)
        self.of_particle: Ints = body.astype(np.int64)
        self.of_dof: Ints = self.of_particle[np.minimum(first, count - 1)]
        self._comm, self._count = mesh.comm, int(body.max(initial=-1)) + 1

    def greatest(self, values: Floats, dofs: npt.NDArray[np.integer] | None = None) -> Floats:
        """Return (N,) the greatest value in each particle's body, -inf if it has none. Collective.

        Args:
            values: (k, ) values.
            dofs: (k,) their degrees of freedom; None for the first k.
        """
        bodies = self.of_dof[: len(values)] if dofs is None else self.of_dof[dofs]
        mine, found = np.full(self._count, -np.inf), np.empty(self._count)
        np.maximum.at(mine, bodies, values)
        self._comm.Allreduce(mine, found, op=MPI.MAX)
        return found[self.of_particle]
