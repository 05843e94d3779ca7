"""The page of a movie: the cell on the left, voltage, spread and histogram on the right.

The fixed parts are drawn once. A frame then costs a few artists and the picture of the cell, which
a scene paints into the rectangle left for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import AutoMinorLocator, MaxNLocator

from heterode.results.sample import Floats
from heterode.viewing import style
from heterode.viewing.half_cycles import PER_AH_M2
from heterode.viewing.movie.timeline import Frame, Timeline
from heterode.viewing.movie.video import Picture
from heterode.viewing.movie.view import View

_HEIGHT_IN = 7.2
_MAP = (0.06, 0.09, 0.54, 0.79)  # left, bottom, width, height, as shares of the page
_RIGHT = (0.745, 0.238)  # left and width of the panels
_PANELS = ((0.715, 0.225), (0.415, 0.225), (0.09, 0.225))  # bottom and height of each
_BINS = 28
_PALE = "#c9cac6"
_LONGEST_TITLE = 104

Extend = Literal["neither", "min", "max", "both"]


@dataclass(frozen=True)
class Rectangle:
    """A rectangle of pixels: rows from the top, columns from the left, without the end values."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top


class Stage:
    """Draws frames; see the module's docstring.

    Args:
        view: how the movie looks.
        timeline: the frames of the movie.
        history: history of the cell.
        limits: range of the colours.
        title: the run's title.
        extend: at which ends values may lie beyond the colours.
    """

    def __init__(
        self,
        view: View,
        timeline: Timeline,
        history: pd.DataFrame,
        limits: tuple[float, float],
        title: str,
        extend: Extend = "neither",
    ) -> None:
        self._view, self.limits, self._extend = view, limits, extend
        self.colours = view.colours
        self._unit = style.time_unit(float(timeline.times_s[-1]))
        width, height = view.size
        self._dpi = height / _HEIGHT_IN
        with style.style():
            # A little more than a whole number, since the canvas rounds down.
            self.figure = style.new_figure(
                (width + 0.01) / self._dpi, (height + 0.01) / self._dpi, None
            )
            self.figure.set_dpi(self._dpi)
            # An Agg canvas gives access to its pixels.
            self._canvas: Any = self.figure.canvas
            self.map = self.figure.add_axes(_MAP)
            self._colour_bar()
            self._panels(timeline, history)
            self._words = self.figure.text(
                _MAP[0], 0.925, "", fontsize=10.5, animated=True, family="DejaVu Sans Mono"
            )
            self.figure.text(_MAP[0], 0.962, _fitting(title), fontsize=11, weight="bold")
        self._background: Any = None

    # -- fixed parts -------------------------------------------------------------------------

    def _colour_bar(self) -> None:
        low, high = self.limits
        shades = ScalarMappable(Normalize(low, high), self.colours)
        place = self.figure.add_axes((_MAP[0] + _MAP[2] + 0.014, 0.16, 0.012, 0.65))
        bar = self.figure.colorbar(shades, cax=place, extend=self._extend)
        bar.set_label(f"{self._view.label} ({style.DIRECTION})", fontsize=10)
        bar.ax.tick_params(labelsize=8.5, direction="out")

    def _panels(self, timeline: Timeline, history: pd.DataFrame) -> None:
        upper, middle, lower = (
            self.figure.add_axes((_RIGHT[0], bottom, _RIGHT[1], height))
            for bottom, height in _PANELS
        )
        # The movie leaves out what was recorded after the last fields.
        shown = history[history["time_s"] <= timeline.times_s[-1]]
        self._rows = shown
        if self._view.steps == "time":
            self._abscissa = shown["time_s"].to_numpy() / self._unit.seconds
            label = f"time / {self._unit.name}"
        else:
            self._abscissa = PER_AH_M2 * shown["capacity_Ah_m2"].to_numpy()
            label = "areal capacity / mA h cm$^{-2}$"
        self._curves = []
        for axes, name, what, colour in (
            (upper, "voltage_V", "cell voltage / V", style.CHARGE),
            (middle, "lithium_fraction_sd", "s.d. of particles, by volume", style.DISCHARGE),
        ):
            values = shown[name].to_numpy()
            axes.plot(self._abscissa, values, color=_PALE, linewidth=1.6)
            (past,) = axes.plot([], [], color=colour, linewidth=1.8, animated=True)
            (here,) = axes.plot(
                [], [], "o", color=colour, markersize=6.5, markeredgecolor="white", animated=True
            )
            axes.margins(x=0.03, y=0.08)
            axes.set_ylabel(what)
            axes.set_xlabel(label)
            self._curves.append((axes, values, past, here))
        middle.set_ylim(bottom=0)
        self._histogram(lower, timeline)
        for axes in (upper, middle, lower):
            axes.xaxis.set_minor_locator(AutoMinorLocator(2))
            axes.tick_params(which="both", top=True, right=True, labelsize=8.5)
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.xaxis.label.set_fontsize(9.5)
            axes.yaxis.label.set_fontsize(9.5)

    def _histogram(self, axes: Axes, timeline: Timeline) -> None:
        self._edges = np.linspace(*self.limits, _BINS + 1)
        middle = (self._edges[1:] + self._edges[:-1]) / 2
        scale = Normalize(*self.limits)
        self._bars = axes.bar(
            middle,
            np.zeros(_BINS),
            width=0.94 * np.diff(self._edges),
            color=self.colours(scale(middle)),
            animated=True,
        )
        self._mean_line = axes.axvline(
            middle[0], color=style.INK, linewidth=1.2, linestyle=(0, (4, 2)), animated=True
        )
        self._bar_axes = axes
        axes.set_xlim(self.limits)
        axes.set_ylim(0, self._tallest(timeline))
        # If all particles are alike a bar exceeds the axis, and its height is written above it.
        self._tall = axes.text(
            0.5, 1.03, "", transform=axes.transAxes, ha="center", fontsize=8.5, animated=True
        )
        axes.set_xlabel(f"{self._view.label} (dashes: mean by volume)")
        axes.set_ylabel("share of particles, by number")

    def _tallest(self, timeline: Timeline) -> float:
        """Return the height of the tallest bar at times when the particles differ clearly."""
        frames = [timeline.frame(k) for k in _some(len(timeline), 60)]
        widest = max(frame.spread for frame in frames)
        apart = [m for m in frames if m.spread >= 0.4 * widest] or frames
        tallest = max(float(self._counts(frame.lithium_fraction).max()) for frame in apart)
        return min(1.02, 1.15 * tallest)

    def _counts(self, lithium_fraction: Floats) -> Floats:
        """Return the share of particles in each bin, (B,); the outermost bins are open-ended."""
        shown = np.clip(self._view.shown(lithium_fraction), *self.limits)
        return np.histogram(shown, self._edges)[0] / shown.size

    # -- frames -----------------------------------------------------------------------------

    def prepare(self) -> Rectangle:
        """Draw the fixed parts; to be called once everything is in place.

        Returns:
            the rectangle of the map's axes.
        """
        with style.style():
            self.figure.canvas.draw()
        self._background = self._canvas.copy_from_bbox(self.figure.bbox)
        box = self.map.get_window_extent()
        height = self._view.height
        return Rectangle(
            round(height - box.y1), round(height - box.y0), round(box.x0), round(box.x1)
        )

    def to_pixels(self, points: Floats, rectangle: Rectangle) -> Floats:
        """Convert points (P, 2) of the map's axes to pixels from the rectangle's upper left."""
        placed = self.map.transData.transform(points)
        x, y = placed[:, 0] - rectangle.left, self._view.height - placed[:, 1] - rectangle.top
        return np.column_stack([x, y])

    def draw(self, frame: Frame) -> Picture:
        """Return the page for a frame, (height, width, 3), without the picture of the cell."""
        canvas = self._canvas
        canvas.restore_region(self._background)
        here = (
            frame.time_s / self._unit.seconds
            if self._view.steps == "time"
            else PER_AH_M2 * frame.capacity_Ah_m2
        )
        until = int(np.searchsorted(self._rows["time_s"], frame.time_s, side="right"))
        now = (frame.voltage_V, frame.spread)
        for (axes, values, past, mark), value in zip(self._curves, now, strict=True):
            past.set_data(np.r_[self._abscissa[:until], here], np.r_[values[:until], value])
            mark.set_data([here], [value])
            axes.draw_artist(past)
            axes.draw_artist(mark)
        counts = self._counts(frame.lithium_fraction)
        for bar, count in zip(self._bars, counts, strict=True):
            bar.set_height(count)
            self._bar_axes.draw_artist(bar)
        tallest = float(counts.max())
        beyond = tallest > self._bar_axes.get_ylim()[1]
        self._tall.set_text(f"tallest bar: {tallest:.2f}" if beyond else "")
        self._bar_axes.draw_artist(self._tall)
        mean = float(self._view.shown(np.array([frame.mean]))[0])
        self._mean_line.set_xdata([mean, mean])
        self._bar_axes.draw_artist(self._mean_line)
        self._words.set_text(self._said(frame, mean))
        self.figure.draw_artist(self._words)
        return np.array(canvas.buffer_rgba())[: self._view.height, : self._view.size[0], :3]

    def _said(self, frame: Frame, mean: float) -> str:
        words = f"{self._unit.said(frame.time_s):<8}  {frame.voltage_V:.3f} V"
        of_all = f"mean {self._view.symbol} = {mean:.3f}, s.d. {frame.spread:.3f}, by volume"
        return f"{words}  {of_all}"


def _fitting(title: str) -> str:
    """Return a title that ends before the panels on the right begin."""
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1]}…"


def _some(count: int, most: int) -> Sequence[int]:
    """Return at most `most` of the numbers below `count`, spaced evenly."""
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, most))})
