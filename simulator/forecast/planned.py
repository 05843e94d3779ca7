"""The layers that a run will have, planned from its parameters or from the mesh that they name.

Without a mesh file the plan follows from the parameters alone, by the law of the sizes: neither the
packing nor its seed changes it, so `heterode check` and the runs of a sweep find the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heterode.accuracy.electrode import Particles, radii_by_surface
from heterode.accuracy.plan import Plan, plan
from heterode.forecast.estimate.unknowns import core_size, summarise
from heterode.forecast.regimes import (
    active_thickness,
    areal_capacity,
    effective_radius,
    median_penalty,
    penalty_unevenness,
)
from heterode.geometry.layers import core_sizes
from heterode.geometry.mesh_data import MeshData
from heterode.parameters import Parameters

Floats = npt.NDArray[np.float64]

RARE = 0.005
"""Share of the particles that are smaller, and larger, than those that a plan looks at."""


def planned(parameters: Parameters, mesh: MeshData | None = None) -> Plan:
    """Return the plan of a run's layers.

    Args:
        parameters: the parameters of the run.
        mesh: geometry.mesh_file without layers; None if the mesh is made by the parameters.
    """
    return plan(parameters, planned_particles(parameters, mesh))


def planned_particles(parameters: Parameters, mesh: MeshData | None = None) -> Particles:
    """Return the particles that a plan is made for; for the arguments see `planned`."""
    geometry = parameters.geometry
    summary = None if mesh is None else summarise(mesh)
    if mesh is None:
        diameter, share = geometry.size_law.nodes
        radius = radii_by_surface(0.5 * diameter, share * diameter ** (geometry.dimension - 1))
        size = core_size(parameters, radius)
        extremes = _extremes(0.5 * diameter, share)
    else:
        radius, size = _of_mesh(mesh)
        extremes = _extremes(1e-6 * mesh.particles.radius_um, np.ones(len(mesh.particles)))
    capacity = areal_capacity(parameters, summary)
    volume = active_thickness(parameters, summary)
    return Particles(
        dimension=geometry.dimension,
        radius=radius,
        core_size=size,
        surface=geometry.dimension * volume / effective_radius(parameters, summary),
        volume=volume,
        one_C=capacity / 3600.0,
        penalty=median_penalty(parameters, summary),
        unevenness=penalty_unevenness(parameters, summary),
        extremes=extremes,
    )


def _extremes(radius: Floats, share: Floats) -> tuple[float, float]:
    """Return the radii between which nearly all particles are, by their number."""
    order = np.argsort(radius)
    below = np.cumsum(share[order]) / np.sum(share)
    first, last = np.searchsorted(below, (RARE, 1.0 - RARE))
    return float(radius[order][first]), float(radius[order][min(last, len(radius) - 1)])


def _of_mesh(mesh: MeshData) -> tuple[Floats, Floats]:
    """Return radii of a mesh's particles, m, and the typical size of elements in such particles."""
    radii, sizes = 1e-6 * mesh.particles.radius_um, core_sizes(mesh)
    chosen = radii_by_surface(radii, mesh.particles.surface_um2)
    order = np.argsort(radii)
    # A median over neighbours by size: pieces at walls are meshed finer for their volume.
    near = max(1, len(radii) // 10)
    found = []
    for radius in chosen:
        place = int(np.searchsorted(radii[order], radius))
        found.append(np.median(sizes[order[max(0, place - near) : place + near + 1]]))
    return chosen, np.array(found)
