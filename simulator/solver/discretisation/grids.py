"""The fields for output: gathered on rank 0 at the vertices of each submesh."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from dolfinx import fem

from heterode.geometry import tags
from heterode.physics.balances import CELL, Table
from heterode.physics.weak_form import DOMAINS
from heterode.results.sample import FieldGrid
from heterode.solver.discretisation.compat import cell_nodes
from heterode.solver.discretisation.electrode_mesh import MICROMETRE, ElectrodeMesh, Submesh
from heterode.solver.discretisation.numbering import Order, cell_numbers, vertex_numbers

Floats = npt.NDArray[np.float64]

NOTHING: Mapping[str, Floats] = MappingProxyType({})


class VertexGrid:
    """A submesh for viewing. All methods are collective and return None on other ranks than 0.

    Points and cells follow the mesh file, so that the output does not depend on the ranks.

    Args:
        name: "particles", "electrolyte" or "carbon".
        submesh: the submesh.
        space: a Lagrange space on it; with degree 2, edges are left out.
    """

    def __init__(self, name: str, submesh: Submesh, space: fem.FunctionSpace) -> None:
        self.name, self._submesh = name, submesh
        mesh = submesh.mesh
        self._dimension = mesh.topology.dim
        numbers, dofs = vertex_numbers(submesh), np.asarray(space.dofmap.list)
        corners = [space.dofmap.dof_layout.entity_dofs(0, i)[0] for i in range(self._dimension + 1)]
        number_of = np.full(int(dofs.max(initial=-1)) + 1, -1, dtype=np.int64)
        number_of[dofs[:, corners]] = numbers
        node_of = np.zeros_like(number_of)
        node_of[dofs[:, corners]] = cell_nodes(mesh)[:, : self._dimension + 1]
        owned = number_of[: space.dofmap.index_map.size_local]
        self._dofs = np.flatnonzero(owned >= 0)
        self._points = np.asarray(mesh.geometry.x)[node_of[self._dofs], : self._dimension]
        self._order = Order(mesh.comm, owned[self._dofs])
        self._owned_cells = mesh.topology.index_map(self._dimension).size_local
        self._cells = numbers[: self._owned_cells]

    def grid(
        self, cell_data: Mapping[str, npt.NDArray[Any]], units: Mapping[str, str]
    ) -> FieldGrid | None:
        """Return points, cells and data of the cells, each from its owner.

        Args:
            cell_data: (local cells,) values by name.
            units: units of the fields that will be written.
        """
        order = Order(self._submesh.mesh.comm, cell_numbers(self._submesh)[: self._owned_cells])
        points, cells = self._order.gather(self._points / MICROMETRE), order.gather(self._cells)
        data = {name: order.gather(v[: self._owned_cells]) for name, v in cell_data.items()}
        if points is None or cells is None or self._order.keys is None:
            return None
        return FieldGrid(
            self.name,
            points,
            np.searchsorted(self._order.keys, cells),
            {name: values for name, values in data.items() if values is not None},
            units,
        )

    def gathered(self, local: Floats) -> Floats | None:
        """Return (points,) values that are given for all local degrees of freedom."""
        return self._order.gather(local[self._dofs])


class FieldViewer:
    """The cell's fields on the grids of its three domains.

    If particles conduct, the grid named carbon includes them, and its cells have the number of
    their particle, or -1 in the carbon binder.

    phi_l is measured against the lithium metal, and phi_s such that the collector is at the cell
    voltage.

    Args:
        mesh: the electrode's mesh.
        functions: the fields, which are the solver's own functions.
        penalty: (N,) factor of each particle.
        scales: factor from each field to its written value.
        table: the balances, which say how each field is written.
        penalty_changes: whether the factors are written with every sample, at the points of the
            particles, instead of once, in their cells.

    Attributes:
        penalty: (N,) factors that are shown from now on.
    """

    def __init__(
        self,
        mesh: ElectrodeMesh,
        functions: Mapping[str, fem.Function],
        penalty: Floats,
        scales: Mapping[str, float],
        table: Table = CELL,
        *,
        penalty_changes: bool = False,
    ) -> None:
        self._functions, self._scales = functions, scales
        self._rows = [(row, row.written) for row in table.rows if row.written is not None]
        self.penalty, self._penalty_changes = penalty, penalty_changes
        first = {row.domain: functions[row.field] for row in reversed(table.rows)}
        self._grids = {
            name: VertexGrid(name, mesh.domain(name), first[name].function_space)
            for name in DOMAINS
        }
        self._particle = mesh.particle_of_cell
        self._in_carbon: dict[str, npt.NDArray[Any]] = {}
        if mesh.electronic is not mesh.carbon:
            particle = mesh.electronic.cell_tags - tags.PARTICLE_OFFSET
            self._in_carbon = {"particle": np.maximum(particle, -1).astype(np.int32)}
        dofs = np.asarray(first["particles"].function_space.dofmap.list)
        # Every particle has its own points, so point data are unambiguous.
        self._particle_of_dof = np.zeros(first["particles"].x.array.size, dtype=np.int32)
        self._particle_of_dof[dofs] = self._particle[:, None]

    def grids(self) -> list[FieldGrid]:
        """Return the three grids on rank 0, nothing elsewhere. Collective."""
        in_particles: dict[str, npt.NDArray[Any]] = {"particle": self._particle}
        if not self._penalty_changes:
            in_particles["penalty"] = self.penalty[self._particle]
        cell_data = {"particles": in_particles, "carbon": self._in_carbon}
        units: dict[str, dict[str, str]] = {name: {} for name in DOMAINS}
        for row, written in self._rows:
            units[row.domain][written.name] = written.unit
        grids = [
            grid.grid(cell_data.get(name, {}), units[name]) for name, grid in self._grids.items()
        ]
        return [grid for grid in grids if grid is not None]

    def values(
        self, voltage: float, instead: Mapping[str, Floats] = NOTHING
    ) -> dict[str, dict[str, Floats]] | None:
        """Return values at the grids' points by domain and field; None off rank 0. Collective.

        Args:
            voltage: cell voltage, V.
            instead: (local and ghost,) values to show in place of a field's own, by its symbol.
        """
        scalars, found = {"V": voltage}, []
        for row, written in self._rows:
            own = self._functions[row.field].x.array
            shown = self._scales[row.field] * instead.get(row.field, own)
            array = self._grids[row.domain].gathered(shown)
            if array is not None and written.plus:
                array = array + scalars[written.plus]
            found.append((row.domain, written.name, array))
        if self._penalty_changes:
            penalty = self._grids["particles"].gathered(self.penalty[self._particle_of_dof])
            found.append(("particles", "penalty", penalty))
        values: dict[str, dict[str, Floats]] = {name: {} for name in DOMAINS}
        for domain, name, array in found:
            if array is None:
                return None
            values[domain][name] = array
        return values
