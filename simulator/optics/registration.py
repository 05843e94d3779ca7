"""The same particles in two pictures: another state of charge, or another lens.

The particles' masks are correlated, not their brightness, which changes with the state. Normalised
cross-correlation over all shifts gives a first shift. Then nearest centroids, and a similarity
(shift, rotation, scale) fitted to them, improve each other. Positions are in um, so that lenses
only differ by their pixels.

    z' = p z + q,    z = x + i y,    with scale |p| and rotation arg p
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, zoom
from scipy.signal import fftconvolve
from scipy.spatial import cKDTree

from heterode.base.errors import InputError
from heterode.base.words import counted

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_COARSE = 384
_LEAST_OVERLAP = 0.25
_ROUNDS = 12
_LEAST_SHARE, _CLOSE = 0.35, 0.25
"""Least share of the particles to be found again, and the largest distance, in radii, to do so. As
many pairs occur by chance in fields that have nothing in common, but at larger distances."""


@dataclass(frozen=True)
class Field:
    """The places of the particles of a picture.

    Attributes:
        mask: (H, W) True on particles.
        pixel_um: edge of a pixel.
        x_um, y_um, radius_um: (N,) centroids and radii.
        whole: (N,) True for particles that the border does not cut; only these are matched, since
            a cut shifts the centroid.
    """

    mask: Mask
    pixel_um: float
    x_um: Floats
    y_um: Floats
    radius_um: Floats
    whole: Mask

    @property
    def z(self) -> Complexes:
        """Positions x + i y, (N,)."""
        z: Complexes = self.x_um + 1j * self.y_um
        return z

    def wholes(self) -> Field:
        """Return the field without the particles that the border cuts."""
        k = self.whole
        return Field(self.mask, self.pixel_um, self.x_um[k], self.y_um[k], self.radius_um[k], k[k])


@dataclass(frozen=True)
class Match:
    """Pairs of particles of two pictures.

    Attributes:
        first, second: (M,) particle numbers in either picture.
        scale, rotation_deg: scale and rotation of the second picture on the first.
        shift_um: (x, y) of the second picture's origin on the first.
        residual_um: root mean square distance of the pairs' centroids.
        share: share of the first picture's particles inside the second that have a partner.
    """

    first: Ints
    second: Ints
    scale: float
    rotation_deg: float
    shift_um: tuple[float, float]
    residual_um: float
    share: float


def match_particles(first: Field, second: Field) -> Match:
    """Find the particles of the first picture in the second.

    This works for shifts up to three quarters of the field and rotations of about a degree.

    Raises:
        InputError: there are too few particles, or the pictures do not show the same place.
    """
    numbers = np.flatnonzero(first.whole), np.flatnonzero(second.whole)
    first, second = first.wholes(), second.wholes()
    if min(first.x_um.size, second.x_um.size) < 4:
        raise InputError(
            f"{first.x_um.size} and {second.x_um.size} particles are too few to match two pictures"
            " (needed: at least 4 each)"
        )
    p, q = 1.0 + 0.0j, _coarse_shift(first, second)
    tree = cKDTree(np.column_stack([first.x_um, first.y_um]))
    typical = float(np.median(first.radius_um))
    pairs: tuple[Ints, Ints] = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    for turn in range(_ROUNDS):
        reach = typical * (1.2 if turn < 3 else 0.6)
        pairs = _nearest_pairs(tree, first, second, p * second.z + q, reach)
        if pairs[0].size < 4:
            break
        # Scale and rotation are fitted only once the shift is reliable.
        p, q = _similarity(second.z[pairs[1]], first.z[pairs[0]], shift_only=turn < 2)
    i, j = pairs
    inside = _inside(first, second, p, q)
    rest = np.abs(first.z[i] - (p * second.z[j] + q))
    share = i.size / max(int(inside.sum()), 1)
    close = float((rest < _CLOSE * typical).sum()) / max(int(inside.sum()), 1)
    if i.size < 4 or close < _LEAST_SHARE:
        raise InputError(
            f"the pictures do not show the same place: {i.size} of "
            f"{counted(int(inside.sum()), 'particle')}"
            " were found again. Pass the picture of this place, less turned or shifted"
        )
    return Match(
        first=numbers[0][i],
        second=numbers[1][j],
        scale=float(abs(p)),
        rotation_deg=float(np.degrees(np.angle(p))),
        shift_um=(float(q.real), float(q.imag)),
        residual_um=float(np.sqrt(np.mean(rest**2))),
        share=min(share, 1.0),
    )


def _coarse_shift(first: Field, second: Field) -> complex:
    """Return the second picture's shift on the first, um, from the correlation of the masks."""
    extent = max(max(first.mask.shape) * first.pixel_um, max(second.mask.shape) * second.pixel_um)
    pixel = max(extent / _COARSE, first.pixel_um, second.pixel_um)
    a, b = (_coarse(field, pixel) for field in (first, second))
    ones_a, ones_b = np.ones_like(a), np.ones_like(b)
    a, b = a - a.mean(), b - b.mean()

    def correlate(u: Floats, v: Floats) -> Floats:
        found: Floats = fftconvolve(u, v[::-1, ::-1])
        return found

    overlap = correlate(ones_a, ones_b)
    energy = np.maximum(correlate(a**2, ones_b), 0.0) * np.maximum(correlate(ones_a, b**2), 0.0)
    enough = overlap >= _LEAST_OVERLAP * min(a.size, b.size)
    quality = np.where(enough, correlate(a, b) / np.sqrt(np.maximum(energy, 1e-9)), -1.0)
    row, column = np.unravel_index(int(np.argmax(quality)), quality.shape)
    return complex((column - (b.shape[1] - 1)) * pixel, (row - (b.shape[0] - 1)) * pixel)


def _coarse(field: Field, pixel: float) -> Floats:
    ratio = field.pixel_um / pixel
    soft = gaussian_filter(field.mask.astype(np.float32), 0.5 / ratio)
    coarse: Floats = np.asarray(zoom(soft, ratio, order=1), dtype=np.float64)
    return coarse


def _nearest_pairs(
    tree: cKDTree, first: Field, second: Field, moved: Complexes, reach: float
) -> tuple[Ints, Ints]:
    """Return pairs of mutually nearest centroids within reach that have similar radii."""
    points = np.column_stack([moved.real, moved.imag])
    distance, near = tree.query(points, distance_upper_bound=reach)
    found = np.flatnonzero(np.isfinite(distance))
    back = cKDTree(points).query(np.column_stack([first.x_um, first.y_um]))[1]
    found = found[back[near[found]] == found]
    ratio = second.radius_um[found] / first.radius_um[near[found]]
    found = found[(ratio > 0.6) & (ratio < 1.7)]
    return near[found].astype(np.int64), found.astype(np.int64)


def _similarity(
    moving: Complexes, fixed: Complexes, *, shift_only: bool
) -> tuple[complex, complex]:
    """Return p and q of z' = p z + q that bring one set of points closest to the other."""
    if shift_only:
        return 1.0 + 0.0j, complex(
            np.median((fixed - moving).real), np.median((fixed - moving).imag)
        )
    a, b = moving.mean(), fixed.mean()
    spread = np.sum(np.abs(moving - a) ** 2)
    p = np.sum(np.conj(moving - a) * (fixed - b)) / spread if spread > 0.0 else 1.0
    return complex(p), complex(b - p * a)


def _inside(first: Field, second: Field, p: complex, q: complex) -> Mask:
    """Return (N,) True for particles of the first picture that the second must show whole."""
    z = (first.z - q) / p
    height, width = second.mask.shape
    reach = first.radius_um
    x_ok = (z.real > reach) & (z.real < width * second.pixel_um - reach)
    inside: Mask = x_ok & (z.imag > reach) & (z.imag < height * second.pixel_um - reach)
    return inside
