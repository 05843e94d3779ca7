"""Parts of the particles' domain that share no node, and the particles and nodes of each.

Almost always these are the particles themselves. On meshes of one's own, particles that touch at a
corner share the node there, so that a constant can only be added to their fractions together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from dolfinx import fem
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from heterode.solver.discretisation.electrode_mesh import ElectrodeMesh

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Components:
    """The K connected parts of the particles' domain.

    Attributes:
        count: K, the same on every rank.
        of_particle: (N,) component of each particle, the same on every rank.
        of_node: (nodes,) component of each local node, ghosts included.
    """

    count: int
    of_particle: Ints
    of_node: Ints


def particle_components(mesh: ElectrodeMesh, space: fem.FunctionSpace) -> Components:
    """Find the connected parts of the particles' domain. Collective.

    Args:
        mesh: the electrode's mesh.
        space: space of a field on the particles.
    """
    label = fem.Function(space)
    nodes = np.asarray(space.dofmap.list)
    of_cell = np.repeat(mesh.particle_of_cell, nodes.shape[1])
    label.x.array[nodes.ravel()] = of_cell
    # The owner of a node decides; particles that see it on other ranks are joined to the owner's.
    label.x.scatter_forward()
    particle_of_node = np.rint(label.x.array).astype(np.int64)
    there = particle_of_node[nodes.ravel()]
    shared = np.unique(np.column_stack([of_cell, there])[of_cell != there], axis=0)
    pairs = np.concatenate(mesh.comm.allgather(shared.astype(np.int64)))
    particles = len(mesh.particle_table)
    graph = sparse.coo_matrix((np.ones(len(pairs)), pairs.T), shape=(particles, particles))
    count, of_particle = connected_components(graph, directed=False)
    of_particle = of_particle.astype(np.int64)
    return Components(int(count), of_particle, of_particle[particle_of_node])
