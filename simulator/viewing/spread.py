"""report/spread.png: how far the particles' lithium fractions lie apart, along the run.

left    their standard deviation, by volume, against the mean: a line per charge or discharge
right   their quantiles over time: median, middle half, and all but the outer tenths
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator

from simulator.errors import InputError
from simulator.results.folder import ResultsFolder
from simulator.results.sample import Floats
from simulator.viewing import style
from simulator.viewing.particle_run import ParticleRun, read_particle_run

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def weighted_quantiles(values: Floats, weight: Floats, levels: tuple[float, ...]) -> Floats:
    """Quantiles of N values that count as their weights do.

    Args:
        values: (T, N).
        weight: (N,) positive.
        levels: (L,) between 0 and 1.

    Returns:
        (L, T); between two values, linear in the weight up to their middles.
    """
    order = np.argsort(values, axis=1)
    ordered, weights = np.take_along_axis(values, order, axis=1), weight[order]
    middle = (np.cumsum(weights, axis=1) - 0.5 * weights) / weight.sum()
    rows = [np.interp(levels, at, row) for at, row in zip(middle, ordered, strict=True)]
    return np.array(rows).T


def plot_spread(axes: Any, history: pd.DataFrame) -> None:
    """Standard deviation of the particles' lithium fractions against their mean."""
    if history.empty:
        raise InputError("the history holds no samples yet: nothing to draw")
    # Where the current turns, the line goes back over the same fractions in another colour.
    turned = np.sign(history["current_A_m2"].to_numpy())
    moving = np.flatnonzero(turned)
    labels: dict[str, Any] = {}
    runs = np.split(moving, 1 + np.flatnonzero(np.diff(turned[moving]))) if moving.size else []
    for rows in runs:
        rows = np.r_[max(rows[0] - 1, 0), rows]
        name = "charge" if turned[rows[-1]] > 0 else "discharge"
        colour = style.CHARGE if name == "charge" else style.DISCHARGE
        part = history.iloc[rows]
        (labels[name],) = axes.plot(
            part["lithium_fraction_mean"], part["lithium_fraction_sd"], color=colour
        )
    axes.invert_xaxis()
    axes.set_ylim(bottom=0)
    axes.set_xlabel("mean lithium fraction")
    axes.set_ylabel("standard deviation of particles")
    axes.xaxis.set_minor_locator(AutoMinorLocator(2))
    axes.yaxis.set_minor_locator(AutoMinorLocator(2))
    axes.tick_params(which="both", top=True, right=True)
    if labels:
        axes.legend(list(labels.values()), list(labels), loc="best")


def plot_quantiles(axes: Any, run: ParticleRun) -> None:
    """Quantiles of the particles' lithium fractions, by volume, over time."""
    seconds, unit = style.time_unit(float(run.series.time_s[-1]))
    time = run.series.time_s / seconds
    low, quarter, median, three, high = weighted_quantiles(
        run.series.lithium_fraction, run.table.volume_um3, _QUANTILES
    )
    axes.fill_between(time, low, high, color=style.CHARGE, alpha=0.2, linewidth=0, label="5-95 %")
    axes.fill_between(
        time, quarter, three, color=style.CHARGE, alpha=0.4, linewidth=0, label="25-75 %"
    )
    axes.plot(time, median, color=style.INK, label="median by volume")
    axes.margins(x=0)
    axes.set_xlabel(f"time / {unit}")
    axes.set_ylabel("lithium fraction of particles")
    axes.tick_params(which="both", top=True, right=True)
    axes.legend(loc="best")


def spread_figure(run: ParticleRun) -> Figure:
    """Both panels."""
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 2.7)
        left, right = figure.subplots(1, 2)
        plot_spread(left, run.history)
        plot_quantiles(right, run)
        figure.draw_without_rendering()
    return figure


def draw_spread(folder: Path | str) -> Path:
    """Draw report/spread.png from the results folder alone.

    Raises:
        InputError: no readable particles there.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    figure = spread_figure(read_particle_run(results.path))
    path = results.make_report() / "spread.png"
    with style.style():
        style.save(figure, path)
    return path
