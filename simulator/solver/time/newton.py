"""Safeguarded Newton's method for one time step.

It converges to a physically sensible state or explains in words why not, and never returns a wrong
answer. Assembling and factorising a matrix, or setting up its preconditioner, costs more than
everything else together. The linearisation is therefore kept from iteration to iteration and from
step to step, as long as the updates shrink fast. The result is the same, since the residual alone
decides when the equations are satisfied. For the same reason a Krylov solve need not be exact.

The fields are only needed as well as the time scheme knows them, but charge, lithium and salt must
not be lost. The last iterate's balances are therefore closed on their own (`closure`). A further
update is made if that moves the iterate by more than a time step may be wrong, or, where the
estimate of its error does not suffice, by more than Newton's method may leave. Where the balances
cannot be closed, updates go on until they are met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from heterode.physics.kinetics import Flux
from heterode.results.sample import Extremes
from heterode.solver.algebra.bordered import BorderedSolver
from heterode.solver.algebra.linear import LinearSolveError
from heterode.solver.equations.norms import FieldNorms, Tolerances
from heterode.solver.equations.system import CellSystem, Residual
from heterode.solver.time.bdf import Rates
from heterode.solver.time.closure import STALLED, Closed, Closure, Instant
from heterode.solver.time.forcing import Foreseen, forcing_term, remaining, solved_well_enough
from heterode.solver.time.limits import Limits
from heterode.solver.time.terminal import TerminalControl

Floats = npt.NDArray[np.float64]

VOLTAGE_SEARCH = 2.0
"""Largest distance from the last voltage to the one after a jump of the current, V."""

STALE = 0.3
"""Relative change of alpha beyond which an older linearisation is not tried."""

SLOW = 0.2
"""Ratio of an update to the one before from which a new linearisation is needed."""

ROUNDED = 1e-7
"""Imbalance that rounding may cause, for example at currents far below the exchange current; it is
larger if stored quantities change by less than their last digit in a time step (`_rounding`)."""

LARGE = 100.0
"""Size of a first update, in tolerances, from which a new linearisation is needed as well."""

FAR = 1.0
"""Shift by which balances are closed, in tolerances, from which the iterate is not near enough."""

PROMISING = 5.0
"""Estimated error of a first iterate, as a multiple of what it may have, up to which its balances
are closed to see whether the error is smaller."""

HOPELESS = 1e8
"""Size of an update, in tolerances, that means divergence."""


OUTGROWN = 4.0
"""Ratio of two alphas beyond which multigrids made for one do not suit the other."""


class Renewal(Enum):
    """The part of a linearisation that is renewed."""

    NONE = 0
    IN_PART = 1
    WHOLE = 2


class StepRejectedError(Exception):
    """The step cannot be accepted; the text explains why to the user."""


class StepAbandonedError(Exception):
    """The run was requested to end, so the present step is abandoned without a verdict."""


@dataclass(frozen=True)
class Linearised:
    """The state at which the present linearisation was made, and can be made again.

    Attributes:
        vector: (owned,) state.
        V, I: cell voltage, V, and current, A.
        alpha: d(du/dt)/du, s^-1.
    """

    vector: Floats
    V: float
    I: float
    alpha: float


@dataclass(frozen=True)
class Converged:
    """A converged step.

    Attributes:
        vector: (owned,) state.
        V, I: cell voltage, V, and current, A.
        fluxes: surface currents at that state.
        totals: integrals of these currents, A.
        charge_error: |sum of interface currents - I| relative to the current.
        iterations: number of Newton iterations.
        extremes: extremes of the fields.
    """

    vector: Floats
    V: float
    I: float
    fluxes: Mapping[str, Flux]
    totals: Mapping[str, float]
    charge_error: float
    iterations: int
    extremes: Extremes


class Newton:
    """Solves the cell's equations at one time level.

    Args:
        system: assembles the equations.
        bordered: solves with their linearisation.
        norms: norms of the fields.
        tolerances: tolerances of the fields and of charge.
        current_scale: current, A; charge errors are relative to I or a thousandth of this.
        closure: closes the balances of the last iterate; None to update until they are met.
        abandon: called before each iteration; if true, `StepAbandonedError` is raised. It is
            collective.

    Attributes:
        layout: positions of the fields.
        iterations: number of Newton iterations so far, including rejected steps.
        unclosed: number of iterates whose balances could not be closed.
        foreseen: what is known of the next time step's first update; None after a jump.
    """

    def __init__(
        self,
        system: CellSystem,
        bordered: BorderedSolver,
        norms: FieldNorms,
        tolerances: Tolerances,
        current_scale: float,
        abandon: Callable[[], bool] = lambda: False,
        closure: Closure | None = None,
    ) -> None:
        self._abandon, self._closure = abandon, closure
        self._at: Linearised | None = None
        self._system, self._bordered, self._norms = system, bordered, norms
        self._tolerances, self._current_scale = tolerances, current_scale
        self.layout, self._limits = system.layout, Limits(system)
        self.iterations = self.unclosed = 0
        self.foreseen: Foreseen | None = None

    def solve(
        self,
        guess: Floats,
        V: float,
        I: float,
        control: TerminalControl,
        rates: Rates,
    ) -> Converged:
        """Find u, V, I at a new time. Collective.

        Args:
            guess: (owned,) start of the fields.
            V, I: start of the scalars, V and A.
            control: relation at the terminals.
            rates: du/dt and dV/dt there.

        Raises:
            StepRejectedError: there is no convergence, or only to an unphysical state.
            StepAbandonedError: `abandon` returned true.
        """
        vector, alpha = guess, rates.alpha

        def residual_at(vector: Floats, V: float, I: float) -> Residual:
            return self._residual(vector, rates(vector), V, I, rates.of_voltage(V))

        residual, allowed = residual_at(vector, V, I), self._tolerances.update
        expected = np.inf if self.foreseen is None else self.foreseen.at(alpha)
        renewal, before, imbalance_before = self._first_renewal(alpha), np.inf, np.inf
        for iteration in range(1, self._tolerances.iterations + 1):
            if self._abandon():
                raise StepAbandonedError
            self.iterations += 1
            try:
                if renewal is not Renewal.NONE:
                    in_part = renewal is Renewal.IN_PART
                    self._bordered.linearise(residual.fluxes, alpha, in_part=in_part)
                    if not in_part:
                        self._at = Linearised(vector, V, I, alpha)
                forcing = forcing_term(expected, allowed)
                du, dV, dI = self._bordered.update(residual, control(V, I), forcing)
            except LinearSolveError as failure:
                raise StepRejectedError(str(failure)) from failure
            vector, V, I = vector + du, V + dV, I + dI
            size = self._size(du, dV)
            if not size < HOPELESS:
                self._bordered.alpha = None
                raise StepRejectedError("Newton's method diverged" + self._suspicion(vector))
            fresh = renewal is not Renewal.NONE
            if iteration == 1:
                self.foreseen = Foreseen(size, alpha)
            left = remaining(size, before, fresh=fresh)
            solved = solved_well_enough(self._bordered.tolerance(forcing), size, allowed)
            settled = solved and left < allowed
            # What is left is what the next update has to mend. Balances leave no such freedom.
            expected = np.inf if settled else left
            # The estimate after a first update is a pessimistic one.
            closable = allowed * (PROMISING if fresh and iteration == 1 else 1.0)
            if solved and left < closable and self._closure is not None:
                instant = Instant(control, rates, self._scale(I))
                closed = self._closed(self._closure, vector, V, I, instant)
                if closed is not None:
                    vector, V, I = closed.vector, closed.V, closed.I
                    # The shifts are a part of the error, and a measured one.
                    if self._shifted(closed) < (FAR if settled else allowed):
                        return self._finished(closed, iteration)
                    settled = False
            residual = residual_at(vector, V, I)
            totals = self._system.totals(residual.fluxes)
            error = self._charge_error(totals, I)
            imbalance = max(error, self._leak(residual.vector, I))
            if settled and (
                self._balanced(imbalance, imbalance_before, alpha, vector, V, I, fresh=fresh)
            ):
                extremes = self._within_bounds(vector, residual.fluxes)
                return Converged(vector, V, I, residual.fluxes, totals, error, iteration, extremes)
            # The first update does not show yet how fast updates shrink.
            shrinking = size < (SLOW * before if iteration > 1 else LARGE)
            keep = shrinking and imbalance <= STALLED * imbalance_before
            renewal = Renewal.NONE if keep else Renewal.WHOLE
            before, imbalance_before = size, imbalance
        self._bordered.alpha = None
        raise StepRejectedError(
            f"Newton's method did not converge in {self._tolerances.iterations} iterations"
            + self._suspicion(vector, unconverged=True)
        )

    def _closed(
        self, closure: Closure, vector: Floats, V: float, I: float, instant: Instant
    ) -> Closed | None:
        """Return the iterate with closed balances, or None if rounding does not explain the rest.

        Collective.
        """
        with self._bordered.phases.timed("assembly"):
            closed = closure.close(vector, V, I, instant)
        if closed is not None:
            rounding = self._rounding(instant.rates.alpha, closed.vector, closed.V, closed.I)
            if closed.imbalance < max(self._tolerances.charge, rounding):
                return closed
        self.unclosed += 1
        return None

    def _shifted(self, closed: Closed) -> float:
        """Return the largest shift by which balances were closed, in tolerances."""
        allowed = {**self._tolerances.fields, "V": self._tolerances.voltage}
        return max(closed.shifts[name] / allowed[name] for name in closed.shifts)

    def _finished(self, closed: Closed, iteration: int) -> Converged:
        """Return a closed iterate as a converged step, within its bounds. Collective."""
        error = self._charge_error(closed.totals, closed.I)
        extremes = self._within_bounds(closed.vector, closed.fluxes)
        state = (closed.vector, closed.V, closed.I, closed.fluxes)
        return Converged(*state, closed.totals, error, iteration, extremes)

    def _residual(
        self, vector: Floats, rate: Floats, V: float, I: float, rate_V: float
    ) -> Residual:
        with self._bordered.phases.timed("assembly"):
            return self._system.residual(vector, rate, V, I, rate_V)

    def _first_renewal(self, alpha: float) -> Renewal:
        """Return the renewal with which a time step begins."""
        bordered = self._bordered
        old = bordered.alpha
        if old is None:
            return Renewal.WHOLE
        if not bordered.iterative:
            return Renewal.NONE if abs(alpha / old - 1) < STALE else Renewal.WHOLE
        assert bordered.multigrid_alpha is not None
        ratio = alpha / bordered.multigrid_alpha
        if bordered.outdated or not 1 / OUTGROWN < ratio < OUTGROWN:
            return Renewal.WHOLE
        return Renewal.IN_PART

    @property
    def linearised(self) -> Linearised | None:
        """State of the present linearisation; None if the next solve makes a new one."""
        return self._at if self._bordered.alpha is not None else None

    def relinearise(self, at: Linearised | None) -> None:
        """Adopt the linearisation of another run, made at `at`, or none. Collective.

        Otherwise the iterates, and thus the last digits of each step, would differ from that run's.
        """
        self._at, self._bordered.alpha = at, None
        if at is None:
            return
        residual = self._system.residual(at.vector, at.alpha * at.vector, at.V, at.I)
        try:
            self._bordered.linearise(residual.fluxes, at.alpha)
        except LinearSolveError:
            # The next solve makes its own linearisation.
            self._at = None

    def _balanced(
        self,
        imbalance: float,
        before: float,
        alpha: float,
        vector: Floats,
        V: float,
        I: float,
        *,
        fresh: bool,
    ) -> bool:
        """Check that charge and lithium balance, to the tolerance or as far as rounding allows."""
        if imbalance < self._tolerances.charge:
            return True
        # An imbalance that a linearisation at the last iterate cannot reduce is rounding.
        stalled = fresh and imbalance > STALLED * before
        return stalled and imbalance < max(ROUNDED, self._rounding(alpha, vector, V, I))

    def _rounding(self, alpha: float, vector: Floats, V: float, I: float) -> float:
        """Return the current, relative to I, that the last digits of stored quantities amount to.

        At time steps well below 1 ms, as just after a jump to rest, it is more than ROUNDED.
        """
        system = self._system
        lithium = system.stored(self.layout.table.lithium, vector)
        stored = abs(lithium) + abs(system.double_layer_charge(vector, V))
        return float(np.finfo(np.float64).eps * alpha * stored / self._scale(I))

    def consistent_voltage(
        self, vector: Floats, V: float, I: float, control: TerminalControl
    ) -> float:
        """Find the voltage at which the interface carries the prescribed current. Collective.

        All fields are kept. Newton's method should start there after a jump of the current: from
        the old voltage its first update, by the tangent at small currents, would overshoot, and
        then return by only 2RT/F in each iteration, since the current is exponential.

        Returns:
            The voltage, or the given V if the control prescribes it, or if none is found within
            2 V.
        """
        if control(V, I)[2] == 0.0:
            return V
        values = self._system.layout.spread(vector)

        def excess(voltage: float) -> float:
            # Relations are linear in I, so this solves g(voltage, wanted) = 0.
            g, _, g_I = control(voltage, I)
            wanted = I - g / g_I
            return self._system.reaction_current(values, voltage, wanted) - wanted

        low, high = V - VOLTAGE_SEARCH, V + VOLTAGE_SEARCH
        if control(low, I)[2] <= 0.0:
            # At voltages below zero, a power does not correspond to a current.
            low = 0.5 * V
        if excess(low) * excess(high) >= 0.0:
            return V
        return float(brentq(excess, low, high, xtol=1e-6))

    def _size(self, du: Floats, dV: float) -> float:
        norms = self._norms(du)
        relative = [norms[name] / self._tolerances.fields[name] for name in self.layout.fields]
        return float(max([*relative, abs(dV) / self._tolerances.voltage]))

    def _charge_error(self, totals: Mapping[str, float], I: float) -> float:
        return abs(self._system.reacted(totals) - I) / self._scale(I)

    def _leak(self, residual: Floats, I: float) -> float:
        """Return the lithium, relative to I, that particles lose without passing their surfaces."""
        rows = float(residual[self.layout.slices[self.layout.table.lithium.field]].sum())
        return abs(float(self.layout.comm.allreduce(rows))) / self._scale(I)

    def _scale(self, I: float) -> float:
        return max(abs(I), 1e-3 * self._current_scale)

    def _within_bounds(self, vector: Floats, fluxes: Mapping[str, Flux]) -> Extremes:
        """Return the extremes of a converged state, which is refused if it is unphysical."""
        extremes, why = self._limits.extremes(vector, fluxes)
        if why:
            raise StepRejectedError(why)
        return extremes

    def _suspicion(self, vector: Floats, *, unconverged: bool = False) -> str:
        """Return what an iterate suggests as a cause of the failure, for the message, or ""."""
        # The last iterate may be one that would be refused even if it had converged.
        refused = self._limits.extremes(vector, {})[1] if unconverged else ""
        return f", and in the last one {refused}" if refused else self._limits.shown(vector)
