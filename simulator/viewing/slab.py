"""The cell as the background of a map: collector, coating, separator and lithium metal in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from heterode.results.sample import FieldGrid, Floats, Integers
from heterode.results.slab_box import slab_box
from heterode.viewing import style
from heterode.viewing.section import Section

_LYING_FROM = 2.2  # width / thickness from which layers lie flat and panels are stacked
_BAR = 0.025  # thickness of collector and lithium metal, as a share of the cell's


@dataclass(frozen=True)
class Layout:
    """The places of the cell's layers, um: collector at 0, coating, separator, lithium metal.

    `names` label the axes along the thickness and across it; `flat` decides how the layers lie if
    the aspect ratio alone should not.
    """

    coating_um: float
    cell_um: float
    bottom_um: float
    top_um: float
    names: tuple[str, str] = ("$x$ / µm", "$y$ / µm")
    flat: bool | None = None

    @property
    def aspect(self) -> float:
        """Ratio of width to thickness."""
        return (self.top_um - self.bottom_um) / self.cell_um

    @property
    def lying(self) -> bool:
        """Whether the layers are drawn flat, with the collector below."""
        return self.aspect > _LYING_FROM if self.flat is None else self.flat

    @property
    def limits(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The limits of the two axes as drawn, um, including the bars outside the cell."""
        bar = _BAR * self.cell_um
        along, across = (-bar, self.cell_um + bar), (self.bottom_um, self.top_um)
        return (across, along) if self.lying else (along, across)

    @property
    def labels(self) -> tuple[str, str]:
        """The labels of the two axes as drawn."""
        return (self.names[1], self.names[0]) if self.lying else self.names

    def placed(self, points_um: Floats) -> Floats:
        """Return points (P, 2), given with the thickness first, as they are drawn."""
        return points_um[:, ::-1] if self.lying else points_um


def layout_of(folder: Path, section: Section) -> Layout:
    """Return the layers from the bounds of the slab."""
    box, planar = slab_box(folder), section.across_um is None
    bottom, top = (float(bound) for bound in box.cell[1 if planar else 0])
    layout = Layout(box.coating_um, float(box.cell[box.axis, 1]), bottom, top)
    if planar:
        return layout
    return replace(layout, names=("$z$ / µm", f"$x$ / µm, at $y$ = {section.across_um:.3g} µm"))


def map_canvas(layout: Layout, count: int) -> tuple[Figure, list[Any]]:
    """Return a figure of the right height and its axes, which are stacked if the cell is wide."""
    if layout.lying:
        height = (style.DOUBLE_COLUMN_IN - 1.2) / layout.aspect + 0.45
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, count * height + 0.3, "compressed")
        places = list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])
    else:
        # Three panels share the page, except for the colour bar and the axis labels.
        height = (style.DOUBLE_COLUMN_IN - 1.35) / 3 * layout.aspect + 0.85
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, max(height, 1.9), "compressed")
        places = list(figure.subplots(1, count, sharey=True, squeeze=False)[0])
    for axes in places:
        if axes.get_subplotspec().is_last_row():
            axes.set_xlabel(layout.labels[0])
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel(layout.labels[1])
    return figure, places


def draw_layers(axes: Axes, layout: Layout, *, named: bool = True) -> None:
    """Draw carbon binder and separator as background, collector and lithium metal as bars outside.

    Args:
        axes: matplotlib axes.
        layout: the layers.
        named: whether the separator is named, if there is room.
    """
    height = layout.top_um - layout.bottom_um
    bar = _BAR * layout.cell_um
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
    if named and thickness > 0.08 * layout.cell_um:
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
    axes.set(xlim=layout.limits[0], ylim=layout.limits[1])
    axes.set_aspect("equal")
    axes.tick_params(direction="out", length=2.5)


def rims(grid: FieldGrid) -> Integers:
    """Return the edges (E, 2) of the outlines: those of only one triangle in their particle."""
    edges = np.sort(grid.cells[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    owner = np.repeat(grid.cell_data.get("particle", np.zeros(len(grid.cells), dtype=int)), 3)
    keys = np.column_stack([owner, edges])
    found, counts = np.unique(keys, axis=0, return_counts=True)
    return np.asarray(found[counts == 1][:, 1:])


def outlines(layout: Layout, grid: FieldGrid, *, width: float = 0.25) -> LineCollection:
    """Return the particles' outlines, to be added to axes."""
    lines: Sequence[Floats] = list(layout.placed(grid.points_um)[rims(grid)])
    return LineCollection(lines, colors=style.INK, linewidths=width, zorder=3)
