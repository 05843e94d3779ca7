"""The laws of the currents through the cell's terminals, as the parameters select them."""

from __future__ import annotations

from typing import Any

import numpy as np

from heterode.materials import arrhenius, lithium_metal_exchange_current
from heterode.parameters import Parameters
from heterode.physics.kinetics import Contact, LithiumMetal, SurfaceCurrent, UniformCollector

IDEAL_CONTACT = 1e-10
"""Contact resistance of the ideal reference phi_l = 0, ohm m^2: 1 nV at 10 A m^-2."""


def lithium_metal_exchange(p: Parameters, c_l: Any) -> Any:
    """Return i0 of the lithium metal at the cell's temperature, A m^-2, in the shape of `c_l`.

    Args:
        p: parameters of the cell.
        c_l: concentration of the salt at the metal, mol m^-3.
    """
    metal = p.lithium_metal
    return lithium_metal_exchange_current(
        c_l,
        rate_constant=metal.rate_constant
        * arrhenius(metal.rate_constant_activation_energy, p.temperature),
        lithium_concentration=metal.lithium_concentration,
        anodic_transfer=metal.anodic_transfer,
    )


def lithium_metal(p: Parameters) -> SurfaceCurrent:
    """Return the law of the current that deposits lithium, or that of an ideal reference."""
    metal = p.lithium_metal
    if metal.kinetics == "ideal":
        return Contact("phi_l", IDEAL_CONTACT)
    scale = lithium_metal_exchange(p, np.float64(p.electrolyte.initial_concentration))
    return LithiumMetal(float(scale), metal.anodic_transfer, metal.symmetry, p.temperature)


def collector(p: Parameters, area: float) -> SurfaceCurrent:
    """Return the law of the current out of the carbon: through a contact, or uniform.

    Args:
        p: parameters of the cell.
        area: area of the contact, m^2 (m in 2D).
    """
    if p.collector.connection == "uniform_flux":
        return UniformCollector(area)
    return Contact("phi_s", p.collector.contact_resistance)
