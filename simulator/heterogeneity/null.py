"""Envelopes and tests under random marks, from permutations.

Under permutation of the marks the observed curve is one of M + 1 that are equally likely, whatever
the arrangement of the particles. The level of an envelope and a p value counted among these curves
are therefore exact, unlike the textbook formulas, which assume that pairs are independent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heterode.base.errors import InputError
from heterode.heterogeneity.marks import Floats


def exchanged(
    value: Floats, ends: NDArray[np.int64], times: int, rng: np.random.Generator
) -> Floats:
    """Return (N, times) values, exchanged at random within each field in each column.

    Args:
        value: (N,) values, one field after another.
        ends: (fields - 1,) rows at which another field begins.
        times: number of exchanges.
        rng: generator.
    """
    parts = np.split(value, ends)
    return np.concatenate([rng.permuted(np.tile(v[:, None], (1, times)), axis=0) for v in parts])


def checked_permutations(permutations: int, level: float) -> None:
    """Refuse a number of permutations that is too small for an envelope of this level.

    Raises:
        InputError: there are too few for the level, or the level is outside (0, 1).
    """
    if not 0 < level < 1:
        raise InputError(f"level = {level:g} of the envelope is outside (0, 1).")
    fewest = int(np.ceil(2 / (1 - level) - 1e-9)) - 1
    if permutations != 0 and permutations < fewest:
        raise InputError(
            f"permutations = {permutations}: an envelope of {level:.0%} needs at least {fewest};"
            " 0 leaves it out."
        )


def pointwise_envelope(null: Floats, level: float) -> Floats:
    """Return (2, B) bounds that (M, B) curves leave with probability 1 - level in each bin."""
    count, bins = null.shape
    tail = int((1 - level) / 2 * (count + 1) + 1e-9)
    if tail < 1:
        return np.full((2, bins), np.nan)
    ordered = np.sort(null, axis=0)
    return np.stack([ordered[tail - 1], ordered[count - tail]])


def simultaneous_band(null: Floats, level: float) -> Floats:
    """Return (2, B) bounds that (M, B) curves leave in any bin with probability 1 - level."""
    count = len(null)
    if count < 2:
        return np.full((2, null.shape[1]), np.nan)
    mean, sd = null.mean(axis=0), null.std(axis=0, ddof=1)
    largest = np.sort(_largest_deviation(null, mean, sd))
    place = min(int(np.ceil(level * (count + 1) - 1e-9)), count) - 1
    return np.stack([mean - largest[place] * sd, mean + largest[place] * sd])


def global_p_value(value: Floats, null: Floats) -> float:
    """Return the probability of such a large studentised deviation in any bin under random marks.

    Mean and standard deviation are those of the observed curve and the permutations together, as
    only then all M + 1 curves are treated equally.

    Args:
        value: (B,) observed curve; bins with NaN are left out.
        null: (M, B) curves of the permutations.
    """
    used = np.isfinite(value) & np.isfinite(null).all(axis=0)
    if len(null) == 0 or not used.any():
        return float("nan")
    curves = np.vstack([value, null])[:, used]
    largest = _largest_deviation(curves, curves.mean(axis=0), curves.std(axis=0))
    # Permutations that give the same curve only differ by rounding.
    as_large = largest[1:] >= largest[0] * (1 - 1e-9)
    return float((1 + np.count_nonzero(as_large)) / len(curves))


def _largest_deviation(curves: Floats, mean: Floats, sd: Floats) -> Floats:
    """Return (M,) the largest |curve - mean| / sd over the bins where it is defined."""
    used: NDArray[np.bool_] = np.isfinite(curves).all(axis=0) & (sd > 0)
    if not used.any():
        return np.zeros(len(curves))
    deviation = np.abs(curves[:, used] - mean[used]) / sd[used]
    return np.asarray(deviation.max(axis=1), dtype=np.float64)


def mean_of(null: Floats) -> Floats:
    """Return (B,) the mean of (M, B) curves; NaN without any."""
    return null.mean(axis=0) if len(null) else np.full(null.shape[1], np.nan)


def sd_of(null: Floats) -> Floats:
    """Return (B,) the standard deviation of (M, B) curves; NaN with fewer than two."""
    return null.std(axis=0, ddof=1) if len(null) > 1 else np.full(null.shape[1], np.nan)
