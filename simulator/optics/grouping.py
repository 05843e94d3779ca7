"""Statistics of the pixels of each particle, for all particles at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Groups:
    """Pixels that belong to particles 1 .. N of a label image.

    Args:
        labels: (H, W) numbers; 0 belongs to no particle.
        count: number N of particles.
        chosen: (H, W) True for the pixels to use; None for all.
    """

    def __init__(
        self,
        labels: npt.NDArray[np.int32],
        count: int,
        chosen: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        belongs = labels > 0 if chosen is None else chosen & (labels > 0)
        self.pixels: Ints = np.flatnonzero(belongs)
        self.owner: Ints = labels.ravel()[self.pixels].astype(np.int64) - 1
        self.count = count
        self.size: Ints = np.bincount(self.owner, minlength=count)

    def take(self, image: npt.NDArray[np.generic]) -> Floats:
        """Return (P,) the image's values at the pixels."""
        values: Floats = image.reshape(-1)[self.pixels].astype(np.float64)
        return values

    def mean(self, values: Floats) -> Floats:
        """Return (N,) means; NaN for particles without pixels."""
        total = np.bincount(self.owner, values, self.count)
        mean: Floats = np.where(self.size > 0, total / np.maximum(self.size, 1), np.nan)
        return mean

    def deviation(self, values: Floats) -> Floats:
        """Return (N,) standard deviations within each particle."""
        mean = self.mean(values)
        return np.sqrt(self.mean((values - mean[self.owner]) ** 2))

    def quantile(self, values: Floats, share: float) -> Floats:
        """Return (N,) quantiles of values in [0, 1); NaN for particles without pixels."""
        # One sort serves all: the integer part is the particle's number, the rest is the value.
        ordered = np.sort(self.owner + np.clip(values, 0.0, 1.0 - 1e-9))
        start = np.cumsum(self.size) - self.size
        place = start + share * np.maximum(self.size - 1, 0)
        low = np.minimum(np.floor(place).astype(np.int64), max(ordered.size - 1, 0))
        high = np.minimum(np.ceil(place).astype(np.int64), max(ordered.size - 1, 0))
        if not ordered.size:
            return np.full(self.count, np.nan)
        between = ordered[low] + (place - np.floor(place)) * (ordered[high] - ordered[low])
        found: Floats = np.where(self.size > 0, between - np.arange(self.count), np.nan)
        return found

    def median(self, values: Floats) -> Floats:
        """Return (N,) medians."""
        return self.quantile(values, 0.5)

    def histogram(self, values: Floats, bins: int) -> Ints:
        """Return (N, bins) histograms of values in [0, 1]."""
        bin_of = np.clip((values * bins).astype(np.int64), 0, bins - 1)
        flat = np.bincount(self.owner * bins + bin_of, minlength=self.count * bins)
        counts: Ints = flat.reshape(self.count, bins)
        return counts
