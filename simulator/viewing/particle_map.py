"""report/lithium_fraction.png: the lithium in the particles at start, middle and end.

A 3D run is shown in the plane half-way across, y = const.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.tri import Triangulation

from simulator.errors import InputError
from simulator.results.fields import FieldSeries, read_fields
from simulator.results.folder import ResultsFolder
from simulator.results.history import read_history
from simulator.results.sample import FieldGrid, Floats, Integers
from simulator.viewing import style
from simulator.viewing.section import Section, mid_section

_NAMES = ("start", "middle", "end")
_LYING_FROM = 2.2  # width over thickness from which the layers lie flat and the panels are stacked


@dataclass(frozen=True)
class Panel:
    """One map.

    Attributes:
        title: what moment it shows.
        lithium_fraction: (P,) at the points of the particles' grid.
    """

    title: str
    lithium_fraction: Floats


@dataclass(frozen=True)
class Layout:
    """Where the cell's layers lie, um: collector at 0, coating, separator, lithium metal.

    `names` label the axes along the thickness and across it.
    """

    coating_um: float
    cell_um: float
    bottom_um: float
    top_um: float
    names: tuple[str, str] = ("$x$ / µm", "$y$ / µm")

    @property
    def aspect(self) -> float:
        """Width over thickness."""
        return (self.top_um - self.bottom_um) / self.cell_um

    @property
    def lying(self) -> bool:
        """Whether the layers are drawn flat, the collector below."""
        return self.aspect > _LYING_FROM


def chosen_samples(history: pd.DataFrame, times_s: Floats) -> list[int]:
    """Indices into `times_s` of the start, of half the charge passed, and of the end.

    The charge passed counts charge and discharge alike. Where fields are written more rarely than
    the history, the nearest one in charge stands for the middle; fewer than three times give fewer
    indices.
    """
    passed = np.r_[0.0, np.cumsum(np.abs(np.diff(history["capacity_Ah_m2"])))]
    at_fields = np.interp(times_s, history["time_s"], passed)
    half = (at_fields[0] + at_fields[-1]) / 2
    middle = int(np.abs(at_fields - half).argmin())
    return sorted({0, middle, len(times_s) - 1})


def rims(grid: FieldGrid) -> Integers:
    """(E, 2) edges of the particles' outlines: those of one triangle only in their particle."""
    edges = np.sort(grid.cells[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    owner = np.repeat(grid.cell_data.get("particle", np.zeros(len(grid.cells), dtype=int)), 3)
    keys = np.column_stack([owner, edges])
    found, counts = np.unique(keys, axis=0, return_counts=True)
    return np.asarray(found[counts == 1][:, 1:])


def map_figure(grid: FieldGrid, panels: Sequence[Panel], layout: Layout) -> Figure:
    """The panels side by side with one colour bar over the range of all of them."""
    low = min(float(panel.lithium_fraction.min()) for panel in panels)
    high = max(float(panel.lithium_fraction.max()) for panel in panels)
    if high - low < 1e-3:
        low, high = low - 5e-4, high + 5e-4
    norm = Normalize(low, high)
    points = grid.points_um[:, ::-1] if layout.lying else grid.points_um
    triangulation = Triangulation(points[:, 0], points[:, 1], grid.cells)
    outline = points[rims(grid)]
    with style.style():
        figure, places = _canvas(layout, len(panels))
        for axes, panel in zip(places, panels, strict=True):
            _draw_layers(axes, layout)
            image = axes.tripcolor(
                triangulation,
                panel.lithium_fraction,
                shading="gouraud",
                cmap=style.FRACTION_COLOURS,
                norm=norm,
                zorder=2,
            )
            axes.add_collection(
                LineCollection(list(outline), colors=style.INK, linewidths=0.25, zorder=3)
            )
            axes.set_title(panel.title, linespacing=1.35)
        bar = figure.colorbar(image, ax=places, fraction=0.025, pad=0.015, aspect=28)
        bar.set_label("lithium fraction")
        figure.draw_without_rendering()
    return figure


def _canvas(layout: Layout, count: int) -> tuple[Figure, list[Any]]:
    """A figure of the right height, and its axes: side by side, or stacked if the cell is wide."""
    across, along = layout.names[::-1] if layout.lying else layout.names
    if layout.lying:
        height = (style.DOUBLE_COLUMN_IN - 1.2) / layout.aspect + 0.45
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, count * height + 0.3, "compressed")
        places = list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])
    else:
        # Three panels share the page less the colour bar and the axis labels.
        height = (style.DOUBLE_COLUMN_IN - 1.35) / 3 * layout.aspect + 0.85
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, max(height, 1.9), "compressed")
        places = list(figure.subplots(1, count, sharey=True, squeeze=False)[0])
    for axes in places:
        if axes.get_subplotspec().is_last_row():
            axes.set_xlabel(across)
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel(along)
    return figure, places


def draw_particle_map(folder: Path | str) -> Path:
    """Draw report/lithium_fraction.png from the results folder alone.

    Returns:
        the path of the picture.

    Raises:
        InputError: no readable fields or history there.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    history = read_history(results.path)
    series = read_fields(results.path, "particles")
    section = mid_section(series.grid)
    chosen = chosen_samples(history, series.times_s)
    panels = [_panel(series, section, history, index, name) for index, name in _named(chosen)]
    figure = map_figure(section.grid, panels, _layout(results.path, section))
    path = results.make_report() / "lithium_fraction.png"
    with style.style():
        style.save(figure, path)
    return path


def _named(chosen: Sequence[int]) -> list[tuple[int, str]]:
    names = {1: _NAMES[:1], 2: (_NAMES[0], _NAMES[2])}.get(len(chosen), _NAMES)
    return list(zip(chosen, names, strict=True))


def _panel(
    series: FieldSeries, section: Section, history: pd.DataFrame, index: int, name: str
) -> Panel:
    time = float(series.times_s[index])
    # The last row at that time: it is the state after a change of the protocol's step.
    row = history.iloc[np.abs(history["time_s"].to_numpy() - time)[::-1].argmin() * -1 - 1]
    mean, spread = row["lithium_fraction_mean"], row["lithium_fraction_sd"]
    title = (
        f"{name}: {style.spoken_time(time)}, {row['voltage_V']:.3f} V\n"
        f"mean {mean:.3f}, particle s.d. {spread:.3f}"
    )
    return Panel(title, section.values(series.load(index)["lithium_fraction"]))


def _layout(folder: Path, section: Section) -> Layout:
    """Layers from the extents of the grids; without the others, the particles' own."""
    planar = section.across_um is None
    grids = [section.grid.points_um]
    for domain in ("carbon", "electrolyte"):
        try:
            points = read_fields(folder, domain).grid.points_um
            grids.append(points if planar else points[:, [2, 0]])
        except InputError:
            grids.append(section.grid.points_um)
    x_ends = [float(points[:, 0].max()) for points in grids]
    y_all = np.concatenate([points[:, 1] for points in grids])
    coating = max(x_ends[:2])
    layout = Layout(coating, max(x_ends), float(y_all.min()), float(y_all.max()))
    if planar:
        return layout
    return replace(layout, names=("$z$ / µm", f"$x$ / µm, at $y$ = {section.across_um:.3g} µm"))


def _draw_layers(axes: Any, layout: Layout) -> None:
    """Carbon binder and separator as background, collector and lithium metal as bars outside."""
    height = layout.top_um - layout.bottom_um
    bar = 0.025 * layout.cell_um
    layers = [
        (-bar, bar, style.COLLECTOR),
        (0.0, layout.coating_um, style.CARBON_BINDER),
        (layout.coating_um, layout.cell_um - layout.coating_um, style.SEPARATOR),
        (layout.cell_um, bar, style.LITHIUM_METAL),
    ]
    for x, width, colour in layers:
        place, extent = (x, layout.bottom_um), (width, height)
        if layout.lying:
            place, extent = place[::-1], extent[::-1]
        axes.add_patch(Rectangle(place, *extent, facecolor=colour, linewidth=0, zorder=1))
    thickness = layout.cell_um - layout.coating_um
    if thickness > 0.08 * layout.cell_um:
        middle = (layout.coating_um + thickness / 2, layout.bottom_um + height / 2)
        axes.text(
            *(middle[::-1] if layout.lying else middle),
            "separator",
            rotation=0 if layout.lying else 90,
            ha="center",
            va="center",
            color=style.NEUTRAL,
            fontsize=6.5,
        )
    limits = [(-bar, layout.cell_um + bar), (layout.bottom_um, layout.top_um)]
    axes.set(**dict(zip(("xlim", "ylim"), limits[:: -1 if layout.lying else 1], strict=True)))
    axes.set_aspect("equal")
    axes.tick_params(direction="out", length=2.5)
