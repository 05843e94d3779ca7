"""heterode check: what an input file describes and would cost; with --mesh, its first minutes."""

from __future__ import annotations

import argparse
import os
from typing import Any

from heterode.base.errors import InputError
from heterode.cli.endings import DONE
from heterode.cli.input_file import load, with_parameters
from heterode.cli.values import whole

MOST_RANKS = 100_000


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    check = with_parameters(
        commands,
        "check",
        _check,
        "validate; print parameters, regimes, size, time and memory; solve nothing unless asked to",
    )
    check.add_argument(
        "--mesh",
        action="store_true",
        help="also run the first minutes on the mesh and on a finer one, and compare the voltages",
    )
    check.add_argument(
        "--ranks",
        type=whole(1, MOST_RANKS),
        metavar="N",
        help="MPI ranks that the run will have (default: those of a Slurm job, else 1)",
    )


def _ranks_of_the_job() -> int:
    text = os.environ.get("SLURM_NTASKS", "").strip() or "1"
    try:
        return whole(1, MOST_RANKS)(text)
    except argparse.ArgumentTypeError as error:
        raise InputError(f"SLURM_NTASKS: {error}. Pass --ranks, or unset it") from None


def _check(options: argparse.Namespace, comm: Any) -> int:
    parameters = load(options, comm)
    ranks = _ranks_of_the_job() if options.ranks is None else options.ranks
    from heterode.base.ranks import on_root
    from heterode.forecast.estimate import refuse_endless
    from heterode.geometry.cache import mesh_for
    from heterode.particles.drawn_penalties import check_penalty_table
    from heterode.runs.description import describe, describe_validity
    from heterode.runs.layering import expected_layering, layered_mesh
    from heterode.validity import facts_of

    def tell() -> None:
        refuse_endless(parameters)
        if parameters.geometry.mesh_file is None:
            mesh, layering, facts = None, expected_layering(parameters), None
        else:
            data = mesh_for(parameters)
            facts = facts_of(data)
            mesh, layering = facts.summary, layered_mesh(parameters, data)[1]
        check_penalty_table(parameters, None if mesh is None else mesh.particles)
        lines = describe(parameters, mesh, layering=layering, ranks=ranks)
        print("\n".join([*lines, "", "Validity", *describe_validity(parameters, facts, layering)]))

    on_root(comm, tell)
    if options.mesh:
        # The solver takes a second to load, so other checks do not.
        from heterode.runs.proof import prove

        proof = prove(parameters)
        on_root(
            comm, lambda: print("\n".join(["", "Mesh", *(f"  {line}" for line in proof.lines)]))
        )
    return DONE
