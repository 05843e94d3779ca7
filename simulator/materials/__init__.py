"""Cited functions of lithium fraction, concentration and temperature."""

from heterode.materials.arrhenius import arrhenius
from heterode.materials.electrolytes import Electrolyte, electrolyte
from heterode.materials.lithium_metal import lithium_metal_exchange_current
from heterode.materials.open_circuit import OpenCircuitPotential, open_circuit_potential
from heterode.materials.solid_diffusion import diffusivity_of_fraction

__all__ = [
    "Electrolyte",
    "OpenCircuitPotential",
    "arrhenius",
    "diffusivity_of_fraction",
    "electrolyte",
    "lithium_metal_exchange_current",
    "open_circuit_potential",
]
