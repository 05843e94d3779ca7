"""Cited functions of stoichiometry, concentration and temperature."""

from simulator.materials.arrhenius import arrhenius
from simulator.materials.electrolytes import Electrolyte, electrolyte
from simulator.materials.lithium_metal import lithium_metal_exchange_current
from simulator.materials.open_circuit import OpenCircuitPotential, open_circuit_potential
from simulator.materials.solid_diffusion import diffusivity_of_fraction

__all__ = [
    "Electrolyte",
    "OpenCircuitPotential",
    "arrhenius",
    "diffusivity_of_fraction",
    "electrolyte",
    "lithium_metal_exchange_current",
    "open_circuit_potential",
]
