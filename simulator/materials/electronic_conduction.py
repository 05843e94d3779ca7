"""Electronic conductivity of NMC, sigma in S/m, as a function of the lithium fraction x.

amin_nmc rises from 1e-5 S/m at x = 1 to 1 S/m at x = 0.25. The two values are from the abstract of
Amin and Chiang, J. Electrochem. Soc. 163, A1512 (2016), for NMC333 and NMC523; the straight line of
log sigma between them is this project's choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from heterode.materials.measured_range import MeasuredRange
from heterode.materials.tabulated import TabulatedFunction

Conductivity = Callable[[Any], Any]
"""Function of the lithium fraction that returns S/m, for NumPy arrays and UFL expressions."""


def amin_nmc(x: Any) -> Any:
    """Return sigma, S/m: log10 sigma = -5 + 5 (1 - x) / 0.75, constant well outside [0.25, 1]."""
    return TabulatedFunction((0.25, 1.0), (1.0, 1e-5))(x)


ELECTRONIC_CONDUCTIVITIES: dict[str, Conductivity] = {"amin_nmc": amin_nmc}

MEASURED_RANGES: dict[str, MeasuredRange] = {
    "amin_nmc": MeasuredRange(0.25, 1.0, "Amin and Chiang 2016"),
}
"""Measured ranges of `ELECTRONIC_CONDUCTIVITIES`, outside which conductivities level off."""
