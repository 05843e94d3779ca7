"""Marching a protocol: step after step, each to the first of its cut-offs.

A cut-off is located within its time step and not overshot: the step is solved again with other
lengths until the quantity meets its value. The same is done for a stop, after which the protocol
step continues. No time step crosses a kink of a current table: one ends there, and the time scheme
restarts. At least two time steps lead from kink to kink: the first passes the charge of its time at
the mean current, and the last ends with the current that the table has there.

A step is skipped if its end is met where it begins, or if the jump to its current alone would lead
beyond its end. No time passes then, and the march reports this, as it reports stops that such a
jump crosses. Steps and cycles are numbered as in the protocol, including skipped ones. If a pass of
a group has skipped all its steps, further passes would be equal, and they are not tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from heterode.base.errors import SolveError
from heterode.protocol import Group, Item, Step
from heterode.protocol.records import ROUNDING, SHORTEST_ROW
from heterode.protocol.sequence import (
    END,
    MOST_PASSES,
    Place,
    counted,
    first_place,
    following,
    group_at,
    is_inside,
    open_passes,
    passed_idly,
    task_at,
    whole,
)
from heterode.solver.time.newton import StepRejectedError
from heterode.solver.time.state import Candidate, State
from heterode.solver.time.step_plan import HOUR, PATIENCE, Event, Pace, StepPlan, Stretch
from heterode.solver.time.stepper import Stepper
from heterode.solver.time.terminal import Prescription, TerminalControl

__all__ = ["BEGINNING", "HOUR", "Event", "Marched", "Pace", "Position", "march"]

LONGEST_SEARCH = 30


@dataclass(frozen=True)
class Position:
    """The position of a march between two time steps, which, with the stepper's memory, defines it.

    Attributes:
        step: number of the present protocol step, or of the next one, including repetitions.
        begun: time at which it began, s; None before its first time step.
        length: time step to try next, s; None before the first one and at a kink of its current.
        last_current: magnitude of the current of the last protocol step that has one and took
            time, A; None before any.
        place: place of the step in the protocol; () at its end, None at its beginning.
        charge: charge passed before the step began, A s; None before its first time step.
        cycle: number of the cycle.
        discharged: whether the last charge or discharge was a discharge.
        moved: place of the step that took the last time step; None before any.
    """

    step: int = 0
    begun: float | None = None
    length: float | None = None
    last_current: float | None = None
    place: Place | None = None
    charge: float | None = None
    cycle: int = 0
    discharged: bool = False
    moved: Place | None = None

    def __post_init__(self) -> None:
        for name in ("place", "moved"):
            given = getattr(self, name)
            if given is not None:
                # Checkpoints have lists instead of tuples.
                place = tuple((int(index), int(passed)) for index, passed in given)
                object.__setattr__(self, name, place)


BEGINNING = Position()


@dataclass(frozen=True)
class Jump:
    """A jump of the voltage with the current at a protocol step's beginning, across stops.

    Attributes:
        time: time, s.
        before, after: voltages before and after it, V.
        stops: stops between these, V, none of which is met.
    """

    time: float
    before: float
    after: float
    stops: tuple[float, ...]


@dataclass(frozen=True)
class Marched:
    """An accepted time step, or a protocol step that ended without a further one.

    Attributes:
        state: state at its end.
        protocol_step: number of the present protocol step, including repetitions.
        text: text of the protocol step.
        place: place of the step in the protocol.
        cycle: number of the cycle, from 0.
        time_step: length, s; 0 if the step was skipped, or if the jump of its current at a row of
            its table led beyond a cut-off.
        ended_by: the cut-off that ended the protocol step here, or "".
        stop: voltage, V, of a stop that is met here, otherwise None.
        progress: progress of the protocol step, 0 to 1, by its duration or capacity, or None.
        prescribed: what the protocol step prescribed over the time step.
        position: position from which `march` continues after it.
        skipped: number of protocol steps that took no time here: this one, and those of passes
            that are not tried.
        jump: jump across stops in the first time step of a protocol step, otherwise None.
    """

    state: State
    protocol_step: int
    text: str
    place: Place
    cycle: int
    time_step: float
    ended_by: str
    stop: float | None
    progress: float | None
    prescribed: Prescription
    position: Position
    skipped: int = 0
    jump: Jump | None = None


def march(
    stepper: Stepper,
    protocol: Group | Sequence[Item],
    pace: Pace,
    position: Position = BEGINNING,
    stops: Sequence[float] = (),
    begin_cycle: Callable[[int], None] | None = None,
) -> Iterator[Marched]:
    """Yield every accepted time step of a protocol. Collective.

    Args:
        stepper: holds the state at `position`.
        protocol: the steps, or a group that repeats them.
        pace: currents and time steps.
        position: position of an earlier march.
        stops: voltages, V, at which a time step of each charge or discharge ends.
        begin_cycle: called with the number of a cycle before its first time step; None if cycles
            change nothing in the cell.

    Raises:
        SolveError: a step cannot continue; the stepper keeps the last accepted state.
    """
    root = whole(protocol)
    here = _begun(root, position, stepper.state)
    while here.place:
        task = task_at(root, here.place)
        if here.begun is None or here.charge is None:
            before = here.cycle
            here = _entered(here, root, task.step, stepper.state)
            stepper.restart()
            if here.cycle != before and begin_cycle is not None:
                begin_cycle(here.cycle)
        assert here.begun is not None
        assert here.charge is not None
        last = pace.one_C if here.last_current is None else here.last_current
        plan = StepPlan(task, pace, here.begun, here.charge, last, stops)
        steady = begin_cycle is None
        for marched in _march_step(stepper, plan, here, root):
            endless = ""
            if marched.skipped and steady:
                marched, endless = _without_idle_passes(root, here, marched)
            yield marched
            if endless:
                raise _endless(
                    f"all steps of '{endless[:100]}' meet their ends where they begin, so that it "
                    "would be repeated for ever",
                    marched.state,
                )
            here = marched.position


def _begun(root: Group, position: Position, state: State) -> Position:
    """Return the position with its place in the protocol."""
    if position.place is not None:
        if position.moved is None and state.time > 0.0:
            # Older checkpoints do not have this; none of their passes counts as skipped.
            return replace(position, moved=position.place)
        return position
    first = first_place(root)
    # In a plain list the number alone determines the place, as in older checkpoints.
    for _ in range(position.step):
        first = following(root, first)
    return replace(position, place=first)


def _entered(here: Position, root: Group, step: Step, state: State) -> Position:
    """Return the position where a step begins, with its cycle."""
    assert here.place is not None
    cycle = here.cycle + (step.kind == "charge" and here.discharged)
    if root.repeat is not None and root.repeat > 1:
        cycle = here.place[0][1]
    discharged = here.discharged
    if step.kind in ("charge", "discharge"):
        discharged = step.kind == "discharge"
    return replace(
        here,
        begun=state.time,
        length=None,
        charge=state.charge,
        cycle=cycle,
        discharged=discharged,
    )


def _without_idle_passes(root: Group, here: Position, marched: Marched) -> tuple[Marched, str]:
    """Extend a skipped step by the further passes of its groups if a whole pass was skipped.

    Returns:
        The result, and the text of a group that would now repeat for ever, or "".
    """
    place, then, left = here.place or END, marched.position, 0
    endless = ""
    while (level := passed_idly(root, place, then.place or END, here.moved)) is not None:
        group, outside = group_at(root, place, level), place[:level]
        if not counted(group):
            endless = group.text if group.repeat is None else ""
            break
        while then.place and is_inside(then.place, outside, level):
            place = then.place
            then = _entered(then, root, task_at(root, place).step, marched.state)
            then, left = _beyond(root, then, None), left + 1
    return replace(marched, position=then, skipped=marched.skipped + left), endless


def _beyond(root: Group, here: Position, leaving: int | None) -> Position:
    """Return the position where the step after this one begins."""
    assert here.place is not None
    place = following(root, here.place, leaving)
    return replace(
        here, step=here.step + 1, begun=None, length=None, charge=None, place=place or END
    )


@dataclass(frozen=True)
class _Met:
    """A candidate time step, and what it meets.

    Attributes:
        candidate: the candidate; None if the change of control alone leads beyond a cut-off.
        following: time step to try after it, s.
        cutoff: the cut-off at which the protocol step ends, or None.
        stop: voltage, V, of the stop at which it ends, or None.
        jump: jump across stops, or None.
    """

    candidate: Candidate | None
    following: float
    cutoff: Event | None = None
    stop: float | None = None
    jump: Jump | None = None


def _march_step(stepper: Stepper, plan: StepPlan, here: Position, root: Group) -> Iterator[Marched]:
    """Yield the time steps of a protocol step to its end."""

    def marched(state: State, since: float, ended: str, met: _Met, then: Position) -> Marched:
        assert here.place is not None
        took = state.time - since
        progress = plan.progress(state) if took > 0 else None
        where = (here.step, plan.text, here.place, here.cycle)
        prescribed = plan.prescribed(since, state.time)
        reached = (ended, met.stop, progress)
        return Marched(state, *where, took, *reached, prescribed, then, jump=met.jump)

    length, ended = here.length, ""
    while not ended:
        now = stepper.state
        stretch = plan.stretch(now.time)
        met = _one_step(stepper, plan, stretch, length)
        if met.candidate is None:
            assert met.cutoff is not None
            then = _beyond(root, here, met.cutoff.leaves)
            at_once = marched(now, now.time, _at_once(met.cutoff, root, here), met, then)
            yield replace(at_once, skipped=int(now.time == here.begun))
            _check_passes(root, then, plan, now)
            return
        here = replace(here, moved=here.place, last_current=plan.current)
        state = stepper.accept(met.candidate)
        leaving, length = None, met.following
        if met.cutoff is not None:
            ended, leaving = met.cutoff.text, met.cutoff.leaves
        elif _is_at(state.time, plan.deadline):
            ended = "reached its duration"
            if plan.duration is None:
                what = f"'{plan.text}' did not reach its end within {PATIENCE:g} full charges"
                raise _endless(what, state, length)
        elif _is_at(state.time, stretch.end):
            # At a kink or a jump, the current's past does not predict its future.
            stepper.restart()
            length = None
        then = _beyond(root, here, leaving) if ended else replace(here, length=length)
        yield marched(state, now.time, ended, met, then)
        if ended:
            _check_passes(root, then, plan, state)


def _at_once(cutoff: Event, root: Group, here: Position) -> str:
    """Return the text on a cut-off that is met at once, and on the group that it ends."""
    if cutoff.leaves is None:
        return f"{cutoff.text} at once"
    assert here.place is not None
    ended = group_at(root, here.place, cutoff.leaves).text
    return f"{cutoff.text}, the end of '{ended[:100]}', at once"


def _is_at(time: float, end: float) -> bool:
    """Check whether a time step ended at a time, s, or too little before it for another one.

    The tolerance is not relative to the time, since late rows of a current table are as close.
    """
    return end - time <= max(ROUNDING, 4 * math.ulp(end))


def _endless(what: str, state: State, length: float = 0.0) -> SolveError:
    return SolveError(what, time_s=state.time, step_s=length, voltage_V=state.V)


def _check_passes(root: Group, then: Position, plan: StepPlan, state: State) -> None:
    """Refuse to repeat a group for ever that waits for something that never happens."""
    if then.place and open_passes(root, then.place) >= MOST_PASSES:
        what = f"was repeated {MOST_PASSES} times without reaching the end of its group"
        raise _endless(f"'{plan.text}' {what}", state)


def _one_step(stepper: Stepper, plan: StepPlan, stretch: Stretch, given: float | None) -> _Met:
    """Take a time step up to the first cut-off or stop on its way, but not beyond.

    Args:
        given: the length to try, s; None for the first step after a change of control.
    """
    now = stepper.state
    if given is None:
        event = plan.reached(now, by_jump=False)
        if event is not None:
            return _Met(None, 0.0, event)
    length = plan.first if given is None else given
    remaining = stretch.end - now.time
    length = min(length, plan.largest, remaining)
    if given is None and stretch.sloped:
        length = min(length, remaining / 2)
    # Two equal steps are better than one and a very short one.
    if length < remaining < 2 * length:
        length = remaining / 2
    try:
        candidate, following_length = stepper.advance(length, stretch.control)
    except SolveError:
        jumped = stepper.jumped(length, stretch.control) if given is None else None
        event = None if jumped is None else plan.reached(jumped, by_jump=True)
        if event is None:
            raise
        return _Met(None, length, event)
    pending = plan.pending(now)
    crossed, jump = _crossed([*plan.events, *pending], candidate.state), None
    if crossed and given is None:
        # The jump to the new control alone may lead beyond the cut-off. The step then ends
        # where it begins; otherwise the shortest step leads to where a search can begin. A stop
        # that the jump crosses is not met, since the cell never had its voltage.
        shortest = min(stepper.smallest_step, SHORTEST_ROW, remaining)
        candidate, _ = stepper.advance(shortest, stretch.control)
        event = plan.reached(candidate.state, by_jump=True)
        if event is not None:
            return _Met(None, length, event)
        following_length = length
        across = tuple(e.stop for e in _crossed(pending, candidate.state) if e.stop is not None)
        if across:
            jump = Jump(now.time, now.V, candidate.state.V, across)
        # The shortest step may cross a cut-off that no jump crosses; it is met within that step.
        crossed = _crossed([e for e in plan.events if not e.jumps], candidate.state)
    if not crossed:
        return _Met(candidate, following_length, jump=jump)
    candidate, met = _first_met(stepper, stretch.control, crossed, candidate)
    cutoffs = [event for event in met if event.stop is None]
    # If several groups end here, the outermost counts.
    cutoff = min(cutoffs, key=lambda event: event.level, default=None)
    stop = next((event.stop for event in met if event.stop is not None), None)
    return _Met(candidate, following_length, cutoff, stop, jump)


def _crossed(events: Sequence[Event], state: State) -> list[Event]:
    """Return the events at a state or before it."""
    return [event for event in events if event.distance(state) > -1.0]


def _first_met(
    stepper: Stepper, control: TerminalControl, crossed: Sequence[Event], candidate: Candidate
) -> tuple[Candidate, list[Event]]:
    """Shorten a step to the first event that it crosses.

    Returns:
        The step, and the events at its end.
    """
    first = crossed[0]
    for event in crossed:
        if event.distance(candidate.state) > 1.0:
            candidate, first = _locate(stepper, control, event, candidate), event
    state = candidate.state
    return candidate, [e for e in crossed if e is first or abs(e.distance(state)) <= 1.0]


def _locate(
    stepper: Stepper, control: TerminalControl, event: Event, beyond: Candidate
) -> Candidate:
    """Shorten the step until the event's distance is within one precision of zero.

    It uses the Illinois variant of regula falsi between the present state and the candidate.
    """
    start = stepper.state
    low, high = 0.0, beyond.state.time - start.time
    f_low, f_high = event.distance(start), event.distance(beyond.state)
    best = beyond
    for _ in range(LONGEST_SEARCH):
        if abs(event.distance(best.state)) <= 1.0 or f_low >= 0.0:
            break
        length = (low * f_high - high * f_low) / (f_high - f_low)
        # A shorter step would not change the state, so the jump is at its very start.
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
