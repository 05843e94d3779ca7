"""Figures from a results folder alone; no solver, no display."""

from simulator.viewing.differential import draw_differential
from simulator.viewing.particle_map import draw_particle_map
from simulator.viewing.spread import draw_spread
from simulator.viewing.voltage import draw_voltage

__all__ = ["draw_differential", "draw_particle_map", "draw_spread", "draw_voltage"]
