"""Level functions of the particles in a stack of label images: negative inside, in micrometres.

Of particle i, which fills the voxels of one label,

    G_i = max(d_i - e_i, (d_i - d_other) / 2 + gap / 2, gap - distance to the box)

with its edges rounded over a gap, where d_i is the smoothed signed distance to the outline of its
voxels and d_other that to the nearest other label. Each particle {G_i < 0} stays half a gap away
from the places that are as near to another one, so that no two particles meet, however jagged their
contact is. The shift e_i gives it the volume of its voxels: what it loses at contacts it regains
where there is room.

A closed void in a particle has a level function of its own, without neighbours.

Distances are kept for each particle on the voxels of a window round it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from heterode.geometry.label_loops import distances
from heterode.geometry.packing import Progress
from heterode.geometry.parting import Labels, Mask

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

SMOOTH = 1.0
"""Standard deviation of the Gaussian that smooths distances, in longest edges of a voxel."""

SMOOTHED = 0.25
"""Largest such standard deviation in radii: with more, small particles would vanish."""

EVERY = 10
"""Number of particles between two lines of progress."""

FARTHEST = 1.5
"""Largest shift of a level outward, in gaps and voxels together."""

Fields = tuple[Singles, Singles, Ints, Ints, Floats, Floats]


@dataclass(frozen=True, eq=False)
class Levels:
    """Distances of N particles, each on the voxels of its window; axes are x, y, z.

    Attributes:
        own: signed distances to the particle, window after window, um.
        apart: (d_i - d_other) / 2 + gap / 2 in the same places, um.
        start: (N,) where each window starts.
        shape: (N, 3) numbers of voxels.
        origin: (N, 3) centre of the first voxel, um.
        spacing: (3,) edges of a voxel, um.
        shift: (N,) the shifts e_i, um.
        farthest: largest shift, um.
        largest: (N,) volume that each level function encloses with that shift, um^3.
    """

    own: Singles
    apart: Singles
    start: Ints
    shape: Ints
    origin: Floats
    spacing: Floats
    shift: Floats
    farthest: float
    largest: Floats

    @property
    def fields(self) -> Fields:
        """Arguments of the compiled loops."""
        return self.own, self.apart, self.start, self.shape, self.origin, self.spacing

    def at(self, particle: Ints, points: Floats) -> tuple[Floats, Floats]:
        """Return (d_i, (d_i - d_other) / 2 + gap / 2), (n,) each, at points (n, 3)."""
        found = distances(points, particle, self.fields)
        return found[:, 0], found[:, 1]


def levels_of(
    labels: Labels,
    spacing: Floats,
    volumes: Floats,
    particles: int,
    gap_um: float,
    reach_um: float,
    progress: Progress | None = None,
) -> Levels:
    """Compute the level functions of labels 1 .. N.

    Args:
        labels: (X, Y, Z).
        spacing: (3,) edges of a voxel, um.
        volumes: (N,) volume that each label is to have, um^3.
        particles: how many of them, the first ones, are particles; the others are voids in them.
        gap_um: gap between particles, um.
        reach_um: how far from a particle its level is needed, um.
        progress: called with a line of text from time to time.
    """
    windows = ndimage.find_objects(labels)
    pad = np.ceil((reach_um + gap_um) / spacing).astype(int) + 2
    farthest = FARTHEST * (gap_um + float(spacing.max()))
    own, apart, starts, shapes, origins, used = [], [], [], [], [], 0
    shifts, largest = [], []
    for index, window in enumerate(windows, start=1):
        if progress is not None and (index % EVERY == 0 or index == particles):
            progress(f"label {min(index, particles)} of {particles} outlined")
        low = np.array([s.start for s in window]) - pad
        high = np.array([s.stop for s in window]) + pad
        part = _window(labels, low, high)
        radius = float(np.cbrt(0.75 * volumes[index - 1] / np.pi))
        sigma = min(SMOOTH * float(spacing.max()), SMOOTHED * radius)
        near = _signed(part == index, spacing, sigma)
        others = (part > 0) & (part != index) & (part <= particles)
        away = np.full(part.shape, 1e3, dtype=np.float32)
        if others.any() and index <= particles:
            away = _signed(others, spacing, sigma)
        between = (0.5 * (near - away + gap_um)).astype(np.float32)
        shifts.append(_shift(near, between, spacing, float(volumes[index - 1]), radius, farthest))
        largest.append(_enclosed(near - farthest, between, spacing))
        own.append(near.ravel())
        apart.append(between.ravel())
        starts.append(used)
        used += near.size
        shapes.append(part.shape)
        origins.append((low + 0.5) * spacing)
    return Levels(
        np.concatenate(own),
        np.concatenate(apart),
        np.array(starts, dtype=np.int64),
        np.array(shapes, dtype=np.int64),
        np.array(origins),
        spacing,
        np.array(shifts),
        farthest,
        np.array(largest),
    )


def _window(labels: Labels, low: Ints, high: Ints) -> Labels:
    """Return labels from `low` to `high`, with 0 beyond the border."""
    shape = np.array(labels.shape)
    inner = tuple(
        slice(a, b) for a, b in zip(np.maximum(low, 0), np.minimum(high, shape), strict=True)
    )
    pads = list(zip(np.maximum(-low, 0), np.maximum(high - shape, 0), strict=True))
    return np.pad(labels[inner], pads)


def _signed(mask: Mask, spacing: Floats, sigma: float) -> Singles:
    """Return smoothed signed distances to the outline of a mask, negative in it."""
    inside, outside = (ndimage.distance_transform_edt(m, sampling=spacing) for m in (mask, ~mask))
    # Distances run from centre to centre; the outline is half a voxel nearer.
    sharp = outside - inside + np.where(mask, 0.5, -0.5) * spacing.min()
    soft: Singles = ndimage.gaussian_filter(sharp.astype(np.float32), sigma / spacing, truncate=3.0)
    return soft


def _shift(
    near: Singles, between: Singles, spacing: Floats, volume: float, radius: float, farthest: float
) -> float:
    """Return the shift with which the level function encloses a volume, or as much as fits."""
    low, high = -0.3 * radius, farthest
    for _ in range(30):
        middle = 0.5 * (low + high)
        enough = _enclosed(near - middle, between, spacing) > volume
        low, high = (low, middle) if enough else (middle, high)
    return 0.5 * (low + high)


def _enclosed(near: Singles, between: Singles, spacing: Floats) -> float:
    """Return the volume in which both distances are negative."""
    edge = float(np.cbrt(spacing.prod()))
    share = np.clip(0.5 - np.maximum(near, between) / edge, 0.0, 1.0)
    return float(share.sum(dtype=np.float64) * spacing.prod())
