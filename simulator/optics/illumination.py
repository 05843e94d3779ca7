"""Corrections of uneven illumination, by a picture of an even surface or by the picture itself.

A measured flat field is right for every specimen. A fit to the picture itself attributes every slow
change of brightness to the lamp. If fitted on the particles, it also removes a true gradient of the
lithium fraction (completely, if linear). If fitted on the matrix between them, it preserves such a
gradient, but assumes that the matrix is the same everywhere and that the camera's counts without
light are zero. Neither is done unless the user requests it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, gaussian_filter

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.optics.micrograph import Micrograph

Floats32 = npt.NDArray[np.float32]
Flatten = Literal["particles", "matrix"]

_SMOOTH_PX = 4.0
_DARKEST = 0.02
_SAMPLES = 40_000


def flat_gain(flat: Micrograph, like: Micrograph) -> Floats32:
    """Return the gain (H, W, C), of mean 1 in each channel, that evens out a flat field's picture.

    A flat field in grey evens out all channels of a picture in colour alike.

    Raises:
        InputError: the flat field differs from the micrograph in size, or is in colour for a
            micrograph in grey, or is dark or saturated.
    """
    if flat.shape != like.shape:
        raise InputError(
            f"the flat field {flat.name} has {flat.shape[0]} x {flat.shape[1]} pixels, the"
            f" micrograph {like.name} {like.shape[0]} x {like.shape[1]}. Take both with one camera"
        )
    if len(flat.channels) > len(like.channels):
        raise InputError(
            f"the flat field {flat.name} is in colour, the micrograph {like.name} in grey. Take"
            " both with one camera"
        )
    light = flat.intensity()
    if float((light >= 0.999).mean()) > 0.01:
        raise InputError(f"the flat field {flat.name} is saturated. Take it with less exposure")
    smooth = np.stack(
        [gaussian_filter(light[..., c], _SMOOTH_PX) for c in range(light.shape[2])], axis=2
    )
    if float(smooth.min()) < _DARKEST:
        raise InputError(
            f"the flat field {flat.name} is black in places (below {_DARKEST:g} of full scale):"
            " a picture of an even, bright surface is needed"
        )
    gain: Floats32 = (smooth.mean(axis=(0, 1)) / smooth).astype(np.float32)
    return gain


def corrected(micrograph: Micrograph, gain: Floats32 | None) -> Floats32:
    """Return (H, W, C) intensities as shares of full scale, corrected if there is a gain."""
    intensity = micrograph.intensity()
    return intensity if gain is None else intensity * gain


def self_gain(intensity: Floats32, particles: npt.NDArray[np.bool_], by: Flatten) -> Floats32:
    """Return the gain (H, W, C) that a quadratic fit to the logarithm of brightness gives.

    Args:
        intensity: (H, W, C) shares of full scale.
        particles: (H, W) True on particles.
        by: whether to fit the brightness of "particles" or of the "matrix".

    Raises:
        InputError: the picture has too few pixels to fit.
    """
    # Edges are blurred, so only pixels well inside count.
    chosen = binary_erosion(particles if by == "particles" else ~particles, iterations=3)
    rows, columns = np.nonzero(chosen)
    if rows.size < 500:
        raise InputError(
            f"--flatten {by}: the {by} has only {counted(rows.size, 'pixel')} clear of "
            f"edges. Take a flat"
            " field (--flat)"
        )
    step = max(1, rows.size // _SAMPLES)
    rows, columns = rows[::step], columns[::step]
    height, width = particles.shape
    basis = _quadratic(rows / height - 0.5, columns / width - 0.5)
    y, x = np.arange(height) / height - 0.5, np.arange(width) / width - 0.5
    gain = np.empty_like(intensity)
    for channel in range(intensity.shape[2]):
        brightness = np.log(np.maximum(intensity[rows, columns, channel], 1e-3))
        terms = np.linalg.lstsq(basis, brightness, rcond=None)[0]
        a, b, c, d, e, f = terms
        surface = a + (b * y + c * y**2)[:, None] + d * x + e * x**2 + f * y[:, None] * x
        gain[..., channel] = np.exp(surface.mean() - surface)
    return gain


def _quadratic(y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    terms: npt.NDArray[np.float64] = np.column_stack([np.ones_like(y), y, y**2, x, x**2, x * y])
    return terms


def unevenness(intensity: Floats32, particles: npt.NDArray[np.bool_]) -> float:
    """Return how much the matrix differs between the corners and the middle; 0.1 means by 10 %.

    It is the largest relative range, over the channels, of the medians of a 3 x 3 division.
    """
    height, width = particles.shape
    grey = intensity.mean(axis=2)
    # Light from the particles reaches a few pixels into the matrix.
    matrix = binary_erosion(~particles, iterations=3)
    medians = []
    for rows in np.array_split(np.arange(height), 3):
        for columns in np.array_split(np.arange(width), 3):
            block = np.ix_(rows, columns)
            values = grey[block][matrix[block]]
            if values.size > 50:
                medians.append(float(np.median(values)))
    if len(medians) < 4:
        return 0.0
    return (max(medians) - min(medians)) / max(float(np.median(medians)), 1e-6)
