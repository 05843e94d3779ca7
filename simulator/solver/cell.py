"""A cell that can march: its model, its stepper, and what watches them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from heterode.parameters import Parameters
from heterode.physics.balances import CELL, Table
from heterode.results.sample import FieldValues
from heterode.solver.bounds import Bounds
from heterode.solver.discretisation.electrode_mesh import ElectrodeMesh
from heterode.solver.discretisation.grids import FieldViewer
from heterode.solver.model import CellModel
from heterode.solver.snapshot import Snapshots
from heterode.solver.time.conservation import Conservation
from heterode.solver.time.stepper import Stepper


@dataclass(frozen=True)
class Cell:
    """The model at its start, and the objects that follow its steps."""

    model: CellModel
    stepper: Stepper
    balances: Conservation
    viewer: FieldViewer
    bounds: Bounds
    snapshots: Snapshots

    def fields(self) -> FieldValues | None:
        """Return the present fields by domain and field on rank 0, None elsewhere. Collective.

        Lithium fractions are clipped to the ranges of their particles, as `Bounds` has them.
        """
        state, name = self.stepper.state, self.model.table.lithium.field
        within = self.bounds.clipped(self.model.layout.spread(state.vector)[name])
        return self.viewer.values(state.V, {name: within})


def build_cell(
    mesh: ElectrodeMesh,
    parameters: Parameters,
    penalty: npt.NDArray[np.float64],
    abandon: Callable[[], bool],
    table: Table = CELL,
) -> Cell:
    """Build the cell before its first step. Collective.

    Args:
        mesh: mesh of the electrode.
        parameters: parameters of the run.
        penalty: (N,) penalty factors of the N particles.
        abandon: returns whether to abandon the present step.
        table: the table of balances.
    """
    _BUILT.append(True)
    model = CellModel(mesh, parameters, penalty, table=table)
    start = model.start()
    balances = Conservation(model.system, start)
    stepper = model.stepper(start, abandon)
    bounds = Bounds(model, start)
    snapshots = Snapshots(model, stepper, balances, bounds)
    return Cell(model, stepper, balances, model.viewer(), bounds, snapshots)


_BUILT: list[bool] = []
"""One entry for each cell that this process has built."""


def free_earlier(comm: Any) -> None:
    """Free the unreachable objects of earlier cells of this process. Collective.

    Meshes, forms and functions of DOLFINx refer to one another in cycles. Python's collector runs
    according to the number of its own objects, without regard to the megabytes behind them. If it
    frees some on one rank, PETSc keeps the objects of all ranks until all of them agree.
    """
    if _BUILT:
        _BUILT.clear()
        gc.collect()
        PETSc.garbage_cleanup(comm)
