"""Figures of many runs: measured numbers against factors, sources of variance, and importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from heterode.viewing import style
from heterode.viewing.legends import lay_out

_COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY)
MOST_LINES = len(_COLOURS)
MOST_PANELS = 4
_ARROW = 0.12  # length of the arrow from a lower bound, as a share of the largest value

_LABELS = {"L_star_um": "L* / µm", "peak_spread": "peak s.d. of lithium\nfraction, by volume"}


@dataclass(frozen=True)
class Axis:
    """A column of the table that serves as an axis of a figure.

    Attributes:
        column: the name of the column.
        label: the label, with the unit shown.
        factor: converts the column's numbers to the unit shown.
        numeric, log: whether its values are numbers, and whether they are spaced logarithmically.
    """

    column: str
    label: str
    factor: float = 1.0
    numeric: bool = True
    log: bool = False

    def spoken(self, value: Any) -> str:
        """Return a value of the axis as text for legends."""
        name, _, unit = self.label.partition(" / ")
        if isinstance(value, str):
            return value
        return f"{name} {value * self.factor:.3g} {unit}".rstrip()


def effect_figure(
    rows: pd.DataFrame, x: Axis, lines: Axis | None, panels: Axis | None, title: str
) -> Figure:
    """Draw L* (above) and the peak of the spread (below) against one factor: medians and bands.

    An arrow begins at a lower bound: at least half of the runs there did not converge, so that
    there is no median and no line. The field, which no L* can exceed, is drawn beside it. Dashes
    show the L* of independent marks.

    Args:
        rows: the result of `heterode.sweep.statistics.summary` by these axes.
        x: the axis along the abscissa.
        lines: the axis whose values become lines.
        panels: the axis whose values become columns of panels.
        title: the title of the figure.
    """
    columns = [None] if panels is None else list(dict.fromkeys(rows[panels.column]))
    # Runs with too few particles have no L*.
    shown = {name: label for name, label in _LABELS.items() if name in rows}
    with style.style():
        width = min(style.DOUBLE_COLUMN_IN, 1.4 + 2.4 * len(columns))
        figure = style.new_figure(width, 0.8 + 1.9 * len(shown))
        grid = figure.subplots(len(shown), len(columns), sharex=True, sharey="row", squeeze=False)
        for place, value in enumerate(columns):
            part = rows if panels is None else rows[rows[panels.column] == value]
            for axes, name in zip(grid[:, place], shown, strict=True):
                style.finish(axes)
                _draw(axes, part, x, lines, name)
                axes.set_ylim(bottom=0.0)
            heading = "" if panels is None else panels.spoken(value)
            style.letter(grid[0, place], "ABCD"[place], heading)
            grid[-1, place].set_xlabel(x.label)
        for axes, label in zip(grid[:, 0], shown.values(), strict=True):
            axes.set_ylabel(label)
        named = {
            label: handle
            for axes in grid.flat
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        if named:
            # Only two names fit below a panel.
            figure.legend(
                list(named.values()),
                list(named),
                loc="outside lower center",
                ncols=2 * len(columns),
            )
        _lay_out(figure, title)
    return figure


def _lay_out(figure: Figure, title: str) -> None:
    figure.suptitle(title, fontsize=8)
    # The layout is computed once, at the resolution of the saved file, and then kept.
    figure.set_dpi(style.DPI)
    lay_out(figure)
    figure.set_layout_engine("none")


def _draw(axes: Any, rows: pd.DataFrame, x: Axis, lines: Axis | None, name: str) -> None:
    values = [None] if lines is None else list(dict.fromkeys(rows[lines.column]))
    for value, colour in zip(values, _COLOURS, strict=False):
        part = rows if lines is None else rows[rows[lines.column] == value]
        label = "median, 16 to 84 %" if lines is None else lines.spoken(value)
        _line(axes, part, x, name, colour, label)
    if name == "L_star_um":
        axes.plot([], [], color=style.NEUTRAL, linestyle=(0, (3, 2)), label="independent marks")
        if _bounds(rows, name).any():
            look = {"marker": r"$\uparrow$", "linestyle": "", "markersize": 7}
            axes.plot([], [], color=style.NEUTRAL, label="lower bound, not converged", **look)
            field_um = rows.get("field_um", pd.Series(dtype=np.float64)).max()
            if np.isfinite(field_um):
                dots = (0, (1, 1.2))
                axes.axhline(field_um, color=style.NEUTRAL, linestyle=dots, label="field")


def _bounds(rows: pd.DataFrame, name: str) -> npt.NDArray[np.bool_]:
    """Return, for each row, whether its number is a lower bound."""
    known = rows.get(f"{name}_is_bound", pd.Series(False, index=rows.index))
    return np.asarray(known.to_numpy(dtype=bool))


def _line(axes: Any, rows: pd.DataFrame, x: Axis, name: str, colour: str, label: str) -> None:
    if x.numeric:
        rows = rows.sort_values(x.column)
        place = rows[x.column].to_numpy(dtype=np.float64) * x.factor
    else:
        place = np.arange(len(rows), dtype=np.float64)
        axes.set_xticks(place, [str(value) for value in rows[x.column]])
    if x.log:
        # This formatter sets ticks of its own, which do not go with evenly spaced ones.
        axes.set_xscale("log")
    bound = _bounds(rows, name)
    value = rows[name].to_numpy(dtype=np.float64)
    middle = np.where(bound, np.nan, value)
    if np.isfinite(middle).any():
        axes.plot(place, middle, color=colour, label=label, marker="o", markersize=3.2)
        low, high = (rows[f"{name}{end}"].to_numpy(dtype=np.float64) for end in ("_low", "_high"))
        # A band whose upper end is a lower bound has no upper edge; beside a bound there is none.
        low, high = (np.where(bound, np.nan, edge) for edge in (low, high))
        axes.fill_between(place, low, high, color=colour, alpha=0.15, linewidth=0)
    if bound.any():
        axes.errorbar(
            place[bound],
            value[bound],
            np.full(int(bound.sum()), _ARROW * float(np.nanmax(value))),
            lolims=True,
            fmt="o",
            color=colour,
            markersize=3.2,
            markerfacecolor="white",
            elinewidth=1.0,
            capsize=3.0,
        )
    if name == "L_star_um":
        analytic = rows["L_star_independent_um"].to_numpy(dtype=np.float64)
        axes.plot(place, analytic, color=colour, linestyle=(0, (3, 2)), linewidth=0.9)


def variance_figure(splits: Sequence[tuple[str, Mapping[str, float]]], title: str) -> Figure:
    """Draw the shares of the variance as one bar for each number.

    Args:
        splits: (label, share by source) of each number.
        title: the title of the figure.
    """
    sources = list(dict.fromkeys(source for _, shares in splits for source in shares))
    colours = {source: _COLOURS[n % MOST_LINES] for n, source in enumerate(sources)}
    for source in sources:
        if "seeds" in source:
            colours[source] = style.GREY
    with style.style():
        figure = style.new_figure(
            style.DOUBLE_COLUMN_IN, 0.9 + 0.42 * len(splits) + 0.16 * len(sources)
        )
        axes = figure.subplots()
        for row, (_, shares) in enumerate(splits):
            begin = 0.0
            for source, share in shares.items():
                axes.barh(row, share, left=begin, height=0.62, color=colours[source])
                if share > 0.04:
                    axes.text(
                        begin + share / 2, row, f"{share:.0%}", ha="center", va="center",
                        fontsize=6.5, color="white" if colours[source] != style.GREY else style.INK,
                    )  # fmt: skip
                begin += share
        axes.set_yticks(range(len(splits)), [label for label, _ in splits])
        axes.invert_yaxis()
        axes.set_xlim(0.0, 1.0)
        axes.set_xlabel("share of the variance over all runs")
        for source in sources:
            axes.barh(0, 0, color=colours[source], label=source)
        figure.legend(loc="outside lower center", ncols=2)
        _lay_out(figure, title)
    return figure


def importance_figure(rows: pd.DataFrame, title: str) -> Figure:
    """Draw Sobol' indices with their intervals, or standardised regression coefficients.

    Args:
        rows: the result of `heterode.sweep.statistics.indices` or `regression`.
        title: the title of the figure.
    """
    outcomes = list(dict.fromkeys(rows["outcome"]))
    sobol = "total_order" in rows
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 1.3 + 0.32 * rows["factor"].nunique())
        panels = figure.subplots(1, len(outcomes), sharey=True, squeeze=False)[0]
        for place, (axes, outcome) in enumerate(zip(panels, outcomes, strict=True)):
            part = rows[rows["outcome"] == outcome].reset_index(drop=True)
            if sobol:
                _draw_sobol(axes, part)
            else:
                axes.barh(part.index, part["coefficient"], height=0.5, color=style.BLUE)
                axes.axvline(0.0, color=style.INK, linewidth=0.6)
                axes.set_xlabel(f"standardised coefficient, R² = {part['r2'].iloc[0]:.2f}")
            axes.set_yticks(part.index, part["factor"])
            style.letter(axes, "ABCD"[place], _LABELS.get(outcome, outcome.replace("_", " ")))
        panels[0].invert_yaxis()
        if sobol:
            panels[0].legend(loc="best")
        _lay_out(figure, title)
    return figure


def _draw_sobol(axes: Any, rows: pd.DataFrame) -> None:
    for shift, order, colour in (
        (-0.17, "first_order", style.BLUE),
        (0.17, "total_order", style.ORANGE),
    ):
        values = rows[order]
        axes.barh(
            rows.index + shift, values, height=0.32, color=colour, label=order.replace("_", " ")
        )
        spread = np.clip([values - rows[f"{order}_low"], rows[f"{order}_high"] - values], 0.0, None)
        axes.errorbar(
            values, rows.index + shift, xerr=spread, fmt="none", ecolor=style.INK, elinewidth=0.7
        )
    axes.set_xlabel("share of the variance")
