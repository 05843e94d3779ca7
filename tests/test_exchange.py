"""Laws of the exchange current and their temperature: values, exact derivatives, the whole cell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from mpi4py import MPI

from helpers.cells import NO_TRANSPORT_LOSS, parameters, run
from helpers.cells import cell as shipped_cell
from helpers.exchange_laws import POINTS, law_named, settings
from helpers.linearisation import mismatches
from helpers.manufactured import TWO_BLOCKS, bend, cell
from helpers.mapped_grid import mapped_grid
from heterode.base.constants import FARADAY, GAS_CONSTANT
from heterode.base.dual_numbers import value_of
from heterode.forecast.regimes import exchange_current, regime_numbers
from heterode.materials import arrhenius
from heterode.materials.exchange_currents import EXCHANGE_CURRENTS
from heterode.materials.tabulated import LEVELLING, TabulatedFunction

BY_HAND = ("power_law", "table", "autocatalytic")


# -- laws ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WithoutSlope:
    """A law whose derivative with the lithium fraction is left out."""

    law: object

    def __call__(self, s, y):
        return self.law(value_of(s), y)


def test_power_law_is_equation_13():
    i0 = law_named("power_law", 2.0)(np.array([0.3]), np.array([1.5]))
    assert i0 == pytest.approx(2.0 * 0.7**0.4 * 0.3**0.6 * 1.5**0.4, rel=1e-9)


def test_autocatalytic_by_hand():
    s = np.array([0.6, 0.2, 1.0])
    law = law_named("autocatalytic", 2.0, 0.5)
    i0 = law(s, np.full(3, 4.0))
    expected = [2.0, 4.0 / (1 + np.exp(-10.0)), 4.0 / (1 + np.exp(10.0))]
    np.testing.assert_allclose(i0, expected, rtol=1e-12)
    # Far beyond, as a Newton iterate may be, it stays finite.
    assert np.all(np.isfinite(law(np.array([-90.0, 90.0]), np.ones(2))))


# -- tables -------------------------------------------------------------------------------------


def test_table_goes_through_its_points_and_is_monotone_between():
    x, values = map(np.array, POINTS)
    function = TabulatedFunction(*POINTS)
    np.testing.assert_allclose(function(x), values, rtol=1e-13)
    fine = function(np.linspace(x[0], x[-1], 5001))
    assert np.all(np.diff(fine) <= 1e-12)
    # Negative control: a cubic spline through the same points overshoots.
    from scipy.interpolate import CubicSpline

    spline = np.exp(CubicSpline(x, np.log(values))(np.linspace(x[0], x[-1], 5001)))
    assert np.max(np.diff(spline)) > 1e-5


def test_table_is_once_continuously_differentiable_and_levels_off():
    function = TabulatedFunction(*POINTS)
    for x in POINTS[0]:
        below, above = function.value_and_slope(np.array([x - 1e-10, x + 1e-10]))[1]
        assert below == pytest.approx(above, rel=1e-5, abs=1e-7)
    ends = function(np.array([POINTS[0][-1] + 4 * LEVELLING, POINTS[0][-1] + 1.0]))
    assert ends[0] == pytest.approx(ends[1], rel=0.01)
    assert np.all(np.isfinite(function.value_and_slope(np.array([-1e3, 1e3]))))


def test_two_points_are_a_line_of_the_logarithm():
    function = TabulatedFunction((0.25, 1.0), (1.0, 1e-5))
    assert function(0.625) == pytest.approx(10**-2.5, rel=1e-12)


def test_table_is_the_same_for_numpy_and_ufl():
    function = TabulatedFunction(*POINTS)
    mesh = dmesh.create_unit_interval(MPI.COMM_SELF, 7)
    space = fem.functionspace(mesh, ("DG", 0))
    x = fem.Function(space)
    x.x.array[:] = np.linspace(0.2, 1.05, 7)
    v = ufl.TestFunction(space)
    total = fem.form(function(x) * v * ufl.dx)
    slope = fem.form(ufl.derivative(function(x) * v * ufl.dx, x, ufl.TrialFunction(space)))
    value, derivative = function.value_and_slope(x.x.array)
    np.testing.assert_allclose(7 * fem.assemble_vector(total).array, value, rtol=1e-12)
    diagonal = fem.assemble_matrix(slope).to_scipy().diagonal()
    np.testing.assert_allclose(7 * diagonal, derivative, rtol=1e-10)


# -- the whole cell -----------------------------------------------------------------------------


@pytest.mark.parametrize("law", [name for name in EXCHANGE_CURRENTS if name != "power_law"])
def test_jacobian_of_the_cell(law, tmp_path):
    model = cell(mapped_grid(TWO_BLOCKS, per_um=1, order=2, bend=bend), *settings(law, tmp_path))
    found = mismatches(model, np.random.default_rng(1))
    # The table's second derivative is not continuous: differences see it.
    tolerance = 1e-5 if law == "table" else 1e-7
    assert max(found.values()) < tolerance, found

    term = model.system.surfaces["interface"]
    broken = replace(term.law, exchange=WithoutSlope(term.law.exchange))
    model.system.surfaces["interface"] = replace(term, law=broken)
    found = mismatches(model, np.random.default_rng(1))
    assert {of for (_, of), error in found.items() if error > 1e-4} == {"s"}


@pytest.mark.parametrize("law", BY_HAND)
def test_overpotential_and_regime_numbers_follow_the_law(law, tmp_path):
    """2RT/F asinh(i / (2 i0)) in the limit of fast transport, i0 by the law in force."""
    overrides = (
        *NO_TRANSPORT_LOSS,
        *settings(law, tmp_path),
        "active_material.initial_lithium_fraction=0.72",
        *(["active_material.rate_constant=2e-11 m/s"] if law == "power_law" else []),
        "active_material.diffusivity=1e-9 m^2/s",
        'protocol.steps=["charge at 1C for 5 min"]',
    )
    model = shipped_cell("single_disc_2d", overrides)
    last = run(model)[0][-1]
    x = last.lithium_fraction_mean
    by_hand = {
        "power_law": FARADAY * 2e-11 * 49200 * np.sqrt(x * (1 - x)),
        "table": TabulatedFunction(*POINTS)(x),
        "autocatalytic": 2.0 / (1 + np.exp(25 * (x - 0.6))),
    }
    assert exchange_current(model.parameters, x) == pytest.approx(by_hand[law], rel=1e-9)
    i = model.one_C / model.averages.surfaces[0]
    eta = last.voltage_V - float(model.curve.potential(np.array([x]))[0])
    thermal = GAS_CONSTANT * 298.15 / FARADAY
    errors = {
        name: abs(eta - 2 * thermal * np.arcsinh(i / (2 * i0))) for name, i0 in by_hand.items()
    }
    assert errors.pop(law) < 5e-6
    assert min(errors.values()) > 1e-4


def test_regime_numbers_are_those_of_the_table(tmp_path):
    own = settings("table", tmp_path)
    (tmp_path / "i0.csv").write_text("stoichiometry,exchange_current_A_m2\n0.2,0.5\n0.99,0.5\n")
    numbers = {r.symbol: r for r in regime_numbers(parameters(own))}
    assert "i0 = 0.5 A/m^2" in numbers["I*"].formula


def test_salt_dependence_is_kept(tmp_path):
    more = ("electrolyte.initial_concentration=2000 mol/m^3",)
    for law in BY_HAND:
        own = settings(law, tmp_path)
        ratio = exchange_current(parameters((*own, *more)), 0.5) / exchange_current(
            parameters(own), 0.5
        )
        assert ratio == pytest.approx(2**0.5, rel=1e-12)


# -- temperature --------------------------------------------------------------------------------


def test_arrhenius_by_hand():
    expected = np.exp(-30e3 / GAS_CONSTANT * (1 / 308.15 - 1 / 298.15))
    assert arrhenius(30e3, 308.15) == pytest.approx(expected, rel=1e-14)
    assert expected == pytest.approx(1.481, rel=1e-3)
    assert arrhenius(30e3, 298.15) == 1.0
    assert arrhenius(0.0, 310.0) == 1.0


@pytest.mark.parametrize("law", BY_HAND)
def test_exchange_current_follows_the_temperature(law, tmp_path):
    own = (*settings(law, tmp_path), "active_material.rate_constant_activation_energy=35 kJ/mol")
    warm = exchange_current(parameters((*own, "temperature=313.15 K")), 0.5)
    cold = exchange_current(parameters(own), 0.5)
    assert warm / cold == pytest.approx(arrhenius(35e3, 313.15), rel=1e-12)
    still = exchange_current(parameters((*settings(law, tmp_path), "temperature=313.15 K")), 0.5)
    assert still == cold


def diffusion_number(*overrides: str) -> float:
    numbers = regime_numbers(parameters(overrides))
    return {r.symbol: r.value for r in numbers}["R^2/(D t)"]


def test_diffusivity_follows_the_temperature():
    energy, warm = "active_material.diffusivity_activation_energy=25 kJ/mol", "temperature=313.15 K"
    ratio = diffusion_number() / diffusion_number(energy, warm)
    assert ratio == pytest.approx(arrhenius(25e3, 313.15), rel=1e-12)
    assert diffusion_number(warm) == diffusion_number()


def test_solver_takes_the_diffusivity_of_the_temperature():
    """The same cell from a warm number and from a cold one with its activation energy."""
    common = ("temperature=313.15 K", 'protocol.steps=["charge at C/2 for 10 min"]')
    factor = arrhenius(25e3, 313.15)
    energy = "active_material.diffusivity_activation_energy=25 kJ/mol"
    cases = {
        "direct": (f"active_material.diffusivity={factor * 3e-15!r} m^2/s",),
        "by energy": ("active_material.diffusivity=3e-15 m^2/s", energy),
        "without": ("active_material.diffusivity=3e-15 m^2/s",),
    }
    surface = {
        name: run(shipped_cell("single_disc_2d", (*common, *own)))[0][-1].surface_lithium_fraction[
            0
        ]
        for name, own in cases.items()
    }
    assert surface["by energy"] == pytest.approx(surface["direct"], abs=1e-9)
    assert abs(surface["without"] - surface["direct"]) > 1e-4


def diffusivity_table(folder: Path, factor: float = 1.0) -> str:
    """Setting of a diffusivity that falls from 6e-15 to 1e-15 m^2/s, times a factor."""
    path = folder / f"D_{factor:.6f}.csv"
    rows = [(0.2, 6e-15), (0.7, 3e-15), (0.99, 1e-15)]
    lines = [f"{x!r},{factor * D!r}" for x, D in rows]
    path.write_text("\n".join(["stoichiometry,diffusivity_m2_s", *lines, ""]))
    return f"active_material.diffusivity_table={path}"


def last_surface(*overrides: str) -> float:
    """Surface lithium fraction of one disc after ten minutes at C/2."""
    steps = 'protocol.steps=["charge at C/2 for 10 min"]'
    samples, _ = run(shipped_cell("single_disc_2d", (steps, *overrides)))
    return float(samples[-1].surface_lithium_fraction[0])


def test_solver_takes_the_diffusivity_of_a_table(tmp_path):
    flat = tmp_path / "flat.csv"
    flat.write_text("diffusivity_m2_s,stoichiometry\n3e-15,1\n3e-15,0\n")
    number = last_surface("active_material.diffusivity=3e-15 m^2/s")
    table = last_surface(f"active_material.diffusivity_table={flat}")
    assert table == pytest.approx(number, abs=1e-8)
    # At the lithium fractions of a first charge the falling table has a third of it.
    assert number - last_surface(diffusivity_table(tmp_path)) > 5e-3


def test_a_table_of_the_diffusivity_follows_the_temperature(tmp_path):
    warm, energy = "temperature=313.15 K", "active_material.diffusivity_activation_energy=25 kJ/mol"
    cold = diffusivity_table(tmp_path)
    direct = last_surface(warm, diffusivity_table(tmp_path, arrhenius(25e3, 313.15)))
    assert last_surface(warm, cold, energy) == pytest.approx(direct, abs=1e-9)
    assert abs(last_surface(warm, cold) - direct) > 1e-4
    assert diffusion_number(cold) == pytest.approx(diffusion_number(), rel=1e-9)
    ratio = diffusion_number(cold) / diffusion_number(cold, warm, energy)
    assert ratio == pytest.approx(arrhenius(25e3, 313.15), rel=1e-12)


def test_lithium_metal_follows_the_temperature():
    def scale(*overrides: str) -> float:
        model = shipped_cell("single_disc_2d", ("temperature=313.15 K", *overrides))
        return float(model.system.surfaces["lithium"].law.exchange_scale)

    energy = "lithium_metal.rate_constant_activation_energy=40 kJ/mol"
    assert scale(energy) / scale() == pytest.approx(arrhenius(40e3, 313.15), rel=1e-12)
