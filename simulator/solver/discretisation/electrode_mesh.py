"""The distributed mesh of an electrode: one parent, three submeshes, and the facets between.

    particles    (P)  the active material
    electrolyte  (E)  carbon-binder domain and separator
    carbon       (C)  carbon-binder domain
    electronic        where electrons flow: the carbon-binder domain, and optionally the particles

Coordinates are metres here; files and `MeshData` are in micrometres.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from dolfinx import mesh as dmesh
from mpi4py import MPI

from heterode.accuracy.spacing import RadialMesh, radial_mesh
from heterode.geometry import tags
from heterode.geometry.layers import LayerReport
from heterode.geometry.mesh_data import ON_PLANE, MeshData
from heterode.particles.table import ParticleTable
from heterode.physics.balances import Surface
from heterode.physics.weak_form import Domain
from heterode.solver.discretisation.compat import cell_nodes, create_curved_mesh, create_submesh

MICROMETRE = 1e-6

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Submesh:
    """A part of the parent mesh.

    Attributes:
        mesh: the DOLFINx mesh of the part.
        parent: the mesh of which it is a part.
        parent_cells: (n,) parent cell of each local cell.
        from_parent: (parent cells,) local cell of each parent cell, -1 if there is none.
        cell_tags: (n,) tag of each local cell.
    """

    mesh: dmesh.Mesh
    parent: dmesh.Mesh
    parent_cells: Ints
    from_parent: Ints
    cell_tags: Ints


@dataclass(frozen=True)
class FacetSet:
    """Facets owned by this rank.

    Attributes:
        cells: (F,) parent cell from which the facet is seen (the particle, on an interface).
        opposite_cells: (F,) parent cell on the other side, -1 on the outer boundary.
        local_facets: (F,) index of the facet in `cells`.
    """

    cells: Ints
    opposite_cells: Ints
    local_facets: Ints


@dataclass(frozen=True)
class ElectrodeMesh:
    """The part of the mesh that a rank holds.

    Attributes:
        comm: the communicator.
        dimension: 2 or 3.
        particles, electrolyte, carbon: the submeshes.
        electronic: `carbon` itself, or with the particles; see `with_conducting_particles`.
        parent, parent_tags: the whole mesh, and the tag of each of its local cells.
        interface: particle/CBD facets, seen from the particle.
        collector: CBD facets on the collector plane (those of `electronic`).
        lithium: separator facets on the lithium-metal plane.
        vertices: nodes of the mesh file; the numbers of its vertices are below it.
        particle_table: one row for each particle, the same on every rank.
        coating_thickness, separator_thickness: thicknesses, m.
        collector_area: area of the collector, m^2 (m^2 per metre of depth in 2D).
        mesh_hash: identifies the mesh file.
        radial: radial spacing of the mesh in each particle that reacts.
        lumping: share of the mass matrix that is lumped in each local cell of `particles`; None
            where none is.
    """

    comm: MPI.Comm
    dimension: int
    particles: Submesh
    electrolyte: Submesh
    carbon: Submesh
    electronic: Submesh
    parent: dmesh.Mesh
    parent_tags: Ints
    interface: FacetSet
    collector: FacetSet
    lithium: FacetSet
    vertices: int
    particle_table: ParticleTable
    coating_thickness: float
    separator_thickness: float
    collector_area: float
    mesh_hash: str
    radial: RadialMesh
    lumping: Floats | None = None

    def domain(self, name: Domain) -> Submesh:
        """Return the submesh of a domain's fields."""
        parts = {"particles": self.particles, "electrolyte": self.electrolyte}
        return parts.get(name, self.electronic)

    def facets(self, surface: Surface) -> FacetSet:
        """Return the facets of a surface."""
        sets = {
            "interface": self.interface,
            "lithium": self.lithium,
            "collector": self.collector,
        }
        return sets[surface.facets]

    @property
    def particle_of_cell(self) -> Ints:
        """Number of the particle of each cell of the particle submesh, (local particle cells,)."""
        return self.particles.cell_tags - tags.PARTICLE_OFFSET


@dataclass(frozen=True)
class _Header:
    """The data that every rank needs in addition to its own cells and nodes."""

    dimension: int
    order: int
    nodes: int
    points: int
    cell_tags: Ints
    particles: ParticleTable
    coating_um: float
    separator_um: float
    width_um: tuple[float, ...]
    mesh_hash: str
    radial: RadialMesh
    lumping: Floats | None

    @classmethod
    def of(cls, data: MeshData, report: LayerReport | None) -> _Header:
        return cls(
            dimension=data.dimension,
            order=data.order,
            nodes=data.cells.shape[1],
            points=len(data.points_um),
            cell_tags=data.cell_tags,
            particles=data.particles,
            coating_um=data.coating_thickness_um,
            separator_um=data.separator_thickness_um,
            width_um=data.width_um,
            mesh_hash=data.hash,
            radial=radial_mesh(data, report),
            lumping=data.lumping,
        )


def distribute(
    comm: MPI.Comm, data: MeshData | None, report: LayerReport | None = None
) -> ElectrodeMesh:
    """Distribute the mesh on rank 0 to all ranks. Collective.

    Args:
        comm: the communicator.
        data: the mesh on rank 0, None elsewhere.
        report: what became of its layers, on rank 0; None if it has none.
    """
    header = None
    if data is not None:
        header = _Header.of(data, report)
    header = comm.bcast(header, root=0)
    dimension = header.dimension
    points = np.zeros((0, dimension)) if data is None else data.points_um * MICROMETRE
    cells = np.zeros((0, header.nodes), dtype=np.int64) if data is None else data.cells
    parent = create_curved_mesh(comm, points, cells, dimension, header.order)
    parent_tags = header.cell_tags[parent.topology.original_cell_index].astype(np.int32)
    parent.topology.create_connectivity(dimension - 1, dimension)
    parent.topology.create_connectivity(dimension, dimension - 1)
    thickness = (header.coating_um + header.separator_um) * MICROMETRE
    boundary = _BoundaryFacets(parent)
    carbon = _submesh(parent, parent_tags, parent_tags == tags.CBD)
    particles = _submesh(parent, parent_tags, parent_tags >= tags.PARTICLE_OFFSET)
    lumping = header.lumping
    if lumping is not None:
        lumping = lumping[parent.topology.original_cell_index][particles.parent_cells]
    return ElectrodeMesh(
        comm=comm,
        dimension=dimension,
        particles=particles,
        electrolyte=_submesh(parent, parent_tags, parent_tags < tags.PARTICLE_OFFSET),
        carbon=carbon,
        electronic=carbon,
        parent=parent,
        parent_tags=parent_tags,
        interface=_interface(parent, parent_tags),
        collector=boundary.on_plane(0.0, parent_tags == tags.CBD, thickness),
        lithium=boundary.on_plane(thickness, parent_tags == tags.SEPARATOR, thickness),
        vertices=header.points,
        particle_table=header.particles,
        coating_thickness=header.coating_um * MICROMETRE,
        separator_thickness=header.separator_um * MICROMETRE,
        collector_area=float(np.prod(header.width_um) * MICROMETRE ** (dimension - 1)),
        mesh_hash=header.mesh_hash,
        radial=header.radial,
        lumping=lumping,
    )


def with_conducting_particles(mesh: ElectrodeMesh) -> ElectrodeMesh:
    """Return the same electrode with electrons in its particles too. Collective.

    Particles that touch the collector are in contact with it.
    """
    conducts = mesh.parent_tags != tags.SEPARATOR
    thickness = mesh.coating_thickness + mesh.separator_thickness
    return replace(
        mesh,
        electronic=_submesh(mesh.parent, mesh.parent_tags, conducts),
        collector=_BoundaryFacets(mesh.parent).on_plane(0.0, conducts, thickness),
    )


def _submesh(parent: dmesh.Mesh, parent_tags: Ints, chosen: npt.NDArray[np.bool_]) -> Submesh:
    cells = np.flatnonzero(chosen).astype(np.int32)
    mesh, parent_cells = create_submesh(parent, cells)
    from_parent = np.full(parent_tags.size, -1, dtype=np.int32)
    from_parent[parent_cells] = np.arange(parent_cells.size, dtype=np.int32)
    return Submesh(mesh, parent, parent_cells, from_parent, parent_tags[parent_cells])


def _cells_of_owned_facets(parent: dmesh.Mesh) -> tuple[Ints, Ints, Ints]:
    """Return (first cell, second cell or -1, facet) of every facet that this rank owns."""
    dim = parent.topology.dim
    links = parent.topology.connectivity(dim - 1, dim)
    owned = parent.topology.index_map(dim - 1).size_local
    starts, cells = np.asarray(links.offsets[: owned + 1]), np.asarray(links.array)
    first = cells[starts[:-1]]
    inner = np.diff(starts) == 2
    second = np.full(owned, -1, dtype=np.int32)
    second[inner] = cells[starts[:-1][inner] + 1]
    return first.astype(np.int32), second, np.arange(owned, dtype=np.int32)


def _local_facets(parent: dmesh.Mesh, cells: Ints, facets: Ints) -> Ints:
    dim = parent.topology.dim
    links = parent.topology.connectivity(dim, dim - 1)
    table = np.asarray(links.array).reshape(-1, dim + 1)
    local: Ints = np.argmax(table[cells] == facets[:, None], axis=1).astype(np.int32)
    return local


def _interface(parent: dmesh.Mesh, parent_tags: Ints) -> FacetSet:
    """Return the facets between a particle and the carbon-binder domain, particle first."""
    first, second, facets = _cells_of_owned_facets(parent)
    inner = second >= 0
    first, second, facets = first[inner], second[inner], facets[inner]
    is_particle = parent_tags >= tags.PARTICLE_OFFSET
    is_carbon = parent_tags == tags.CBD
    forward = is_particle[first] & is_carbon[second]
    backward = is_carbon[first] & is_particle[second]
    # The particle always comes first, since a swapped side would reverse the sign of the flux.
    particle = np.where(backward, second, first)[forward | backward]
    carbon = np.where(backward, first, second)[forward | backward]
    chosen = facets[forward | backward]
    return FacetSet(particle, carbon, _local_facets(parent, particle, chosen))


class _BoundaryFacets:
    """The outer facets, which are found once, and their planes."""

    def __init__(self, parent: dmesh.Mesh) -> None:
        first, second, facets = _cells_of_owned_facets(parent)
        outer = second < 0
        self._parent = parent
        # A facet with one cell is on the outer boundary if its rank owns it, since ranks share the
        # cells on both sides of the facets that they own.
        self._cells, self._facets = first[outer], facets[outer]
        self._local = _local_facets(parent, self._cells, self._facets)

    def on_plane(
        self, position: float, chosen: npt.NDArray[np.bool_], thickness: float
    ) -> FacetSet:
        """Return facets of chosen cells whose vertices are at `position` along the thickness."""
        dim = self._parent.topology.dim
        axis = 0 if dim == 2 else 2
        vertices = facet_vertices(self._parent, self._cells, self._local)
        there = np.all(np.abs(vertices[:, :, axis] - position) < ON_PLANE * thickness, axis=1)
        there &= chosen[self._cells]
        cells = self._cells[there]
        return FacetSet(cells, np.full_like(cells, -1), self._local[there])


def facet_vertices(mesh: dmesh.Mesh, cells: Ints, local_facets: Ints) -> Floats:
    """Return (F, dim, 3) vertex coordinates, m, in the order of the cell's vertices.

    Facet i of a simplex is opposite vertex i.
    """
    dim = mesh.topology.dim
    corners = cell_nodes(mesh)[:, : dim + 1][cells]
    keep = np.array([[v for v in range(dim + 1) if v != i] for i in range(dim + 1)])
    nodes = np.take_along_axis(corners, keep[local_facets], axis=1)
    vertices: Floats = np.asarray(mesh.geometry.x)[nodes]
    return vertices
