"""A cell in 2D, or a plane of one in 3D, with particles painted pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

from heterode.results.sample import FieldGrid, Floats, Integers
from heterode.viewing import style
from heterode.viewing.movie.raster import rasterise
from heterode.viewing.movie.stage import Rectangle, Stage
from heterode.viewing.movie.video import Picture
from heterode.viewing.section import Section
from heterode.viewing.slab import Layout, draw_layers, outlines


class PlaneScene:
    """Paints a planar grid into the map's axes.

    Args:
        stage: the stage of the movie, whose map axes are filled here.
        section: the grid, and the interpolation of fields to its points.
        layout: the cell's layers.
    """

    def __init__(self, stage: Stage, section: Section, layout: Layout) -> None:
        self._section, (self._low, self._high) = section, stage.limits
        shades = stage.colours(np.linspace(0, 1, 256))[:, :3]
        self._shades = np.round(255 * shades).astype(np.uint8)
        with style.style():
            draw_layers(stage.map, layout)
            stage.map.set_xlabel(layout.labels[0], fontsize=10)
            stage.map.set_ylabel(layout.labels[1], fontsize=10)
            stage.map.tick_params(labelsize=8.5)
        self._place = stage.prepare()
        self._over, self._cover = _rim_pixels(stage, layout, section.grid, self._place)
        width, height = self._place.size
        points = stage.to_pixels(layout.placed(section.grid.points_um), self._place)
        self._raster = rasterise(points, section.grid.cells, height, width)

    def paint(self, page: Picture, shown: Floats, share: float) -> None:
        """Paint the particles into a page.

        Args:
            page: (height, width, 3), which is changed.
            shown: (P,) values that are coloured, at the points of the original grid.
            share: elapsed share of the movie; a plane does not move.
        """
        place = self._place
        picture = page[place.top : place.bottom, place.left : place.right]
        values = self._raster.values(self._section.values(shown))
        level = np.clip((values - self._low) / (self._high - self._low), 0.0, 1.0)
        colour = self._shades[(255 * level + 0.5).astype(np.int64)]
        picture[self._raster.row, self._raster.column] = colour
        rows, columns = self._over
        below = picture[rows, columns].astype(np.float64)
        ink, cover = self._cover
        picture[rows, columns] = np.round(below + cover * (ink - below)).astype(np.uint8)

    def close(self) -> None:
        """Do nothing, since no resources are held."""


def _rim_pixels(
    stage: Stage, layout: Layout, grid: FieldGrid, place: Rectangle
) -> tuple[tuple[Integers, Integers], tuple[Floats, Floats]]:
    """Return the outlines as pixels: (rows, columns), and their colour and opacity (M, 3)."""
    width, height = stage.figure.get_size_inches()
    page = style.new_figure(width, height, None)
    page.set_dpi(stage.figure.get_dpi())
    page.patch.set_alpha(0.0)
    axes = page.add_axes(stage.map.get_position().bounds)
    axes.set_axis_off()
    axes.set(xlim=stage.map.get_xlim(), ylim=stage.map.get_ylim())
    axes.add_collection(outlines(layout, grid, width=0.45))
    canvas: Any = page.canvas
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())
    drawn = drawn[place.top : place.bottom, place.left : place.right].astype(np.float64)
    rows, columns = np.nonzero(drawn[..., 3] > 0)
    cover = np.repeat(drawn[rows, columns, 3:] / 255.0, 3, axis=1)
    return (rows, columns), (drawn[rows, columns, :3], cover)
