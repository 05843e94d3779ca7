r"""The number of unknowns of a run, estimated before packing and meshing, or exact for a mesh.

With degree 1, every field in the table of balances has an unknown on each vertex of its domain:
particles; carbon binder and separator; carbon binder, and the particles if they conduct.

The number of vertices follows from the edge length h on particle surfaces. With n nodes on a
particle of radius r, h = 2 pi r / n in 2D and 4 pi r^2 = (sqrt(3)/2) n h^2 in 3D. n is the greater
of the numbers that geometry.mesh.surface_size_factor requires (a) and that gaps and the mesher need
(b), with a smooth transition: n = (a^p + b^p)^(1/p), p = 3.5. With N nodes on surfaces, the numbers
of vertices are

    2D  particles  n^2 / 10.9 + n / 2 + 13 each         (10.9 = 2 pi sqrt(3))
        binder     0.85 A / (sqrt(3)/2 h^2) + N / 2     A: area beside the particles
        separator  A / (sqrt(3)/2 h_near h_far)
    3D  particles  N + 0.49 V/h^3 - 0.29 N + 1.29 A/h^2   A: where side walls cut particles
        binder     N + 0.31 V/h^3 - 0.13 N + 0.72 A/h^2   A: of the planes round the coating
        separator  A times the integral of 1 / (0.73 h^3), h growing by 0.3 per length

The factors are fitted to 55 meshes of 12 to 1000 particles with surface_size_factor from 0.15 to 1,
active fractions from 0.24 to 0.6, both kinds of walls, and sizes limited by maximum_size. The
numbers are right within 4 % for all presets, and within 12 % for all 55 meshes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.forecast.regimes import MeshSummary, expected_particles, expected_width
from heterode.geometry import tags
from heterode.geometry.layers import layer_counts
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.simplex import EDGES
from heterode.parameters import Parameters
from heterode.parameters.layering import Layers
from heterode.physics.balances import CELL
from heterode.physics.weak_form import Domain

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TRIANGLE = math.sqrt(3.0) / 2.0
"""Ratio of the area per vertex to h^2 for equilateral triangles."""

BLEND = 3.5

NEAR_2D, NEAR_3D = 1.4e-6, 1.5e-6
"""Edge length where coating and separator meet, m."""

SECOND_DEGREE = {2: 4.0, 3: 6.3}
"""Ratio of unknowns of degree 2 (on vertices and edges) to those of degree 1, by dimension."""


CORE = {2: 0.83, 3: 1.02}
"""Ratio of the radial size of elements inside particles to the edge on their surface, by dimension:
the median over the particles of presets, which the formula meets within 5 %."""

MOST_UNKNOWNS = 200_000_000
"""Largest number of unknowns: making its mesh takes hours and tens of GB, and a solve a TB."""


@dataclass(frozen=True)
class Vertices:
    """Numbers of vertices in the parts of the cell.

    Attributes:
        particles, binder: vertices in each, including those on the particles' surfaces.
        separator: vertices beyond those of the binder.
        surfaces: vertices on the particles' surfaces, which are in both of the first two.
    """

    particles: float
    binder: float
    separator: float
    surfaces: float

    def unknowns(self, *, particles_conduct: bool) -> float:
        """Return the number of unknowns of all fields."""
        inside = self.particles - self.surfaces if particles_conduct else 0.0
        vertices: dict[Domain, float] = {
            "particles": self.particles,
            "electrolyte": self.binder + self.separator,
            "carbon": self.binder + inside,
        }
        return sum(len(CELL.on(domain)) * count for domain, count in vertices.items())


def expected_unknowns(parameters: Parameters, layers: Layers | None = None) -> int:
    """Estimate the unknowns of the mesh that the parameters describe, within 25 %.

    Args:
        parameters: the parameters of the run.
        layers: layers under the particles' surfaces, if there are any.
    """
    dimension = parameters.geometry.dimension
    vertices = _planar(parameters) if dimension == 2 else _spatial(parameters)
    if layers is not None:
        inside = vertices.particles + _in_layers(parameters, layers)
        vertices = replace(vertices, particles=inside)
    degree = SECOND_DEGREE[dimension] if parameters.solver.degree == 2 else 1.0
    conduct = parameters.active_material.electronic_conduction_in_particles
    return round(degree * vertices.unknowns(particles_conduct=conduct))


def refuse_endless(parameters: Parameters) -> None:
    """Refuse to make a mesh that would take too long; a mesh from a file exists already.

    Raises:
        InputError: the mesh would have more than MOST_UNKNOWNS.
    """
    if parameters.geometry.mesh_file is not None:
        return
    expected = expected_unknowns(parameters)
    if expected > MOST_UNKNOWNS:
        raise InputError(
            f"{parameters.source_file}: about {expected:.2g} unknowns, by particles and sizes of"
            f" geometry and geometry.mesh (allowed: up to {MOST_UNKNOWNS:.0e}). Raise"
            " geometry.mesh.surface_size_factor, maximum_size, separator_size or minimum_size, or"
            " lower geometry.particles"
        )


def count_unknowns(mesh: MeshData, degree: int, *, particles_conduct: bool = False) -> int:
    """Return the exact number of unknowns on a mesh.

    Args:
        mesh: a mesh of either dimension and order.
        degree: degree of the fields, 1 or 2.
        particles_conduct: whether electrons flow through particles too.
    """
    corners = mesh.cells[:, : mesh.dimension + 1]
    binder, separator = mesh.cell_tags == tags.CBD, mesh.cell_tags == tags.SEPARATOR
    particles = ~(binder | separator)
    # Each particle has its own cells, and particles share no vertex.
    domains: dict[Domain, npt.NDArray[np.bool_]] = {
        "particles": particles,
        "electrolyte": binder | separator,
        "carbon": binder | particles if particles_conduct else binder,
    }
    return sum(
        len(CELL.on(domain)) * _places(corners[cells], mesh.dimension, degree)
        for domain, cells in domains.items()
    )


def summarise(mesh: MeshData) -> MeshSummary:
    """Return the dimensions of a mesh for the regime numbers."""
    cathode = 1e-6 * mesh.coating_thickness_um * math.prod(1e-6 * w for w in mesh.width_um)
    # In 2D the table's volumes and surfaces are for 1 um of depth.
    depth = 1e-6 if mesh.dimension == 2 else 1.0
    volume, surface = mesh.particles.volume_um3.sum(), mesh.particles.surface_um2.sum()
    return MeshSummary(
        particles=len(mesh.particles),
        active_fraction=float(1e-18 * volume) / (cathode * depth),
        specific_surface=float(1e-12 * surface) / (cathode * depth),
        coating_thickness=1e-6 * mesh.coating_thickness_um,
        separator_thickness=1e-6 * mesh.separator_thickness_um,
    )


def _places(corners: Ints, dimension: int, degree: int) -> int:
    """Count the vertices of cells, and with degree 2 their edges as well."""
    count = len(np.unique(corners))
    if degree == 2:
        pairs = np.sort(corners[:, np.array(EDGES[dimension])].reshape(-1, 2), axis=1)
        count += len(np.unique(pairs[:, 0] * (int(corners.max()) + 1) + pairs[:, 1]))
    return count


def _in_layers(parameters: Parameters, layers: Layers) -> float:
    """Return the number of vertices that layers add: in each, one for each on the surface."""
    diameter, share = parameters.geometry.size_law.nodes
    radius = 0.5 * diameter
    counts = layer_counts(radius, core_size(parameters, radius), layers)
    nodes = surface_nodes(parameters, radius)
    return expected_particles(parameters) * float(np.sum(share * nodes * counts))


def core_size(parameters: Parameters, radius: Floats) -> Floats:
    """Return the radial size of mesh elements in particles of some radii, m."""
    size: Floats = CORE[parameters.geometry.dimension] * surface_edge(parameters, radius)
    return size


def surface_nodes(parameters: Parameters, radius: Floats) -> Floats:
    """Return the number of mesh nodes on the surface of particles of some radii, m."""
    geometry, mesh = parameters.geometry, parameters.geometry.mesh
    edge = _edge_wanted(parameters, radius)
    if geometry.dimension == 3:
        return _blend(4.0 * math.pi * radius**2 / (TRIANGLE * edge**2), 42.0)
    # Curved cells need a refinement that corresponds to 0.42 gap elements.
    gaps = max(mesh.gap_elements, 0.42) ** 0.43
    narrow = (max(geometry.minimum_gap, 1e-8) / 0.1e-6) ** -0.1
    crowded = (geometry.active_fraction / 0.465) ** 0.9
    return _blend(2.0 * math.pi * radius / edge, 19.3 * gaps * narrow * crowded)


def surface_edge(parameters: Parameters, radius: Floats) -> Floats:
    """Return the length of mesh edges on the surface of particles of some radii, m."""
    nodes = surface_nodes(parameters, radius)
    if parameters.geometry.dimension == 2:
        edge: Floats = 2.0 * math.pi * radius / nodes
        return edge
    edge = np.sqrt(4.0 * math.pi * radius**2 / (TRIANGLE * nodes))
    return edge


def _edge_wanted(parameters: Parameters, radius: Floats) -> Floats:
    mesh = parameters.geometry.mesh
    wanted = np.minimum(mesh.surface_size_factor * radius, mesh.maximum_size)
    edge: Floats = np.maximum(wanted, mesh.minimum_size)
    return edge


def _planar(parameters: Parameters) -> Vertices:
    geometry, mesh = parameters.geometry, parameters.geometry.mesh
    diameter, share = geometry.size_law.nodes
    radius = 0.5 * diameter
    count, width = expected_particles(parameters), expected_width(parameters)
    around = 2.0 * math.pi * radius
    nodes = surface_nodes(parameters, radius)
    inside = nodes**2 / 10.9 + 0.5 * nodes + 13.0
    surface = count * float(np.sum(share * nodes))
    h = min(count * float(np.sum(share * around)) / surface, mesh.maximum_size)
    area = (1.0 - geometry.active_fraction) * geometry.coating_thickness * width
    far = min(mesh.separator_size, mesh.maximum_size)
    separator = geometry.separator_thickness * width / (TRIANGLE * min(NEAR_2D, far) * far)
    return Vertices(
        particles=count * float(np.sum(share * inside)),
        binder=0.85 * area / (TRIANGLE * h**2) + 0.5 * surface,
        separator=separator,
        surfaces=surface,
    )


def _spatial(parameters: Parameters) -> Vertices:
    geometry, mesh = parameters.geometry, parameters.geometry.mesh
    diameter, share = geometry.size_law.nodes
    radius = 0.5 * diameter
    count, width = expected_particles(parameters), expected_width(parameters)
    sphere = 4.0 * math.pi * radius**2
    nodes = surface_nodes(parameters, radius)
    surface = count * float(np.sum(share * nodes))
    h = math.sqrt(count * float(np.sum(share * sphere)) / (TRIANGLE * surface))
    volume, walls = geometry.coating_thickness * width**2, 4.0 * geometry.coating_thickness * width
    active = geometry.active_fraction
    cut = walls * active if geometry.walls == "cut" else 0.0
    planes = 2.0 * width**2 + walls - cut
    near = min(mesh.maximum_size, NEAR_3D)
    far = max(mesh.separator_size, near)
    # It falls from 1/near^3 to 1/far^3 over the length of the growth, and is then constant.
    growing = min((far - near) / 0.3, geometry.separator_thickness)
    reached = near + 0.3 * growing
    layers = (1.0 / near**2 - 1.0 / reached**2) / 0.6
    layers += (geometry.separator_thickness - growing) / reached**3
    return Vertices(
        particles=0.71 * surface + 0.49 * active * volume / h**3 + 1.29 * cut / h**2,
        binder=0.87 * surface + 0.31 * (1.0 - active) * volume / h**3 + 0.72 * planes / h**2,
        separator=width**2 * layers / 0.73,
        surfaces=surface,
    )


def _blend(wanted: Floats, least: float) -> Floats:
    nodes: Floats = (wanted**BLEND + least**BLEND) ** (1.0 / BLEND)
    return nodes
