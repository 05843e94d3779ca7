r"""Currents through surfaces, each with its derivatives: what Newton's method needs.

Insertion, equations (12)-(14):

    eta  = phi_s - phi_l - U(x_surf)
    i0   = equation (13), or another law of heterode.physics.exchange
    i_BV = pen i0 (exp(aa F eta / RT) - exp(-ac F eta / RT))

Lithium metal, deposition positive (Xu et al., J. Electrochem. Soc. 166, A3456 (2019), as read in
PyBaMM's parameter set Xu2019):

    i_Li = i0 (exp((1 - a) F phi_l / RT) - exp(-a F phi_l / RT)),
    i0   = k F c_Li^0.7 c_l^0.3

Double layer of the interface, beside the insertion current:

    i_dl = C_dl d(phi_s - phi_l)/dt

It is charged by Li+ alone: like the insertion current it takes its whole current from the
electrolyte as Li+, so that salt is conserved; no lithium enters the particle.

Potentials are measured where they are small, so that no digits are lost: phi_s from the
collector, phi_l from the lithium metal; the cell voltage V then stands in eta.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from heterode.base.constants import FARADAY, GAS_CONSTANT
from heterode.physics.exchange import ExchangeCurrent, smooth_power

Floats = npt.NDArray[np.float64]

LARGEST_EXPONENT = 30.0
"""Where exp is continued by its tangent: eta = 1.5 V at aa = 0.5 and room temperature."""


@dataclass(frozen=True)
class Flux:
    """A current density at N points.

    Attributes:
        value: (N,) A m^-2.
        differentiate: computes `derivatives`, when they are first read: one residual in
            twenty-five is linearised.
        largest_exponent: largest argument given to exp, 0 where there is none.
    """

    value: Floats
    differentiate: Callable[[], Mapping[str, Floats]]
    largest_exponent: float = 0.0

    @cached_property
    def derivatives(self) -> Mapping[str, Floats]:
        """For each unknown that the current depends on, d value / d unknown, (N,).

        Keys are the fields "s", "y", "phi_l", "phi_s" and the scalars "V" (V) and "I" (A).
        """
        return self.differentiate()


class SurfaceCurrent(Protocol):
    """A law for the current through a surface."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields whose values it needs, in the order of its derivatives."""

    def __call__(self, values: Mapping[str, Floats], V: float, I: float) -> Flux:
        """The current at the surface's quadrature points from the fields' values there."""


class PotentialCurve(Protocol):
    """An open-circuit potential and its slope."""

    def potential_and_slope(self, x: Floats) -> tuple[Floats, Floats]:
        """U(x), V, and dU/dx, V."""


def limited_exponential(z: Floats) -> tuple[Floats, Floats]:
    """exp(z) and its derivative, continued by the tangent beyond LARGEST_EXPONENT.

    A Newton iterate far from the solution must not overflow; a converged state that lies on the
    continuation is refused by the solver.
    """
    inside = np.minimum(z, LARGEST_EXPONENT)
    exponential = np.exp(inside)
    return exponential * (1 + (z - inside)), exponential


@dataclass(frozen=True)
class ButlerVolmer:
    """Insertion current of the active material, equations (12)-(14).

    Attributes:
        curve: the open-circuit potential.
        exchange: law of the exchange current.
        anodic, cathodic: aa and ac, with aa + ac = 1.
        temperature: K.
        penalty: (N,) or scalar factor at the points.
    """

    curve: PotentialCurve
    exchange: ExchangeCurrent
    anodic: float
    cathodic: float
    temperature: float
    penalty: Floats | float = 1.0
    fields: tuple[str, ...] = ("s", "y", "phi_l", "phi_s")

    def __call__(self, values: Mapping[str, Floats], V: float, I: float) -> Flux:
        s, y = values["s"], values["y"]
        U, dU = self.curve.potential_and_slope(s)
        eta = values["phi_s"] + V - values["phi_l"] - U
        f = FARADAY / (GAS_CONSTANT * self.temperature)
        forward, d_forward = limited_exponential(self.anodic * f * eta)
        backward, d_backward = limited_exponential(-self.cathodic * f * eta)
        i0, di0_ds, di0_dy = self.exchange(s, y)
        drive = self.penalty * (forward - backward)

        def derivatives() -> dict[str, Floats]:
            d_eta = self.penalty * i0 * f * (self.anodic * d_forward + self.cathodic * d_backward)
            return {
                "s": di0_ds * drive - d_eta * dU,
                "y": di0_dy * drive,
                "phi_l": -d_eta,
                "phi_s": d_eta,
                "V": d_eta,
            }

        return Flux(
            i0 * drive,
            derivatives,
            largest_exponent=float(np.max(np.abs(eta), initial=0.0))
            * f
            * max(self.anodic, self.cathodic),
        )


@dataclass(frozen=True)
class DoubleLayer:
    """Charge of the interface's double layer, A s m^-2; of rates of change, its current.

    Attributes:
        capacitance: C_dl, F m^-2.
    """

    capacitance: float
    fields: tuple[str, ...] = ("phi_l", "phi_s")

    def __call__(self, values: Mapping[str, Floats], V: float, I: float) -> Flux:
        difference = values["phi_s"] + V - values["phi_l"]
        C = np.full_like(difference, self.capacitance)
        return Flux(C * difference, lambda: {"phi_l": -C, "phi_s": C, "V": C})


@dataclass(frozen=True)
class LithiumMetal:
    """Deposition current of the lithium metal.

    Attributes:
        exchange_scale: k F c_Li^(1-m) c_0^m, A m^-2, at y = 1.
        order: m, the exponent of the salt concentration.
        symmetry: a, charge-transfer coefficient of the dissolution.
        temperature: K.
    """

    exchange_scale: float
    order: float
    symmetry: float
    temperature: float
    fields: tuple[str, ...] = ("y", "phi_l")

    def __call__(self, values: Mapping[str, Floats], V: float, I: float) -> Flux:
        f = FARADAY / (GAS_CONSTANT * self.temperature)
        phi_l = values["phi_l"]
        salt, d_salt = smooth_power(values["y"], self.order)
        deposit, d_deposit = limited_exponential((1 - self.symmetry) * f * phi_l)
        dissolve, d_dissolve = limited_exponential(-self.symmetry * f * phi_l)
        i0, drive = self.exchange_scale * salt, deposit - dissolve

        def derivatives() -> dict[str, Floats]:
            slope = i0 * f * ((1 - self.symmetry) * d_deposit + self.symmetry * d_dissolve)
            return {"y": self.exchange_scale * d_salt * drive, "phi_l": slope}

        return Flux(
            i0 * drive,
            derivatives,
            largest_exponent=float(np.max(np.abs(phi_l), initial=0.0)) * f,
        )


@dataclass(frozen=True)
class Contact:
    """Current out of a field through a contact of given resistance, towards potential zero.

    The collector (field "phi_s", its potential is the zero of phi_s), or an ideal reference in
    place of the lithium metal (field "phi_l"), for which the resistance is vanishingly small.

    Attributes:
        field: "phi_s" or "phi_l".
        resistance: ohm m^2.
    """

    field: str
    resistance: float

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.field,)

    def __call__(self, values: Mapping[str, Floats], V: float, I: float) -> Flux:
        potential = values[self.field]
        conductance = np.full_like(potential, 1 / self.resistance)
        return Flux(potential * conductance, lambda: {self.field: conductance})


@dataclass(frozen=True)
class UniformCollector:
    """The applied current spread evenly over the collector's contact with the carbon.

    Attributes:
        area: contact area, m^2.
    """

    area: float
    fields: tuple[str, ...] = ("phi_s",)

    def __call__(self, values: Mapping[str, Floats], V: float, I: float) -> Flux:
        ones = np.ones_like(values["phi_s"])
        return Flux(
            -I / self.area * ones,
            lambda: {"phi_s": 0 * ones, "I": np.full_like(ones, -1 / self.area)},
        )
