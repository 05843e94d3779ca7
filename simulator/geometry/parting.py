"""Label images and stacks: gaps between the particles, and to the border of the image.

Segmented particles touch, at least where a watershed parted them; a particle that the carbon-binder
domain does not surround cannot react. Half the gap is taken from either side of a contact, and
room for the gap is added beyond the border where particles reach it. What this takes from a
particle its outline gets back where there is room (label_image.py, label_stack.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from simulator.errors import InputError

Floats = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


def require_resolved(gap_um: float, pixel_um: float) -> None:
    """Refuse gaps that an image cannot show.

    Raises:
        InputError: the gap is less than a pixel.
    """
    if gap_um < pixel_um * (1.0 - 1e-9):
        raise InputError(
            f"geometry.minimum_gap = {gap_um:g} um is less than a pixel of {pixel_um:g} um: an"
            " image cannot show such gaps. Raise it to a pixel or more"
        )


def parted(labels: Labels, spacing_um: Sequence[float], gap_um: float) -> Labels:
    """Labels without the pixels nearer than half the gap to another particle.

    Args:
        labels: 2D or 3D, 0 the carbon-binder domain.
        spacing_um: edges of a pixel, along each axis of `labels`.
        gap_um: to be left between particles.
    """
    # Between centres of pixels, of which each reaches half a pixel further on either side.
    half = 0.5 * gap_um + max(spacing_um) * (1.0 - 1e-6)
    kept = labels.copy()
    margin = [int(np.ceil(gap_um / s)) + 2 for s in spacing_um]
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        wide = tuple(
            slice(max(s.start - m, 0), s.stop + m) for s, m in zip(window, margin, strict=True)
        )
        part = labels[wide]
        others = (part > 0) & (part != index)
        if others.any():
            near = ndimage.distance_transform_edt(~others, sampling=spacing_um) < half
            kept[wide][near & (part == index)] = 0
    return kept


def largest_piece(mask: Mask) -> Mask | None:
    """The largest connected piece of a mask, its holes filled; None of an empty mask."""
    pieces, count = ndimage.label(mask)
    if count == 0:
        return None
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    whole: Mask = ndimage.binary_fill_holes(pieces == int(np.argmax(sizes)))
    return whole


def margins(places: Sequence[Floats], extent: Floats, gap_um: float) -> tuple[Floats, Floats]:
    """Room to add below and above each axis, so that all places lie a gap within the box.

    Args:
        places: (K, d) points of each particle, um.
        extent: (d,) of the image.
        gap_um: wanted.

    Returns:
        below and above, (d,) each.
    """
    low = np.min([p.min(axis=0) for p in places], axis=0)
    high = np.max([p.max(axis=0) for p in places], axis=0)
    return np.maximum(gap_um - low, 0.0), np.maximum(gap_um - (extent - high), 0.0)
