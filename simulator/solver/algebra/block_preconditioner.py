"""Preconditioner: a block Gauss-Seidel sweep over the fields with a suitable solver for each.

    incomplete factors   if storage dominates diffusion within a time step, as in the solid
    multigrid            if diffusion dominates, as for salt and potentials: a BoomerAMG cycle each

The table of balances gives the solver of each field, and the order of the sweep.

The right-hand side of each field is corrected for the fields before it with the coupling blocks
alone. These are small, since fields of different domains only meet on surfaces, so that a sweep
costs far less than three products with the rows of the whole matrix.
"""

from __future__ import annotations

from itertools import combinations

from petsc4py import PETSc

from heterode.solver.discretisation.layout import FieldLayout
from heterode.solver.discretisation.matrix import CoordinateMatrix

# HMIS coarsening, extended+i interpolation with four entries in a row, and two Gauss-Seidel sweeps
# on the way up gave the shortest time of a whole solve with 1e5 to 1e6 unknowns in 3D. Two sweeps
# in one direction are more effective than a symmetric one, cost the same, and lose less between
# ranks.
_MULTIGRID: dict[str, str | int | float] = {
    "pc_type": "hypre",
    "pc_hypre_type": "boomeramg",
    "pc_hypre_boomeramg_coarsen_type": "HMIS",
    "pc_hypre_boomeramg_interp_type": "ext+i",
    "pc_hypre_boomeramg_P_max": 4,
    "pc_hypre_boomeramg_strong_threshold": 0.25,
    "pc_hypre_boomeramg_grid_sweeps_down": 0,
    "pc_hypre_boomeramg_grid_sweeps_up": 2,
    "pc_hypre_boomeramg_relax_type_up": "SOR/Jacobi",
}
# Thin layers under the surfaces take more iterations in the order of the mesh file (a cube with 16
# spheres and 8 layers: 5.4 per solve, 4.4 without layers). In this order there are 3.9.
_INCOMPLETE_FACTORS: dict[str, str | int | float] = {
    "pc_type": "bjacobi",
    "sub_pc_type": "ilu",
    "sub_pc_factor_mat_ordering_type": "rcm",
}
_OPTIONS = {"incomplete factors": _INCOMPLETE_FACTORS, "multigrid": _MULTIGRID}


class BlockGaussSeidel:
    """Context of a PETSc preconditioner of type "python". All methods are collective.

    Args:
        layout: positions of the fields.
        matrix: the matrix to precondition.
        prefix: unique prefix of the PETSc options.
        fill: levels of fill of the incomplete factors.

    Attributes:
        keep_multigrid: whether the next set-up keeps the multigrids as they are.
    """

    def __init__(
        self, layout: FieldLayout, matrix: CoordinateMatrix, prefix: str, fill: int = 0
    ) -> None:
        self._fill = fill
        self._slices, self._fields = layout.slices, layout.fields
        self._kinds = {row.field: row.preconditioner for row in layout.table.rows}
        self._couplings = {
            (row, column): matrix.block(layout.slices[row], layout.slices[column])
            for column, row in combinations(layout.fields, 2)
        }
        self._diagonal = {name: matrix.block(part, part) for name, part in layout.slices.items()}
        self._solvers = {name: self._solver(name, prefix, layout) for name in layout.fields}
        vectors = {name: block.matrix.createVecs() for name, block in self._diagonal.items()}
        self._solution = {name: solution for name, (solution, _) in vectors.items()}
        self._rhs = {name: rhs for name, (_, rhs) in vectors.items()}
        self.keep_multigrid = False

    def _solver(self, name: str, prefix: str, layout: FieldLayout) -> PETSc.PC:
        pc = PETSc.PC().create(layout.comm)
        prefix = f"{prefix}{name}_"
        pc.setOptionsPrefix(prefix)
        options = PETSc.Options()
        if self._kinds[name] == "incomplete factors" and self._fill:
            options[prefix + "sub_pc_factor_levels"] = self._fill
        for key, value in _OPTIONS[self._kinds[name]].items():
            options[prefix + key] = value
        pc.setFromOptions()
        return pc

    def setUp(self, pc: PETSc.PC) -> None:
        """Read the values of the operator; PETSc calls this when they have changed."""
        for block in self._couplings.values():
            block.renew()
        for name, solver in self._solvers.items():
            if self._kinds[name] != "multigrid" or not self.keep_multigrid:
                block = self._diagonal[name].renew()
                solver.setOperators(block, block)
                solver.setUp()

    def apply(self, pc: PETSc.PC, rhs: PETSc.Vec, solution: PETSc.Vec) -> None:
        """Compute solution = M^-1 rhs; PETSc calls this."""
        given, result = rhs.array_r, solution.array_w
        for number, name in enumerate(self._fields):
            b, x = self._rhs[name], self._solution[name]
            # x serves as work space for the contributions of the fields before.
            if number:
                x.set(0.0)
                for before in self._fields[:number]:
                    self._couplings[name, before].matrix.multAdd(self._solution[before], x, x)
                b.array_w[:] = given[self._slices[name]] - x.array_r
            else:
                b.array_w[:] = given[self._slices[name]]
            self._solvers[name].apply(b, x)
            result[self._slices[name]] = x.array_r

    def destroy(self, pc: PETSc.PC) -> None:
        """Free the memory; PETSc calls this."""
        blocks = (*self._couplings.values(), *self._diagonal.values())
        for thing in (*self._solvers.values(), *(block.matrix for block in blocks)):
            thing.destroy()
        self._solvers.clear()
        self._couplings.clear()
        self._diagonal.clear()
