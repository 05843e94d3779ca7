"""Runs as a whole: prepared for a loop, or led through to their end.

with prepare(parameters, observers=[Recorder("results/mine"), Progress()]) as cell:
    for step in cell:
        if step.sample.lithium_fraction_sd > 0.1:
            break
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mpi4py import MPI

from heterode.base.errors import ArgumentError, CompileError, SolveError
from heterode.base.ranks import end_all_if_uncaught, on_root
from heterode.base.signals import StoppedError
from heterode.forecast.estimate import refuse_endless
from heterode.parameters import Parameters
from heterode.results.manifest import Outcome
from heterode.results.storage import OutputError
from heterode.runs.crew import Crew
from heterode.runs.observer import Observer
from heterode.runs.observers import Checkpoint, Progress
from heterode.runs.outcomes import outcome_of
from heterode.runs.prepared import Prepared
from heterode.runs.recorder import Recorder
from heterode.runs.resuming import is_completed
from heterode.runs.setting import Setting, set_out
from heterode.solver.cell import free_earlier

if TYPE_CHECKING:
    from heterode.runs.loaded import Results


def lay_out(
    parameters: Parameters, observers: Sequence[Observer], comm: MPI.Comm | None = None
) -> tuple[Setting, Crew]:
    """Check and mesh, before anything is written or compiled. Collective.

    Args:
        parameters, observers, comm: see `prepare`.

    Raises:
        InputError: something is wrong with the input, on every rank.
    """
    if not isinstance(parameters, Parameters):
        raise ArgumentError(
            "{parameters} is no heterode.Parameters. Make them by heterode.Parameters.load(FILE)",
            parameters=parameters,
        )
    ranks = MPI.COMM_WORLD if comm is None else comm
    free_earlier(ranks)
    crew = Crew(observers, ranks)
    crew.check(parameters)
    on_root(ranks, lambda: refuse_endless(parameters))
    return set_out(parameters, ranks), crew


def prepare(
    parameters: Parameters, observers: Sequence[Observer] = (), *, comm: MPI.Comm | None = None
) -> Prepared:
    """Check, pack, mesh and compile: afterwards the cell is ready to run. Collective.

    Args:
        parameters: of the run.
        observers: who watches it, in the order in which they are called; see `Observer`.
        comm: the ranks; None: all of them.

    Returns:
        The cell, for `with` and a loop. Signals that ask for an end (SIGINT, SIGTERM, SIGUSR1) are
        noted from now on until the `with` is left, and end the loop after the step at hand.

    Raises:
        InputError: something is wrong with the input, or the folder of a recorder cannot be had;
            on every rank, and nothing has been written.
        ResumeError: the checkpoints of a run to go on with are damaged; nothing has been changed.
        CompileError: the equations cannot be compiled on this machine.
        StoppedError: a signal came.
    """
    end_all_if_uncaught(MPI.COMM_WORLD if comm is None else comm)
    return Prepared(*lay_out(parameters, observers, comm))


def observed_by(
    recorder: Recorder,
    parameters: Parameters,
    *,
    more: Sequence[Observer] = (),
    stream: TextIO | None = None,
    quiet: bool = False,
) -> list[Observer]:
    """Who watches a run of the command `heterode run`.

    Args:
        recorder: writes its folder.
        parameters: of the run.
        more: observers beside these.
        stream, quiet: see `Progress`.
    """
    title = parameters.title or recorder.out.name
    return [recorder, Progress(stream, quiet=quiet, title=title), *more, Checkpoint(recorder)]


def run_through(setting: Setting, crew: Crew) -> Outcome:
    """Run a protocol to its end. Collective.

    Returns:
        How it ended; a failed solve is an outcome, not an exception.

    Raises:
        InputError: the folder cannot be had; on every rank, and nothing has been written.
        ResumeError: its checkpoints are damaged; nothing has been changed.
    """
    try:
        with Prepared(setting, crew) as cell:
            for _ in cell:
                pass
    except (SolveError, CompileError, OutputError, StoppedError) as error:
        return outcome_of(error)
    assert cell.outcome is not None
    return cell.outcome


def run(
    parameters: Parameters,
    out: Path | str,
    *,
    observers: Sequence[Observer] = (),
    overwrite: bool = False,
    resume: bool = False,
    accept_altered: bool = False,
    quiet: bool = False,
    comm: MPI.Comm | None = None,
) -> Results:
    """Run a protocol to its end, as the command `heterode run` does. Collective.

    Args:
        parameters: of the run.
        out: the results folder; missing or empty, or an earlier run's with `overwrite` or `resume`.
        observers: who watches it beside those that write and show it; see `Observer`.
        overwrite: replace an earlier run's results; files of the user's stay.
        resume: go on with the run in the folder, or start it if there is none.
        accept_altered: with `resume`: also where its files are not as it wrote them.
        quiet: show no progress.
        comm: the ranks; None: all of them.

    Returns:
        The results, as `heterode.load` reads them.

    Raises:
        InputError: something is wrong with the input, or the folder cannot be had; on every rank,
            and nothing has been written.
        ResumeError: the checkpoints of a run to go on with are damaged; nothing has been changed.
        CompileError: the equations cannot be compiled on this machine.
        SolveError: a step cannot be solved; what was computed is in the folder.
        OutputError: the disk is full or the folder gone; likewise.
        StoppedError: a signal ended the run (it is a KeyboardInterrupt); likewise.
    """
    ranks = MPI.COMM_WORLD if comm is None else comm
    recorder = Recorder(out, overwrite=overwrite, resume=resume, accept_altered=accept_altered)
    if not resume or not is_completed(Path(out), parameters, ranks, accept_altered=accept_altered):
        watching = observed_by(recorder, parameters, more=observers, quiet=quiet)
        with prepare(parameters, watching, comm=ranks) as cell:
            for _ in cell:
                pass
    # Loads tables and pictures.
    from heterode.runs.loaded import load

    return load(out, accept_altered=accept_altered)
