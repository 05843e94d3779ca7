"""Conversion of text with a unit to a float in SI units; no other module handles units.

    quantity("3e-15 m^2/s", "m^2/s") -> 3e-15
    quantity("3e-11 cm^2/s", "m^2/s") -> 3e-15

The registry holds only the units that are used to describe an electrode. The full registry of pint
would also read "C" as coulomb, "h" as Planck's constant in some spellings, and "a" as a year.
"""

from __future__ import annotations

import difflib
import math
import re
from functools import lru_cache
from typing import Any

_DEFINITIONS = """
tera- = 1e12 = T-
giga- = 1e9 = G-
mega- = 1e6 = M-
kilo- = 1e3 = k-
centi- = 1e-2 = c-
milli- = 1e-3 = m-
micro- = 1e-6 = µ- = μ- = u-
nano- = 1e-9 = n-
pico- = 1e-12 = p-
metre = [length] = m = meter
second = [time] = s
gram = [mass] = g
ampere = [current] = A
mole = [substance] = mol
kelvin = [temperature]; offset: 0 = K
degree_Celsius = kelvin; offset: 273.15 = degC = °C
micron = 1e-6 * metre
minute = 60 * second = min
hour = 3600 * second = h = hr
day = 86400 * second = d
litre = 1e-3 * metre ** 3 = l = L = liter
molar = 1000 * mole / metre ** 3 = M
newton = kilogram * metre / second ** 2 = N
joule = newton * metre = J
watt = joule / second = W
coulomb = ampere * second = coulomb
ampere_hour = 3600 * coulomb = Ah
volt = joule / coulomb = V
ohm = volt / ampere = Ω
siemens = ampere / volt = S
farad = coulomb / volt = F
"""

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*\Z", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+|°C")

LONGEST_QUANTITY = 200
"""Longest accepted text, characters; a number has about 25 of them, a unit about 30."""

# The accepted form of a unit: "mol/(m^2 s)", "A m**-2". The registry evaluates any text as
# arithmetic, and some arithmetic never ends, such as 9**9**9**9. Here only names have powers, and
# only small ones.
_FACTOR = rf"(?:{_WORD.pattern})(?:\s*(?:\^|\*\*)\s*(?:[+-]?\d{{1,2}}|\([+-]?\d{{1,2}}\)))?"
_BETWEEN = r"(?:\s*[*/]\s*|\s+)"
_PRODUCT = rf"{_FACTOR}(?:{_BETWEEN}{_FACTOR})*"
_PART = rf"(?:{_FACTOR}|\(\s*{_PRODUCT}\s*\))"
_UNIT = re.compile(rf"(?:1\s*/\s*)?{_PART}(?:{_BETWEEN}{_PART})*")

_KINDS = {
    "m": "length",
    "s": "time",
    "V": "voltage",
    "K": "temperature",
    "mol/m^3": "concentration",
    "m^2/s": "diffusivity",
    "m/s": "rate constant",
    "S/m": "conductivity",
    "ohm*m^2": "area-specific resistance",
    "A/m^2": "current density",
    "W/m^2": "power per area",
    "A*s/m^2": "capacity per area",
    "kg/m^2": "mass per area",
    "kg/m^3": "density",
    "kg": "mass",
    "A": "current",
    "m^2": "area",
    "m^3": "volume",
    "mol": "amount of substance",
    "J/mol": "molar energy",
    "F/m^2": "capacitance per area",
    "V/K": "entropic coefficient",
}


class UnitError(ValueError):
    """A text is not a quantity of the wanted kind; the message says why but omits the text."""


@lru_cache(maxsize=1)
def _registry() -> Any:
    # Imported on first use: `heterode --help` needs no units.
    import pint

    registry: Any = pint.UnitRegistry(None)
    registry.load_definitions(_DEFINITIONS.strip().splitlines())
    return registry


@lru_cache(maxsize=256)
def _factor(unit: str, target: str) -> float | None:
    """Return the factor from `unit` to `target`, or None if their dimensions differ."""
    registry = _registry()
    source, wanted = registry.Unit(unit), registry.Unit(target)
    if source.dimensionality != wanted.dimensionality:
        return None
    factor = float(registry.Quantity(1.0, source).to(wanted).magnitude)
    # 1e-6 for a micrometre, not 0.9999999999999999e-06.
    return float(f"{factor:.14g}")


def kind_of(unit: str) -> str:
    """Return the kind of quantity measured in `unit`, an SI unit of the schema, for messages."""
    return _KINDS.get(unit, f"quantity in {unit}")


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def convert(value: float, unit: str, target: str) -> float:
    """Convert `value` between two units of the same dimension, neither of which has an offset.

    Raises:
        UnitError: the dimensions of the units differ.
    """
    factor = _factor(unit, target)
    if factor is None:
        raise UnitError(f"{unit} cannot be expressed in {target}")
    return value * factor


def quantity(text: object, unit: str) -> float:
    """Read a number with its unit and return it in the SI unit `unit`.

    Args:
        text: for example "46 um", "3e-11 cm^2/s", "25 degC".
        unit: the SI unit of the result, for example "m^2/s".

    Raises:
        UnitError: the value is not text, has no unit, an unknown unit or another dimension, or is
            not finite. The message is a phrase that follows the value: 'has no unit', 'is a
            length, not a time'.
    """
    if isinstance(text, bool) or not isinstance(text, int | float | str):
        raise UnitError(
            f"is not {_with_article(kind_of(unit))}: a number with a unit in quotes is wanted"
        )
    if not isinstance(text, str):
        raise UnitError("has no unit")
    if len(text) > LONGEST_QUANTITY:
        raise UnitError(
            f"is {len(text)} characters long: a number with its unit has {LONGEST_QUANTITY} at most"
        )
    match = _NUMBER.match(text)
    if match is None:
        raise UnitError("does not begin with a finite number")
    value, name = float(match[1]), match[2]
    if not math.isfinite(value):
        raise UnitError("is not finite")
    if not name:
        raise UnitError("has no unit")
    converted = _to_si(value, name, unit)
    if not math.isfinite(converted):
        raise UnitError("is not finite")
    return converted


def _to_si(value: float, name: str, unit: str) -> float:
    if name in ("degC", "°C"):
        # Celsius has an offset, so only a temperature on its own can be given in it.
        if unit != "K":
            raise UnitError(f"is a temperature, not {_with_article(kind_of(unit))}")
        return value + 273.15
    _check_names(name)
    if _UNIT.fullmatch(name) is None:
        raise UnitError(
            f"has a unit that cannot be read: '{_shortened(name)}' (units are names, with powers "
            "like m^2 or s^-1, joined by a space, * or /)"
        )
    try:
        factor = _factor(name, unit)
    except Exception as error:  # pint raises many kinds, tokenizer errors among them
        raise UnitError(f"has a unit that cannot be read: '{_shortened(name)}'") from error
    if factor is None:
        dimension = _dimension(name)
        raise UnitError(f"is {dimension}, not {_with_article(kind_of(unit))}")
    # Dividing by a whole number rounds once, so that "60 um" is the float written 6e-05.
    inverse = round(1.0 / factor) if factor < 1.0 else 1
    return value / inverse if inverse > 1 and factor * inverse == 1.0 else value * factor


@lru_cache(maxsize=256)
def _check_names(name: str) -> None:
    registry = _registry()
    for word in _WORD.findall(name):
        if word not in registry:
            near = difflib.get_close_matches(word, _common_units(), 1, 0.5)
            hint = f" (did you mean '{near[0]}'?)" if near else ""
            raise UnitError(f"has an unknown unit '{_shortened(word)}'{hint}")


def _shortened(text: str) -> str:
    """Return the beginning of a text, for a message."""
    return text if len(text) <= 40 else f"{text[:37]}..."


def _common_units() -> list[str]:
    prefixed = [
        p + u for u in ("m", "s", "A", "g", "V", "mol") for p in ("", "k", "c", "m", "u", "n")
    ]
    whole = ["micron", "second", "minute", "hour", "day", "min", "h", "K", "degC", "ohm", "S", "mS"]
    return prefixed + whole + ["litre", "l", "J", "W", "M", "volt", "metre"]


def _dimension(name: str) -> str:
    """Return the kind of quantity that a readable unit measures, in words if there is a word."""
    dimensionality = _registry().Unit(name).dimensionality
    for unit, kind in _KINDS.items():
        if _registry().Unit(unit).dimensionality == dimensionality:
            return _with_article(kind)
    return f"of dimension {dimensionality}"
