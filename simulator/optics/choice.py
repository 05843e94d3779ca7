"""Chooses whether particles are bright or dark, and the threshold, by what each finds in a picture.

Polarity. Particles bulge outwards, and what lies between them is left over: it curves inwards, has
holes and is drawn out. Particles are looked for as bright and as dark ones, and that is taken which
finds the more compact shapes. The compactness of a shape of area A, whose pixels have the
covariance matrix C, is the share of the ellipse with the same second moments that it fills,

    A / (4 pi sqrt(det C)),

1 for an ellipse, 0.83 for a triangle, less for hollow or branched shapes. The mean over all shapes
is weighted by area, so that specks have no say.

Threshold. A picture is described by one brightness for each particle and a slowly varying one
between them; the misfit m is the root mean square of what that leaves over. Particles that a
threshold misses, merges or cuts leave more of it, and those that it carves from noise or texture
are less compact, by c. That threshold is taken for which m (1 + 5 (1 - c)) is least: Otsu's for
the whole field, or one against the surroundings, 2 or 6 times as wide as the radius of the
particles that hold half of the area (or as wide as the user says). Otsu's stays where the others
are no better by TIE.

Both are tried on a reduced picture where it is large.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from heterode.optics.grouping import Groups
from heterode.optics.segmentation import Floats32, Labels, Polarity, Segmentation, segment

Floats = npt.NDArray[np.float64]

UNSURE = 0.02
"""Difference of the mean compactness below which polarity is not certain."""

TIE = 0.02
"""Share by which a local threshold must describe the picture better than Otsu's."""

_SHAPE_WEIGHT = 5.0
_NARROW, _WIDE = 2.0, 6.0
"""Widths of the surroundings that are tried, in radii of typical particles."""

_BETWEEN = 10.0
"""Width over which the brightness between particles varies, in the same radii."""

_REDUCED_PX, _LARGEST_TRIAL = 250_000, 1000


@dataclass(frozen=True)
class Choice:
    """Settings for a picture, and why.

    Attributes:
        settings: settings without "auto".
        said: what was chosen and by what evidence, for the user.
        warnings: choices that are not certain.
        record: the same as numbers and words by name.
    """

    settings: Segmentation
    said: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)


def choose(grey: Floats32, pixel_um: float, wanted: Segmentation) -> Choice:
    """Replace "auto" in the settings by what suits the picture.

    Args:
        grey: (H, W) brightness as a share of full scale.
        pixel_um: edge of a pixel.
        wanted: settings, of which threshold and polarity may be "auto".

    Raises:
        InputError: the picture has the same brightness everywhere.
    """
    settings = wanted
    said: list[str] = []
    warnings: list[str] = []
    record: dict[str, Any] = {}
    if "auto" in (wanted.polarity, wanted.threshold):
        small, pixel = _reduced(grey, pixel_um, wanted.smallest_um)
        trial = wanted if wanted.threshold != "auto" else replace(wanted, threshold="otsu")
        found = {
            polarity: segment(small, pixel, replace(trial, polarity=polarity))
            for polarity in _polarities(wanted)
        }
        mean = {polarity: _mean_compactness(labels) for polarity, labels in found.items()}
        polarity = max(mean, key=lambda name: mean[name])
        settings = replace(trial, polarity=polarity)
        if len(mean) > 1:
            text = _polarity_said(polarity, mean)
            (warnings if abs(mean["bright"] - mean["dark"]) < UNSURE else said).append(text)
            record |= {f"compactness_{name}": value for name, value in mean.items()}
        if wanted.threshold == "auto":
            settings, misfits = _threshold(small, pixel, settings, found[polarity])
            said.append(_threshold_said(settings, misfits))
            record |= {f"misfit_{name}": value for name, value in misfits.items()}
    record["polarity"] = settings.polarity
    record["threshold"] = settings.threshold
    if settings.threshold == "local":
        record["surroundings_um"] = settings.reach_um
    return Choice(settings, tuple(said), tuple(warnings), record)


def compactness(labels: Labels) -> tuple[Floats, Floats]:
    """Return (N,) compactness (see the module) and (N,) area in pixels of each particle."""
    groups = Groups(labels, int(labels.max()))
    width = labels.shape[1]
    row = (groups.pixels // width).astype(np.float64)
    column = (groups.pixels % width).astype(np.float64)
    row -= groups.mean(row)[groups.owner]
    column -= groups.mean(column)[groups.owner]
    # A pixel is a square of its own, of variance 1/12.
    along, across = (groups.mean(offset**2) + 1.0 / 12.0 for offset in (row, column))
    spread = np.sqrt(along * across - groups.mean(row * column) ** 2)
    area = groups.size.astype(np.float64)
    return area / (4.0 * np.pi * spread), area


def _mean_compactness(labels: Labels) -> float:
    shape, area = compactness(labels)
    return float(np.average(shape, weights=area)) if area.size else 0.0


def _polarities(wanted: Segmentation) -> tuple[Polarity, ...]:
    return ("bright", "dark") if wanted.polarity == "auto" else (wanted.polarity,)


def _reduced(grey: Floats32, pixel_um: float, smallest_um: float) -> tuple[Floats32, float]:
    """Return the picture in larger pixels where it is large, and their edge.

    The smallest particles keep a radius of two pixels. Of very large pictures the middle is taken.
    """
    by_size = np.sqrt(grey.size / _REDUCED_PX)
    step = max(1, int(min(by_size, smallest_um / (2.0 * pixel_um))))
    height, width = (n // step * step for n in grey.shape)
    blocks = grey[:height, :width].reshape(height // step, step, width // step, step)
    small = blocks.mean(axis=(1, 3), dtype=np.float32)
    start = [max(0, (n - _LARGEST_TRIAL) // 2) for n in small.shape]
    middle = tuple(slice(s, s + _LARGEST_TRIAL) for s in start)
    return np.ascontiguousarray(small[middle]), pixel_um * step


def _threshold(
    grey: Floats32, pixel_um: float, otsu: Segmentation, labels: Labels
) -> tuple[Segmentation, dict[str, float]]:
    """Return the settings with the best threshold, and the misfit of each that was tried."""
    radius_px = _typical_radius(labels)
    local = replace(otsu, threshold="local")
    candidates = {"otsu": otsu}
    if local.surroundings_um is not None or radius_px == 0.0:
        candidates["local"] = local
    else:
        for name, width in (("wide", _WIDE), ("narrow", _NARROW)):
            reach = width * radius_px * pixel_um
            candidates[name] = replace(local, surroundings_um=reach)
    misfits = {}
    for name, settings in candidates.items():
        found = labels if name == "otsu" else segment(grey, pixel_um, settings)
        misfits[name] = _misfit(grey, found, max(_BETWEEN * radius_px, 16.0))
    best = min(misfits, key=lambda name: misfits[name])
    if misfits[best] > (1.0 - TIE) * misfits["otsu"]:
        best = "otsu"
    return candidates[best], misfits


def _typical_radius(labels: Labels) -> float:
    """Return the radius, in pixels, of the particles that hold half of the area."""
    area = np.sort(np.bincount(labels.ravel())[1:])
    if not area.sum():
        return 0.0
    middle = area[np.searchsorted(np.cumsum(area), 0.5 * area.sum())]
    return float(np.sqrt(middle / np.pi))


def _misfit(grey: Floats32, labels: Labels, reach_px: float) -> float:
    """Return what the labels leave of the picture (see the module), as a share of full scale."""
    count = int(labels.max())
    if count == 0:
        return np.inf
    smooth = ndimage.gaussian_filter(grey, 1.0)
    # A few very bright or dark spots would decide by themselves.
    smooth = np.clip(smooth, *np.percentile(smooth, (1.0, 99.0)))
    matrix = (labels == 0).astype(np.float32)
    weight = np.maximum(_slowly(matrix, reach_px), 1e-6)
    between = _slowly(matrix * smooth, reach_px) / weight
    groups = Groups(labels, count)
    own = np.concatenate([[0.0], groups.mean(groups.take(smooth))])
    left = smooth - np.where(labels == 0, between, own[labels])
    shape = 1.0 + _SHAPE_WEIGHT * (1.0 - _mean_compactness(labels))
    return float(np.sqrt(np.mean(left**2)) * shape)


def _slowly(image: Floats32, reach_px: float) -> Floats32:
    """Return an image smoothed twice over squares of this width, whose cost is the same for any."""
    width = int(np.ceil(reach_px))
    smooth: Floats32 = ndimage.uniform_filter(ndimage.uniform_filter(image, width), width)
    return smooth


def _polarity_said(polarity: Polarity, mean: dict[Polarity, float]) -> str:
    other: Polarity = "dark" if polarity == "bright" else "bright"
    if mean[polarity] - mean[other] < UNSURE:
        return (
            f"whether particles are bright or dark is not certain: taken for {polarity}, their"
            f" shapes are compact to {mean[polarity]:.3f}, for {other} to {mean[other]:.3f}. Look"
            " at the overlay, and write --polarity"
        )
    return (
        f"particles are taken for {polarity}: compact to {mean[polarity]:.2f},"
        f" {mean[other]:.2f} if {other} (--polarity)"
    )


def _threshold_said(settings: Segmentation, misfits: dict[str, float]) -> str:
    where = (
        "Otsu's"
        if settings.threshold == "otsu"
        else f"local, against surroundings of {settings.reach_um:.3g} um"
    )
    names = {"otsu": "Otsu's", "local": "local", "wide": "wide", "narrow": "narrow"}
    tried = ", ".join(f"{names[name]} {value:.4f}" for name, value in misfits.items())
    return f"threshold: {where} (misfits: {tried}; --threshold, --surroundings)"
