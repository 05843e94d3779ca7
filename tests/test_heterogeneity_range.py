"""The range that sets the band: outliers are noticed, heavy tails are not taken for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.heterogeneity_cases import field, packing
from heterode.base.errors import InputError
from heterode.heterogeneity import Settings, analyse
from heterode.heterogeneity.value_range import checked_range, normal_range

QUICK = Settings(permutations=0, seeds=1, max_um=10.0, grid=8)


def test_expected_range_of_normal_values() -> None:
    """Tippett's values for 2, 10 and 1,000."""
    assert normal_range(2) == pytest.approx(2 / np.sqrt(np.pi), rel=1e-6)
    assert normal_range(10) == pytest.approx(3.07751, abs=1e-4)
    assert normal_range(1000) == pytest.approx(6.48287, abs=1e-4)


@pytest.mark.parametrize("count", [30, 300, 3000])
def test_plausible_ranges(count: int) -> None:
    rng = np.random.default_rng(count)
    draws = {
        "uniform": lambda: rng.uniform(size=count),
        "normal": lambda: rng.standard_normal(count),
        "exponential": lambda: rng.exponential(size=count),
        "Weibull 0.7": lambda: rng.weibull(0.7, count),
        "Weibull 2": lambda: rng.weibull(2.0, count),
        "grey values": lambda: np.round(10 * rng.standard_normal(count) + 128),
        "two phases": lambda: rng.choice([0.1, 0.9], count) + 0.01 * rng.standard_normal(count),
        "mirrored": lambda: -rng.exponential(size=count),
    }
    fired = {
        name: sum(checked_range(np.asarray(draw())).outliers > 0 for _ in range(50))
        for name, draw in draws.items()
    }
    assert {name: n for name, n in fired.items() if n > 1} == {}


@pytest.mark.parametrize(("count", "outliers"), [(300, 1), (1000, 1), (1000, 3), (20000, 2)])
@pytest.mark.parametrize("side", [-1, 1])
def test_outliers(count: int, outliers: int, side: int) -> None:
    value = np.random.default_rng(1).standard_normal(count)
    assert checked_range(value).outliers == 0
    value[:outliers] = side * 16.0
    found = checked_range(value)
    assert found.outliers == outliers
    assert found.in_sd > 1.5 * found.normal_in_sd
    assert "standard deviations" in found.warning
    assert "1 to 99 %" in found.warning
    assert found.robust == pytest.approx(4.65, rel=0.15)


def test_one_outlier_does_not_move_the_robust_scale() -> None:
    value = np.random.default_rng(2).standard_normal(1000)
    positions = packing(1000, 229.0)
    spoilt = value.copy()
    spoilt[0] = 16.0
    results = {}
    for name, marks in (("clean", value), ("spoilt", spoilt)):
        points = field(marks, positions, 229.0)
        results[name] = analyse([points], QUICK, np.random.default_rng(0))
    clean, other = results["clean"], results["spoilt"]
    assert other.scale is other.scale_full
    assert other.scale.scale_um < 0.6 * clean.scale.scale_um
    assert other.scale_robust.scale_um == pytest.approx(clean.scale_robust.scale_um, rel=0.25)
    assert any("far from the others" in w for w in other.warnings)
    assert not any("far from the others" in w for w in clean.warnings)
    robust = analyse(
        [field(spoilt, positions, 229.0)], replace(QUICK, robust=True), np.random.default_rng(0)
    )
    assert robust.scale.scale_um == pytest.approx(other.scale_robust.scale_um)
    assert not any("far from the others" in w for w in robust.warnings)
    both = robust.as_dict()["scale_by_range"]
    assert both["full"]["scale_um"] == pytest.approx(other.scale.scale_um)
    assert both["robust"]["value_range"] == pytest.approx(robust.range_check.robust)


def test_a_range_is_given_or_found() -> None:
    with pytest.raises(InputError, match="either found or given"):
        Settings(robust=True, value_range=1.0)
