"""Two ways to solve with the cell's matrix.

direct       MUMPS, which is exact and better in 2D up to about 1e5 unknowns.
fieldsplit   flexible GMRES, preconditioned by `BlockGaussSeidel`: memory and time grow nearly
             linearly with the unknowns, which a direct solver in 3D cannot do.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from heterode.parameters.operation import Preset
from heterode.solver.algebra.block_preconditioner import BlockGaussSeidel
from heterode.solver.discretisation.layout import FieldLayout
from heterode.solver.discretisation.matrix import CoordinateMatrix

Floats = npt.NDArray[np.float64]

OUTDATED = 1.5
"""Ratio to the iterations of a fresh preconditioner at which it counts as outdated."""


class LinearSolveError(Exception):
    """The linear solve failed; a smaller time step may help."""


class LinearSolver:
    """Solves A x = b for the matrix of one linearisation.

    Args:
        layout: positions of the fields.
        preset: "direct" or "fieldsplit".
        relative_tolerance: relative tolerance of the iterative solve's residual.
        fill: levels of fill of the incomplete factors; a level makes up for layers whose thickness
            doubles from one to the next.

    Attributes:
        iterative: whether solves are iterative.
        relative_tolerance: as given, or 0 with the direct preset.
        iterations: number of Krylov iterations so far; 0 with the direct preset.
    """

    def __init__(
        self, layout: FieldLayout, preset: Preset, relative_tolerance: float, fill: int = 0
    ) -> None:
        self._layout, self._preset, self._fill = layout, preset, fill
        self.iterative = preset == "fieldsplit"
        self.relative_tolerance = relative_tolerance if self.iterative else 0.0
        self.iterations = 0
        self._fresh_iterations: int | None = None
        self._last_iterations = 0
        self._rhs = PETSc.Vec().createMPI((layout.owned, layout.total), comm=layout.comm)
        self._solution = self._rhs.duplicate()
        self._ksp: PETSc.KSP | None = None
        self._preconditioner: BlockGaussSeidel | None = None

    @property
    def wear(self) -> tuple[int | None, int]:
        """Iterations of the first solve with the present multigrids, if any, and of the last."""
        return self._fresh_iterations, self._last_iterations

    @wear.setter
    def wear(self, iterations: tuple[int | None, int]) -> None:
        self._fresh_iterations, self._last_iterations = iterations

    @property
    def outdated(self) -> bool:
        """Whether solves need many more iterations than when the multigrids were made."""
        fresh = self._fresh_iterations
        return fresh is not None and self._last_iterations > OUTDATED * fresh + 2

    def use(self, matrix: CoordinateMatrix, *, keep_multigrid: bool = False) -> None:
        """Factorise the matrix, whose values have changed, or set up its preconditioner.

        Args:
            matrix: the matrix, which is always the same object.
            keep_multigrid: whether to keep the multigrids of the previous matrix, which cost more
                than the rest of the set-up and become outdated slowly.
        """
        if self._ksp is None:
            self._ksp, keep_multigrid = self._create(matrix), False
        if self._preconditioner is not None:
            self._preconditioner.keep_multigrid = keep_multigrid
        if not keep_multigrid:
            self._fresh_iterations = None
        self._ksp.setOperators(matrix.petsc)
        try:
            self._ksp.setUp()
        except PETSc.Error as error:
            self._forget()
            raise LinearSolveError(f"the matrix could not be factorised ({error})") from error

    def tolerance(self, asked: float) -> float:
        """Return the relative tolerance of a solve for which a larger one may be enough."""
        return max(asked, self.relative_tolerance) if self.iterative else 0.0

    def solve(self, rhs: Floats, tolerance: float = 0.0) -> Floats:
        """Return the owned part of A^-1 rhs. Collective.

        Args:
            rhs: (owned,) right-hand side.
            tolerance: relative tolerance of an iterative solve, if larger than that of all.
        """
        # An exception inside KSPSolve would leave its vectors locked, so NaN and inf stop here.
        if not self._layout.comm.allreduce(int(not np.all(np.isfinite(rhs)))) == 0:
            raise LinearSolveError("the residual is not finite")
        assert self._ksp is not None, "use() comes first"
        self._rhs.array[:] = rhs
        tolerance = self.tolerance(tolerance)
        if self.iterative:
            self._ksp.setTolerances(rtol=tolerance)
        try:
            self._ksp.solve(self._rhs, self._solution)
        except PETSc.Error as error:
            self._forget()
            raise LinearSolveError(f"the linear solver broke down ({error})") from error
        reason = self._ksp.getConvergedReason()
        if self.iterative:
            self._count(self._ksp.getIterationNumber())
        if reason < 0:
            self._forget()
            raise LinearSolveError(f"the linear solver stopped unconverged (PETSc reason {reason})")
        return np.array(self._solution.array_r)

    def _count(self, iterations: int) -> None:
        self.iterations += iterations
        # Looser solves take fewer, so that new multigrids would gain less.
        self._last_iterations = iterations
        if self._fresh_iterations is None:
            self._fresh_iterations = self._last_iterations

    def _forget(self) -> None:
        # A solver that failed keeps a state that spoils later solves, so a new one is made.
        if self._ksp is not None:
            self._ksp.destroy()
        self._ksp, self._preconditioner = None, None
        self._rhs = PETSc.Vec().createMPI(
            (self._layout.owned, self._layout.total), comm=self._layout.comm
        )
        self._solution = self._rhs.duplicate()

    def _create(self, matrix: CoordinateMatrix) -> PETSc.KSP:
        ksp = PETSc.KSP().create(self._layout.comm)
        if self._preset == "direct":
            ksp.setType(PETSc.KSP.Type.PREONLY)
            pc = ksp.getPC()
            pc.setType(PETSc.PC.Type.LU)
            pc.setFactorSolverType("mumps")
            return ksp
        ksp.setType(PETSc.KSP.Type.FGMRES)
        ksp.setGMRESRestart(60)
        ksp.setTolerances(rtol=self.relative_tolerance, atol=0.0, max_it=300)
        self._preconditioner = BlockGaussSeidel(
            self._layout, matrix, f"heterode_{id(self)}_", self._fill
        )
        pc = ksp.getPC()
        pc.setType(PETSc.PC.Type.PYTHON)
        pc.setPythonContext(self._preconditioner)
        return ksp
