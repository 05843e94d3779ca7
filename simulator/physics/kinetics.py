r"""Formulas of the currents through surfaces, and their derivatives for Newton's method.

The insertion current follows equations (12)-(14):

    eta  = phi_s - phi_l - U(x_surf)
    i0   = equation (13), or another law of heterode.materials.exchange_currents
    i_BV = pen i0 (exp(aa F eta / RT) - exp(-ac F eta / RT))

The current of the lithium metal is positive on deposition (Xu et al., J. Electrochem. Soc. 166,
A3456 (2019), as in PyBaMM's parameter set Xu2019):

    i_Li = i0 (exp((1 - a) F phi_l / RT) - exp(-a F phi_l / RT)),
    i0   = k F c_Li^0.7 c_l^0.3

The double layer of the interface has, in addition to the insertion current, the current

    i_dl = C_dl d(phi_s - phi_l)/dt

It is charged by Li+ alone: like the insertion current, it takes its whole current from the
electrolyte as Li+, so that salt is conserved, but no lithium enters the particle.

Potentials are measured where they are small, so that no digits are lost: phi_s from the
collector and phi_l from the lithium metal. The cell voltage V then appears in eta.

Nothing is differentiated by hand: `current` of each class is a formula in plain NumPy, which gives
values for arrays and derivatives for dual numbers (heterode.base.dual_numbers).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from heterode.base.constants import FARADAY, GAS_CONSTANT
from heterode.base.dual_numbers import derivatives, with_slope
from heterode.materials.exchange_currents import smooth_power

Floats = npt.NDArray[np.float64]

LARGEST_EXPONENT = 30.0
"""Argument beyond which exp continues as its tangent: eta = 1.5 V at aa = 0.5, room temperature."""


@dataclass(frozen=True)
class Flux:
    """A current density at N points.

    Attributes:
        value: (N,) current densities, A m^-2.
        differentiate: computes `derivatives` when they are first read, since only about one
            residual in twenty is linearised.
        exponent: computes `largest_exponent` when it is first read.
    """

    value: Floats
    differentiate: Callable[[], Mapping[str, Floats]]
    exponent: Callable[[], float] = lambda: 0.0

    @cached_property
    def derivatives(self) -> Mapping[str, Floats]:
        """Derivatives of the value with respect to each unknown on which it depends, (N,).

        Keys are the fields "s", "y", "phi_l", "phi_s" and the scalars "V" (V) and "I" (A).
        """
        return self.differentiate()

    @cached_property
    def largest_exponent(self) -> float:
        """Largest argument of exp at the points; 0 if there is none."""
        return self.exponent()


class SurfaceCurrent(Protocol):
    """A law for the current through a surface."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields whose values the law needs, in the order of its derivatives."""

    def __call__(self, values: Mapping[str, Floats], V: float, I: float) -> Flux:
        """Return the current at the surface's quadrature points from the fields' values there."""


class CurrentFormula(ABC):
    """A law given by a formula, `current`, whose arguments name fields and scalars."""

    scalars: ClassVar[tuple[str, ...]] = ()
    """The scalars, "V" or "I", that the formula takes in addition to fields."""

    @property
    @abstractmethod
    def fields(self) -> tuple[str, ...]:
        """Fields that the formula takes."""

    @abstractmethod
    def current(self, *unknowns: Any, **by_name: Any) -> Any:
        """Return the current density, A m^-2, for arrays or dual numbers."""

    def exponent(self, *unknowns: Any, **by_name: Any) -> float:
        """Return the largest argument of exp at the points."""
        return 0.0

    def __call__(self, values: Mapping[str, Floats], V: float, I: float) -> Flux:
        fields = {name: values[name] for name in self.fields}
        scalars = {name: {"V": V, "I": I}[name] for name in self.scalars}
        unknowns = fields | scalars
        shape = np.shape(fields[self.fields[0]])

        def differentiate() -> dict[str, Floats]:
            found = dict.fromkeys(fields, 0.0) | derivatives(self.current, unknowns)
            return {name: _spread(slope, shape) for name, slope in found.items()}

        return Flux(
            _spread(self.current(**unknowns), shape),
            differentiate,
            lambda: self.exponent(**unknowns),
        )


def _spread(value: Any, shape: tuple[int, ...]) -> Floats:
    """Return the value at every point, although it may be one number for all."""
    array = np.asarray(value, dtype=np.float64)
    return array if array.shape == shape else np.array(np.broadcast_to(array, shape))


class PotentialCurve(Protocol):
    """An open-circuit potential and its slope."""

    def potential_and_slope(self, x: Floats) -> tuple[Floats, Floats]:
        """Return U(x) and dU/dx, both in V."""


@with_slope
def limited_exponential(z: Floats) -> tuple[Floats, Floats]:
    """Return exp(z) and its derivative, continued by the tangent beyond LARGEST_EXPONENT.

    A Newton iterate far from the solution must not overflow; a converged state that is on the
    continuation is refused by the solver.
    """
    inside = np.minimum(z, LARGEST_EXPONENT)
    exponential = np.exp(inside)
    return exponential * (1 + (z - inside)), exponential


@dataclass(frozen=True)
class ButlerVolmer(CurrentFormula):
    """Insertion current of the active material, equations (12)-(14).

    Attributes:
        curve: the open-circuit potential.
        exchange: the exchange current, A m^-2, as a function of s and y.
        anodic, cathodic: transfer coefficients aa and ac, with aa + ac = 1.
        temperature: temperature, K.
        penalty: penalty factor at the points, (N,) or one for all.
    """

    curve: PotentialCurve
    exchange: Callable[[Any, Any], Any]
    anodic: float
    cathodic: float
    temperature: float
    penalty: Floats | float = 1.0
    fields: tuple[str, ...] = ("s", "y", "phi_l", "phi_s")
    scalars = ("V",)

    def overpotential(self, s: Any, phi_l: Any, phi_s: Any, V: Any) -> Any:
        """Return the overpotential eta, V."""
        return phi_s + V - phi_l - self._open_circuit_potential(s)

    @cached_property
    def _open_circuit_potential(self) -> Callable[[Any], Any]:
        """The curve as a function of arrays and dual numbers."""
        return with_slope(self.curve.potential_and_slope)

    def current(self, s: Any, y: Any, phi_l: Any, phi_s: Any, V: Any) -> Any:
        """Return pen i0 (exp(aa F eta / RT) - exp(-ac F eta / RT)), A m^-2."""
        f = FARADAY / (GAS_CONSTANT * self.temperature)
        eta = self.overpotential(s, phi_l, phi_s, V)
        forward = limited_exponential(self.anodic * f * eta)
        backward = limited_exponential(-self.cathodic * f * eta)
        return self.exchange(s, y) * (self.penalty * (forward - backward))

    def exponent(self, s: Floats, y: Floats, phi_l: Floats, phi_s: Floats, V: float) -> float:
        """Return max(aa, ac) F |eta| / RT at the worst point."""
        f = FARADAY / (GAS_CONSTANT * self.temperature)
        eta = self.overpotential(s, phi_l, phi_s, V)
        return float(np.max(np.abs(eta), initial=0.0)) * f * max(self.anodic, self.cathodic)


@dataclass(frozen=True)
class DoubleLayer(CurrentFormula):
    """Charge of the interface's double layer, A s m^-2; given rates of change, its current.

    Attributes:
        capacitance: capacitance C_dl, F m^-2.
    """

    capacitance: float
    fields: tuple[str, ...] = ("phi_l", "phi_s")
    scalars = ("V",)

    def current(self, phi_l: Any, phi_s: Any, V: Any) -> Any:
        """Return C_dl (phi_s + V - phi_l)."""
        return self.capacitance * (phi_s + V - phi_l)


@dataclass(frozen=True)
class LithiumMetal(CurrentFormula):
    """Deposition current of the lithium metal.

    Attributes:
        exchange_scale: exchange current k F c_Li^(1-m) c_0^m at y = 1, A m^-2.
        order: exponent m of the salt concentration.
        symmetry: charge-transfer coefficient a of the dissolution.
        temperature: temperature, K.
    """

    exchange_scale: float
    order: float
    symmetry: float
    temperature: float
    fields: tuple[str, ...] = ("y", "phi_l")

    def current(self, y: Any, phi_l: Any) -> Any:
        """Return i0 (exp((1 - a) F phi_l / RT) - exp(-a F phi_l / RT)), A m^-2."""
        f = FARADAY / (GAS_CONSTANT * self.temperature)
        i0 = self.exchange_scale * smooth_power(y, self.order)
        deposit = limited_exponential((1 - self.symmetry) * f * phi_l)
        dissolve = limited_exponential(-self.symmetry * f * phi_l)
        return i0 * (deposit - dissolve)

    def exponent(self, y: Floats, phi_l: Floats) -> float:
        """Return F |phi_l| / RT at the worst point, a bound of both arguments."""
        f = FARADAY / (GAS_CONSTANT * self.temperature)
        return float(np.max(np.abs(phi_l), initial=0.0)) * f


@dataclass(frozen=True)
class Contact(CurrentFormula):
    """Current out of a field through a contact of given resistance to potential zero.

    The contact is that of the collector (field "phi_s", whose zero is the collector's potential),
    or, with a very small resistance, an ideal reference that replaces the lithium metal (field
    "phi_l").

    Attributes:
        field: "phi_s" or "phi_l".
        resistance: contact resistance, ohm m^2.
    """

    field: str
    resistance: float

    @property
    def fields(self) -> tuple[str, ...]:
        """The field whose current leaves."""
        return (self.field,)

    def current(self, **potential: Any) -> Any:
        """Return the potential over the resistance, A m^-2."""
        return potential[self.field] * (1 / self.resistance)


@dataclass(frozen=True)
class UniformCollector(CurrentFormula):
    """The applied current, distributed evenly over the collector's contact with the carbon.

    Attributes:
        area: contact area, m^2.
    """

    area: float
    fields: tuple[str, ...] = ("phi_s",)
    scalars = ("I",)

    def current(self, phi_s: Any, I: Any) -> Any:
        """Return -I over the contact's area, A m^-2, whatever phi_s."""
        return -I / self.area
