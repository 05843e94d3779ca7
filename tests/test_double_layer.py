"""The interface's double layer: relaxation, balances, Jacobian; each beside a twin that fails."""

from __future__ import annotations

import numpy as np
import pytest
from cells import NO_TRANSPORT_LOSS, cell, parameters, run
from linearisation import FlippedDerivative, mismatches
from manufactured import TWO_BLOCKS, bend, replace_factor, replace_law
from manufactured import cell as manufactured_cell
from mapped_grid import mapped_grid

from simulator.constants import FARADAY, GAS_CONSTANT
from simulator.regimes import exchange_current
from simulator.solver.model import CHARGE_TOLERANCE
from simulator.solver.system import CellSystem

CAPACITANCE = 20.0


def layer(capacitance: float) -> str:
    return f"active_material.double_layer_capacitance={capacitance} F/m^2"


# -- relaxation ---------------------------------------------------------------------------------


@pytest.fixture
def tiny_currents(monkeypatch: pytest.MonkeyPatch) -> None:
    """At C/800 and steps of 0.1 s rounding of the lithium stored is 1e-6 of the current."""
    monkeypatch.setitem(CHARGE_TOLERANCE, "direct", 1e-5)


START = 0.8
FAST_TRANSPORT = (
    *NO_TRANSPORT_LOSS,
    f"active_material.initial_lithium_fraction={START}",
    "active_material.rate_constant=2e-11 m/s",
    "active_material.diffusivity=1e-9 m^2/s",
    "solver.initial_step=200 ms",
    "solver.voltage_tolerance=1e-4 mV",
    "solver.newton_tolerance=1e-4",
)


def resistance() -> float:
    """R_ct = RT / (F i0), ohm m^2."""
    i0 = exchange_current(parameters(FAST_TRANSPORT), START)
    return float(GAS_CONSTANT * 298.15 / FARADAY / i0)


def charging_curve(*overrides: str) -> tuple[np.ndarray, np.ndarray]:
    """(t, V - U(x)) of one disc under a current that makes 1 mV over its R_ct."""
    probe = cell("single_disc_2d", FAST_TRANSPORT)
    current = 1e-3 / resistance() * probe.averages.surfaces[0] / probe.mesh.collector_area
    steps = f'protocol.steps=["charge at {current} A/m^2 for 80 s"]'
    model = cell("single_disc_2d", (*FAST_TRANSPORT, *overrides, steps))
    samples, _ = run(model)
    t = np.array([sample.time_s for sample in samples])
    V = np.array([sample.voltage_V for sample in samples])
    x = np.array([sample.lithium_fraction_mean for sample in samples])
    return t, V - model.curve.potential(x)


def expected_curve(t: np.ndarray) -> np.ndarray:
    """The linearised cell: C d(eta + U)/dt + eta / R_ct = i, dx/dt = -k eta / R_ct.

    With b = C |U'| k, here 1e-3, eta = (i R_ct / (1 + b)) (1 - exp(-t (1 + b) / (R_ct C))).
    """
    model = cell("single_disc_2d", FAST_TRANSPORT)
    c_max = model.parameters.active_material.maximum_concentration
    k = model.averages.surfaces[0] / model.averages.volumes[0] / (FARADAY * c_max)
    b = CAPACITANCE * abs(float(model.curve.slope(START))) * k
    rate = (1 + b) / (resistance() * CAPACITANCE)
    return 1e-3 / (1 + b) * (1 - np.exp(-rate * t))


def deviation_from_rc(capacitance: float) -> float:
    """Largest deviation from the linearised cell's overpotential, V."""
    t, eta = charging_curve(layer(capacitance))
    return float(np.max(np.abs(eta - expected_curve(t))))


@pytest.mark.usefixtures("tiny_currents")
def test_voltage_relaxes_with_the_time_constant_of_resistance_and_capacitance():
    assert resistance() * CAPACITANCE == pytest.approx(13.5, abs=0.1)
    assert deviation_from_rc(CAPACITANCE) < 1e-6


@pytest.mark.usefixtures("tiny_currents")
def test_another_capacitance_is_seen():
    assert deviation_from_rc(1.05 * CAPACITANCE) > 1e-5


@pytest.mark.usefixtures("tiny_currents")
def test_without_a_double_layer_the_voltage_jumps():
    t, eta = charging_curve()
    assert t[1] <= 0.2
    assert eta[1] == pytest.approx(1e-3, abs=2e-6)


# -- balances -----------------------------------------------------------------------------------

PROTOCOL = (
    'protocol.steps=["charge at C/2 for 10 min", "hold at 3.9 V for 5 min", "rest for 5 min", '
    '"discharge at C/2 for 5 min"]'
)


def balances(*overrides: str) -> dict[str, float]:
    model = cell("five_discs_2d", (PROTOCOL, layer(50.0), *overrides), (0.1, 0.9, 0.3, 0.6, 0.2))
    return run(model)[1].as_dict()


@pytest.mark.parametrize("collector", ["equipotential", "uniform_flux"])
def test_balances_hold_with_a_double_layer(collector):
    found = balances(f"collector.connection={collector}")
    assert max(found.values()) < 1e-9, found


def test_lithium_balance_notices_the_charge_of_the_double_layer(monkeypatch):
    monkeypatch.setattr(CellSystem, "double_layer_charge", lambda *arguments: 0.0)
    found = balances()
    assert found["lithium"] > 1e-5
    assert found["charge"] < 1e-9


def test_salt_balance_notices_a_current_that_is_not_of_lithium_ions():
    """Charged by the other ion, the double layer takes no Li+: salt would not be conserved."""
    model = cell("five_discs_2d", (PROTOCOL, layer(50.0)), (0.1, 0.9, 0.3, 0.6, 0.2))
    replace_factor(model, "double_layer", "y", model.reference_transference)
    assert run(model)[1].salt > 1e-7


# -- Jacobian -----------------------------------------------------------------------------------


@pytest.mark.parametrize("collector", ["equipotential", "uniform_flux"])
def test_jacobian(collector):
    grid = mapped_grid(TWO_BLOCKS, per_um=1, order=2, bend=bend)
    # Large, so that its terms weigh as much as the reaction's.
    model = manufactured_cell(grid, layer(1000.0), f"collector.connection={collector}")
    found = mismatches(model, np.random.default_rng(1))
    assert max(found.values()) < 1e-7, found

    law = model.system.surfaces["double_layer"].law
    for column in ("phi_l", "phi_s", "V"):
        replace_law(model, "double_layer", FlippedDerivative(law, column))
        found = mismatches(model, np.random.default_rng(1))
        wrong = {row for (row, of), error in found.items() if of == column and error > 1e-6}
        assert wrong >= {"y", "phi_l", "phi_s"}, found
        assert all(error < 1e-7 for (_, of), error in found.items() if of != column)


def test_off_by_default():
    assert "double_layer" not in cell("single_disc_2d").system.surfaces
