"""report/twin.png: a run beside its homogenised counterpart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heterode.viewing import style
from heterode.viewing.legends import lay_out


def counterpart_figure(table: pd.DataFrame, title: str, finding: str) -> Figure:
    """Draw the voltage of both, their difference, and the lithium of both, over time.

    Args:
        table: the content of twin.csv.
        title: the run's title.
        finding: a line below the title.
    """
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 5.4)
        top, middle, bottom = figure.subplots(
            3, 1, sharex=True, gridspec_kw={"height_ratios": (2.0, 1.0, 1.4)}
        )
        unit = style.time_unit(float(table["time_s"].iloc[-1]))
        time = table["time_s"] / unit.seconds
        _both(top, time, table, "voltage_V")
        top.set_ylabel("voltage / V")
        top.legend(loc="best")
        top.set_title(f"{title}\n{finding}".strip(), loc="left")
        middle.axhline(0.0, color=style.NEUTRAL, linewidth=0.5)
        middle.plot(time, 1e3 * table["difference_V"], color=style.VERMILLION)
        middle.set_ylabel("run − model / mV")
        mean, sd = table["lithium_fraction_mean"], table["lithium_fraction_sd"]
        label = "particles: mean ± s.d., by volume"
        bottom.fill_between(
            time, mean - sd, mean + sd, color=style.CHARGE, alpha=0.2, linewidth=0, label=label
        )
        _both(bottom, time, table, "lithium_fraction_mean")
        bottom.set_ylabel("lithium fraction")
        handles, labels = bottom.get_legend_handles_labels()
        bottom.legend(handles[:1], labels[:1], loc="upper center")
        bottom.set_xlabel(f"time / {unit.name}")
        bottom.set_xlim(0, float(np.max(time)))
        for axes in (top, middle, bottom):
            style.finish(axes)
        lay_out(figure)
    return figure


def _both(axes: Axes, time: pd.Series, table: pd.DataFrame, name: str) -> None:
    axes.plot(time, table[name], color=style.CHARGE, label="particles resolved")
    axes.plot(
        time,
        table[f"twin_{name}"],
        color=style.INK,
        linestyle=(0, (3, 2)),
        linewidth=1.0,
        label="homogenised model (DFN)",
    )


def draw_counterpart(path: Path, table: pd.DataFrame, title: str, finding: str) -> None:
    """Write the figure.

    Raises:
        OutputError: the file cannot be written.
    """
    figure = counterpart_figure(table, title, finding)
    with style.style():
        style.save(figure, path)
