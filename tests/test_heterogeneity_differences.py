"""Two maps of the same particles, and two electrodes: whether they differ by more than noise."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from helpers.heterogeneity_cases import exponential_marks, field, packing
from heterode.heterogeneity import (
    MarkedPoints,
    Partitions,
    Scale,
    cluster_curve,
    fit_variogram,
    scale_of_heterogeneity,
)
from heterode.heterogeneity.equal_correlograms import equal_correlograms
from heterode.heterogeneity.equal_scales import equal_scales
from heterode.heterogeneity.map_difference import MapDifference, map_difference
from heterode.heterogeneity.same_particles import Pairs, same_particles
from heterode.heterogeneity.value_range import range_error
from heterode.points.csv_points import read_table
from heterode.reporting.comparison import shared

COUNT, SIDE_UM = 200, 100.0
EDGES = np.arange(0.0, 60.0, 10.0)


def compared(difference: np.ndarray, error: float = np.nan, seed: int = 0) -> MapDifference:
    return map_difference(
        packing(COUNT, SIDE_UM),
        difference,
        np.full(COUNT, error),
        np.random.default_rng(seed),
    )


def noise(draws: int, sd: float = 1.0) -> np.ndarray:
    return sd * np.random.default_rng(5).standard_normal((draws, COUNT))


def test_noise_is_noise() -> None:
    """The three p values reject 5 % of maps that differ by noise as stated."""
    found = [compared(d, 1.0, k) for k, d in enumerate(noise(100))]
    _, high = binom.interval(0.9999, 100, 0.05)
    for name in ("mean_p_value", "pattern_p_value", "noise_p_value"):
        p = np.array([getattr(f, name) for f in found])
        assert np.count_nonzero(p <= 0.05) <= high
        assert 0.3 < np.median(p) < 0.7
    assert np.mean([f.chi_square for f in found]) == pytest.approx(1.0, abs=0.05)


def test_each_question_has_its_answer() -> None:
    """A shift, a pattern and errors that are stated too small are told apart."""
    (random,) = noise(1)
    shift = compared(random + 0.5, 1.2)
    assert shift.mean_p_value == 1 / 1000
    assert shift.mean == pytest.approx(0.5, abs=3 * shift.mean_error)
    assert shift.pattern_p_value > 0.05
    patches = exponential_marks(20.0, 1, seed=3, count=COUNT, side_um=SIDE_UM)[0]
    pattern = compared(10 * (patches - patches.mean()))
    assert pattern.pattern_p_value == 1 / 1000
    assert pattern.mean_p_value > 0.5
    assert np.isnan(pattern.noise_p_value)
    assert pattern.with_error == 0
    assert compared(random, 0.7).noise_p_value < 1e-6
    assert compared(random, 1.0).noise_p_value > 0.001
    assert np.isnan(compared(np.full(COUNT, 0.3)).pattern_p_value)


def test_errors_of_both_tables_add(tmp_path: Path) -> None:
    positions = packing(COUNT, SIDE_UM)
    rng = np.random.default_rng(1)
    truth = rng.uniform(0.3, 0.9, COUNT)
    maps = []
    for sd in (0.03, 0.04):
        path = tmp_path / f"{sd}.csv"
        rows = {"x_um": positions[:, 0], "y_um": positions[:, 1]}
        rows |= {"value": truth + sd * rng.standard_normal(COUNT), "value_sd": np.full(COUNT, sd)}
        rows["value_sd"][0] = np.nan
        pd.DataFrame(rows).to_csv(path, index=False)
        (points,) = read_table(path).fields
        maps.append(points)
    assert len(maps[0]) == COUNT
    pairs = same_particles(*maps)
    assert pairs is not None
    assert pairs.noise.with_error == COUNT - 1
    assert pairs.noise.chi_square == pytest.approx(1.0, abs=0.3)
    assert pairs.noise.noise_p_value > 0.001
    assert "no more than the stated errors explain" in said(pairs)
    # Negative control: with the error of one table alone the maps differ.
    exact = same_particles(maps[0], replace(maps[1], error=None))
    assert exact is not None
    assert exact.noise.noise_p_value < 1e-6
    assert "; more than the stated errors explain" in said(exact)
    none = same_particles(replace(maps[0], error=None), replace(maps[1], error=None))
    assert none is not None
    assert none.noise.with_error == 0
    assert "stated errors" not in said(none)
    half = maps[0].chosen(np.arange(COUNT) < 100)
    assert half.error is not None
    assert len(half.error) == 100


def said(pairs: Pairs) -> str:
    (line,) = shared({("a", "b"): pairs})
    return line


def fields_of(length_um: float, draws: int, seed: int) -> list[MarkedPoints]:
    marks = exponential_marks(length_um, draws, seed, count=500, side_um=162.0)
    return [field(value, packing(500, 162.0), 162.0) for value in marks]


@pytest.mark.parametrize("length_um", [0.0, 20.0])
def test_equal_correlograms_are_seldom_told_apart(length_um: float) -> None:
    pairs = zip(fields_of(length_um, 60, 1), fields_of(length_um, 60, 2), strict=True)
    p = np.array([equal_correlograms([a], [b], EDGES).p_value for a, b in pairs])
    _, high = binom.interval(0.9999, 60, 0.05)
    assert np.count_nonzero(p <= 0.05) <= high


def test_different_correlograms_are_told_apart() -> None:
    pairs = zip(fields_of(0.0, 20, 1), fields_of(20.0, 20, 2), strict=True)
    found = [equal_correlograms([a], [b], EDGES) for a, b in pairs]
    assert np.mean([f.p_value <= 0.05 for f in found]) > 0.9
    # Up to a quarter of the field's side.
    assert found[0].upper_um.tolist() == [10.0, 20.0, 30.0, 40.0]
    assert np.median([f.t[0] for f in found]) < -4
    several = equal_correlograms(fields_of(0.0, 4, 1), fields_of(20.0, 4, 2), EDGES)
    assert several.p_value < 0.001


def test_too_few_pairs() -> None:
    (a,), (b,) = fields_of(0.0, 1, 1), fields_of(0.0, 1, 2)
    assert np.isnan(equal_correlograms([a], [b], EDGES, min_pairs=10**9).p_value)


@cache
def scales_of(length_um: float, draws: int, seed: int) -> list[tuple[Scale, float]]:
    """L* of draws, with the relative error of the range; a band of 7 % can be read here."""
    found = []
    positions = packing(500, 162.0)
    shared_ = Partitions.of(
        [field(positions[:, 0], positions, 162.0)], seeds=2, rng=np.random.default_rng(0)
    )
    for value in exponential_marks(length_um, draws, seed, count=500, side_um=162.0):
        points = field(value, positions, 162.0)
        rng = np.random.default_rng(seed)
        curve = cluster_curve([points], permutations=39, partitions=shared_, rng=rng)
        fit = fit_variogram([points], model="exponential", p_value=0.01 if length_um else 0.5)
        scale = scale_of_heterogeneity(curve, band=0.07, variogram=fit)
        found.append((scale, range_error(value, robust=False)))
    return found


def p_values(first: list[tuple[Scale, float]], second: list[tuple[Scale, float]]) -> np.ndarray:
    """p of the pairs of which both are converged."""
    pairs = zip(first, second, strict=True)
    found = [equal_scales(a, b, (of_a, of_b)).p_value for (a, of_a), (b, of_b) in pairs]
    return np.array([p for p in found if np.isfinite(p)])


def test_equal_scales_are_seldom_told_apart() -> None:
    p = p_values(scales_of(0.0, 60, 1), scales_of(0.0, 60, 2))
    assert len(p) > 50
    _, high = binom.interval(0.9999, len(p), 0.05)
    assert np.count_nonzero(p <= 0.05) <= high
    # Without the ranges, which two samples do not share, too many would be told apart.
    pairs = zip(scales_of(0.0, 60, 1), scales_of(0.0, 60, 2), strict=True)
    narrow = [equal_scales(a, b, (0.0, 0.0)).p_value for (a, _), (b, _) in pairs]
    assert np.nanmean(narrow) < p.mean()


def test_different_scales_are_told_apart() -> None:
    p = p_values(scales_of(0.0, 20, 1), scales_of(8.0, 20, 2))
    assert len(p) > 10
    assert np.mean(p <= 0.05) > 0.8


def test_the_ends_that_face_each_other_decide() -> None:
    (one, error), *_ = scales_of(0.0, 60, 1)
    short = replace(one, scale_um=50.0, low_um=10.0, high_um=55.0, flag="ok")
    long = replace(one, scale_um=70.0, low_um=64.0, high_um=900.0, flag="ok")
    found = equal_scales(short, long, (0.0, 0.0))
    arms = np.hypot(np.log(55 / 50), np.log(70 / 64)) / 1.96
    assert found.z == pytest.approx(np.log(70 / 50) / arms, rel=1e-3)
    assert found.p_value < 0.001
    assert found.apart
    assert equal_scales(long, short, (0.0, 0.0)).z == pytest.approx(-found.z)
    assert equal_scales(short, replace(long, low_um=40.0), (0.0, 0.0)).p_value > 0.05
    assert equal_scales(short, long, (0.3, 0.3)).p_value > 0.05
    # What is not converged has no p value, but a lower end.
    above = replace(long, scale_um=64.0, high_um=np.inf, flag="above")
    said_of = equal_scales(short, above, (error, error))
    assert np.isnan(said_of.p_value)
    assert said_of.apart
    assert not equal_scales(replace(short, high_um=66.0), above, (error, error)).apart


@pytest.mark.parametrize("robust", [False, True])
def test_error_of_the_range(robust: bool) -> None:
    """The spacings in the tails of one sample tell how much the range varies over samples."""
    rng = np.random.default_rng(3)
    for draw in (rng.standard_normal, rng.standard_exponential, lambda n: rng.weibull(3.0, n)):
        samples = [np.asarray(draw(1000)) for _ in range(300)]
        ends = [np.quantile(s, [0.01, 0.99]) if robust else (s.min(), s.max()) for s in samples]
        logs = np.log(np.diff(ends, axis=1))
        stated = np.sqrt(np.mean([range_error(s, robust=robust) ** 2 for s in samples]))
        assert 0.85 < stated / logs.std() < 1.5
