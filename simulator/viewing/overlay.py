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

from simulator.results.written import write_output

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "": (0, 220, 70),
    "border": (120, 120, 255),
    "out_of_focus": (255, 150, 40),
    "unmatched": (255, 70, 70),
    "pristine_unfit": (230, 90, 230),
}
"""Outline by the reason for which a particle was refused; "" is one that counts."""

_LONGEST_PX = 4096


def overlay(
    intensity: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int32],
    refused: npt.NDArray[np.str_],
) -> npt.NDArray[np.uint8]:
    """The picture, brightened, with an outline round each particle.

    Args:
        intensity: (H, W, 3) shares of full scale.
        labels: (H, W) particles 1 .. N.
        refused: (N,) a key of `COLOURS` each.

    Returns:
        (H', W', 3), shrunk where the picture is longer than 4,096 pixels.
    """
    step = int(np.ceil(max(labels.shape) / _LONGEST_PX))
    picture, small = intensity[::step, ::step], labels[::step, ::step]
    # Particles in middle grey, against which the outlines show.
    white = max(float(np.percentile(picture[::4, ::4], 99.0)), 1e-3) / 0.75
    shown = np.clip(picture / white, 0.0, 1.0) * 255.0
    rgb = shown.astype(np.uint8)
    edge = find_boundaries(small, mode="inner")
    if max(small.shape) > 1600:
        edge = dilation(edge, np.ones((2, 2), dtype=bool)) & (small > 0)
    ink = np.array([COLOURS.get(str(reason), COLOURS["unmatched"]) for reason in refused])
    if ink.size:
        rgb[edge] = ink[small[edge] - 1]
    return rgb


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
