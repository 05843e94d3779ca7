"""The numbers that decide whether a result is right: analytic limits and balances.

Each check stands beside a negative twin, in which one thing is wrong and the check must fail.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cells import NO_TRANSPORT_LOSS, cell, run
from scipy.special import jn_zeros

from simulator.constants import FARADAY, GAS_CONSTANT

RADIUS = 2.5e-6  # of the disc in single_disc_2d.msh, m


def disc_surface_rise(flux, diffusivity, times):
    """Rise of the surface concentration of a disc under constant flux into it, mol m^-3.

    c(R, t) - c_0 = (J R / D) (2 tau + 1/4 - 2 sum exp(-lambda^2 tau) / lambda^2),
    tau = D t / R^2, J_1(lambda) = 0.
    Source: Carslaw and Jaeger, Conduction of Heat in Solids, 2nd ed., section 7.8.
    """
    tau = diffusivity * np.asarray(times) / RADIUS**2
    roots = jn_zeros(1, 400)
    series = np.sum(np.exp(-np.outer(tau, roots**2)) / roots**2, axis=1)
    return flux * RADIUS / diffusivity * (2 * tau + 0.25 - 2 * series)


class TestDiffusionInADisc:
    """One disc, no transport loss: the whole cell's current is a constant flux at its surface."""

    OVERRIDES = (
        *NO_TRANSPORT_LOSS,
        'active_material.rate_constant="1e-9 m/s"',
        'active_material.diffusivity="3e-15 m^2/s"',
        'protocol.steps=["charge at C/3 for 40 min"]',
        "solver.fraction_tolerance=1e-5",
        'solver.voltage_tolerance="0.01 mV"',
        "solver.maximum_step_fraction=0.005",
    )

    def deviation(self, diffusivity):
        """Largest error of the surface fraction against the series, over its total change."""
        model = cell("single_disc_2d", self.OVERRIDES)
        samples, _ = run(model)
        c_max = model.parameters.active_material.maximum_concentration
        flux = -samples[-1].particle_current_A_m2[0] / FARADAY
        times = np.array([sample.time_s for sample in samples[1:]])
        surface = np.array([sample.surface_lithium_fraction[0] for sample in samples[1:]])
        exact = 0.985 + disc_surface_rise(flux, diffusivity, times) / c_max
        return np.max(np.abs(surface - exact)[times > 60]) / abs(exact[-1] - 0.985)

    def test_follows_the_series(self):
        assert self.deviation(3e-15) < 2e-3

    def test_notices_another_diffusivity(self):
        assert self.deviation(4e-15) > 2e-2


class TestAsinhLimit:
    """Fast diffusion, no transport loss: V - U = (2RT/F) asinh(i / (2 pen i0))."""

    def overpotential(self, penalty, order=0.5):
        model = cell(
            "single_disc_2d",
            (
                *NO_TRANSPORT_LOSS,
                'active_material.rate_constant="2e-11 m/s"',
                'active_material.diffusivity="1e-9 m^2/s"',
                'protocol.steps=["charge at C/40 for 10 h"]',
            ),
            [penalty],
        )
        samples, _ = run(model)
        last, material = samples[-1], model.parameters.active_material
        x = last.lithium_fraction_mean
        c_max = material.maximum_concentration
        i0 = FARADAY * 2e-11 * c_max * (1 - x) ** order * x ** (1 - order)
        i = model.one_C / 40 / model.averages.surfaces[0]
        thermal = GAS_CONSTANT * model.parameters.temperature / FARADAY
        expected = 2 * thermal * np.arcsinh(i / (2 * penalty * i0))
        return last.voltage_V - float(model.curve.potential(np.array([x]))[0]), expected

    @pytest.mark.parametrize("penalty", [1.0, 0.5, 0.05])
    def test_holds(self, penalty):
        measured, expected = self.overpotential(penalty)
        assert expected > 5e-3
        assert measured == pytest.approx(expected, abs=2e-6)

    def test_notices_another_exponent(self):
        measured, expected = self.overpotential(0.5, order=0.4)
        assert abs(measured - expected) > 1e-4


class TestNearEquilibrium:
    """At C/40 with k = 1e-9 m/s the voltage follows U(mean lithium fraction).

    The surface of a disc leads its mean by R^2/(8 D) dx/dt, that of a sphere by R^2/(15 D) dx/dt:
    the disc is given 15/8 of the 3e-15 m^2/s for which 2.5 mV is the figure of a sphere.
    """

    def distance(self, rate_constant):
        model = cell(
            "single_disc_2d",
            (
                f'active_material.rate_constant="{rate_constant} m/s"',
                'active_material.diffusivity="5.625e-15 m^2/s"',
                'protocol.steps=["charge at C/40 until 4.5 V"]',
            ),
        )
        samples, _ = run(model)
        x = np.array([sample.lithium_fraction_mean for sample in samples])
        V = np.array([sample.voltage_V for sample in samples])
        # Above, U is so steep (5 V per unit at 0.98) that a gradient of 7e-4 alone makes 4 mV.
        return np.max(np.abs(V - model.curve.potential(x))[x < 0.96])

    def test_voltage_follows_the_open_circuit_potential(self):
        assert self.distance("1e-9") < 2.5e-3

    def test_slow_kinetics_do_not(self):
        assert self.distance("2e-11") > 1e-2


class TestSpread:
    """Spread of the particles' lithium fraction over a charge."""

    PENALTY = (0.05, 0.9, 0.3, 0.6, 0.15)

    def history(self, mesh, penalty):
        samples, _ = run(cell(mesh, ('protocol.steps=["charge at C/10 until 4.5 V"]',), penalty))
        x = np.array([sample.lithium_fraction_mean for sample in samples])
        return x, np.array([sample.lithium_fraction_sd for sample in samples])

    def test_rises_peaks_and_collapses(self):
        x, spread = self.history("five_discs_2d", self.PENALTY)
        assert 0.6 <= x[np.argmax(spread)] <= 0.8
        assert spread.max() > 0.05
        assert spread[np.argmin(np.abs(x - 0.4))] < 0.5 * spread.max()

    def test_vanishes_for_one_kind_of_particle(self):
        _, spread = self.history("single_disc_2d", (0.3,))
        assert spread.max() < 1e-12


class TestBalances:
    """Charge, lithium and salt over charge, hold and discharge."""

    PROTOCOL = (
        'protocol.steps=["charge at C/2 until 4.2 V", "hold at 4.2 V for 20 min", '
        '"rest for 20 min", "discharge at C/2 for 20 min"]'
    )

    def balances(self, *overrides, spoil=None):
        model = cell("five_discs_2d", (self.PROTOCOL, *overrides), (0.1, 0.9, 0.3, 0.6, 0.2))
        if spoil is not None:
            spoil(model.system)
        return run(model)[1].as_dict()

    @pytest.mark.parametrize(
        "overrides",
        [
            (),
            ('collector.connection="uniform_flux"',),
            ('electrolyte.model="constant"', 'electrolyte.diffusivity="2e-10 m^2/s"',
             'electrolyte.conductivity="1 S/m"', "electrolyte.transference_number=0.3",
             "electrolyte.thermodynamic_factor=2.0"),
            ('active_material.diffusivity="colclasure_nmc532"', 'lithium_metal.kinetics="ideal"'),
        ],
        ids=["default", "uniform flux", "constant electrolyte", "D(x), ideal lithium"],
    )  # fmt: skip
    def test_hold_with_the_direct_solver(self, overrides):
        balances = self.balances(*overrides)
        assert max(balances.values()) < 1e-9, balances

    def test_hold_with_the_krylov_solver(self):
        balances = self.balances('solver.linear_solver="fieldsplit"')
        assert max(balances.values()) < 1e-6, balances

    def test_notice_a_wrong_salt_flux(self):
        def spoil(system):
            term = system.surfaces["interface"]
            factors = dict(term.factors) | {"y": 1.01 * term.factors["y"]}
            system.surfaces["interface"] = replace(term, factors=factors)

        balances = self.balances(spoil=spoil)
        assert balances["salt"] > 1e-6
        assert balances["charge"] < 1e-9

    def test_notice_a_lithium_leak(self):
        def spoil(system):
            term = system.surfaces["interface"]
            factors = dict(term.factors) | {"s": 0.999}
            system.surfaces["interface"] = replace(term, factors=factors)

        assert self.balances(spoil=spoil)["lithium"] > 1e-4
