r"""report/penalties.png: the penalty factors drawn, beside the distribution they were drawn from.

The distribution of equation (15) under the restriction in force (`simulator.physics.penalty`), as
its cumulative function H, so that what lies exactly at an end is counted there:

    truncate   H(p) = F(p) / F(1)
    clip       H(p) = F(p) below 1, and 1 at 1
    rescale    H(p) = F(m p), m the largest of the N drawn where that is above 1; its median is
               taken, lambda (-ln(1 - 2^(-1/N)))^(1/k)

and H = 0 below pen_min: what would lie below, lies at pen_min.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simulator.particles import ParticleTable
from simulator.results.folder import ResultsFolder
from simulator.results.manifest import read_manifest
from simulator.results.sample import Floats
from simulator.viewing import style
from simulator.viewing.legends import lay_out

_BINS = 20


@dataclass(frozen=True)
class PenaltyLaw:
    """The law that penalties were drawn from: Weibull, restricted to [minimum, 1].

    Attributes:
        shape, scale: k and lambda.
        minimum: pen_min.
        restriction: truncate, clip or rescale.
        correlation_length_um: 0 where factors are independent.
    """

    shape: float
    scale: float
    minimum: float
    restriction: str
    correlation_length_um: float = 0.0

    @property
    def text(self) -> str:
        """For a legend."""
        how = {"truncate": "truncated", "clip": "clipped", "rescale": "rescaled"}[self.restriction]
        text = f"Weibull, $k$ = {self.shape:g}, $λ$ = {self.scale:g}, {how}"
        if self.correlation_length_um > 0:
            text += f",\ncorrelated over {self.correlation_length_um:g} µm"
        return text

    def cumulative(self, penalty: Floats, count: int) -> Floats:
        """H: the expected share of factors up to `penalty`, of `count` particles."""
        largest = 1.0
        if self.restriction == "rescale":
            rare = -math.log(-math.expm1(-math.log(2.0) / count))
            largest = max(1.0, self.scale * rare ** (1.0 / self.shape))
        below = -np.expm1(-((np.clip(penalty, 0.0, 1.0) * largest / self.scale) ** self.shape))
        if self.restriction == "truncate":
            below = below / -math.expm1(-((1.0 / self.scale) ** self.shape))
        below = np.where(penalty >= 1.0, 1.0, below)
        return np.where(penalty < self.minimum, 0.0, below).astype(np.float64)


def law_of(manifest: Mapping[str, Any]) -> PenaltyLaw | None:
    """The law in a manifest's parameters; None where penalties were given, or none drawn."""
    given = manifest.get("parameters", {}).get("penalty", {})
    if given.get("distribution") != "weibull":
        return None
    return PenaltyLaw(
        given["shape"],
        given["scale"],
        given["minimum"],
        given["restriction"],
        1e6 * given.get("correlation_length", 0.0),
    )


def plot_penalties(axes: Any, penalty: Floats, law: PenaltyLaw | None) -> None:
    """Histogram of factors, and how many the law makes one expect in each bin."""
    edges: Floats = np.linspace(0.0, 1.0, _BINS + 1, dtype=np.float64)
    axes.hist(
        penalty, edges, color=style.CHARGE, alpha=0.75, label=f"drawn, {penalty.size} particles"
    )
    if law is not None:
        at = np.r_[-1.0, edges[1:]]
        expected = penalty.size * np.diff(law.cumulative(at, penalty.size))
        axes.stairs(expected, edges, color=style.DISCHARGE, linewidth=1.3, label=law.text)
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("penalty factor")
    axes.set_ylabel(f"particles per {1 / _BINS:g}")
    axes.tick_params(which="both", top=True, right=True)
    axes.legend(loc="upper right")


def plot_cumulative(axes: Any, penalty: Floats, law: PenaltyLaw | None) -> None:
    """Share of particles with a factor up to a value, on a logarithmic axis."""
    axes.ecdf(penalty, color=style.CHARGE, label="drawn")
    low = 0.7 * float(penalty.min())
    if law is not None:
        at: Floats = np.geomspace(low, 1.0, 400, dtype=np.float64)
        axes.plot(at, law.cumulative(at, penalty.size), color=style.DISCHARGE, label="law")
    axes.set_xscale("log")
    axes.set_xlim(low, 1.0)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("penalty factor")
    axes.set_ylabel("share of particles up to it, by number")
    axes.tick_params(which="both", top=True, right=True)
    axes.legend(loc="upper left")


def penalties_figure(penalty: Floats, law: PenaltyLaw | None) -> Figure:
    """Histogram and cumulative share, side by side."""
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 2.7)
        left, right = figure.subplots(1, 2)
        plot_penalties(left, penalty, law)
        plot_cumulative(right, penalty, law)
        lay_out(figure)
    return figure


def draw_penalties(folder: Path | str) -> Path | None:
    """Draw report/penalties.png from the results folder alone.

    Returns:
        the path of the picture; None where all particles have one factor.

    Raises:
        InputError: no readable particles there.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    penalty = ParticleTable.read_csv(results.particles).penalty
    if np.ptp(penalty) == 0:
        return None
    figure = penalties_figure(penalty, law_of(read_manifest(results.manifest)))
    path = results.make_report() / "penalties.png"
    with style.style():
        style.save(figure, path)
    return path
