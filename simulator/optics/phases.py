"""Segmentations that number phases (0/1/2 or 0/255), and how a phase is split into particles.

A phase is parted by a watershed of the distance to its outline, from its maxima. Of two maxima, the
lower one is left out if it lies within half the wanted diameter of the higher, or nearer to it than
the outline is: both lie in one particle.

A mask of one number counts as a phase if most of its voxels lie in connected pieces with several
such maxima.

Source of the second rule: Gostick, Phys. Rev. E 96, 023307 (2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.segmentation import watershed

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

SMOOTH = 0.8
"""Standard deviation of the Gaussian that smooths distances, in pixels."""

SEVERAL = 3
"""Maxima in a connected piece that make it more than one particle."""


@dataclass(frozen=True)
class Split:
    """How to part a phase.

    Attributes:
        diameter_um: of a typical particle.
        phase: its number in the file; None where there is only one beside the background.
    """

    diameter_um: float
    phase: int | None = None


def split_phase(mask: Mask, edges_um: tuple[float, ...], diameter_um: float) -> Labels:
    """Return labels 1 .. N of the particles of a phase, from the deepest on.

    Args:
        mask: where the phase is, in 2D or 3D.
        edges_um: edges of a pixel along x, y (and z), the last axis of `mask` first.
        diameter_um: of a typical particle.
    """
    depth = _depth(mask, edges_um)
    peaks, _ = _peaks(depth, mask, edges_um, 0.5 * diameter_um)
    markers = np.zeros(mask.shape, dtype=np.int32)
    markers[tuple(peaks.T)] = 1 + np.arange(len(peaks))
    return np.asarray(watershed(-depth, markers, mask=mask), dtype=np.int32)


def typical_diameter(mask: Mask, edges_um: tuple[float, ...]) -> float | None:
    """Return the diameter to which a mask of a phase hints, um; None for one of single particles.

    This is twice the median distance from the outline of the maxima of that distance.
    """
    depth = _depth(mask, edges_um)
    peaks, heights = _peaks(depth, mask, edges_um, 0.0)
    pieces, count = ndimage.label(mask)
    if not count or not len(peaks):
        return None
    inside = np.bincount(pieces[tuple(peaks.T)], minlength=count + 1)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    joined = inside >= SEVERAL
    joined[0] = False
    if 2 * int(sizes[joined].sum()) <= int(sizes[1:].sum()):
        return None
    return 2.0 * float(np.median(heights))


def _depth(mask: Mask, edges_um: tuple[float, ...]) -> npt.NDArray[np.float32]:
    """Return smoothed distances to the outline, um; the image's border is none."""
    inside = ndimage.distance_transform_edt(mask, sampling=edges_um[::-1]).astype(np.float32)
    soft: npt.NDArray[np.float32] = ndimage.gaussian_filter(inside, SMOOTH)
    return soft


def _peaks(
    depth: npt.NDArray[np.float32], mask: Mask, edges_um: tuple[float, ...], apart_um: float
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the pixels (n, d) of maxima of the distance and their heights, the highest first."""
    highest = (depth == ndimage.maximum_filter(depth, 3)) & mask
    places = np.argwhere(highest)
    height = depth[highest].astype(np.float64)
    order = np.argsort(-height, kind="stable")
    places, height = places[order], height[order]
    if not len(places):
        return places, height
    where = places * np.array(edges_um[::-1])
    tree = cKDTree(where)
    left = np.ones(len(places), dtype=np.bool_)
    for k in range(len(places)):
        if left[k]:
            near = np.array(tree.query_ball_point(where[k], max(apart_um, height[k])))
            left[near[near > k]] = False
    return places[left], height[left]
