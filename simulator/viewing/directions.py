"""Values and pairs by direction: pairs along and across the coating, and the value by depth."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from heterode.heterogeneity import Heterogeneity
from heterode.heterogeneity.directional import DirectedPairs, DirectionalCorrelogram
from heterode.heterogeneity.marks import Floats
from heterode.viewing import style
from heterode.viewing.legends import lay_out

_GROUPS = (("along", style.BLUE, "o"), ("across", style.ORANGE, "s"))

# Particles in a slice of the depth, and most slices.
_IN_SLICE = 12
_SLICES = 12


def directions_figure(result: Heterogeneity, title: str, value: str, axis: str) -> Figure:
    """Draw the correlation of pairs along and across the coating, and the mean value by depth.

    Args:
        result: the statistics; its fields are without the trend if that was removed.
        title: the title of the figure.
        value: name of the value.
        axis: name of the coordinate that is the depth; "" where there is none.
    """
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 2.9)
        left, right = figure.subplots(1, 2)
        if result.directional is None or result.settings.depth is None:
            for axes in (left, right):
                axes.set_axis_off()
            where: dict[str, Any] = {"ha": "center", "va": "center", "color": style.NEUTRAL}
            figure.text(0.5, 0.45, "these fields have no depth (--depth)", **where)
        else:
            _draw_pairs(left, result.directional)
            _draw_depth(right, result, result.settings.depth, value, axis)
        figure.suptitle(title, fontsize=8)
        lay_out(figure)
    return figure


def _draw_pairs(axes: Any, found: DirectionalCorrelogram) -> None:
    middle = 0.5 * (found.edges_um[:-1] + found.edges_um[1:])
    for name, colour, marker in _GROUPS:
        group: DirectedPairs = getattr(found, name)
        look: dict[str, Any] = {"marker": marker, "markersize": 3, "linewidth": 1.1}
        axes.plot(middle, group.moran, color=colour, label=f"pairs {name} the coating", **look)
        if found.permutations:
            low, high = group.band
            label = f"{100 * found.level:g} % of shuffled values, {name}"
            axes.fill_between(
                middle, low, high, color=colour, alpha=0.15, linewidth=0, zorder=0, label=label
            )
    axes.axhline(0.0, color=style.NEUTRAL, linewidth=0.5, zorder=0.5)
    axes.set_xlim(0.0, float(found.edges_um[-1]))
    axes.set_xlabel("distance of the pair / µm")
    axes.set_ylabel("Moran's $I$ of pairs")
    style.finish(axes)
    if not (np.isfinite(found.along.moran).any() or np.isfinite(found.across.moran).any()):
        where = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.5, "too few pairs of particles", color=style.NEUTRAL, **where)
    axes.legend(loc="upper right", fontsize=6.5)
    chance = f"$p$ = {found.p_value:.2g}" if np.isfinite(found.p_value) else "no $p$"
    style.letter(axes, "A", f"along against across: {chance}")


def _draw_depth(axes: Any, result: Heterogeneity, k: int, value: str, axis: str) -> None:
    depth = np.concatenate([field.positions_um[:, k] for field in result.fields])
    values = np.concatenate([field.value for field in result.fields])
    place, mean, error = sliced(depth, values)
    axes.errorbar(
        place, mean, error, color=style.BLUE, marker="o", markersize=3, linewidth=1.0,
        elinewidth=0.9, capsize=1.6, label="mean ± s.e. of a slice, by number",
    )  # fmt: skip
    trend = result.trend
    if result.settings.detrend == "none":
        ends = np.array([depth.min(), depth.max()])
        line = values.mean() + trend.slope[k] * (ends - depth.mean())
        axes.plot(
            ends, line, color=style.VERMILLION, linewidth=1.0, linestyle=(0, (3, 1.5)),
            label="linear trend",
        )  # fmt: skip
    axes.axhline(values.mean(), color=style.NEUTRAL, linewidth=0.5, zorder=0)
    axes.set_xlabel(f"depth ${axis}$ from the collector / µm")
    axes.set_ylabel(f"{value}, by number")
    axes.margins(x=0.04, y=0.25)
    style.finish(axes)
    axes.legend(loc="upper right", fontsize=6.5)
    chance = f", $p$ = {trend.p_value[k]:.2g}" if np.isfinite(trend.p_value[k]) else ""
    removed = " (removed)" if result.settings.detrend != "none" else ""
    size = f"{trend.difference_in_sd[k]:+.2g} s.d.".replace("-", "−")
    style.letter(axes, "B", f"trend with the depth{removed}: {size}{chance}")


def sliced(depth: Floats, values: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean depth, mean value and its standard error of slices with as many particles each.

    Args:
        depth: (N,) depths.
        values: (N,) values.

    Returns:
        three arrays (B,); a slice holds at least 12 particles, and there are at most 12 slices.
    """
    order = np.argsort(depth, kind="stable")
    parts = np.array_split(order, max(1, min(_SLICES, depth.size // _IN_SLICE)))
    place = np.array([depth[part].mean() for part in parts])
    mean = np.array([values[part].mean() for part in parts])
    error = np.array([values[part].std(ddof=1) / np.sqrt(part.size) for part in parts])
    return place, mean, error
