"""heterode mesh: the packing and mesh of an electrode alone, or the mesh of a segmented image."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from heterode.base.errors import InputError
from heterode.cli.endings import DONE
from heterode.cli.input_file import load, with_parameters
from heterode.cli.outputs import with_overwrite
from heterode.cli.values import length, voxel


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
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
    mesh.add_argument(
        "--split",
        type=length,
        metavar="DIAMETER",
        help="part a phase of --labels into particles of about this diameter, as in 5um: numbers of"
        " phases (0/1/2, 0/255) instead of a number a particle",
    )
    mesh.add_argument(
        "--phase",
        type=int,
        metavar="NUMBER",
        help="the number of the active material, for --split; may be left out where there is one",
    )
    mesh.add_argument(
        "--drop-unmeshable",
        action="store_true",
        help="leave out particles of a stack that cannot be meshed, instead of refusing it",
    )


def _mesh(options: argparse.Namespace, comm: Any) -> int:
    parameters = load(options, comm, packed=options.labels is None)
    from heterode.base.ranks import on_root
    from heterode.forecast.estimate import refuse_endless
    from heterode.geometry.cache import mesh_for
    from heterode.geometry.msh import msh_bytes
    from heterode.geometry.quality import mesh_quality
    from heterode.parameters.files import files_of
    from heterode.results.written import write_output, writing

    def make() -> None:
        if options.output.suffix != ".msh":
            raise InputError(f"--output {options.output} does not end in .msh, the format written")
        if not options.output.absolute().parent.is_dir():
            raise InputError(f"--output {options.output}: no such folder. Make it first")
        _refuse_idle(options)
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
                from heterode.optics.phases import Split
                from heterode.reporting.labels import mesh_image, summary, table

                progress = _tell if sys.stderr.isatty() else None
                made, image = mesh_image(
                    options.labels,
                    options.pixel,
                    parameters,
                    progress,
                    split=None if options.split is None else Split(options.split, options.phase),
                    drop_unmeshable=options.drop_unmeshable,
                )
                mesh = made.mesh
            write_output(options.output, msh_bytes(mesh))
            if options.labels is not None:
                write_output(options.output.with_suffix(".csv"), table(made, image))
        if options.labels is not None:
            print("\n".join(summary(made, image)))
        print(mesh_quality(mesh).text())

    on_root(comm, make)
    return DONE


def _refuse_idle(options: argparse.Namespace) -> None:
    """Refuse options that would change nothing."""
    given = {
        "--pixel": options.pixel is not None,
        "--split": options.split is not None,
        "--phase": options.phase is not None,
        "--drop-unmeshable": options.drop_unmeshable,
    }
    idle = [option for option, is_given in given.items() if is_given]
    if options.labels is None and idle:
        raise InputError(f"{idle[0]} belongs to --labels: pass both, or neither")
    if options.phase is not None and options.split is None:
        raise InputError(
            "--phase belongs to --split: pass the diameter of a typical particle too, as in"
            " --split 5um"
        )


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
