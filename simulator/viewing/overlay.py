"""Particle outlines over a micrograph, to check a segmentation by eye."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage.morphology import dilation
from skimage.segmentation import find_boundaries

from heterode.results.written import write_output

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "": (90, 210, 255),
    "border": (255, 250, 190),
    "out_of_focus": (255, 130, 0),
    "unmatched": (140, 20, 20),
    "dust": (0, 0, 32),
    "pristine_unfit": (60, 60, 230),
}
"""Colour of an outline by the reason for which the particle was refused; "" is one that counts.

The colour-blind can tell the colours apart, and only the outlines of particles that count are
unbroken.
"""

_DASH_PX, _GAP_PX = 6, 4

_LONGEST_PX = 4096


def overlay(
    intensity: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int32],
    refused: npt.NDArray[np.str_],
) -> npt.NDArray[np.uint8]:
    """Return the brightened picture with an outline round each particle.

    Args:
        intensity: (H, W, C) shares of full scale, C = 3 or 1 for grey.
        labels: (H, W) particle numbers 1 .. N.
        refused: (N,) a key of `COLOURS` for each particle.

    Returns:
        (H', W', 3), reduced if a side of the picture is longer than 4,096 pixels.
    """
    step = int(np.ceil(max(labels.shape) / _LONGEST_PX))
    picture, small = intensity[::step, ::step], labels[::step, ::step]
    # Particles are shown in middle grey, against which the outlines stand out.
    white = max(float(np.percentile(picture[::4, ::4], 99.0)), 1e-3) / 0.75
    shown = np.clip(picture / white, 0.0, 1.0) * 255.0
    rgb = np.broadcast_to(shown, (*small.shape, 3)).astype(np.uint8)
    edge = find_boundaries(small, mode="inner")
    if max(small.shape) > 1600:
        edge = dilation(edge, np.ones((2, 2), dtype=bool)) & (small > 0)
    ink = np.array([COLOURS.get(str(reason), COLOURS["unmatched"]) for reason in refused])
    if ink.size:
        drawn = edge & _unbroken(small, edge, refused)
        rgb[drawn] = ink[small[drawn] - 1]
    return rgb


def _unbroken(
    labels: npt.NDArray[np.int32], edge: npt.NDArray[np.bool_], refused: npt.NDArray[np.str_]
) -> npt.NDArray[np.bool_]:
    """Return where outlines are drawn: whole round particles that count, dashed round others.

    Dashes are counted by the angle round the particle's centre of mass.

    Args:
        labels: (H, W) particle numbers 1 .. N.
        edge: (H, W) the outlines.
        refused: (N,) "" for a particle that counts.
    """
    row, column = np.nonzero(edge)
    owner = labels[row, column] - 1
    count = np.maximum(np.bincount(owner, minlength=refused.size), 1)
    away = [
        place - (np.bincount(owner, place, refused.size) / count)[owner] for place in (row, column)
    ]
    # The length of an outline is about the number of its pixels.
    along = (np.arctan2(*away) / (2 * np.pi) + 0.5) * count[owner]
    shown = np.ones(edge.shape, dtype=np.bool_)
    dashes = along % (_DASH_PX + _GAP_PX) < _DASH_PX
    shown[row, column] = (refused[owner] == "") | dashes
    return shown


def draw_overlay(
    path: Path,
    intensity: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int32],
    refused: npt.NDArray[np.str_],
) -> Path:
    """Write the overlay as PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    buffer = io.BytesIO()
    Image.fromarray(overlay(intensity, labels, refused)).save(buffer, format="PNG")
    write_output(path, buffer.getvalue())
    return path
