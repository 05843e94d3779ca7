r"""report/currents.png: which particles react when, over the first whole charge or discharge.

    left    reaction current density of each particle against the mean lithium fraction, with its
            mean over all surfaces in black
    right   how fast each particle loses lithium relative to the mean of the electrode, a row for
            each particle, with those that react first at the bottom; above it the active share
            of the material,

                P = (sum V_i r_i)^2 / (sum V_i  sum V_i r_i^2),   r_i = j_i a_i / V_i,

            with j_i the current density, a_i the surface and V_i the volume of particle i: 1 if
            all react alike, k/N if k of N equal particles carry the whole current (the
            participation ratio).

If particles react alike, the right panel is uniform. If they react one after another, bright places
climb from left to right, as the rows are ordered by the time of reaction.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heterode.results.folder import ResultsFolder
from heterode.results.sample import Floats
from heterode.viewing import style
from heterode.viewing.half_cycles import first_half_cycle
from heterode.viewing.legends import lay_out
from heterode.viewing.particle_run import (
    ColourBy,
    ParticleRun,
    particle_bar,
    plot_lines,
    read_particle_run,
)

_COLUMNS = 240


def rates(run: ParticleRun) -> Floats:
    """Return r, (T, N): current per volume in any unit, positive when lithium leaves."""
    return np.asarray(run.series.current_A_m2 * (run.table.surface_um2 / run.table.volume_um3))


def participation(volume: Floats, rate: Floats) -> Floats:
    """Return P, (T,): the active share of the material.

    Args:
        volume: (N,) volumes of the particles.
        rate: (T, N) current per volume.

    Returns:
        values between 0 and 1; NaN if no current flows.
    """
    total = rate @ volume
    square = volume.sum() * (rate**2 @ volume)
    return np.asarray(np.divide(total**2, square, out=np.full(len(rate), np.nan), where=square > 0))


def over_their_mean(volume: Floats, rate: Floats) -> Floats:
    """Return rates (T, N) divided by their volume-weighted mean; NaN where that is zero."""
    mean = (rate @ volume / volume.sum())[:, None]
    return np.asarray(np.divide(rate, mean, out=np.full(rate.shape, np.nan), where=mean != 0))


def order_of_reaction(mean: Floats, current: Floats) -> Floats:
    """Return, (N,), the mean lithium fraction of the electrode at which each particle reacts.

    Args:
        mean: (T,) mean lithium fraction.
        current: (T, N) current densities.

    Returns:
        the mean lithium fraction, averaged with the magnitude of the particle's current as weight.
    """
    step = np.abs(np.gradient(mean))[:, None] if len(mean) > 1 else np.ones((1, 1))
    weight = np.abs(current) * step
    total = weight.sum(axis=0)
    centre = (weight * mean[:, None]).sum(axis=0)
    return np.asarray(
        np.divide(centre, total, out=np.full(current.shape[1], mean.mean()), where=total > 0)
    )


def stretch_of(run: ParticleRun) -> ParticleRun | None:
    """Return the samples of the first whole charge or discharge; None if there are too few."""
    step = first_half_cycle(run.history)
    if step is None or not np.any(step.current_A_m2 != 0):
        return None
    begin = step.time_s[step.current_A_m2 != 0][0]
    last = float(run.series.time_s[-1])
    if begin > last:
        return None
    part = run.between(float(begin), float(step.time_s[-1]))
    moves = len(part.series.time_s) >= 3 and np.ptp(part.mean) > 0
    return part if moves else None


def plot_currents(axes: Axes, run: ParticleRun, *, by: ColourBy = "penalty") -> Any:
    """Draw current densities against the mean lithium fraction; time runs to the right.

    Returns:
        the artist from which a colour bar is made.
    """
    current, surface = run.series.current_A_m2, run.table.surface_um2
    lines = plot_lines(axes, run.mean, current, run.table, by)
    mean = current @ surface / surface.sum()
    axes.plot(run.mean, mean, color=style.INK, linewidth=1.4, label="mean by surface")
    axes.axhline(0, color=style.NEUTRAL, linewidth=0.5, zorder=0)
    axes.set_xlim(run.mean[0], run.mean[-1])
    low, high = np.percentile(current[len(current) // 20 :], [0, 100])
    room = 0.05 * (high - low or 1.0)
    # The legend needs room above.
    axes.set_ylim(min(low, 0.0) - room, max(high, 0.0) + 3.0 * room)
    axes.set_xlabel("mean lithium fraction, by volume")
    axes.set_ylabel("reaction current / A m$^{-2}$ of particle surface")
    style.finish(axes)
    axes.legend(loc="best")
    return lines


def plot_synchrony(axes: Axes, run: ParticleRun) -> Any:
    """Draw how fast each particle loses lithium, as a row of colours; time runs to the right.

    Returns:
        the artist from which a colour bar is made.
    """
    rate = rates(run)
    # The particles that react first are at the bottom.
    centre = order_of_reaction(run.mean, rate) * np.sign(run.mean[0] - run.mean[-1] or 1.0)
    rows = np.argsort(-centre, kind="stable")
    share = over_their_mean(run.table.volume_um3, rate)[:, rows]
    columns = np.linspace(run.mean[0], run.mean[-1], _COLUMNS)
    order = np.argsort(run.mean, kind="stable")
    at = np.stack([np.interp(columns, run.mean[order], row[order]) for row in share.T])
    known = at[np.isfinite(at)]
    low, high = np.percentile(known, [1, 99]) if known.size else (0.0, 1.0)
    low, high = min(float(low), 0.0), max(float(high), 1.0)
    # A hundredth of the values may lie beyond the colours; the ends of the bar are arrows then.
    colours: Any = colormaps[style.DENSITY_COLOURS].copy()
    colours.colorbar_extend = style.beyond(known, low, high)
    image = axes.imshow(
        at,
        aspect="auto",
        origin="lower",
        extent=(run.mean[0], run.mean[-1], 0, at.shape[0]),
        cmap=colours,
        vmin=low,
        vmax=high,
        interpolation="nearest",
    )
    axes.set_xlabel("mean lithium fraction, by volume")
    axes.set_ylabel("particle, first to react at the bottom")
    return image


def currents_figure(run: ParticleRun, by: ColourBy = "penalty") -> Figure:
    """Draw both panels for the samples of one charge or discharge."""
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 3.3)
        grid = figure.add_gridspec(2, 2, height_ratios=[1, 3.2])
        left = figure.add_subplot(grid[:, 0])
        lines = plot_currents(left, run, by=by)
        particle_bar(lines, left, by)
        below = figure.add_subplot(grid[1, 1])
        image = plot_synchrony(below, run)
        figure.colorbar(
            image, ax=below, pad=0.02, label="rate of change of lithium\nover its mean by volume"
        )
        above = figure.add_subplot(grid[0, 1], sharex=below)
        works = participation(run.table.volume_um3, rates(run))
        above.plot(run.mean, works, color=style.CHARGE)
        above.set_ylim(0, 1.05)
        above.set_ylabel("material\nat work")
        above.tick_params(labelbottom=False, top=True, right=True)
        lay_out(figure)
    return figure


def draw_currents(folder: Path | str) -> Path | None:
    """Draw report/currents.png from the results folder alone.

    Returns:
        the path of the picture; None if no charge or discharge has enough samples.

    Raises:
        InputError: the folder has no readable particles.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    stretch = stretch_of(read_particle_run(results.path))
    if stretch is None:
        return None
    figure = currents_figure(stretch)
    path = results.make_report() / "currents.png"
    with style.style():
        style.save(figure, path)
    return path
