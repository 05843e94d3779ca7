"""Electrolyte functions compared with those of PyBaMM's parameter sets, an independent source.

Sources by set: ORegan2022 holds Landesfeind's four functions; Chen2020 Nyman's D and kappa, and t+
at 1 M; Xu2019 Valoen and Reimers' D, kappa and t+. PyBaMM has neither Nyman's nor Valoen's
thermodynamic factor (it sets 1), nor the electrolyte `lundgren`; those are checked only against the
values in tests/test_materials.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from helpers.own_venv import ask, python_with
from heterode.homogenised import PYBAMM
from heterode.materials.electrolytes import ELECTROLYTES, Electrolyte
from verification.claim import Claim, Figure, Outcome, at_most

Floats = npt.NDArray[np.float64]

SCRIPT = Path(__file__).with_name("pybamm_electrolytes.py")

BOUND = 1e-9
"""Largest relative difference; the formulas are the same but rounded differently."""


@dataclass(frozen=True)
class Source:
    """The place of an electrolyte's functions in PyBaMM.

    Attributes:
        set: PyBaMM's parameter set.
        properties: the properties of the electrolyte that it holds.
        temperatures: temperatures at which they hold, K.
    """

    set: str
    properties: tuple[str, ...]
    temperatures: tuple[float, ...] = (298.15,)


SYMBOLS = {
    "diffusivity": "D",
    "conductivity": "kappa",
    "transference_number": "t+",
    "thermodynamic_factor": "TDF",
}
TRANSPORT = ("diffusivity", "conductivity")
SOURCES = {
    "landesfeind": Source(
        "ORegan2022",
        (*TRANSPORT, "transference_number", "thermodynamic_factor"),
        (273.15, 298.15, 318.15),
    ),
    "nyman": Source("Chen2020", TRANSPORT),
    "valoen_reimers": Source(
        "Xu2019", (*TRANSPORT, "transference_number"), (273.15, 298.15, 318.15)
    ),
}


def concentrations(name: str) -> Floats:
    """Return concentrations over the range of the fit, including 1 M, mol m^-3."""
    return np.unique([1000.0, *np.linspace(*ELECTROLYTES[name].range, 60)])


@lru_cache(maxsize=1)
def pybamm_says() -> dict[str, Any]:
    """Return every property of every electrolyte, from PyBaMM."""
    question = {
        name: {
            "set": source.set,
            "temperatures": source.temperatures,
            "concentrations": concentrations(name).tolist(),
        }
        for name, source in SOURCES.items()
    }
    return ask(python_with("pybamm", PYBAMM), SCRIPT, question)


def difference(own: Electrolyte, name: str, key: str) -> float:
    """Return the largest relative difference of a property; t+ is compared relative to 0.1."""
    source, c = SOURCES[name], concentrations(name)
    known = np.array(pybamm_says()[name][key])
    found = np.array(
        [np.broadcast_to(getattr(own, key)(c, T), c.shape) for T in source.temperatures]
    )
    scale = np.maximum(np.abs(known), 0.1) if key == "transference_number" else np.abs(known)
    return float(np.max(np.abs(found - known) / scale))


def against_pybamm(damaged: Callable[[Electrolyte], Electrolyte] | None = None) -> Outcome:
    """Compare each property of each electrolyte with PyBaMM's.

    Args:
        damaged: function applied to each electrolyte of heterode before the comparison.
    """
    figures: list[Figure] = []
    for name, source in SOURCES.items():
        own = ELECTROLYTES[name] if damaged is None else damaged(ELECTROLYTES[name])
        found = [difference(own, name, key) for key in source.properties]
        what = ", ".join(SYMBOLS[key] for key in source.properties)
        figures.append(at_most(f"{name}: relative difference of {what}", found, BOUND))
    one_molar = pybamm_says()["nyman"]["transference_number"][0][0]
    own = ELECTROLYTES["nyman"] if damaged is None else damaged(ELECTROLYTES["nyman"])
    away = abs(float(own.transference_number(1000.0, 298.15)) - one_molar)
    figures.append(at_most("nyman: difference of t+ at 1 M", away, 1e-9))
    return Outcome(tuple(figures), versions={"PyBaMM": str(pybamm_says()["version"])})


def scaled(which: str, factor: float, electrolyte: Electrolyte) -> Electrolyte:
    """Return an electrolyte in which one function is too large by a factor."""
    right = getattr(electrolyte, which)
    return replace(electrolyte, **{which: lambda c, T: factor * right(c, T)})


def claims() -> tuple[Claim, ...]:
    """Return the claims on material functions."""
    functions = {
        "diffusivity": "_diffusivity",
        "conductivity": "_conductivity",
        "transference number": "_transference",
        "thermodynamic factor": "_thermodynamic",
    }
    return (
        Claim(
            "electrolytes",
            "Electrolytes have the properties that PyBaMM's own functions give",
            against_pybamm,
            {
                f"{name} of every electrolyte 0.1 % larger": partial(
                    against_pybamm, partial(scaled, which, 1.001)
                )
                for name, which in functions.items()
            },
            quick=False,
        ),
    )
