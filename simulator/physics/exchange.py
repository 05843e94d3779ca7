r"""Exchange current of the insertion reaction as a law of its own, exchangeable for another.

    power_law      i0 = F k_c^aa k_a^ac c_max (1 - s)^aa s^ac (c_l / c_l,ref)^aa     equation (13)
    table          i0 = f(s) (c_l / c_l,ref)^aa             f through the points of a table
    autocatalytic  i0 = i_a (c_l / c_l,ref)^aa / (1 + exp(25 (s - 0.6)))

s is the lithium fraction at the surface. All of them are multiplied by Arrhenius' factor of the
rate constant's activation energy. The autocatalytic form is that of MPET's BV_NMC_Park2021
(github.com/TRI-AMDD/mpet); its prefactor i_a is the exchange current of an empty particle.

The unknowns of the cell are s and y = c_l / c_0; every law gives its derivatives with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from heterode.base.constants import FARADAY
from heterode.materials import arrhenius
from heterode.parameters.materials import ActiveMaterial

Floats = npt.NDArray[np.float64]
Derivatives = tuple[Floats, Floats, Floats]
"""i0, A m^-2, d i0 / ds and d i0 / dy, each (N,)."""

ROUNDING = 1e-9
"""Width over which factors are smoothed at zero: an occupancy of 1e-9."""

STEEPNESS, MIDPOINT = 25.0, 0.6
"""Steepness and midpoint of the autocatalytic form."""


class ExchangeCurrent(Protocol):
    """A law for the exchange current."""

    def __call__(self, s: Floats, y: Floats) -> Derivatives:
        """i0 and its derivatives at N points."""


class PositiveFunction(Protocol):
    """A function of the lithium fraction and its slope."""

    def value_and_slope(self, x: Floats) -> tuple[Floats, Floats]:
        """f(x) and df/dx."""


def smooth_power(z: Floats, exponent: float) -> tuple[Floats, Floats]:
    """z^exponent and its derivative, z smoothly kept positive."""
    root = np.sqrt(z * z + ROUNDING**2)
    positive = (z + root) / 2
    power = positive**exponent
    return power, exponent * power / root  # d positive / dz = positive / root


def _with_salt(f: Floats, df: Floats, scale: float, y: Floats, order: float) -> Derivatives:
    """scale f(s) y^order."""
    salt, d_salt = smooth_power(y, order)
    return scale * f * salt, scale * salt * df, scale * f * d_salt


@dataclass(frozen=True)
class PowerLaw:
    """Equation (13).

    Attributes:
        scale: F k_c^aa k_a^ac c_max (c_0 / c_l,ref)^aa, A m^-2.
        anodic, cathodic: aa and ac.
    """

    scale: float
    anodic: float
    cathodic: float

    def __call__(self, s: Floats, y: Floats) -> Derivatives:
        vacant, d_vacant = smooth_power(1 - s, self.anodic)
        filled, d_filled = smooth_power(s, self.cathodic)
        salt, d_salt = smooth_power(y, self.anodic)
        scale = self.scale
        return (
            scale * vacant * filled * salt,
            scale * salt * (vacant * d_filled - d_vacant * filled),
            scale * vacant * filled * d_salt,
        )


@dataclass(frozen=True)
class Tabulated:
    """A given function of the lithium fraction.

    Attributes:
        function: f, A m^-2 at c_l,ref.
        scale: (c_0 / c_l,ref)^aa.
        anodic: aa.
    """

    function: PositiveFunction
    scale: float
    anodic: float

    def __call__(self, s: Floats, y: Floats) -> Derivatives:
        return _with_salt(*self.function.value_and_slope(s), self.scale, y, self.anodic)


@dataclass(frozen=True)
class Autocatalytic:
    """An exchange current that rises as lithium leaves.

    Attributes:
        scale: i_a (c_0 / c_l,ref)^aa, A m^-2.
        anodic: aa.
    """

    scale: float
    anodic: float

    def __call__(self, s: Floats, y: Floats) -> Derivatives:
        z = STEEPNESS * (s - MIDPOINT)
        share, rest = expit(-z), expit(z)
        return _with_salt(share, -STEEPNESS * share * rest, self.scale, y, self.anodic)


def exchange_law(
    material: ActiveMaterial, *, salt_concentration: float, temperature: float
) -> ExchangeCurrent:
    """The law that the parameters ask for.

    Args:
        material: [active_material].
        salt_concentration: c_0, at which y = 1, mol m^-3.
        temperature: K.
    """
    aa, ac = material.anodic_transfer, material.cathodic_transfer
    scale = float((salt_concentration / material.reference_concentration) ** aa)
    scale *= arrhenius(material.rate_constant_activation_energy, temperature)
    if material.exchange_current == "table":
        assert material.exchange_current_table is not None
        return Tabulated(material.exchange_current_table.function, scale, aa)
    if material.exchange_current == "autocatalytic":
        assert material.exchange_current_prefactor is not None
        return Autocatalytic(material.exchange_current_prefactor * scale, aa)
    k_c, k_a = material.rate_constant_cathodic, material.rate_constant_anodic
    assert k_c is not None
    assert k_a is not None
    return PowerLaw(
        float(FARADAY * k_c**aa * k_a**ac * material.maximum_concentration * scale), aa, ac
    )
