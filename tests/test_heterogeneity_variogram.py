"""The fitted correlation length: exact on exact curves, recovered from fields, and when not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.integrate import quad

from helpers.heterogeneity_cases import SIDE_UM, exponential_marks, field, packing
from heterode.base.errors import InputError
from heterode.distributions.gaussian_field import Correlation
from heterode.heterogeneity import MarkedPoints, VariogramFit, fit_variogram
from heterode.heterogeneity import variogram as module
from heterode.heterogeneity.blocks import SubFields, block_shape, jackknife_error
from heterode.heterogeneity.variogram import MODELS


@pytest.mark.parametrize("name", list(MODELS))
def test_exact_curves_give_their_parameters_back(name: Correlation) -> None:
    h = np.geomspace(3.0, 160.0, 30)
    gamma = 0.2 + 0.7 * (1 - MODELS[name].rho(h / 23.0))
    found = module._fit(name, h, gamma, h**2, np.geomspace(1.0, 300.0, 80))
    assert (found.nugget, found.partial, found.length) == pytest.approx((0.2, 0.7, 23.0), rel=1e-3)
    assert found.residual < 1e-4
    # Other models leave more, and one with a fixed length misses the sill.
    for other in MODELS:
        if other != name:
            assert module._fit(other, h, gamma, h**2, np.geomspace(1, 300, 80)).residual > 1e-3
    fixed = module._fit(name, h, gamma, h**2, np.array([80.0, 80.0]))
    assert fixed.residual > 1e-2


@pytest.mark.parametrize("name", list(MODELS))
def test_integrals_and_practical_ranges(name: Correlation) -> None:
    shape = MODELS[name]
    end = 1.0 if name == "spherical" else 60.0
    rho = lambda u: float(shape.rho(np.array([u]))[0])  # noqa: E731
    assert shape.integral[2] == pytest.approx(quad(lambda u: 2 * np.pi * u * rho(u), 0, end)[0])
    assert shape.integral[3] == pytest.approx(quad(lambda u: 4 * np.pi * u**2 * rho(u), 0, end)[0])
    assert rho(shape.practical) == pytest.approx(0.05, abs=1e-3)


@cache
def fits(length_um: float, draws: int) -> list[VariogramFit]:
    positions = packing()
    return [
        fit_variogram([field(marks, positions)], model="exponential")
        for marks in exponential_marks(length_um, draws, seed=2)
    ]


@pytest.mark.parametrize(
    ("length_um", "low", "high"),
    # 12 draws: about 12 % of the length as the standard error of the median at 40 um.
    [(5.0, 4.0, 6.5), (10.0, 8.5, 12.0), (20.0, 17.0, 24.0), (40.0, 30.0, 52.0)],
)
def test_lengths_are_recovered(length_um: float, low: float, high: float) -> None:
    found = fits(length_um, 12)
    median = float(np.median([fit.length_um for fit in found]))
    assert low < median < high
    for fit in found:
        assert fit.practical_um == pytest.approx(fit.length_um * np.log(20), rel=1e-6)
        assert fit.integral == pytest.approx(2 * np.pi * fit.structured * fit.length_um**2)


def test_error_is_that_of_repeated_fields() -> None:
    """The block jackknife against the spread over independent draws, within a factor of two."""
    found = fits(10.0, 12)
    spread = np.std([fit.length_um for fit in found])
    error = np.median([fit.length_error_um for fit in found])
    assert 0.5 < error / spread < 2.0
    assert all(fit.blocks == 9 for fit in found)


def test_independent_marks_have_no_length() -> None:
    marks = exponential_marks(0.0, 1, seed=2)[0]
    found = fit_variogram([field(marks, packing())], p_value=0.4)
    assert not found.identified
    assert "no structure" in found.reason
    # The test of the correlogram decides, not the fit, which finds some length in any noise.
    structured = exponential_marks(20.0, 1, seed=2)[0]
    assert fit_variogram([field(structured, packing())], p_value=0.005).identified
    assert not fit_variogram([field(structured, packing())], p_value=0.4).identified


def test_a_trend_is_longer_than_the_field() -> None:
    positions = packing()
    rng = np.random.default_rng(0)
    trend = positions[:, 0] / SIDE_UM + 0.05 * rng.standard_normal(len(positions))
    found = fit_variogram([field(trend, positions)], p_value=0.005)
    assert not found.identified
    assert "half the field" in found.reason


def test_noise_becomes_the_nugget() -> None:
    positions = packing()
    rng = np.random.default_rng(1)
    smooth = exponential_marks(20.0, 8, seed=4)
    noisy = smooth + 0.1 * rng.standard_normal(smooth.shape)
    found = [
        fit_variogram([field(marks, positions)], model="exponential").structured for marks in noisy
    ]
    assert np.median(found) == pytest.approx(0.5, abs=0.12)
    plain = [
        fit_variogram([field(marks, positions)], model="exponential").structured for marks in smooth
    ]
    assert np.median(plain) > 0.85


def test_far_pairs_of_many_particles_may_be_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    points = field(exponential_marks(20.0, 1, seed=9)[0], packing())
    whole = fit_variogram([points], model="exponential")
    monkeypatch.setattr(module, "_DENSE", 1000)
    monkeypatch.setattr(module, "_NEAR", 50)
    thinned = fit_variogram([points], model="exponential")
    assert thinned.pairs.sum() < 0.5 * whole.pairs.sum()
    assert thinned.pairs[0] == whole.pairs[0]
    assert thinned.length_um == pytest.approx(whole.length_um, rel=0.15)


def test_units_and_fields_scale() -> None:
    marks = exponential_marks(10.0, 2, seed=6)
    points = [field(m, packing()) for m in marks]
    one = fit_variogram(points[:1], model="exponential")
    percent = fit_variogram([points[0].with_values(100 * marks[0])], model="exponential")
    assert percent.length_um == pytest.approx(one.length_um, rel=1e-6)
    assert percent.sill == pytest.approx(1e4 * one.sill, rel=1e-6)
    twice = fit_variogram(points, model="exponential")
    assert twice.pairs.sum() == 2 * one.pairs.sum()
    assert twice.blocks == 2 * 4
    at = one([0.0, 1e6])
    assert at == pytest.approx([one.nugget, one.sill])


def test_three_dimensions() -> None:
    rng = np.random.default_rng(0)
    positions = packing(1500, 120.0, 3)
    distance = np.linalg.norm(positions[:, None] - positions, axis=2)
    factor = np.linalg.cholesky(np.exp(-distance / 15.0) + 1e-10 * np.eye(1500))
    fitted = [
        fit_variogram(
            [field(factor @ rng.standard_normal(1500), positions, 120.0)], model="exponential"
        )
        for _ in range(6)
    ]
    assert np.median([fit.length_um for fit in fitted]) == pytest.approx(15.0, rel=0.3)
    assert fitted[0].blocks == 8
    one = fitted[0]
    assert one.integral == pytest.approx(8 * np.pi * one.structured * one.length_um**3)


def test_too_short_a_distance() -> None:
    points = field(exponential_marks(10.0, 1, seed=6)[0], packing())
    with pytest.raises(InputError, match="needs 4"):
        fit_variogram([points], max_um=1.0)


def test_blocks_cover_long_fields_evenly() -> None:
    rng = np.random.default_rng(0)
    long = MarkedPoints(
        "slab",
        rng.uniform(0, 1, (100, 2)) * [40, 360],
        rng.random(100),
        window_um=np.array([[0, 40.0], [0, 360.0]]),
    )
    assert block_shape(long, 9).tolist() == [1, 9]
    blocks = SubFields([long])
    assert len(blocks) == 9
    assert blocks.of(0, np.array([[1.0, 1.0], [39.0, 359.0], [40.0, 360.0]])).tolist() == [0, 8, 8]
    assert len(SubFields([long] * 10)) == 10


def test_jackknife_of_a_mean_is_its_standard_error() -> None:
    x = np.random.default_rng(0).random(30)
    without = (x.sum() - x) / 29
    assert jackknife_error(without) == pytest.approx(x.std(ddof=1) / np.sqrt(30))
    assert np.isnan(jackknife_error(np.array([1.0, np.nan, 2.0])))
