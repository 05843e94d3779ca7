r"""Exchange currents of the insertion reaction: one formula each, and the list of them all.

    power_law      i0 = F k_c^aa k_a^ac c_max (1 - s)^aa s^ac (c_l / c_l,ref)^aa     equation (13)
    table          i0 = f(s) (c_l / c_l,ref)^aa             f through the points of a table
    autocatalytic  i0 = i_a (c_l / c_l,ref)^aa / (1 + exp(25 (s - 0.6)))

s is the lithium fraction at the surface and y = c_l / c_0, with the initial concentration c_0 of
the salt; the constant factors, (c_0 / c_l,ref)^aa and Arrhenius' among them, are in `scale`. The
autocatalytic form is that of MPET's BV_NMC_Park2021 (github.com/TRI-AMDD/mpet); its prefactor i_a
is the exchange current of an empty particle.

Formulas hold for arrays and for dual numbers, from which Newton's method has their derivatives
(heterode.base.dual_numbers). docs/developing/adding-a-law.md shows how one is added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from heterode.base.dual_numbers import with_slope
from heterode.materials.measured_range import MeasuredRange

Floats = npt.NDArray[np.float64]
Formula = Callable[[Any, Any, "ExchangeCurrent"], Any]
"""(s, y, the numbers of the reaction) -> i0, A m^-2."""
Key = Literal["rate_constant", "exchange_current_table", "exchange_current_prefactor"]

ROUNDING = 1e-9
"""Width over which factors are smoothed at zero: an occupancy of 1e-9."""

STEEPNESS, MIDPOINT = 25.0, 0.6
"""Steepness and midpoint of the autocatalytic form."""


@dataclass(frozen=True)
class ExchangeCurrent:
    """A formula with the numbers it takes: i0 as a function of s and y.

    Attributes:
        formula: one of the laws.
        scale: A m^-2, see `exchange_law`; for a table the factor of its values.
        anodic, cathodic: aa and ac, with aa + ac = 1.
        table: of the lithium fraction, where the law has one: f and df/ds, A m^-2 at c_l,ref.
    """

    formula: Formula
    scale: float
    anodic: float
    cathodic: float
    table: Callable[[Any], tuple[Any, Any]] | None = None

    def __call__(self, s: Any, y: Any) -> Any:
        """i0, A m^-2, of arrays (N,) or dual numbers."""
        return self.formula(s, y, self)


@dataclass(frozen=True)
class ExchangeLaw:
    """What the parameter file calls by a name: a formula, and the key that gives its size.

    Attributes:
        formula: i0 = formula(s, y, numbers).
        needs: the key of [active_material] that sets `scale`; None where the formula has a size
            of its own, A m^-2 at c_l,ref and 298.15 K.
        measured: lithium fractions between which it was measured; a run that leaves them warns.
    """

    formula: Formula
    needs: Key | None
    measured: MeasuredRange | None = None


# -- functions that bring their slope -------------------------------------------------------------


@with_slope
def smooth_power(z: Floats, exponent: float) -> tuple[Floats, Floats]:
    """z^exponent, z smoothly kept positive: finite, with its slope, at zero and below."""
    root = np.sqrt(z * z + ROUNDING**2)
    positive = (z + root) / 2
    power = positive**exponent
    return power, exponent * power / root  # d positive / dz = positive / root


@with_slope
def logistic(z: Floats) -> tuple[Floats, Floats]:
    """1 / (1 + exp(-z)), finite for every z."""
    # Imported where it is needed: commands that compute no reaction need no SciPy.
    from scipy.special import expit

    share = expit(z)
    return share, share * expit(-z)


# -- the laws -------------------------------------------------------------------------------------


def power_law(s: Any, y: Any, numbers: ExchangeCurrent) -> Any:
    """Equation (13); scale = F k_c^aa k_a^ac c_max (c_0 / c_l,ref)^aa."""
    vacant, filled = smooth_power(1 - s, numbers.anodic), smooth_power(s, numbers.cathodic)
    return numbers.scale * vacant * filled * smooth_power(y, numbers.anodic)


def tabulated(s: Any, y: Any, numbers: ExchangeCurrent) -> Any:
    """A given function of the lithium fraction; scale = (c_0 / c_l,ref)^aa."""
    assert numbers.table is not None
    return numbers.scale * with_slope(numbers.table)(s) * smooth_power(y, numbers.anodic)


def autocatalytic(s: Any, y: Any, numbers: ExchangeCurrent) -> Any:
    """An exchange current that rises as lithium leaves; scale = i_a (c_0 / c_l,ref)^aa."""
    return numbers.scale * logistic(-(STEEPNESS * (s - MIDPOINT))) * smooth_power(y, numbers.anodic)


EXCHANGE_CURRENTS: dict[str, ExchangeLaw] = {
    "power_law": ExchangeLaw(power_law, needs="rate_constant"),
    "table": ExchangeLaw(tabulated, needs="exchange_current_table"),
    "autocatalytic": ExchangeLaw(autocatalytic, needs="exchange_current_prefactor"),
}
"""Every law that `active_material.exchange_current` may name."""
