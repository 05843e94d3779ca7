"""report/spread.png: how much the particles differ in the course of a run.

left    the standard deviation of the particles' lithium fractions over their mean, both
        weighted by volume, from history.csv: a curve for each charge and discharge, a colour for
        each cycle. If the reaction is asynchronous in one cycle and not in the next, the curves
        separate.
right   quantiles by volume over time: median, middle half, and all but the outer twentieths
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from heterode.base.errors import InputError
from heterode.results.folder import ResultsFolder
from heterode.results.history import read_history
from heterode.results.sample import Floats
from heterode.viewing import style
from heterode.viewing.legends import lay_out
from heterode.viewing.particle_run import ParticleRun, read_particle_run

LEAST_CHANGE = 1e-3
"""Change of the mean lithium fraction from which a step is drawn."""

Curve = tuple[int, int, Floats, Floats]

_NAMED_CYCLES = 6
_DASHES: dict[int, Any] = {1: "-", -1: (0, (3, 1.6))}
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def spread_curves(history: pd.DataFrame) -> list[Curve]:
    """Return cycle, direction (1 charge, -1 discharge), mean and standard deviation, in order.

    Consecutive steps in one direction, and the rests and holds between them, make one curve. A
    curve begins where the one before it ends.

    Args:
        history: the content of history.csv.
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


def weighted_quantiles(values: Floats, weight: Floats, levels: tuple[float, ...]) -> Floats:
    """Return quantiles of N values that count in proportion to their weights.

    Args:
        values: (T, N) values.
        weight: (N,) positive weights.
        levels: (L,) levels between 0 and 1.

    Returns:
        (L, T) quantiles, linear in the weight between the middles of neighbouring values.
    """
    order = np.argsort(values, axis=1)
    ordered, weights = np.take_along_axis(values, order, axis=1), weight[order]
    middle = (np.cumsum(weights, axis=1) - 0.5 * weights) / weight.sum()
    rows = [np.interp(levels, at, row) for at, row in zip(middle, ordered, strict=True)]
    return np.array(rows).T


def plot_spread(axes: Any, curves: list[Curve]) -> None:
    """Draw standard deviation over mean, for at least one curve of `spread_curves`."""
    cycles = 1 + max(cycle for cycle, *_ in curves)
    for cycle, direction, mean, spread in curves:
        axes.plot(
            mean, spread, color=style.cycle_colour(cycle, cycles), linestyle=_DASHES[direction]
        )
    axes.set_xlabel("mean lithium fraction, by volume")
    axes.set_ylabel("s.d. of the particles' lithium fraction,\nby volume")
    axes.margins(x=0.03)
    axes.set_ylim(bottom=0)
    style.finish(axes)
    # Time runs to the right, as in a plot against capacity on charge.
    axes.invert_xaxis()
    _name(axes, curves, cycles)


def _name(axes: Any, curves: list[Curve], cycles: int) -> None:
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
        style.cycle_bar(axes.figure, axes, cycles)
    axes.legend(handles=handles, loc="best")


def plot_quantiles(axes: Any, run: ParticleRun) -> None:
    """Draw quantiles of the particles' lithium fractions, by volume, over time."""
    unit = style.time_unit(float(run.series.time_s[-1]))
    time = run.series.time_s / unit.seconds
    low, quarter, median, three, high = weighted_quantiles(
        run.series.lithium_fraction, run.table.volume_um3, _QUANTILES
    )
    bands = {
        "5 to 95 % of the volume": (low, high, 0.2),
        "25 to 75 % of the volume": (quarter, three, 0.4),
    }
    for label, (least, most, alpha) in bands.items():
        axes.fill_between(
            time, least, most, color=style.CHARGE, alpha=alpha, linewidth=0, label=label
        )
    axes.plot(time, median, color=style.INK, label="median by volume")
    axes.margins(x=0)
    axes.set_xlabel(f"time / {unit.name}")
    axes.set_ylabel("lithium fraction of the particles")
    style.finish(axes)
    axes.legend(loc="best")


def spread_figure(run: ParticleRun) -> Figure | None:
    """Draw both panels; None if the mean hardly changes."""
    curves = spread_curves(run.history)
    if not curves:
        return None
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 2.9)
        left, right = figure.subplots(1, 2)
        plot_spread(left, curves)
        plot_quantiles(right, run)
        lay_out(figure)
    return figure


def draw_spread(folder: Path | str) -> Path | None:
    """Draw report/spread.png from the results folder alone.

    Returns:
        the path of the picture; None if the mean lithium fraction hardly changes.

    Raises:
        InputError: the folder has no readable particles or history.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    if read_history(results.path).empty:
        raise InputError(f"{results.history}: holds no samples yet: nothing to draw")
    figure = spread_figure(read_particle_run(results.path))
    if figure is None:
        return None
    path = results.make_report() / "spread.png"
    with style.style():
        style.save(figure, path)
    return path
