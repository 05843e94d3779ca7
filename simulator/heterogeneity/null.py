"""What random marks would give: envelopes and tests from permutations.

Under permutation of the marks the observed curve is one of M + 1 that are equally likely, whatever
the arrangement of the particles. So the level of an envelope and a p value counted among them is
exact, where the textbook's formulas, which take pairs for independent, are not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heterode.base.errors import InputError
from heterode.heterogeneity.marks import Floats


def checked_permutations(permutations: int, level: float) -> None:
    """Whether so many permutations can carry an envelope of this level.

    Raises:
        InputError: too few for the level, or a level outside (0, 1).
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
    """(2, B) bounds that each of (M, B) curves leaves with probability 1 - level, bin by bin."""
    count, bins = null.shape
    tail = int((1 - level) / 2 * (count + 1) + 1e-9)
    if tail < 1:
        return np.full((2, bins), np.nan)
    ordered = np.sort(null, axis=0)
    return np.stack([ordered[tail - 1], ordered[count - tail]])


def simultaneous_band(null: Floats, level: float) -> Floats:
    """(2, B) bounds that a curve of (M, B) leaves anywhere with probability 1 - level."""
    count = len(null)
    if count < 2:
        return np.full((2, null.shape[1]), np.nan)
    mean, sd = null.mean(axis=0), null.std(axis=0, ddof=1)
    largest = np.sort(_largest_deviation(null, mean, sd))
    place = min(int(np.ceil(level * (count + 1) - 1e-9)), count) - 1
    return np.stack([mean - largest[place] * sd, mean + largest[place] * sd])


def global_p_value(value: Floats, null: Floats) -> float:
    """Probability of so large a studentised deviation in any bin, under random marks.

    Mean and standard deviation are taken over the observed curve and the permutations together:
    only so are all M + 1 curves on a par.

    Args:
        value: (B,) observed; bins with NaN are left out.
        null: (M, B).
    """
    used = np.isfinite(value) & np.isfinite(null).all(axis=0)
    if len(null) == 0 or not used.any():
        return float("nan")
    curves = np.vstack([value, null])[:, used]
    largest = _largest_deviation(curves, curves.mean(axis=0), curves.std(axis=0))
    # Permutations that give the same curve differ by rounding only.
    as_large = largest[1:] >= largest[0] * (1 - 1e-9)
    return float((1 + np.count_nonzero(as_large)) / len(curves))


def _largest_deviation(curves: Floats, mean: Floats, sd: Floats) -> Floats:
    """(M,) largest of |curve - mean| / sd over the bins where it is defined."""
    used: NDArray[np.bool_] = np.isfinite(curves).all(axis=0) & (sd > 0)
    if not used.any():
        return np.zeros(len(curves))
    deviation = np.abs(curves[:, used] - mean[used]) / sd[used]
    return np.asarray(deviation.max(axis=1), dtype=np.float64)


def mean_of(null: Floats) -> Floats:
    """(B,) mean of (M, B) curves; NaN without any."""
    return null.mean(axis=0) if len(null) else np.full(null.shape[1], np.nan)


def sd_of(null: Floats) -> Floats:
    """(B,) standard deviation of (M, B) curves; NaN with fewer than two."""
    return null.std(axis=0, ddof=1) if len(null) > 1 else np.full(null.shape[1], np.nan)
