"""What marches: a cell's model, its stepper, and who watches them."""

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
from heterode.solver.discretisation.electrode_mesh import ElectrodeMesh
from heterode.solver.discretisation.grids import FieldViewer
from heterode.solver.model import CellModel
from heterode.solver.snapshot import Snapshots
from heterode.solver.time.conservation import Balances
from heterode.solver.time.stepper import Stepper


@dataclass(frozen=True)
class Cell:
    """The model at its start, and all that follows its steps."""

    model: CellModel
    stepper: Stepper
    balances: Balances
    viewer: FieldViewer
    snapshots: Snapshots


def build_cell(
    mesh: ElectrodeMesh,
    parameters: Parameters,
    penalty: npt.NDArray[np.float64],
    abandon: Callable[[], bool],
    table: Table = CELL,
) -> Cell:
    """The cell before its first step. Collective.

    Args:
        mesh: of the electrode.
        parameters: of the run.
        penalty: (N,) factors of the N particles.
        abandon: whether to give up the step at hand.
        table: the balances.
    """
    _BUILT.append(True)
    model = CellModel(mesh, parameters, penalty, table=table)
    start = model.start()
    balances = Balances(model.system, start)
    stepper = model.stepper(start, abandon)
    snapshots = Snapshots(model, stepper, balances)
    return Cell(model, stepper, balances, model.viewer(), snapshots)


_BUILT: list[bool] = []
"""An entry for each cell of this process."""


def free_earlier(comm: Any) -> None:
    """Free what earlier cells of this process held and nobody can reach any more. Collective.

    Meshes, forms and functions of DOLFINx refer to one another in rings. Python's collector finds
    these by the number of its own objects, and knows nothing of the megabytes behind them; and
    where it frees some on one rank, PETSc keeps the objects of all ranks until all of them agree.
    """
    if _BUILT:
        _BUILT.clear()
        gc.collect()
        PETSc.garbage_cleanup(comm)
