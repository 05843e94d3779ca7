"""A cell that is ready to run: a loop over it marches its protocol, step by step.

Making it and looping over it are collective: every rank does so alike. Leaving the loop takes no
word between the ranks, as one of them may have left it by an exception.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

from mpi4py import MPI

from heterode.base.accounting import peak_memory
from heterode.base.errors import CompileError, InputError, ResumeError, SolveError
from heterode.base.interruption import Interruption
from heterode.base.ranks import as_agreed, from_root, is_agreed
from heterode.base.signals import StoppedError
from heterode.base.words import counted
from heterode.forecast.estimate import forecast
from heterode.particles.drawn_penalties import factors_of_cycle
from heterode.progress import Journey
from heterode.results.manifest import Outcome, stopped_by
from heterode.results.sample import FieldValues, Sample
from heterode.runs.crew import Crew
from heterode.runs.description import describe_tables
from heterode.runs.entries import numbers_of
from heterode.runs.observer import Coming, Ending, Kept, Start, Step, Wants
from heterode.runs.outcomes import LEFT, outcome_of
from heterode.runs.setting import Setting
from heterode.runs.skipped import SkippedSteps, told
from heterode.solver.cell import build_cell
from heterode.solver.snapshot import Snapshot
from heterode.solver.time.march import BEGINNING, Marched, Position, march
from heterode.solver.time.newton import StepAbandonedError
from heterode.validity import Ledger, valid_ranges

_FORESEEN = (InputError, ResumeError, SolveError, CompileError)
"""What ends a run in order; anything else is a fault of somebody's program."""


class Prepared:
    """A cell that is ready to run; `heterode.prepare` makes one.

    A loop yields a `Step` for every row of history.csv, the initial state first (but not where a
    run is gone on with). It may be left by `break` and taken up again by another loop. It ends by
    itself when the protocol does; by a `SolveError` where a step cannot be solved; and by a
    `StoppedError`, which is a KeyboardInterrupt, where a signal asked for an end.

    Attributes:
        setting: parameters, mesh, particles.
        cell: the model, its stepper, its balances.
    """

    def __init__(self, setting: Setting, crew: Crew) -> None:
        self.setting, self._crew = setting, crew
        self._comm, self._phases = setting.comm, setting.phases
        parameters = setting.parameters
        self._ledger = Ledger(setting.before, valid_ranges(parameters), crew.say)
        self._skipped, self._ended_by, self._peak_before = SkippedSteps(), "", 0
        self._outcome: Outcome | None = None
        self._signal, self._entered = 0, False
        self._last: Step | None = None
        self._numbers: Callable[[], Mapping[str, Any]] = dict
        self._interruption = Interruption(self._comm)
        self._interruption.__enter__()
        try:
            with self._phases.timed("output"):
                kept = crew.begin(setting)
                entries = self._recalled(kept)
            with self._phases.timed("setup"):
                crew.say("compiling the equations")
                mesh, penalty = setting.mesh, setting.particles.penalty
                self.cell = build_cell(mesh, parameters, penalty, self._interruption.is_agreed)
                self._numbers = partial(numbers_of, self.cell)
                protocol, curve = parameters.protocol.sequence, self.cell.model.curve
                self._journey = Journey(protocol, curve.lithium_fraction)
            with self._phases.timed("output"):
                crew.start(self._start())
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
        """The fields now, by domain and field, at the points of `Start.grids`. Collective.

        Returns:
            On rank 0; None elsewhere.
        """
        return self.cell.viewer.values(self.cell.stepper.state.V)

    # -- preparation ------------------------------------------------------------------------

    def _recalled(self, kept: Kept | None) -> Mapping[str, Any] | None:
        """What a checkpoint kept, on every rank; None where the run starts. Collective."""
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
        """For the observers. Collective."""
        model = self.cell.model
        one_C = model.one_C / self.setting.mesh.collector_area
        return Start(self.cell.viewer.grids(), model.layout.total, model.preset, one_C)

    def _say_size(self) -> None:
        model, ranks = self.cell.model, self._comm.size
        one_C = model.one_C / self.setting.mesh.collector_area
        self._crew.say(
            f"{counted(len(self.setting.particles), 'particle')}, {model.layout.total} unknowns on "
            f"{counted(ranks, 'rank')}, {model.preset} solver, "
            f"1C = {one_C:.4g} A/m^2"
        )
        parameters = self.setting.parameters
        lines = forecast(parameters, model.layout.total, ranks, model.preset)
        for line in [*describe_tables(parameters), *lines]:
            self._crew.say(line)

    def _restored(self, entries: Mapping[str, Any], kept: Kept | None) -> Position:
        """Put everything where a checkpoint has it. Collective."""
        if self.setting.parameters.penalty.conditioning is not None:
            self._begin_cycle(entries["march"]["position"]["cycle"])
        snapshot = None if kept is None else Snapshot(kept.entries["march"], kept.arrays)
        position = self.cell.snapshots.restore(snapshot)
        self._journey.recall(entries["journey"])
        state = self.cell.stepper.state
        self._crew.say(f"going on from t = {state.time:.6g} s, V = {state.V:.4f} V")
        return position

    # -- the loop ---------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._entered = True
        return self

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        """The next accepted step, once all observers have seen it. Collective."""
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
        """The next step; None where the protocol is done, and the run has ended. Collective."""
        if self._signal:
            raise StoppedError(self._signal)
        if self._is_new:
            self._is_new = False
            return self._observed(None)
        while (marched := self._marched()) is not None:
            self._ended_by = marched.ended_by or self._ended_by
            for line in told(marched):
                self._crew.say(line)
            self._skipped = self._skipped.with_those_of(marched)
            if marched.time_step > 0.0:
                return self._observed(marched)
        last = self.setting.parameters.protocol.steps[-1].text
        self._end(Outcome("completed", f"protocol done: {last}, {self._ended_by}"))
        return None

    def _marched(self) -> Marched | None:
        """The next piece of the march, accounted for; None at its end. Collective."""
        cell = self.cell
        with self._phases.timed("solve"):
            marched = next(self._marching, None)
            if marched is None:
                return None
            if marched.time_step > 0.0:
                state = marched.state
                cell.balances.update(state, marched.prescribed)
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
        """A step that all observers have seen; of None, the initial state. Collective."""
        model, stepper = self.cell.model, self.cell.stepper
        with self._phases.timed("output"):
            number, cycle = (0, 0) if marched is None else (marched.protocol_step, marched.cycle)
            sample = model.sample(stepper.state, step=number, accepted=stepper.steps, cycle=cycle)
            done: float | None = 0.0
            if marched is not None:
                done = self._journey.fraction_done(sample, marched.progress, marched.place)
            coming = self._coming(sample, marched)
            signal, wants = self._crew.agree(self._interruption, coming)
            if signal and marched is not None:
                self._signal, wants = signal, Wants(fields=True, kept=True)
            step = self._step(sample, marched, done, wants)
            self._crew.observe(step)
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
        """What observers see of the present state. Collective."""
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
        """What the run goes on from, on rank 0. Collective."""
        snapshot, peak = self.cell.snapshots.take(), self._peak()
        if snapshot is None:
            return None
        entries = {
            "wall_s": dict(self._phases.seconds),
            "peak_memory_bytes": peak,
            "ended": self._ended_by,
            "warnings": self._ledger.memory,
            "journey": self._journey.memory,
            **self._skipped.entries,
            "march": snapshot.entries,
        }
        return Kept(entries, snapshot.arrays)

    def _peak(self) -> int:
        """The most memory of all ranks together, of any piece of the run. Collective."""
        return max(int(self._comm.allreduce(peak_memory(), op=MPI.SUM)), self._peak_before)

    # -- the end ----------------------------------------------------------------------------

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the run where it stands, without a word to the other ranks.

        Raises:
            StoppedError: a signal had come.
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
                # Nobody heeded it yet.
                signal.raise_signal(noted)

    def _leave(self, error: BaseException | None) -> None:
        """End a run whose loop was left, by an exception or not."""
        outcome = LEFT if error is None else outcome_of(error)
        if error is None and self._signal:
            outcome = stopped_by(self._signal)
        self._outcome = outcome
        with nullcontext() if error is None else suppress(Exception):
            self._crew.end_here(self._ending(outcome, fault=error is not None, last=self._last))

    def _failed(self, error: BaseException, *, marching: bool = True) -> BaseException:
        """End the run because of what was raised; returns what to raise in its place.

        Collective where the ranks raised it together.

        Args:
            error: what was raised.
            marching: whether there is a last accepted step.
        """
        if self._outcome is not None:
            return error
        raised, last = error, self._last
        if isinstance(error, CompileError):
            # A compiler that was interrupted at the keyboard fails, too.
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
            # The first failure is the telling one.
            if outcome.status != "failed":
                return worse
        return as_agreed(raised)

    def _explained(self, error: SolveError) -> SolveError:
        reason = self._ledger.explained(error.reason)
        where = {"time_s": error.time_s, "step_s": error.step_s, "voltage_V": error.voltage_V}
        return SolveError(reason, **where)

    def _again(self) -> Step:
        """The last accepted step with all there is of it. Collective."""
        with self._phases.timed("output"):
            model, stepper = self.cell.model, self.cell.stepper
            # Its row is there already: the number of the protocol step goes nowhere.
            sample = model.sample(stepper.state, step=0, accepted=stepper.steps)
            return self._step(sample, None, None, Wants(fields=True, kept=True))

    def _end(self, outcome: Outcome, *, fault: bool = False, last: Step | None = None) -> None:
        """Let the observers end. Collective.

        Raises:
            Exception: what one of them raised, on every rank.
        """
        peak = self._peak()
        self._outcome = outcome
        try:
            self._crew.end(self._ending(outcome, fault=fault, last=last, peak=peak))
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
            say=self._crew.say,
        )

    def _let_signals(self) -> None:
        """Signals have their usual effect again, where no `with` has to come to its end first."""
        if not self._entered:
            self._interruption.__exit__(None, None, None)
