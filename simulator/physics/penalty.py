r"""One factor per particle that slows its surface reaction, equation (15).

    pen ~ Weibull(lambda, k) restricted to [pen_min, 1], drawn once and fixed for the run.

Restrictions:
    truncate  inverse of the truncated distribution: pen = lambda (-ln(1 - u F(1)))^(1/k)
    clip      values above 1 become 1
    rescale   all values are divided by the largest, where that is above 1
A value below pen_min becomes pen_min: a particle that is all but dead, but never singular.

Conditioning, where asked for, changes the factors w after each cycle by a stated rule, so that
they are a function of the first factors and the number n of cycles completed alone:
    relax    1 - (1 - w) (1 - f)^n
    redraw   drawn anew for each n
    uniform  one value for all particles from n = 1 on, by default the mean of the first factors
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Rule = Literal["relax", "redraw", "uniform"]


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


def relaxed(first: Floats, cycles: int, fraction: float) -> Floats:
    """Factors of which each cycle takes a fraction of what they lack to 1.

    Args:
        first: (N,) factors of the first cycle, in (0, 1].
        cycles: completed so far.
        fraction: f, in (0, 1].
    """
    return np.asarray(1 - (1 - first) * (1 - fraction) ** cycles, dtype=np.float64)


def levelled(first: Floats, value: float | None = None) -> Floats:
    """(N,) times one factor: `value`, or the mean of the first factors."""
    return np.full_like(first, np.mean(first) if value is None else value)


def conditioned(
    first: Floats,
    cycle: int,
    rule: Rule,
    *,
    fraction: float | None = None,
    value: float | None = None,
    draw: Callable[[int], Floats] | None = None,
) -> Floats:
    """Penalty factors of a cycle.

    Args:
        first: (N,) factors of cycle 0.
        cycle: number of the cycle, from 0: the cycles completed before it.
        rule: see the module's text.
        fraction: of "relax".
        value: of "uniform".
        draw: of "redraw": the cycle's number to its (N,) factors.

    Returns:
        (N,) factors in (0, 1]; `first` itself in cycle 0.
    """
    if cycle == 0:
        return first
    if rule == "relax":
        assert fraction is not None
        return relaxed(first, cycle, fraction)
    if rule == "uniform":
        return levelled(first, value)
    assert draw is not None
    return draw(cycle)
