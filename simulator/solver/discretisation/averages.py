"""Means over particles by one sparse product and one reduction, without a form per particle."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import ufl
from dolfinx import fem
from mpi4py import MPI

from heterode.physics.kinetics import Flux
from heterode.solver.discretisation.constant_matrix import ConstantMatrix
from heterode.solver.discretisation.electrode_mesh import ElectrodeMesh, FacetSet
from heterode.solver.discretisation.facets import FacetTrace

Floats = npt.NDArray[np.float64]


class ParticleAverages:
    """Means over each particle's volume and over its reacting surface.

    Args:
        mesh: the electrode's mesh.
        field: symbol of the lithium fraction.
        space: its space.
        reacting: facets of its reaction.
        trace: its trace on them.
        quadrature_degree: degree for volume integrals, the same as that of the storage term, so
            that the means and the balance of lithium agree.

    Attributes:
        volumes: (N,) volumes of the N particles, m^3 (m^2 in 2D).
        surfaces: (N,) reacting surfaces, m^2 (m in 2D).
        particle_of_point: (points,) particle of each quadrature point of the trace.
    """

    def __init__(
        self,
        mesh: ElectrodeMesh,
        field: str,
        space: fem.FunctionSpace,
        reacting: FacetSet,
        trace: FacetTrace,
        quadrature_degree: int,
    ) -> None:
        self._field = field
        self._comm, self._count = mesh.comm, len(mesh.particle_table)
        self._cells, self._particle_of_row = self._cell_integrals(mesh, space, quadrature_degree)
        self._trace = trace
        ones = np.ones(space.dofmap.index_map.size_local)
        self.volumes = self._over_volumes(ones)
        facet_particle = mesh.particle_of_cell[mesh.particles.from_parent[reacting.cells]]
        self.particle_of_point = facet_particle[trace.facet_of_point]
        self.surfaces = self._over_surfaces(np.ones_like(trace.weights))

    def _cell_integrals(
        self, mesh: ElectrodeMesh, space: fem.FunctionSpace, quadrature_degree: int
    ) -> tuple[ConstantMatrix, npt.NDArray[np.int64]]:
        """Return integrals over owned cells as a matrix, and the particle of each of its rows."""
        submesh = mesh.particles.mesh
        cell_space = fem.functionspace(submesh, ("DG", 0))
        v, w = ufl.TrialFunction(space), ufl.TestFunction(cell_space)
        dx = ufl.Measure("dx", submesh, metadata={"quadrature_degree": quadrature_degree})
        by_cell = ConstantMatrix(v * w * dx)
        owned = cell_space.dofmap.index_map.size_local
        # Rows are numbered like the degrees of freedom of the cells.
        cells = np.asarray(cell_space.dofmap.list).ravel()
        particle = np.empty(cells.size, dtype=np.int64)
        particle[cells] = mesh.particle_of_cell
        return by_cell, particle[:owned]

    def _sum(self, local: npt.NDArray[Any]) -> Floats:
        mine = np.ascontiguousarray(local, dtype=np.float64)
        total = np.empty_like(mine)
        self._comm.Allreduce(mine, total, op=MPI.SUM)
        return total

    def _over_volumes(self, owned: Floats) -> Floats:
        by_cell = self._cells.times(owned)
        return self._sum(np.bincount(self._particle_of_row, by_cell, minlength=self._count))

    def _over_surfaces(self, density: Floats) -> Floats:
        weighted = self._trace.weights * density
        return self._sum(np.bincount(self.particle_of_point, weighted, minlength=self._count))

    def of_volume(self, s: Floats) -> Floats:
        """Return (N,) means over particles of a field given by its owned values. Collective."""
        return self._over_volumes(s) / self.volumes

    def of_surface(self, s: Floats) -> Floats:
        """Return (N,) means over the particles' reacting surfaces. Collective."""
        return self._surface_mean(self._trace.at_points(self._field, s))

    def of_current(self, flux: Flux) -> Floats:
        """Return (N,) mean current densities over reacting surfaces, A m^-2. Collective."""
        return self._surface_mean(flux.value)

    def of_slope(self, flux: Flux, unknown: str) -> Floats:
        """Return (N,) integrals over reacting surfaces of a current's derivative. Collective.

        Args:
            flux: the current density at the trace's quadrature points.
            unknown: the unknown by which it is differentiated, a key of `Flux.derivatives`.
        """
        return self._over_surfaces(flux.derivatives[unknown])

    def largest_rms(self, density: Floats) -> float:
        """Return the largest root mean square over a particle's reacting surface. Collective.

        Args:
            density: (points,) values at the trace's quadrature points.
        """
        squares = np.nan_to_num(self._surface_mean(density * density))
        return float(np.sqrt(np.max(squares, initial=0.0)))

    def _surface_mean(self, density: Floats) -> Floats:
        total = self._over_surfaces(density)
        # A particle without a reacting surface has no surface mean.
        mean = np.full(self._count, np.nan)
        np.divide(total, self.surfaces, out=mean, where=self.surfaces > 0)
        return mean
