"""L*: read off curves with known answers, and against what independent marks give."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.special import digamma, polygamma
from scipy.stats import chi2

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
from heterode.heterogeneity.reading import Noise, Reader, chi_square_arms, log_excursion

SIZES = np.geomspace(5.0, 60.0, 12)
FIELD_UM = 324.0


def reader(noise: float = 0.0) -> Reader:
    """A reader of curves that fall like those of independent marks in a field of 324 um."""
    clusters = FIELD_UM**2 / SIZES**2
    covariance = noise**2 * np.minimum.outer(1 / clusters, 1 / clusters)
    quiet = Noise(covariance, np.zeros(12))
    return Reader(SIZES, clusters, FIELD_UM / 2, lambda size: -2 * np.log(size), quiet)


def length(reader: Reader, mean: np.ndarray, sd: np.ndarray, half_band: float) -> float:
    return float(reader.lengths(log_excursion(mean, sd, 0.4)[None], half_band)[0])


def test_reading_a_power_law_is_exact() -> None:
    mean = np.full(12, 0.4)
    assert length(reader(), mean, 3.0 / SIZES, 0.1) == pytest.approx(30.0, rel=1e-9)
    # Beyond the last rung, the curve goes on by the expected power.
    assert length(reader(), mean, 3.0 / SIZES, 0.03) == pytest.approx(100.0, rel=1e-9)
    # The mean alone, without its bars, is inside at every size.
    assert length(reader(), mean, 0 * SIZES, 0.1) == 5.0


def test_an_offset_of_the_mean_counts() -> None:
    """The band holds mean plus bar: an offset of half the band leaves half of it to the bar."""
    mean = np.full(12, 0.45)
    found = length(reader(), mean, 3.0 / SIZES, 0.1)
    assert 45.0 < found < 75.0
    assert length(reader(), np.full(12, 0.4), 3.0 / SIZES, 0.1) < 31.0


def test_rungs_with_few_clusters_do_not_decide() -> None:
    """K = 4 and 6 say nothing, whatever they say; a rung with 9 does."""
    size: np.ndarray = np.array([20.0, 40.0, 60.0, 80.0, 108.0, 132.0, 162.0])
    clusters = FIELD_UM**2 / size**2
    quiet = Noise(np.zeros((7, 7)), np.zeros(7))
    found = Reader(size, clusters, FIELD_UM / 2, lambda s: -2 * np.log(s), quiet)
    assert found.last_um == 108.0
    plain = log_excursion(np.full(7, 0.4), 3.0 / size, 0.4)
    outside = plain.copy()
    outside[-2:] += 3.0
    assert found.lengths(outside[None], 0.05)[0] == found.lengths(plain[None], 0.05)[0]
    outside[-3] += 3.0
    # A single rung among several is averaged with its neighbours.
    assert found.lengths(outside[None], 0.05)[0] > 1.05 * found.lengths(plain[None], 0.05)[0]


def test_interval_inverts_the_chi_square() -> None:
    """One rung alone has the textbook interval of a variance with K - 1 degrees of freedom."""
    down, up = chi_square_arms(np.sqrt(polygamma(1, np.array([4.0, 50.0]))))
    for k, freedom in enumerate((8, 100)):
        mean = digamma(freedom / 2) - np.log(freedom / 2)
        low, high = np.log(chi2(freedom).ppf([0.025, 0.975]) / freedom)
        assert down[k] == pytest.approx(high - mean, rel=0.05)
        assert up[k] == pytest.approx(mean - low, rel=0.05)
    # Logarithms of variances are skewed: the variance may be much larger, but not much smaller.
    assert up[0] > 1.2 * down[0]


def test_interval_grows_with_the_noise() -> None:
    excursion = log_excursion(np.full(12, 0.4), 3.0 / SIZES, 0.4)
    widths = []
    for noise in (1.0, 2.0):
        found = reader(noise).read(excursion, 0.1)
        assert found.low_um < found.length_um < found.high_um
        widths.append(np.log(found.high_um / found.low_um))
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.1)


def test_an_interval_without_end() -> None:
    """Four times the largest size is tested; what may be outside there has no upper end."""
    excursion = log_excursion(np.full(12, 0.4), 3.0 / SIZES, 0.4)
    assert reader(1.0).read(excursion, 0.1).high_um < 60.0
    assert reader(1.0).read(excursion, 0.004).high_um == np.inf


def test_a_narrower_band_gives_a_larger_scale() -> None:
    found = [length(reader(), np.full(12, 0.4), 3.0 / SIZES, band) for band in (0.2, 0.1, 0.05)]
    assert found == pytest.approx([15.0, 30.0, 60.0], rel=1e-9)


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


def old_reading(curve: ClusterCurve, half_band: float) -> float:
    """What a reading without smoothing gives, in which the last rung outside decides alone."""
    reach = (np.abs(curve.mean - curve.global_mean) + curve.sd) / half_band
    last = np.flatnonzero(reach > 1)[-1]
    if last == len(reach) - 1:
        return float(curve.size_um[-1])
    part = np.log(reach[last]) / np.log(reach[last] / reach[last + 1])
    return float(curve.size_um[last] * (curve.size_um[last + 1] / curve.size_um[last]) ** part)


def test_interval_holds_the_true_scale_of_correlated_marks() -> None:
    """L* = 97 um of 5 um correlation in a field of 324 um, by the covariance of the fit's inputs.

    The truth is E[s_K^2] of the exact covariance at the drawn positions, for clusters as squares.
    """
    length_um, half_band = 5.0, 0.013
    positions = packing()
    truth = _true_scale(positions, length_um, half_band)
    marks = exponential_marks(length_um, 8, seed=3)
    held, old_held = [], []
    for value in marks:
        points = field(value, positions)
        curve = cluster_curve(
            [points], ladder=LADDER, seeds=2, permutations=39, rng=np.random.default_rng(1)
        )
        fit = fit_variogram([points], model="exponential", p_value=0.005)
        found = scale_of_heterogeneity(curve, value_range=half_band / 0.02, variogram=fit)
        held.append(found.low_um < truth < found.high_um or found.flag == "above")
        old_held.append(abs(old_reading(curve, half_band) - truth) < 2 * 4.0)
        assert found.flag in ("ok", "above")
        # A lower bound is one.
        assert found.flag == "ok" or found.scale_um < truth
        # Without any correlation, the model is far off: the fit is what brings it here.
        assert abs(np.log(found.model_um / truth)) < 0.35
        assert found.independent_um < 0.75 * truth
    assert sum(held) >= 7
    # An interval of +-8 um about a reading of the last rung alone, as was given before.
    assert sum(old_held) <= 4


LADDER = tuple(int(k) for k in np.unique(np.geomspace(4, 1000, 24).round()))


def _true_scale(positions: np.ndarray, length_um: float, half_band: float) -> float:
    """Last size of squares at which the exact expected standard deviation of means is outside."""
    covariance = 0.01 * np.exp(-squareform(pdist(positions)) / length_um)
    sizes, variance = [], []
    for side in range(2, 9):
        place = np.floor(positions / (324.0 / side)).clip(0, side - 1).astype(int)
        label = place[:, 0] * side + place[:, 1]
        mean = (label == np.arange(side**2)[:, None]).astype(float)
        mean /= mean.sum(axis=1, keepdims=True)
        of_means = mean @ covariance @ mean.T
        clusters = side**2
        variance.append((np.trace(of_means) - of_means.mean() * clusters) / (clusters - 1))
        sizes.append(324.0 / side)
    logs = 0.5 * np.log(variance) - np.log(half_band)
    return float(np.exp(np.interp(0.0, logs, np.log(sizes))))


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
    """Against independent draws; 12 of them know their spread to a fifth."""
    found = scales(0.0, 12)
    spread = np.std([s.scale_um for s in found], ddof=1)
    errors = np.array([s.error_um for s in found])
    jackknife = np.array([s.jackknife_error_um for s in found])
    assert 0.6 < np.sqrt(np.nanmean(jackknife**2)) / spread < 1.7
    # Half the longer arm of an interval, which without permutations takes no credit for seeds.
    assert 0.8 < np.sqrt(np.nanmean(errors**2)) / spread < 2.2
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
