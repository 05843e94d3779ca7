"""heterode sweep: many runs and one table of their results."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.cli.endings import DONE, SOLVE_FAILED
from heterode.cli.outputs import with_overwrite
from heterode.cli.results_folder import add_accept_altered, mind
from heterode.cli.values import whole

if TYPE_CHECKING:
    import pandas as pd

    from heterode.sweep.folder import Ended, SweepFolder
    from heterode.sweep.plan import PlannedRun, SweepPlan
    from heterode.sweep.slots import Slot

_TEXT = (
    "many runs, one table: a grid, a list or draws over any key of the parameter file, times "
    "seeds. The same command goes on where it stopped"
)
_SHOWN = 10
"""Largest number of failed runs that are listed one by one."""


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    sweep = commands.add_parser("sweep", help=_TEXT.partition(":")[0], description=_TEXT)
    sweep.add_argument(
        "sweep", type=Path, metavar="SWEEP", help="sweep file (TOML), or the folder made of one"
    )
    sweep.add_argument(
        "--out", type=Path, metavar="DIR", help="folder (default: results/<name of SWEEP>)"
    )
    sweep.add_argument(
        "--jobs", type=whole(1, 100_000), metavar="N", help="runs at a time (default: all cores)"
    )
    sweep.add_argument("--ranks", type=whole(1, 100_000), metavar="N", help="MPI ranks of each run")
    sweep.add_argument(
        "--retry-failed", action="store_true", help="start runs that failed before again"
    )
    add_accept_altered(sweep)
    with_overwrite(sweep)
    sweep.add_argument("--quiet", action="store_true", help="print nothing but errors")
    instead = sweep.add_mutually_exclusive_group()
    instead.add_argument(
        "--list", action="store_true", help="print a command per run that is left, and run nothing"
    )
    instead.add_argument(
        "--slurm", action="store_true", help="submit the runs that are left as an array job"
    )
    instead.add_argument(
        "--collect", action="store_true", help="write the table and the figures of what is there"
    )
    instead.add_argument("--run", metavar="ID", help="do one run of the sweep, on the ranks here")
    sweep.set_defaults(command=_sweep)


def _sweep(options: argparse.Namespace, comm: Any) -> int:
    if options.run is not None:
        return _one(options, comm)
    if comm.size > 1:
        raise InputError(
            "heterode sweep starts its runs itself, and is not to be run on ranks (allowed: "
            "--run ID alone). Leave mpirun out, and give --ranks"
        )
    if not (options.collect or options.list or options.slurm):
        return _pool(options)
    with _writing(options):
        plan, folder = _open(options)
        if options.collect:
            return _checked(plan, folder, options)
        ranks = options.ranks or plan.file.ranks
        return (_list if options.list else _submit)(plan, folder, ranks, options)


def _writing(
    options: argparse.Namespace, plan: SweepPlan | None = None, folder: SweepFolder | None = None
) -> AbstractContextManager[None]:
    """Return the context for writing the sweep's files; the outputs of a plan are checked first."""
    from heterode.results.written import writing

    outputs = [] if plan is None or folder is None else folder.outputs(plan)
    inputs = [options.sweep, *([] if plan is None else [plan.base])]
    # The folder of a sweep, once created, is the only place for its files.
    option = "--out" if options.sweep.is_file() else ""
    return writing(outputs, inputs=inputs, overwrite=options.overwrite, option=option)


def _open(options: argparse.Namespace) -> tuple[SweepPlan, SweepFolder]:
    """Return the plan and its folder, created from a sweep file or read from an existing folder."""
    from heterode.sweep.plan import lay_out, read_sweep

    folder = _folder(options)
    if options.sweep.is_dir():
        return folder.read(), folder
    plan = lay_out(read_sweep(options.sweep))
    _warn(plan, options)
    if not options.collect or not folder.plan.exists():
        folder.create(plan)
    return plan, folder


def _open_for(options: argparse.Namespace) -> tuple[SweepPlan, SweepFolder, PlannedRun]:
    """Return the plan, its folder, and the run that --run names."""
    with _writing(options):
        plan, folder = _open(options)
        run = next((run for run in plan.runs if run.id == options.run), None)
        if run is None:
            raise InputError(f"--run {options.run}: is no run of {folder.plan}. See --list")
        return plan, folder, run


def _folder(options: argparse.Namespace) -> SweepFolder:
    """Return the folder where the sweep is, or is to be."""
    from heterode.sweep.folder import SweepFolder

    if options.ranks is not None and options.ranks < 1:
        raise InputError(f"--ranks {options.ranks} (allowed: 1, 2, ...)")
    if options.sweep.is_dir():
        if options.out is not None:
            raise InputError("--out goes with a sweep file, not with the folder of a sweep")
        return SweepFolder(options.sweep, accept_altered=options.accept_altered)
    place = options.out or Path("results") / options.sweep.stem
    folder = SweepFolder(place, accept_altered=options.accept_altered)
    folder.check()
    return folder


def _pool(options: argparse.Namespace) -> int:
    """Do all remaining runs on the cores of this machine; returns the exit code."""
    from heterode.sweep.pool import local_slots

    folder = _folder(options)
    slots = local_slots(folder, options.ranks or 1, options.jobs)
    try:
        if options.sweep.is_file() and not folder.plan.exists():
            # No run has been done, so workers load their libraries while the sweep is read and
            # validated.
            for slot in slots:
                slot.prepare()
        from heterode.sweep.plan import Draft, lay_out, read_sweep

        found = folder.read() if options.sweep.is_dir() else read_sweep(options.sweep)
        ranks = options.ranks or found.file.ranks
        if options.ranks is None and ranks > 1:
            # Only the sweep file sets the number of ranks, and such runs start their ranks
            # themselves.
            _dismiss(slots)
            slots = local_slots(folder, ranks, options.jobs)
        if isinstance(found, Draft):
            plan = lay_out(found)
            _warn(plan, options)
            with _writing(options):
                folder.create(plan)
        else:
            plan = found
        return _run(plan, folder, slots, ranks, options)
    except InputError:
        _dismiss(slots)
        raise
    finally:
        for slot in slots:
            slot.close()


def _warn(plan: SweepPlan, options: argparse.Namespace) -> None:
    """Print the warnings of the sweep as a whole, and which points have fewer runs."""
    if not options.quiet:
        for remark in plan.remarks:
            print(f"heterode: {remark}", file=sys.stderr, flush=True)
        for warning in plan.warnings:
            print(f"heterode: warning: {warning.message}", file=sys.stderr, flush=True)


def _dismiss(slots: Sequence[Slot]) -> None:
    """Close slots for which there is no run, so that they do not get ready in vain."""
    for slot in slots:
        slot.kill()
        slot.close()


def _load_findings() -> None:
    """Load the modules that `_collect` needs while the last runs are still going on."""
    from heterode.sweep.worker import lasting

    with lasting():
        from heterode.sweep import findings, table  # noqa: F401


def _run(
    plan: SweepPlan,
    folder: SweepFolder,
    slots: Sequence[Slot],
    ranks: int,
    options: argparse.Namespace,
) -> int:
    from heterode.progress.board import Board
    from heterode.results.folder import ResultsFolder
    from heterode.results.lock import FolderLock
    from heterode.sweep.pool import Pool, tasks_of

    with _writing(options, plan, folder):
        # The outputs are checked before any run starts, since the runs may take days.
        lock = FolderLock(ResultsFolder(folder.path))
    try:
        tasks = tasks_of(plan, folder, retry=options.retry_failed)
        signal = 0
        if tasks:
            count, total = min(len(slots), len(tasks)), len(plan.unique())
            board = Board(
                sys.stderr,
                plan.title,
                total,
                before=total - len(tasks),
                at_once=count,
                quiet=options.quiet,
            )
            on = f" on {ranks} ranks each" if ranks > 1 else ""
            board.say(f"{len(tasks)} of {counted(total, 'run', 'is')} left, {count} at a time{on}")
            signal = Pool(folder, slots[:count], board, _load_findings).run(tasks)
        code = _collect(plan, folder, options)
        return 128 + signal if signal else code
    finally:
        lock.release()


def _checked(plan: SweepPlan, folder: SweepFolder, options: argparse.Namespace) -> int:
    """Collect the table after checking the files that its numbers come from."""
    from heterode.results.marks import leave_note, marking
    from heterode.sweep.table import check_runs

    check_runs(plan, folder, mind)
    lines = [line for lines in folder.altered.values() for line in lines]
    with marking(lines):
        code = _collect(plan, folder, options)
        leave_note(folder.path)
    return code


def _collect(plan: SweepPlan, folder: SweepFolder, options: argparse.Namespace) -> int:
    from heterode.sweep.findings import Findings, write_findings
    from heterode.sweep.table import collect, write_table
    from heterode.sweep.validity import warning_lines

    table = collect(plan, folder)
    with _writing(options, plan, folder):
        write_table(table, folder)
        try:
            found = write_findings(plan, folder, table)
        except Exception as error:
            # The table, from which everything else is derived, has been written already.
            why = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"heterode: warning: figures and statistics: {why}", file=sys.stderr)
            found = Findings((), ())
    if not options.quiet:
        written = [folder.csv, folder.parquet, *found.files]
        names = ", ".join(str(path.relative_to(folder.path)) for path in written)
        warnings = warning_lines(plan.warnings, table)
        print(
            "\n".join([_count(table), *warnings, *found.lines, f"written: {folder.path}: {names}"])
        )
    failed = table[table["status"] == "failed"].drop_duplicates("run")
    for _, row in failed.head(_SHOWN).iterrows():
        print(f"heterode: failed: run {row['run']}: {row['reason']}", file=sys.stderr)
    if len(failed) > _SHOWN:
        print(
            f"heterode: failed: {len(failed) - _SHOWN} more, see {folder.csv}. Once the reason is "
            "gone, --retry-failed starts them again",
            file=sys.stderr,
        )
    return SOLVE_FAILED if len(failed) else DONE


def _count(table: pd.DataFrame) -> str:
    counts = table.drop_duplicates("run")["status"].value_counts()
    order = ("completed", "failed", "stopped", "begun", "waiting")
    return ", ".join(f"{counts[status]} {status}" for status in order if status in counts)


def _list(plan: SweepPlan, folder: SweepFolder, ranks: int, options: argparse.Namespace) -> int:
    from heterode.sweep.pool import tasks_of

    launcher = f"mpirun -n {ranks} " if ranks > 1 else ""
    where = shlex.quote(str(folder.path.absolute()))
    for task in tasks_of(plan, folder, retry=options.retry_failed):
        again = " --retry-failed" if task.again else ""
        print(f"{launcher}heterode sweep {where} --run {task.run.id}{again}")
    return DONE


def _submit(plan: SweepPlan, folder: SweepFolder, ranks: int, options: argparse.Namespace) -> int:
    from heterode.sweep.pool import tasks_of
    from heterode.sweep.slurm import submit

    tasks = tasks_of(plan, folder, retry=options.retry_failed)
    if not tasks:
        print("all runs have ended")
        return DONE
    job = submit(plan, folder, tasks, ranks)
    print(
        f"submitted: array job {job} of {counted(len(tasks), 'run')}; logs in {folder.slurm}\n"
        f"heterode sweep {shlex.quote(str(folder.path))} --collect writes the table meanwhile"
    )
    return DONE


def _one(options: argparse.Namespace, comm: Any) -> int:
    """Do one run of a sweep on all ranks of this command."""
    from heterode.base.ranks import from_root, together

    plan, folder, run = from_root(comm, lambda: _open_for(options))
    from heterode.sweep.pool import task_of

    task = together(comm, lambda: task_of(run, plan, folder, retry=options.retry_failed))
    if task is None:
        status = folder.state(run.id).status
        if comm.rank == 0 and not options.quiet:
            print(f"{run.id} {status} already")
        return SOLVE_FAILED if status == "failed" else DONE
    work, world = together(comm, _worker)
    stream = None if options.quiet else sys.stderr
    ended = work(plan, run, folder, world, again=task.again, stream=stream)
    if comm.rank == 0:
        if ended.status == "failed":
            print(f"heterode: failed: run {run.id}: {ended.reason}", file=sys.stderr)
        elif not options.quiet:
            print(f"{run.id} {ended.status}: {ended.reason}")
    comm.barrier()
    if ended.status == "failed":
        return SOLVE_FAILED
    return 128 + ended.signal if ended.signal else DONE


def _worker() -> tuple[Callable[..., Ended], Any]:
    # All ranks have to learn if a rank lacks one of the heavy libraries that are loaded here.
    from mpi4py import MPI

    from heterode.sweep.work import work

    return work, MPI.COMM_WORLD
