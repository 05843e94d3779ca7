"""Electronic conductivity of NMC, sigma(x) in S/m, x the lithium fraction.

amin_nmc rises from 1e-5 S/m at x = 1 to 1 S/m at x = 0.25, here a straight line of log sigma
between the two. Source of the two: Amin and Chiang, J. Electrochem. Soc. 163, A1512 (2016),
abstract (NMC333 and NMC523); the line between them is this project's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from heterode.materials.measured_range import MeasuredRange
from heterode.materials.tabulated import TabulatedFunction

Conductivity = Callable[[Any], Any]
"""Lithium fraction to S/m, for NumPy arrays and UFL expressions."""


def amin_nmc(x: Any) -> Any:
    """log10 sigma = -5 + 5 (1 - x) / 0.75, levelling off beyond x = 0.25 and 1."""
    return TabulatedFunction((0.25, 1.0), (1.0, 1e-5))(x)


ELECTRONIC_CONDUCTIVITIES: dict[str, Conductivity] = {"amin_nmc": amin_nmc}

MEASURED_RANGES: dict[str, MeasuredRange] = {
    "amin_nmc": MeasuredRange(0.25, 1.0, "Amin and Chiang 2016"),
}
"""Measured ranges of `ELECTRONIC_CONDUCTIVITIES`; the conductivity levels off beyond it."""
