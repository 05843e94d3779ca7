"""heterode mesh: packing and mesh alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from simulator.cli.endings import DONE
from simulator.cli.input_file import load, with_parameters
from simulator.errors import InputError


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    mesh = with_parameters(commands, "mesh", _mesh, "packing and mesh only, with a quality table")
    mesh.add_argument("-o", "--output", type=Path, metavar="FILE", required=True, help=".msh file")


def _mesh(options: argparse.Namespace, comm: Any) -> int:
    parameters = load(options, comm)
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
