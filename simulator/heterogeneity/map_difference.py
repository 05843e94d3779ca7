r"""Whether two maps of the same particles differ by more than noise.

With the differences d_i of M particles, three questions are asked, each with an exact test:

mean      do both maps lie at the same level? Under noise that is as likely up as down, each
          difference may have the other sign: signs are drawn.
pattern   are the differences of neighbours alike? Noise of each particle for itself has no order in
          space: differences are randomly exchanged. The statistic is the mean product of the
          differences (less their mean) of each particle and its nearest neighbours.
noise     are the differences larger than the stated errors? sum (d_i / e_i)^2 has the chi-square
          distribution with M degrees of freedom if they are normal and no larger.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import chi2

from heterode.heterogeneity.marks import Floats, Ints
from heterode.heterogeneity.null import exchanged

_NEIGHBOURS = 6
_DRAWS = 999
_AT_ONCE = 64


@dataclass(frozen=True)
class MapDifference:
    """Differences between two maps of M particles.

    Attributes:
        mean, mean_error: mean difference and its standard error.
        mean_p_value: probability of so large a mean for differences of either sign.
        pattern: correlation of the differences of neighbours.
        pattern_p_value: probability of so large a one for randomly exchanged differences.
        with_error: number of particles whose error is stated; 0 for none.
        chi_square: mean of (d / e)^2 over these; NaN without any.
        noise_p_value: probability of so large a one for normal errors as stated.
    """

    mean: float
    mean_error: float
    mean_p_value: float
    pattern: float
    pattern_p_value: float
    with_error: int
    chi_square: float
    noise_p_value: float


def map_difference(
    positions_um: Floats, difference: Floats, error: Floats, rng: np.random.Generator
) -> MapDifference:
    """Compare differences with noise.

    Args:
        positions_um: (M, d) places of the particles.
        difference: (M,) differences of the values.
        error: (M,) standard deviations of the differences; NaN where none is stated.
        rng: generator of the signs and exchanges.
    """
    count = difference.size
    near = cKDTree(positions_um).query(positions_um, k=min(_NEIGHBOURS + 1, count))[1][:, 1:]
    mean = float(difference.mean())
    spread = float(difference.std(ddof=1))
    centred = difference - mean
    scale = float(np.mean(centred**2))
    flat = scale <= (1e-12 * max(abs(mean), np.finfo(float).tiny)) ** 2
    pattern = float("nan") if flat else float(_alike(centred[:, None], near)[0] / scale)
    as_far, as_alike = 1, 1
    for begin in range(0, _DRAWS, _AT_ONCE):
        sets = min(_AT_ONCE, _DRAWS - begin)
        signs = rng.choice([-1.0, 1.0], (sets, count))
        as_far += np.count_nonzero(np.abs(signs @ difference) >= abs(mean) * count * (1 - 1e-9))
        others = exchanged(centred, np.empty(0, dtype=np.int64), sets, rng)
        if not flat:
            found = _alike(others, near) / scale
            as_alike += np.count_nonzero(found >= pattern - 1e-9)
    known = np.isfinite(error) & (error > 0)
    with_error = int(known.sum())
    squares = float(np.sum((difference[known] / error[known]) ** 2))
    return MapDifference(
        mean=mean,
        mean_error=spread / np.sqrt(count),
        mean_p_value=as_far / (_DRAWS + 1),
        pattern=pattern,
        pattern_p_value=float("nan") if flat else as_alike / (_DRAWS + 1),
        with_error=with_error,
        chi_square=squares / with_error if with_error else float("nan"),
        noise_p_value=float(chi2.sf(squares, with_error)) if with_error else float("nan"),
    )


def _alike(values: Floats, near: Ints) -> Floats:
    """Return (S,) the mean product of neighbours in S sets (M, S) of values."""
    around = np.mean([values[column] for column in near.T], axis=0)
    return np.asarray(np.mean(values * around, axis=0))
