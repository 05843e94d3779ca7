"""Marching a protocol: step after step, each to the first of its cut-offs.

A cut-off is located within its time step, not overshot: the step is solved again with other
lengths until the quantity meets its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from simulator.errors import SolveError
from simulator.protocol import Rate, Step
from simulator.solver.newton import StepRejectedError
from simulator.solver.stepper import Candidate, State, Stepper
from simulator.solver.terminal import ConstantCurrent, ConstantVoltage, TerminalControl

HOUR = 3600.0

VOLTAGE_PRECISION = 1e-6
"""How near a voltage cut-off is met, V."""

CURRENT_PRECISION = 1e-6
"""How near a current cut-off is met, relative."""

LONGEST_SEARCH = 30

PATIENCE = 100.0
"""Full charges a step may last before it counts as one that never ends."""


@dataclass(frozen=True)
class Pace:
    """Time steps of a march.

    Attributes:
        one_C: cell current of 1C, A.
        area: collector area, m^2.
        initial_step: first time step of a protocol step, s; None chooses one.
        largest_fraction: largest time step over the time a full charge at the step's rate takes.
    """

    one_C: float
    area: float
    initial_step: float | None
    largest_fraction: float

    def current(self, rate: Rate) -> float:
        """Cell current, A, of a rate."""
        return rate.current_density(self.one_C / self.area) * self.area

    def full_charge(self, current: float) -> float:
        """Time, s, a full charge takes at a cell current, A."""
        return HOUR * self.one_C / current


@dataclass(frozen=True)
class Event:
    """A cut-off as a function that is negative before it and positive beyond.

    Attributes:
        distance: of a state, in units of the precision wanted.
        text: for the user, when it is met.
    """

    distance: Callable[[State], float]
    text: str


@dataclass(frozen=True)
class Position:
    """Where a march stands between two time steps; with the stepper's memory, all that matters.

    Attributes:
        step: index of the protocol step under way, or of the next one.
        begun: time it began, s; None when it has not taken its first time step.
        length: time step to try next, s; None likewise.
        last_current: size of the last current that a protocol step named, A; None before any.
    """

    step: int = 0
    begun: float | None = None
    length: float | None = None
    last_current: float | None = None


BEGINNING = Position()


@dataclass(frozen=True)
class Marched:
    """One accepted time step, or a protocol step that ended before its first.

    Attributes:
        state: at its end.
        protocol_step: index of the step under way.
        time_step: s; 0 where the change of control alone led beyond a cut-off.
        ended_by: the cut-off that ended the protocol step here, or "".
        progress: of the protocol step, 0 to 1, by duration where it has one, else None.
        position: from where `march` goes on after it.
    """

    state: State
    protocol_step: int
    time_step: float
    ended_by: str
    progress: float | None
    position: Position


class _StepPlan:
    """A protocol step in the cell's own terms."""

    def __init__(self, step: Step, pace: Pace, begin: float, last_current: float) -> None:
        self.text = step.text
        self.duration: float | None = None
        self.events: list[Event] = []
        current = pace.current(step.rate) if step.rate is not None else last_current
        self.sign = -1.0 if step.kind == "discharge" else 1.0
        self.current = current
        self.control = self._control(step)
        self._add_cutoffs(step, pace)
        full = pace.full_charge(current)
        self.largest = pace.largest_fraction * full
        if step.kind == "rest" and self.duration is not None:
            self.largest = min(self.largest, self.duration / 10)
        self.first = pace.initial_step or min(1.0, 1e-4 * full)
        self.begin = begin
        self.deadline = begin + (self.duration if self.duration is not None else PATIENCE * full)

    def _control(self, step: Step) -> TerminalControl:
        if step.kind == "hold":
            assert step.voltage is not None
            return ConstantVoltage(step.voltage)
        return ConstantCurrent(0.0 if step.kind == "rest" else self.sign * self.current)

    def reached(self, state: State) -> Event | None:
        """The cut-off that lies at a state or before it."""
        return next((event for event in self.events if event.distance(state) > -1.0), None)

    def _add_cutoffs(self, step: Step, pace: Pace) -> None:
        for cutoff in step.cutoffs:
            if isinstance(cutoff.value, Rate):
                self.events.append(_current_event(pace.current(cutoff.value)))
            elif cutoff.quantity == "time":
                self.duration = cutoff.value
            else:
                self.events.append(_voltage_event(cutoff.value, self.sign))


def _voltage_event(limit: float, sign: float) -> Event:
    return Event(lambda state: sign * (state.V - limit) / VOLTAGE_PRECISION, f"reached {limit:g} V")


def _current_event(limit: float) -> Event:
    return Event(
        lambda state: (1 - abs(state.I) / limit) / CURRENT_PRECISION, "current fell to its limit"
    )


def march(
    stepper: Stepper, steps: Sequence[Step], pace: Pace, position: Position = BEGINNING
) -> Iterator[Marched]:
    """Yield every accepted time step of a protocol. Collective.

    Args:
        stepper: holds the state at `position`.
        steps: the protocol.
        pace: currents and time steps.
        position: where an earlier march stood.

    Raises:
        SolveError: a step cannot go on; the stepper keeps the last accepted state.
    """
    last_current = pace.one_C if position.last_current is None else position.last_current
    for index in range(position.step, len(steps)):
        begun, length = position.begun, position.length
        if index > position.step or begun is None:
            begun, length = stepper.state.time, None
            stepper.restart()
        plan = _StepPlan(steps[index], pace, begun, last_current)
        last_current = plan.current
        yield from _march_step(stepper, plan, index, length)


def _march_step(
    stepper: Stepper, plan: _StepPlan, index: int, given: float | None
) -> Iterator[Marched]:
    """Time steps of a protocol step to its end; the first of them where no length is `given`."""
    length, first, ended = plan.first if given is None else given, given is None, ""
    beyond = Position(index + 1, last_current=plan.current)
    while not ended:
        now = stepper.state
        remaining = plan.deadline - now.time
        length = min(length, plan.largest, remaining)
        # Two even steps rather than one and a sliver.
        if length < remaining < 2 * length:
            length = remaining / 2
        candidate, following = stepper.advance(length, plan.control)
        event = plan.reached(candidate.state)
        if event is not None and first:
            # The jump to the new control alone may lead beyond the cut-off. Then the step ends
            # where it begins; otherwise the shortest step leads to where a search can begin.
            candidate, _ = stepper.advance(stepper.smallest_step, plan.control)
            if plan.reached(candidate.state) is not None:
                yield Marched(now, index, 0.0, f"{event.text} at once", None, beyond)
                return
            event, following = None, length
        if event is not None:
            candidate = _locate(stepper, plan.control, event, candidate)
            ended = event.text
        state = stepper.accept(candidate)
        if not ended and plan.deadline - state.time <= 1e-9 * max(plan.deadline, 1.0):
            ended = "reached its duration"
            if plan.duration is None:
                raise SolveError(
                    f"'{plan.text}' did not reach its end within {PATIENCE:g} full charges",
                    time_s=state.time,
                    step_s=length,
                    voltage_V=state.V,
                )
        progress = None
        if plan.duration is not None:
            progress = (state.time - plan.begin) / plan.duration
        here = beyond if ended else Position(index, plan.begin, following, plan.current)
        yield Marched(state, index, state.time - now.time, ended, progress, here)
        length, first = following, False


def _locate(
    stepper: Stepper, control: TerminalControl, event: Event, beyond: Candidate
) -> Candidate:
    """Shorten the step until the event's distance is within one precision of zero.

    Regula falsi with Illinois' halving, between the present state and the candidate beyond.
    """
    start = stepper.state
    low, high = 0.0, beyond.state.time - start.time
    f_low, f_high = event.distance(start), event.distance(beyond.state)
    best = beyond
    for _ in range(LONGEST_SEARCH):
        if abs(event.distance(best.state)) <= 1.0 or f_low >= 0.0:
            break
        length = (low * f_high - high * f_low) / (f_high - f_low)
        # Too short a step would not change the state: the jump lies at its very start.
        if not 1e-12 * high < length < high:
            break
        try:
            trial = stepper.attempt(length, control)
        except StepRejectedError:
            break
        best, distance = trial, event.distance(trial.state)
        if distance > 0.0:
            high, f_high, f_low = length, distance, f_low / 2
        else:
            low, f_low, f_high = length, distance, f_high / 2
    return best
