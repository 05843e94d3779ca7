"""A protocol step in the cell's own terms: control, cut-offs and time steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from heterode.protocol import Cutoff, Rate, Step
from heterode.protocol.sequence import Task
from heterode.solver.time.stepper import State
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
"""How near a voltage is met, V."""

RELATIVE_PRECISION = 1e-6
"""How near a current, a capacity or a lithium fraction is met, relative."""

PATIENCE = 100.0
"""Full charges a step may last before it counts as one that never ends."""


@dataclass(frozen=True)
class Pace:
    """Time steps of a march, and what protocols are measured in.

    Attributes:
        one_C: cell current of 1C, A.
        area: collector area, m^2.
        initial_step: first time step of a protocol step, s; None chooses one.
        largest_fraction: largest time step over the time a full charge at the step's rate takes.
        potential: mean open-circuit potential, V, for the rate of a charge at constant power.
        lithium_fraction: mean over the particles, of a state; collective.
    """

    one_C: float
    area: float
    initial_step: float | None
    largest_fraction: float
    potential: float
    lithium_fraction: Callable[[State], float]

    def current(self, rate: Rate) -> float:
        """Cell current, A, of a rate."""
        return rate.current_density(self.one_C / self.area) * self.area

    def named_current(self, step: Step) -> float | None:
        """Size of the cell current, A, that a step names; None for a hold and a rest."""
        if step.rate is not None:
            return self.current(step.rate)
        density = step.current_density(self.one_C / self.area, self.potential)
        return None if density is None else density * self.area

    def full_charge(self, current: float) -> float:
        """Time, s, a full charge takes at a cell current, A."""
        return HOUR * self.one_C / current


@dataclass(frozen=True)
class Event:
    """A cut-off, or a stop, as a function that is negative before it and positive beyond.

    Attributes:
        distance: of a state, in units of the precision wanted.
        text: for the user, when it is met.
        leaves: level of the group of steps that it ends, None where it ends its step alone.
        stop: the voltage, V, of a stop, at which the step goes on; None for a cut-off.
        jumps: whether a change of control alone may lead beyond it.
    """

    distance: Callable[[State], float]
    text: str
    leaves: int | None = None
    stop: float | None = None
    jumps: bool = False

    @property
    def level(self) -> float:
        """The less, the more of the protocol ends with it."""
        return float("inf") if self.leaves is None else self.leaves


@dataclass(frozen=True)
class Stretch:
    """A part of a step within which the control is smooth.

    Attributes:
        control: what holds at the terminals.
        end: time it ends, s.
        sloped: whether the current changes within it.
    """

    control: TerminalControl
    end: float
    sloped: bool = False


class StepPlan:
    """A protocol step as it is marched.

    Args:
        task: the step and the groups around it.
        pace: currents and time steps.
        begin: time the step began, s.
        charge: passed until then, A s.
        last_current: size of the current named before it, A.
        stops: voltages at which a charge or discharge stops, V.

    Attributes:
        text: the step's.
        duration: s, or None.
        current: size of the current it names, or of the last one before it, A.
        sign: -1 for a discharge, else 1.
        events: its cut-offs other than the duration.
        stops: its stops.
        largest, first: time steps, s.
        begin, deadline: times it began and ends at the latest, s.
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
        """What holds from a time, s, on."""
        table = self._step.table
        if table is None:
            return self._whole
        row = table.stretch(time - self.begin)
        _, slope = table.along(row)
        end = min(self.begin + table.times[row + 1], self.deadline)
        return Stretch(self._whole.control, end, slope != 0.0)

    def prescribed(self, begin: float, end: float) -> Prescription:
        """What the step prescribes between two of its times, s."""
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
        """Charge of the step's current table between two times, s; A s."""
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
        """The cut-off that lies at a state or before it, of several that of the outermost group.

        Args:
            state: where the step begins, or right behind its change of control.
            by_jump: look among those that this change may lead beyond; else among the others.
        """
        events = [event for event in self.events if event.jumps == by_jump]
        met = [event for event in events if event.distance(state) > -1.0]
        return min(met, key=lambda event: event.level, default=None)

    def pending(self, state: State) -> list[Event]:
        """The stops that lie beyond a state."""
        return [stop for stop in self.stops if stop.distance(state) < -1.0]

    def progress(self, state: State) -> float | None:
        """0 to 1, by duration or capacity where the step has one of them."""
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
        # Charging raises the voltage and takes lithium out.
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
