"""report/voltage.png: voltage against areal capacity, and dQ/dV against voltage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator

from simulator.errors import InputError
from simulator.results.folder import ResultsFolder
from simulator.results.history import read_history
from simulator.results.sample import Floats
from simulator.viewing import style

Kind = Literal["charge", "discharge", "hold", "rest"]

PER_AH_M2 = 0.1  # 1 A h m^-2 = 0.1 mA h cm^-2, the field's unit
_HOLD_V = 1e-3  # a step whose voltage keeps within this is a hold
_FINEST_V = 2e-3
_BINS = 200
_MARK_BELOW = 60
_WHOLE = 0.8


@dataclass(frozen=True)
class HalfCycle:
    """One protocol step of the history.

    Attributes:
        kind: what it does.
        cycle: its cycle, from 0.
        time_s, voltage_V, current_A_m2, capacity_Ah_m2: (T,) as in history.csv.
    """

    kind: Kind
    cycle: int
    time_s: Floats
    voltage_V: Floats
    current_A_m2: Floats
    capacity_Ah_m2: Floats


def half_cycles(history: pd.DataFrame) -> list[HalfCycle]:
    """The protocol steps of a history, in order of time."""
    keys = history[["cycle", "step"]].to_numpy()
    starts = 1 + np.flatnonzero((keys[1:] != keys[:-1]).any(axis=1))
    parts = np.split(np.arange(len(history)), starts)
    return [_half_cycle(history.iloc[part]) for part in parts]


def _half_cycle(rows: pd.DataFrame) -> HalfCycle:
    voltage, current = rows["voltage_V"].to_numpy(), rows["current_A_m2"].to_numpy()
    flowing = current != 0
    kind: Kind
    if not flowing.any():
        kind = "rest"
    elif flowing.sum() > 2 and np.ptp(voltage[flowing]) < _HOLD_V and np.ptp(current[flowing]) > 0:
        kind = "hold"
    else:
        kind = "charge" if current[flowing].mean() > 0 else "discharge"
    columns = ("time_s", "voltage_V", "current_A_m2", "capacity_Ah_m2")
    return HalfCycle(kind, int(rows["cycle"].iloc[0]), *(rows[c].to_numpy() for c in columns))


def first_half_cycle(history: pd.DataFrame) -> HalfCycle | None:
    """The first whole charge or discharge: it passes at least _WHOLE of what any passes.

    Returns:
        None without one of at least two rows.
    """
    steps = [
        step
        for step in (half_cycles(history) if len(history) else ())
        if step.kind in ("charge", "discharge") and len(step.time_s) > 1
    ]
    most = max((np.ptp(step.capacity_Ah_m2) for step in steps), default=0.0)
    whole = (step for step in steps if np.ptp(step.capacity_Ah_m2) >= _WHOLE * most)
    return next(whole, None)


def differential_capacity(voltage: Floats, capacity: Floats) -> tuple[Floats, Floats]:
    """dQ/dV of a charge or discharge.

    The points are averaged in voltage bins (2 mV, or a 200th of the range), then the slopes between
    neighbouring averages are taken. Where a bin holds one point this is the plain difference
    quotient of the data; where an integrator's short steps or a cycler's noise put many into one
    bin, their scatter averages out instead of being divided by a voltage difference near zero.

    Args:
        voltage: (T,) V.
        capacity: (T,) any unit.

    Returns:
        voltages half-way between the averages, increasing, and dQ/dV there in capacity's unit
        per V; both empty if there are fewer than two bins.
    """
    if len(voltage) < 2:
        return np.empty(0), np.empty(0)
    width = max(_FINEST_V, float(np.ptp(voltage)) / _BINS)
    bins = np.floor((voltage - voltage.min()) / width).astype(np.int64)
    counts = np.bincount(bins)
    filled = counts > 0
    mean_v = np.bincount(bins, voltage)[filled] / counts[filled]
    mean_q = np.bincount(bins, capacity)[filled] / counts[filled]
    return (mean_v[1:] + mean_v[:-1]) / 2, np.diff(mean_q) / np.diff(mean_v)


def voltage_figure(history: pd.DataFrame) -> Figure:
    """Both panels for a history; see `draw_voltage`.

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
        _draw_differential(right, steps, cycles)
        _finish(right)
        # Laid out while the style holds: tick labels come into being only now.
        figure.draw_without_rendering()
    return figure


def plot_voltage(axes: Any, history: pd.DataFrame, *, fraction_axis: bool = True) -> None:
    """Voltage against areal capacity; above it the mean lithium fraction, where there is room.

    Args:
        axes: matplotlib's.
        history: at least one row.
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
        InputError: no readable history there, or an empty one.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    figure = voltage_figure(read_history(results.path))
    path = results.make_report() / "voltage.png"
    with style.style():
        style.save(figure, path)
    return path


def _draw_voltage(axes: Any, steps: Sequence[HalfCycle], cycles: int) -> None:
    # Named in order of appearance, shown in the full colour of the last cycle.
    handles: dict[str, Any] = {}
    end: tuple[float, float] | None = None
    for step in steps:
        charge, voltage = PER_AH_M2 * step.capacity_Ah_m2, step.voltage_V
        if end is not None:
            # From the last point of the step before, so that the jump in voltage is seen.
            charge, voltage = np.r_[end[0], charge], np.r_[end[1], voltage]
        end = (charge[-1], voltage[-1])
        (handles[step.kind],) = axes.plot(charge, voltage, **_line(step, cycles))
    axes.margins(x=0.03, y=0.05)
    axes.set_xlabel("areal capacity / mA h cm$^{-2}$")
    axes.set_ylabel("cell voltage / V")
    axes.legend(list(handles.values()), list(handles), loc="best")


def _draw_fraction_axis(axes: Any, history: pd.DataFrame) -> None:
    """The mean lithium fraction along the top; it is linear in the charge passed."""
    charge = PER_AH_M2 * history["capacity_Ah_m2"].to_numpy()
    fraction = history["lithium_fraction_mean"].to_numpy()
    if len(charge) < 2 or np.ptp(charge) == 0 or np.ptp(fraction) < 1e-6:
        axes.tick_params(which="both", top=True)
        return
    slope, offset = np.polyfit(charge, fraction, 1)
    top = axes.secondary_xaxis(
        "top", functions=(lambda q: offset + slope * q, lambda x: (x - offset) / slope)
    )
    top.set_xlabel("mean lithium fraction")
    top.xaxis.set_minor_locator(AutoMinorLocator(2))


def _draw_differential(axes: Any, steps: Sequence[HalfCycle], cycles: int) -> None:
    for step in steps:
        if step.kind not in ("charge", "discharge"):
            continue
        flowing = step.current_A_m2 != 0
        voltage, slope = differential_capacity(
            step.voltage_V[flowing], PER_AH_M2 * step.capacity_Ah_m2[flowing]
        )
        sign = 1 if step.kind == "charge" else -1
        marks = {"marker": "o", "markersize": 1.8} if len(voltage) < _MARK_BELOW else {}
        axes.plot(voltage, sign * slope, **_line(step, cycles), **marks)
    axes.axhline(0, color=style.NEUTRAL, linewidth=0.5, zorder=0)
    axes.tick_params(which="both", top=True)
    axes.margins(x=0.03, y=0.06)
    axes.set_xlabel("cell voltage / V")
    axes.set_ylabel("d$Q$/d$V$ / mA h cm$^{-2}$ V$^{-1}$")


def _line(step: HalfCycle, cycles: int) -> dict[str, Any]:
    """Colour by kind, paler for earlier cycles."""
    base = {"charge": style.CHARGE, "discharge": style.DISCHARGE, "hold": style.CHARGE}
    colour = np.array(to_rgb(base.get(step.kind, style.NEUTRAL)))
    pale = 0.65 * (1 - (step.cycle + 1) / cycles)
    dashes = {"hold": (0, (2.2, 1.2)), "rest": (0, (1, 1.2))}
    return {"color": tuple(colour + pale * (1 - colour)), "linestyle": dashes.get(step.kind, "-")}
