"""Currents through surfaces: derivatives of every law, and when they are computed.

Whoever registers a law in heterode.materials.exchange_currents has it checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from helpers.cells import cell, parameters, run
from helpers.differences import excess, steps
from helpers.exchange_laws import TABLE, assert_law_is_sound, law_named, settings, states
from heterode.base.constants import FARADAY, GAS_CONSTANT
from heterode.base.dual_numbers import derivatives, with_slope
from heterode.materials import open_circuit_potential
from heterode.materials.exchange_currents import EXCHANGE_CURRENTS, logistic, smooth_power
from heterode.physics import kinetics
from heterode.physics.exchange import exchange_law
from heterode.physics.kinetics import ButlerVolmer, Contact, Flux, LithiumMetal, limited_exponential
from heterode.solver.time.closure import Closure
from heterode.solver.time.newton import Newton

Floats = npt.NDArray[np.float64]


# -- exchange currents: every law that is registered ----------------------------------------------


@pytest.mark.parametrize("anodic", [0.4, 0.5])
@pytest.mark.parametrize("name", EXCHANGE_CURRENTS)
def test_every_law_is_sound(name: str, anodic: float) -> None:
    law = law_named(name, anodic=anodic)
    assert_law_is_sound(law)
    # What is compared is there.
    found = derivatives(law, {"s": np.array([0.7]), "y": np.ones(1)})
    assert max(abs(slope[0]) for slope in found.values()) > 1e-3


@with_slope
def salt_with_a_wrong_slope(y: Floats, exponent: float) -> tuple[Floats, Floats]:
    """smooth_power, the slope a hundred thousandth too steep."""
    root = np.sqrt(y * y + 1e-18)
    power = ((y + root) / 2) ** exponent
    return power, (1 + 1e-5) * exponent * power / root


@with_slope
def table_without_slope(s: Floats) -> tuple[Floats, Floats]:
    """The table, its slope forgotten."""
    return TABLE(s), np.zeros_like(s)


WRONG: dict[str, Callable[[Any, Any], Any]] = {
    "slope of the salt": lambda s, y: smooth_power(1 - s, 0.5) * salt_with_a_wrong_slope(y, 0.4),
    "no slope of the table": lambda s, y: table_without_slope(s) * smooth_power(y, 0.4),
    "not finite at the ends": lambda s, y: np.sqrt(s * (1 - s)) * smooth_power(y, 0.4),
    "negative": lambda s, y: (s - 0.5) * smooth_power(y, 0.4),
    "value without its slope": lambda s, y: getattr(s, "value", s) * smooth_power(y, 0.4),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_a_wrong_law_is_seen(name: str) -> None:
    with pytest.raises(AssertionError):
        assert_law_is_sound(WRONG[name])


# -- the currents of all surfaces ---------------------------------------------------------------


def thermal(temperature: float) -> float:
    return FARADAY / (GAS_CONSTANT * temperature)


def fluxes_excess(law: Any, values: dict[str, Floats], V: float, size: Floats) -> dict[str, float]:
    """Error over tolerance of each derivative of a surface's current."""
    V_at, I_at = np.full_like(size, V), np.full_like(size, 1e-5)
    flux = law(values, V_at, I_at)
    at = {**values, "V": V_at, "I": I_at}
    return {
        name: excess(
            lambda V, I, **fields: law(fields, V, I).value,
            at,
            name,
            derivative,
            step=steps(name, at[name]) if name != "I" else 1e-4 * I_at,
            size=size,
        )
        for name, derivative in flux.derivatives.items()
    }


def overpotentials(count: int, seed: int = 3) -> Floats:
    """Within what a run meets, and beyond the exponential's continuation."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(count) < 0.9, rng.normal(0, 0.1, count), rng.uniform(-3, 3, count))


def interface(
    name: str, temperature: float, folder: Path
) -> tuple[ButlerVolmer, dict[str, Floats]]:
    """The insertion current by the parameters, at states with penalties from 1e-4 to 1."""
    energy = "active_material.rate_constant_activation_energy=35 kJ/mol"
    p = parameters((*settings(name, folder), energy, f"temperature={temperature} K"))
    exchange = exchange_law(p.active_material, salt_concentration=900.0, temperature=temperature)
    at = states(2)
    count = at["s"].size
    penalty = 10 ** np.random.default_rng(4).uniform(-4, 0, count)
    curve = open_circuit_potential("NMC532")
    law = ButlerVolmer(curve, exchange, 0.5, 0.5, temperature, penalty)
    phi_l = np.random.default_rng(5).normal(0, 0.02, count)
    at["phi_l"] = phi_l
    at["phi_s"] = overpotentials(count) - 3.9 + phi_l + curve.potential(at["s"])
    return law, at


def magnitude(law: ButlerVolmer, at: dict[str, Floats]) -> Floats:
    """i0 pen (forward + backward): what the current is the difference of."""
    eta = law.overpotential(at["s"], at["phi_l"], at["phi_s"], 3.9)
    f = thermal(law.temperature)
    exponentials = limited_exponential(law.anodic * f * eta) + limited_exponential(
        -law.cathodic * f * eta
    )
    return np.asarray(law.exchange(at["s"], at["y"]) * law.penalty * np.abs(exponentials))


@pytest.mark.parametrize("temperature", [273.15, 298.15, 318.15])
@pytest.mark.parametrize("name", EXCHANGE_CURRENTS)
def test_insertion_current_by_every_law(name: str, temperature: float, tmp_path: Path) -> None:
    law, at = interface(name, temperature, tmp_path)
    found = fluxes_excess(law, at, 3.9, magnitude(law, at))
    assert found.keys() == {"s", "y", "phi_l", "phi_s", "V"}
    assert max(found.values()) < 1.0, found


def test_a_wrong_slope_of_the_exponential_is_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @with_slope
    def wrong(z: Floats) -> tuple[Floats, Floats]:
        inside = np.minimum(z, 30.0)
        return np.exp(inside) * (1 + (z - inside)), (1 + 1e-5) * np.exp(inside)

    law, at = interface("power_law", 298.15, tmp_path)
    size = magnitude(law, at)
    monkeypatch.setattr(kinetics, "limited_exponential", wrong)
    found = fluxes_excess(law, at, 3.9, size)
    assert {name for name, error in found.items() if error > 1.0} == {"s", "phi_l", "phi_s", "V"}


@pytest.mark.parametrize("temperature", [273.15, 318.15])
def test_lithium_metal(temperature: float, monkeypatch: pytest.MonkeyPatch) -> None:
    law = LithiumMetal(70.0, 0.3, 0.4, temperature)
    y = states(6)["y"]
    at = {"y": y, "phi_l": overpotentials(y.size)}
    z = thermal(temperature) * at["phi_l"]
    size = 70.0 * smooth_power(y, 0.3) * np.abs(limited_exponential(np.abs(z)))
    found = fluxes_excess(law, at, 0.0, size)
    assert found.keys() == {"y", "phi_l"}
    assert max(found.values()) < 1.0, found
    monkeypatch.setattr(kinetics, "smooth_power", salt_with_a_wrong_slope)
    assert fluxes_excess(law, at, 0.0, size)["y"] > 1.0


def test_currents_that_are_linear() -> None:
    """Derivatives by hand, those of one number spread over the points, and of no field at all."""
    values = {"phi_l": np.array([0.1, 0.2]), "phi_s": np.array([0.3, 0.5])}
    layer = kinetics.DoubleLayer(0.2)(values, 0.7, 0.0)
    np.testing.assert_allclose(layer.value, [0.2 * 0.9, 0.2 * 1.0])
    assert {n: d.tolist() for n, d in layer.derivatives.items()} == {
        "phi_l": [-0.2, -0.2],
        "phi_s": [0.2, 0.2],
        "V": [0.2, 0.2],
    }
    contact = Contact("phi_s", 4.0)(values, 0.0, 0.0)
    assert {n: d.tolist() for n, d in contact.derivatives.items()} == {"phi_s": [0.25, 0.25]}
    uniform = kinetics.UniformCollector(2.0)(values, 0.0, 3.0)
    assert uniform.value.tolist() == [-1.5, -1.5]
    assert {n: d.tolist() for n, d in uniform.derivatives.items()} == {
        "phi_s": [0.0, 0.0],
        "I": [-0.5, -0.5],
    }


def test_a_rank_without_points_has_the_same_derivatives() -> None:
    law = ButlerVolmer(open_circuit_potential("NMC532"), law_named("table"), 0.5, 0.5, 298.15)
    none = {name: np.empty(0) for name in law.fields}
    flux = law(none, 3.9, 0.0)
    assert flux.derivatives.keys() == {"s", "y", "phi_l", "phi_s", "V"}
    assert {d.shape for d in flux.derivatives.values()} == {(0,)}
    assert flux.largest_exponent == 0.0


def test_largest_exponent() -> None:
    law = ButlerVolmer(open_circuit_potential("NMC532"), law_named("table"), 0.3, 0.7, 298.15)
    s, one = np.array([0.5, 0.6]), np.ones(2)
    eta = np.array([0.1, -0.2])
    at = {"s": s, "y": one, "phi_l": 0 * s, "phi_s": eta - 3.9 + law.curve.potential(s)}
    assert law(at, 3.9, 0.0).largest_exponent == pytest.approx(0.7 * 0.2 * thermal(298.15))


@pytest.mark.parametrize("function", [logistic, limited_exponential])
def test_functions_that_bring_their_slope(function: Any) -> None:
    z = np.linspace(-60, 60, 2001)

    def formula(z: Any) -> Any:
        return function(z)

    found = derivatives(formula, {"z": z})["z"]
    assert np.all(np.isfinite(found))
    step, size = np.full_like(z, 1e-4), np.abs(function(z))
    assert excess(formula, {"z": z}, "z", found, step=step, size=size) < 1.0
    off = (1 + 1e-6) * found
    assert excess(formula, {"z": z}, "z", off, step=step, size=size) > 1.0


# -- when derivatives are computed ----------------------------------------------------------------


@dataclass(frozen=True)
class Counted:
    """A law that counts how often it is evaluated and how often it is differentiated."""

    law: Any
    counts: dict[str, int] = field(default_factory=lambda: {"values": 0, "derivatives": 0})

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.law.fields)

    def __call__(self, values: Mapping[str, Floats], V: float, I: float) -> Flux:
        self.counts["values"] += 1
        flux = self.law(values, V, I)

        def differentiate() -> Mapping[str, Floats]:
            self.counts["derivatives"] += 1
            return flux.derivatives

        return Flux(flux.value, differentiate, lambda: flux.largest_exponent)


def test_derivatives_are_computed_where_newton_linearises_and_once_in_a_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each closure of the balances takes them once, and the time error of the surfaces' lithium
    takes the reaction's once in each state."""
    reached = [1]  # the start
    solve = Newton.solve

    def counting(*arguments: Any) -> Any:
        solved = solve(*arguments)
        reached.append(1)
        return solved

    closures: list[int] = []
    close = Closure.close

    def counting_too(*arguments: Any) -> Any:
        closures.append(1)
        return close(*arguments)

    monkeypatch.setattr(Newton, "solve", counting)
    monkeypatch.setattr(Closure, "close", counting_too)
    model = cell("single_disc_2d", ('protocol.steps=["charge at 1C for 5 min"]',))
    counted = {n: Counted(term.law) for n, term in model.system.surfaces.items()}
    for name, term in model.system.surfaces.items():
        model.system.surfaces[name] = replace(term, law=counted[name])
    run(model)
    assert closures
    linearisations = model.bordered.linearisations + len(closures)
    reaction = model.system.reaction.surface.name
    for name, law in counted.items():
        more = len(reached) if name == reaction else 0
        assert law.counts["derivatives"] == linearisations + more
        assert law.counts["values"] > 2 * linearisations
