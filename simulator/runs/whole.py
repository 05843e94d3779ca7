"""Whole runs: prepared for a loop, or carried through to their end.

A loop over a prepared run may be left at any step:

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
from heterode.runs.observer import Observer
from heterode.runs.observer_group import ObserverGroup
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
) -> tuple[Setting, ObserverGroup]:
    """Check the input and mesh, before anything is written or compiled. Collective.

    Args:
        parameters, observers, comm: see `prepare`.

    Raises:
        InputError: the input is wrong; raised on every rank.
    """
    if not isinstance(parameters, Parameters):
        raise ArgumentError(
            "{parameters} is no heterode.Parameters. Make them by heterode.Parameters.load(FILE)",
            parameters=parameters,
        )
    ranks = MPI.COMM_WORLD if comm is None else comm
    free_earlier(ranks)
    group = ObserverGroup(observers, ranks)
    group.check(parameters)
    on_root(ranks, lambda: refuse_endless(parameters))
    return set_out(parameters, ranks), group


def prepare(
    parameters: Parameters, observers: Sequence[Observer] = (), *, comm: MPI.Comm | None = None
) -> Prepared:
    """Check, pack, mesh and compile; afterwards the cell is ready to run. Collective.

    Args:
        parameters: the parameters of the run.
        observers: observers in the order in which they are called; see `Observer`.
        comm: the communicator; None takes all ranks.

    Returns:
        The cell, for a `with` block and a loop. Signals that ask for an end (SIGINT, SIGTERM,
            SIGUSR1) are recorded from now until the `with` block is left, and end the loop after
            the current step.

    Raises:
        InputError: the input is wrong, or the folder of a recorder cannot be claimed; raised on
            every rank, and nothing has been written.
        ResumeError: the checkpoints of a run to be resumed are damaged; nothing has been changed.
        CompileError: the equations cannot be compiled on this machine.
        StoppedError: a signal arrived.
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
    """Return the observers of a run of the command `heterode run`.

    Args:
        recorder: the recorder of its folder.
        parameters: the parameters of the run.
        more: observers in addition to these.
        stream, quiet: see `Progress`.
    """
    title = parameters.title or recorder.out.name
    return [recorder, Progress(stream, quiet=quiet, title=title), *more, Checkpoint(recorder)]


def run_through(setting: Setting, group: ObserverGroup) -> Outcome:
    """Run a protocol to its end. Collective.

    Returns:
        How the run ended; a failed solve is an outcome, not an exception.

    Raises:
        InputError: the folder cannot be claimed; raised on every rank, and nothing has been
            written.
        ResumeError: the checkpoints are damaged; nothing has been changed.
    """
    try:
        with Prepared(setting, group) as cell:
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
        parameters: the parameters of the run.
        out: a results folder that is missing or empty, or an earlier run's with `overwrite` or
            `resume`.
        observers: observers in addition to those that write and show the run; see `Observer`.
        overwrite: whether to replace an earlier run's results; the user's files stay.
        resume: whether to resume the run in the folder, or start it if there is none.
        accept_altered: whether to resume even if its files are not as it wrote them.
        quiet: whether to show no progress.
        comm: the communicator; None takes all ranks.

    Returns:
        The results, as `heterode.load` returns them.

    Raises:
        InputError: the input is wrong, or the folder cannot be claimed; raised on every rank, and
            nothing has been written.
        ResumeError: the checkpoints of a run to be resumed are damaged; nothing has been changed.
        CompileError: the equations cannot be compiled on this machine.
        SolveError: a step cannot be solved; what was computed is in the folder.
        OutputError: the disk is full or the folder gone; what was written before is intact.
        StoppedError: a signal ended the run (it is a KeyboardInterrupt); what was computed is in
            the folder.
    """
    ranks = MPI.COMM_WORLD if comm is None else comm
    recorder = Recorder(out, overwrite=overwrite, resume=resume, accept_altered=accept_altered)
    if not resume or not is_completed(Path(out), parameters, ranks, accept_altered=accept_altered):
        watching = observed_by(recorder, parameters, more=observers, quiet=quiet)
        with prepare(parameters, watching, comm=ranks) as cell:
            for _ in cell:
                pass
    # This loads tables and pictures.
    from heterode.runs.loaded import load

    return load(out, accept_altered=accept_altered)
