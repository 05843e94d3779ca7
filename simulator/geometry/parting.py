"""Label images and stacks: gaps between the particles, and to the border of the image.

Segmented particles touch, at least where a watershed divided them, but a particle that the
carbon-binder domain does not surround cannot react. Half the gap is therefore removed on either
side of a contact, and room for the gap and a pixel is added beyond the border where particles reach
it. What a particle loses in this way, and to chords, it regains where there is room: its nodes move
along their normals by

    min(t, half of the distance beyond the gap to the nearest other particle)

with t such that the area or volume is that of the particle's pixels. Where there is too little
room for that, half the gap has to suffice.
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
"""Share of the gap that is kept round particles that cannot regain their size otherwise."""

DEEPEST = 0.3
"""Largest inward move of nodes, in radii."""


@dataclass(frozen=True, eq=False)
class ImageMesh:
    """A mesh made of an image, together with what the image holds.

    Attributes:
        mesh: the mesh; its particle i is the i-th of `labels`.
        labels: (N,) number of each particle in the image.
        image_volume: (N,) volume of its pixels, um^3; in 2D their area, um^2.
        deviation_um: (N,) largest distance of a node from the outline of the particle's pixels,
            caused by smoothing, separating and moving together.
        gap_um: gap that was to be kept between particles.
        offset_um: position of the image's corner in the mesh, where room was added at the border.
        dropped: numbers in the image of the particles that are too small to keep.
        hollow: numbers in the image of the particles with closed voids in them, which stay empty.
        filled: number of pixels of voids too small to keep, which count as particle.
        cut: numbers in the image of the particles that the gap to their neighbours cuts into
            pieces, of which the largest is kept.
        unmeshable: numbers in the image of the particles that could not be meshed and are left out.
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
    unmeshable: tuple[int, ...] = ()

    def errors(self) -> Floats:
        """Relative errors of the areas or volumes, (N,)."""
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
    """Remove the pixels nearer than half the gap to another particle from the labels.

    Args:
        labels: 2D or 3D array in which 0 is the carbon-binder domain.
        spacing_um: edges of a pixel along each axis of `labels`, um.
        gap_um: gap to leave between particles, um.
    """
    # Distances run between the centres of pixels, each of which extends half a pixel further.
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
        whole: mask of the piece with its voids filled.
        voids: masks of the same shape, one for each closed void.
        beside: number of pixels of the second largest piece.
        share: share of the mask's pixels that belong to the piece.
    """

    whole: Mask
    voids: tuple[Mask, ...]
    beside: int
    share: float


def largest_piece(mask: Mask) -> Solid | None:
    """Return the largest connected piece of a mask and its voids; None if the mask is empty."""
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
    """Compute (N,) the largest distances of places from the outlines of particles' pixels, um.

    Args:
        labels: the label image.
        numbers: (N,) number of each particle in it.
        spacing_um: edges of a pixel along each axis of `labels`, um.
        places: (K, d) places for each particle, um, with the last axis of `labels` first.
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
        # Distances run from centre to centre; the outline is half a pixel nearer.
        signed = outside - inside + np.where(mask, 0.5, -0.5) * spacing.min()
        origin = np.array([s.start - 3 for s in window])
        index = points[:, ::-1] / spacing - 0.5 - origin
        height = ndimage.map_coordinates(signed, index.T, order=1, mode="nearest")
        found[row] = float(np.abs(height).max())
    return found


def margins(places: Sequence[Floats], extent: Floats, room_um: float) -> tuple[Floats, Floats]:
    """Return the room to add below and above each axis so that all places are well inside the box.

    Args:
        places: (K, d) points of each particle, um.
        extent: (d,) extents of the image, um.
        room_um: wanted room between particle and box: the gap, and a pixel that `grown` needs.

    Returns:
        the room below and above, (d,) each, um.
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
    """Move the nodes of an outline or surface along their normals to a wanted area or volume.

    Args:
        points, normals: (n, d) nodes and their outward normals.
        room: gives (n,) the largest outward moves when this share of the gap is to be left.
        enclosed: gives the volume (in 2D the area) that the nodes enclose.
        wanted: the wanted area or volume.
        radius: radius of the disc or ball of that size.

    Returns:
        (n, d) nodes, which enclose less than is wanted where there is no room.
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
