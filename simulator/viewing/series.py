"""The same particles in several states: how fast each reacts, which rest, and which stay ahead.

A   every particle's value less the mean, over the mean (the lag, with the sign of the value)
B   relative rates of each interval: median, 16 to 84 % and 2.5 to 97.5 %, and what is inactive
C   the share of inactive particles, and of those inactive in every interval so far, beside chance
D   persistence of ranks: of the values, and of the rates

The abscissa of all panels is the mean value, so that a measured series and its simulated
counterpart lie over each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from heterode.heterogeneity.marks import Floats
from heterode.heterogeneity.series import Series
from heterode.viewing import style
from heterode.viewing.legends import lay_out

_COLOURS = (style.BLUE, style.VERMILLION)
_LINES = 400  # more particles are drawn as every second, third, ... one


def series_figure(found: Mapping[str, Series], value: str, title: str) -> Figure:
    """Draw four panels.

    Args:
        found: one series, or two by name that are laid over each other.
        value: the quantity that the particles carry.
        title: the title of the figure.
    """
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 6.0)
        (a, b), (c, d) = figure.subplots(2, 2, sharex=True)
        for (name, series), colour in zip(found.items(), _COLOURS, strict=False):
            _draw_values(a, series, colour)
            _draw_rates(b, series, colour)
            _draw_inactive(c, series, colour)
            _draw_ranks(d, series, colour)
            if len(found) > 1:
                a.plot([], [], color=colour, linewidth=4, label=name)
        threshold = next(iter(found.values())).threshold
        b.axhline(1.0, color=style.NEUTRAL, linewidth=0.5, zorder=0.5)
        look = {"color": style.INK, "linewidth": 0.8, "linestyle": (0, (2, 1.5))}
        b.axhline(threshold, label=f"inactive below {threshold:g}", **look)
        d.axhline(0.0, color=style.NEUTRAL, linewidth=0.5, zorder=0.5)
        a.set_ylabel(f"{value} less its mean")
        b.set_ylabel("rate over its mean, by number")
        c.set_ylabel("share of the particles")
        d.set_ylabel("rank correlation (Spearman)")
        c.set_ylim(0.0, 1.0)
        d.set_ylim(-1.0, 1.0)
        for axes, letter, heading in (
            (a, "A", "ahead and behind"),
            (b, "B", "rates"),
            (c, "C", "inactive particles"),
            (d, "D", "persistence of ranks"),
        ):
            style.finish(axes)
            style.letter(axes, letter, heading)
        for axes in (c, d):
            axes.set_xlabel(f"mean {value}, by number")
        # Both series have the same marks, so that each is named once.
        named: dict[str, Any] = {}
        for axes in (a, b, c, d):
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                named.setdefault(label, handle)
        figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=3)
        mean = np.concatenate([series.mean for series in found.values()])
        # Charge and discharge both run to the right, as their first state is on the left.
        if found and next(iter(found.values())).mean[-1] < next(iter(found.values())).mean[0]:
            a.set_xlim(float(mean.max()), float(mean.min()))
        figure.suptitle(title, fontsize=8)
        lay_out(figure)
    return figure


def _middle(series: Series) -> Floats:
    """Return the mean values at the middle of the intervals."""
    return np.asarray(0.5 * (series.mean[1:] + series.mean[:-1]))


def _draw_values(axes: Any, series: Series, colour: str) -> None:
    every = max(1, -(-series.value.shape[1] // _LINES))
    away = (series.value - series.mean[:, None])[:, ::every]
    lines = [np.column_stack([series.mean, column]) for column in away.T]
    axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.4, alpha=0.3))
    for sign in (-1.0, 1.0):
        axes.plot(
            series.mean,
            sign * series.value.std(axis=1, ddof=1),
            color=colour,
            marker="o",
            markersize=2.5,
            label="± s.d. of the values" if sign > 0 else None,
        )
    axes.autoscale_view()


def _draw_rates(axes: Any, series: Series, colour: str) -> None:
    place = _middle(series)
    levels = [2.5, 16.0, 50.0, 84.0, 97.5]
    outer_low, low, middle, high, outer_high = np.percentile(series.relative, levels, axis=1)
    axes.fill_between(place, outer_low, outer_high, color=colour, alpha=0.12, linewidth=0)
    axes.fill_between(place, low, high, color=colour, alpha=0.2, linewidth=0)
    label = "rates: median, 16 to 84 %, 95 %"
    axes.plot(place, middle, color=colour, marker="o", markersize=3, label=label)


def _draw_inactive(axes: Any, series: Series, colour: str) -> None:
    place = _middle(series)
    look: dict[str, Any] = {"color": colour, "markersize": 3, "linewidth": 1.1, "clip_on": False}
    axes.plot(place, series.share, marker="o", label="inactive", **look)
    dashes = {**look, "linestyle": (0, (3, 1.6)), "markerfacecolor": "white"}
    axes.plot(place, series.resting, marker="s", label="inactive in every interval", **dashes)
    if np.isfinite(series.share_null).any():
        for null, hatch, what in (
            (series.share_null, "", "inactive, particles exchanged"),
            (series.resting_null, "////", "in every interval, by chance"),
        ):
            axes.fill_between(
                place,
                null[0],
                null[2],
                facecolor="none" if hatch else colour,
                edgecolor=colour if hatch else "none",
                hatch=hatch,
                alpha=0.3 if hatch else 0.15,
                linewidth=0,
                label=what,
            )


def _draw_ranks(axes: Any, series: Series, colour: str) -> None:
    reach = series.rank_null
    label = "unrelated ranks, 95 %"
    axes.axhspan(-reach, reach, color=style.PALE, linewidth=0, zorder=0, label=label)
    for column, marker, dashes, what in (
        (series.rank_before, "o", "-", "ranks, with the state before"),
        (series.rank_first, "s", (0, (3, 1.6)), "ranks, with the first state"),
        (series.rank_rates, "^", (0, (1, 1.2)), "ranks of rates, with those before"),
    ):
        look = {"color": colour, "markersize": 3, "linewidth": 1.1, "linestyle": dashes}
        axes.plot(series.mean[1:], column, marker=marker, label=what, clip_on=False, **look)
