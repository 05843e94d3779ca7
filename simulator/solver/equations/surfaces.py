"""The surface terms of a cell: which current flows through which facets.

Which balances it enters, and with which factors, the table of balances says.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from heterode.materials import arrhenius, lithium_metal_exchange_current
from heterode.parameters import Parameters
from heterode.physics import kinetics
from heterode.physics.balances import (
    COLLECTOR,
    DOUBLE_LAYER,
    INTERFACE,
    LITHIUM,
    Surface,
    Table,
)
from heterode.physics.exchange import exchange_law
from heterode.solver.discretisation.electrode_mesh import ElectrodeMesh
from heterode.solver.discretisation.facets import FacetTrace, facet_trace
from heterode.solver.discretisation.spaces import Spaces
from heterode.solver.equations.system import SurfaceTerm

Floats = npt.NDArray[np.float64]

IDEAL_CONTACT = 1e-10
"""Contact resistance of the ideal reference phi_l = 0, ohm m^2: 1 nV at 10 A m^-2."""


def surface_traces(mesh: ElectrodeMesh, spaces: Spaces, table: Table) -> dict[str, FacetTrace]:
    """Traces of the fields that meet at each surface, by its facets."""

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

    # Surfaces of the same facets share a trace.
    by_facets = {surface.facets: surface for surface in table.surfaces}
    return {facets: trace(surface) for facets, surface in by_facets.items()}


def surface_terms(
    table: Table,
    parameters: Parameters,
    traces: Mapping[str, FacetTrace],
    curve: kinetics.PotentialCurve,
    penalty: Floats,
    t_ref: float,
    comm: MPI.Comm,
) -> dict[str, SurfaceTerm]:
    """The currents through the surfaces of a table, by their names. Collective.

    Args:
        table: the balances.
        parameters: of the cell.
        traces: from `surface_traces`.
        curve: open-circuit potential of the active material.
        penalty: factor at each quadrature point of the interface.
        t_ref: transference number taken out of the salt equation's volume.
        comm: the ranks.
    """
    factors = {row.field: row.factors(t_ref) for row in table.rows}
    laws: dict[Surface, kinetics.SurfaceCurrent] = {
        INTERFACE: _insertion(parameters, curve, penalty),
        LITHIUM: _lithium_metal(parameters),
        COLLECTOR: _collector(parameters, traces[COLLECTOR.facets], comm),
    }
    capacitance = parameters.active_material.double_layer_capacitance
    if capacitance > 0.0:
        laws[DOUBLE_LAYER] = kinetics.DoubleLayer(capacitance)
    return {
        surface.name: SurfaceTerm(
            surface,
            traces[surface.facets],
            laws[surface],
            {name: by[surface] for name, by in factors.items() if surface in by},
        )
        for surface in table.surfaces
        if surface in laws
    }


def _insertion(
    p: Parameters, curve: kinetics.PotentialCurve, penalty: Floats
) -> kinetics.ButlerVolmer:
    material = p.active_material
    return kinetics.ButlerVolmer(
        curve=curve,
        exchange=exchange_law(
            material,
            salt_concentration=p.electrolyte.initial_concentration,
            temperature=p.temperature,
        ),
        anodic=material.anodic_transfer,
        cathodic=material.cathodic_transfer,
        temperature=p.temperature,
        penalty=penalty,
    )


def _lithium_metal(p: Parameters) -> kinetics.SurfaceCurrent:
    metal = p.lithium_metal
    if metal.kinetics == "ideal":
        return kinetics.Contact("phi_l", IDEAL_CONTACT)
    scale = lithium_metal_exchange_current(
        np.float64(p.electrolyte.initial_concentration),
        rate_constant=metal.rate_constant
        * arrhenius(metal.rate_constant_activation_energy, p.temperature),
        lithium_concentration=metal.lithium_concentration,
        anodic_transfer=metal.anodic_transfer,
    )
    return kinetics.LithiumMetal(float(scale), metal.anodic_transfer, metal.symmetry, p.temperature)


def _collector(p: Parameters, trace: FacetTrace, comm: MPI.Comm) -> kinetics.SurfaceCurrent:
    if p.collector.connection == "uniform_flux":
        return kinetics.UniformCollector(float(comm.allreduce(float(trace.weights.sum()))))
    return kinetics.Contact("phi_s", p.collector.contact_resistance)
