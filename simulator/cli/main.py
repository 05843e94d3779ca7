"""The command line: parses, calls, prints. Nothing else touches argv.

Exit codes: 0 done, 2 the input is wrong or a library is missing, 3 the solve failed, the disk is
full, memory ran out, no checkpoint is usable or the program has a fault (what was computed is on
disk), 128 + n stopped by signal n (SIGINT, SIGTERM, SIGUSR1; under mpirun use the last). With 2 and
3 there is one line on stderr.

Only the input file's schema is imported before the input is known to be right.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn

from heterode import __version__
from heterode.base.cores import one_thread_a_library
from heterode.base.errors import ArgumentError, InputError, ResumeError
from heterode.base.ranks import is_agreed, launched_as, launched_in_parallel, together
from heterode.cli import (
    animate,
    check,
    dielectric,
    figures,
    mesh,
    micrograph,
    optics,
    report,
    run,
    sweep,
    twin,
    verify,
)
from heterode.cli.endings import DONE, INTERRUPTED, SOLVE_FAILED, leave
from heterode.cli.faults import check_descriptors, explain, show_traceback
from heterode.cli.streams import lasting_streams, loss

COMMANDS = (
    run,
    sweep,
    check,
    mesh,
    report,
    figures,
    twin,
    animate,
    optics,
    micrograph,
    dielectric,
    verify,
)
"""Modules of one command each, with `add(commands)`."""


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage as every other mistake: by an exception, in one line."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse what is unknown here, not in the parser above: its help knows no such option."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}. See `{self.prog} --help`")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    # Else the interpreter sifts all that the libraries hold before it leaves: 0.3 s and more.
    atexit.register(gc.freeze)
    # Open MPI does not start without one; the system knows where it is.
    with suppress(RuntimeError):
        os.environ.setdefault("HOME", str(Path.home()))
    one_thread_a_library()
    left: SystemExit | None = None
    with lasting_streams() as stdout, _silent_libraries():
        try:
            code = _command(arguments)
        except SystemExit as leaving:  # --help and --version
            left, code = leaving, DONE
    if loss(stdout) and code == DONE:
        print(f"heterode: error: standard output: {loss(stdout)}", file=sys.stderr, flush=True)
        return SOLVE_FAILED
    if left is not None:
        raise left
    return code


def _command(arguments: Sequence[str] | None) -> int:
    comm: Any = _Alone()
    options: argparse.Namespace | None = None
    try:
        check_descriptors()
        comm = _communicator()
        options = together(comm, lambda: _parse(arguments, silent=comm.rank != 0))
        code: int = options.command(options, comm)
        return code
    except KeyboardInterrupt:
        if comm.rank == 0:
            print("heterode: interrupted", file=sys.stderr, flush=True)
        return leave(comm, INTERRUPTED)
    except Exception as error:
        return _failed(error, comm, options)


def _failed(error: Exception, comm: Any, options: argparse.Namespace | None) -> int:
    """Say what happened, on rank 0 alone where all ranks know of it; returns the exit code."""
    line, code = explain(error)
    if isinstance(error, ArgumentError):
        line = error.with_options(getattr(options, "option_names", {}))
    # These are raised by all ranks, from what all of them know, or after they agreed.
    shared = isinstance(error, (InputError, ResumeError)) or is_agreed(error)
    alone = comm.size > 1 and not shared
    if comm.rank == 0 or alone:
        show_traceback(error)
        where = f"rank {comm.rank} of {comm.size}: " if alone else ""
        print(f"heterode: error: {where}{line}", file=sys.stderr, flush=True)
    if alone:
        return leave(comm, code)
    # A launcher ends the other ranks as soon as one leaves with an error: not before it spoke.
    comm.barrier()
    return code


@contextmanager
def _silent_libraries() -> Iterator[None]:
    """Keep what libraries warn of, for those who program with them, from a user's terminal.

    Whoever asks Python for warnings (-W, PYTHONWARNINGS) gets them.
    """
    asked = bool(sys.warnoptions)
    with nullcontext() if asked else warnings.catch_warnings():
        if not asked:
            warnings.showwarning = lambda *_, **__: None
        # Without any handler, records above "warning" would go to stderr.
        handler = logging.NullHandler()
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)


def _parse(arguments: Sequence[str] | None, *, silent: bool) -> argparse.Namespace:
    """Arguments; --help and --version print, unless silent, and leave."""
    with redirect_stdout(StringIO()) if silent else nullcontext():
        return _parser().parse_args(arguments)


class _Alone:
    """Stands for the communicator where there is one process, so that MPI need not be loaded.

    Among several that a launcher started, it serves until MPI is there.
    """

    size = 1

    def __init__(self) -> None:
        self.rank = launched_as()

    def bcast(self, value: Any, root: int = 0) -> Any:
        return value

    def allgather(self, value: Any) -> list[Any]:
        return [value]

    def barrier(self) -> None:
        return None


def _communicator() -> Any:
    if not launched_in_parallel():
        return _Alone()
    from mpi4py import MPI

    return MPI.COMM_WORLD


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="heterode",
        description="Reaction heterogeneity in composite battery electrodes, particle by particle.",
    )
    parser.add_argument("--version", action="version", version=f"heterode {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add(commands)
    return parser
