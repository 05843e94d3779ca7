"""The particles of a run over time and their colours, which the figures of particles share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.ticker import LogLocator

from heterode.base.errors import ArgumentError, InputError
from heterode.base.words import counted
from heterode.particles.table import ParticleTable
from heterode.results.history import read_history
from heterode.results.particle_series import ParticleHistory, read_particle_series
from heterode.results.sample import Floats
from heterode.viewing import style

ColourBy = Literal["penalty", "radius"]
COLOUR_BY: tuple[ColourBy, ...] = ("penalty", "radius")

_MOST_SAMPLES = 400
"""Largest number of samples in a line; a page cannot show more points."""


@dataclass(frozen=True)
class ParticleRun:
    """T samples of N particles, and the cell's history.

    Attributes:
        table: the N particles.
        series: their samples.
        history: the history of the cell, which may have more rows than there are samples.
    """

    table: ParticleTable
    series: ParticleHistory
    history: pd.DataFrame

    def __post_init__(self) -> None:
        if self.series.lithium_fraction.shape[1:] != (len(self.table),):
            raise InputError(
                f"particles.h5 holds "
                f"{counted(self.series.lithium_fraction.shape[1], 'particle')}, but "
                f"particles.csv {len(self.table)}: they are not of one run"
            )
        if len(self.series.time_s) == 0:
            raise InputError("particles.h5 holds no samples yet: nothing to draw")

    @cached_property
    def mean(self) -> Floats:
        """Volume-weighted mean lithium fraction, (T,)."""
        share = self.table.volume_um3 / self.table.volume_um3.sum()
        return np.asarray(self.series.lithium_fraction @ share)

    @cached_property
    def spread(self) -> Floats:
        """Volume-weighted standard deviation of the particles' lithium fractions, (T,)."""
        share = self.table.volume_um3 / self.table.volume_um3.sum()
        deviation = self.series.lithium_fraction - self.mean[:, None]
        return np.asarray(np.sqrt(deviation**2 @ share))

    def between(self, begin_s: float, end_s: float) -> ParticleRun:
        """Return the samples of an interval of time, including its ends."""
        slack = 1e-9 * max(abs(end_s), 1.0)
        time = self.series.time_s
        chosen = (time >= begin_s - slack) & (time <= end_s + slack)
        if not chosen.any():
            raise InputError("particles.h5 holds no samples of the charge or discharge to draw")
        kept = ParticleHistory(*(values[chosen] for values in vars(self.series).values()))
        return ParticleRun(self.table, kept, self.history)


def read_particle_run(folder: Path) -> ParticleRun:
    """Return the particles of a results folder.

    Raises:
        InputError: files are missing or damaged, or have no samples.
    """
    table = ParticleTable.read_csv(folder / "particles.csv")
    return ParticleRun(table, read_particle_series(folder), read_history(folder))


def particle_colours(table: ParticleTable, by: ColourBy) -> tuple[Floats, Normalize]:
    """Return the values (N,) by which particles are coloured, and their range.

    Penalties are coloured by their logarithm.

    Raises:
        ArgumentError: `by` is neither "penalty" nor "radius".
    """
    if by not in COLOUR_BY:
        raise ArgumentError(f"{{by}} is not known (allowed: {', '.join(COLOUR_BY)})", by=by)
    if by == "penalty":
        low, high = float(table.penalty.min()), float(table.penalty.max())
        return table.penalty, LogNorm(low, max(high, 1.0001 * low))
    low, high = float(table.radius_um.min()), float(table.radius_um.max())
    return table.radius_um, Normalize(low, max(high, 1.0001 * low))


def colour_map() -> Colormap:
    """Return the colour map for lines on white, without its palest end."""
    return style.trimmed("plasma", high=0.9)


def plot_lines(
    axes: Axes, abscissa: Floats, values: Floats, table: ParticleTable, by: ColourBy
) -> LineCollection:
    """Draw a line for each particle.

    Args:
        axes: matplotlib axes.
        abscissa: (T,) abscissa.
        values: (T, N) values.
        table: N particles.
        by: the quantity that colours them.

    Returns:
        the artist from which a colour bar is made.
    """
    every = max(1, len(abscissa) // _MOST_SAMPLES)
    # The last sample is always kept.
    chosen = np.unique(np.r_[np.arange(0, len(abscissa), every), len(abscissa) - 1])
    x = np.broadcast_to(abscissa[chosen], (values.shape[1], len(chosen)))
    lines = LineCollection(
        list(np.stack([x, values[chosen].T], axis=2)),
        linewidths=float(np.clip(30 / values.shape[1], 0.25, 1.0)),
        alpha=0.85,
        cmap=colour_map(),
    )
    shown, norm = particle_colours(table, by)
    lines.set(array=shown, norm=norm)
    axes.add_collection(lines)
    axes.autoscale_view()
    return lines


def particle_bar(lines: Any, axes: Axes, by: ColourBy) -> None:
    """Draw the colour bar of `plot_lines` beside the axes."""
    label = "penalty factor" if by == "penalty" else "radius / µm"
    # Penalties lie within two decades, where powers of ten alone would leave a single number.
    ticks = LogLocator(subs=(1.0, 2.0, 5.0)) if by == "penalty" else None
    numbers = "%g" if by == "penalty" else None
    bar = axes.figure.colorbar(lines, ax=axes, pad=0.02, label=label, ticks=ticks, format=numbers)
    bar.minorticks_off()
