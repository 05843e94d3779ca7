"""The figures of a run by name; each is drawn from the results folder alone, by a single call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from heterode.base.errors import InputError
from heterode.viewing.differential import draw_differential
from heterode.viewing.particle_currents import draw_currents
from heterode.viewing.particle_lines import draw_particles
from heterode.viewing.particle_map import draw_particle_map
from heterode.viewing.penalty_histogram import draw_penalties
from heterode.viewing.potential_maps import draw_potentials
from heterode.viewing.radial_profiles import draw_profiles
from heterode.viewing.spread import draw_spread
from heterode.viewing.voltage import draw_voltage


@dataclass(frozen=True)
class Drawing:
    """A kind of figure.

    Attributes:
        name: its name in commands; the file is report/NAME.png.
        title: its title, in a word or two.
        caption: a description of what is shown.
        draw: function from the folder to the path of the picture, or None if there is nothing to
            show.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Path], Path | None]


DRAWINGS = (
    Drawing(
        "lithium_fraction",
        "Lithium in the particles",
        "Lithium fraction over the cell at the start, half the charge passed, and the end (yellow: "
        "more lithium; mean and standard deviation by volume); in 3D in the plane half-way across.",
        draw_particle_map,
    ),
    Drawing(
        "voltage",
        "Voltage",
        "Cell voltage against areal capacity, and differential capacity against voltage.",
        draw_voltage,
    ),
    Drawing(
        "spread",
        "Spread between particles",
        "Standard deviation of the particles' lithium fractions against their mean, and their "
        "quantiles over time, both by volume.",
        draw_spread,
    ),
    Drawing(
        "particles",
        "Every particle",
        "Lithium fraction of each particle over time, coloured by its penalty factor and by its "
        "radius; the mean by volume in black.",
        draw_particles,
    ),
    Drawing(
        "currents",
        "Who reacts when",
        "Reaction current of each particle over the first whole charge or discharge. Bright in "
        "the right panel: a particle that reacts faster than the mean. Where the bright places "
        "climb from the left to the right, particles react one after another. Above it the share "
        "of the material at work.",
        draw_currents,
    ),
    Drawing(
        "profiles",
        "Inside three particles",
        "Lithium fraction from centre to surface in the particles of least, median and most "
        "lithium when they lie furthest apart, in the colour of the electrode's lithium (yellow: "
        "more); bands from least to largest at a distance.",
        draw_profiles,
    ),
    Drawing(
        "potentials",
        "Electrolyte and carbon",
        "Electrolyte potential, carbon potential and salt under current, near half the charge "
        "passed.",
        draw_potentials,
    ),
    Drawing(
        "penalties",
        "Penalty factors",
        "The factors drawn, beside the distribution they were drawn from.",
        draw_penalties,
    ),
    Drawing(
        "dqdv",
        "Differential capacity",
        "dQ/dV of each half-cycle, a colour per cycle.",
        draw_differential,
    ),
)
"""The figures, in the order in which a report shows them."""

NAMES = tuple(drawing.name for drawing in DRAWINGS)


@dataclass(frozen=True)
class Drawn:
    """The result of drawing a figure.

    Attributes:
        drawing: the figure.
        path: the path of the picture; None if there is none.
        problem: one line that says why there is none; empty if there is nothing to show.
    """

    drawing: Drawing
    path: Path | None
    problem: str = ""


def chosen_drawings(
    names: Iterable[str] = (), particles: Sequence[int] | None = None
) -> list[Drawing]:
    """Return figures by name, or all of them if no names are given.

    Args:
        names: names from `NAMES`.
        particles: the particles whose profiles are shown; None chooses some.

    Raises:
        InputError: there is no figure of that name.
    """
    wanted = tuple(dict.fromkeys(names)) or NAMES
    for name in wanted:
        if name not in NAMES:
            raise InputError(f"no figure is called '{name}' (allowed: {', '.join(NAMES)})")
    found = [drawing for drawing in DRAWINGS if drawing.name in wanted]
    if particles is None:
        return found
    chosen = partial(draw_profiles, particles=particles)
    return [
        Drawing(d.name, d.title, d.caption, chosen) if d.name == "profiles" else d for d in found
    ]


def draw_figures(folder: Path, drawings: Sequence[Drawing] = DRAWINGS) -> list[Drawn]:
    """Draw figures; the failure of one does not keep the others from being drawn.

    Args:
        folder: the results folder, possibly of a run that is going on or was killed.
        drawings: the figures to draw.
    """
    drawn = []
    for drawing in drawings:
        try:
            drawn.append(Drawn(drawing, drawing.draw(folder)))
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            drawn.append(Drawn(drawing, None, reason))
    return drawn
