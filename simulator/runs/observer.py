"""Who watches a run: what an observer is, and all that it is handed.

    class Loudest(Observer):
        def observe(self, step):
            print(step.sample.time_s, step.sample.particle_current_A_m2.argmax())

The rules are the same in serial and on several ranks:

- `check`, `begin`, `start`, `observe`, `say` and `end` are called on rank 0 alone, and must not
  communicate. What one of them raises is raised on every rank, and ends the run.
- `wants` is called on every rank, and must not communicate either: what takes all ranks to gather
  (the fields, all that a run goes on from) is asked for there. One rank that asks is enough.
- Observers receive, they never steer. A loop over the run may `break`: samples are equal on every
  rank, so that all of them leave at the same step.
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
    """What an observer needs of the next step, and all ranks have to gather.

    Attributes:
        fields: `Step.fields`.
        kept: `Step.kept`.
    """

    fields: bool = False
    kept: bool = False

    def __or__(self, other: Wants) -> Wants:
        """What either needs."""
        return Wants(self.fields or other.fields, self.kept or other.kept)


@dataclass(frozen=True)
class Coming:
    """What every rank knows of a step before its sample is taken.

    Attributes:
        accepted: number of the accepted time step, 0 for the initial state.
        time_s: at its end, s.
        voltage_V: at its end, V.
        cycle, step: numbers in the protocol, from 0.
        ended_by: the end that its protocol step met, in words; "" where it goes on.
        stop_V: the voltage, V, of a stop of the protocol that is met; None elsewhere.
        parameters: of the run.
        rank: this rank. Where clocks decide, rank 0's alone should: others want nothing.
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
    """All that a run goes on from, on whatever number of ranks.

    Attributes:
        entries: numbers and texts, ready for JSON; the march's own under "march".
        arrays: (unknowns,) by name, in the order of the mesh file.
    """

    entries: Mapping[str, Any]
    arrays: Mapping[str, Floats]


@dataclass(frozen=True)
class Start:
    """A cell whose equations are ready.

    Attributes:
        grids: points and cells that the values of `Step.fields` belong to; empty on other ranks
            than 0.
        unknowns: of the discretised equations, on all ranks together.
        linear_solver: "direct" or "fieldsplit".
        one_C_A_m2: 1C, A m^-2 of collector, for the material that was meshed.
    """

    grids: Sequence[FieldGrid]
    unknowns: int
    linear_solver: str
    one_C_A_m2: float


@dataclass(frozen=True)
class Step:
    """An accepted time step; the first one is the initial state.

    All of it is equal on every rank, but `fields` and `kept`, which rank 0 alone holds.

    Attributes:
        sample: state of the cell, with the columns of history.csv and the particles' values.
        time_step_s: its length, s; 0 of the initial state.
        text: of its protocol step; "" of the initial state.
        ended_by: the end that the protocol step met, in words; "" where it goes on.
        stop_V: the voltage, V, of a stop of the protocol that was met; None elsewhere.
        done: share of the protocol that is done, 0 to 1; None where nothing tells.
        errors: largest relative errors of conservation so far, by "charge", "lithium", "salt" and
            "prescribed_charge".
        warnings: what left its valid range so far, an entry a kind.
        skipped: protocol steps that took no time so far.
        fields: values at the points of `Start.grids`, by domain and field, where somebody wanted
            them.
        kept: what the run goes on from here with, where somebody wanted it.
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
        outcome: completed, stopped (by a signal, or as its loop was left) or failed; and why.
        fault: an exception that nobody foresaw ended it, on this rank perhaps alone.
        last: the last accepted step once more, with its fields and with what the run goes on from,
            where a signal or a failed solve ended it.
        numbers: steps, iterations, balances and the like; empty where no cell came about.
        warnings, skipped: as of `Step`.
        peak_memory_bytes: the most memory of all ranks; None where they could not be asked.
        say: shows a line to the user.
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
    """Watches a run: inherit from it, and write the methods that you need.

    See `heterode.runs.observer` for the rules under MPI.
    """

    def check(self, parameters: Parameters) -> None:
        """Refuse a run before anything is meshed, with an InputError. Called on rank 0."""

    def wants(self, coming: Coming) -> Wants:
        """Whether the next step's fields are needed, or what the run goes on from.

        Called on every rank, before each step's sample is taken.
        """
        return Wants()

    def begin(self, setting: Setting) -> Kept | None:
        """The mesh and the particles are there, and the equations come next. Called on rank 0.

        Returns:
            What the run is to go on from; None: it starts, unless another observer knows better.
        """
        return None

    def start(self, start: Start) -> None:
        """The equations are ready, and the first step comes next. Called on rank 0."""

    def observe(self, step: Step) -> None:
        """A step was accepted. Called on rank 0."""

    def say(self, line: str) -> None:
        """A line for the user: what the run does, and its warnings. Called on rank 0."""

    def end(self, ending: Ending) -> None:
        """The run ended, in whatever way. Called on rank 0, the last observer first.

        Where the loop over the steps was left, the other ranks do not wait for it.
        """
