"""Transport properties of LiPF6 electrolytes as functions of concentration and temperature.

| name | solvent | range | source |
|---|---|---|---|
| landesfeind | EC:EMC 3:7 w/w | 0.1-3 M, 263-323 K | Landesfeind & Gasteiger, J. Electrochem. Soc. 166, A3079 (2019), coefficients as in PyBaMM (BSD-3); the range is recalled, not re-read |
| nyman | EC:EMC 3:7 w/w | 0.2-2 M, 243-333 K | Nyman et al., Electrochim. Acta 53, 6356 (2008); D and kappa as in PyBaMM, t+ as in two independent codes, TDF: see below; temperature: 17.1 kJ/mol for D and kappa, as in BPX's examples, none known for t+ and TDF; the range is recalled, not re-read |
| lundgren | EC:DEC 1:1 w/w | 0.2-1.5 M, 298.15 K only | Lundgren, Behm & Lindbergh, J. Electrochem. Soc. 162, A413 (2015), coefficients as in two open codes; measured from 0.5 to 1.5 M (recalled, not re-read) |
| valoen_reimers | PC:EC:DMC 10:27:63 v/v | to 3.9 M, 263-333 K | Valoen & Reimers, J. Electrochem. Soc. 152, A882 (2005), as in PyBaMM and MPET; the range is recalled, not re-read |
| constant | - | any | the numbers of the input file |
| functions | - | as the input file says | functions of the input file |

Concentrations are in mol m^-3 outside and in mol l^-1 inside the formulas. Outside the range of a
fit the concentration is held at the end of the range, so that no Newton iterate reaches the part of
a polynomial where it bends the wrong way. Only the conductivity continues to fall in proportion to
c towards depletion, since a solution without salt does not conduct. D, kappa and TDF are positive
for every argument; t+ of Landesfeind is the apparent one, and its fit becomes negative in cold
concentrated solutions.

nyman: (1 - t+) TDF = 0.28687 c^2 + 0.74678 c + 0.44103 with a corrected sign. Codes have
-0.74678 c, which makes it negative from 0.906 to 1.698 M, where the solution would separate; the
paper was not re-read. At infinite dilution this gives TDF = 0.80 instead of 1. That is below the
range of the fit, where TDF stays at its value at 0.2 M, 0.956.

lundgren: t+ falls with c and would be negative from 1.73 M on (-0.18 at 2 M), hence the range. The
known temperature dependence makes D negative in the cold (below -10 degC at 1.5 M), so it is left
out and other temperatures are refused.
"""  # noqa: E501  (a table with its sources reads best on one line each)

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from heterode.base.constants import GAS_CONSTANT
from heterode.materials._math import clamp, exp, power_of_ten, sqrt
from heterode.materials.arrhenius import REFERENCE_TEMPERATURE

Property = Callable[[Any, Any], Any]

DEPLETED = 1e-3
"""Concentration, mol/l, below which conductivity is constant, so no matrix becomes singular."""


@dataclass(frozen=True)
class Electrolyte:
    """One electrolyte, whose properties are functions of c, mol m^-3, and T, K, in NumPy or UFL.

    Attributes:
        range: least and greatest concentration of the fit, mol m^-3.
        temperature_range: least and greatest temperature of the fit, K.
        constant_transference: t+ if it is one number (`transference_number` then returns a
            Python float), otherwise None.
    """

    name: str
    range: tuple[float, float]
    temperature_range: tuple[float, float]
    source: str
    constant_transference: float | None
    _diffusivity: Property
    _conductivity: Property
    _transference: Property
    _thermodynamic: Property

    def _molar(self, c: Any) -> Any:
        return clamp(c / 1000.0, self.range[0] / 1000.0, self.range[1] / 1000.0)

    def diffusivity(self, c: Any, T: Any) -> Any:
        """Return the diffusivity D_l, m^2/s."""
        return self._diffusivity(self._molar(c), T)

    def conductivity(self, c: Any, T: Any) -> Any:
        """Return the ionic conductivity kappa, S/m."""
        low = self.range[0] / 1000.0
        value = self._conductivity(self._molar(c), T)
        if self.name == "constant":
            return value
        return value * clamp(c / 1000.0, DEPLETED, low) / low

    def transference_number(self, c: Any, T: Any) -> Any:
        """Return the dimensionless transference number t+, a Python float if it is constant."""
        if self.constant_transference is not None:
            return self.constant_transference
        return self._transference(self._molar(c), T)

    def thermodynamic_factor(self, c: Any, T: Any) -> Any:
        """Return the dimensionless thermodynamic factor TDF = 1 + dln f/dln c."""
        return self._thermodynamic(self._molar(c), T)


def _landesfeind_conductivity(c: Any, T: Any) -> Any:
    hot = exp(1000.0 / T)
    numerator = 1.0 - 1.06 * sqrt(c) + 0.353 * (1.0 - 3.59e-3 * hot) * c
    return 0.1 * 0.521 * (1.0 + T - 228.0) * c * numerator / (1.0 + c**4 * 1.48e-3 * hot)


def _landesfeind_diffusivity(c: Any, T: Any) -> Any:
    return 1.01e3 * exp(1.01 * c) * exp(-1560.0 / T) * exp(-487.0 * c / T) * 1e-10


def _landesfeind_polynomial(p: Sequence[float]) -> Property:
    def value(c: Any, T: Any) -> Any:
        constant = p[0] + p[2] * T + p[5] * T * T
        linear = p[1] + p[4] * T + p[8] * T * T
        return constant + c * (linear + c * (p[3] + p[7] * T + p[6] * c))

    return value


_LANDESFEIND_T = (-12.8, -6.12, 0.0821, 0.904, 0.0318, -1.27e-4, 0.0175, -3.12e-3, -3.96e-5)
_LANDESFEIND_TDF = (25.7, -45.1, -0.177, 1.94, 0.295, 3.08e-4, 0.259, -9.46e-3, -4.54e-4)


NYMAN_ACTIVATION_ENERGY = 17.1e3
"""Activation energy of D and kappa, J/mol, from the BPX examples by About:Energy with Nyman's
electrolyte."""


def _nyman_warmth(T: Any) -> Any:
    return exp(-NYMAN_ACTIVATION_ENERGY / GAS_CONSTANT * (1.0 / T - 1.0 / REFERENCE_TEMPERATURE))


def _nyman_diffusivity(c: Any, T: Any) -> Any:
    return (8.794e-11 * c**2 - 3.972e-10 * c + 4.862e-10) * _nyman_warmth(T)


def _nyman_conductivity(c: Any, T: Any) -> Any:
    return (0.1297 * c**3 - 2.51 * c * sqrt(c) + 3.329 * c) * _nyman_warmth(T)


def _nyman_transference(c: Any, T: Any) -> Any:
    return -0.1287 * c**3 + 0.4106 * c**2 - 0.4717 * c + 0.4492


def _nyman_thermodynamic(c: Any, T: Any) -> Any:
    product = 0.28687 * c**2 + 0.74678 * c + 0.44103
    return product / (1.0 - _nyman_transference(c, T))


def _lundgren_diffusivity(c: Any, T: Any) -> Any:
    return 7.588e-11 * c**2 - 3.036e-10 * c + 3.654e-10


def _lundgren_conductivity(c: Any, T: Any) -> Any:
    return 0.1147 * c**3 - 2.238 * c * sqrt(c) + 2.915 * c


def _lundgren_transference(c: Any, T: Any) -> Any:
    return -0.1291 * c**3 + 0.3517 * c**2 - 0.4893 * c + 0.4287


def _lundgren_thermodynamic(c: Any, T: Any) -> Any:
    product = 0.2731 * c**2 + 0.6352 * c + 0.4577
    return product / (1.0 - _lundgren_transference(c, T))


def _valoen_diffusivity(c: Any, T: Any) -> Any:
    return 1e-4 * power_of_ten(-4.43 - 54.0 / (T - 229.0 - 5.0 * c) - 0.22 * c)


def _valoen_conductivity(c: Any, T: Any) -> Any:
    constant = -10.5 + 0.0740 * T - 6.96e-5 * T * T
    linear = 0.668 - 0.0178 * T + 2.80e-5 * T * T
    return 0.1 * c * (constant + c * linear + c**2 * (0.494 - 8.86e-4 * T)) ** 2


def _valoen_thermodynamic(c: Any, T: Any) -> Any:
    product = 0.601 - 0.24 * sqrt(c) + 0.982 * (1.0 - 0.0052 * (T - 294.0)) * c * sqrt(c)
    return product / (1.0 - 0.38)


ELECTROLYTES: dict[str, Electrolyte] = {
    "landesfeind": Electrolyte(
        name="landesfeind",
        range=(100.0, 3000.0),
        temperature_range=(263.15, 323.15),
        source="Landesfeind & Gasteiger, J. Electrochem. Soc. 166, A3079 (2019), EC:EMC 3:7",
        constant_transference=None,
        _diffusivity=_landesfeind_diffusivity,
        _conductivity=_landesfeind_conductivity,
        _transference=_landesfeind_polynomial(_LANDESFEIND_T),
        _thermodynamic=_landesfeind_polynomial(_LANDESFEIND_TDF),
    ),
    "nyman": Electrolyte(
        name="nyman",
        range=(200.0, 2000.0),
        temperature_range=(243.15, 333.15),
        source="Nyman et al., Electrochim. Acta 53, 6356 (2008), EC:EMC 3:7",
        constant_transference=None,
        _diffusivity=_nyman_diffusivity,
        _conductivity=_nyman_conductivity,
        _transference=_nyman_transference,
        _thermodynamic=_nyman_thermodynamic,
    ),
    "lundgren": Electrolyte(
        name="lundgren",
        range=(200.0, 1500.0),
        temperature_range=(REFERENCE_TEMPERATURE, REFERENCE_TEMPERATURE),
        source="Lundgren et al., J. Electrochem. Soc. 162, A413 (2015), EC:DEC 1:1, 298.15 K",
        constant_transference=None,
        _diffusivity=_lundgren_diffusivity,
        _conductivity=_lundgren_conductivity,
        _transference=_lundgren_transference,
        _thermodynamic=_lundgren_thermodynamic,
    ),
    "valoen_reimers": Electrolyte(
        name="valoen_reimers",
        range=(10.0, 3900.0),
        temperature_range=(263.15, 333.15),
        source="Valoen & Reimers, J. Electrochem. Soc. 152, A882 (2005), PC:EC:DMC",
        constant_transference=0.38,
        _diffusivity=_valoen_diffusivity,
        _conductivity=_valoen_conductivity,
        _transference=lambda c, T: 0.38,
        _thermodynamic=_valoen_thermodynamic,
    ),
}

MODELS = (*ELECTROLYTES, "constant", "functions")
"""Names that `electrolyte.model` may have in an input file."""


def constant_electrolyte(
    *,
    diffusivity: float,
    conductivity: float,
    transference_number: float,
    thermodynamic_factor: float,
) -> Electrolyte:
    """Return an electrolyte whose properties are four numbers (m^2/s, S/m, -, -)."""
    return Electrolyte(
        name="constant",
        range=(DEPLETED * 1000.0, 1e5),
        temperature_range=(0.0, 1e4),
        source="constants of the input file",
        constant_transference=float(transference_number),
        _diffusivity=lambda c, T: float(diffusivity),
        _conductivity=lambda c, T: float(conductivity),
        _transference=lambda c, T: float(transference_number),
        _thermodynamic=lambda c, T: float(thermodynamic_factor),
    )


@dataclass(frozen=True)
class GivenProperty:
    """One property of an electrolyte that the input file gives.

    Attributes:
        value: function of c, mol m^-3, and T, K.
        range: least and greatest concentration, mol m^-3, at which it was measured.
        constant: its value if it is one number.
        warms: whether it depends on the temperature.
    """

    value: Property
    range: tuple[float, float]
    constant: float | None = None
    warms: bool = False


def given_electrolyte(
    *,
    diffusivity: GivenProperty,
    conductivity: GivenProperty,
    transference_number: GivenProperty,
    thermodynamic_factor: GivenProperty,
    temperature_range: tuple[float, float],
    source: str,
) -> Electrolyte:
    """Return an electrolyte of four properties, between the concentrations that all have.

    Raises:
        ValueError: there is no such concentration.
    """
    every = (diffusivity, conductivity, transference_number, thermodynamic_factor)
    low, high = max(p.range[0] for p in every), min(p.range[1] for p in every)
    if not low < high:
        raise ValueError(f"from {low:g} to {high:g} mol/m^3")

    def of_molar(given: GivenProperty) -> Property:
        return lambda c, T: given.value(1000.0 * c, T)

    return Electrolyte(
        name="functions",
        range=(low, high),
        temperature_range=temperature_range,
        source=source,
        constant_transference=transference_number.constant,
        _diffusivity=of_molar(diffusivity),
        _conductivity=of_molar(conductivity),
        _transference=of_molar(transference_number),
        _thermodynamic=of_molar(thermodynamic_factor),
    )


def electrolyte(name: str) -> Electrolyte:
    """Return the electrolyte with a name.

    Raises:
        KeyError: there is no such name.
    """
    return ELECTROLYTES[name]
