"""A protocol step in terms of the cell: controls, cut-offs and time steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from heterode.protocol import Cutoff, Rate, Step
from heterode.protocol.sequence import Task
from heterode.solver.time.state import State
from heterode.solver.time.terminal import (
    ConstantCurrent,
    ConstantPower,
    ConstantVoltage,
    PrescribedCharge,
    Prescription,
    TerminalControl,
)

HOUR = 3600.0

VOLTAGE_PRECISION = 1e-6
"""Precision with which a voltage is met, V."""

RELATIVE_PRECISION = 1e-6
"""Relative precision with which a current, a capacity or a lithium fraction is met."""

PATIENCE = 100.0
"""Longest duration of a step in full charges; a longer one counts as never ending."""


@dataclass(frozen=True)
class Pace:
    """Time steps of a march, and the reference quantities of protocols.

    Attributes:
        one_C: cell current of 1C, A.
        area: collector area, m^2.
        initial_step: first time step of a protocol step, s; with None it is chosen.
        largest_fraction: ratio of the largest time step to a full charge at the step's rate.
        potential: mean open-circuit potential, V, which converts a power to a rate.
        lithium_fraction: returns a state's mean over the particles; collective.
    """

    one_C: float
    area: float
    initial_step: float | None
    largest_fraction: float
    potential: float
    lithium_fraction: Callable[[State], float]

    def current(self, rate: Rate) -> float:
        """Return the cell current, A, of a rate."""
        return rate.current_density(self.one_C / self.area) * self.area

    def named_current(self, step: Step) -> float | None:
        """Return the magnitude of a step's cell current, A; None for a hold and a rest."""
        if step.rate is not None:
            return self.current(step.rate)
        density = step.current_density(self.one_C / self.area, self.potential)
        return None if density is None else density * self.area

    def full_charge(self, current: float) -> float:
        """Return the time, s, of a full charge at a cell current, A."""
        return HOUR * self.one_C / current


@dataclass(frozen=True)
class Event:
    """A cut-off, or a stop, as a function that is negative before it and positive beyond.

    Attributes:
        distance: returns a state's distance, in units of the precision.
        text: text for the user when it is met.
        leaves: level of the group of steps that it ends; None if it only ends its step.
        stop: voltage, V, of a stop, after which the step continues; None for a cut-off.
        jumps: whether a change of control alone may lead beyond it.
    """

    distance: Callable[[State], float]
    text: str
    leaves: int | None = None
    stop: float | None = None
    jumps: bool = False

    @property
    def level(self) -> float:
        """Level of what it ends: the lower, the larger is the part of the protocol that ends."""
        return float("inf") if self.leaves is None else self.leaves


@dataclass(frozen=True)
class Stretch:
    """A part of a step within which the control is smooth.

    Attributes:
        control: relation at the terminals.
        end: time at which it ends, s.
        sloped: whether the current changes within it.
    """

    control: TerminalControl
    end: float
    sloped: bool = False


class StepPlan:
    """The plan by which a protocol step is marched.

    Args:
        task: the step and the groups around it.
        pace: reference quantities and time steps.
        begin: time at which the step began, s.
        charge: charge passed until then, A s.
        last_current: magnitude of the last current before it, A.
        stops: voltages of stops in charges and discharges, V.

    Attributes:
        text: text of the step.
        duration: duration, s, or None.
        current: magnitude of its current, or of the last one before it, A.
        sign: -1 for a discharge, otherwise 1.
        events: its cut-offs except the duration.
        stops: its stops.
        largest, first: largest and first time step, s.
        begin, deadline: times of its beginning and of its latest possible end, s.
    """

    def __init__(
        self,
        task: Task,
        pace: Pace,
        begin: float,
        charge: float,
        last_current: float,
        stops: Sequence[float] = (),
    ) -> None:
        self._step, self._pace, self._charge = task.step, pace, charge
        step, self.text = task.step, task.step.text
        self.current = pace.named_current(step) or last_current
        self.sign = -1.0 if step.kind == "discharge" else 1.0
        times = [c.value for c in step.cutoffs if c.quantity == "time"]
        times += [step.table.duration] if step.table is not None else []
        self.duration = min((float(t) for t in times if isinstance(t, float)), default=None)
        self.events = [
            *(self._event(c, None) for c in step.cutoffs if c.quantity != "time"),
            *(self._event(cutoff, level) for cutoff, level in task.endings),
        ]
        moving = step.kind in ("charge", "discharge")
        self.stops = [self._voltage(V, self.sign, None, stop=V) for V in stops if moving]
        full = pace.full_charge(self.current)
        self.largest = pace.largest_fraction * full
        if step.kind == "rest" and self.duration is not None:
            self.largest = min(self.largest, self.duration / 10)
        self.first = pace.initial_step or min(1.0, 1e-4 * full)
        self.begin = begin
        self.deadline = begin + (self.duration if self.duration is not None else PATIENCE * full)
        self._whole = Stretch(self._control(), self.deadline)

    def stretch(self, time: float) -> Stretch:
        """Return the stretch that starts at a time, s, or contains it."""
        table = self._step.table
        if table is None:
            return self._whole
        row = table.stretch(time - self.begin)
        _, slope = table.along(row)
        end = min(self.begin + table.times[row + 1], self.deadline)
        return Stretch(self._whole.control, end, slope != 0.0)

    def prescribed(self, begin: float, end: float) -> Prescription:
        """Return what the step prescribes between two of its times, s."""
        control = self._whole.control
        match control:
            case PrescribedCharge():
                return Prescription(charge=control.passed(begin, end))
            case ConstantCurrent():
                return Prescription(charge=control.current * (end - begin))
            case ConstantPower():
                return Prescription(energy=control.power * (end - begin))
        return Prescription()

    def _passed(self, begin: float, end: float) -> float:
        """Return the charge of the step's current table between two times, s, in A s."""
        table = self._step.table
        assert table is not None
        return self._pace.area * table.passed(begin - self.begin, end - self.begin)

    def _control(self) -> TerminalControl:
        step = self._step
        if step.table is not None:
            return PrescribedCharge(self._passed)
        if step.voltage is not None:
            return ConstantVoltage(step.voltage)
        if step.power is not None:
            return ConstantPower(self.sign * step.power * self._pace.area)
        flows = step.rate is not None
        return ConstantCurrent(self.sign * self.current if flows else 0.0)

    def reached(self, state: State, *, by_jump: bool) -> Event | None:
        """Return the cut-off at a state or before it; of several, that of the outermost group.

        Args:
            state: the state where the step begins, or just after its change of control.
            by_jump: whether to check the cut-offs that this change may cross, or the others.
        """
        events = [event for event in self.events if event.jumps == by_jump]
        met = [event for event in events if event.distance(state) > -1.0]
        return min(met, key=lambda event: event.level, default=None)

    def pending(self, state: State) -> list[Event]:
        """Return the stops that are beyond a state."""
        return [stop for stop in self.stops if stop.distance(state) < -1.0]

    def progress(self, state: State) -> float | None:
        """Return the progress, 0 to 1, by duration or capacity, or None if the step has neither."""
        if self.duration is not None:
            return (state.time - self.begin) / self.duration
        capacity = self._step.cutoff("capacity")
        if isinstance(capacity, float):
            return min(1.0, abs(state.charge - self._charge) / (capacity * self._pace.area))
        return None

    # -- cut-offs ---------------------------------------------------------------------------

    def _event(self, cutoff: Cutoff, leaves: int | None) -> Event:
        value = cutoff.value
        if isinstance(value, Rate):
            return self._current(self._pace.current(value))
        if cutoff.quantity == "capacity":
            return self._capacity(value * self._pace.area)
        # Charging raises the voltage and extracts lithium.
        side = {"above": 1.0, "below": -1.0}
        if cutoff.quantity == "lithium fraction":
            return self._fraction(value, side.get(cutoff.side, -self.sign), leaves)
        return self._voltage(value, side.get(cutoff.side, self.sign), leaves)

    def _voltage(
        self, limit: float, sign: float, leaves: int | None, stop: float | None = None
    ) -> Event:
        return Event(
            lambda state: sign * (state.V - limit) / VOLTAGE_PRECISION,
            f"reached {limit:g} V",
            leaves,
            stop,
            jumps=True,
        )

    def _fraction(self, limit: float, sign: float, leaves: int | None) -> Event:
        mean = self._pace.lithium_fraction
        return Event(
            lambda state: sign * (mean(state) / limit - 1) / RELATIVE_PRECISION,
            f"reached a mean lithium fraction of {limit:g}",
            leaves,
        )

    def _capacity(self, limit: float) -> Event:
        before = self._charge
        return Event(
            lambda state: (abs(state.charge - before) / limit - 1) / RELATIVE_PRECISION,
            f"passed {limit / self._pace.area / HOUR:g} A h/m^2",
        )

    def _current(self, limit: float) -> Event:
        return Event(
            lambda state: (1 - abs(state.I) / limit) / RELATIVE_PRECISION,
            "current fell to its limit",
            jumps=True,
        )
