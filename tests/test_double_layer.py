"""The interface's double layer: relaxation, balances, Jacobian; each with a control that fails."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pytest

from helpers.cells import NO_TRANSPORT_LOSS, cell, parameters, run
from helpers.linearisation import FlippedDerivative, mismatches
from helpers.manufactured import TWO_BLOCKS, bend, replace_factor, replace_law
from helpers.manufactured import cell as manufactured_cell
from helpers.mapped_grid import mapped_grid
from heterode.base.constants import FARADAY, GAS_CONSTANT
from heterode.base.errors import SolveError
from heterode.forecast.regimes import exchange_current
from heterode.solver.equations.system import CellSystem
from heterode.solver.model import CHARGE_TOLERANCE, CellModel
from heterode.solver.time.newton import Newton

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


def charging_curve(
    *overrides: str, base: Sequence[str] = FAST_TRANSPORT
) -> tuple[np.ndarray, np.ndarray]:
    """(t, V - U(x)) of one disc under a current that makes 1 mV over its R_ct."""
    probe = cell("single_disc_2d", FAST_TRANSPORT)
    current = 1e-3 / resistance() * probe.averages.surfaces[0] / probe.mesh.collector_area
    steps = f'protocol.steps=["charge at {current} A/m^2 for 80 s"]'
    model = cell("single_disc_2d", (*base, *overrides, steps))
    samples, _ = run(model)
    t = np.array([sample.time_s for sample in samples])
    V = np.array([sample.voltage_V for sample in samples])
    x = np.array([sample.lithium_fraction_mean for sample in samples])
    return t, V - model.curve.potential(x)


def expected_curve(t: np.ndarray, capacitance: float = CAPACITANCE) -> np.ndarray:
    """The linearised cell: C d(eta + U)/dt + eta / R_ct = i, dx/dt = -k eta / R_ct.

    With b = C |U'| k, here 1e-3, eta = (i R_ct / (1 + b)) (1 - exp(-t (1 + b) / (R_ct C))).
    """
    model = cell("single_disc_2d", FAST_TRANSPORT)
    c_max = model.parameters.active_material.maximum_concentration
    k = model.averages.surfaces[0] / model.averages.volumes[0] / (FARADAY * c_max)
    b = capacitance * abs(float(model.curve.slope(START))) * k
    rate = (1 + b) / (resistance() * capacitance)
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


# -- time steps ---------------------------------------------------------------------------------

SMALL = 0.2
"""F m^-2: charged in 0.14 s, where the first time step would be 1 s."""


def unresolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time error is told of lithium, salt and the cell voltage alone."""
    monkeypatch.setattr(CellModel, "charging_norm", None)


def error_of_charging(tolerance: float) -> tuple[float, int]:
    """Largest deviation from the linearised cell, V, at a voltage tolerance, V; and time steps."""
    settings = (layer(SMALL), f"solver.voltage_tolerance={tolerance} V")
    # The first step is left to the program.
    own = [text for text in FAST_TRANSPORT if "initial_step" not in text]
    t, eta = charging_curve(*settings, base=own)
    return float(np.max(np.abs(eta - expected_curve(t, SMALL)))), t.size


@pytest.mark.usefixtures("tiny_currents")
@pytest.mark.parametrize("tolerance", [2e-5, 2e-6])
def test_charging_is_resolved_to_the_voltage_tolerance(tolerance):
    error, steps = error_of_charging(tolerance)
    # The tolerance is that of a step; errors of a few steps add up before they fade.
    assert error < 4 * tolerance
    assert steps < 100


@pytest.mark.usefixtures("tiny_currents")
def test_without_its_term_in_the_time_error_the_charging_is_missed(monkeypatch):
    unresolved(monkeypatch)
    assert error_of_charging(2e-6)[0] > 20 * 2e-6


JUMPS = (
    'protocol.steps=["charge at C/2 for 3 s", "discharge at C/2 for 3 s"]',
    "active_material.rate_constant=2e-11 m/s",
    layer(SMALL),
)


def voltages(tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """(t, V) of five particles with different time constants, at a voltage tolerance, V."""
    settings = (*JUMPS, f"solver.voltage_tolerance={tolerance} V")
    samples, _ = run(cell("five_discs_2d", settings, (0.1, 0.9, 0.3, 0.6, 0.02)))
    t, V = np.array([(sample.time_s, sample.voltage_V) for sample in samples]).T
    # The first sample precedes the jump of the current.
    return t[1:], V[1:]


def error_after_jumps(tolerance: float) -> float:
    """Largest difference from steps made for a thirtieth of the tolerance, V."""
    t, V = voltages(tolerance)
    return float(np.max(np.abs(V - np.interp(t, *fine_voltages()))))


@lru_cache(maxsize=1)
def fine_voltages() -> tuple[np.ndarray, np.ndarray]:
    return voltages(1e-4 / 30)


def test_charging_after_jumps_of_the_current_is_resolved(monkeypatch):
    fine_voltages()
    # The voltage swings by 0.25 and 0.48 V, in some 30 steps whose errors add up.
    error = error_after_jumps(1e-4)
    assert error < 10 * 1e-4
    assert error_after_jumps(3e-5) < 0.6 * error
    unresolved(monkeypatch)
    assert error_after_jumps(1e-4) > 100 * 1e-4


def test_the_slowest_particle_decides():
    """The norm is taken over each particle: one of five must not be lost among the others."""
    model = cell("five_discs_2d", (layer(SMALL),))
    norm, vector = model.charging_norm, np.zeros(model.layout.owned)
    assert norm is not None
    assert norm(vector, 3e-4) == pytest.approx(3e-4, rel=1e-12)
    trace = model.system.surfaces["interface"].trace
    nodes = trace.interpolation[model.averages.particle_of_point == 2].indices
    assert 0 < np.unique(nodes).size < trace.dofs["phi_s"].size / 2
    vector[model.layout.slices["phi_s"].start + trace.dofs["phi_s"][nodes]] = 1e-4
    assert norm(vector, 0.0) == pytest.approx(1e-4, rel=1e-12)
    assert cell("five_discs_2d").charging_norm is None


# -- balances -----------------------------------------------------------------------------------

PROTOCOL = (
    'protocol.steps=["charge at C/2 for 10 min", "hold at 3.9 V for 5 min", "rest for 5 min", '
    '"discharge at C/2 for 5 min"]'
)


# The last digit of V makes a current of 2e-11 A m^-2 at steps of 1 ms and 50 F m^-2: at rest, where
# errors are relative to a thousandth of 1C, more than the bound.
LONG_STEPS = "solver.minimum_step=100 ms"


def balances(*overrides: str) -> dict[str, float]:
    settings = (PROTOCOL, LONG_STEPS, layer(50.0), *overrides)
    model = cell("five_discs_2d", settings, (0.1, 0.9, 0.3, 0.6, 0.2))
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
    assert run(model)[1].as_dict()["salt"] > 1e-7


REST = (
    'protocol.steps=["charge at C/2 for 10 s", "discharge at C/2 for 10 s", "rest 10 s"]',
    "solver.minimum_step=10 us",
    layer(0.2),
)


def test_short_steps_at_rest_are_balanced_as_far_as_rounding_lets_them(monkeypatch):
    """Behind the jump to rest, time steps are so short that stored lithium changes by rounding."""
    found = run(cell("five_discs_2d", REST, (0.1, 0.9, 0.3, 0.6, 0.2)))[1].as_dict()
    assert max(found.values()) < 1e-6
    monkeypatch.setattr(Newton, "_rounding", lambda *arguments: 0.0)
    with pytest.raises(SolveError, match="did not converge"):
        run(cell("five_discs_2d", REST, (0.1, 0.9, 0.3, 0.6, 0.2)))


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
