"""From a picture and its labels to a row per particle: place, size, colours, focus.

Colours are those of the core, where neither the blurred outline nor the neighbour's light reaches:
the median is what the particle's colour is taken to be, the mean and histogram are kept beside it.

Focus is the width of the edge. A step of height D blurred by a Gaussian of sigma pixels has the
largest slope g = D / (sqrt(2 pi) sigma); the slope is taken with a Gaussian derivative of 1 pixel,
which adds to sigma in quadrature:  sigma^2 = (D / (sqrt(2 pi) g))^2 - 1. It is right from about 1.5
pixels on and grows too slowly where sigma comes near the radius.
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
"""The core begins at this share of the depth of a particle (0 outline, 1 deepest point); where the
edge is blurred further in, at twice its sigma, at most at the second."""

HISTOGRAM_BINS = 32
_RING_PX = 14.0


@dataclass(frozen=True)
class MeasuredParticles:
    """N particles of a picture; arrays (N,) unless said otherwise, lengths in pixels.

    Attributes:
        row, column: centroid; pixel centres have whole numbers.
        area: pixels.
        colour: (N, 3) median red, green, blue of the core, share of full scale.
        mean: (N, 3) mean over the core.
        deviation: (N, 3) standard deviation over the core.
        histogram: (N, 3, bins) of all pixels over [0, 1].
        focus: sigma of the edge; NaN where no edge is free.
        at_border: touches the picture's border.
        clipped: over 1 % of its core is at full scale.
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
        """(N,) of the disc of the same area, pixels."""
        radius: Floats = np.sqrt(self.area / np.pi)
        return radius

    def select(self, chosen: npt.NDArray[np.bool_] | Ints) -> MeasuredParticles:
        """Some of the particles."""
        return MeasuredParticles(*(getattr(self, field.name)[chosen] for field in fields(self)))


def measure_particles(intensity: Floats32, labels: Labels) -> MeasuredParticles:
    """Measure each particle of a label image.

    Args:
        intensity: (H, W, 3) corrected shares of full scale.
        labels: (H, W) particles 1 .. N, 0 the matrix.
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
    planes = [np.ascontiguousarray(intensity[..., c]) for c in range(3)]
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
    """Depth of each particle pixel (P,), and of each particle's deepest one (N,), in pixels."""
    # Neighbours that touch have no background between them: their common border counts as such.
    interior = (labels > 0) & ~find_boundaries(labels, mode="inner")
    depth = ndimage.distance_transform_edt(interior)
    deepest = np.zeros(whole.count)
    np.maximum.at(deepest, whole.owner, whole.take(depth))
    inside = whole.take(depth)
    return inside, deepest


def _core(labels: Labels, whole: Groups, depth: Floats, begin: Floats) -> Flags:
    """(H, W) pixels at least as deep as their particle's `begin` (N,)."""
    core: Flags = np.zeros(labels.shape, dtype=bool)
    # A particle of a few pixels is all border; its deepest ones count then.
    core.ravel()[whole.pixels] = depth >= begin[whole.owner]
    return core


def edge_width(grey: Floats32, labels: Labels, inside: Floats) -> Floats:
    """(N,) sigma of the Gaussian that blurs each particle's free edge, pixels.

    Args:
        grey: (H, W) brightness.
        labels: (H, W).
        inside: (N,) brightness of the cores.
    """
    count = inside.size
    if count == 0:
        return np.zeros(0)
    matrix = labels == 0
    distance, nearest = ndimage.distance_transform_edt(matrix, return_indices=True)
    owner = labels[nearest[0], nearest[1]]
    # Beyond the edge, yet nearer to this particle than to any other: the part least
    # like the particle, since the light of a blurred one reaches far.
    ring = Groups(owner, count, matrix & (distance > 2.5) & (distance <= _RING_PX))
    smooth = ndimage.gaussian_filter(grey, 1.0)
    dark, light = (ring.quantile(ring.take(smooth), share) for share in (0.1, 0.9))
    common = float(np.median(grey[matrix])) if matrix.any() else float(grey.min())
    outside = np.where(inside > common, dark, light)
    outside = np.where(ring.size >= 8, outside, common)
    slope = ndimage.gaussian_gradient_magnitude(grey, 1.0)
    # The outline lies within a pixel of the steepest place.
    slope = ndimage.maximum_filter(slope, size=3)
    free = Groups(owner, count, matrix & (distance <= 1.0))
    steepest = free.quantile(free.take(slope), 0.6)
    step = np.abs(inside - outside)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = step / (np.sqrt(2.0 * np.pi) * steepest)
    sigma = np.sqrt(np.maximum(total**2 - 1.0, 0.0))
    found: Floats = np.where((free.size >= 6) & (steepest > 0.0), sigma, np.nan)
    return found
