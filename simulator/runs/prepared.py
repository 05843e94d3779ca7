"""A cell that is ready to run; a loop over it marches its protocol, step by step.

Construction and the loop are collective: every rank does the same. Leaving the loop requires no
communication, as a rank may have left it because of an exception.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from types import TracebackType
from typing import Any, Self

from mpi4py import MPI

from heterode.accuracy.record import sentence
from heterode.base.accounting import peak_memory
from heterode.base.errors import CompileError, InputError, ResumeError, SolveError
from heterode.base.interruption import Interruption
from heterode.base.ranks import as_agreed, from_root, is_agreed
from heterode.base.signals import StoppedError
from heterode.base.words import counted
from heterode.forecast.estimate import forecast
from heterode.particles.drawn_penalties import factors_of_cycle
from heterode.progress import Course
from heterode.results.manifest import Outcome, stopped_by
from heterode.results.sample import FieldValues, Sample
from heterode.runs.description import describe_tables
from heterode.runs.entries import numbers_of
from heterode.runs.followed_errors import FollowedErrors
from heterode.runs.observer import Coming, Ending, Kept, Start, Step, Wants
from heterode.runs.observer_group import ObserverGroup
from heterode.runs.outcomes import LEFT, outcome_of
from heterode.runs.setting import Setting
from heterode.runs.skipped import SkippedSteps, skipped_lines
from heterode.solver.cell import build_cell
from heterode.solver.snapshot import Snapshot
from heterode.solver.time.march import BEGINNING, Marched, Position, march
from heterode.solver.time.newton import StepAbandonedError
from heterode.validity import Ledger, valid_ranges

_FORESEEN = (InputError, ResumeError, SolveError, CompileError)
"""Exceptions that end a run in order; any other is a fault in a program."""


class Prepared:
    """A cell that is ready to run; `heterode.prepare` makes one.

    A loop yields a `Step` for every row of history.csv, beginning with the initial state (except in
    a resumed run). It may be left by `break` and continued by another loop. It ends when the
    protocol does; it ends with a `SolveError` if a step cannot be solved, and with a
    `StoppedError`, which is a KeyboardInterrupt, if a signal asks it to stop.

    Attributes:
        setting: parameters, mesh and particles.
        cell: the model, its stepper and its balances.
        errors: what is known of the errors of the mesh.
    """

    def __init__(self, setting: Setting, group: ObserverGroup) -> None:
        self.setting, self._group = setting, group
        self._comm, self._phases = setting.comm, setting.phases
        parameters = setting.parameters
        self._ledger = Ledger(setting.before, valid_ranges(parameters), group.say)
        self._skipped, self._ended_by, self._peak_before = SkippedSteps(), "", 0
        self._outcome: Outcome | None = None
        self._signal, self._entered = 0, False
        self._last: Step | None = None
        self._numbers: Callable[[], Mapping[str, Any]] = dict
        self._interruption = Interruption(self._comm)
        self._interruption.__enter__()
        try:
            with self._phases.timed("output"):
                kept = group.begin(setting)
                entries = self._recalled(kept)
            with self._phases.timed("setup"):
                group.say("compiling the equations")
                mesh, penalty = setting.mesh, setting.particles.penalty
                self.cell = build_cell(mesh, parameters, penalty, self._interruption.is_agreed)
                self.errors = FollowedErrors(setting, self.cell, self._ledger)
                self._numbers = self._known_numbers
                protocol, curve = parameters.protocol.sequence, self.cell.model.curve
                self._course = Course(protocol, curve.lithium_fraction)
            with self._phases.timed("output"):
                group.start(self._start())
            self._say_size()
            with self._phases.timed("setup"):
                position = BEGINNING if entries is None else self._restored(entries, kept)
        except BaseException as error:
            raised = self._failed(error, marching=False)
            if raised is error:
                raise
            raise raised from error
        self._is_new = entries is None
        changes = self._begin_cycle if parameters.penalty.conditioning is not None else None
        stops, pace = parameters.protocol.stops, self.cell.model.pace
        self._marching = march(self.cell.stepper, protocol, pace, position, stops, changes)

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; None while it goes on."""
        return self._outcome

    def fields(self) -> FieldValues | None:
        """Return the present fields by domain and field at the points of `Start.grids`. Collective.

        Lithium fractions are clipped to the values that the surface of their particle has had, and
        its start; the state keeps what the elements overshoot.

        Returns:
            The fields on rank 0; None elsewhere.
        """
        return self.cell.fields()

    def _known_numbers(self) -> dict[str, Any]:
        return {**numbers_of(self.cell), "accuracy": self.errors.reached.entries}

    # -- preparation ------------------------------------------------------------------------

    def _recalled(self, kept: Kept | None) -> Mapping[str, Any] | None:
        """Return a checkpoint's entries on every rank; None for a new run. Collective."""
        given = None if kept is None else dict(kept.entries)
        entries: Mapping[str, Any] | None = self._comm.bcast(given, root=0)
        if entries is None:
            self._ledger.open()
            return None
        self._skipped, self._ended_by = SkippedSteps.of_entries(entries), entries["ended"]
        for phase, seconds in entries["wall_s"].items():
            self._phases.add(phase, seconds)
        self._peak_before = entries.get("peak_memory_bytes", 0)
        self._ledger.open(entries.get("warnings", []))
        return entries

    def _start(self) -> Start:
        """Return the start for the observers. Collective."""
        model = self.cell.model
        one_C = model.one_C / self.setting.mesh.collector_area
        return Start(self.cell.viewer.grids(), model.layout.total, model.preset, one_C)

    def _say_size(self) -> None:
        model, ranks = self.cell.model, self._comm.size
        one_C = model.one_C / self.setting.mesh.collector_area
        self._group.say(
            f"{counted(len(self.setting.particles), 'particle')}, {model.layout.total} unknowns on "
            f"{counted(ranks, 'rank')}, {model.preset} solver, "
            f"1C = {one_C:.4g} A/m^2"
        )
        self._group.say(self.setting.layering.text)
        parameters = self.setting.parameters
        lines = forecast(parameters, model.layout.total, ranks, model.preset)
        for line in [*describe_tables(parameters), *lines]:
            self._group.say(line)

    def _restored(self, entries: Mapping[str, Any], kept: Kept | None) -> Position:
        """Restore the state of a checkpoint. Collective."""
        if self.setting.parameters.penalty.conditioning is not None:
            self._begin_cycle(entries["march"]["position"]["cycle"])
        snapshot = None if kept is None else Snapshot(kept.entries["march"], kept.arrays)
        position = self.cell.snapshots.restore(snapshot)
        self._course.recall(entries["journey"])
        self.errors.recall(entries.get("errors"), {} if kept is None else kept.arrays)
        state = self.cell.stepper.state
        self._group.say(f"going on from t = {state.time:.6g} s, V = {state.V:.4f} V")
        return position

    # -- the loop ---------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._entered = True
        return self

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        """Return the next accepted step, once all observers have seen it. Collective."""
        if self._outcome is not None:
            raise StopIteration
        try:
            step = self._next()
        except BaseException as error:
            raised = self._failed(error)
            if raised is error:
                raise
            raise raised from error
        if step is None:
            raise StopIteration
        return step

    def _next(self) -> Step | None:
        """Return the next step; None when the protocol is done and the run over. Collective."""
        if self._signal:
            raise StoppedError(self._signal)
        if self._is_new:
            self._is_new = False
            return self._observed(None)
        while (marched := self._marched()) is not None:
            self._ended_by = marched.ended_by or self._ended_by
            for line in skipped_lines(marched):
                self._group.say(line)
            self._skipped = self._skipped.with_those_of(marched)
            if marched.time_step > 0.0:
                return self._observed(marched)
        last = self.setting.parameters.protocol.steps[-1].text
        self._end(Outcome("completed", f"protocol done: {last}, {self._ended_by}"))
        return None

    def _marched(self) -> Marched | None:
        """Return the next piece of the march, and record its cost; None at the end. Collective."""
        cell = self.cell
        with self._phases.timed("solve"):
            marched = next(self._marching, None)
            if marched is None:
                return None
            if marched.time_step > 0.0:
                state = marched.state
                cell.balances.update(state, marched.prescribed)
                cell.bounds.update(state)
                self._ledger.look(
                    state.extremes, state.time, lambda *which: cell.model.place(state, *which)
                )
            cell.snapshots.note(marched.position)
            return marched

    def _begin_cycle(self, cycle: int) -> None:
        """Give the particles the penalties of a cycle. Collective."""
        p, table = self.setting.parameters, self.setting.particles
        factors = from_root(self._comm, lambda: factors_of_cycle(p, table, cycle))
        self.cell.model.set_penalty(factors)

    def _observed(self, marched: Marched | None) -> Step:
        """Return a step that all observers have seen; None gives the initial state. Collective."""
        model, stepper = self.cell.model, self.cell.stepper
        with self._phases.timed("output"):
            number, cycle = (0, 0) if marched is None else (marched.protocol_step, marched.cycle)
            sample = model.sample(stepper.state, step=number, accepted=stepper.steps, cycle=cycle)
            sample = self.errors.follow(marched, sample)
            done: float | None = 0.0
            if marched is not None:
                done = self._course.fraction_done(sample, marched.progress, marched.place)
            coming = self._coming(sample, marched)
            signal, wants = self._group.agree(self._interruption, coming)
            if signal and marched is not None:
                self._signal, wants = signal, Wants(fields=True, kept=True)
            step = self._step(sample, marched, done, wants)
            self._group.observe(step)
        if self._signal:
            self._last = step
        return step

    def _coming(self, sample: Sample, marched: Marched | None) -> Coming:
        return Coming(
            accepted=sample.accepted,
            time_s=sample.time_s,
            voltage_V=sample.voltage_V,
            cycle=sample.cycle,
            step=sample.step,
            ended_by="" if marched is None else marched.ended_by,
            stop_V=None if marched is None else marched.stop,
            parameters=self.setting.parameters,
            rank=self._comm.rank,
        )

    def _step(
        self, sample: Sample, marched: Marched | None, done: float | None, wants: Wants
    ) -> Step:
        """Return the present state as observers see it. Collective."""
        return Step(
            sample=sample,
            time_step_s=0.0 if marched is None else marched.time_step,
            text="" if marched is None else marched.text,
            ended_by="" if marched is None else marched.ended_by,
            stop_V=None if marched is None else marched.stop,
            done=done,
            errors=self.cell.balances.as_dict(),
            warnings=self._ledger.met,
            skipped=self._skipped,
            fields=self.fields() if wants.fields else None,
            kept=self._kept() if wants.kept else None,
        )

    def _kept(self) -> Kept | None:
        """Return what the run can resume from, on rank 0. Collective."""
        snapshot, peak = self.cell.snapshots.take(), self._peak()
        if snapshot is None:
            return None
        entries = {
            "wall_s": dict(self._phases.seconds),
            "peak_memory_bytes": peak,
            "ended": self._ended_by,
            "warnings": self._ledger.memory,
            "journey": self._course.memory,
            "errors": self.errors.memory,
            **self._skipped.entries,
            "march": snapshot.entries,
        }
        return Kept(entries, {**snapshot.arrays, **self.errors.arrays})

    def _peak(self) -> int:
        """Return the peak memory of all ranks together, of any piece of the run. Collective."""
        return max(int(self._comm.allreduce(peak_memory(), op=MPI.SUM)), self._peak_before)

    # -- the end ----------------------------------------------------------------------------

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the run where it stands, without communication with the other ranks.

        Raises:
            StoppedError: a signal had arrived.
        """
        self._entered = False
        left = self._outcome is None
        if left:
            self._leave(error)
        noted = self._interruption.number
        self._interruption.__exit__(None, None, None)
        if left and error is None:
            if self._signal:
                raise as_agreed(StoppedError(self._signal))
            if noted:
                # The signal has not been acted on yet.
                signal.raise_signal(noted)

    def _leave(self, error: BaseException | None) -> None:
        """End a run whose loop was left, by an exception or otherwise."""
        outcome = LEFT if error is None else outcome_of(error)
        if error is None and self._signal:
            outcome = stopped_by(self._signal)
        self._outcome = outcome
        with nullcontext() if error is None else suppress(Exception):
            self._group.end_here(self._ending(outcome, fault=error is not None, last=self._last))

    def _failed(self, error: BaseException, *, marching: bool = True) -> BaseException:
        """End the run because of an exception; returns the exception to raise in its place.

        Collective if the ranks raised it together.

        Args:
            error: the exception.
            marching: whether there is a last accepted step.
        """
        if self._outcome is not None:
            return error
        raised, last = error, self._last
        if isinstance(error, CompileError):
            # A compiler that is interrupted from the keyboard fails as well.
            signal = self._interruption.agreed()
            raised = StoppedError(signal) if signal else error
        elif isinstance(error, StepAbandonedError):
            raised, last = StoppedError(self._interruption.agreed()), self._again()
        elif isinstance(error, SolveError) and not is_agreed(error):
            raised, last = self._explained(error), self._again() if marching else None
        elif not isinstance(error, StoppedError) and not is_agreed(error):
            self._leave(error)
            self._let_signals()
            return error
        outcome = outcome_of(raised)
        fault = not isinstance(raised, (*_FORESEEN, StoppedError))
        try:
            self._end(outcome, fault=fault, last=last)
        except Exception as worse:
            # The first failure is the informative one.
            if outcome.status != "failed":
                return worse
        return as_agreed(raised)

    def _explained(self, error: SolveError) -> SolveError:
        reason = self._ledger.explained(error.reason)
        where = {"time_s": error.time_s, "step_s": error.step_s, "voltage_V": error.voltage_V}
        return SolveError(reason, **where)

    def _again(self) -> Step:
        """Return the last accepted step with all its data. Collective."""
        with self._phases.timed("output"):
            model, stepper = self.cell.model, self.cell.stepper
            # The row of this step exists already, so the number of its protocol step is not used.
            sample = model.sample(stepper.state, step=0, accepted=stepper.steps)
            return self._step(sample, None, None, Wants(fields=True, kept=True))

    def _end(self, outcome: Outcome, *, fault: bool = False, last: Step | None = None) -> None:
        """End all observers. Collective.

        Raises:
            Exception: an exception that an observer raised, on every rank.
        """
        peak = self._peak()
        self._outcome = outcome
        if line := sentence(self._numbers().get("accuracy", {})):
            self._group.say(line)
        try:
            self._group.end(self._ending(outcome, fault=fault, last=last, peak=peak))
        except Exception as error:
            if outcome.status != "failed":
                self._outcome = outcome_of(error)
            raise
        finally:
            self._let_signals()

    def _ending(
        self, outcome: Outcome, *, fault: bool, last: Step | None, peak: int | None = None
    ) -> Ending:
        return Ending(
            outcome=outcome,
            fault=fault,
            last=last,
            numbers=self._numbers(),
            warnings=self._ledger.met,
            skipped=self._skipped,
            peak_memory_bytes=peak,
            say=self._group.say,
        )

    def _let_signals(self) -> None:
        """Give signals their usual effect again, unless a `with` block has to end first."""
        if not self._entered:
            self._interruption.__exit__(None, None, None)
