"""The command line: it parses arguments, calls the program and prints. No other module reads argv.

Exit codes: 0 for success; 2 if the input is wrong or a library is missing; 3 if the solve failed,
the disk is full, memory ran out, no checkpoint is usable or the program has a fault (what was
computed is on disk); 128 + n if the command was stopped by signal n (SIGINT, SIGTERM, SIGUSR1; use
the last under mpirun). Codes 2 and 3 come with one line on stderr.

Only the input file's schema is imported before the input is known to be right.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import logging
import os
import re
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
from heterode.base.words import nearest
from heterode.cli import (
    animate,
    check,
    completion,
    dielectric,
    explain,
    figures,
    init,
    materials,
    mesh,
    micrograph,
    optics,
    overview,
    preset,
    report,
    run,
    schema,
    sweep,
    twin,
    verify,
)
from heterode.cli.endings import DONE, INTERRUPTED, SOLVE_FAILED, leave
from heterode.cli.faults import check_descriptors, show_traceback
from heterode.cli.faults import explain as line_and_code
from heterode.cli.streams import lasting_streams, loss

GROUPS = {
    "Begin": (init, preset, materials, explain, check),
    "Compute": (run, sweep, mesh, twin),
    "Look at results": (report, figures, animate, verify),
    "Micrographs and optics": (optics, micrograph, dielectric),
    "This command": (overview, schema, completion),
}
"""The modules of the commands, each with a function `add(commands)`, by what they are for."""


class _Parser(argparse.ArgumentParser):
    """A parser that reports wrong usage as any other mistake, by an exception with one line."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse unknown arguments here; the parent parser would refer to its own help."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}. See `{self.prog} --help`")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    # Otherwise the interpreter searches all objects of the libraries at exit, which takes 0.3 s or
    # more.
    atexit.register(gc.freeze)
    # Open MPI does not start without HOME; the system knows where it is.
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
    """Report an error and return the exit code; only rank 0 prints what all ranks know."""
    line, code = line_and_code(error)
    if isinstance(error, ArgumentError):
        line = error.with_options(getattr(options, "option_names", {}))
    # All ranks raise these errors, either from what all of them know or after they have agreed.
    shared = isinstance(error, (InputError, ResumeError)) or is_agreed(error)
    alone = comm.size > 1 and not shared
    if comm.rank == 0 or alone:
        show_traceback(error)
        where = f"rank {comm.rank} of {comm.size}: " if alone else ""
        print(f"heterode: error: {where}{line}", file=sys.stderr, flush=True)
    if alone:
        return leave(comm, code)
    # A launcher ends the other ranks as soon as one exits with an error, so rank 0 has to print
    # first.
    comm.barrier()
    return code


@contextmanager
def _silent_libraries() -> Iterator[None]:
    """Keep warnings that libraries address to programmers from a user's terminal.

    Users who ask Python for warnings (-W, PYTHONWARNINGS) receive them.
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
    """Parse the arguments; --help and --version print, unless `silent`, and exit."""
    with redirect_stdout(StringIO()) if silent else nullcontext():
        return command_parser().parse_args(arguments)


class _Alone:
    """Takes the place of the communicator in a single process, so that MPI need not be loaded.

    Among several processes that a launcher started, it serves until MPI is loaded.
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


class _TopParser(_Parser):
    """The parser of all commands, whose help lists them by what they are for."""

    commands: dict[str, dict[str, overview.Command]]
    """The commands by their names, in groups."""

    def error(self, message: str) -> NoReturn:
        """Name the command that is nearest to a misspelt one, instead of all of them."""
        wrong = re.match(r"argument COMMAND: invalid choice: '(.*)' \(choose from", message)
        if wrong is None:
            super().error(message)
        names = [name for commands in self.commands.values() for name in commands]
        hint = nearest(wrong[1], names) or "`heterode help` lists them."
        raise InputError(f"'{wrong[1]}' is no command. {hint}")

    def format_help(self) -> str:
        """Return the list of commands, in groups."""
        return overview.text(str(self.description), self.commands)


def command_parser() -> _TopParser:
    """Return the parser of all commands."""
    parser = _TopParser(
        prog="heterode",
        description="Reaction heterogeneity in composite battery electrodes, particle by particle.",
    )
    parser.add_argument("-V", "--version", action="version", version=f"heterode {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    parser.commands = {}
    for group, modules in GROUPS.items():
        before = set(commands.choices)
        for module in modules:
            module.add(commands)
        told = {action.dest: action.help or "" for action in commands._get_subactions()}
        parser.commands[group] = {
            name: overview.Command(one, told[name])
            for name, one in commands.choices.items()
            if name not in before
        }
    return parser
