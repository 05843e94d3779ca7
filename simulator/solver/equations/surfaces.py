"""The surface terms of a cell, which are the currents through its facets.

The table of balances gives the balances that each current enters, and the factors.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from heterode.physics.active_material import ActivePhase
from heterode.physics.balances import Site, Surface, Table
from heterode.solver.discretisation.electrode_mesh import ElectrodeMesh
from heterode.solver.discretisation.facets import FacetTrace, facet_trace
from heterode.solver.discretisation.spaces import Spaces
from heterode.solver.equations.system import SurfaceTerm

Floats = npt.NDArray[np.float64]


def surface_traces(mesh: ElectrodeMesh, spaces: Spaces, table: Table) -> dict[str, FacetTrace]:
    """Return the traces of the fields that meet at each surface, by its facets."""

    def trace(surface: Surface) -> FacetTrace:
        seen_from, *opposite = (table.on(domain) for domain in surface.sides)
        here, there = (
            [row.field for row in rows] for rows in (seen_from, itertools.chain(*opposite))
        )
        return facet_trace(
            mesh,
            mesh.facets(surface),
            {name: spaces.by_field[name] for name in (*here, *there)},
            frozenset(there),
            degree=spaces.degree,
            quadrature_degree=spaces.quadrature_degree,
        )

    # Surfaces with the same facets share a trace.
    by_facets = {surface.facets: surface for surface in table.surfaces}
    return {facets: trace(surface) for facets, surface in by_facets.items()}


def surface_terms(
    table: Table,
    material: ActivePhase,
    traces: Mapping[str, FacetTrace],
    penalty: Floats,
    t_ref: float,
    comm: MPI.Comm,
) -> dict[str, SurfaceTerm]:
    """Return the currents through the surfaces of a table, by their names. Collective.

    Args:
        table: the balances.
        material: active material of the particles.
        traces: the traces from `surface_traces`.
        penalty: factor at each quadrature point of the interface.
        t_ref: transference number that the salt's volume term subtracts.
        comm: the ranks.
    """
    terms = {}
    for surface in table.surfaces:
        trace = traces[surface.facets]
        area = float(comm.allreduce(float(trace.weights.sum())))
        law = surface.law(Site(material, penalty, area))
        if law is not None:
            factors = ((row.field, row.factors(t_ref)) for row in table.rows)
            factor_of = {field: by[surface] for field, by in factors if surface in by}
            terms[surface.name] = SurfaceTerm(surface, trace, law, factor_of)
    return terms
