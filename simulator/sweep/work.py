"""One run of a sweep: the simulation and then its numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from heterode.base.errors import ArgumentError, InputError, ResumeError
from heterode.base.ranks import on_root
from heterode.parameters import Parameters, load_parameters
from heterode.results.manifest import Outcome
from heterode.runs.recorder import Recorder
from heterode.runs.resuming import is_completed
from heterode.runs.whole import lay_out, observed_by, run_through
from heterode.sweep.folder import Ended, Status, SweepFolder
from heterode.sweep.plan import PlannedRun, SweepPlan, fingerprint
from heterode.sweep.run_numbers import numbers_of_run


def parameters_of(plan: SweepPlan, run: PlannedRun) -> Parameters:
    """Return the parameters of a run, as they were when the sweep was laid out.

    Raises:
        InputError: the parameter file has been changed since then, or is no longer valid.
    """
    parameters = load_parameters(plan.base, run.overrides)
    if fingerprint(parameters) != run.id:
        raise InputError(
            f"{plan.base}: was changed since the sweep was laid out, or files it names were: run "
            f"{run.id} would be another one. Call `heterode sweep {plan.source}` again"
        )
    return parameters


def work(
    plan: SweepPlan,
    run: PlannedRun,
    folder: SweepFolder,
    comm: Any,
    *,
    again: bool = False,
    stream: TextIO | None = None,
    asked_to_stop: Callable[[], bool] = lambda: False,
) -> Ended:
    """Simulate or resume a run, compute its numbers and record how it ended. Collective.

    Args:
        comm: the communicator.
        again: whether a failed run starts from the beginning.
        stream: where progress is shown; None shows none.
        asked_to_stop: whether a signal arrived at a time when nothing could be interrupted.

    Returns:
        how the run ended; an error of the run is described in it, not raised.
    """
    path = folder.results(run.id)
    try:
        outcome = _simulate(plan, run, path, comm, again, stream, asked_to_stop)
    except ArgumentError as error:
        outcome = Outcome("failed", error.with_options({}))
    except (InputError, ResumeError) as error:
        outcome = Outcome("failed", str(error))
    if outcome.status != "completed":
        status: Status = "stopped" if outcome.status == "stopped" else "failed"
        ended = Ended(status, outcome.reason, signal=outcome.signal)
    else:
        numbers = on_root(comm, lambda: _measured(plan, path)) or {}
        ended = Ended("completed", outcome.reason, numbers, asked=plan.file.measure.asked)
    on_root(comm, lambda: folder.end(run.id, ended))
    return ended


def _simulate(
    plan: SweepPlan,
    run: PlannedRun,
    path: Path,
    comm: Any,
    again: bool,
    stream: TextIO | None,
    asked_to_stop: Callable[[], bool],
) -> Outcome:
    parameters = parameters_of(plan, run)

    # The numbers are about to be computed from files that others could have changed meanwhile.
    if not again and is_completed(path, parameters, comm):
        return Outcome("completed", "completed before")
    recorder = Recorder(path, overwrite=again, resume=not again)
    observers = observed_by(recorder, parameters, stream=stream, quiet=stream is None)
    setting, group = lay_out(parameters, observers, comm)
    if asked_to_stop():
        return Outcome("stopped", "stopped before it began")
    return run_through(setting, group)


def _measured(plan: SweepPlan, path: Path) -> dict[str, Any]:
    asked = plan.file.measure
    return numbers_of_run(path, asked.wanted, asked.settings, asked.voltage_at)
