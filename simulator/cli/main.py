"""The command line: parses, calls, prints. Nothing else touches argv.

Exit codes: 0 done, 2 the input is wrong (one line on stderr), 3 the solve failed, the disk is full,
no checkpoint is usable or the program has a fault (what was computed is on disk), 128 + n stopped
by signal n (SIGINT, SIGTERM, SIGUSR1; under mpirun use the last).

Only the input file's schema is imported before the input is known to be right.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from io import StringIO
from typing import Any, NoReturn

from simulator import __version__
from simulator.cli import (
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
)
from simulator.cli.endings import INTERRUPTED, SOLVE_FAILED, WRONG_INPUT, leave
from simulator.errors import ArgumentError, InputError, ResumeError
from simulator.ranks import launched_in_parallel, together

COMMANDS = (run, sweep, check, mesh, report, figures, twin, animate, optics, micrograph, dielectric)
"""Modules of one command each, with `add(commands)`."""


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage as every other mistake: by an exception, in one line."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}. See `{self.prog} --help`")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    # Else the interpreter sifts all that the libraries hold before it leaves: 0.3 s and more.
    atexit.register(gc.freeze)
    comm = _communicator()
    options: argparse.Namespace | None = None
    try:
        options = together(comm, lambda: _parse(arguments, silent=comm.rank != 0))
        code: int = options.command(options, comm)
        return code
    except InputError as error:
        said = str(error)
        if isinstance(error, ArgumentError):
            said = error.with_options(getattr(options, "option_names", {}))
        if comm.rank == 0:
            print(f"heterode: error: {said}", file=sys.stderr, flush=True)
        # A launcher ends the other ranks as soon as one leaves with an error: not before it spoke.
        comm.barrier()
        return WRONG_INPUT
    except ResumeError as error:
        if comm.rank == 0:
            print(f"heterode: error: {error}", file=sys.stderr, flush=True)
        comm.barrier()
        return SOLVE_FAILED
    except KeyboardInterrupt:
        if comm.rank == 0:
            print("heterode: interrupted", file=sys.stderr, flush=True)
        return leave(comm, INTERRUPTED)
    except Exception:
        if comm.size == 1:
            raise
        traceback.print_exc()
        sys.stderr.flush()
        return leave(comm, 1)


def _parse(arguments: Sequence[str] | None, *, silent: bool) -> argparse.Namespace:
    """Arguments; --help and --version print, unless silent, and leave."""
    with redirect_stdout(StringIO()) if silent else nullcontext():
        return _parser().parse_args(arguments)


class _Alone:
    """Stands for the communicator where there is one process, so that MPI need not be loaded."""

    rank, size = 0, 1

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
