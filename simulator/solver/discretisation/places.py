"""Finds the place of a field's extreme value, which is the same on any number of ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from heterode.geometry import tags
from heterode.solver.discretisation.electrode_mesh import MICROMETRE
from heterode.solver.discretisation.facets import FieldOnSubmesh

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

TIE = 1e-7
"""Difference below which nodes share an extreme; values depend on the number of ranks by less."""


@dataclass(frozen=True)
class Place:
    """A node of the mesh.

    Attributes:
        position_um: its coordinates, micrometres.
        particle: number of its particle; None in the electrolyte.
    """

    position_um: tuple[float, ...]
    particle: int | None


def place_of_extreme(
    comm: MPI.Comm, field: FieldOnSubmesh, values: Floats, nodes: Ints, *, largest: bool
) -> Place:
    """Return the node with the largest or least value; of several, the first by coordinates.
    Collective.

    Args:
        comm: the ranks.
        field: space and submesh of the values.
        values: (local,) values at the degrees of freedom of this rank, ghosts included.
        nodes: the degrees of freedom that count.
        largest: whether to look for the largest value.
    """
    signed = values[nodes] if largest else -values[nodes]
    top = comm.allreduce(float(np.max(signed, initial=-np.inf)), op=MPI.MAX)
    near = nodes[signed >= top - TIE * max(abs(top), 1.0)]
    dimension = field.submesh.mesh.topology.dim
    points = np.asarray(field.space.tabulate_dof_coordinates())[near, :dimension] / MICROMETRE
    mine = None
    if near.size:
        first = int(np.lexsort(points.T[::-1])[0])
        position = tuple(round(float(part), 6) for part in points[first])
        mine = (position, _particle(field, int(near[first])))
    found = min(place for place in comm.allgather(mine) if place is not None)
    position, particle = found
    return Place(position, particle if particle >= 0 else None)


def _particle(field: FieldOnSubmesh, node: int) -> int:
    """Return the particle of a degree of freedom; -1 outside the particles."""
    cells = np.flatnonzero(np.any(np.asarray(field.space.dofmap.list) == node, axis=1))
    return max(int(field.submesh.cell_tags[cells].min()) - tags.PARTICLE_OFFSET, -1)
