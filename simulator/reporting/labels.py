"""A mesh from a segmented image or a stack of them, with a table of how each particle came out.

<mesh>.csv    particle, label (its number in the image), place, radius, area or volume in the image
              and in the mesh, and the distance of its outline from that of the pixels
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.geometry.extent import refuse_pixels
from heterode.geometry.label_image import mesh_labels
from heterode.geometry.label_stack import UnmeshableError, mesh_stack
from heterode.geometry.meshing import mesh_sizes
from heterode.geometry.packing import Progress
from heterode.geometry.parting import ImageMesh
from heterode.geometry.pieces import require_reached
from heterode.optics.csv_columns import write_csv
from heterode.optics.label_file import LabelImage, read_label_image
from heterode.optics.phases import Split
from heterode.parameters import Parameters

TOLERANCE = {2: 0.01, 3: 0.02}
"""Relative error of a particle's area or volume beyond which the summary names the particle."""

MOST_NAMED = 5
"""Largest number of particles that a line of the summary names."""

MOST_REFUSED = 40
"""Largest number of particles that a refusal names."""


def mesh_image(
    path: Path,
    edges_um: Sequence[float] | None,
    parameters: Parameters,
    progress: Progress | None = None,
    *,
    split: Split | None = None,
    drop_unmeshable: bool = False,
) -> tuple[ImageMesh, LabelImage]:
    """Read and mesh a label image or stack.

    Args:
        path: the image.
        edges_um: the edges of its pixels, um; None takes them from the metadata.
        parameters: supply the separator, the gap (at least one pixel) and the sizes of [geometry].
        progress: called with a line from time to time while a stack is meshed.
        split: how to part a phase into particles; None where each has a number.
        drop_unmeshable: leave out particles of a stack that cannot be meshed.

    Raises:
        InputError: the file is not such an image, geometry.dimension is another, or it cannot be
            meshed.
    """
    image = read_label_image(path, edges_um, split)
    geometry, dimension = parameters.geometry, image.labels.ndim
    if geometry.dimension != dimension:
        what = "an image has 2" if dimension == 2 else "a stack has 3"
        raise InputError(
            f"{parameters.source_file}: geometry.dimension = {geometry.dimension}, but {what}:"
            f" pass --set geometry.dimension={dimension}"
        )
    # Pages, and the columns of an image, run from the collector onwards.
    refuse_pixels(image.edges_um, image.labels.shape[0 if dimension == 3 else 1], path)
    separator = 1e6 * geometry.separator_thickness
    # An image cannot show a gap narrower than a pixel.
    gap = max(1e6 * geometry.minimum_gap, *image.edges_um)
    if dimension == 3:
        try:
            made = mesh_stack(
                image.labels,
                image.edges_um,
                separator,
                gap,
                geometry.mesh,
                progress,
                drop_unmeshable=drop_unmeshable,
            )
        except UnmeshableError as error:
            raise InputError(
                f"{path}: {_named(error.labels, image, most=MOST_REFUSED)} cannot be meshed:"
                f" {error.reason}. {error.remedy}, or leave them out by --drop-unmeshable"
            ) from None
    elif drop_unmeshable:
        raise InputError(
            f"{path}: --drop-unmeshable is for stacks, and this is one image: remove it"
        )
    else:
        sizes = mesh_sizes(geometry.mesh)
        made = mesh_labels(image.labels, image.edges_um[0], separator, gap, sizes)
    try:
        require_reached(
            made.mesh,
            remedy="Raise geometry.minimum_gap, or part the labels there.",
            name=lambda particle: f"label {image.numbers[made.labels[particle] - 1]}",
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return made, image


def summary(made: ImageMesh, image: LabelImage) -> list[str]:
    """Return lines on how closely the mesh follows the image."""
    mesh, flat = made.mesh, image.labels.ndim == 2
    box = (mesh.coating_thickness_um, *mesh.width_um)
    share = float(mesh.particles.volume_um3.sum() / np.prod(box))
    measure = "area" if flat else "volume"
    lines = [
        f"{counted(len(made.labels), 'particle')}, {share:.3f} of a coating of "
        + " x ".join(f"{length:.4g} um" for length in box)
        + (f"; {made.dropped} too small were left out" if made.dropped else "")
    ]
    lines += [f"assumed: {note}" for note in image.notes]
    if not flat:
        lines += _cut_by_the_border(made, image)
    if made.unmeshable:
        lines.append(
            f"warning: left out, since they cannot be meshed:"
            f" {_named(made.unmeshable, image, most=MOST_REFUSED)}"
        )
    if made.hollow:
        lines.append(
            f"hollow ({_named(made.hollow, image)}): closed voids stay empty, and nothing flows"
            " into them"
        )
    if made.cut:
        lines.append(
            f"warning: the gap cuts {counted(len(made.cut), 'particle')} in pieces "
            f"({_named(made.cut, image)}): the largest piece of each is kept, with its own share"
            " of the pixels"
        )
    if made.filled:
        lines.append(
            "voids of a few pixels are filled and count as particle: "
            f"{counted(made.filled, 'pixel')}"
        )
    error, off = made.errors(), made.deviation_um
    lines.append(
        f"parted by {made.gap_um:.3g} um; outlines within {float(off.max()):.2g} um of the pixels'"
        f" (half of them within {float(np.median(off)):.2g} um), errors of the {measure} up to"
        f" {float(np.abs(error).max()):.2%}"
    )
    limit = TOLERANCE[image.labels.ndim]
    wrong = np.flatnonzero(np.abs(error) > limit)
    if wrong.size:
        worst = int(np.argmax(np.abs(error)))
        label = int(image.numbers[made.labels[worst] - 1])
        lines.append(
            f"warning: {counted(wrong.size, 'particle', 'misses')} the image's {measure} "
            f"by more than {limit:.0%} (worst:"
            f" label {label}, {error[worst]:+.1%}): there is no room. Lower"
            " geometry.minimum_gap, or take an image of more pixels"
        )
    return lines


def _named(numbers: Sequence[int], image: LabelImage, most: int = MOST_NAMED) -> str:
    """Return some of the image's particles by their labels in the image."""
    labels = ", ".join(str(image.numbers[number - 1]) for number in numbers[:most])
    more = ", ..." if len(numbers) > most else ""
    return f"{'label' if len(numbers) == 1 else 'labels'} {labels}{more}"


def _cut_by_the_border(made: ImageMesh, image: LabelImage) -> list[str]:
    """Say how many particles of a stack its border cuts."""
    border = np.zeros(int(image.labels.max()) + 1, dtype=np.bool_)
    for axis in range(3):
        for side in (0, -1):
            border[np.unique(np.take(image.labels, side, axis))] = True
    cut = int(border[np.array(made.labels)].sum())
    if not cut:
        return []
    return [
        f"{counted(cut, 'particle')} cut by the border of the stack: closed there, so that the cut"
        " faces react too"
    ]


def table(made: ImageMesh, image: LabelImage) -> bytes:
    """Return the CSV file that lies beside the mesh."""
    particles = made.mesh.particles
    columns: dict[str, Any] = {
        "particle": particles.particle,
        "label": image.numbers[np.array(made.labels) - 1],
        "piece": image.pieces[np.array(made.labels) - 1],
        "hollow": np.isin(made.labels, made.hollow).astype(np.int64),
        "x_um": particles.x_um,
        "y_um": particles.y_um,
    }
    if image.labels.ndim == 3:
        columns["z_um"] = particles.z_um
    measure = "area_um2" if image.labels.ndim == 2 else "volume_um3"
    columns |= {
        "radius_um": particles.radius_um,
        measure: particles.volume_um3,
        f"image_{measure}": made.image_volume,
        "deviation_um": made.deviation_um,
    }
    return write_csv(columns)
