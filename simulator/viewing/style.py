"""The look that all figures share: sizes for print, quiet axes, colours for the colour-blind."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator, MaxNLocator

from heterode.results.marks import short_mark
from heterode.results.sample import Floats
from heterode.results.written import write_output

Layout = Literal["constrained", "compressed"]

DOUBLE_COLUMN_IN = 7.2  # 183 mm, the width of a journal's page
DPI = 220

CHARGE = "#0a6eb4"
DISCHARGE = "#d1542a"
NEUTRAL = "#7a7a76"
INK = "#2b2b2a"
CARBON_BINDER = "#e4e3df"
SEPARATOR = "#f4f3f0"
COLLECTOR = "#6f7378"
LITHIUM_METAL = "#b9bec4"

# The palette of Okabe and Ito, whose colours the colour-blind can tell apart.
BLUE, SKY, GREEN = "#0072b2", "#56b4e9", "#009e73"
ORANGE, VERMILLION, PURPLE = "#e69f00", "#d55e00", "#cc79a7"
GREY, PALE, BAND = "#c9c9c4", "#e6e6e2", "#f3e6b3"

FRACTION_COLOURS = "viridis"  # a perceptually uniform map, readable in grey and by the colour-blind
DENSITY_COLOURS = "cividis"
CYCLE_COLOURS = "plasma"
DIRECTION = "yellow: more lithium"
"""Text of every colour bar of lithium; pictures, movies and ParaView share the direction."""
LITHIUM_LABEL = f"lithium fraction\n({DIRECTION})"

_RC: Mapping[str, Any] = MappingProxyType(
    {
        "font.family": "DejaVu Sans",
        "font.size": 7.5,
        "axes.titlesize": 7.5,
        "axes.labelsize": 8,
        "axes.linewidth": 0.6,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.titlepad": 5,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.direction": "in",
        "ytick.direction": "in",
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.frameon": False,
        "legend.fontsize": 7,
        "legend.handlelength": 1.4,
        "lines.linewidth": 1.3,
        "mathtext.fontset": "dejavusans",
        "savefig.facecolor": "white",
    }
)


@contextmanager
def style() -> Iterator[None]:
    """Context that sets the shared look; afterwards the caller's settings are restored.

    Settings of a matplotlibrc of the user, or in the working folder, are ignored inside.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def new_figure(width_in: float, height_in: float, layout: Layout | None = "constrained") -> Figure:
    """Return a figure with its own canvas: no display, no state shared with the caller's plots."""
    figure = Figure(figsize=(width_in, height_in), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def _cycle_scale(cycles: int) -> Normalize:
    # The palest colours would be lost on white.
    return Normalize(0, max(cycles - 1, 1) / 0.9)


def cycle_colour(cycle: int, cycles: int) -> Any:
    """Return the colour of a cycle, from 0, among a number of cycles."""
    return colormaps[CYCLE_COLOURS](_cycle_scale(cycles)(cycle))


def cycle_bar(figure: Figure, axes: Axes, cycles: int) -> None:
    """Draw a bar of the colours of cycles, if they are too many to name."""
    shades = ScalarMappable(_cycle_scale(cycles), colormaps[CYCLE_COLOURS])
    figure.colorbar(shades, ax=axes, label="cycle").ax.set_ylim(0, cycles - 1)


def save(figure: Figure, path: Path) -> None:
    """Write the figure in the format of the file's ending, whole or not at all.

    Raises:
        InputError: a file that is not heterode's own is in the way.
        OutputError: the file cannot be written.
    """
    mark_altered(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:], dpi=DPI)
    write_output(path, buffer.getvalue())


def mark_altered(figure: Figure) -> None:
    """Write on a figure that it shows altered results, if it does."""
    mark = short_mark()
    if mark and all(text.get_text() != mark for text in figure.texts):
        figure.text(
            0.005,
            0.995,
            mark,
            va="top",
            fontsize=7,
            color="white",
            backgroundcolor=VERMILLION,
            zorder=99,
            in_layout=False,
        )


def few_ticks() -> MaxNLocator:
    """Return a locator with round numbers, at most five, for small panels and colour bars."""
    return MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10])


def finish(axes: Axes) -> None:
    """Draw ticks on all four sides, with one minor tick between two major ones."""
    axes.tick_params(which="both", top=True, right=True)
    axes.xaxis.set_minor_locator(AutoMinorLocator(2))
    axes.yaxis.set_minor_locator(AutoMinorLocator(2))


def letter(axes: Axes, name: str, title: str) -> None:
    """Write a panel's bold letter and what it shows, above its upper left corner."""
    axes.set_title(rf"$\bf{{{name}}}$  {title}", loc="left")


def spoken_time(seconds: float) -> str:
    """Return a time in the unit that a reader would choose: "45 s", "12.5 min", "7.03 h"."""
    if abs(seconds) < 120:
        return f"{seconds:.3g} s"
    if abs(seconds) < 7200:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h" if abs(seconds) < 3.6e6 else f"{seconds / 3600:.0f} h"


@dataclass(frozen=True)
class TimeUnit:
    """The unit in which all times of one picture are given.

    Attributes:
        seconds: its length, s.
        name: its name, such as "h".
    """

    seconds: float
    name: str

    def said(self, seconds: float) -> str:
        """Return a time in this unit as text, such as "0.02 h"."""
        value = seconds / self.seconds
        return f"{value:.3g} {self.name}" if abs(value) < 999.5 else f"{value:.0f} {self.name}"


def time_unit(longest_s: float) -> TimeUnit:
    """Return the unit for a picture whose times end at `longest_s`."""
    if longest_s < 300:
        return TimeUnit(1.0, "s")
    return TimeUnit(60.0, "min") if longest_s < 7200 else TimeUnit(3600.0, "h")


def beyond(values: Floats, low: float, high: float) -> Literal["neither", "min", "max", "both"]:
    """Return at which ends values lie beyond a colour bar; those ends are drawn as arrows."""
    finite = values[np.isfinite(values)]
    under, over = bool(np.any(finite < low)), bool(np.any(finite > high))
    if under and over:
        return "both"
    return "min" if under else "max" if over else "neither"


def trimmed(name: str, *, low: float = 0.0, high: float = 1.0) -> Colormap:
    """Return a part of a named colour map."""
    return ListedColormap(colormaps[name](np.linspace(low, high, 256)), f"{name}-trimmed")


def notebook_axes() -> Any:
    """Return the axes of a new pyplot figure, which notebooks show by themselves."""
    import matplotlib.pyplot as plt

    with style():
        return plt.subplots(figsize=(4.6, 3.1), layout="constrained", dpi=130)[1]
