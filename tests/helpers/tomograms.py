"""Small label stacks as the segmentation of a tomogram leaves them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed


def watershed_stack(seed: int, size: int, fraction: float, radius: float = 5.0) -> np.ndarray:
    """Labels (Z, Y, X) of overlapping ellipsoids, parted by a watershed with noise.

    Contacts are jagged, numbers are in pieces, and all sides cut particles.
    """
    rng, solid = np.random.default_rng(seed), np.zeros((size,) * 3, bool)
    grid = np.stack(np.mgrid[:size, :size, :size], -1).astype(float)
    while solid.mean() < fraction:
        centre, turn = rng.uniform(0, size, 3), np.linalg.qr(rng.normal(size=(3, 3)))[0]
        axes = radius * rng.uniform(0.6, 1.4, 3)
        solid |= (((grid - centre) @ turn / axes) ** 2).sum(-1) < 1
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(solid), 1)
    seeds = np.zeros(solid.shape, np.int32)
    peaks = peak_local_max(depth, min_distance=5, labels=solid.astype(int))
    seeds[tuple(peaks.T)] = 1 + np.arange(len(peaks))
    labels = watershed(-depth + rng.normal(0.0, 0.3, solid.shape), seeds, mask=solid)
    labels[np.isin(labels, np.flatnonzero(np.bincount(labels.ravel()) < 100))] = 0
    return labels.astype(np.uint16)


def touching_ellipsoids(seed: int, size: int, count: int, fraction: float) -> np.ndarray:
    """Labels of ellipsoids spread over a cube, which touch face to face."""
    rng = np.random.default_rng(seed)
    side = round(count ** (1 / 3))
    assert side**3 == count
    places = (np.stack(np.mgrid[:side, :side, :side], -1).reshape(-1, 3) + 0.5) * size / side
    centres = places + rng.uniform(-1.0, 1.0, (count, 3))
    axes = rng.uniform(0.9, 1.1, (count, 3))
    grid = np.stack(np.mgrid[:size, :size, :size], -1).reshape(-1, 3).astype(float)
    near = np.stack(
        [np.linalg.norm((grid - c) / a, axis=1) for c, a in zip(centres, axes, strict=True)]
    )
    distance, label = near.min(0), near.argmin(0) + 1
    label[distance > np.quantile(distance, fraction)] = 0
    return label.reshape(size, size, size).astype(np.uint16)
