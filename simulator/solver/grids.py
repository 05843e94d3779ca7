"""The fields as they are written: gathered on rank 0, at the vertices of each submesh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from dolfinx import fem

from simulator.results.sample import FieldGrid
from simulator.solver.electrode_mesh import MICROMETRE, ElectrodeMesh, Submesh

Floats = npt.NDArray[np.float64]


class VertexGrid:
    """One submesh for viewing. All methods are collective and return on rank 0, None elsewhere.

    Args:
        name: "particles", "electrolyte" or "carbon".
        submesh: the submesh.
        dimension: 2 or 3.
    """

    def __init__(self, name: str, submesh: Submesh, dimension: int) -> None:
        self.name, self._submesh, self._dimension = name, submesh, dimension
        self._space = fem.functionspace(submesh.mesh, ("Lagrange", 1))
        self._work = fem.Function(self._space)
        self._comm = submesh.mesh.comm

    def grid(self, cell_data: Mapping[str, npt.NDArray[Any]]) -> FieldGrid | None:
        """Points, cells and constants of the cells, each from its owner.

        Args:
            cell_data: name -> (local cells,) values.
        """
        index_map = self._space.dofmap.index_map
        points = self._space.tabulate_dof_coordinates()[: index_map.size_local, : self._dimension]
        owned = self._submesh.mesh.topology.index_map(self._dimension).size_local
        dofs = np.asarray(self._space.dofmap.list)[:owned]
        cells = index_map.local_to_global(dofs.ravel().astype(np.int32)).reshape(dofs.shape)
        all_points = self._gather(points / MICROMETRE)
        all_cells = self._gather(np.asarray(cells))
        data = {name: self._gather(values[:owned]) for name, values in cell_data.items()}
        if all_points is None or all_cells is None:
            return None
        return FieldGrid(
            self.name, all_points, all_cells, {k: v for k, v in data.items() if v is not None}
        )

    def values(self, function: fem.Function, scale: float) -> Floats | None:
        """(points,) `scale` times a function of this submesh, at its vertices."""
        if function.function_space.element.basix_element.degree == 1:
            local = function.x.array
        else:
            self._work.interpolate(function)
            local = self._work.x.array
        return self._gather(scale * local[: self._space.dofmap.index_map.size_local])

    def _gather(self, local: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        parts = self._comm.gather(local, root=0)
        return None if parts is None else np.concatenate(parts)


class FieldViewer:
    """The cell's fields on the grids of its three domains.

    Potentials are given against the lithium metal (phi_l) and so that the collector lies at the
    cell voltage (phi_s).

    Args:
        mesh: the electrode's mesh.
        functions: the fields; the solver's own.
        penalty: (N,) factor of each particle.
        c_0: initial salt concentration, mol m^-3.
    """

    def __init__(
        self,
        mesh: ElectrodeMesh,
        functions: Mapping[str, fem.Function],
        penalty: Floats,
        c_0: float,
    ) -> None:
        self._functions, self._c_0 = functions, c_0
        self._grids = {
            "particles": VertexGrid("particles", mesh.particles, mesh.dimension),
            "electrolyte": VertexGrid("electrolyte", mesh.electrolyte, mesh.dimension),
            "carbon": VertexGrid("carbon", mesh.carbon, mesh.dimension),
        }
        particle = mesh.particle_of_cell
        self._cell_data: dict[str, dict[str, npt.NDArray[Any]]] = {
            "particles": {"particle": particle, "penalty": penalty[particle]}
        }

    def grids(self) -> list[FieldGrid]:
        """The three grids on rank 0, nothing elsewhere. Collective."""
        grids = [g.grid(self._cell_data.get(name, {})) for name, g in self._grids.items()]
        return [grid for grid in grids if grid is not None]

    def values(self, voltage: float) -> dict[str, dict[str, Floats]] | None:
        """Domain -> field -> values at the grid's points; None away from rank 0. Collective.

        Args:
            voltage: cell voltage, V.
        """
        f, g = self._functions, self._grids
        s = g["particles"].values(f["s"], 1.0)
        c_l = g["electrolyte"].values(f["y"], self._c_0)
        phi_l = g["electrolyte"].values(f["phi_l"], 1.0)
        phi_s = g["carbon"].values(f["phi_s"], 1.0)
        if s is None or c_l is None or phi_l is None or phi_s is None:
            return None
        return {
            "particles": {"lithium_fraction": s},
            "electrolyte": {"concentration": c_l, "potential": phi_l},
            "carbon": {"potential": phi_s + voltage},
        }
