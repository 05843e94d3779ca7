"""The active material of PyBaMM's set ORegan2022 (NMC811), as a user of heterode would have it.

Open-circuit potential, diffusivity and exchange current are CSV tables of what PyBaMM's own
functions give at the temperature of the run, entropic change included, and the transfer coefficient
is the salt's exponent in the exchange current. The electrolyte, Landesfeind's, is heterode's own;
the claim `electrolytes` compares it with this set's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from helpers.own_venv import ask, python_with
from heterode.homogenised import PYBAMM
from heterode.materials.open_circuit import through
from heterode.materials.tabulated import TabulatedFunction

Floats = npt.NDArray[np.float64]

SCRIPT = Path(__file__).with_name("pybamm_solid.py")
SET = "ORegan2022"
TEMPERATURES = (263.15, 298.15, 318.15)
"""Temperatures at which the functions are had, K."""

FRACTIONS = np.linspace(0.005, 0.995, 9901)
WINDOW = (0.2, 0.95)
"""Lithium fractions between which there are tables; runs stay inside."""
ROWS = 61
CURVE = (0.15, 0.98)
"""Lithium fractions between which there is a table of the open-circuit potential."""


@dataclass(frozen=True)
class Material:
    """PyBaMM's functions at one temperature, at `FRACTIONS`.

    Attributes:
        open_circuit: V.
        diffusivity: m^2 s^-1.
        exchange_current: A m^-2, at `salt`.
        salt_exponent: exponent of the salt's concentration in the exchange current.
        maximum_concentration, salt: mol m^-3.
    """

    open_circuit: Floats
    diffusivity: Floats
    exchange_current: Floats
    salt_exponent: float
    maximum_concentration: float
    salt: float


@lru_cache(maxsize=1)
def _answer() -> dict[str, Any]:
    question = {"set": SET, "temperatures": TEMPERATURES, "stoichiometries": FRACTIONS.tolist()}
    return ask(python_with("pybamm", PYBAMM), SCRIPT, question)


def material(temperature: float) -> Material:
    """Return PyBaMM's functions at one of `TEMPERATURES`."""
    answer = _answer()
    found = answer["at"][TEMPERATURES.index(temperature)]
    return Material(
        *(np.array(found[key]) for key in ("open_circuit", "diffusivity", "exchange_current")),
        found["salt_exponent"],
        answer["maximum_concentration"],
        answer["salt"],
    )


def rows_of(values: Floats) -> npt.NDArray[np.intp]:
    """Return the places in `FRACTIONS` of the rows of a table of these values.

    Rows are dense where ln f bends. Some lie at its extrema, where the interpolation is level.
    """
    inside = np.flatnonzero((WINDOW[0] <= FRACTIONS) & (WINDOW[1] >= FRACTIONS))
    x, logarithm = FRACTIONS[inside], np.log(values[inside])
    bend = np.gradient(np.gradient(logarithm, x), x)
    share = np.cumsum(np.sqrt(np.abs(bend) + 20.0))
    rows = np.searchsorted(share, np.linspace(share[0], share[-1], ROWS))
    for extremum in 1 + np.flatnonzero(np.diff(np.sign(np.diff(logarithm)))):
        rows[np.argmin(abs(rows - extremum))] = extremum
    return inside[np.unique(rows)]


@lru_cache(maxsize=len(TEMPERATURES))
def tables(temperature: float) -> dict[str, tuple[Floats, Floats]]:
    """Return lithium fractions and values of the tables of the three functions."""
    curve = np.flatnonzero((CURVE[0] <= FRACTIONS) & (CURVE[1] >= FRACTIONS))[::10]
    found = {"open_circuit": (FRACTIONS[curve], material(temperature).open_circuit[curve])}
    for quantity in ("diffusivity", "exchange_current"):
        values = getattr(material(temperature), quantity)
        rows = rows_of(values)
        found[quantity] = FRACTIONS[rows], values[rows]
    return found


def settings(temperature: float, folder: Path) -> tuple[str, ...]:
    """Write the tables into a folder, and return the settings of the material that use them."""
    found = material(temperature)
    columns = {
        "open_circuit": "potential_V",
        "diffusivity": "diffusivity_m2_s",
        "exchange_current": "exchange_current_A_m2",
    }
    for quantity, column in columns.items():
        rows = zip(*tables(temperature)[quantity], strict=True)
        lines = [f"stoichiometry,{column}", *(f"{x:.17g},{value:.17g}" for x, value in rows)]
        (folder / f"{quantity}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    section = {
        "open_circuit_potential": f'{{ table = "{folder / "open_circuit.csv"}" }}',
        "voltage_window": '{ low = "3.55 V", high = "4.3 V" }',
        "maximum_concentration": f"{found.maximum_concentration:.17g} mol/m^3",
        "diffusivity_table": folder / "diffusivity.csv",
        "exchange_current": "table",
        "exchange_current_table": folder / "exchange_current.csv",
        "reference_concentration": f"{found.salt:.17g} mol/m^3",
        "anodic_transfer": f"{found.salt_exponent:.17g}",
        "cathodic_transfer": f"{1 - found.salt_exponent:.17g}",
    }
    return (
        f"temperature={temperature:g} K",
        *(f"active_material.{key}={value}" for key, value in section.items()),
    )


def as_heterode_has_them(temperature: float) -> dict[str, tuple[list[float], list[float]]]:
    """Return the three functions as heterode interpolates them, for PyBaMM to take instead."""
    x = FRACTIONS[(CURVE[0] <= FRACTIONS) & (CURVE[1] >= FRACTIONS)]
    rows = tables(temperature)
    ends = {"name": "", "source": "", "measured_range": CURVE}
    found = {"open_circuit": through(*rows["open_circuit"], None, **ends).potential(x)}
    for quantity in ("diffusivity", "exchange_current"):
        found[quantity] = TabulatedFunction(*map(list, rows[quantity]))(x)
    return {quantity: (x.tolist(), values.tolist()) for quantity, values in found.items()}
