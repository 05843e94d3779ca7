r"""Exchange currents of the insertion reaction: a formula for each law, and the list of all laws.

    power_law      i0 = F k_c^aa k_a^ac c_max (1 - s)^aa s^ac (c_l / c_l,ref)^aa     equation (13)
    table          i0 = f(s) (c_l / c_l,ref)^aa             with f through the points of a table
    (a formula)    i0 = f(s, c_l), or f(s) (c_l / c_l,ref)^aa                  of the input file
    autocatalytic  i0 = i_a (c_l / c_l,ref)^aa / (1 + exp(25 (s - 0.6)))

Exponents other than aa, ac, aa may be given. s is the lithium fraction at the surface and
y = c_l / c_0, with the initial concentration c_0 of the salt; the constant factors, including
(c_0 / c_l,ref)^aa and the Arrhenius factor, are in `scale`. The autocatalytic form is that of
MPET's BV_NMC_Park2021 (github.com/TRI-AMDD/mpet); its prefactor i_a is the exchange current of an
empty particle.

Formulas work with arrays and with dual numbers, which give Newton's method their derivatives
(heterode.base.dual_numbers). docs/developing/adding-a-law.md shows how to add a law.
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
"""Function of s, y and the numbers of the reaction that returns i0, A m^-2."""
Key = Literal["rate_constant", "exchange_current_table", "exchange_current_prefactor"]

ROUNDING = 1e-9
"""Width over which factors are smoothed at zero, as an occupancy."""

STEEPNESS, MIDPOINT = 25.0, 0.6
"""Steepness and midpoint of the autocatalytic form."""


@dataclass(frozen=True)
class ExchangeCurrent:
    """A formula with its numbers: i0 as a function of s and y.

    Attributes:
        formula: one of the laws.
        scale: size of i0, A m^-2, see `exchange_law`; for a table the factor on its values.
        anodic, cathodic: exponents of 1 - s and s; the transfer coefficients aa and ac unless the
            file gives others.
        table: for a law with a table, returns f(s) and df/ds, A m^-2 at c_l,ref.
        salt: exponent of y; None for that of 1 - s.
        function: for a function of the file, i0 / scale of s and, by name, c in mol m^-3.
        concentration: concentration c_0, mol m^-3, at which y = 1.
    """

    formula: Formula
    scale: float
    anodic: float
    cathodic: float
    table: Callable[[Any], tuple[Any, Any]] | None = None
    salt: float | None = None
    function: Callable[..., Any] | None = None
    concentration: float = 1000.0

    @property
    def order(self) -> float:
        """Exponent of y."""
        return self.anodic if self.salt is None else self.salt

    def __call__(self, s: Any, y: Any) -> Any:
        """Return i0, A m^-2, for arrays (N,) or dual numbers."""
        return self.formula(s, y, self)


@dataclass(frozen=True)
class ExchangeLaw:
    """A law that the parameter file can name: a formula, and the key that gives its size.

    Attributes:
        formula: i0 = formula(s, y, numbers).
        needs: the key of [active_material] that sets `scale`; None if the formula has its own
            size, A m^-2 at c_l,ref and 298.15 K.
        measured: range in which it was measured; a run that leaves it gives a warning.
    """

    formula: Formula
    needs: Key | None
    measured: MeasuredRange | None = None


# -- functions with their slopes ------------------------------------------------------------------


@with_slope
def smooth_power(z: Floats, exponent: float) -> tuple[Floats, Floats]:
    """Return z^exponent with z smoothly kept positive, and its slope; both are finite for any z."""
    root = np.sqrt(z * z + ROUNDING**2)
    positive = (z + root) / 2
    power = positive**exponent
    return power, exponent * power / root  # d positive / dz = positive / root


@with_slope
def logistic(z: Floats) -> tuple[Floats, Floats]:
    """Return 1 / (1 + exp(-z)) and its slope, both finite for every z."""
    # Imported only here, since commands that compute no reaction need no SciPy.
    from scipy.special import expit

    share = expit(z)
    return share, share * expit(-z)


# -- the laws -------------------------------------------------------------------------------------


def power_law(s: Any, y: Any, numbers: ExchangeCurrent) -> Any:
    """Return i0 of equation (13), with scale = F k_c^aa k_a^ac c_max (c_0 / c_l,ref)^aa."""
    vacant, filled = smooth_power(1 - s, numbers.anodic), smooth_power(s, numbers.cathodic)
    return numbers.scale * vacant * filled * smooth_power(y, numbers.order)


def tabulated(s: Any, y: Any, numbers: ExchangeCurrent) -> Any:
    """Return i0 from a tabulated function of the lithium fraction; scale = (c_0 / c_l,ref)^aa."""
    assert numbers.table is not None
    return numbers.scale * with_slope(numbers.table)(s) * smooth_power(y, numbers.order)


def autocatalytic(s: Any, y: Any, numbers: ExchangeCurrent) -> Any:
    """Return an i0 that rises as lithium leaves, with scale = i_a (c_0 / c_l,ref)^aa."""
    return numbers.scale * logistic(-(STEEPNESS * (s - MIDPOINT))) * smooth_power(y, numbers.order)


def of_function(with_salt: bool) -> Formula:
    """Return the law of a function of the file: i0 = scale f(s) y^order, or scale f(s, c)."""

    def formula(s: Any, y: Any, numbers: ExchangeCurrent) -> Any:
        assert numbers.function is not None
        if with_salt:
            return numbers.scale * numbers.function(s, c=numbers.concentration * y)
        return numbers.scale * numbers.function(s) * smooth_power(y, numbers.order)

    return formula


EXCHANGE_CURRENTS: dict[str, ExchangeLaw] = {
    "power_law": ExchangeLaw(power_law, needs="rate_constant"),
    "table": ExchangeLaw(tabulated, needs="exchange_current_table"),
    "autocatalytic": ExchangeLaw(autocatalytic, needs="exchange_current_prefactor"),
}
"""All laws that `active_material.exchange_current` may name."""
