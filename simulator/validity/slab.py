"""Effective properties and currents of a cell, computed from its parameters for estimates.

They include the detour around the particles by Bruggeman's estimate (1 - eps_AM)^1.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from heterode.base.constants import FARADAY, GAS_CONSTANT
from heterode.forecast.regimes import REFERENCE_FRACTION, areal_capacity, effective_radius
from heterode.parameters import Parameters
from heterode.physics.effective import bruggeman, carbon_factor
from heterode.protocol.records import Step, each_step
from heterode.validity.mesh import MeshFacts

LEAST, MOST = 1e-200, 1e200
"""Bounds of quantities, so that their quotients and products stay finite."""


@dataclass(frozen=True)
class Drive:
    """A step that has a current.

    Attributes:
        text: the text as it was written.
        current: largest magnitude of its current density, A m^-2.
        duration: time for which it can flow, s.
        charging: whether it charges; None if a table decides in each row.
    """

    text: str
    current: float
    duration: float
    charging: bool | None


@dataclass(frozen=True)
class Slab:
    """Quantities computed from the parameters, in SI units; none of them is 0 or infinite.

    Attributes:
        L, L_separator: thicknesses.
        R, a: surface-equivalent radius, and ratio of particle surface to the coating's volume.
        capacity: capacity, C m^-2.
        window, fractions: the voltage window in V, and as a range of lithium fractions.
        f: F/RT, V^-1.
        D: diffusivity of lithium in the particles at the reference fraction.
        D_coating, D_separator, kappa_coating, kappa_separator, sigma_coating: effective properties.
        pores_coating, pores_separator: volume fractions of the electrolyte.
        drives: steps with a current; if there are none, holds at a hundredth of 1C.
    """

    L: float
    L_separator: float
    R: float
    a: float
    capacity: float
    window: float
    fractions: float
    f: float
    D: float
    D_coating: float
    D_separator: float
    kappa_coating: float
    kappa_separator: float
    sigma_coating: float
    pores_coating: float
    pores_separator: float
    drives: tuple[Drive, ...]


def slab_of(p: Parameters, facts: MeshFacts | None = None) -> Slab:
    """Return the quantities of a cell, which are those of its mesh if there is one."""
    summary = None if facts is None else facts.summary
    geometry, binder, separator = p.geometry, p.carbon_binder, p.separator
    active = geometry.active_fraction if summary is None else summary.active_fraction
    L = geometry.coating_thickness if summary is None else summary.coating_thickness
    L_separator = geometry.separator_thickness if summary is None else summary.separator_thickness
    R, c, T = effective_radius(p, summary), p.electrolyte.initial_concentration, p.temperature
    capacity = areal_capacity(p, summary)
    pores = bruggeman(binder.electrolyte_fraction, binder.bruggeman_exponent)
    # This is Bruggeman's estimate of the detour around the particles.
    around = (1.0 - active) ** 1.5
    carbon = carbon_factor(
        binder.electrolyte_fraction, binder.bruggeman_exponent, binder.bruggeman_carbon
    )
    through = bruggeman(separator.porosity, separator.bruggeman_exponent)
    D = float(p.electrolyte.functions.diffusivity(c, T))
    kappa = float(p.electrolyte.functions.conductivity(c, T))
    least, most = p.active_material.lithium_fraction_window
    volts = p.active_material.window_voltages
    return Slab(
        L=L,
        L_separator=L_separator,
        R=R,
        a=sized(geometry.dimension * active / R),
        capacity=sized(capacity),
        window=volts[1] - volts[0],
        fractions=most - least,
        f=FARADAY / (GAS_CONSTANT * T),
        D=sized(float(p.active_material.diffusivity_of_fraction(REFERENCE_FRACTION, T))),
        D_coating=sized(D * pores * around),
        D_separator=sized(D * through),
        kappa_coating=sized(kappa * pores * around),
        kappa_separator=sized(kappa * through),
        sigma_coating=sized(binder.conductivity * carbon * around),
        pores_coating=binder.electrolyte_fraction * (1.0 - active),
        pores_separator=separator.porosity,
        drives=tuple(_drives(p, sized(capacity))),
    )


def sized(value: float) -> float:
    """Limit a value so that its quotients and products stay finite."""
    return min(max(value, LEAST), MOST)


def _drives(p: Parameters, capacity: float) -> list[Drive]:
    steps = list(each_step(p.protocol.steps))
    named = [_drive(p, step, capacity) for step in steps]
    found = [drive for drive in named if drive is not None]
    if found:
        return found
    # A hold has no given current, but must pass some: at least a hundredth of 1C is assumed.
    small = sized(capacity / 3600.0 / 100.0)
    holds = [step for step in steps if step.kind == "hold"]
    return [Drive(s.text, small, _duration(s, small, capacity), None) for s in holds]


def _drive(p: Parameters, step: Step, capacity: float) -> Drive | None:
    current = step.current_density(capacity / 3600.0, p.active_material.mean_potential)
    if current is None:
        return None
    current = sized(current)
    charging = None if step.kind == "follow" else step.kind == "charge"
    return Drive(step.text, current, _duration(step, current, capacity), charging)


def _duration(step: Step, current: float, capacity: float) -> float:
    lasts = [capacity / current]
    if step.table is not None:
        # The duration is that of all its charge at the largest current.
        lasts.append(sum(abs(charge) for _, charge in step.table.charges()) / current)
    time = step.cutoff("time")
    if isinstance(time, float):
        lasts.append(time)
    return sized(min(lasts))
