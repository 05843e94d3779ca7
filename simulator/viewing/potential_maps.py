"""report/potentials.png: electrolyte potential, carbon potential and salt, over the cell.

They are shown under current, as close as the samples allow to half the charge passed. A 3D run is
shown in the plane half-way across, y = const.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from heterode.results.fields import read_fields
from heterode.results.folder import ResultsFolder
from heterode.results.history import read_history
from heterode.results.sample import FieldGrid, Floats
from heterode.viewing import style
from heterode.viewing.particle_map import passed_at, plot_map, row_at
from heterode.viewing.section import mid_section
from heterode.viewing.slab import Layout, layout_of, map_canvas, outlines


@dataclass(frozen=True)
class FieldMap:
    """One map.

    Attributes:
        title: the title of the map, with the unit.
        grid: a 2D grid, thickness first.
        values: (P,) at its points.
        colours: name of the colour map.
    """

    title: str
    grid: FieldGrid
    values: Floats
    colours: str


def moment_under_current(history: pd.DataFrame, times_s: Floats) -> int:
    """Return the index of the time under current that is nearest to half the charge passed.

    If no time is under current, it is the nearest of all.
    """
    passed = passed_at(history, times_s)
    distance = np.abs(passed - (passed[0] + passed[-1]) / 2)
    current = np.array([row_at(history, time)["current_A_m2"] for time in times_s])
    if np.any(current != 0):
        distance[current == 0] = np.inf
    return int(distance.argmin())


def potential_figure(
    maps: Sequence[FieldMap], particles: FieldGrid, layout: Layout, title: str
) -> Figure:
    """Draw maps side by side, each with a colour bar of its own.

    Args:
        maps: at least one.
        particles: the particles' planar grid, for the outlines.
        layout: the cell's layers.
        title: the title of the figure.
    """
    with style.style():
        figure, places = map_canvas(layout, len(maps))
        for axes, drawn in zip(places, maps, strict=True):
            image = plot_map(
                axes, drawn.grid, drawn.values, layout, colours=drawn.colours, background=True
            )
            axes.add_collection(outlines(layout, particles))
            axes.set_title(drawn.title)
            side = (
                {"location": "right", "fraction": 0.03} if layout.lying else {"location": "bottom"}
            )
            figure.colorbar(image, ax=axes, pad=0.02, ticks=MaxNLocator(4), format="%g", **side)
        figure.suptitle(title, fontsize=7.5)
        figure.draw_without_rendering()
    return figure


def draw_potentials(folder: Path | str) -> Path:
    """Draw report/potentials.png from the results folder alone.

    Returns:
        the path of the picture.

    Raises:
        InputError: the folder has no readable fields or history.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    history = read_history(results.path)
    particles = mid_section(read_fields(results.path, "particles").grid)
    series = {name: read_fields(results.path, name) for name in ("electrolyte", "carbon")}
    sections = {n: mid_section(s.grid, particles.across_um) for n, s in series.items()}
    index = moment_under_current(history, series["electrolyte"].times_s)
    time = float(series["electrolyte"].times_s[index])
    row = row_at(history, time)

    def field(domain: str, name: str) -> Floats:
        # The files of the domains may differ by a sample while a run goes on.
        at = min(index, len(series[domain].times_s) - 1)
        return sections[domain].values(series[domain].load(at)[name])

    electrolyte, carbon = sections["electrolyte"].grid, sections["carbon"].grid
    phi_l, ionic = _in_small_volts(field("electrolyte", "potential"))
    phi_s, electronic = _in_small_volts(field("carbon", "potential") - row["voltage_V"])
    salt = field("electrolyte", "concentration")
    maps = [
        FieldMap(f"electrolyte potential / {ionic}", electrolyte, phi_l, "cividis"),
        FieldMap(f"carbon less cell voltage / {electronic}", carbon, phi_s, "cividis"),
        FieldMap("salt / mol m$^{-3}$", electrolyte, salt, "YlGnBu_r"),
    ]
    moment = f"{style.spoken_time(time)}, {row['voltage_V']:.3f} V"
    title = (
        f"{moment}, {row['current_A_m2']:.3g} A m$^{{-2}}$; potentials against the lithium metal"
    )
    figure = potential_figure(maps, particles.grid, layout_of(results.path, particles), title)
    path = results.make_report() / "potentials.png"
    with style.style():
        style.save(figure, path)
    return path


def _in_small_volts(volts: Floats) -> tuple[Floats, str]:
    """Return values in the unit that suits their range, and the unit."""
    return (1e6 * volts, "µV") if np.ptp(volts) < 1e-3 else (1e3 * volts, "mV")
