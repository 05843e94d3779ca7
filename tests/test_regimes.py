"""Regime numbers against values worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from helpers.paths import PARAMS
from heterode.forecast.regimes import (
    MeshSummary,
    areal_capacity,
    exchange_current,
    expected_particles,
    expected_width,
    fastest_current,
    median_penalty,
    regime_numbers,
)
from heterode.parameters import load_parameters

F, R_GAS = 96485.33212331001, 8.31446261815324
MONO = 'geometry.particle_size={distribution="monodisperse", diameter="5 um"}'


def load(name="nmc532", *overrides):
    return load_parameters(PARAMS / f"{name}.toml", overrides)


def values(parameters, mesh=None):
    return {r.symbol: r.value for r in regime_numbers(parameters, mesh)}


@pytest.mark.parametrize(
    ("name", "capacity"), [("nmc532", 21.15), ("nmc622", 21.6), ("nmc811", 24.5)]
)
def test_capacity_from_geometry_agrees_with_the_weighed_mass(name, capacity):
    """F c_max dx eps_AM L / 3600 against 10.8 mg cm^-2 x 0.94 x Q(2.8-4.5 V), Ah m^-2."""
    assert areal_capacity(load(name)) / 3600 == pytest.approx(capacity, rel=5e-3)
    # It is the mass that counts, so the thickness must not matter.
    thick = load(name, "geometry.coating_thickness=60 um")
    assert areal_capacity(thick) == pytest.approx(areal_capacity(load(name)), rel=1e-9)


def test_current_of_the_fastest_step():
    assert fastest_current(load()) == pytest.approx(0.53, rel=5e-3)
    p = load(
        "nmc532", 'protocol.steps=["charge at 3 A/m^2 for 1 h", "discharge at 7 A/m^2 for 1 h"]'
    )
    assert fastest_current(p) == 7.0
    assert fastest_current(load("nmc532", 'protocol.steps=["hold at 4.5 V for 1 h"]')) is None


def test_exchange_current_of_the_reference_set():
    """Chen 2020: k = 1.121e-9 m/s with c_max 63104 gives 3.41 A m^-2 at x = 0.5."""
    p = load(
        "nmc532",
        "active_material.rate_constant=1.121e-9 m/s",
        "active_material.maximum_concentration=63104 mol/m^3",
    )
    assert exchange_current(p, 0.5) == pytest.approx(3.41, rel=2e-3)


def test_current_against_exchange_gives_the_known_overpotential():
    """26.7 mV at k = 2e-11 m/s, C/40, x = 0.8, pen = 0.5, spheres of R = 2.5 um; here for discs,
    whose surface per volume is 2/R instead of 3/R, at the module's x = 0.7 and pen = 1."""
    p = load("nmc532", MONO, "active_material.rate_constant=2e-11 m/s", "penalty.distribution=none")
    least, most = p.active_material.lithium_fraction_window
    rate = (most - least) / (40 * 3600)
    by_hand = 2.5e-6 * F * 49200 * rate / (4 * exchange_current(p, 0.7))
    assert values(p)["I*"] == pytest.approx(by_hand, rel=1e-9)
    # The published number itself, from the same exchange current (x = 0.8, sphere, pen = 0.5).
    sphere = 2.5e-6 * F * 49200 * rate / (6 * 0.5 * exchange_current(p, 0.8))
    assert 2 * R_GAS * 298.15 / F * math.asinh(sphere) == pytest.approx(26.7e-3, rel=0.01)


def test_scalings():
    """Each number moves with its parameter as its formula says, and only then."""
    base = values(load("nmc532", MONO))
    slow = values(load("nmc532", MONO, "active_material.rate_constant=2e-11 m/s"))
    for symbol, power in {"I*": -1, "h R/D": 1, "nu^2 (sigma)": 1, "nu^2 (kappa)": 1}.items():
        assert slow[symbol] / base[symbol] == pytest.approx((2e-11 / 1e-9) ** power)
    assert slow["R^2/(D t)"] == base["R^2/(D t)"]
    fast = values(load("nmc532", MONO, 'protocol.steps=["charge at C/4 until 4.5 V"]'))
    for symbol in ("R^2/(D t)", "I*", "dc/c0"):
        assert fast[symbol] / base[symbol] == pytest.approx(10.0)
    assert fast["h R/D"] == base["h R/D"]
    printed = values(load("nmc532", MONO, "carbon_binder.bruggeman_carbon=as_printed"))
    # The two readings of equation (9) differ 15-fold at eps_l = 0.857.
    assert base["nu^2 (sigma)"] / printed["nu^2 (sigma)"] == pytest.approx(14.6, rel=0.01)


def test_diffusion_number_by_hand():
    expected = (2.5e-6) ** 2 / (3e-15 * 40 * 3600)
    assert values(load("nmc532", MONO))["R^2/(D t)"] == pytest.approx(expected, rel=1e-9)


def test_quickstart_is_where_kinetics_limit_and_literature_is_not():
    quick, literature = values(load("quickstart")), values(load("nmc532"))
    assert quick["I*"] > 1
    assert literature["I*"] < 0.1
    assert quick["nu^2 (sigma)"] < 0.1
    assert quick["dc/c0"] < 0.1


def test_median_penalty_is_that_of_the_draws():
    p = load()
    k, scale = p.penalty.shape, p.penalty.scale
    u = np.random.default_rng(3).random(200_001)
    inside = scale * (-np.log1p(-u * (1 - math.exp(-((1 / scale) ** k))))) ** (1 / k)
    assert median_penalty(p) == pytest.approx(np.median(inside), rel=0.01)
    clipped = np.minimum(1.0, scale * (-np.log1p(-u)) ** (1 / k))
    clip = load("nmc532", "penalty.restriction=clip")
    assert median_penalty(clip) == pytest.approx(np.median(clipped), rel=0.01)
    assert median_penalty(load("nmc532", "penalty.distribution=none")) == 1.0


def test_width_and_number_are_two_views_of_one():
    by_number = load("quickstart")
    width = expected_width(by_number)
    by_width = load("quickstart", f"geometry.width={width} m")
    assert expected_particles(by_width) == 60
    assert 40e-6 < width < 120e-6


def test_measured_mesh_replaces_nominal_geometry():
    p = load("nmc532", MONO)
    mesh = MeshSummary(
        particles=7,
        active_fraction=p.geometry.active_fraction,
        specific_surface=2 * p.geometry.active_fraction / 2.5e-6,
        coating_thickness=p.geometry.coating_thickness,
        separator_thickness=p.geometry.separator_thickness,
    )
    assert values(p, mesh) == pytest.approx(values(p))
    # A mesh file has thicknesses of its own, whatever the keys say.
    half = replace(mesh, coating_thickness=0.5 * mesh.coating_thickness)
    assert areal_capacity(p, half) == pytest.approx(0.5 * areal_capacity(p))
    drop = "dc/c0"
    assert values(p, half)[drop] < 0.6 * values(p)[drop]
    nearer = replace(mesh, separator_thickness=0.1 * mesh.separator_thickness)
    assert values(p, nearer)[drop] < 0.9 * values(p)[drop]


def test_every_regime_says_what_it_means():
    for regime in regime_numbers(load("quickstart")):
        assert regime.value > 0
        assert regime.meaning
        assert regime.formula
