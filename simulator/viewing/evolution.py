"""Heterogeneity over a run: spread, scale and pattern against the mean lithium fraction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from heterode.viewing import style
from heterode.viewing.legends import lay_out

Branches = Sequence[tuple[str, Any, pd.DataFrame]]

_MORAN = (style.BLUE, style.GREEN, style.ORANGE)


def evolution_figure(rows: pd.DataFrame, field_um: float, title: str) -> Figure:
    """Draw three panels over the mean lithium fraction, which falls from left to right.

    In a run without reversal, the stretches in which the spread grows are shaded.

    Args:
        rows: a row for each moment, from `heterode.points.evolution`.
        field_um: size of the field, um; L* beyond half of it cannot be determined.
        title: the title of the figure.
    """
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 2.75)
        panels = figure.subplots(1, 3, sharex=True)
        branches = _branches(rows)
        _draw_spread(panels[0], branches)
        _draw_scale(panels[1], rows, field_um)
        _draw_moran(panels[2], rows, branches)
        for axes in panels:
            axes.margins(x=0.04, y=0.08)
            axes.set_xlabel("mean lithium fraction, by volume")
            style.finish(axes)
        if len(branches) == 1:
            _shade_growth(panels, rows)
        panels[0].invert_xaxis()
        panels[0].set_ylim(0.0, 1.3 * float(rows["lithium_fraction_sd"].max()))
        panels[0].legend(loc="upper right", fontsize=6.5)
        figure.suptitle(title, fontsize=8)
        lay_out(figure)
    return figure


def _branches(rows: pd.DataFrame) -> list[tuple[str, Any, pd.DataFrame]]:
    """Return charge and discharge: name, line style, and rows with NaN in place of the other one.

    A row without current, such as the first, goes with the current before it or, failing that,
    after it.
    """
    numbers = rows.select_dtypes("number").astype(float)
    sign = np.sign(rows["current_A_m2"].to_numpy())
    flowing = np.flatnonzero(sign)
    if not flowing.size:
        return [("rest", "-", numbers)]
    before = np.maximum.accumulate(np.where(sign != 0, np.arange(len(sign)), flowing[0]))
    sign = sign[before]
    parts: list[tuple[str, Any, pd.DataFrame]] = []
    for which, name, line in ((1.0, "charge", "-"), (-1.0, "discharge", (0, (2.5, 1.3)))):
        if np.any(sign == which):
            part = numbers.copy()
            part.loc[sign != which] = np.nan
            parts.append((name, line, part))
    return parts


def _draw_spread(axes: Any, branches: Branches) -> None:
    for name, line, part in branches:
        colour = style.DISCHARGE if name == "discharge" else style.CHARGE
        look = {"color": colour, "linestyle": line, "marker": "o", "markersize": 2.5}
        axes.plot(part["lithium_fraction_mean"], part["lithium_fraction_sd"], label=name, **look)
    axes.set_ylabel("s.d. of lithium fraction, by volume")
    style.letter(axes, "A", "spread over particles")


def _shade_growth(panels: Sequence[Any], rows: pd.DataFrame) -> None:
    """Shade where the spread grows from one moment to the next."""
    x, spread = (rows[f"lithium_fraction_{name}"].to_numpy() for name in ("mean", "sd"))
    label: str | None = "spread grows"
    for k in np.flatnonzero(np.diff(spread) > 0.0):
        for axes in panels:
            axes.axvspan(x[k], x[k + 1], color=style.BAND, alpha=0.6, linewidth=0, zorder=-1,
                         label=label if axes is panels[0] else None)  # fmt: skip
        label = None


_FLAGS = (
    ("ok", "o", style.VERMILLION, "$L$*"),
    ("above", "^", "white", "$L$* above, not converged"),
    ("below", "v", "white", "$L$* below"),
)


def _draw_scale(axes: Any, rows: pd.DataFrame, field_um: float) -> None:
    x = rows["lithium_fraction_mean"]
    plain = {"linestyle": "none", "markeredgewidth": 0.7}
    for flag, marker, face, label in _FLAGS:
        chosen = rows["scale_flag"] == flag
        if chosen.any():
            look = {"marker": marker, "markersize": 3.4, "color": style.VERMILLION, **plain}
            axes.plot(
                x[chosen], rows["scale_um"][chosen], markerfacecolor=face, label=label, **look
            )
    length = rows["correlation_length_um"]
    if length.notna().any():
        look = {"marker": "s", "markersize": 3, "color": style.BLUE, **plain}
        axes.plot(x, length, label="correlation length", **look)
    dots = (0, (1, 1.2))
    axes.axhline(field_um, color=style.NEUTRAL, linewidth=0.9, linestyle=dots, label="field")
    axes.set_ylim(0.0, 1.45 * field_um)
    axes.set_ylabel("length / µm")
    axes.legend(loc="upper center", fontsize=6.5)
    style.letter(axes, "B", "scale")


def _draw_moran(axes: Any, rows: pd.DataFrame, branches: Branches) -> None:
    names = [name for name in rows.columns if name.startswith("moran_") and name.endswith("_um")]
    for name, colour in zip(names, _MORAN, strict=False):
        if rows[name].isna().all():
            # There are no pairs so close to each other, and a legend would promise a curve.
            continue
        _, low, high, _ = name.split("_")
        label: str | None = f"{low}–{high} µm"
        for _, line, part in branches:
            look = {"color": colour, "linestyle": line, "marker": "o", "markersize": 2.2}
            axes.plot(part["lithium_fraction_mean"], part[name], label=label, **look)
            label = None
    if rows[names].isna().all(axis=None):
        where = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.3, "too few pairs of particles", color=style.NEUTRAL, **where)
    chance = rows[f"{names[0]}_sd"]
    if chance.notna().any():
        reach = 2.0 * float(chance.median())
        label = f"shuffled, {names[0].split('_')[1]}–{names[0].split('_')[2]} µm: ± 2 s.d."
        axes.axhspan(
            -reach, reach, color=style.GREY, alpha=0.45, linewidth=0, zorder=-0.5, label=label
        )
    axes.axhline(0.0, color=style.NEUTRAL, linewidth=0.5, zorder=0)
    axes.set_ylabel("Moran's $I$ of pairs")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.4 * (high - low))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right", fontsize=6.5)
    style.letter(axes, "C", "likeness of neighbours")
