"""Two maps of the same particles, and two electrodes: whether they differ by more than noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from helpers.heterogeneity_cases import exponential_marks, field, packing
from heterode.heterogeneity import MarkedPoints
from heterode.heterogeneity.equal_correlograms import equal_correlograms
from heterode.heterogeneity.map_difference import MapDifference, map_difference
from heterode.heterogeneity.same_particles import Pairs, same_particles
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
