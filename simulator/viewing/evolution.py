"""Heterogeneity over a run: spread, its scale and its pattern against the mean lithium fraction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simulator.viewing import style
from simulator.viewing.heterogeneity import letter

_MORAN = (style.BLUE, style.GREEN, style.ORANGE)


def evolution_figure(rows: pd.DataFrame, field_um: float, title: str) -> Figure:
    """Three panels over the mean lithium fraction; it falls from left to right, as on charge.

    Args:
        rows: a row per moment, as `simulator.heterogeneity.evolution` returns them.
        field_um: size of the field, beyond half of which L* cannot be read.
        title: of the figure.
    """
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 2.75)
        spread, scale, moran = figure.subplots(1, 3)
        _draw_spread(spread, rows)
        _draw_scale(scale, rows, field_um)
        _draw_moran(moran, rows)
        for axes in (spread, scale, moran):
            axes.margins(x=0.04, y=0.08)
            axes.set_xlabel("mean lithium fraction")
            axes.invert_xaxis()
            style.finish(axes)
        figure.suptitle(title, fontsize=8)
        figure.draw_without_rendering()
    return figure


def _branches(rows: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Charge and discharge: name, line style, rows; a row without current belongs to what was."""
    sign = np.sign(rows["current_A_m2"].to_numpy())
    flowing = np.flatnonzero(sign)
    if not flowing.size:
        return [("rest", "-", rows)]
    # The first sample has no current yet: it begins the branch that follows.
    before = np.maximum.accumulate(np.where(sign != 0, np.arange(len(sign)), flowing[0]))
    sign = sign[before]
    parts = []
    for which, name, line in ((1.0, "charge", "-"), (-1.0, "discharge", (0, (2.5, 1.3)))):
        if np.any(sign == which):
            kept = rows.copy()
            kept.loc[sign != which, :] = np.nan
            parts.append((name, line, kept))
    return parts


def _draw_spread(axes: Any, rows: pd.DataFrame) -> None:
    for name, line, part in _branches(rows.select_dtypes("number").astype(float)):
        colour = style.DISCHARGE if name == "discharge" else style.CHARGE
        x = part["lithium_fraction_mean"]
        axes.plot(x, part["lithium_fraction_sd"], color=colour, linestyle=line, marker="o",
                  markersize=2.5, label=f"s.d., {name}")  # fmt: skip
        axes.plot(x, part["value_range"] / 4, color=colour, linestyle=line, linewidth=0.8,
                  alpha=0.6, label=f"range / 4, {name}")  # fmt: skip
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("spread of lithium fraction over particles")
    axes.legend(loc="best", fontsize=6.5)
    letter(axes, "A", "spread")


def _draw_scale(axes: Any, rows: pd.DataFrame, field_um: float) -> None:
    x, scale = rows["lithium_fraction_mean"], rows["scale_um"]
    flag = rows["scale_flag"]
    for wanted, face, label in (
        (("ok",), style.VERMILLION, "L*"),
        (("below", "above"), "white", "bound on L* only"),
    ):
        chosen = flag.isin(wanted)
        if chosen.any():
            axes.plot(x[chosen], scale[chosen], linestyle="none", marker="o", markersize=3.6,
                      color=style.VERMILLION, markerfacecolor=face, label=label)  # fmt: skip
    length = rows["correlation_length_um"]
    if length.notna().any():
        axes.plot(x, length, linestyle="none", marker="s", markersize=3, color=style.BLUE,
                  label="correlation length")  # fmt: skip
    axes.axhline(field_um, color=style.NEUTRAL, linewidth=0.7, linestyle=(0, (1, 1.2)),
                 label="field")  # fmt: skip
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("length / µm")
    axes.legend(loc="best", fontsize=6.5)
    letter(axes, "B", "scale")


def _draw_moran(axes: Any, rows: pd.DataFrame) -> None:
    names = [name for name in rows.columns if name.startswith("moran_")]
    for name, colour in zip(names, _MORAN, strict=False):
        _, low, high, _ = name.split("_")
        for branch, line, part in _branches(rows.select_dtypes("number").astype(float)):
            label = f"{low}–{high} µm" if line == "-" or branch == "discharge" else None
            seen = axes.get_legend_handles_labels()[1]
            axes.plot(part["lithium_fraction_mean"], part[name], color=colour, linestyle=line,
                      marker="o", markersize=2.2,
                      label=None if label in seen else label)  # fmt: skip
    axes.axhline(0.0, color=style.NEUTRAL, linewidth=0.5, zorder=0)
    axes.set_ylabel("Moran's $I$")
    axes.legend(loc="best", fontsize=6.5, title="pairs at", title_fontsize=6.5)
    letter(axes, "C", "likeness of neighbours")
