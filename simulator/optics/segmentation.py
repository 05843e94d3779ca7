"""Finds particles by a threshold and, where they touch, a watershed of the distance transform.

The picture is smoothed as much as its noise requires, so that the remaining noise is a small share
of the contrast. Markers are the h-maxima of ln(distance to the background): with a height h, a neck
narrower than exp(-h) of the smaller particle's width separates two particles, whatever their size.

Large fields are divided into overlapping tiles, and a particle belongs to the tile whose core holds
its centroid. The threshold is that of the whole field.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_local, threshold_otsu
from skimage.measure import regionprops
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from heterode.base.errors import ArgumentError, InputError

Floats32 = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Polarity = Literal["auto", "bright", "dark"]

NECK = 0.1
"""Height h of the h-maxima: a neck of 90 % of the width or less separates two particles."""


@dataclass(frozen=True)
class Segmentation:
    """Settings for finding particles.

    Attributes:
        threshold: "otsu", "local" (against the surroundings), a share of full scale, or "auto",
            which heterode.optics.choice replaces.
        polarity: particles are "bright" or "dark" against the matrix, or "auto", replaced as well.
        smallest_um: radius of the smallest particle that counts.
        largest_um: radius of the largest particle, on which the surroundings of "local" and the
            overlap of tiles depend.
        surroundings_um: width of the surroundings of "local"; None takes twice `largest_um`.
        neck: height h of the h-maxima; a larger one splits less.
        tile: edge of a tile in pixels.
    """

    threshold: str | float = "otsu"
    polarity: Polarity = "bright"
    smallest_um: float = 0.6
    largest_um: float = 8.0
    surroundings_um: float | None = None
    neck: float = NECK
    tile: int = 2048

    def __post_init__(self) -> None:
        if isinstance(self.threshold, str) and self.threshold not in ("auto", "otsu", "local"):
            raise ArgumentError(
                "{threshold} is unknown (allowed: auto, otsu, local, or a number between 0 and 1)",
                threshold=self.threshold,
            )
        if isinstance(self.threshold, float) and not 0.0 < self.threshold < 1.0:
            raise ArgumentError("{threshold} is outside (0, 1)", threshold=self.threshold)
        if not 0.0 < self.smallest_um < self.largest_um:
            raise InputError(
                f"particles from {self.smallest_um:g} to {self.largest_um:g} um: the smallest"
                " radius must be above 0 and below the largest"
            )
        if self.surroundings_um is not None:
            if not self.surroundings_um > 0.0:
                raise ArgumentError(
                    "{surroundings_um} um must be above 0", surroundings_um=self.surroundings_um
                )
            if self.threshold not in ("auto", "local"):
                raise ArgumentError(
                    "{surroundings_um} um belongs to the local threshold, and {threshold} is"
                    " another. Leave one of them out",
                    surroundings_um=self.surroundings_um,
                    threshold=self.threshold,
                )

    @property
    def reach_um(self) -> float:
        """Width of the surroundings of "local"."""
        return 2.0 * self.largest_um if self.surroundings_um is None else self.surroundings_um


def segment(grey: Floats32, pixel_um: float, settings: Segmentation) -> Labels:
    """Label the particles of a picture.

    Args:
        grey: (H, W) brightness as a share of full scale.
        pixel_um: edge of a pixel.
        settings: see `Segmentation`; without "auto".

    Returns:
        (H, W) labels: 0 for the matrix, 1 .. N for particles in the order of their first pixels.

    Raises:
        InputError: the picture has the same brightness everywhere.
    """
    if "auto" in (settings.polarity, settings.threshold):
        raise ValueError("settings hold 'auto': heterode.optics.choice replaces it")
    if settings.polarity == "dark":
        grey = 1.0 - grey
    smoothing, level = smoothing_and_level(grey)
    if isinstance(settings.threshold, float):
        level = settings.threshold
        level = 1.0 - level if settings.polarity == "dark" else level
    height, width = grey.shape
    if max(height, width) <= settings.tile:
        return _numbered(_segment_tile(grey, pixel_um, settings, smoothing, level))
    reach_um = max(2.5 * settings.largest_um, settings.reach_um)
    margin = int(np.ceil(reach_um / pixel_um)) + 16
    labels: Labels = np.zeros(grey.shape, dtype=np.int32)
    count = 0
    for outer, core in _tiles(height, width, settings.tile, margin):
        found = _segment_tile(grey[outer], pixel_um, settings, smoothing, level)
        count = _adopt(labels, found, outer, core, count)
    return _numbered(labels)


def smoothing_and_level(grey: Floats32) -> tuple[float, float]:
    """Return the standard deviation of the smoothing Gaussian, pixels, and Otsu's level after it.

    Raises:
        InputError: the picture has the same brightness everywhere.
    """
    # A megapixel in all is enough to find noise and levels, whatever the picture's size.
    step = max(1, int(np.sqrt(grey.size / 4e6)))
    noise = noise_of(grey[: grey.shape[0] // step, : grey.shape[1] // step] if step > 1 else grey)
    light = ndimage.gaussian_filter(grey, 1.0)[::step, ::step]
    contrast = 0.0
    if float(np.ptp(light)) > 1e-3:
        level = float(threshold_otsu(light))
        above, below = light[light > level], light[light <= level]
        contrast = float(above.mean() - below.mean()) if above.size and below.size else 0.0
    if contrast < 4e-3:
        raise InputError("the picture has one brightness all over: no particles to be found")
    # A Gaussian of s pixels divides white noise by 2 sqrt(pi) s. An eighth of the half contrast
    # keeps pixels of the matrix from crossing the threshold.
    wanted = noise / (2.0 * np.sqrt(np.pi)) / (contrast / 16.0)
    smoothing = float(np.clip(wanted, 0.7, 3.0))
    if smoothing > 1.2:
        level = float(threshold_otsu(ndimage.gaussian_filter(grey, smoothing)[::step, ::step]))
    return smoothing, level


def noise_of(grey: Floats32) -> float:
    """Estimate white noise from the median absolute diagonal difference of 2 x 2 pixels."""
    height, width = (n // 2 * 2 for n in grey.shape)
    g = grey[:height, :width]
    detail = 0.5 * (g[::2, ::2] - g[1::2, ::2] - g[::2, 1::2] + g[1::2, 1::2])
    return float(np.median(np.abs(detail)) / 0.6745)


def _segment_tile(
    grey: Floats32, pixel_um: float, settings: Segmentation, smoothing: float, level: float
) -> Labels:
    smooth = ndimage.gaussian_filter(grey, smoothing)
    if settings.threshold == "local":
        # Surroundings wider than the picture would be the whole picture.
        reach = min(settings.reach_um / pixel_um, float(max(grey.shape)))
        block = 2 * int(np.ceil(reach)) + 1
        mask = smooth > threshold_local(smooth, block, method="gaussian")
        # In a wide gap the surroundings are all matrix, half of which is above its own mean.
        mask &= smooth > 0.5 * (level + float(np.percentile(smooth, 5)))
    else:
        mask = smooth > level
    smallest_px = settings.smallest_um / pixel_um
    mask = _filled(mask, np.pi * smallest_px**2)
    opening = int(np.clip(smallest_px / 2.0, 1, 3))
    mask = ndimage.binary_opening(mask, _disc(opening))
    return _split(mask, settings.neck, smallest_px)


def _filled(mask: Mask, least_px: float) -> Mask:
    """Return the mask without the specks that noise and texture leave in particles."""
    holes, count = ndimage.label(~mask)
    if count:
        areas = np.bincount(holes.ravel())
        # Only specks are filled: pores between touching particles are holes too, and separate them.
        small = areas < max(12.0, 0.25 * least_px)
        small[0] = False
        # A hole at the border may continue beyond it.
        for edge in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
            small[edge] = False
        mask = mask | small[holes]
    return mask


def _disc(radius: int) -> Mask:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disc: Mask = x**2 + y**2 <= radius**2 + 0.5
    return disc


def _split(mask: Mask, neck: float, smallest_px: float) -> Labels:
    """Label by a watershed on the distance to the background, from h-maxima of its logarithm."""
    if not mask.any():
        return np.zeros(mask.shape, dtype=np.int32)
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1.0)
    # Outlines are uncertain by about the pixel added here, which matters for small particles only.
    height = np.where(mask, np.log1p(distance), 0.0)
    raised = reconstruction(height - np.where(mask, neck, 0.0), height)
    peaks = local_maxima(raised) & mask
    markers, count = ndimage.label(peaks, np.ones((3, 3), dtype=int))
    labels: Labels = watershed(-height, markers, mask=mask).astype(np.int32)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    small = areas < np.pi * smallest_px**2
    small[0] = False
    labels[small[labels]] = 0
    return labels


def _tiles(
    height: int, width: int, tile: int, margin: int
) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Yield tiles with margins, and their cores, which cover the field without overlap."""
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            outer = (
                slice(max(top - margin, 0), min(bottom + margin, height)),
                slice(max(left - margin, 0), min(right + margin, width)),
            )
            yield outer, (slice(top, bottom), slice(left, right))


def _adopt(
    labels: Labels,
    found: Labels,
    outer: tuple[slice, slice],
    core: tuple[slice, slice],
    count: int,
) -> int:
    """Adopt the particles of a tile with centroids in its core; return the new count."""
    top, left = outer[0].start, outer[1].start
    new = np.zeros(int(found.max()) + 1, dtype=np.int32)
    for region in regionprops(found):
        row, column = region.centroid
        inside_rows = core[0].start <= row + top < core[0].stop
        if inside_rows and core[1].start <= column + left < core[1].stop:
            count += 1
            new[region.label] = count
    place = labels[outer]
    mine = new[found]
    free = (mine > 0) & (place == 0)
    place[free] = mine[free]
    return count


def _numbered(labels: Labels) -> Labels:
    """Renumber labels 1 .. N without gaps, in the order of their first pixels."""
    numbers, first = np.unique(labels, return_index=True)
    order = np.argsort(first[numbers > 0], kind="stable")
    lookup = np.zeros(int(labels.max()) + 1, dtype=np.int32)
    lookup[numbers[numbers > 0][order]] = np.arange(1, order.size + 1)
    renumbered: Labels = lookup[labels]
    return renumbered
