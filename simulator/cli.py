"""The command line: parses, calls, prints. Nothing else touches argv.

Exit codes: 0 done, 2 the input is wrong (one line on stderr), 3 the solve failed, the disk is full,
no checkpoint is usable or the program has a fault (what was computed is on disk), 128 + n stopped
by signal n (SIGINT, SIGTERM, SIGUSR1; under mpirun use the last).

Only the input file's schema is imported before the input is known to be right.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from simulator import __version__
from simulator.errors import InputError, ResumeError
from simulator.ranks import launched_in_parallel, together

if TYPE_CHECKING:
    from simulator.parameters import Parameters

DONE, WRONG_INPUT, SOLVE_FAILED, INTERRUPTED = 0, 2, 3, 128 + 2


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage as every other mistake: by an exception, in one line."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}. See `{self.prog} --help`")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    comm = _communicator()
    try:
        options = together(comm, lambda: _parse(arguments, silent=comm.rank != 0))
        code: int = options.command(options, comm)
        return code
    except InputError as error:
        if comm.rank == 0:
            print(f"heterode: error: {error}", file=sys.stderr, flush=True)
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
        return _leave(comm, INTERRUPTED)
    except Exception:
        if comm.size == 1:
            raise
        traceback.print_exc()
        sys.stderr.flush()
        return _leave(comm, 1)


def _leave(comm: Any, code: int) -> int:
    """End all ranks: the others may be waiting for this one, and would for ever."""
    if comm.size > 1:
        comm.Abort(code)
    return code


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

    run = _with_parameters(commands, "run", _run, "pack, mesh and solve; write a results folder")
    run.add_argument(
        "--out", type=Path, metavar="DIR", help="results folder (default: results/<name of PARAMS>)"
    )
    run.add_argument("--overwrite", action="store_true", help="replace earlier results in --out")
    run.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --out (without --out: the last of results/<name of PARAMS>); "
        "start it if there is none",
    )
    run.add_argument("--quiet", action="store_true", help="print nothing but errors")

    check = _with_parameters(
        commands,
        "check",
        _check,
        "validate; print parameters, regimes, size, time and memory; solve nothing",
    )
    check.add_argument(
        "--ranks",
        type=_count,
        metavar="N",
        default=_count(os.environ.get("SLURM_NTASKS", "") or "1"),
        help="MPI ranks that the run will have (default: those of a Slurm job, else 1)",
    )

    mesh = _with_parameters(commands, "mesh", _mesh, "packing and mesh only, with a quality table")
    mesh.add_argument("-o", "--output", type=Path, metavar="FILE", required=True, help=".msh file")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of ranks (allowed: 1, 2, ...)")
    return int(text)


def _with_parameters(
    commands: Any, name: str, action: Callable[[argparse.Namespace, Any], int], text: str
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.add_argument("parameters", type=Path, metavar="PARAMS", help="input file, TOML")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change a value of the file, as in --set geometry.coating_thickness='60 um'",
    )
    command.set_defaults(command=action)
    return command


def _load(options: argparse.Namespace, comm: Any) -> Parameters:
    from simulator.parameters import load_parameters

    return together(comm, lambda: load_parameters(options.parameters, options.overrides))


def _run(options: argparse.Namespace, comm: Any) -> int:
    if options.resume and options.overwrite:
        raise InputError(
            "--resume goes on with the run in the folder, --overwrite deletes it. Pass one of them"
        )
    parameters = _load(options, comm)
    folder = options.out or parameters.output.directory
    folder = folder or _default_folder(parameters, comm, latest=options.resume)
    if options.resume and _is_completed(folder, parameters, comm):
        if comm.rank == 0 and not options.quiet:
            print(f"completed already\nresults: {folder}")
        return DONE
    from mpi4py import MPI

    from simulator.simulation import Simulation

    simulation = Simulation(
        parameters,
        folder,
        MPI.COMM_WORLD,
        quiet=options.quiet,
        overwrite=options.overwrite,
        resume=options.resume,
    )
    if comm.rank == 0 and not options.quiet:
        from simulator.describe import describe_regimes

        print("\n".join(["Regimes", *describe_regimes(parameters)]), flush=True)
    try:
        outcome = simulation.run()
    except (InputError, ResumeError):
        raise
    except Exception as error:
        return _fault(error, folder, comm)
    if comm.rank == 0:
        if outcome.status == "failed":
            print(f"heterode: failed: {outcome.reason}. Results so far: {folder}", file=sys.stderr)
        elif not options.quiet:
            print(f"{outcome.status}: {outcome.reason}\nresults: {folder}")
    comm.barrier()
    if outcome.status == "failed":
        return SOLVE_FAILED
    return 128 + outcome.signal if outcome.signal else DONE


def _fault(error: Exception, folder: Path, comm: Any) -> int:
    """A fault of the program, on this rank perhaps alone: say so, and end all ranks."""
    traceback.print_exc()
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    where = f" on rank {comm.rank} of {comm.size}" if comm.size > 1 else ""
    print(
        f"heterode: failed: a fault of the program{where} ({reason}). Results so far: {folder}; "
        "--resume goes on from the last checkpoint",
        file=sys.stderr,
        flush=True,
    )
    return _leave(comm, SOLVE_FAILED)


def _default_folder(parameters: Parameters, comm: Any, *, latest: bool) -> Path:
    """results/<name>, or with the first number behind it that is not taken; the last one that is
    taken if `latest` is wanted, and there is one."""

    def choose() -> Path:
        name = parameters.source_file.stem
        taken = None
        for n in range(1, 10000):
            path = Path("results") / (name if n == 1 else f"{name}-{n}")
            if not path.exists():
                break
            taken = path
        return taken if latest and taken is not None else path

    chosen: Path = comm.bcast(choose() if comm.rank == 0 else None, root=0)
    return chosen


def _is_completed(folder: Path, parameters: Parameters, comm: Any) -> bool:
    from simulator.ranks import on_root
    from simulator.resuming import stage

    completed = on_root(comm, lambda: stage(folder, parameters) == "completed")
    return bool(comm.bcast(completed, root=0))


def _check(options: argparse.Namespace, comm: Any) -> int:
    parameters = _load(options, comm)
    from simulator.describe import describe
    from simulator.estimate import count_unknowns, summarise
    from simulator.geometry.cache import mesh_for
    from simulator.ranks import on_root

    def tell() -> None:
        mesh, dofs = None, None
        if parameters.geometry.mesh_file is not None:
            data = mesh_for(parameters)
            conduct = parameters.active_material.electronic_conduction_in_particles
            mesh, dofs = (
                summarise(data),
                count_unknowns(data, parameters.solver.degree, particles_conduct=conduct),
            )
        print("\n".join(describe(parameters, mesh, dofs=dofs, ranks=options.ranks)))

    on_root(comm, tell)
    return DONE


def _mesh(options: argparse.Namespace, comm: Any) -> int:
    parameters = _load(options, comm)
    from simulator.geometry.cache import mesh_for
    from simulator.geometry.msh import write_msh
    from simulator.geometry.quality import mesh_quality
    from simulator.ranks import on_root

    def make() -> None:
        if options.output.suffix != ".msh":
            raise InputError(f"--output {options.output} does not end in .msh, the format written")
        if not options.output.absolute().parent.is_dir():
            raise InputError(f"--output {options.output}: no such folder. Make it first")
        mesh = mesh_for(parameters)
        try:
            write_msh(options.output, mesh)
        except OSError as error:
            raise InputError(f"--output {options.output}: {error.strerror}") from error
        print(mesh_quality(mesh).text())

    on_root(comm, make)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
