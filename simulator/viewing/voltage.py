"""report/voltage.png: voltage against areal capacity, and dQ/dV against voltage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator

from heterode.base.errors import InputError
from heterode.results.folder import ResultsFolder
from heterode.results.history import read_history
from heterode.viewing import style
from heterode.viewing.differential import Differential, averaged_over, differential_curves
from heterode.viewing.half_cycles import PER_AH_M2, HalfCycle, Kind, half_cycles
from heterode.viewing.legends import lay_out


def voltage_figure(history: pd.DataFrame) -> Figure:
    """Draw both panels for a history; see `draw_voltage`.

    Raises:
        InputError: the history has no rows.
    """
    if history.empty:
        raise InputError("the history holds no samples yet: nothing to draw")
    steps = half_cycles(history)
    cycles = 1 + max((step.cycle for step in steps), default=0)
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 2.9)
        left, right = figure.subplots(1, 2)
        plot_voltage(left, history)
        _draw_differential(right, differential_curves(history), cycles)
        _finish(right)
        # The figure is laid out inside the style's context, because tick labels are created only
        # now.
        lay_out(figure)
    return figure


def plot_voltage(axes: Any, history: pd.DataFrame, *, fraction_axis: bool = True) -> None:
    """Draw voltage against areal capacity, with the mean lithium fraction above if it fits.

    Args:
        axes: matplotlib axes.
        history: a history with at least one row.
        fraction_axis: whether the axis of the mean lithium fraction is drawn.
    """
    steps = half_cycles(history)
    _draw_voltage(axes, steps, 1 + max(step.cycle for step in steps))
    if fraction_axis:
        _draw_fraction_axis(axes, history)
    _finish(axes)


def _finish(axes: Any) -> None:
    axes.xaxis.set_minor_locator(AutoMinorLocator(2))
    axes.yaxis.set_minor_locator(AutoMinorLocator(2))
    axes.tick_params(which="both", right=True)


def draw_voltage(folder: Path | str) -> Path:
    """Draw report/voltage.png from the results folder alone.

    Returns:
        the path of the picture.

    Raises:
        InputError: the folder has no readable history, or an empty one.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    figure = voltage_figure(read_history(results.path))
    path = results.make_report() / "voltage.png"
    with style.style():
        style.save(figure, path)
    return path


def _draw_voltage(axes: Any, steps: Sequence[HalfCycle], cycles: int) -> None:
    # Entries are named in order of appearance and shown in the full colour of the last cycle.
    handles: dict[str, Any] = {}
    end: tuple[float, float] | None = None
    for step in steps:
        charge, voltage = PER_AH_M2 * step.capacity_Ah_m2, step.voltage_V
        if end is not None:
            # The line starts at the last point of the step before, so that the jump in voltage is
            # visible.
            charge, voltage = np.r_[end[0], charge], np.r_[end[1], voltage]
        end = (charge[-1], voltage[-1])
        (handles[step.kind],) = axes.plot(charge, voltage, **_line(step.kind, step.cycle, cycles))
    axes.margins(x=0.03, y=0.05)
    axes.set_xlabel("areal capacity / mA h cm$^{-2}$")
    axes.set_ylabel("cell voltage / V")
    axes.legend(list(handles.values()), list(handles), loc="best")


def _draw_fraction_axis(axes: Any, history: pd.DataFrame) -> None:
    """Draw the mean lithium fraction along the top; it is linear in the charge passed."""
    charge = PER_AH_M2 * history["capacity_Ah_m2"].to_numpy()
    fraction = history["lithium_fraction_mean"].to_numpy()
    if len(charge) < 2 or np.ptp(charge) == 0 or np.ptp(fraction) < 1e-6:
        axes.tick_params(which="both", top=True)
        return
    slope, offset = np.polyfit(charge, fraction, 1)
    top = axes.secondary_xaxis(
        "top", functions=(lambda q: offset + slope * q, lambda x: (x - offset) / slope)
    )
    top.set_xlabel("mean lithium fraction, by volume")
    top.xaxis.set_minor_locator(AutoMinorLocator(2))


def _draw_differential(axes: Any, curves: Sequence[Differential], cycles: int) -> None:
    for curve in curves:
        kind: Kind = "charge" if curve.sign > 0 else "discharge"
        axes.plot(curve.voltage, curve.slope, **_line(kind, curve.cycle, cycles))
    axes.axhline(0, color=style.NEUTRAL, linewidth=0.5, zorder=0)
    axes.tick_params(which="both", top=True)
    axes.margins(x=0.03, y=0.06)
    axes.set_xlabel("cell voltage / V")
    axes.set_ylabel("d$Q$/d$V$ / mA h cm$^{-2}$ V$^{-1}$")
    if curves:
        axes.set_title(averaged_over(curves))
    else:
        where = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.6, "no half-cycle covers enough voltage", color=style.NEUTRAL, **where)


def _line(kind: Kind, cycle: int, cycles: int) -> dict[str, Any]:
    """Return a line's colour by kind, paler for earlier cycles."""
    base = {"charge": style.CHARGE, "discharge": style.DISCHARGE, "hold": style.CHARGE}
    colour = np.array(to_rgb(base.get(kind, style.NEUTRAL)))
    pale = 0.65 * (1 - (cycle + 1) / cycles)
    dashes = {"hold": (0, (2.2, 1.2)), "rest": (0, (1, 1.2))}
    return {"color": tuple(colour + pale * (1 - colour)), "linestyle": dashes.get(kind, "-")}
