"""How often the interval of L* holds the true one of drawn marks (verification.drawn_marks).

The band is 2 % of the drawn range. Draws are spread over several placements of the particles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from heterode.heterogeneity import (
    cluster_curve,
    correlogram,
    fit_variogram,
    scale_of_heterogeneity,
)
from verification.drawn_marks import Floats, Marks, Placement, last_outside

HEADING = (
    "particles",
    "length / um",
    "draws",
    "field / L*",
    "held",
    "held or flagged",
    "flagged",
    "half interval",
    "fitted covariance held",
    "last rung alone held",
)
LENGTHS = (0.0, 2.0, 5.0, 10.0, 20.0)

DRAWS = {300: 100, 1000: 100, 3000: 60, 20_000: 20}
PLACEMENTS = {300: 10, 1000: 5, 3000: 3, 20_000: 1}
SHAPE_DRAWS = 30
_BAND = 0.02


@dataclass(frozen=True)
class Case:
    """A row of the table."""

    name: str
    marks: Marks
    dimension: int = 2


SHAPES = (
    Case("spherical, 15 um", Marks((15.0,), "spherical")),
    Case("Gaussian, 8 um", Marks((8.0,), "gaussian")),
    Case("exponential, 3 um across, 9 um along", Marks((3.0, 9.0))),
    Case("exponential, 6 um, half independent", Marks((6.0,), nugget=0.5)),
    Case("3D, independent", Marks(), 3),
    Case("3D, exponential, 3 um", Marks((3.0,)), 3),
)
"""Other correlations, each with 3,000 particles."""


def rows(particles: int) -> Iterator[tuple[str, ...]]:
    """Yield a row of the table for each correlation length."""
    for length in LENGTHS:
        case = Case(
            f"{length:g}" if length else "independent", Marks((length,) if length else None)
        )
        seed = [particles, int(length)]
        yield row(case, particles, DRAWS[particles], PLACEMENTS[particles], seed)


def shape_rows() -> Iterator[tuple[str, ...]]:
    """Yield a row for each of the other correlations."""
    for number, case in enumerate(SHAPES):
        yield row(case, 3000, SHAPE_DRAWS, 1, [3000, 100 + number])


def row(
    case: Case, particles: int, draws: int, placements: int, seed: list[int]
) -> tuple[str, ...]:
    """Return a row of the table."""
    found = outcomes(case, particles, draws, placements, np.random.default_rng(seed))
    ratio, held, flagged, half, model, old = found.T
    return (
        f"{particles:,}",
        case.name,
        str(len(found)),
        f"{np.median(ratio):.1f}",
        f"{held.mean():.2f}",
        f"{np.maximum(held, flagged).mean():.2f}",
        f"{flagged.mean():.2f}",
        f"{np.median(half):.0%}" if np.isfinite(np.median(half)) else "no end",
        f"{model.mean():.2f}",
        f"{old.mean():.2f}",
    )


def outcomes(
    case: Case, particles: int, draws: int, placements: int, rng: np.random.Generator
) -> Floats:
    """Return (draws, 6) field / L*, held, flagged, half interval, and two other readings."""
    found = []
    for _ in range(placements):
        placement = Placement(particles, rng, case.dimension)
        expected, draw = placement.expected(case.marks), placement.sampler(case.marks)
        found += [_draw(placement, draw(rng), expected, rng) for _ in range(draws // placements)]
    return np.array(found, dtype=np.float64)


def _draw(
    placement: Placement, values: Floats, expected: Floats, rng: np.random.Generator
) -> tuple[float, ...]:
    points = placement.marked(values)
    curve = cluster_curve([points], permutations=99, partitions=placement.partitions, rng=rng)
    edges = 10.0 * np.arange(4)
    p_value = correlogram([points], edges, permutations=39, rng=rng).pearson.p_value
    found = scale_of_heterogeneity(
        curve, band=_BAND, variogram=fit_variogram([points], p_value=p_value)
    )
    true_um = placement.true_um(expected, found.half_band)
    reach = np.log((np.abs(curve.mean - curve.global_mean) + curve.sd) / found.half_band)
    alone = last_outside(curve.size_um, reach, 2 / curve.dimension)
    # Not converged, or within twice the error that jackknife and k-means starts give.
    alone_held = alone > curve.size_um[-1] or not (
        abs(alone - true_um) > 2 * np.hypot(found.jackknife_error_um, found.seed_sd_um / 5**0.5)
    )
    return (
        placement.side_um / true_um,
        found.high_um > true_um and not found.low_um > true_um,
        found.flag != "ok",
        0.5 * np.log(found.high_um / found.low_um),
        found.model_low_um < true_um < found.model_high_um,
        alone_held,
    )
