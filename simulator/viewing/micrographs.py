"""Brightness of the particles over the states of a series, as in Fig. S11."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heterode.viewing import style
from heterode.viewing.legends import lay_out

Floats = npt.NDArray[np.float64]

CHANNEL_LOOKS: Mapping[str, dict[str, Any]] = {
    "red": {"color": style.VERMILLION, "linestyle": "-"},
    "green": {"color": style.GREEN, "linestyle": "--"},
    "blue": {"color": style.BLUE, "linestyle": ":"},
}
"""A line style for each colour channel, and a colour like its own that suits the colour-blind."""
_LOOKS = {**CHANNEL_LOOKS, "grey": {"color": style.INK, "linestyle": "-."}}
_MARKS = {"red": "s", "green": "o", "blue": "^", "grey": "D"}


@dataclass(frozen=True)
class State:
    """A picture of a series.

    Attributes:
        name: the name of the picture.
        place: voltage or lithium fraction; NaN if neither is known.
        mean, sd: each channel of the particles: ratios, or brightness if there are no ratios.
        values: (N,) values of the particles.
        colours: (N, C) channels of the particles, of the same kind as mean and sd.
        channels: names of the C channels.
    """

    name: str
    place: float
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    values: Floats
    colours: Floats
    channels: tuple[str, ...] = ("red", "green", "blue")


def series_figure(states: Sequence[State], along: str, brightness: str, value: str) -> Figure:
    """Draw the mean brightness of the channels over the states, and the particles' values.

    Args:
        states: at least one.
        along: the quantity `place` with its unit; "" lists the pictures by name.
        brightness: the quantity of mean and sd.
        value: the quantity of the values.
    """
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 2.9)
        left, right = figure.subplots(1, 2)
        if len(states) == 1:
            _draw_distributions(left, right, states[0], brightness, value)
            lay_out(figure)
            return figure
        if along:
            states = sorted(states, key=lambda state: state.place)
        x = np.array([s.place for s in states]) if along else np.arange(len(states), dtype=float)
        for channel, look in _LOOKS.items():
            shown = [k for k, state in enumerate(states) if channel in state.channels]
            if not shown:
                continue
            places = [(states[k], states[k].channels.index(channel)) for k in shown]
            left.errorbar(
                x[shown],
                [state.mean[index] for state, index in places],
                [state.sd[index] for state, index in places],
                **look,
                marker=_MARKS[channel],
                markersize=3.5,
                linewidth=1.0,
                elinewidth=0.6,
                capsize=1.8,
                label=channel,
            )
        left.set_ylabel(brightness)
        left.set_title("mean ± s.d. of the particles, by number")
        left.legend()
        _name_states(left, states, x, along)
        _draw_values(right, states, x, along)
        right.set_ylabel(value)
        right.set_title("5, 25, 50, 75 and 95 % of the particles, by number")
        lay_out(figure)
    return figure


def _draw_distributions(left: Axes, right: Axes, state: State, brightness: str, value: str) -> None:
    """Draw the distributions of brightness and value for one picture, which makes no series."""
    for index, channel in enumerate(state.channels):
        look = _LOOKS[channel]
        found = state.colours[:, index]
        label = f"{channel}, {state.mean[index]:.3f} ± {state.sd[index]:.3f}"
        left.hist(found, bins="auto", histtype="step", label=label, **look)
    left.set_xlabel(brightness)
    left.legend(loc="best")
    right.hist(state.values, bins="auto", color=style.CHARGE, alpha=0.55)
    right.set_xlabel(value)
    for axes in (left, right):
        axes.set_ylabel("particles, by number")
        axes.margins(y=0.35)


def _draw_values(axes: Axes, states: Sequence[State], x: Floats, along: str) -> None:
    """Draw the particles' quartiles, and the range from 5th to 95th percentile, as bars."""
    gap = float(np.diff(np.sort(x)).min()) if len(x) > 1 else 1.0
    width = 0.5 * (gap if gap > 0 else 1.0)
    for place, state in zip(x, states, strict=True):
        low, first, middle, third, high = np.percentile(state.values, [5, 25, 50, 75, 95])
        axes.vlines(place, low, high, color=style.NEUTRAL, linewidth=0.8)
        axes.bar(place, third - first, width, first, color=style.CHARGE, alpha=0.55, linewidth=0)
        axes.hlines(middle, place - width / 2, place + width / 2, color=style.INK, linewidth=1.2)
    _name_states(axes, states, x, along)
    axes.margins(x=0.08, y=0.08)


def _name_states(axes: Axes, states: Sequence[State], x: Floats, along: str) -> None:
    if along:
        axes.set_xlabel(along)
        return
    axes.set_xticks(x, [state.name for state in states], rotation=30, ha="right")
    axes.set_xlim(-0.6, len(states) - 0.4)


def draw_series(
    path: Path, states: Sequence[State], along: str, brightness: str, value: str
) -> Path:
    """Write the figure as PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    figure = series_figure(states, along, brightness, value)
    with style.style():
        style.save(figure, path)
    return path
