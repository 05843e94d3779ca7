"""Exchange current of the lithium-metal counter electrode.

    i0 = k F c_Li^(1 - a) c_l^a        A m^-2,  k = 3.5e-8 m/s, a = 0.3

70.6 A m^-2 at c_l = 1000 mol m^-3, with c_Li = 1 / 1.3e-5 = 76 923 mol m^-3. Source: Xu et al.,
J. Electrochem. Soc. 166, A3456 (2019), as coded in PyBaMM's Xu2019
set (BSD-3). Published exchange currents span 1 to 1000 A m^-2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from heterode.base.constants import FARADAY
from heterode.materials._math import is_expression

RATE_CONSTANT = 3.5e-8
"""Rate constant k, m/s."""
LITHIUM_CONCENTRATION = 76923.0
"""Concentration of lithium in the metal, mol m^-3 (molar volume 1.3e-5 m^3/mol)."""
SALT_EXPONENT = 0.3
"""Exponent a of the salt concentration."""


def lithium_metal_exchange_current(
    c_l: Any,
    *,
    rate_constant: float = RATE_CONSTANT,
    lithium_concentration: float = LITHIUM_CONCENTRATION,
    anodic_transfer: float = SALT_EXPONENT,
) -> Any:
    """Return i0 of lithium metal, A m^-2, in the shape of `c_l`, mol m^-3; negative c_l is 0."""
    if is_expression(c_l):
        import ufl

        salt = ufl.max_value(c_l, 0.0)
    else:
        salt = np.maximum(c_l, 0.0)
    prefactor = rate_constant * FARADAY * lithium_concentration ** (1.0 - anodic_transfer)
    return prefactor * salt**anodic_transfer
