"""report/particles.png: the lithium fraction of every particle over time, with a line for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heterode.results.folder import ResultsFolder
from heterode.results.sample import Floats
from heterode.viewing import style
from heterode.viewing.legends import lay_out
from heterode.viewing.particle_run import (
    COLOUR_BY,
    ColourBy,
    ParticleRun,
    particle_bar,
    plot_lines,
    read_particle_run,
)


def plot_particles(axes: Axes, run: ParticleRun, *, by: ColourBy = "penalty") -> Any:
    """Draw lithium fractions over time, coloured by penalty factor or radius; the mean in black.

    Returns:
        the artist from which a colour bar is made.
    """
    unit = style.time_unit(float(run.series.time_s[-1]))
    time: Floats = np.asarray(run.series.time_s / unit.seconds, dtype=np.float64)
    lines = plot_lines(axes, time, run.series.lithium_fraction, run.table, by)
    axes.plot(time, run.mean, color=style.INK, linewidth=1.4, label="mean by volume")
    axes.margins(x=0)
    axes.set_xlabel(f"time / {unit.name}")
    axes.set_ylabel("lithium fraction of particles")
    style.finish(axes)
    axes.legend(loc="best")
    return lines


def particles_figure(run: ParticleRun, colours: Sequence[ColourBy] = COLOUR_BY) -> Figure:
    """Draw a panel for each colouring, side by side."""
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN * (0.1 + 0.45 * len(colours)), 2.9)
        places = figure.subplots(1, len(colours), sharey=True, squeeze=False)[0]
        for axes, by in zip(places, colours, strict=True):
            lines = plot_particles(axes, run, by=by)
            particle_bar(lines, axes, by)
        for axes in places[1:]:
            axes.set_ylabel("")
            axes.get_legend().remove()
        lay_out(figure)
    return figure


def draw_particles(folder: Path | str) -> Path:
    """Draw report/particles.png from the results folder alone.

    Raises:
        InputError: the folder has no readable particles.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    figure = particles_figure(read_particle_run(results.path))
    path = results.make_report() / "particles.png"
    with style.style():
        style.save(figure, path)
    return path
