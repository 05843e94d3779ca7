"""Density maps: against the direct sum, and at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from helpers.heterogeneity_cases import field, packing
from heterode.base.errors import InputError
from heterode.heterogeneity import MarkedPoints, density_map
from heterode.heterogeneity.density import bandwidth


def kernels(x: np.ndarray, y: np.ndarray, positions: np.ndarray, h: float) -> np.ndarray:
    """(ny, nx, N) Gaussians by their formula."""
    dx = (x[:, None] - positions[:, 0]) / h
    dy = (y[:, None] - positions[:, 1]) / h
    across = np.exp(-0.5 * dx**2) / (np.sqrt(2 * np.pi) * h)
    along = np.exp(-0.5 * dy**2) / (np.sqrt(2 * np.pi) * h)
    return np.asarray(along[:, None, :] * across[None, :, :])


def some_field(count: int = 300) -> MarkedPoints:
    positions = packing(count, 120.0)
    rng = np.random.default_rng(0)
    return field(1 + positions[:, 0] / 120 + 0.1 * rng.random(count), positions, 120.0)


def test_binned_maps_are_those_of_the_direct_sum() -> None:
    points = some_field()
    found = density_map(points, bandwidth_um=12.0)
    k = kernels(found.x_um[::8], found.y_um[::8], points.positions_um, 12.0)
    value, plain = k @ points.value, k.sum(axis=2)
    own = found.value_density[::8, ::8] * points.value.sum()
    assert np.abs(own - value).max() < 1e-3 * value.max()
    direct = found.particle_density * found.edge
    assert np.abs(direct[::8, ::8] - plain).max() < 1e-3 * plain.max()
    assert found.ratio[::8, ::8] == pytest.approx(value / plain, abs=2e-3)


def test_edges_are_corrected() -> None:
    """14 % of the mass lies outside at 20 um in a field of 228 um."""
    positions = packing(1000, 228.0)
    points = field(positions[:, 0], positions, 228.0)
    found = density_map(points, bandwidth_um=20.0)
    cell = np.diff(found.x_um)[0] * np.diff(found.y_um)[0]
    outside = 1 - found.value_density.sum() * cell
    x = np.linspace(0, 228, 2001)
    inside = np.mean(ndtr((228 - x) / 20) - ndtr(-x / 20)) ** 2
    assert outside == pytest.approx(1 - inside, abs=0.02)
    density = 1000 / 228**2
    corner = found.particle_density[:20, :20].mean()
    assert corner == pytest.approx(density, rel=0.15)
    # Without the correction a corner shows about a third of its particles.
    assert (found.particle_density * found.edge)[:20, :20].mean() < 0.55 * density


def test_ratio_is_the_local_mean_whatever_the_density() -> None:
    positions = packing(1000, 228.0)
    kept = (positions[:, 0] < 114) | (np.arange(1000) % 4 == 0)
    value = 1.0 + (positions[:, 1] > 114)
    found = density_map(field(value, positions, 228.0).chosen(kept), bandwidth_um=8.0)
    low, high = found.y_um < 80, found.y_um > 148
    assert found.ratio[low] == pytest.approx(1.0, abs=1e-3)
    assert found.ratio[high] == pytest.approx(2.0, abs=1e-3)
    # The published map shows the missing particles instead.
    left, right = found.x_um < 100, found.x_um > 128
    assert found.value_density[:, right].mean() < 0.4 * found.value_density[:, left].mean()


def test_three_dimensions_show_a_plane() -> None:
    rng = np.random.default_rng(1)
    positions = rng.uniform(0, 40, (3000, 3))
    value = 1.0 + positions[:, 1] / 40 + positions[:, 2]
    points = MarkedPoints("c", positions, value, window_um=np.array([[0, 40.0]] * 3))
    found = density_map(points, bandwidth_um=5.0, grid=64)
    assert found.axes == ("x", "z")
    assert found.plane_um == 20.0
    assert found.particle_density.mean() == pytest.approx(3000 / 40**3, rel=0.1)
    near = positions - [found.x_um[30], 20.0, found.y_um[40]]
    weight = np.exp(-0.5 * np.sum(near**2, axis=1) / 25)
    assert found.ratio[40, 30] == pytest.approx(np.average(value, weights=weight), rel=5e-3)
    other = density_map(points, bandwidth_um=5.0, grid=64, normal=2, plane_um=35.0)
    assert other.axes == ("x", "y")
    assert np.nanmean(other.ratio) > np.nanmean(found.ratio) + 5


@pytest.mark.parametrize(("count", "dimension", "averaged"), [
    (20, 2, 4.0), (80, 2, 10.0), (300, 2, 37.5), (4000, 2, 50.0), (30, 3, 4.0), (900, 3, 50.0)
])  # fmt: skip
def test_a_local_mean_averages_a_share_of_the_particles(
    count: int, dimension: int, averaged: float
) -> None:
    """The effective number is (sum of weights)^2 / sum of their squares, here in an endless field.

    Values of unit variance then have local means of the variance 1 / averaged.
    """
    spacing = 7.0
    h = bandwidth(count, spacing, dimension)
    axes = [np.arange(-60.0, 60.0, spacing / 4)] * dimension
    squared = sum(axis**2 for axis in np.meshgrid(*axes))
    kernel = np.exp(-0.5 * squared / h**2)
    density = (0.25**dimension) * kernel.sum() ** 2 / (kernel**2).sum()
    assert density == pytest.approx(averaged, rel=1e-3)


def test_the_default_bandwidth_is_that_of_the_rule() -> None:
    points = some_field()
    found = density_map(points, grid=16)
    assert found.bandwidth_um == pytest.approx(bandwidth(300, np.sqrt(120**2 / 300), 2))
    assert found.averaged == pytest.approx(37.5)
    assert density_map(points, grid=16, bandwidth_um=4.0).averaged == pytest.approx(
        4 * np.pi * 16 * 300 / 120**2
    )
    # A coarse grid is refined until the kernel spans cells.
    assert np.diff(found.x_um)[0] <= found.bandwidth_um / 2


def test_oblong_fields_have_square_cells() -> None:
    rng = np.random.default_rng(0)
    window = np.array([[0, 46.0], [0, 200.0]])
    points = MarkedPoints("s", rng.uniform(0, 46, (80, 2)), rng.random(80), window_um=window)
    found = density_map(points, grid=100)
    assert found.ratio.shape == (100, 23)
    assert np.diff(found.x_um)[0] == pytest.approx(np.diff(found.y_um)[0])
    # Nothing lies far up: no local mean is invented there.
    assert np.isnan(found.ratio[-1]).all()


def test_mistakes() -> None:
    points = some_field()
    with pytest.raises(InputError, match="above 0"):
        density_map(points, bandwidth_um=0.0)
    rng = np.random.default_rng(0)
    cube = MarkedPoints("c", rng.uniform(0, 9, (50, 3)), rng.random(50))
    with pytest.raises(InputError, match="outside"):
        density_map(cube, plane_um=90.0)
    with pytest.raises(InputError, match="none of the directions"):
        density_map(cube, normal=3)
