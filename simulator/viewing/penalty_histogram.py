r"""report/penalties.png: the penalty factors drawn, beside the law that they were drawn from.

The law is that of equation (15) under the restriction in force. Its cumulative distribution
function (`heterode.distributions.penalty_law`) is used, so that factors exactly at an end are
counted there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from heterode.base.words import counted
from heterode.distributions.penalty_law import RestrictedWeibull
from heterode.particles.table import ParticleTable
from heterode.results.folder import ResultsFolder
from heterode.results.json_record import content_of
from heterode.results.manifest import read_manifest
from heterode.results.sample import Floats
from heterode.viewing import style
from heterode.viewing.legends import lay_out

_BINS = 20


@dataclass(frozen=True)
class PenaltyLaw:
    """The law that penalties were drawn from, and its description for a legend.

    Attributes:
        law: the law of independent factors.
        correlation_length_um: correlation length, um; 0 if factors are independent.
    """

    law: RestrictedWeibull
    correlation_length_um: float = 0.0

    @property
    def text(self) -> str:
        """The text for a legend."""
        law = self.law
        how = {"truncate": "truncated", "clip": "clipped", "rescale": "rescaled"}[law.restriction]
        text = f"Weibull, $k$ = {law.shape:g}, $λ$ = {law.scale:g}, {how}"
        if self.correlation_length_um > 0:
            text += f",\ncorrelated over {self.correlation_length_um:g} µm"
        return text


def law_of(manifest: Mapping[str, Any]) -> PenaltyLaw | None:
    """Return the law in a manifest's parameters; None if penalties were given, or none drawn."""
    given = manifest.get("parameters", {}).get("penalty", {})
    if given.get("distribution") != "weibull":
        return None
    law = RestrictedWeibull(given["shape"], given["scale"], given["minimum"], given["restriction"])
    return PenaltyLaw(law, 1e6 * given.get("correlation_length", 0.0))


def plot_penalties(axes: Any, penalty: Floats, law: PenaltyLaw | None) -> None:
    """Draw a histogram of the factors, and the number that the law predicts for each bin."""
    edges: Floats = np.linspace(0.0, 1.0, _BINS + 1, dtype=np.float64)
    axes.hist(
        penalty,
        edges,
        color=style.CHARGE,
        alpha=0.75,
        label=f"drawn, {counted(penalty.size, 'particle')}",
    )
    if law is not None:
        at = np.r_[-1.0, edges[1:]]
        expected = penalty.size * np.diff(law.law.cumulative(at, penalty.size))
        axes.stairs(expected, edges, color=style.DISCHARGE, linewidth=1.3, label=law.text)
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("penalty factor")
    axes.set_ylabel(f"particles per {1 / _BINS:g}")
    axes.tick_params(which="both", top=True, right=True)
    axes.legend(loc="upper right")


def plot_cumulative(axes: Any, penalty: Floats, law: PenaltyLaw | None) -> None:
    """Draw the share of particles with a factor up to a value, on a logarithmic axis."""
    axes.ecdf(penalty, color=style.CHARGE, label="drawn")
    low = 0.7 * float(penalty.min())
    if law is not None:
        at: Floats = np.geomspace(low, 1.0, 400, dtype=np.float64)
        axes.plot(at, law.law.cumulative(at, penalty.size), color=style.DISCHARGE, label="law")
    axes.set_xscale("log")
    axes.set_xlim(low, 1.0)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("penalty factor")
    axes.set_ylabel("share of particles up to it, by number")
    axes.tick_params(which="both", top=True, right=True)
    axes.legend(loc="upper left")


def penalties_figure(penalty: Floats, law: PenaltyLaw | None) -> Figure:
    """Draw histogram and cumulative share side by side."""
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
        the path of the picture; None if all particles have the same factor.

    Raises:
        InputError: the folder has no readable particles.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    penalty = ParticleTable.read_csv(results.particles).penalty
    if np.ptp(penalty) == 0:
        return None
    with content_of(results.manifest):
        law = law_of(read_manifest(results.manifest))
    figure = penalties_figure(penalty, law)
    path = results.make_report() / "penalties.png"
    with style.style():
        style.save(figure, path)
    return path
