"""heterode check: what an input file would run, without running it."""

from __future__ import annotations

import argparse
import os
from typing import Any

from simulator.cli.endings import DONE
from simulator.cli.input_file import load, with_parameters


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    check = with_parameters(
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


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of ranks (allowed: 1, 2, ...)")
    return int(text)


def _check(options: argparse.Namespace, comm: Any) -> int:
    parameters = load(options, comm)
    from simulator.describe import describe, describe_validity
    from simulator.estimate import count_unknowns, refuse_endless
    from simulator.geometry.cache import mesh_for
    from simulator.penalties import check_penalty_table
    from simulator.ranks import on_root
    from simulator.validity import facts_of

    def tell() -> None:
        refuse_endless(parameters)
        mesh, dofs, facts = None, None, None
        if parameters.geometry.mesh_file is not None:
            data = mesh_for(parameters)
            conduct = parameters.active_material.electronic_conduction_in_particles
            facts = facts_of(data)
            mesh, dofs = (
                facts.summary,
                count_unknowns(data, parameters.solver.degree, particles_conduct=conduct),
            )
        check_penalty_table(parameters, None if mesh is None else mesh.particles)
        lines = describe(parameters, mesh, dofs=dofs, ranks=options.ranks)
        print("\n".join([*lines, "", "Validity", *describe_validity(parameters, facts)]))

    on_root(comm, tell)
    return DONE
