"""One linearisation of the cell, bordered by the scalars V and I.

With A = dR/du,

    A du + R_V dV + R_I dI = -R
    h_u du       + h_I dI  = -h       collector
            g_V dV + g_I dI = -g      terminals

is solved by one factorisation (or preconditioner) of A and one solve for each right-hand side. The
responses A^-1 R_V and A^-1 R_I belong to the linearisation. They are kept with it, and with those
that renew it in part, since they change slowly and the scalars' updates are small.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from heterode.base.accounting import Phases
from heterode.physics.balances import SCALARS
from heterode.physics.kinetics import Flux
from heterode.solver.algebra.linear import LinearSolveError, LinearSolver
from heterode.solver.equations.system import CellSystem, Residual

Floats = npt.NDArray[np.float64]


class BorderedSolver:
    """Newton updates of u, V and I from a linearisation that may be older than the residual.

    Args:
        system: assembles matrix and border.
        linear: solves with the matrix.
        phases: dictionary in which seconds are summed; None for a separate one.

    Attributes:
        alpha: d(du/dt)/du of the present linearisation, s^-1; None before the first.
        linearisations: number of linearisations so far.
        multigrid_alpha: alpha with which the multigrids and the volume terms were last made.
        phases: seconds of the parts of a solve.
    """

    def __init__(
        self, system: CellSystem, linear: LinearSolver, phases: Phases | None = None
    ) -> None:
        self._system, self._linear = system, linear
        self.phases = phases or Phases()
        self.alpha: float | None = None
        self.linearisations = 0
        self.multigrid_alpha: float | None = None
        self._responses: dict[str, Floats] = {}

    @property
    def iterative(self) -> bool:
        """Whether a partial linearisation is much cheaper than a full one."""
        return self._linear.iterative

    def linearise(self, fluxes: Mapping[str, Flux], alpha: float, *, in_part: bool = False) -> None:
        """Linearise at the state last given to `CellSystem.residual`. Collective.

        Args:
            fluxes: fluxes of that residual.
            alpha: d(du/dt)/du, s^-1.
            in_part: whether to renew only cheap parts that change fast (storage, surface terms, the
                solid's preconditioner), and to keep the electrolyte's volume terms and the
                multigrids.

        Raises:
            LinearSolveError: the matrix is singular.
        """
        in_part = in_part and self.iterative and self.alpha is not None
        self.alpha = None
        self.linearisations += 1
        with self.phases.timed("assembly"):
            border = self._system.border(fluxes, alpha)
            matrix = self._system.jacobian(fluxes, alpha, keep_volume=in_part)
        with self.phases.timed("preconditioner"):
            self._linear.use(matrix, keep_multigrid=in_part)
        if not in_part:
            with self.phases.timed("linear solves"):
                self._responses = {
                    scalar: self._linear.solve(column) for scalar, column in border.columns.items()
                }
        self._row, self._corner = border.row, border.corner
        # h_u A^-1 R_V and h_u A^-1 R_I, which are zero for a scalar that does not enter R.
        self._h = [self._product(self._responses.get(scalar.name)) for scalar in SCALARS]
        self.alpha = alpha
        if not in_part:
            self.multigrid_alpha = alpha

    def tolerance(self, asked: float) -> float:
        """Return the relative tolerance of an update for which a larger one may be enough."""
        return self._linear.tolerance(asked)

    @property
    def outdated(self) -> bool:
        """Whether the multigrids no longer suit the matrix."""
        return self._linear.outdated

    def _product(self, vector: Floats | None) -> float:
        if vector is None:
            return 0.0
        return float(self._system.layout.comm.allreduce(float(self._row @ vector)))

    def update(
        self, residual: Residual, terminal: tuple[float, float, float], tolerance: float = 0.0
    ) -> tuple[Floats, float, float]:
        """Return du, dV, dI with which the linearised equations hold. Collective.

        Args:
            residual: the residual with R and h.
            terminal: g, dg/dV and dg/dI.
            tolerance: relative tolerance of the solve, if larger than that of all.

        Raises:
            LinearSolveError: there is no finite update.
        """
        g, g_V, g_I = terminal
        with self.phases.timed("linear solves"):
            free = self._linear.solve(-residual.vector, tolerance)
        h_V, h_I = self._h
        matrix = np.array([[-h_V, self._corner - h_I], [g_V, g_I]])
        rhs = np.array([-residual.constraint - self._product(free), -g])
        try:
            dV, dI = (float(change) for change in np.linalg.solve(matrix, rhs))
        except np.linalg.LinAlgError as error:
            raise LinearSolveError("the cell's voltage does not determine its current") from error
        for scalar, change in zip(SCALARS, (dV, dI), strict=True):
            if scalar.name in self._responses:
                free -= change * self._responses[scalar.name]
        return free, dV, dI
