"""Solid diffusivity D_s(x, T) of lithium in NMC, m^2/s: constants, tables and cited functions.

Each function takes NumPy arrays or UFL expressions. Outside the range of its fit the fraction is
held at the end of the range: the polynomial of Colclasure falls by four decades between
x = 0.30 and 0.20, which is the polynomial's doing and not the material's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from heterode.base.constants import GAS_CONSTANT
from heterode.materials._math import clamp, exp, power_of_ten
from heterode.materials.arrhenius import arrhenius
from heterode.materials.measured_range import MeasuredRange

Diffusivity = Callable[[Any, Any], Any]
"""(lithium fraction, temperature K) -> m^2/s."""

COLCLASURE_RANGE = (0.30, 0.98)
"""Lithium fractions between which the Colclasure polynomial is a fit."""

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
"""Theoretical lithium fraction of NMC811 = offset + scale * (stoichiometry of Chen et al. 2020)."""

OREGAN_RANGE = (0.15, 0.98)
"""Lithium fractions (theoretical scale) that stoichiometries 0.25-0.905 of O'Regan map to."""

_OREGAN = ((-0.9231, 0.3216, 0.002534), (-0.4066, 0.4532, 0.003926), (-0.993, 0.8098, 0.09924))


def colclasure_nmc532(x: Any, T: Any) -> Any:
    """NMC532: 2.25 * 10^P(x) * exp(-30 kJ/mol / R (1/T - 1/303.15)), m^2/s.

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
    """NMC811: three Gaussian dips in log10 D, times 2.7, m^2/s.

    Source: O'Regan et al., Electrochim. Acta 425, 140700 (2022),
    doi:10.1016/j.electacta.2022.140700, as coded in PyBaMM's ORegan2022 set (BSD-3). Their
    stoichiometry is Chen's; here x is the theoretical fraction, held within [0.15, 0.98].
    """
    stoichiometry = (clamp(x, *OREGAN_RANGE) - CHEN_OFFSET) / CHEN_SCALE
    logarithm: Any = -13.96
    for depth, centre, width in _OREGAN:
        logarithm = logarithm + depth * exp(-((stoichiometry - centre) ** 2) / width)
    return 2.7 * power_of_ten(logarithm) * exp(1449.0 * (1.0 / 298.15 - 1.0 / T))


DIFFUSIVITIES: dict[str, Diffusivity] = {
    "colclasure_nmc532": colclasure_nmc532,
    "oregan_nmc811": oregan_nmc811,
}


MEASURED_RANGES: dict[str, MeasuredRange] = {
    "colclasure_nmc532": MeasuredRange(*COLCLASURE_RANGE, "Colclasure et al. 2020"),
    "oregan_nmc811": MeasuredRange(*OREGAN_RANGE, "O'Regan et al. 2022"),
}
"""Measured range of each of `DIFFUSIVITIES`; beyond it the fraction is held at its end."""


def diffusivity_of_fraction(
    given: str | float | Callable[[Any], Any], activation_energy: float = 0.0
) -> Diffusivity:
    """The function of a name, or of a number or function (m^2/s) that holds at 298.15 K.

    Args:
        given: a key of `DIFFUSIVITIES`, a number, or a function of the lithium fraction.
        activation_energy: of a number or a function, J/mol. The named ones have their own.

    Raises:
        KeyError: no such name.
    """
    if isinstance(given, str):
        return DIFFUSIVITIES[given]
    if callable(given):
        return lambda x, T: given(x) * arrhenius(activation_energy, T)
    value = float(given)
    return lambda x, T: value * arrhenius(activation_energy, T)
