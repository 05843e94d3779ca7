"""report/spread.png: how far the particles differ against how much lithium they hold.

The standard deviation of the particles' lithium fractions over their mean, both weighted by volume,
from history.csv: a curve per charge and discharge, a colour per cycle. Where the reaction is
asynchronous in one cycle and not in the next, the curves part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import AutoMinorLocator

from simulator.results.folder import ResultsFolder
from simulator.results.history import read_history
from simulator.results.sample import Floats
from simulator.viewing import style

LEAST_CHANGE = 1e-3
"""Change of the mean lithium fraction from which a step is drawn."""

_NAMED_CYCLES = 6
_DASHES = {1: "-", -1: (0, (3, 1.6))}


def spread_curves(history: pd.DataFrame) -> list[tuple[int, int, Floats, Floats]]:
    """Cycle, direction (1 charge, -1 discharge), mean and standard deviation, in order of time.

    Steps that follow one another in one direction, and the rests and holds between them, are one
    curve. A curve begins where the one before it ends.

    Args:
        history: as read from history.csv.
    """
    mean, spread = (history[f"lithium_fraction_{name}"].to_numpy() for name in ("mean", "sd"))
    curves: list[tuple[int, int, list[int]]] = []
    for (cycle, _), rows in history.reset_index(drop=True).groupby(["cycle", "step"], sort=False):
        places = rows.index.to_list()
        places = [places[0] - 1, *places] if places[0] > 0 else places
        change = mean[places[-1]] - mean[places[0]]
        # Delithiation is charge.
        direction = -int(np.sign(change)) if abs(change) >= LEAST_CHANGE else 0
        goes_on = bool(curves) and curves[-1][0] == cycle and direction in (0, curves[-1][1])
        if goes_on:
            curves[-1][2].extend(places)
        elif direction:
            curves.append((int(cycle), direction, places))
    return [(cycle, way, mean[places], spread[places]) for cycle, way, places in curves]


def spread_figure(history: pd.DataFrame) -> Figure | None:
    """The figure for a history; None where the mean hardly changes."""
    curves = spread_curves(history)
    if not curves:
        return None
    cycles = 1 + max(cycle for cycle, *_ in curves)
    with style.style():
        figure = style.new_figure(0.62 * style.DOUBLE_COLUMN_IN, 3.0)
        axes = figure.subplots()
        for cycle, direction, mean, spread in curves:
            axes.plot(
                mean,
                spread,
                color=style.cycle_colour(cycle, cycles),
                linestyle=_DASHES[direction],
            )
        axes.set_xlabel("mean lithium fraction")
        axes.set_ylabel("spread (particle s.d.) of lithium fraction")
        axes.margins(x=0.03)
        axes.set_ylim(bottom=0)
        axes.tick_params(which="both", top=True, right=True)
        axes.xaxis.set_minor_locator(AutoMinorLocator(2))
        axes.yaxis.set_minor_locator(AutoMinorLocator(2))
        # Time runs to the right as in a plot against capacity on charge.
        axes.invert_xaxis()
        _name(figure, axes, curves, cycles)
        figure.draw_without_rendering()
    return figure


def _name(
    figure: Figure, axes: Any, curves: list[tuple[int, int, Floats, Floats]], cycles: int
) -> None:
    ways = [way for way in (1, -1) if any(curve[1] == way for curve in curves)]
    names = {1: "charge", -1: "discharge"}
    handles = [
        Line2D([], [], color=style.INK, linestyle=_DASHES[way], label=names[way]) for way in ways
    ]
    if 1 < cycles <= _NAMED_CYCLES:
        handles += [
            Line2D([], [], color=style.cycle_colour(cycle, cycles), label=f"cycle {cycle}")
            for cycle in sorted({curve[0] for curve in curves})
        ]
    elif cycles > _NAMED_CYCLES:
        style.cycle_bar(figure, axes, cycles)
    axes.legend(handles=handles, loc="best")


def draw_spread(folder: Path | str) -> Path | None:
    """Draw report/spread.png from the results folder alone.

    Returns:
        the path of the picture; None where the mean lithium fraction hardly changes.

    Raises:
        InputError: no readable history there.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    figure = spread_figure(read_history(results.path))
    if figure is None:
        return None
    path = results.make_report() / "spread.png"
    with style.style():
        style.save(figure, path)
    return path
