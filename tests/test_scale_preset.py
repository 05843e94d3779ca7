"""params/scale.toml: a scale of heterogeneity that converges, and tells penalties apart.

The particles are lumped ones at one potential (helpers.lumped), which the preset's header says is
enough: carbon, electrolyte and depth hardly matter at C/40.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.integrate import solve_ivp

from helpers.heterogeneity_cases import packing
from helpers.lumped import F, Particles
from helpers.paths import ROOT
from heterode.heterogeneity import Heterogeneity, MarkedPoints, Settings, analyse
from heterode.heterogeneity.equal_scales import equal_scales
from heterode.heterogeneity.value_range import range_error
from heterode.parameters.model import Parameters
from heterode.particles.drawn_penalties import penalty_factors
from heterode.particles.table import ParticleTable

SIDE_UM = 370.0
LENGTH = "penalty.correlation_length"


def particles(p: Parameters) -> ParticleTable:
    """As many discs as in the preset in a field of its size, with radii of its law."""
    count, size = p.geometry.particles, p.geometry.particle_size
    assert count is not None
    x, y = packing(count, SIDE_UM).T
    draws = np.random.default_rng(2).standard_normal(count)
    r = 0.5e6 * size.median * np.exp(size.sigma * draws)
    one = np.ones(count)
    return ParticleTable(np.arange(count), x, y, 0 * one, r, np.pi * r**2, 2 * np.pi * r, one)


@cache
def at_the_peak(length: str) -> Heterogeneity:
    """The statistics at the largest spread of a charge at C/40."""
    p = Parameters.load(ROOT / "params" / "scale.toml")
    if length:
        p = p.with_values({LENGTH: length})
    table = particles(p)
    active, c_max = p.active_material, p.active_material.maximum_concentration
    cell = Particles(
        table.volume_um3 * 1e-12,
        table.surface_um2 * 1e-6,
        penalty_factors(p, table),
        c_max,
        active.rate_constant,
    )
    start = active.initial_lithium_fraction
    # 1C takes the fraction from its value at 2.8 V to that at 4.5 V.
    current = F * c_max * cell.volume.sum() * (0.9988 - 0.2482) / 40 / 3600
    solved = solve_ivp(
        lambda _, x: cell.rate(x, current),
        (0.0, 15.2 * 3600),
        np.full(len(table), start),
        method="RK23",
        rtol=1e-4,
        atol=1e-6,
        t_eval=np.linspace(0.0, 15.2 * 3600, 20),
    )
    value = solved.y[:, int(solved.y.std(axis=0).argmax())]
    places = np.column_stack([table.x_um, table.y_um])
    window = np.array([[0.0, SIDE_UM]] * 2)
    points = MarkedPoints("peak", places, value, table.volume_um3, table.radius_um, window)
    settings = Settings(permutations=99, seeds=2)
    return analyse([points], settings, np.random.default_rng(1))


def test_both_scales_converge_far_below_the_field() -> None:
    for length in ("", "5 um"):
        scale = at_the_peak(length).scale
        assert scale.flag == "ok", length
        assert scale.field_um > 3 * scale.scale_um, length


def test_the_report_tells_correlated_penalties_from_independent_ones() -> None:
    alone, alike = at_the_peak(""), at_the_peak("5 um")
    low, _, high = alone.scale.null_quantiles_um
    assert low < alone.scale.scale_um < high
    assert alone.correlogram.spearman.p_value > 0.05
    assert not alone.variogram.identified
    assert alike.scale.scale_um > 1.3 * alike.scale.null_quantiles_um[2]
    assert alike.correlogram.spearman.p_value < 0.05
    assert alike.variogram.identified
    errors = [range_error(found.fields[0].value, robust=False) for found in (alone, alike)]
    different = equal_scales(alone.scale, alike.scale, (errors[0], errors[1]))
    assert different.p_value < 0.05
    assert different.z > 0
    # Whatever model fits best: 5 um of an exponential reach 15 um.
    assert 10.0 < alike.variogram.practical_um < 25.0
