"""Orders of convergence in space against manufactured solutions, coupled and block by block.

Strong form, weak form and loads stand in manufactured.py. Coupled, all four fields are solved for
at once; by block, one field is, with the three others held at their exact values. The damages at
the end each make one equation wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from helpers.manufactured import (
    ALPHA,
    PENALTY,
    TWO_BLOCKS,
    V_EXACT,
    Errors,
    bend,
    cell,
    errors,
    interpolated,
    loads,
    orders,
    replace_factor,
    replace_law,
    solve,
)
from helpers.mapped_grid import Blocks, MappedGrid, mapped_grid
from heterode.parameters.operation import Preset
from heterode.physics.balances import CELL
from heterode.solver.model import CellModel
from heterode.solver.time.terminal import ConstantVoltage

Floats = npt.NDArray[np.float64]
Damage = Callable[[CellModel], None]
Meshes = Mapping[int, tuple[int, ...]]
CUBE = Blocks(lengths=(3.0, 3.0, 4.0), coating=3.0, particles=(((1.0, 1.0, 1.0), (2.0, 2.0, 2.0)),))
L2_BAND = {1: 0.1, 2: 0.15}
H1_BAND = {1: 0.1, 2: 0.15}


def bent(points: Floats) -> Floats:
    """Every inner plane of CUBE becomes a curved surface."""
    x, y, z = points.T
    wave = np.sin(np.pi * x / 3) * np.sin(np.pi * y / 3) * np.sin(np.pi * z / 4)
    return points + 0.15 * wave[:, None] * np.array([1.0, -1.0, 1.0])


def grid_of(dimension: int, per_um: int) -> MappedGrid:
    """The bent electrode of a dimension."""
    blocks, bending = (TWO_BLOCKS, bend) if dimension == 2 else (CUBE, bent)
    return mapped_grid(blocks, per_um, order=2, bend=bending)


def loaded_cell(
    per_um: int, degree: int, *settings: str, dimension: int = 2
) -> tuple[CellModel, MappedGrid]:
    """The cell whose exact fields are the manufactured ones, and its grid."""
    grid = grid_of(dimension, per_um)
    preset: Preset = "direct" if dimension == 2 else "fieldsplit"
    model = cell(grid, *settings, degree=degree, preset=preset)
    model.system.loads = loads(model, grid)
    return model, grid


@dataclass(frozen=True)
class Study:
    """Errors of each mesh, from coarse to fine."""

    degree: int
    errors: list[Errors]

    def last_order(self, norm: str, field: str) -> float:
        return orders([getattr(e, norm)[field] for e in self.errors])[-1]

    @property
    def outside(self) -> dict[tuple[str, str], float]:
        """The orders that are not those of theory."""
        found = {}
        for norm, expected, band in (
            ("L2", self.degree + 1, L2_BAND[self.degree]),
            ("H1", self.degree, H1_BAND[self.degree]),
        ):
            for field in CELL.fields:
                order = self.last_order(norm, field)
                if abs(order - expected) > band:
                    found[norm, field] = order
        return found


def study(
    degree: int,
    meshes: tuple[int, ...],
    damage: Damage | None = None,
    settings: tuple[str, ...] = (),
    alpha: float = ALPHA,
    dimension: int = 2,
) -> Study:
    """Errors of the coupled solution on each mesh."""
    found = []
    for per_um in meshes:
        model, _ = loaded_cell(per_um, degree, *settings, dimension=dimension)
        if damage is not None:
            damage(model)
        solved = solve(model, ConstantVoltage(V_EXACT), alpha=alpha)
        found.append(errors(model, solved.vector))
    return Study(degree, found)


def l2_orders(
    degree: int, meshes: tuple[int, int], damage: Damage | None = None
) -> dict[str, float]:
    """Of every field in 3D between two meshes."""
    found = study(degree, meshes, damage, dimension=3)
    return {name: found.last_order("L2", name) for name in CELL.fields}


LAST_UPDATE = 1e-8
"""Newton's method for a block ends below this (lithium fraction, c_l / c_0, V): what is left after
such an update is its square."""


def solve_block(
    model: CellModel, field: str, guess: Floats, alpha: float, beta: Floats | float = 0.0
) -> Floats:
    """Owned vector: the solution of one field's rows, with du/dt = alpha u + beta.

    Args:
        model: the cell.
        field: solved for.
        guess: (owned,) where to start; the other fields keep these values.
        alpha, beta: s^-1; beta a number or (owned,).

    Raises:
        ArithmeticError: no convergence.
    """
    vector, part = guess.copy(), model.layout.slices[field]
    block = model.system.matrix.block(part, part)
    rhs, update = block.matrix.createVecLeft(), block.matrix.createVecRight()
    solver = block_solver(model)
    for _ in range(20):
        residual = model.system.residual(vector, alpha * vector + beta, V_EXACT, 0.0)
        model.system.jacobian(residual.fluxes, alpha)
        rhs.array[:] = -residual.vector[part]
        solver.setOperators(block.renew())
        solver.solve(rhs, update)
        if solver.getConvergedReason() < 0:
            raise ArithmeticError(f"the linear solver for {field} did not converge")
        vector[part] += update.array_r
        if update.norm(PETSc.NormType.INFINITY) < LAST_UPDATE:
            return vector
    raise ArithmeticError(f"Newton's method for {field} did not converge")


def block_solver(model: CellModel) -> PETSc.KSP:
    """GMRES with an algebraic multigrid: a direct solver in 3D takes minutes where it takes 1 s."""
    solver = PETSc.KSP().create(model.layout.comm)
    solver.setType(PETSc.KSP.Type.GMRES)
    solver.setTolerances(rtol=1e-9, max_it=200)
    solver.getPC().setType(PETSc.PC.Type.HYPRE)
    return solver


def block_errors(
    dimension: int, degree: int, meshes: Sequence[int], damage: Damage | None
) -> dict[str, list[float]]:
    """Field -> its error in L2 on each mesh, when it alone is solved for."""
    found: dict[str, list[float]] = {name: [] for name in CELL.fields}
    for per_um in meshes:
        model, _ = loaded_cell(per_um, degree, dimension=dimension)
        if damage is not None:
            damage(model)
        for name in CELL.fields:
            solved = solve_block(model, name, interpolated(model), ALPHA)
            found[name].append(errors(model, solved).L2[name])
    return found


def wrong_sign_on_particles(model: CellModel) -> None:
    """Lithium that leaves the particle enters it."""
    replace_factor(model, "interface", "s", -1.0)


def wrong_sign_in_carbon(model: CellModel) -> None:
    """Electrons leave the carbon where they should enter it."""
    replace_factor(model, "interface", "phi_s", -1.0)


def other_t_ref_on_surface(model: CellModel) -> None:
    """t_ref in the volume as it is, on the interface 0.1 more."""
    factor = -(1.0 - model.reference_transference - 0.1)
    replace_factor(model, "interface", "y", factor)


def no_t_ref_on_lithium(model: CellModel) -> None:
    """The whole current as flux of salt at the lithium metal, with t_ref left in the volume."""
    replace_factor(model, "lithium", "y", 1.0)


def penalties_exchanged(model: CellModel) -> None:
    """Each particle has the other's penalty factor."""
    law = model.system.surfaces["interface"].law
    exchanged = PENALTY[::-1][model.averages.particle_of_point]
    replace_law(model, "interface", replace(law, penalty=exchanged))


def transfer_coefficients_exchanged(model: CellModel) -> None:
    """aa for ac and back."""
    law = model.system.surfaces["interface"].law
    exchanged = {"anodic": law.cathodic, "cathodic": law.anodic}
    exchange = replace(law.exchange, **exchanged)
    replace_law(model, "interface", replace(law, exchange=exchange, **exchanged))


def more_salt(model: CellModel, share: float) -> None:
    """So much more of it through the particles' surfaces."""
    factor = model.system.surfaces["interface"].factors["y"]
    replace_factor(model, "interface", "y", (1 + share) * factor)


def hundredth_more_salt(model: CellModel) -> None:
    """A hundredth more salt through the particles' surfaces."""
    more_salt(model, 0.01)


def little_more_salt(model: CellModel) -> None:
    """0.3 %: coupled, and on coarse meshes, more leaves no solution to be found."""
    more_salt(model, 0.003)


def hundredth_more_lithium(model: CellModel) -> None:
    """A hundredth more lithium through the particles' surfaces."""
    replace_factor(model, "interface", "s", 1.01)
