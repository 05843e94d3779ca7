"""heterode mesh: packing and mesh alone, or the mesh of a segmented image."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.cli.endings import DONE
from simulator.cli.input_file import load, with_parameters
from simulator.errors import InputError

if TYPE_CHECKING:
    from simulator.geometry.mesh_data import MeshData
    from simulator.parameters import Parameters


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    mesh = with_parameters(commands, "mesh", _mesh, "packing and mesh only, with a quality table")
    mesh.add_argument("-o", "--output", type=Path, metavar="FILE", required=True, help=".msh file")
    mesh.add_argument(
        "--labels",
        type=Path,
        metavar="IMAGE",
        help="mesh the particles of this label image (collector on the left) instead of a packing",
    )
    mesh.add_argument("--pixel", metavar="LENGTH", help="edge of a pixel of --labels, as in 0.1um")


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
        if options.labels is None and options.pixel is not None:
            raise InputError("--pixel belongs to --labels: pass both, or neither")
        from_image = options.labels is not None
        mesh = _of_image(options, parameters) if from_image else mesh_for(parameters)
        try:
            write_msh(options.output, mesh)
        except OSError as error:
            raise InputError(f"--output {options.output}: {error.strerror}") from error
        print(mesh_quality(mesh).text())

    on_root(comm, make)
    return DONE


def _of_image(options: argparse.Namespace, parameters: Parameters) -> MeshData:
    from simulator.geometry.label_image import mesh_labels
    from simulator.geometry.meshing import mesh_sizes
    from simulator.optics.micrograph import read_label_image
    from simulator.reporting.micrographs import pixel_um

    given = None if options.pixel is None else pixel_um(options.pixel)
    labels, size = read_label_image(options.labels, given)
    geometry = parameters.geometry
    if geometry.dimension != 2:
        raise InputError(
            f"{parameters.source_file}: geometry.dimension = {geometry.dimension}, but an image has"
            " 2: pass --set geometry.dimension=2"
        )
    mesh, outlines = mesh_labels(
        labels,
        size,
        1e6 * geometry.separator_thickness,
        1e6 * geometry.minimum_gap,
        mesh_sizes(geometry.mesh),
    )
    share = float(mesh.particles.volume_um3.sum()) / (outlines.thickness_um * outlines.width_um)
    print(
        f"{len(outlines.rings)} particles, {share:.3f} of a coating of"
        f" {outlines.thickness_um:.4g} um x {outlines.width_um:.4g} um"
        + (f"; {outlines.dropped} too small were left out" if outlines.dropped else "")
    )
    return mesh
