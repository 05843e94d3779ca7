"""Advances from one accepted state to the next: predictor, corrector, error control.

A step whose error is too large, or that Newton's method rejects, is repeated with a smaller length;
if the smallest step is rejected too, the user is given the reason.

Time errors are estimated for lithium, salt and the cell voltage, from which potentials follow at
each instant. The interface's double layer stores charge, and the potential difference across it
does not jump with the current. It is therefore extrapolated and assessed like lithium and salt, and
this from the first step after a jump on, since it may have been charged within that step.

After a jump, surfaces move with the square root of time. What the first steps miss of it is known
from a particle that is followed beside the cell (`surface_lithium`), which also limits the length
of each step beforehand. The voltage is then predicted as a function of the square root of time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from heterode.base.errors import SolveError
from heterode.solver.equations.norms import FieldNorms, Tolerances
from heterode.solver.time.bdf import HIGHEST_ORDER, Differentiation, differentiation, extrapolation
from heterode.solver.time.newton import Newton, StepRejectedError
from heterode.solver.time.state import Candidate, Memory, State
from heterode.solver.time.surface_lithium import (
    RESOLVING,
    SurfaceLithium,
    SurfaceState,
    waiting,
)
from heterode.solver.time.terminal import TerminalControl

Floats = npt.NDArray[np.float64]
ChargingNorm = Callable[[Floats, float], float]
"""Function of an owned vector and the cell voltage that returns the size, V, of the potential
difference across the double layer. It is a norm of the two, and collective."""

SAFETY = 0.9
LARGEST_GROWTH = 2.0
SMALLEST_SHRINK = 0.25
AFTER_REJECTION = 0.25

BOUNDING = 2.0
"""Factor by which the error of the followed particle counts, since particles differ."""

FIRST = 1.25
"""Ratio of the voltage error that the first step after a jump may make to that of later steps: its
error dies away fastest."""

FAR = 0.5
"""Difference between current and prediction, relative to the larger one, that counts as a jump: a
table may change from one current to the opposite one within a time step."""


class Stepper:
    """Advances the cell in time.

    Args:
        newton: solves one time level.
        norms, tolerances: norms and tolerances of the time error.
        start: the first state.
        smallest_step: smallest time step, s.
        highest_order: highest order of the time scheme.
        charging: norm of the double layer; None without one.
        surface: the particle that is followed for the time error; None for none.
        resolves: whether this particle limits the time steps.

    Attributes:
        resolves: as given.
    """

    def __init__(
        self,
        newton: Newton,
        norms: FieldNorms,
        tolerances: Tolerances,
        start: State,
        smallest_step: float,
        highest_order: int = HIGHEST_ORDER,
        charging: ChargingNorm | None = None,
        surface: SurfaceLithium | None = None,
        *,
        resolves: bool = True,
    ) -> None:
        self._newton, self._norms, self._tolerances = newton, norms, tolerances
        self._charging, self._surface = charging, surface
        self.resolves = resolves and surface is not None
        if surface is not None:
            start = replace(start, surface=surface.at_rest(start.vector, start.fluxes))
        self._past = [start]
        self._jump = start.time
        self.smallest_step, self._highest = smallest_step, highest_order
        self.steps = 0
        self.rejected = 0

    @property
    def state(self) -> State:
        """The last accepted state."""
        return self._past[0]

    @property
    def memory(self) -> Memory:
        """All on which the next steps depend, except their control."""
        return Memory(tuple(self._past), self._jump, self.steps, self.rejected)

    def recall(self, memory: Memory) -> None:
        """Continue from the memory of another stepper."""
        self._past, self._jump = list(memory.past), memory.jump
        self.steps, self.rejected = memory.steps, memory.rejected
        newest = self.state
        if self._surface is not None and newest.surface is None:
            # Older checkpoints do not have it.
            rest = self._surface.at_rest(newest.vector, newest.fluxes)
            self._past = [replace(state, surface=rest) for state in self._past]

    def restart(self) -> None:
        """Forget the past except the last state, since the terminals' control is about to jump."""
        self._past = self._past[:1]
        self._jump = self.state.time
        self._newton.foreseen = None

    def jumped(self, step: float, control: TerminalControl) -> State | None:
        """Return the state after a change of control alone, from the interface. Collective.

        All fields are kept, so that the voltage drop across the cell is left out.

        Args:
            step: time step, s, over which the control gives its current.
            control: the new control.

        Returns:
            The present state with another V and I; None if the control prescribes the voltage, or
            with a double layer, which prevents jumps.
        """
        if self._charging is not None:
            return None
        now = self.state
        times = [now.time + step, now.time]
        control = control.over(differentiation(times[0], times[1:], self._highest), times)
        V = self._newton.consistent_voltage(now.vector, now.V, now.I, control)
        g, _, g_I = control(V, now.I)
        return replace(now, V=V, I=now.I - g / g_I) if g_I != 0.0 else None

    def attempt(self, step: float, control: TerminalControl) -> Candidate:
        """Solve for the state `step` seconds ahead.

        Raises:
            StepRejectedError: as in `Newton.solve`.
        """
        now = self.state
        times = [state.time for state in self._past]
        time = now.time + step
        scheme = differentiation(time, times, self._highest)
        control = control.over(scheme, [time, *times])
        past = self._past
        rates = scheme.rates([state.vector for state in past], [state.V for state in past])
        guess, V, I = self._predicted(time)
        V_predicted = self._voltage_by_root(time) if self.resolves else V
        if now.time <= self._jump or _is_far(control, V, I):
            V = self._newton.consistent_voltage(guess, V, I, control)
            V_predicted = V
        solved = self._newton.solve(guess, V, I, control, rates)
        past_charge = float(scheme.past([state.charge for state in self._past]))
        past_energy = float(scheme.past([state.energy for state in self._past]))
        state = State(
            time=time,
            vector=solved.vector,
            V=solved.V,
            I=solved.I,
            charge=(solved.I - past_charge) / scheme.alpha,
            fluxes=solved.fluxes,
            charge_error=solved.charge_error,
            extremes=solved.extremes,
            energy=(solved.V * solved.I - past_energy) / scheme.alpha,
            since_jump=time - self._jump,
        )
        state = self._followed(scheme, state)
        error, missed = self._time_error(scheme, state, guess, V_predicted)
        bound = self._voltage_bound(state, missed, control)
        return Candidate(replace(state, voltage_time_error=bound), error, scheme.order)

    def _followed(self, scheme: Differentiation, state: State) -> State:
        """Return the state with the particle that is followed for the time error."""
        if self._surface is None:
            return state
        now = self.state
        surface = self._surface.after(
            state.time - now.time,
            self._surfaces(),
            scheme,
            self._surface.probe(state.vector, state.fluxes),
            jumped=now.time <= self._jump,
        )
        return replace(state, surface=surface)

    def _surfaces(self) -> list[SurfaceState]:
        return [state.surface for state in self._past if state.surface is not None]

    def _voltage_bound(self, state: State, missed: float, control: TerminalControl) -> float:
        """Return a bound of the time error of V, V.

        Args:
            state: the state with V.
            missed: error of V within the last step, V.
            control: what the terminals prescribe at that state.
        """
        if control(state.V, state.I)[2] == 0.0:
            # V is prescribed.
            return 0.0
        followed = 0.0 if state.surface is None else abs(state.surface.voltage_error)
        return max(BOUNDING * followed, abs(missed))

    def _time_error(
        self, scheme: Differentiation, state: State, guess: Floats, V: float
    ) -> tuple[float | None, float]:
        """Return the ratio of the estimated error to the tolerance, and the voltage's error, V.

        The ratio is None without an estimate.

        Args:
            scheme: the scheme that led to `state`.
            guess, V: its prediction.
        """
        errors, dV = [], 0.0
        if scheme.error_factor is not None:
            # V is only predicted to the same order if there are enough states since the jump.
            smooth = len(self._since_jump()) > scheme.order
            dV = scheme.error_factor * (state.V - V) if smooth else 0.0
            errors.append(self._error(scheme.error_factor * (state.vector - guess), dV))
        if self._charging is not None:
            errors.append(self._charging_error(scheme, state, self._charging))
        if self.resolves and state.time - self.state.time > RESOLVING:
            errors.append(self._surface_error(scheme, state))
        return max(errors, default=None), dV

    def _surface_error(self, scheme: Differentiation, state: State) -> float:
        """Return the ratio of the error that the step adds at the surfaces to the tolerance."""
        assert self._surface is not None
        before, after = self.state.surface, state.surface
        assert before is not None
        assert after is not None
        wait = waiting(state.time - self._jump)
        own = self._surface.own_error(state.time - self.state.time, before, after, wait)
        return abs(own) / self._voltage_allowed(scheme.order)

    def _voltage_allowed(self, order: int) -> float:
        return self._tolerances.voltage * (FIRST if order == 1 else 1.0)

    def _charging_error(
        self, scheme: Differentiation, state: State, charging: ChargingNorm
    ) -> float:
        """Return the error of the double layer, or an upper bound if the past is too short.

        In the latter case the predictor has a lower order than the scheme and a larger error.
        """
        weights = extrapolation(state.time, [past.time for past in self._past], self._highest)
        behind = list(zip(weights, self._past, strict=False))
        vector = state.vector - sum(w * past.vector for w, past in behind)
        V = state.V - sum(w * past.V for w, past in behind)
        factor = 1.0 if scheme.error_factor is None else scheme.error_factor
        return factor * charging(vector, V) / self._tolerances.voltage

    def _since_jump(self) -> list[State]:
        """Return the past states under the present control, or the last state if there is none."""
        return [state for state in self._past if state.time > self._jump] or self._past[:1]

    def _predicted(self, time: float) -> tuple[Floats, float, float]:
        """Return vector, V and I extrapolated to `time`.

        Stored fields continue where the control jumped; potentials, V and I jump with it, and are
        extrapolated from the states since the jump alone.
        """
        weights = extrapolation(time, [state.time for state in self._past], self._highest)
        guess = np.asarray(sum(w * s.vector for w, s in zip(weights, self._past, strict=False)))
        behind = self._since_jump_weighted(time)
        stored = self._newton.layout.stored.stop
        guess[stored:] = sum(w * s.vector[stored:] for w, s in behind)
        return guess, *_terminals(behind)

    def _since_jump_weighted(self, time: float) -> list[tuple[float, State]]:
        """Return the states since the jump with the weights that extrapolate them to `time`."""
        since = self._since_jump()
        weights = extrapolation(time, [state.time for state in since], self._highest)
        return list(zip(weights, since, strict=False))

    def _voltage_by_root(self, time: float) -> float:
        """Return V extrapolated to `time` as a function of the root of the time since the jump."""
        since = self._since_jump()
        roots = [np.sqrt(max(state.time - self._jump, 0.0)) for state in since]
        weights = extrapolation(np.sqrt(time - self._jump), roots, self._highest)
        return float(sum(w * s.V for w, s in zip(weights, since, strict=False)))

    def _error(self, difference: Floats, dV: float) -> float:
        norms = self._norms(difference)
        # Fields that are not stored follow from those that are, and from V, at each instant.
        allowed = self._tolerances.fields
        stored = [norms[r.field] / allowed[r.field] for r in self._newton.layout.table.stored]
        return float(max([*stored, abs(dV) / self._tolerances.voltage]))

    def advance(self, step: float, control: TerminalControl) -> tuple[Candidate, float]:
        """Find an acceptable candidate at most `step` seconds ahead.

        Returns:
            The candidate, which is not accepted yet, and a step to try after it.

        Raises:
            SolveError: even the smallest step was rejected.
        """
        step = self._foreseen(step, control)
        while True:
            try:
                candidate = self.attempt(step, control)
            except StepRejectedError as rejection:
                self.rejected += 1
                if step <= self.smallest_step:
                    now = self.state
                    raise SolveError(
                        str(rejection), time_s=now.time, step_s=step, voltage_V=now.V
                    ) from rejection
                step = max(AFTER_REJECTION * step, self.smallest_step)
                continue
            factor = self._growth(candidate)
            if candidate.error is None or candidate.error <= 1.0 or step <= self.smallest_step:
                return candidate, step * factor
            self.rejected += 1
            step = max(step * min(factor, SAFETY), self.smallest_step)

    def _foreseen(self, step: float, control: TerminalControl) -> float:
        """Return the length of a step, or a shorter one whose error is small enough."""
        if not self.resolves or step <= RESOLVING:
            return step
        assert self._surface is not None
        now, times = self.state, [state.time for state in self._past]
        scale = self._surface.flux_of_current

        def scheme(length: float) -> Differentiation:
            return differentiation(now.time + length, times, self._highest)

        def flux(length: float) -> float:
            time = now.time + length
            given = control.over(scheme(length), [time, *times])
            V, I = _terminals(self._since_jump_weighted(time))
            g, _, g_I = given(V, I)
            return scale * (I - g / g_I if g_I != 0.0 else I)

        def allowed(order: int) -> float:
            return SAFETY * self._voltage_allowed(order)

        elapsed = now.time - self._jump
        return self._surface.longest(step, self._surfaces(), scheme, flux, allowed, elapsed)

    def _growth(self, candidate: Candidate) -> float:
        if candidate.error is None:
            return LARGEST_GROWTH
        ideal = SAFETY * max(candidate.error, 1e-12) ** (-1 / (candidate.order + 1))
        return float(np.clip(ideal, SMALLEST_SHRINK, LARGEST_GROWTH))

    def accept(self, candidate: Candidate) -> State:
        """Make the candidate the present state, and return it."""
        self.steps += 1
        # Only the fluxes of the present state are ever read.
        self._past[0] = replace(self._past[0], fluxes={})
        self._past = [candidate.state, *self._past[: self._highest]]
        return candidate.state


def _terminals(behind: Sequence[tuple[float, State]]) -> tuple[float, float]:
    """Return V and I extrapolated from weighted states."""
    return sum(w * s.V for w, s in behind), sum(w * s.I for w, s in behind)


def _is_far(control: TerminalControl, V: float, I: float) -> bool:
    """Check whether the prescribed current is far from the predicted one."""
    g, _, g_I = control(V, I)
    if g_I == 0.0:
        return False
    change = g / g_I
    return abs(change) > FAR * max(abs(I), abs(I - change))
