"""Penalties that are alike near each other: their distribution, correlation and length."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

from helpers.cells import parameters, scattered
from helpers.commands import Ended, short_run
from helpers.heterogeneity_cases import field, packing
from helpers.lumped import F, Particles, fractions
from heterode.base.errors import InputError
from heterode.distributions.gaussian_field import MOST_POINTS, gaussian_field
from heterode.distributions.penalty_law import RestrictedWeibull, field_length
from heterode.heterogeneity import VariogramFit, fit_variogram
from heterode.parameters import Parameters
from heterode.particles import drawn_penalties
from heterode.particles.drawn_penalties import factors_of_cycle, gaussian_length, penalty_factors
from heterode.particles.table import ParticleTable
from heterode.runs.description import describe_parameters, record_of

LAW = RestrictedWeibull(1.5, 0.4, 1e-3, "truncate")
LENGTH_UM = 20.0


def correlated(*more: str, length_um: float = LENGTH_UM) -> Parameters:
    return parameters([f"penalty.correlation_length={length_um} um", *more])


@cache
def drawn(*more: str, length_um: float = LENGTH_UM, fields: int = 600) -> np.ndarray:
    """(fields, 150) factors of as many seeds."""
    particles, p = scattered(150), correlated(*more, length_um=length_um)
    seeds = [p.seeds.model_copy(update={"penalty": seed}) for seed in range(fields)]
    return np.array([penalty_factors(p.model_copy(update={"seeds": s}), particles) for s in seeds])


def by_distance(factors: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlation over the fields, averaged over the pairs of each bin; and those pairs' mean rho.

    Args:
        factors: (fields, N).
        edges: (B+1,) of distances, in lengths.
    """
    particles = scattered(factors.shape[1])
    places = np.column_stack([particles.x_um, particles.y_um])
    i, j = np.triu_indices(len(places), 1)
    u = np.linalg.norm(places[i] - places[j], axis=1) / LENGTH_UM
    standard = (factors - LAW_MEAN) / LAW_SD
    pairs = np.mean(standard[:, i] * standard[:, j], axis=0)
    bins = [(u >= low) & (u < high) for low, high in pairwise(edges)]
    return np.array([pairs[b].mean() for b in bins]), np.array([u[b].mean() for b in bins])


_GRID = LAW.factors((np.arange(200_000) + 0.5) / 200_000)
LAW_MEAN, LAW_SD = float(_GRID.mean()), float(_GRID.std())


def test_without_the_key_factors_are_as_they_ever_were() -> None:
    """The inverse of the truncated distribution of one uniform number per particle, to the bit."""
    found = penalty_factors(parameters(), scattered(500))
    u = np.random.default_rng(1).random(500) * float(-np.expm1(-((1.0 / 0.4) ** 1.5)))
    assert np.array_equal(found, np.clip(0.4 * (-np.log1p(-u)) ** (1 / 1.5), 1e-3, 1.0))
    at_zero = correlated(length_um=0.0)
    assert np.array_equal(penalty_factors(at_zero, scattered(500)), found)


@pytest.mark.parametrize("correlation", ["exponential", "gaussian"])
def test_the_distribution_stays(correlation: str) -> None:
    # One particle of each field: those of one field are not independent.
    of_one = drawn(f"penalty.correlation={correlation}")[:, 7]

    def cumulative(pen: np.ndarray) -> np.ndarray:
        share = -np.expm1(-((pen / 0.4) ** 1.5)) / -np.expm1(-((1 / 0.4) ** 1.5))
        return np.where(pen < 1e-3, 0.0, share)

    assert kstest(of_one, cumulative).pvalue > 0.01
    assert kstest(np.sqrt(of_one), cumulative).pvalue < 1e-6


@pytest.mark.parametrize(("correlation", "power"), [("exponential", 1), ("gaussian", 2)])
def test_correlation_falls_with_distance_as_the_theory_has_it(correlation: str, power: int) -> None:
    factors = drawn(f"penalty.correlation={correlation}")
    p = correlated(f"penalty.correlation={correlation}")
    edges = np.array([0.0, 0.3, 0.6, 0.9, 1.1, 1.5, 2.0, 2.5])
    found, u = by_distance(factors, edges)
    stretched = u * LENGTH_UM / (1e6 * gaussian_length(p.penalty))
    # Bins are narrow enough for the value at their mean distance, by less than 0.01.
    expected = np.array([LAW.correlation_of(float(np.exp(-(s**power)))) for s in stretched])
    # 600 fields of some ten independent patches each.
    assert np.abs(found - expected).max() < 0.04
    assert found[3] == pytest.approx(np.exp(-1.0), abs=0.04)
    # Negative controls: the values shuffled over the particles, and the other function.
    rng = np.random.default_rng(0)
    shuffled, _ = by_distance(rng.permuted(factors, axis=1), edges)
    assert np.abs(shuffled - expected).max() > 0.5
    other, _ = by_distance(
        drawn(f"penalty.correlation={'gaussian' if power == 1 else 'exponential'}"), edges
    )
    assert np.abs(other - expected).max() > 0.1


def test_short_lengths_are_independence() -> None:
    factors = drawn(length_um=1e-3)
    found, _ = by_distance(factors, np.array([0.0, 0.3, 0.6, 2.0]))
    assert np.abs(found).max() < 0.01
    assert kstest(factors.ravel(), _GRID).pvalue > 0.01


@pytest.mark.parametrize(
    "law",
    [
        LAW,
        RestrictedWeibull(0.5, 0.3, 1e-2, "truncate"),
        RestrictedWeibull(1.5, 0.8, 1e-3, "clip"),
        RestrictedWeibull(1.2, 1.0, 1e-3, "rescale"),
    ],
    ids=lambda law: f"{law.restriction}-{law.shape}",
)
def test_correlation_after_the_mapping(law: RestrictedWeibull) -> None:
    rng, r = np.random.default_rng(2), 0.6
    z = rng.standard_normal((2, 400_000))
    z[1] = r * z[0] + np.sqrt(1 - r**2) * z[1]
    sampled = np.corrcoef(*(law.factors(drawn_penalties.probability(row)) for row in z))[0, 1]
    assert law.correlation_of(r) == pytest.approx(sampled, abs=0.006)
    assert law.correlation_of(r) < r
    # The Gaussian field is the longer one, so that the penalties have the length asked for.
    for correlation, power in (("exponential", 1), ("gaussian", 2)):
        longer = field_length(1.0, correlation, law)
        assert longer > 1.0
        assert law.correlation_of(np.exp(-(longer**-power))) == pytest.approx(np.exp(-1))


def test_where_all_are_equal_there_is_no_correlation_to_meet() -> None:
    equal = RestrictedWeibull(50.0, 100.0, 1e-3, "clip")
    assert np.ptp(equal.factors(np.linspace(0.01, 0.99, 9))) == 0
    assert field_length(3.0, "exponential", equal) == 3.0


def test_seeds_and_cycles() -> None:
    particles = scattered(300)
    p = correlated("penalty.conditioning.rule=redraw")
    first = penalty_factors(p, particles)
    assert np.array_equal(first, penalty_factors(p, particles))
    assert not np.any(first == penalty_factors(correlated("seeds.penalty=2"), particles))
    with_first = particles.with_penalty(first)
    cycles = np.array([factors_of_cycle(p, with_first, cycle) for cycle in range(1, 200)])
    near, _ = by_distance(cycles, np.array([0.0, 0.3]))
    assert near[0] > 0.7
    uncorrelated = parameters(["penalty.conditioning.rule=redraw"])
    apart = np.array([factors_of_cycle(uncorrelated, with_first, c) for c in range(1, 200)])
    assert abs(by_distance(apart, np.array([0.0, 0.3]))[0][0]) < 0.05


def test_smooth_fields_of_close_points_have_a_factor() -> None:
    """A Gaussian correlation much longer than the spacing is singular to rounding."""
    places = np.random.default_rng(0).uniform(0, 20, (1500, 3))
    z = gaussian_field(places, np.random.default_rng(1), length=60.0, correlation="gaussian")
    assert np.isfinite(z).all()
    assert np.ptp(z) < 2.0


def test_too_many_particles() -> None:
    count = MOST_POINTS + 1
    zero = np.zeros(count)
    many = ParticleTable(np.arange(count), zero, zero, zero, zero, zero, zero, zero)
    with pytest.raises(InputError, match=r"20 um .* has 10001 of them \(allowed: up to 10000\)"):
        penalty_factors(correlated(), many)


@pytest.mark.mpi
def test_ranks_share_one_draw(tmp_path: Path, heterode: Callable[..., Ended]) -> None:
    arguments = short_run("rest for 1 s", penalty__correlation_length="20 um")
    for ranks in (1, 3):
        done = heterode(*arguments, "--out", tmp_path / str(ranks), "--quiet", ranks=ranks)
        assert done.code == 0, done.err
    one, three = ((tmp_path / name / "particles.csv").read_text() for name in ("1", "3"))
    assert one == three
    found = ParticleTable.read_csv(tmp_path / "1" / "particles.csv")
    expected = penalty_factors(parameters(["penalty.correlation_length=20 um"]), found)
    np.testing.assert_allclose(found.penalty, expected, rtol=1e-9)


def test_the_check_shows_it() -> None:
    p = correlated("penalty.correlation=gaussian")
    assert any(
        line.split() == ["penalty.correlation_length", "20", "um"]
        for line in describe_parameters(p)
    )
    (line,) = [line for line in record_of(p)["derived"] if line.startswith("penalties")]
    assert "1/e at 20 um" in line
    assert f"exp(-(h/{1e6 * gaussian_length(p.penalty):.4g} um)^2)" in line
    assert not [line for line in record_of(parameters())["derived"] if "penalties" in line]


def charged_discs(penalty: np.ndarray) -> np.ndarray:
    """Lithium fractions of discs of 5 um after a fifth of a charge in 14 h, from x = 0.985."""
    one, c_max, taken, seconds = np.ones(penalty.size), 49200.0, 0.235, 3.35 * 3600
    particles = Particles(np.pi * 2.5e-6**2 * one, np.pi * 5e-6 * one, penalty, c_max, 2e-11)
    current = F * c_max * taken * particles.volume.sum() / seconds
    return fractions(particles, 0.985, current, seconds)[-1]


def test_lithium_has_the_length_of_the_penalties() -> None:
    """Equal particles without transport, charged to x = 0.75: the map of their lithium."""
    positions = packing(400, 145.0)
    x, y = positions.T
    one = np.ones(len(positions))
    table = ParticleTable(np.arange(400), x, y, 0 * x, one, one, one, one)
    maps = []
    for seed in range(8):
        p = correlated(f"seeds.penalty={seed}", length_um=12.0)
        maps.append(charged_discs(penalty_factors(p, table)))
        assert maps[-1].std() > 0.02
    found = fitted(maps)
    # Eight fields, each of about 150 patches of that length.
    assert found.length_um == pytest.approx(12.0, rel=0.2)
    assert found.structured > 0.8
    # Negative control: shuffled over the particles the same values have no such length.
    rng = np.random.default_rng(0)
    shuffled = fitted([rng.permutation(lithium) for lithium in maps])
    assert shuffled.structured < 0.1 or shuffled.length_um < 4.0


def fitted(maps: list[np.ndarray]) -> VariogramFit:
    """Of the values of all fields together."""
    fields = [field(values, packing(400, 145.0), 145.0) for values in maps]
    return fit_variogram(fields, model="exponential")
