"""Figures and movies from a results folder alone; no solver, no display."""

from simulator.viewing.differential import draw_differential
from simulator.viewing.figures import DRAWINGS, NAMES, Drawing, Drawn, chosen_drawings, draw_figures
from simulator.viewing.particle_map import draw_particle_map
from simulator.viewing.spread import draw_spread
from simulator.viewing.voltage import draw_voltage

__all__ = [
    "DRAWINGS",
    "NAMES",
    "Drawing",
    "Drawn",
    "chosen_drawings",
    "draw_differential",
    "draw_figures",
    "draw_particle_map",
    "draw_spread",
    "draw_voltage",
]
