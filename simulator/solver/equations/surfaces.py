"""The surface terms of a cell: which current flows through which facets, into which balances."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from heterode.materials import arrhenius, lithium_metal_exchange_current
from heterode.parameters import Parameters
from heterode.physics import kinetics
from heterode.physics.exchange import exchange_law
from heterode.solver.discretisation.electrode_mesh import ElectrodeMesh, FacetSet
from heterode.solver.discretisation.facets import FacetTrace, facet_trace
from heterode.solver.discretisation.layout import FIELDS
from heterode.solver.discretisation.spaces import Spaces
from heterode.solver.equations.system import SurfaceTerm

Floats = npt.NDArray[np.float64]

IDEAL_CONTACT = 1e-10
"""Contact resistance of the ideal reference phi_l = 0, ohm m^2: 1 nV at 10 A m^-2."""


def surface_traces(mesh: ElectrodeMesh, spaces: Spaces) -> dict[str, FacetTrace]:
    """Traces of the fields on interface, lithium metal and collector."""

    def trace(facets: FacetSet, names: tuple[str, ...], opposite: frozenset[str]) -> FacetTrace:
        return facet_trace(
            mesh,
            facets,
            {name: spaces.by_field[name] for name in names},
            opposite,
            degree=spaces.degree,
            quadrature_degree=spaces.quadrature_degree,
        )

    return {
        "interface": trace(mesh.interface, FIELDS, frozenset(FIELDS) - {"s"}),
        "lithium": trace(mesh.lithium, ("y", "phi_l"), frozenset()),
        "collector": trace(mesh.collector, ("phi_s",), frozenset()),
    }


def surface_terms(
    parameters: Parameters,
    traces: Mapping[str, FacetTrace],
    curve: kinetics.PotentialCurve,
    penalty: Floats,
    t_ref: float,
    comm: MPI.Comm,
) -> dict[str, SurfaceTerm]:
    """The currents through the three surfaces, and that of the double layer. Collective.

    Args:
        parameters: of the cell.
        traces: from `surface_traces`.
        curve: open-circuit potential of the active material.
        penalty: factor at each quadrature point of the interface.
        t_ref: transference number taken out of the salt equation's volume.
        comm: the ranks.
    """
    salt = 1 - t_ref
    interface = {"s": 1.0, "y": -salt, "phi_l": -1.0, "phi_s": 1.0}
    insertion = _insertion(parameters, curve, penalty)
    metal = _lithium_metal(parameters)
    collector = _collector(parameters, traces["collector"], comm)
    terms = {
        "interface": SurfaceTerm(traces["interface"], insertion, interface),
        "lithium": SurfaceTerm(traces["lithium"], metal, {"y": salt, "phi_l": 1.0}),
        "collector": SurfaceTerm(traces["collector"], collector, {"phi_s": 1.0}),
    }
    capacitance = parameters.active_material.double_layer_capacitance
    if capacitance > 0.0:
        charging = {name: factor for name, factor in interface.items() if name != "s"}
        layer = kinetics.DoubleLayer(capacitance)
        terms["double_layer"] = SurfaceTerm(traces["interface"], layer, charging, of_rates=True)
    return terms


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
