"""heterode run: simulate what an input file describes."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heterode.base.errors import InputError, ResumeError, one_line
from heterode.base.ranks import together
from heterode.cli.endings import DONE, SOLVE_FAILED, leave
from heterode.cli.faults import explain, show_traceback
from heterode.cli.input_file import load, with_parameters
from heterode.cli.outputs import with_overwrite
from heterode.cli.results_folder import add_accept_altered, mind

if TYPE_CHECKING:
    from heterode.parameters import Parameters


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    run = with_parameters(commands, "run", _run, "pack, mesh and solve; write a results folder")
    run.add_argument(
        "--out", type=Path, metavar="DIR", help="results folder (default: results/<name of PARAMS>)"
    )
    with_overwrite(run)
    run.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --out (without --out: the last of results/<name of PARAMS>); "
        "start it if there is none",
    )
    add_accept_altered(run)
    run.add_argument("--quiet", action="store_true", help="print nothing but errors")


def _run(options: argparse.Namespace, comm: Any) -> int:
    if options.accept_altered and not options.resume:
        raise InputError("--accept-altered goes with --resume: a new run reads no results")
    if options.resume and options.overwrite:
        raise InputError(
            "--resume goes on with the run in the folder, --overwrite replaces it. Pass one of them"
        )
    parameters = load(options, comm)
    folder = options.out or parameters.output.directory
    named = folder is not None
    folder = folder or _default_folder(parameters, comm, latest=options.resume)
    renamed = not named and folder != _first_folder(parameters)
    if options.resume and _is_completed(folder, parameters, comm, options.accept_altered):
        if comm.rank == 0 and not options.quiet:
            print(f"completed already\nresults: {folder}")
        return DONE
    together(comm, _load_solver)
    from heterode.runs.recorder import Recorder
    from heterode.runs.whole import lay_out, observed_by, run_through

    recorder = Recorder(
        folder,
        overwrite=options.overwrite,
        resume=options.resume,
        accept_altered=options.accept_altered,
    )
    observers = observed_by(recorder, parameters, quiet=options.quiet)
    setting, group = lay_out(parameters, observers)
    if comm.rank == 0 and not options.quiet:
        if renamed and not options.resume:
            text = f"{_first_folder(parameters)} is there already: this run goes to {folder}"
            print(f"heterode: {text}", file=sys.stderr, flush=True)
        from heterode.runs.description import describe_regimes

        print("\n".join(["Regimes", *describe_regimes(parameters, setting.summary)]), flush=True)
    try:
        outcome = run_through(setting, group)
    except (InputError, ResumeError):
        raise
    except Exception as error:
        return _fault(error, folder, comm)
    if comm.rank == 0:
        place = f"Results so far: {folder}"
        if not recorder.begun:
            place = f"The earlier results in {folder} are as they were"
        if outcome.status == "failed":
            print(f"heterode: failed: {outcome.reason}. {place}", file=sys.stderr)
        elif not recorder.begun:
            print(f"heterode: {outcome.reason}. {place}", file=sys.stderr)
        elif not options.quiet:
            print(f"{outcome.status}: {outcome.reason}\nresults: {folder}")
            if parameters.output.report:
                _say_page(folder)
    comm.barrier()
    if outcome.status == "failed":
        return SOLVE_FAILED
    return 128 + outcome.signal if outcome.signal else DONE


def _say_page(folder: Path) -> None:
    """Print where to look first."""
    # This loads pictures and templates, which a run with a report has loaded already.
    from heterode.reporting.page import PAGE
    from heterode.results.folder import ResultsFolder

    page = ResultsFolder(folder).report / PAGE
    if page.is_file():
        print(f"page: {page}")


def _load_solver() -> None:
    # All ranks have to learn if a rank lacks one of the heavy libraries that are loaded here.
    import_module("heterode.runs.whole")


def _fault(error: Exception, folder: Path, comm: Any) -> int:
    """Report the error that ended the run, possibly on this rank alone, and end all ranks."""
    show_traceback(error)
    where = f"on rank {comm.rank} of {comm.size}: " if comm.size > 1 else ""
    print(
        f"heterode: failed: {where}{explain(error)[0]}. Results so far: {one_line(str(folder))}; "
        "--resume goes on from the last checkpoint",
        file=sys.stderr,
        flush=True,
    )
    return leave(comm, SOLVE_FAILED)


def _first_folder(parameters: Parameters) -> Path:
    """Return the folder for results whose place the user did not name."""
    return Path("results") / parameters.source_file.stem


def _default_folder(parameters: Parameters, comm: Any, *, latest: bool) -> Path:
    """Return results/<name>, followed by the lowest free number if that is taken.

    If `latest`, return instead the last such folder that exists, if there is one.
    """

    def choose() -> Path:
        first, taken = _first_folder(parameters), None
        for n in range(1, 10000):
            path = first if n == 1 else first.with_name(f"{first.name}-{n}")
            if not path.exists():
                break
            taken = path
        return taken if latest and taken is not None else path

    chosen: Path = comm.bcast(choose() if comm.rank == 0 else None, root=0)
    return chosen


def _is_completed(folder: Path, parameters: Parameters, comm: Any, accept_altered: bool) -> bool:
    from heterode.runs.resuming import is_completed

    return is_completed(folder, parameters, comm, mind=mind, accept_altered=accept_altered)
