"""How often the test against randomly exchanged values rejects, by tables with known marks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist, squareform
from scipy.stats import binom

from heterode.heterogeneity import ClusterCurve, MarkedPoints, cluster_curve
from heterode.heterogeneity.envelope import envelope_test

Floats = npt.NDArray[np.float64]

HEADING = ("marks", "tables", "envelope", "Moran's I", "envelope / Moran's I")

PARTICLES, SIDE_UM, NEAR_UM = 300, 126.0, (0.0, 10.0)
LEVEL = 0.05


@dataclass(frozen=True)
class Case:
    """Marks of standard deviation 1.

    Attributes:
        name: what they are.
        length_um: correlation length of their correlated part.
        correlated: variance of that part, exp(-distance / length).
        gradient: Pearson correlation with the first coordinate.
        share: part of the tables that this case has.
    """

    name: str
    length_um: float = 0.0
    correlated: float = 0.0
    gradient: float = 0.0
    share: float = 0.15


CASES = (
    Case("independent", share=1.0),
    Case("3 um, 60 % of the variance", 3.0, 0.6),
    Case("5 um, 30 %", 5.0, 0.3),
    Case("10 um, 15 %", 10.0, 0.15),
    Case("20 um, 10 %", 20.0, 0.1),
    Case("gradient, Pearson 0.3", gradient=0.3),
    Case("gradient, Pearson 0.97", gradient=0.97),
)


def rows(tables: int) -> Iterator[tuple[str, ...]]:
    """Yield a row for each case, with the share of tables that each test rejects."""
    for number, case in enumerate(CASES):
        count = max(1, round(case.share * tables))
        rng = np.random.default_rng(number)
        hits = np.array([_rejected(case, rng) for _ in range(count)]).sum(axis=0)
        low, high = binom.interval(0.95, count, hits[0] / count)
        yield (
            case.name,
            f"{count}",
            f"{hits[0] / count:.3f} ({low / count:.3f} to {high / count:.3f})",
            *(f"{n / count:.3f}" for n in hits[1:]),
            f"{hits[0] / hits[1]:.2f}" if hits[1] else "",
        )


def _rejected(case: Case, rng: np.random.Generator) -> tuple[bool, bool]:
    """Return whether the envelope and Moran's I reject one table."""
    positions = _positions(rng)
    window = np.array([[0.0, SIDE_UM]] * 2)
    points = MarkedPoints("drawn", positions, _marks(case, positions, rng), window_um=window)
    curve = cluster_curve([points], seeds=2, permutations=199, near_um=NEAR_UM, rng=rng)
    return envelope_test(curve).p_value <= LEVEL, _moran_p_value(curve) <= LEVEL


def _moran_p_value(curve: ClusterCurve) -> float:
    as_large = np.count_nonzero(curve.null_near_moran >= curve.near_moran)
    return float((1 + as_large) / (1 + curve.null_near_moran.size))


def _positions(rng: np.random.Generator) -> Floats:
    """Return centres of which none are closer than 0.6 of the mean spacing."""
    apart = 0.6 * SIDE_UM / np.sqrt(PARTICLES)
    candidates = rng.uniform(0, SIDE_UM, (20 * PARTICLES, 2))
    free, taken = np.ones(len(candidates), dtype=bool), []
    for i, near in enumerate(cKDTree(candidates).query_ball_point(candidates, apart)):
        if free[i]:
            free[near] = False
            taken.append(i)
    return np.asarray(candidates[taken[:PARTICLES]])


def _marks(case: Case, positions: Floats, rng: np.random.Generator) -> Floats:
    marks = rng.standard_normal(len(positions))
    if case.correlated:
        correlation = case.correlated * np.exp(-squareform(pdist(positions)) / case.length_um)
        np.fill_diagonal(correlation, 1.0)
        marks = np.linalg.cholesky(correlation) @ marks
    slope = (positions[:, 0] - SIDE_UM / 2) / (SIDE_UM / np.sqrt(12))
    return np.asarray(case.gradient * slope + np.sqrt(1 - case.gradient**2) * marks)
