"""report/lithium_fraction.png: the lithium in the particles at start, middle and end.

A 3D run is shown in the plane half-way across, y = const.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.tri import Triangulation

from heterode.results.fields import FieldSeries, read_fields
from heterode.results.folder import ResultsFolder
from heterode.results.history import read_history
from heterode.results.sample import FieldGrid, Floats
from heterode.viewing import style
from heterode.viewing.section import Section, mid_section
from heterode.viewing.slab import Layout, draw_layers, layout_of, map_canvas, outlines, rims

__all__ = [
    "Layout",
    "Panel",
    "chosen_samples",
    "draw_particle_map",
    "map_figure",
    "plot_map",
    "rims",
]

_NAMES = ("start", "middle", "end")


@dataclass(frozen=True)
class Panel:
    """One map.

    Attributes:
        title: the moment that it shows.
        lithium_fraction: (P,) at the points of the particles' grid.
    """

    title: str
    lithium_fraction: Floats


def passed_at(history: pd.DataFrame, times_s: Floats) -> Floats:
    """Return the charge passed by given times, (T,), A h m^-2; its sign is ignored."""
    passed = np.r_[0.0, np.cumsum(np.abs(np.diff(history["capacity_Ah_m2"])))]
    return np.interp(times_s, history["time_s"], passed).astype(np.float64)


def chosen_samples(history: pd.DataFrame, times_s: Floats) -> list[int]:
    """Return indices into `times_s` of the start, of half the charge passed, and of the end.

    Fields are written more rarely than the history, so that the middle is the sample nearest in
    charge; with fewer than three times there are fewer indices.
    """
    at_fields = passed_at(history, times_s)
    half = (at_fields[0] + at_fields[-1]) / 2
    middle = int(np.abs(at_fields - half).argmin())
    return sorted({0, middle, len(times_s) - 1})


def map_figure(grid: FieldGrid, panels: Sequence[Panel], layout: Layout) -> Figure:
    """Draw the panels side by side with one colour bar over the range of all of them."""
    norm = _common_range([panel.lithium_fraction for panel in panels])
    with style.style():
        figure, places = map_canvas(layout, len(panels))
        for axes, panel in zip(places, panels, strict=True):
            image = plot_map(axes, grid, panel.lithium_fraction, layout, norm=norm)
            axes.set_title(panel.title, linespacing=1.35)
        bar = figure.colorbar(image, ax=places, fraction=0.025, pad=0.015, aspect=28)
        bar.set_label(style.LITHIUM_LABEL)
        figure.draw_without_rendering()
    return figure


def _common_range(values: Sequence[Floats]) -> Normalize:
    low = min(float(value.min()) for value in values)
    high = max(float(value.max()) for value in values)
    if high - low < 1e-3:
        low, high = low - 5e-4, high + 5e-4
    return Normalize(low, high)


def plot_map(
    axes: Axes,
    grid: FieldGrid,
    values: Floats,
    layout: Layout,
    *,
    norm: Normalize | None = None,
    colours: str = style.FRACTION_COLOURS,
    background: bool = False,
) -> Any:
    """Draw a field over a planar grid in its place in the cell.

    Args:
        axes: matplotlib axes.
        grid: a 2D grid, thickness first.
        values: (P,) at its points.
        layout: the cell's layers.
        norm: range of the colours; None takes that of the values.
        colours: name of the colour map.
        background: whether the field lies between the particles: without outlines, and without
            names on it.

    Returns:
        the artist from which a colour bar is made.
    """
    draw_layers(axes, layout, named=not background)
    points = layout.placed(grid.points_um)
    image = axes.tripcolor(
        Triangulation(points[:, 0], points[:, 1], grid.cells),
        values,
        shading="gouraud",
        cmap=colours,
        norm=_common_range([values]) if norm is None else norm,
        zorder=2,
    )
    if not background:
        axes.add_collection(outlines(layout, grid))
    return image


def draw_particle_map(folder: Path | str) -> Path:
    """Draw report/lithium_fraction.png from the results folder alone.

    Returns:
        the path of the picture.

    Raises:
        InputError: the folder has no readable fields or history.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    history = read_history(results.path)
    series = read_fields(results.path, "particles")
    section = mid_section(series.grid)
    chosen = chosen_samples(history, series.times_s)
    unit = style.time_unit(float(series.times_s[-1]))
    panels = [
        _panel(
            series, section, history, index, f"{name}: {unit.said(float(series.times_s[index]))}"
        )
        for index, name in _named(chosen)
    ]
    figure = map_figure(section.grid, panels, layout_of(results.path, section))
    path = results.make_report() / "lithium_fraction.png"
    with style.style():
        style.save(figure, path)
    return path


def _named(chosen: Sequence[int]) -> list[tuple[int, str]]:
    names = {1: _NAMES[:1], 2: (_NAMES[0], _NAMES[2])}.get(len(chosen), _NAMES)
    return list(zip(chosen, names, strict=True))


def row_at(history: pd.DataFrame, time_s: float) -> pd.Series:
    """Return the last row at a given time, which is the state after a change of protocol step."""
    row: pd.Series = history.iloc[-1 - np.abs(history["time_s"].to_numpy() - time_s)[::-1].argmin()]
    return row


def _panel(
    series: FieldSeries, section: Section, history: pd.DataFrame, index: int, when: str
) -> Panel:
    row = row_at(history, float(series.times_s[index]))
    mean, spread = row["lithium_fraction_mean"], row["lithium_fraction_sd"]
    title = f"{when}, {row['voltage_V']:.3f} V\nmean {mean:.3f}, s.d. {spread:.3f}, by volume"
    return Panel(title, section.values(series.load(index)["lithium_fraction"]))
