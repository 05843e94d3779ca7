"""L*: read off curves with known answers, and against what independent marks give."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from helpers.heterogeneity_cases import exponential_marks, field, packing
from heterode.base.errors import InputError
from heterode.heterogeneity import (
    ClusterCurve,
    MarkedPoints,
    Scale,
    cluster_curve,
    fit_variogram,
    scale_of_heterogeneity,
)
from heterode.heterogeneity.scale import read_scale

SIZES = np.geomspace(5.0, 160.0, 12)


def test_reading_a_power_law_is_exact() -> None:
    sd = 3.0 / SIZES
    mean = np.full(12, 0.4)
    length, flag = read_scale(SIZES, mean, sd, 0.4, 0.05)
    assert flag == "ok"
    assert length == pytest.approx(60.0, rel=1e-12)
    # The mean alone, without its bars, is inside at every size.
    assert read_scale(SIZES, mean, 0 * sd, 0.4, 0.05) == (5.0, "below")


def test_a_late_excursion_counts() -> None:
    """All larger sizes must stay inside, not only the first ones that do."""
    sd = 3.0 / SIZES
    mean = np.full(12, 0.4)
    mean[10] += 0.04
    length, flag = read_scale(SIZES, mean, sd, 0.4, 0.05)
    assert flag == "ok"
    assert SIZES[10] < length < SIZES[11]
    mean[11] -= 0.04
    assert read_scale(SIZES, mean, sd, 0.4, 0.05) == (SIZES[11], "above")


def test_a_narrower_band_gives_a_larger_scale() -> None:
    sd = 3.0 / SIZES
    mean = np.zeros(12)
    assert read_scale(SIZES, mean, sd, 0.0, 1.0) == (5.0, "below")
    assert read_scale(SIZES, mean, sd, 0.0, 0.01) == (SIZES[11], "above")
    assert read_scale(SIZES, mean, sd, 0.0, 0.03)[0] == pytest.approx(100.0)


def curve_of(points: list[MarkedPoints], permutations: int = 0, seed: int = 0) -> ClusterCurve:
    # Half an octave between sizes from the particles' spacing to half the field, for each field.
    ladder = [k * len(points) for k in (4, 8, 16, 32, 64, 128, 256, 512, 1000)]
    rng = np.random.default_rng(seed)
    return cluster_curve(points, ladder=ladder, seeds=2, permutations=permutations, rng=rng)


@cache
def scales(length_um: float, draws: int) -> list[Scale]:
    positions = packing()
    return [
        # As in the measured table: the band is 2 % of eight standard deviations.
        scale_of_heterogeneity(curve_of([field(marks, positions)]), value_range=0.65)
        for marks in exponential_marks(length_um, draws, seed=3)
    ]


def test_independent_marks_have_a_finite_scale() -> None:
    found = scales(0.0, 12)
    analytic = 0.1 / (0.02 * 0.65) * np.sqrt(324**2 / 2000)
    assert np.median([s.independent_um for s in found]) == pytest.approx(analytic, rel=0.03)
    assert np.median([s.scale_um for s in found]) == pytest.approx(analytic, rel=0.1)
    assert sum(s.flag == "ok" for s in found) >= 11
    particles = found[0].scale_particles
    assert particles == pytest.approx(2000 / 324**2 * found[0].scale_um ** 2)


def test_correlated_marks_have_a_larger_one() -> None:
    medians = [np.median([s.scale_um for s in scales(length, 6)]) for length in (0.0, 5.0, 10.0)]
    assert medians[0] < 0.75 * medians[1]
    assert medians[1] < 0.9 * medians[2]
    above = [s.flag == "above" for s in scales(40.0, 6)]
    assert sum(above) >= 5


def test_analytic_scale_with_the_fitted_length() -> None:
    marks = exponential_marks(5.0, 10, seed=3)
    points = [field(m, packing()) for m in marks]
    curve = curve_of(points)
    fit = fit_variogram(points, model="exponential", p_value=0.005)
    found = scale_of_heterogeneity(curve, value_range=0.65, variogram=fit)
    assert fit.identified
    truth = 0.1 / (0.02 * 0.65) * np.sqrt(324**2 / 2000 + 2 * np.pi * 25)
    assert found.correlated_um == pytest.approx(truth, rel=0.1)
    # Clusters are not much larger than the length: 8 l / (pi L) of the correlation, a seventh here,
    # reaches across their borders and is missing inside.
    assert 0.75 * found.correlated_um < found.scale_um < found.correlated_um
    assert found.correlated_um > 1.4 * found.independent_um
    doubtful = replace(fit, identified=False)
    assert np.isnan(scale_of_heterogeneity(curve, variogram=doubtful).correlated_um)


def test_three_dimensions() -> None:
    rng = np.random.default_rng(0)
    points = field(rng.standard_normal(4000), packing(4000, 160.0, 3), 160.0)
    found = scale_of_heterogeneity(curve_of([points], 39), band=0.1, value_range=3.0)
    # (sigma/delta)^2 = 11.1 particles in a cluster.
    assert found.independent_um == pytest.approx((1 / 0.09 * 160**3 / 4000) ** (1 / 3), rel=0.03)
    assert found.scale_um == pytest.approx(found.independent_um, rel=0.1)
    assert found.scale_particles == pytest.approx(1 / 0.09, rel=0.3)
    assert found.null_quantiles_um[0] < found.scale_um < found.null_quantiles_um[2]


def test_null_distribution_is_calibrated() -> None:
    """Independent marks: p is uniform, and the median of the null is the analytic scale."""
    rng = np.random.default_rng(5)
    positions = packing(300, 130.0)
    p, medians = [], []
    for _ in range(60):
        points = field(rng.standard_normal(300), positions, 130.0)
        curve = cluster_curve(
            [points], ladder=[4, 8, 16, 32, 64], seeds=1, permutations=39, rng=rng
        )
        found = scale_of_heterogeneity(curve, value_range=15.0)
        p.append(found.p_value)
        medians.append(found.null_quantiles_um[1] / found.independent_um)
    assert np.mean(p) == pytest.approx(0.5, abs=0.15)
    assert np.mean(np.array(p) <= 0.1) < 0.25
    assert np.median(medians) == pytest.approx(1.0, abs=0.15)
    correlated = field(exponential_marks(20.0, 1, seed=1)[0], packing())
    found = scale_of_heterogeneity(curve_of([correlated], 39), value_range=0.65)
    assert found.p_value == pytest.approx(1 / 40)


def test_resampling_particles_is_biased() -> None:
    """Why sub-fields are left out instead: a bootstrap doubles particles, 1/n_c grows."""
    rng = np.random.default_rng(2)
    points = field(exponential_marks(0.0, 1, seed=3)[0], packing())
    found = scale_of_heterogeneity(curve_of([points], 39), value_range=0.65)
    lengths = []
    for _ in range(5):
        rows = rng.integers(0, 2000, 2000)
        moved = points.positions_um[rows] + 1e-6 * rng.random((2000, 2))
        again = MarkedPoints("b", moved, points.value[rows])
        lengths.append(scale_of_heterogeneity(curve_of([again]), value_range=0.65).scale_um)
    assert np.mean(lengths) > 1.25 * found.scale_um
    assert np.mean(lengths) > found.null_quantiles_um[2]


def test_error_is_that_of_repeated_fields() -> None:
    """The block jackknife against independent draws; 12 of them know their spread to a fifth."""
    found = scales(0.0, 12)
    spread = np.std([s.scale_um for s in found], ddof=1)
    errors = np.array([s.error_um for s in found])
    assert 0.6 < np.sqrt(np.nanmean(errors**2)) / spread < 1.7
    # Seeds of k-means alone understate it.
    seeds = np.array([s.seed_sd_um for s in found]) / np.sqrt(2)
    assert np.sqrt(np.mean(seeds**2)) < 0.6 * spread


def test_fields_show_their_spread() -> None:
    points = [field(m, packing()) for m in exponential_marks(5.0, 4, seed=3)]
    found = scale_of_heterogeneity(curve_of(points), value_range=0.65)
    assert found.by_field_um.shape == (4,)
    assert np.nanmean(found.by_field_um) == pytest.approx(found.scale_um, rel=0.25)
    assert 0 < found.field_sd_um < 0.5 * found.scale_um
    assert found.field_um == pytest.approx(324.0)
    one = scale_of_heterogeneity(curve_of(points[:1]), value_range=0.65)
    assert one.by_field_um[0] == pytest.approx(one.scale_um, rel=1e-9)
    assert np.isnan(one.field_sd_um)


def test_units() -> None:
    points = field(exponential_marks(5.0, 1, seed=3)[0], packing())
    base = scale_of_heterogeneity(curve_of([points], 39))
    assert base.half_band == pytest.approx(0.02 * np.ptp(points.value))
    percent = points.with_values(100 * points.value)
    assert scale_of_heterogeneity(curve_of([percent], 39)).scale_um == pytest.approx(
        base.scale_um, rel=1e-9
    )
    inches = replace(
        points, positions_um=points.positions_um / 25.4, window_um=points.window_um / 25.4
    )
    found = scale_of_heterogeneity(curve_of([inches], 39))
    assert found.scale_um == pytest.approx(base.scale_um / 25.4, rel=0.05)
    assert found.scale_particles == pytest.approx(base.scale_particles, rel=0.1)


@pytest.mark.parametrize(("band", "value_range"), [(0.0, None), (0.02, 0.0), (-1.0, 1.0)])
def test_a_band_of_no_width(band: float, value_range: float | None) -> None:
    points = field(exponential_marks(0.0, 1, seed=3)[0], packing())
    with pytest.raises(InputError, match="above 0"):
        scale_of_heterogeneity(curve_of([points]), band=band, value_range=value_range)
