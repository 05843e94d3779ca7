r"""One factor per particle that slows its surface reaction, equation (15).

    pen ~ Weibull(lambda, k) restricted to [pen_min, 1], drawn once and fixed for the run.

Restrictions:
    truncate  inverse of the truncated distribution: pen = lambda (-ln(1 - u F(1)))^(1/k)
    clip      values above 1 become 1
    rescale   all values are divided by the largest, where that is above 1
A value below pen_min becomes pen_min: a particle that is all but dead, but never singular.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def weibull_distribution(value: float, shape: float, scale: float) -> float:
    """F(value) = 1 - exp(-(value / lambda)^k)."""
    return float(-np.expm1(-((value / scale) ** shape)))


def draw_weibull(
    count: int,
    rng: np.random.Generator,
    *,
    shape: float,
    scale: float,
    minimum: float,
    restriction: Literal["truncate", "clip", "rescale"],
) -> Floats:
    """Draw penalty factors.

    Args:
        count: number of particles.
        rng: generator of this purpose alone.
        shape, scale: k and lambda.
        minimum: pen_min, in (0, 1].
        restriction: see the module's text.

    Returns:
        (count,) factors in [minimum, 1].
    """
    u = rng.random(count)
    if restriction == "truncate":
        u = u * weibull_distribution(1.0, shape, scale)
    pen = np.asarray(scale * (-np.log1p(-u)) ** (1 / shape))
    if restriction == "rescale":
        pen = np.asarray(pen / max(1.0, float(np.max(pen, initial=0.0))))
    return np.clip(pen, minimum, 1.0).astype(np.float64)
