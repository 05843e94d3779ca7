"""heterode mesh: packing and mesh alone, or the mesh of a segmented image."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from simulator.cli.endings import DONE
from simulator.cli.input_file import load, with_parameters
from simulator.cli.outputs import with_overwrite
from simulator.cli.values import voxel
from simulator.errors import InputError


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    mesh = with_parameters(commands, "mesh", _mesh, "packing and mesh only, with a quality table")
    mesh.add_argument("-o", "--output", type=Path, metavar="FILE", required=True, help=".msh file")
    with_overwrite(mesh)
    mesh.add_argument(
        "--labels",
        type=Path,
        metavar="IMAGE",
        help="instead of packing: the particles of this label image (collector on the left), or"
        " stack of them (TIFF, collector at the first page)",
    )
    mesh.add_argument(
        "--pixel",
        type=voxel,
        metavar="LENGTH",
        help="edge of a pixel of --labels, as in 0.1um; of a voxel also 0.1um,0.1um,0.2um (x,y,z)",
    )


def _mesh(options: argparse.Namespace, comm: Any) -> int:
    parameters = load(options, comm)
    from simulator.estimate import refuse_endless
    from simulator.geometry.cache import mesh_for
    from simulator.geometry.msh import msh_bytes
    from simulator.geometry.quality import mesh_quality
    from simulator.parameters.files import files_of
    from simulator.ranks import on_root
    from simulator.results.written import write_output, writing

    def make() -> None:
        if options.output.suffix != ".msh":
            raise InputError(f"--output {options.output} does not end in .msh, the format written")
        if not options.output.absolute().parent.is_dir():
            raise InputError(f"--output {options.output}: no such folder. Make it first")
        if options.labels is None and options.pixel is not None:
            raise InputError("--pixel belongs to --labels: pass both, or neither")
        if options.labels is None:
            refuse_endless(parameters)
        outputs, inputs = [options.output], files_of(parameters)
        if options.labels is not None:
            outputs.append(options.output.with_suffix(".csv"))
            inputs.append(options.labels)
        with writing(outputs, inputs=inputs, overwrite=options.overwrite, option="--output"):
            if options.labels is None:
                mesh = mesh_for(parameters)
            else:
                from simulator.reporting.labels import mesh_image, summary, table

                progress = _tell if sys.stderr.isatty() else None
                made, image = mesh_image(options.labels, options.pixel, parameters, progress)
                mesh = made.mesh
            write_output(options.output, msh_bytes(mesh))
            if options.labels is not None:
                write_output(options.output.with_suffix(".csv"), table(made, image))
        if options.labels is not None:
            print("\n".join(summary(made, image)))
        print(mesh_quality(mesh).text())

    on_root(comm, make)
    return DONE


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
