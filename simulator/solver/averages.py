"""Per-particle means by one sparse product and one reduction, never one form per particle."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import ufl
from dolfinx import fem
from mpi4py import MPI
from scipy import sparse

from simulator.physics.kinetics import Flux
from simulator.solver.electrode_mesh import ElectrodeMesh
from simulator.solver.facets import FacetTrace

Floats = npt.NDArray[np.float64]


class ParticleAverages:
    """Means over each particle's volume and over its reacting surface.

    Args:
        mesh: the electrode's mesh.
        space: the space of the lithium fraction.
        interface: its trace on the particle/CBD facets.
        quadrature_degree: of the volume integrals, the same as the storage term's, so that the
            means and the balance of lithium speak of the same amounts.

    Attributes:
        volumes: (N,) m^3 (2D: m^2); of the N particles.
        surfaces: (N,) reacting surface, m^2 (2D: m).
        particle_of_point: (points,) particle of each interface quadrature point.
    """

    def __init__(
        self,
        mesh: ElectrodeMesh,
        space: fem.FunctionSpace,
        interface: FacetTrace,
        quadrature_degree: int,
    ) -> None:
        self._comm, self._count = mesh.comm, len(mesh.particle_table)
        self._weights = self._volume_weights(mesh, space, quadrature_degree)
        self._trace = interface
        self.volumes = self._sum(np.asarray(self._weights.sum(axis=1)).ravel())
        facet_particle = mesh.particle_of_cell[mesh.particles.from_parent[mesh.interface.cells]]
        self.particle_of_point = facet_particle[interface.facet_of_point]
        self.surfaces = self._over_surfaces(np.ones_like(interface.weights))

    def _volume_weights(
        self, mesh: ElectrodeMesh, space: fem.FunctionSpace, quadrature_degree: int
    ) -> sparse.csr_matrix:
        """(N, local dofs): integral of each basis function over the owned cells of a particle."""
        submesh = mesh.particles.mesh
        cell_space = fem.functionspace(submesh, ("DG", 0))
        v, w = ufl.TrialFunction(space), ufl.TestFunction(cell_space)
        dx = ufl.Measure("dx", submesh, metadata={"quadrature_degree": quadrature_degree})
        form = fem.form(v * w * dx)
        matrix = fem.create_matrix(form)
        matrix.set_value(0.0)
        fem.assemble_matrix(matrix, form)
        by_cell = matrix.to_scipy()  # owned cells only: each cell is counted once over all ranks
        owned = by_cell.shape[0]
        cells = np.asarray(cell_space.dofmap.list).ravel()[:owned]
        particle = np.empty(owned, dtype=np.int64)
        particle[cells] = mesh.particle_of_cell[:owned]
        gather = sparse.csr_matrix(
            (np.ones(owned), (particle, np.arange(owned))), shape=(self._count, owned)
        )
        return gather @ by_cell

    def _sum(self, local: Floats) -> Floats:
        total = np.empty_like(local)
        self._comm.Allreduce(np.ascontiguousarray(local), total, op=MPI.SUM)
        return total

    def _over_surfaces(self, density: Floats) -> Floats:
        weighted = self._trace.weights * density
        return self._sum(np.bincount(self.particle_of_point, weighted, minlength=self._count))

    def of_volume(self, s: Floats) -> Floats:
        """(N,) mean over each particle of a field given by its local values. Collective."""
        return self._sum(self._weights @ s) / self.volumes

    def of_surface(self, s: Floats) -> Floats:
        """(N,) mean over each particle's reacting surface. Collective."""
        return self._surface_mean(self._trace.at_points("s", s))

    def of_current(self, flux: Flux) -> Floats:
        """(N,) mean current density over the reacting surface, A m^-2. Collective."""
        return self._surface_mean(flux.value)

    def _surface_mean(self, density: Floats) -> Floats:
        total = self._over_surfaces(density)
        # A particle wrapped in other domains alone reacts nowhere: its surface mean is undefined.
        mean = np.full(self._count, np.nan)
        np.divide(total, self.surfaces, out=mean, where=self.surfaces > 0)
        return mean
