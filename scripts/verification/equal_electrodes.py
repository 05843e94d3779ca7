"""How often two electrodes with drawn marks (verification.drawn_marks) are told apart.

Each pair has two placements of 1,000 particles. The band is 4 % of the range, as 2 % cannot be read
with so few correlated particles. All draws of one placement are compared with all of the other; a
converged pair is one of which both L* are.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from heterode.heterogeneity import (
    MarkedPoints,
    Scale,
    cluster_curve,
    correlogram,
    fit_variogram,
    scale_of_heterogeneity,
)
from heterode.heterogeneity.equal_correlograms import equal_correlograms
from heterode.heterogeneity.equal_scales import equal_scales
from heterode.heterogeneity.value_range import range_error
from verification.drawn_marks import Marks, Placement

HEADING = (
    "lengths / um",
    "draws of each",
    "L* / um",
    "converged",
    "equal L* rejected",
    "equal correlograms rejected",
)
PARTICLES, BAND, LEVEL = 1000, 0.04, 0.05
LENGTHS = (0.0, 2.0, 5.0, 10.0)
PAIRS = ((0.0, 0.0), (2.0, 2.0), (5.0, 5.0), (0.0, 2.0), (2.0, 5.0), (0.0, 5.0), (5.0, 10.0))
_EDGES = np.arange(0.0, 101.0, 10.0)

Sample = tuple[MarkedPoints, Scale, float]


def rows(draws: int) -> Iterator[tuple[str, ...]]:
    """Yield a row for each pair of correlation lengths."""
    rng = np.random.default_rng(19)
    sides = [_samples(Placement(PARTICLES, rng), draws, rng) for _ in range(2)]
    for first, second in PAIRS:
        ours, others = sides[0][first], sides[1][second]
        found = [
            equal_scales(a, b, (of_a, of_b)).p_value
            for (_, a, of_a), (_, b, of_b) in product(ours, others)
        ]
        p = np.array(found)[np.isfinite(found)]
        apart = [
            equal_correlograms([a], [b], _EDGES).p_value <= LEVEL
            for (a, _, _), (b, _, _) in zip(ours, others, strict=True)
        ]
        lengths = " and ".join(
            f"{length:g}" if length else "independent" for length in (first, second)
        )
        middle = [
            float(np.median([scale.scale_um for _, scale, _ in side])) for side in (ours, others)
        ]
        yield (
            lengths,
            f"{draws}",
            f"{middle[0]:.0f} and {middle[1]:.0f}",
            f"{len(p) / len(found):.2f}",
            f"{np.mean(p <= LEVEL):.3f}" if len(p) else "",
            f"{np.mean(apart):.2f}",
        )


def _samples(
    placement: Placement, draws: int, rng: np.random.Generator
) -> dict[float, list[Sample]]:
    """Return draws by correlation length, each with L* and the relative error of the range."""
    found: dict[float, list[Sample]] = {}
    for length in LENGTHS:
        draw = placement.sampler(Marks((length,) if length else None))
        found[length] = [_sample(placement, draw(rng), rng) for _ in range(draws)]
    return found


def _sample(placement: Placement, values: np.ndarray, rng: np.random.Generator) -> Sample:
    points = placement.marked(values)
    curve = cluster_curve([points], permutations=99, partitions=placement.partitions, rng=rng)
    p_value = correlogram([points], _EDGES[:4], permutations=39, rng=rng).pearson.p_value
    fit = fit_variogram([points], p_value=p_value)
    scale = scale_of_heterogeneity(curve, band=BAND, variogram=fit)
    return points, scale, range_error(values, robust=False)
