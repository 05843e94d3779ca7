"""Figures and movies from a results folder alone; no solver, no display."""

from heterode.viewing.differential import draw_differential
from heterode.viewing.figures import DRAWINGS, NAMES, Drawing, Drawn, chosen_drawings, draw_figures
from heterode.viewing.particle_map import draw_particle_map
from heterode.viewing.spread import draw_spread
from heterode.viewing.voltage import draw_voltage

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
