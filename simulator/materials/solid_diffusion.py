"""Solid diffusivity D_s(x, T) of lithium in NMC, m^2/s: constants, tables and cited functions.

Each function takes NumPy arrays or UFL expressions. Outside the range of its fit the fraction is
held at the end of the range: the polynomial of Colclasure falls by four decades between x = 0.30
and 0.20, which is an artefact of the fit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from heterode.base.constants import GAS_CONSTANT
from heterode.materials._math import clamp, exp, power_of_ten
from heterode.materials.arrhenius import arrhenius
from heterode.materials.measured_range import MeasuredRange

Diffusivity = Callable[[Any, Any], Any]
"""Function of the lithium fraction and the temperature, K, that returns m^2/s."""

COLCLASURE_RANGE = (0.30, 0.98)
"""Lithium fractions between which Colclasure's polynomial was fitted."""

_COLCLASURE = (  # highest power of x first
    -250.901084347927,
    2391.02672525997,
    -4868.42026761136,
    -83.3110410292107,
    10576.36028329,
    -12683.2454834812,
    5016.27216777553,
    982.48966596494,
    -1502.4393390709,
    472.37093042477,
    -65.2609204639709,
)

CHEN_OFFSET, CHEN_SCALE = -0.16316468790028021, 1.2627705555456534
"""Lithium fraction of NMC811 = offset + scale * (lithium fraction in Chen et al., 2020)."""

OREGAN_RANGE = (0.15, 0.98)
"""Lithium fractions that correspond to 0.25-0.905 on the scale of O'Regan et al."""

_OREGAN = ((-0.9231, 0.3216, 0.002534), (-0.4066, 0.4532, 0.003926), (-0.993, 0.8098, 0.09924))


def colclasure_nmc532(x: Any, T: Any) -> Any:
    """Return D_s of NMC532: 2.25 * 10^P(x) * exp(-30 kJ/mol / R (1/T - 1/303.15)), m^2/s.

    Source: Colclasure et al., Electrochim. Acta 337, 135854 (2020), as coded in NREL's
    batmods-lite (BSD-3, commit faba0d3e, `_nmc_532.py`). x is held within [0.30, 0.98].
    """
    fraction = clamp(x, *COLCLASURE_RANGE)
    logarithm: Any = _COLCLASURE[0]
    for coefficient in _COLCLASURE[1:]:
        logarithm = logarithm * fraction + coefficient
    arrhenius = exp(-30000.0 / GAS_CONSTANT * (1.0 / T - 1.0 / 303.15))
    return 2.25 * power_of_ten(logarithm) * arrhenius


def oregan_nmc811(x: Any, T: Any) -> Any:
    """Return D_s of NMC811: 2.7 times a curve with three Gaussian dips in log10 D, m^2/s.

    Source: O'Regan et al., Electrochim. Acta 425, 140700 (2022),
    doi:10.1016/j.electacta.2022.140700, as coded in PyBaMM's ORegan2022 set (BSD-3). Their
    scale of lithium is Chen's; here x is the lithium fraction, held within [0.15, 0.98].
    """
    chen_fraction = (clamp(x, *OREGAN_RANGE) - CHEN_OFFSET) / CHEN_SCALE
    logarithm: Any = -13.96
    for depth, centre, width in _OREGAN:
        logarithm = logarithm + depth * exp(-((chen_fraction - centre) ** 2) / width)
    return 2.7 * power_of_ten(logarithm) * exp(1449.0 * (1.0 / 298.15 - 1.0 / T))


DIFFUSIVITIES: dict[str, Diffusivity] = {
    "colclasure_nmc532": colclasure_nmc532,
    "oregan_nmc811": oregan_nmc811,
}


MEASURED_RANGES: dict[str, MeasuredRange] = {
    "colclasure_nmc532": MeasuredRange(*COLCLASURE_RANGE, "Colclasure et al. 2020"),
    "oregan_nmc811": MeasuredRange(*OREGAN_RANGE, "O'Regan et al. 2022"),
}
"""Measured range of each of `DIFFUSIVITIES`, at whose ends the fraction is held."""


def diffusivity_of_fraction(
    given: str | float | Callable[[Any], Any], activation_energy: float = 0.0
) -> Diffusivity:
    """Return the function with a name, or that of a number or function (m^2/s) at 298.15 K.

    Args:
        given: a key of `DIFFUSIVITIES`, a number, or a function of the lithium fraction.
        activation_energy: activation energy of a number or a function, J/mol; named functions have
            their own.

    Raises:
        KeyError: there is no such name.
    """
    if isinstance(given, str):
        return DIFFUSIVITIES[given]
    if callable(given):
        return lambda x, T: given(x) * arrhenius(activation_energy, T)
    value = float(given)
    return lambda x, T: value * arrhenius(activation_energy, T)
