"""What a run starts from, on every rank: parameters, mesh and particles, checked and drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from mpi4py import MPI

from heterode.base.accounting import Phases
from heterode.base.digests import text_digest
from heterode.base.ranks import from_root, on_root
from heterode.forecast.regimes import MeshSummary
from heterode.geometry.cache import mesh_for
from heterode.geometry.mesh_data import MeshData
from heterode.parameters import Parameters
from heterode.particles.drawn_penalties import penalty_factors
from heterode.particles.table import ParticleTable
from heterode.runs.layering import Layering, layered_mesh
from heterode.solver.discretisation.electrode_mesh import ElectrodeMesh, distribute
from heterode.validity import Before, MeshFacts, before_run, facts_of


@dataclass(frozen=True)
class Setting:
    """What a run starts from.

    Attributes:
        parameters: the validated parameters.
        comm: the communicator.
        mesh: the mesh, distributed over the ranks.
        summary: dimensions of the mesh if it is geometry.mesh_file; otherwise None.
        before: warnings that are known before the first step.
        particles: the particles with their penalty factors.
        layering: the layers under the particles' surfaces.
        phases: seconds of the run's phases so far.
    """

    parameters: Parameters
    comm: MPI.Comm
    mesh: ElectrodeMesh
    summary: MeshSummary | None
    before: Before
    particles: ParticleTable
    layering: Layering
    phases: Phases

    @cached_property
    def hashes(self) -> Mapping[str, str]:
        """Hashes that must be the same for a run to be resumed, in addition to its parameters."""
        penalties = np.ascontiguousarray(self.particles.penalty).tobytes()
        return {
            "mesh": self.mesh.mesh_hash,
            "penalty": text_digest(penalties),
            **self.parameters.protocol.digests,
        }


def set_out(parameters: Parameters, comm: MPI.Comm) -> Setting:
    """Pack, mesh and draw penalties; all ranks take those of rank 0. Collective.

    Raises:
        InputError: the mesh or the penalties cannot be made; raised on every rank.
    """
    phases = Phases()
    with phases.timed("mesh"):
        base = on_root(comm, lambda: mesh_for(parameters))
        facts: MeshFacts = from_root(comm, lambda: facts_of(cast(MeshData, base)))
        made = on_root(comm, lambda: layered_mesh(parameters, cast(MeshData, base)))
        data = None if made is None else made[0]
        layering: Layering = comm.bcast(None if made is None else made[1], root=0)
        mesh = distribute(comm, data, layering.report)
    summary = None if parameters.geometry.mesh_file is None else facts.summary
    before = before_run(parameters, facts, layering.plan)
    table = mesh.particle_table
    factors = from_root(comm, lambda: penalty_factors(parameters, table))
    return Setting(
        parameters,
        comm,
        mesh,
        summary,
        before,
        table.with_penalty(factors),
        layering,
        phases,
    )
