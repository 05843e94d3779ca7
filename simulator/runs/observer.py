"""The interface of observers, which watch a run, and the data that they receive.

    class Loudest(Observer):
        def observe(self, step):
            print(step.sample.time_s, step.sample.particle_current_A_m2.argmax())

The rules are the same in serial and on several ranks:

- `check`, `begin`, `start`, `observe`, `say` and `end` are called on rank 0 only, and must not
  communicate. An exception that one of them raises is raised on every rank and ends the run.
- `wants` is called on every rank, and must not communicate either. It requests data that all
  ranks have to gather (the fields, or what a run resumes from). One rank that asks is enough.
- Observers receive data but do not influence the run. A loop over the run may `break`: samples are
  equal on every rank, so that all ranks leave at the same step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heterode.base.run_warnings import RunWarning
from heterode.parameters import Parameters
from heterode.results.manifest import Outcome
from heterode.results.sample import FieldGrid, FieldValues, Floats, Sample
from heterode.runs.skipped import SkippedSteps

if TYPE_CHECKING:
    from heterode.runs.setting import Setting


@dataclass(frozen=True)
class Wants:
    """Data of the next step that an observer needs and that all ranks have to gather.

    Attributes:
        fields: whether `Step.fields` is needed.
        kept: whether `Step.kept` is needed.
    """

    fields: bool = False
    kept: bool = False

    def __or__(self, other: Wants) -> Wants:
        """Return what either of the two needs."""
        return Wants(self.fields or other.fields, self.kept or other.kept)


@dataclass(frozen=True)
class Coming:
    """What every rank knows of a step before its sample is taken.

    Attributes:
        accepted: number of the accepted time step, 0 for the initial state.
        time_s: time at the end of the step, s.
        voltage_V: voltage at the end of the step, V.
        cycle, step: numbers of cycle and step in the protocol, from 0.
        ended_by: the end condition that its protocol step met, in words; "" if that step continues.
        stop_V: the voltage of the protocol's stop that is met, V; None if none is.
        parameters: the parameters of the run.
        rank: this rank. A decision by the clock should be rank 0's alone; other ranks want nothing.
    """

    accepted: int
    time_s: float
    voltage_V: float
    cycle: int
    step: int
    ended_by: str
    stop_V: float | None
    parameters: Parameters
    rank: int


@dataclass(frozen=True)
class Kept:
    """All that a run resumes from, on any number of ranks.

    Attributes:
        entries: numbers and texts that JSON can hold; those of the march are under "march".
        arrays: (unknowns,) arrays by name, in the order of the mesh file.
    """

    entries: Mapping[str, Any]
    arrays: Mapping[str, Floats]


@dataclass(frozen=True)
class Start:
    """A cell whose equations are ready.

    Attributes:
        grids: points and cells of the values in `Step.fields`; empty on ranks other than 0.
        unknowns: number of unknowns of the discretised equations, on all ranks together.
        linear_solver: "direct" or "fieldsplit".
        one_C_A_m2: 1C in A m^-2 of collector, for the material that was meshed.
    """

    grids: Sequence[FieldGrid]
    unknowns: int
    linear_solver: str
    one_C_A_m2: float


@dataclass(frozen=True)
class Step:
    """An accepted time step; the first one is the initial state.

    All attributes are equal on every rank, except `fields` and `kept`, which only rank 0 holds.

    Attributes:
        sample: state of the cell, with the columns of history.csv and the particles' values.
        time_step_s: length of the time step, s; 0 for the initial state.
        text: text of its protocol step; "" for the initial state.
        ended_by: the end condition that the protocol step met, in words; "" if that step continues.
        stop_V: the voltage of the protocol's stop that was met, V; None if none was.
        done: share of the protocol that is done, 0 to 1; None if it cannot be determined.
        errors: largest relative errors of conservation so far, by "charge", "lithium", "salt" and
            "prescribed_charge".
        warnings: quantities that have left their range of validity so far, an entry for each kind.
        skipped: protocol steps that took no time so far.
        fields: values at the points of `Start.grids`, by domain and field, if an observer wanted
            them.
        kept: what the run can resume from at this step, if an observer wanted it.
    """

    sample: Sample
    time_step_s: float
    text: str
    ended_by: str
    stop_V: float | None
    done: float | None
    errors: Mapping[str, float]
    warnings: Sequence[RunWarning]
    skipped: SkippedSteps
    fields: FieldValues | None = None
    kept: Kept | None = None


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        outcome: completed, stopped (by a signal, or because its loop was left) or failed; with the
            reason.
        fault: whether an unforeseen exception ended it, possibly on this rank alone.
        last: the last accepted step again, with its fields and with what the run resumes from, if a
            signal or a failed solve ended it.
        numbers: steps, iterations, balances and the like; empty if there was no cell.
        warnings, skipped: as in `Step`.
        peak_memory_bytes: peak memory of all ranks together; None if they could not be asked.
        say: function that shows a line to the user.
    """

    outcome: Outcome
    fault: bool
    last: Step | None
    numbers: Mapping[str, Any]
    warnings: Sequence[RunWarning]
    skipped: SkippedSteps
    peak_memory_bytes: int | None
    say: Callable[[str], None]


class Observer:
    """Watches a run; inherit from it and define the methods that you need.

    See `heterode.runs.observer` for the rules under MPI.
    """

    def check(self, parameters: Parameters) -> None:
        """Refuse a run by an InputError before anything is meshed. Called on rank 0."""

    def wants(self, coming: Coming) -> Wants:
        """Return whether the next step's fields are needed, or what the run resumes from.

        Called on every rank, before each step's sample is taken.
        """
        return Wants()

    def begin(self, setting: Setting) -> Kept | None:
        """Called on rank 0 when the mesh and the particles are ready, before the equations.

        Returns:
            What the run is to resume from; None to start it, unless another observer returns
                something.
        """
        return None

    def start(self, start: Start) -> None:
        """Called on rank 0 when the equations are ready, before the first step."""

    def observe(self, step: Step) -> None:
        """Called on rank 0 after each accepted step."""

    def say(self, line: str) -> None:
        """Called on rank 0 with a line for the user: what the run does, and its warnings."""

    def end(self, ending: Ending) -> None:
        """Called on rank 0 when the run has ended in any way, the last observer first.

        If the loop over the steps was left, the other ranks do not wait for it.
        """
