"""The numbers that decide whether a result is right: analytic limits and balances.

Each check stands beside a negative control, in which one thing is wrong and the check must fail.
"""

from __future__ import annotations

import numpy as np
import pytest

from helpers.balances import balances, hundredth_more_salt, thousandth_less_lithium
from helpers.cells import cell, run
from helpers.exact_limits import asinh_pair, disc


class TestDiffusionInADisc:
    """One disc, no transport loss: the whole cell's current is a constant flux at its surface."""

    def deviation(self, diffusivity):
        """Largest error of the surface fraction against the series, over its total change."""
        return disc(diffusivity).deviation

    def test_follows_the_series(self):
        assert self.deviation(3e-15) < 2e-3

    def test_notices_another_diffusivity(self):
        assert self.deviation(4e-15) > 2e-2


class TestAsinhLimit:
    """Fast diffusion, no transport loss: V - U = (2RT/F) asinh(i / (2 pen i0))."""

    @pytest.mark.parametrize("penalty", [1.0, 0.5, 0.05])
    def test_holds(self, penalty):
        measured, expected = asinh_pair(penalty)
        assert expected > 5e-3
        assert measured == pytest.approx(expected, abs=2e-6)

    def test_notices_another_exponent(self):
        measured, expected = asinh_pair(0.5, order=0.4)
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
        return balances(self.PROTOCOL, *overrides, spoil=spoil)[0]

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
        found = self.balances(*overrides)
        assert max(found.values()) < 1e-9, found

    def test_hold_with_the_krylov_solver(self):
        found = self.balances('solver.linear_solver="fieldsplit"')
        assert max(found.values()) < 1e-6, found

    def test_notice_a_wrong_salt_flux(self):
        found = self.balances(spoil=hundredth_more_salt)
        assert found["salt"] > 1e-6
        assert found["charge"] < 1e-9

    def test_notice_a_lithium_leak(self):
        assert self.balances(spoil=thousandth_less_lithium)["lithium"] > 1e-4
