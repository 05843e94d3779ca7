"""Label images and stacks: gaps between the particles, and to the border of the image.

Segmented particles touch, at least where a watershed parted them; a particle that the carbon-binder
domain does not surround cannot react. Half the gap is taken from either side of a contact, and
room for the gap and a pixel is added beyond the border where particles reach it. What this takes
from a particle, and what chords take, it gets back where there is room: nodes move along normals by

    min(t, half of what the nearest other particle leaves beyond the gap)

with t such that the area or volume is that of the particle's pixels. Where there is too little
room for that, half the gap has to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from heterode.base.errors import InputError
from heterode.geometry.mesh_data import MeshData

Floats = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


CROWDED = 0.5
"""Share of the gap that is kept round particles that cannot have their size otherwise."""

DEEPEST = 0.3
"""Most that nodes are moved inward, in radii."""


@dataclass(frozen=True, eq=False)
class ImageMesh:
    """A mesh made of an image, beside what the image holds.

    Attributes:
        mesh: particle i is the i-th of `labels`.
        labels: (N,) number in the image of each particle.
        image_volume: (N,) volume of its pixels, um^3; in 2D their area, um^2.
        deviation_um: (N,) farthest that a node lies from the outline of the particle's pixels:
            smoothing, parting and moving together.
        gap_um: that was to be kept between particles.
        offset_um: of the image's corner in the mesh, where room was added beyond the border.
        dropped: particles too small to keep.
        hollow: numbers in the image of the particles with closed voids in them, which stay empty.
        filled: pixels of voids too small to keep, which count as particle.
        cut: numbers in the image of the particles that the gap to their neighbours cuts in pieces,
            of which the largest is kept.
    """

    mesh: MeshData
    labels: tuple[int, ...]
    image_volume: Floats
    deviation_um: Floats
    gap_um: float
    offset_um: Floats
    dropped: int
    hollow: tuple[int, ...] = ()
    filled: int = 0
    cut: tuple[int, ...] = ()

    def errors(self) -> Floats:
        """(N,) relative errors of the areas or volumes."""
        found: Floats = self.mesh.particles.volume_um3 / self.image_volume - 1.0
        return found


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


@dataclass(frozen=True, eq=False)
class Solid:
    """A connected piece of a mask.

    Attributes:
        whole: the piece, its voids filled.
        voids: closed ones, a mask each of the same shape.
        beside: pixels of the second largest piece.
        share: of the mask's pixels that the piece has.
    """

    whole: Mask
    voids: tuple[Mask, ...]
    beside: int
    share: float


def largest_piece(mask: Mask) -> Solid | None:
    """The largest connected piece of a mask, and its voids; None of an empty mask."""
    pieces, count = ndimage.label(mask)
    if count == 0:
        return None
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    piece = pieces == int(np.argmax(sizes))
    ordered = np.sort(sizes)
    share = float(ordered[-1] / ordered.sum())
    whole: Mask = ndimage.binary_fill_holes(piece)
    voids, count = ndimage.label(whole & ~piece)
    masks = tuple(voids == k for k in range(1, count + 1))
    return Solid(whole, masks, int(ordered[-2]) if len(ordered) > 2 else 0, share)


def deviations(
    labels: Labels, numbers: Sequence[int], spacing_um: Sequence[float], places: Sequence[Floats]
) -> Floats:
    """(N,) farthest distance of places from the outlines of particles' pixels, um.

    Args:
        labels: the image.
        numbers: (N,) in it.
        spacing_um: along each axis of `labels`.
        places: (K, d) of each particle, um, the last axis of `labels` first.
    """
    windows = ndimage.find_objects(labels)
    spacing = np.array(spacing_um)
    found = np.empty(len(numbers))
    for row, (number, points) in enumerate(zip(numbers, places, strict=True)):
        window = windows[number - 1]
        mask = np.pad(labels[window] == number, 3)
        inside, outside = (
            ndimage.distance_transform_edt(m, sampling=spacing_um) for m in (mask, ~mask)
        )
        # Distances run from centre to centre, the outline lies half a pixel before.
        signed = outside - inside + np.where(mask, 0.5, -0.5) * spacing.min()
        origin = np.array([s.start - 3 for s in window])
        index = points[:, ::-1] / spacing - 0.5 - origin
        height = ndimage.map_coordinates(signed, index.T, order=1, mode="nearest")
        found[row] = float(np.abs(height).max())
    return found


def margins(places: Sequence[Floats], extent: Floats, room_um: float) -> tuple[Floats, Floats]:
    """Room to add below and above each axis, so that all places lie well within the box.

    Args:
        places: (K, d) points of each particle, um.
        extent: (d,) of the image.
        room_um: wanted between particle and box: the gap, and a pixel for what `grown` needs.

    Returns:
        below and above, (d,) each.
    """
    low = np.min([p.min(axis=0) for p in places], axis=0)
    high = np.max([p.max(axis=0) for p in places], axis=0)
    return np.maximum(room_um - low, 0.0), np.maximum(room_um - (extent - high), 0.0)


def grown(
    points: Floats,
    normals: Floats,
    room: Callable[[float], Floats],
    enclosed: Callable[[Floats], float],
    wanted: float,
    radius: float,
) -> Floats:
    """Nodes of a closed outline or surface moved along their normals to a wanted area or volume.

    Args:
        points, normals: (n, d), outward.
        room: (n,) most that each may move outward, for a share of the gap that is to be left.
        enclosed: gives the volume (in 2D the area) that the nodes enclose.
        wanted: the one to have.
        radius: of the disc or ball of that size.

    Returns:
        (n, d); with less than is wanted where there is no room.
    """
    found = points
    for share in (1.0, CROWDED):
        limit = room(share)
        low, high = -DEEPEST * radius, max(float(limit.max()), 0.0)
        for _ in range(50):
            middle = 0.5 * (low + high)
            found = points + np.minimum(middle, limit)[:, None] * normals
            low, high = (middle, high) if enclosed(found) < wanted else (low, middle)
        found = points + np.minimum(high, limit)[:, None] * normals
        if enclosed(found) > 0.999 * wanted:
            break
    return found
