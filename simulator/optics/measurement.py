"""Measures each particle of a picture and its labels: place, size, colours and focus.

Colours are those of the core, which neither the blurred outline nor light from neighbours reaches.
The median is taken as the particle's colour; the mean and the histogram are kept as well.

Focus is the width of the edge. A step of height D, blurred by a Gaussian of sigma pixels, has the
largest slope g = D / (sqrt(2 pi) sigma). The slope is computed with a Gaussian derivative of
1 pixel, which adds to sigma in quadrature:  sigma^2 = (D / (sqrt(2 pi) g))^2 - 1. The result is
right from about 1.5 pixels and grows too slowly where sigma approaches the radius.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import find_boundaries

from heterode.optics.grouping import Groups

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

CORE, DEEPEST_CORE = 0.2, 0.75
"""The core begins at the first share of a particle's depth (0 at the outline, 1 at the deepest
point). Where the edge is blurred further in, it begins at twice the edge's sigma, but not deeper
than at the second share."""

HISTOGRAM_BINS = 32
_RING_PX = 14.0


@dataclass(frozen=True)
class MeasuredParticles:
    """N particles of a picture; arrays are (N,) unless stated otherwise, lengths are in pixels.

    Attributes:
        row, column: centroid; pixel centres are at whole numbers.
        area: number of pixels.
        colour: (N, C) median of each channel of the core, as shares of full scale.
        mean: (N, C) mean over the core.
        deviation: (N, C) standard deviation over the core.
        histogram: (N, C, bins) counts of all pixels over [0, 1].
        focus: sigma of the edge; NaN where no part of the edge is free.
        at_border: whether the particle touches the picture's border.
        clipped: whether over 1 % of its core is at full scale.
    """

    row: Floats
    column: Floats
    area: Floats
    colour: Floats
    mean: Floats
    deviation: Floats
    histogram: Ints
    focus: Floats
    at_border: Flags
    clipped: Flags

    def __len__(self) -> int:
        return int(self.row.size)

    def radius(self) -> Floats:
        """Return (N,) radii of the discs with the same areas, pixels."""
        radius: Floats = np.sqrt(self.area / np.pi)
        return radius

    def select(self, chosen: npt.NDArray[np.bool_] | Ints) -> MeasuredParticles:
        """Return the chosen particles."""
        return MeasuredParticles(*(getattr(self, field.name)[chosen] for field in fields(self)))


def measure_particles(intensity: Floats32, labels: Labels) -> MeasuredParticles:
    """Measure each particle of a label image.

    Args:
        intensity: (H, W, C) corrected shares of full scale; C is 3, or 1 for grey.
        labels: (H, W); particles are 1 .. N, 0 is the matrix.
    """
    count = int(labels.max())
    whole = Groups(labels, count)
    width = labels.shape[1]
    row = whole.mean((whole.pixels // width).astype(np.float64))
    column = whole.mean((whole.pixels % width).astype(np.float64))
    depth, deepest = _depths(labels, whole)
    grey = intensity.mean(axis=2)
    first = Groups(labels, count, _core(labels, whole, depth, CORE * deepest))
    focus = edge_width(grey, labels, first.median(first.take(grey)))
    begin = np.clip(2.0 * np.nan_to_num(focus), CORE * deepest, DEEPEST_CORE * deepest)
    core = Groups(labels, count, _core(labels, whole, depth, begin))
    planes = [np.ascontiguousarray(intensity[..., c]) for c in range(intensity.shape[2])]
    inside = [core.take(plane) for plane in planes]
    border = np.zeros(count + 1, dtype=bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        border[edge] = True
    full = np.maximum.reduce(inside) >= 0.998 if count else np.zeros(0, dtype=bool)
    colour = np.stack([core.median(values) for values in inside], axis=1)
    return MeasuredParticles(
        row=row,
        column=column,
        area=whole.size.astype(np.float64),
        colour=colour,
        mean=np.stack([core.mean(values) for values in inside], axis=1),
        deviation=np.stack([core.deviation(values) for values in inside], axis=1),
        histogram=np.stack(
            [whole.histogram(whole.take(plane), HISTOGRAM_BINS) for plane in planes], axis=1
        ),
        focus=focus,
        at_border=border[1:],
        clipped=core.mean(full.astype(np.float64)) > 0.01,
    )


def _depths(labels: Labels, whole: Groups) -> tuple[Floats, Floats]:
    """Return the depth of each particle pixel (P,) and of each particle's deepest one (N,)."""
    # Touching particles have no background between them, so their common border counts as such.
    interior = (labels > 0) & ~find_boundaries(labels, mode="inner")
    depth = ndimage.distance_transform_edt(interior)
    deepest = np.zeros(whole.count)
    np.maximum.at(deepest, whole.owner, whole.take(depth))
    inside = whole.take(depth)
    return inside, deepest


def _core(labels: Labels, whole: Groups, depth: Floats, begin: Floats) -> Flags:
    """Return (H, W) True for pixels at least as deep as their particle's `begin` (N,)."""
    core: Flags = np.zeros(labels.shape, dtype=bool)
    # A particle of a few pixels is all border; its deepest pixels are then the core.
    core.ravel()[whole.pixels] = depth >= begin[whole.owner]
    return core


def edge_width(grey: Floats32, labels: Labels, inside: Floats) -> Floats:
    """Return (N,) the sigma of the Gaussian that blurs each particle's free edge, pixels.

    Args:
        grey: (H, W) brightness.
        labels: (H, W) particles 1 .. N, 0 for the matrix.
        inside: (N,) brightness of the cores.
    """
    count = inside.size
    if count == 0:
        return np.zeros(0)
    matrix = labels == 0
    distance, nearest = ndimage.distance_transform_edt(matrix, return_indices=True)
    owner = labels[nearest[0], nearest[1]]
    # The ring is beyond the edge but nearer to this particle than to any other. Its part least
    # like the particle counts, since the light of a blurred particle reaches far.
    ring = Groups(owner, count, matrix & (distance > 2.5) & (distance <= _RING_PX))
    smooth = ndimage.gaussian_filter(grey, 1.0)
    dark, light = (ring.quantile(ring.take(smooth), share) for share in (0.1, 0.9))
    common = float(np.median(grey[matrix])) if matrix.any() else float(grey.min())
    outside = np.where(inside > common, dark, light)
    outside = np.where(ring.size >= 8, outside, common)
    slope = ndimage.gaussian_gradient_magnitude(grey, 1.0)
    # The outline is within a pixel of the steepest place.
    slope = ndimage.maximum_filter(slope, size=3)
    free = Groups(owner, count, matrix & (distance <= 1.0))
    steepest = free.quantile(free.take(slope), 0.6)
    step = np.abs(inside - outside)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = step / (np.sqrt(2.0 * np.pi) * steepest)
    sigma = np.sqrt(np.maximum(total**2 - 1.0, 0.0))
    found: Floats = np.where((free.size >= 6) & (steepest > 0.0), sigma, np.nan)
    return found
