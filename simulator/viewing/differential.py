r"""dQ/dV against voltage (report/dqdv.png): a curve for each half-cycle, a colour for each cycle.

A half-cycle lies between two reversals of the current: it holds the charges, or the discharges,
that follow one another, whatever rests and holds stand between them. With G(V) the charge that it
passed below V, for which each pair of neighbouring rows of a charge or discharge is joined by a
straight line,

    dQ/dV (V) = [G(V + w/2) - G(V - w/2)] / w

is a moving average of width w over the slope of the recorded curve. Differences of capacity are
divided by a voltage that is never small, and the area below the curve is the charge passed. The
width w is the smallest one, from FINEST_V upwards, for which nine of ten pairs of rows lie closer
together than w. For a titration, in which rests stand between the pulses, the ends of the rests are
used: the relaxed voltage against the charge passed until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from heterode.results.folder import ResultsFolder
from heterode.results.history import read_history
from heterode.results.sample import Floats
from heterode.viewing import style
from heterode.viewing.half_cycles import PER_AH_M2, half_cycles
from heterode.viewing.legends import lay_out

FINEST_V = 0.01
"""Smallest width of the moving average, V."""

FEWEST_RESTS = 4
"""Number of rests within a half-cycle from which it counts as a titration."""

_POINTS_PER_WIDTH = 4
_NAMED_CYCLES = 6


@dataclass(frozen=True)
class Differential:
    """dQ/dV of one half-cycle.

    Attributes:
        cycle: the cycle's number, from 0.
        sign: 1 for a charge, -1 for a discharge.
        width: width of the moving average, V.
        voltage: (M,) increasing voltages, V.
        slope: (M,) the sign times dQ/dV, in the unit of capacity per V.
    """

    cycle: int
    sign: int
    width: float
    voltage: Floats
    slope: Floats


@dataclass(frozen=True)
class _Stretch:
    """Charges (or discharges) between two reversals, as pieces that are continuous in voltage."""

    cycle: int
    sign: int
    pieces: tuple[tuple[Floats, Floats], ...]
    relaxed: tuple[tuple[float, float], ...]


def capacity_below(voltage: Floats, pieces: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Return G, the charge that pieces of a curve passed below given voltages.

    Args:
        voltage: (M,) voltages, V.
        pieces: voltages and capacities, both (T,), of each piece.

    Returns:
        (M,) charges in the unit of capacity; charge passed at a single voltage counts above it.
    """
    total = np.zeros_like(voltage)
    for V, Q in pieces:
        low, high = np.minimum(V[1:], V[:-1]), np.maximum(V[1:], V[:-1])
        # A pair of rows at one voltage is a step of G there.
        span = np.maximum(high - low, 1e-12)
        share = np.clip((voltage[:, None] - low) / span, 0.0, 1.0)
        total += share @ np.diff(Q)
    return total


def averaging_width(pieces: Sequence[tuple[Floats, Floats]]) -> float:
    """Return w, V: at least FINEST_V, and at least as large as 90 % of the distances of rows."""
    distances = np.concatenate([np.abs(np.diff(V)) for V, _ in pieces])
    # Distances are weighted by voltage, since the many short steps of the beginning cover little.
    order = np.argsort(distances)
    covered = np.cumsum(distances[order])
    if covered.size == 0 or covered[-1] == 0.0:
        return FINEST_V
    coarse = distances[order][np.searchsorted(covered, 0.9 * covered[-1])]
    return max(FINEST_V, float(coarse))


def differential_curve(
    pieces: Sequence[tuple[Floats, Floats]], cycle: int = 0, sign: int = 1
) -> Differential | None:
    """Return dQ/dV of the pieces of a half-cycle; None if they cover less than three widths.

    Args:
        pieces: voltages, V, and capacities, both (T,), of each piece.
        cycle, sign: see `Differential`.
    """
    pieces = [(V, Q) for V, Q in pieces if len(V) > 1]
    if not pieces:
        return None
    width = averaging_width(pieces)
    low = min(float(V.min()) for V, _ in pieces)
    high = max(float(V.max()) for V, _ in pieces)
    if high - low < 3 * width:
        return None
    count = int(np.ceil((high - low - width) / width * _POINTS_PER_WIDTH)) + 1
    middle: Floats = np.linspace(low + width / 2, high - width / 2, count, dtype=np.float64)
    above = capacity_below(middle + 0.5 * width, pieces)
    below = capacity_below(middle - 0.5 * width, pieces)
    slope: Floats = np.divide(above - below, width, dtype=np.float64)
    return Differential(cycle, sign, width, middle, slope)


def differential_curves(history: pd.DataFrame) -> list[Differential]:
    """Return a curve for each half-cycle that allows one, in order; capacity in mA h cm^-2."""
    curves = []
    for stretch in _stretches(history):
        pieces: Sequence[tuple[Floats, Floats]] = stretch.pieces
        if len(stretch.relaxed) >= FEWEST_RESTS:
            V, Q = (np.array(values) for values in zip(*stretch.relaxed, strict=True))
            pieces = [(V, Q)]
        curve = differential_curve(pieces, stretch.cycle, stretch.sign)
        if curve is not None:
            curves.append(curve)
    return curves


def _stretches(history: pd.DataFrame) -> list[_Stretch]:
    found: list[_Stretch] = []
    for step in half_cycles(history) if len(history) else ():
        V, Q = step.voltage_V, PER_AH_M2 * step.capacity_Ah_m2
        if step.current_A_m2.min() < 0 < step.current_A_m2.max():
            # A drive cycle is neither a charge nor a discharge.
            continue
        if step.kind in ("charge", "discharge"):
            flowing = step.current_A_m2 != 0
            sign = 1 if step.kind == "charge" else -1
            piece = (V[flowing], Q[flowing])
            if found and (found[-1].cycle, found[-1].sign) == (step.cycle, sign):
                last = found.pop()
                pieces = (*last.pieces, piece)
                found.append(_Stretch(step.cycle, sign, pieces, last.relaxed))
            else:
                found.append(_Stretch(step.cycle, sign, (piece,), ()))
        elif step.kind == "rest" and found:
            last = found.pop()
            relaxed = (*last.relaxed, (float(V[-1]), float(Q[-1])))
            found.append(_Stretch(last.cycle, last.sign, last.pieces, relaxed))
    return found


def differential_figure(curves: Sequence[Differential]) -> Figure:
    """Return the figure for at least one curve; see `draw_differential`."""
    with style.style():
        figure = style.new_figure(0.62 * style.DOUBLE_COLUMN_IN, 3.1)
        plot_differential(figure.subplots(), curves)
        lay_out(figure)
    return figure


def plot_differential(axes: Any, curves: Sequence[Differential]) -> None:
    """Draw dQ/dV of at least one half-cycle over voltage, with a colour for each cycle."""
    cycles = 1 + max(curve.cycle for curve in curves)
    named: dict[int, Any] = {}
    for curve in curves:
        colour = style.cycle_colour(curve.cycle, cycles)
        (named[curve.cycle],) = axes.plot(curve.voltage, curve.slope, color=colour)
    axes.axhline(0, color=style.NEUTRAL, linewidth=0.5, zorder=0)
    axes.margins(x=0.03, y=0.06)
    axes.set_xlabel("cell voltage / V")
    axes.set_ylabel("d$Q$/d$V$ / mA h cm$^{-2}$ V$^{-1}$")
    style.finish(axes)
    axes.set_title(f"charge above zero, discharge below; {averaged_over(curves)}")
    if 1 < cycles <= _NAMED_CYCLES:
        labels = [f"cycle {cycle}" for cycle in named]
        axes.legend(list(named.values()), labels, loc="best")
    elif cycles > _NAMED_CYCLES:
        style.cycle_bar(axes.figure, axes, cycles)


def averaged_over(curves: Sequence[Differential]) -> str:
    """Return the widths of the moving averages of at least one curve, for a title."""
    widths = sorted({round(1e3 * curve.width) for curve in curves})
    spread = f"{widths[0]}" if len(widths) == 1 else f"{widths[0]} to {widths[-1]}"
    return f"averaged over {spread} mV"


def draw_differential(folder: Path | str) -> Path | None:
    """Draw report/dqdv.png from the results folder alone.

    Returns:
        the path of the picture; None if no half-cycle covers enough voltage.

    Raises:
        InputError: the folder has no readable history.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    curves = differential_curves(read_history(results.path))
    if not curves:
        return None
    figure = differential_figure(curves)
    path = results.make_report() / "dqdv.png"
    with style.style():
        style.save(figure, path)
    return path
