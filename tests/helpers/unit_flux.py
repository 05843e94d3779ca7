"""The solid alone: a particle under a unit flux, solved exactly in time on the cell's own matrices.

    M dw/dT + K w = b,   with w in q R / D and T = D t / R^2

M and K are the storage and diffusion terms of the cell's residual and b its boundary term, so that
all that lies between the surface of w and the series of a disc or a sphere is the error of space.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from scipy import linalg, sparse

from helpers.cells import parameters
from helpers.paths import MESHES
from heterode.accuracy.radial import RadialModes
from heterode.accuracy.series import deviation
from heterode.base.constants import FARADAY
from heterode.geometry.layers import core_sizes, layered, radial_elements
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.meshing_3d import mesh_spheres
from heterode.geometry.msh import read_msh
from heterode.geometry.packing import Packing
from heterode.parameters.layering import Layers
from heterode.solver.discretisation.electrode_mesh import distribute
from heterode.solver.model import CellModel

Floats = npt.NDArray[np.float64]

TIMES: Floats = np.logspace(-6.0, 1.0, 71)
"""D t / R^2."""

DIFFUSIVITY = 1e-14


@dataclass(frozen=True)
class Answer:
    """The surface of a particle under a unit flux, less the growth of its mean, in q R / D.

    Attributes:
        found: (71,) on the mesh, at TIMES.
        exact: (71,) by the series.
        planned: largest error that radial elements of the planned spacing have.
    """

    found: Floats
    exact: Floats
    planned: float

    @property
    def error(self) -> float:
        """Largest error over all times."""
        return float(np.abs(self.found - self.exact).max())


@cache
def disc() -> MeshData:
    """A disc of 2.5 um with elements of 0.5 um."""
    return read_msh(MESHES / "single_disc_2d.msh")


@cache
def sphere(size_factor: float = 0.35) -> MeshData:
    """A sphere of 2.5 um in a box of 6 um."""
    packing = Packing(
        centres_um=np.array([[3.0, 3.0, 3.0]]),
        radii_um=np.array([2.5]),
        width_um=(6.0, 6.0),
        coating_thickness_um=6.0,
        minimum_gap_um=0.1,
        walls="inside",
        whole=1,
    )
    sizes = SimpleNamespace(
        surface_size_factor=size_factor, maximum_size=1e-6, minimum_size=1e-7, separator_size=3e-6
    )
    return mesh_spheres(packing, sizes, 4.0)


def answer(
    mesh: MeshData, layers: Layers | None, planned: Layers | None, *, lumped: bool = False
) -> Answer:
    """Answer of the one particle of a mesh with layers.

    Args:
        mesh: the mesh without layers.
        layers: layers that it gets; None for none.
        planned: layers for which the error is planned.
        lumped: the trap: whether to add up the rows of M on its diagonal.
    """
    used = mesh if layers is None else layered(mesh, layers)[0]
    M, K, b, area = _matrices(used)
    if lumped:
        M = np.diag(M.sum(axis=1))
    # Of a particle with this surface and volume; the mean then grows by the dimension times T.
    radius = mesh.dimension * M.sum() / area
    rates, modes = linalg.eigh(radius * K, M / radius)
    weights = (modes.T @ b)[1:] ** 2 / area
    grown = -np.expm1(-np.multiply.outer(TIMES, rates[1:]))
    size = float(core_sizes(mesh)[0])
    nodes, share = radial_elements(1e-6 * float(mesh.particles.radius_um[0]), size, planned)
    error = RadialModes(nodes / nodes[-1], mesh.dimension, 1, share).largest_error(TIMES)
    return Answer(grown @ (weights / rates[1:]), deviation(TIMES, mesh.dimension), error)


def _matrices(mesh: MeshData) -> tuple[Floats, Floats, Floats, float]:
    """Mass, stiffness and load of the particle, in micrometres, and its surface."""
    model = CellModel(
        distribute(MPI.COMM_SELF, mesh),
        parameters([f'active_material.diffusivity="{DIFFUSIVITY} m^2/s"']),
        np.ones(1),
    )
    volume, part = model.system.volume, model.layout.slices["s"]
    rows, columns = (each - part.start for each in volume.entries(("s", "s")))
    size = part.stop - part.start

    def matrix(leading: float) -> Floats:
        data = volume.block_values(("s", "s"), leading)
        return np.asarray(sparse.coo_matrix((data, (rows, columns)), (size, size)).toarray())

    K = matrix(0.0)
    unit = FARADAY * model.material.maximum_concentration
    # An s^-1 of storage that is far above diffusion leaves no digit of it.
    M = (matrix(1.0) - K) / unit
    trace, b = model.system.reaction.trace, np.zeros(size)
    b[trace.dofs["s"]] = trace.load(np.ones_like(trace.weights))
    return M, K / (unit * DIFFUSIVITY), b, float(b.sum())
