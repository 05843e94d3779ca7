"""Arrhenius factor, by which a number given at 298.15 K changes with temperature.

k(T) = k(T_ref) exp(-(E / R) (1/T - 1/T_ref)),    T_ref = 298.15 K
"""

from __future__ import annotations

import math

from heterode.base.constants import GAS_CONSTANT

REFERENCE_TEMPERATURE = 298.15
"""T_ref, at which diffusivities, rate constants and exchange currents are given, K."""


def arrhenius(activation_energy: float, temperature: float) -> float:
    """Return k(T) / k(T_ref), which is exactly 1 at T_ref and without activation energy.

    Args:
        activation_energy: activation energy E, J/mol.
        temperature: temperature T, K.
    """
    inverse = 1.0 / temperature - 1.0 / REFERENCE_TEMPERATURE
    return math.exp(-activation_energy / GAS_CONSTANT * inverse)
