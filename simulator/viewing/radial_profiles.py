"""report/profiles.png: lithium from the centre to the surface of chosen particles, over time.

The profile of a particle is the mean over its mesh points at similar distances from its centroid,
with a band between the smallest and largest value; in a sphere fed from one side only, the band is
wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from heterode.base.errors import ArgumentError
from heterode.particles.table import ParticleTable
from heterode.results.fields import FieldSeries, read_fields
from heterode.results.folder import ResultsFolder
from heterode.results.history import read_history
from heterode.results.sample import FieldGrid, Floats, Integers
from heterode.viewing import style
from heterode.viewing.legends import lay_out
from heterode.viewing.particle_map import passed_at, row_at

_SHELLS = 14
_ROUND = 1.15  # a whole particle reaches at most this many radii from its centroid
_MOMENTS = 6
_PALEST = 0.92
"""Share of the colour map that lines on white use; paler lines would be lost."""


@dataclass(frozen=True)
class Profile:
    """The profile of a particle at one time, over S shells that hold mesh points.

    Attributes:
        radius_um: (S,) mean distance of a shell's points from the centroid, um.
        mean, least, largest: (S,) lithium fraction.
    """

    radius_um: Floats
    mean: Floats
    least: Floats
    largest: Floats


def points_of(grid: FieldGrid, particle: int) -> Integers:
    """Return the indices (Q,) of a particle's points.

    Raises:
        ArgumentError: there is no such particle.
    """
    cells = grid.cells[grid.cell_data["particle"] == particle]
    if len(cells) == 0:
        count = int(grid.cell_data["particle"].max()) + 1
        raise ArgumentError(
            f"{{particles}}: no such particle (allowed: 0 to {count - 1})", particles=particle
        )
    return np.asarray(np.unique(cells))


def radial_profile(distance_um: Floats, values: Floats, shells: int = _SHELLS) -> Profile:
    """Return values by distance.

    Args:
        distance_um: (Q,) distances from the centroid, um.
        values: (Q,) values there.
        shells: number of shells of equal thickness; empty ones are left out.
    """
    outermost = float(distance_um.max()) or 1.0
    shell = np.minimum((distance_um / outermost * shells).astype(np.int64), shells - 1)
    used, place = np.unique(shell, return_inverse=True)
    count = np.bincount(place)
    least, largest = np.full(used.size, np.inf), np.full(used.size, -np.inf)
    np.minimum.at(least, place, values)
    np.maximum.at(largest, place, values)
    means = (np.bincount(place, weights) / count for weights in (distance_um, values))
    radius, mean = means
    return Profile(radius, mean, least, largest)


def particle_profile(
    grid: FieldGrid, table: ParticleTable, particle: int, field: Floats
) -> Profile:
    """Return the profile of a particle.

    Args:
        grid: the particles' grid.
        table: N particles.
        particle: the particle's number.
        field: (P,) values at the points of the grid.

    Raises:
        ArgumentError: there is no such particle.
    """
    points = points_of(grid, particle)
    centre = np.array([table.x_um[particle], table.y_um[particle], table.z_um[particle]])
    away = grid.points_um[points] - centre[: grid.dimension]
    return radial_profile(np.asarray(np.linalg.norm(away, axis=1)), field[points])


def representative_particles(
    table: ParticleTable, spread_at: Floats, reach_um: Floats | None = None
) -> list[int]:
    """Choose the particles with least, median and most lithium at a moment of large spread.

    If possible, the smallest tenth by radius is passed over, since few mesh points resolve those,
    and also the particles that a wall cuts, whose centroid is not their centre.

    Args:
        table: N particles.
        spread_at: (N,) their lithium fractions at that moment.
        reach_um: (N,) largest distance of their points from the centroid, um.
    """
    fit = table.radius_um >= np.quantile(table.radius_um, 0.1)
    if reach_um is not None and np.sum(fit & (reach_um < _ROUND * table.radius_um)) >= 3:
        fit &= reach_um < _ROUND * table.radius_um
    candidates = np.flatnonzero(fit) if fit.sum() >= 3 else np.arange(len(table))
    order = candidates[np.argsort(spread_at[candidates], kind="stable")]
    return list(dict.fromkeys(int(order[k]) for k in (0, len(order) // 2, len(order) - 1)))


def evenly_in_charge(history: pd.DataFrame, times_s: Floats, count: int = _MOMENTS) -> list[int]:
    """Return indices of times spaced evenly in charge passed, including the first and last."""
    passed = passed_at(history, times_s)
    goals = np.linspace(passed[0], passed[-1], count)
    return sorted({0, len(times_s) - 1, *(int(np.abs(passed - goal).argmin()) for goal in goals)})


@dataclass(frozen=True)
class Look:
    """How profiles at several moments are drawn: coloured by the electrode's lithium, like maps.

    Attributes:
        shades: the mappable from which a colour bar is made.
        colours: the colour of each moment, yellow where the electrode holds most lithium.
        dashes: line style of each moment: dashed if there is more lithium than at the moment
            before.
    """

    shades: ScalarMappable
    colours: list[Any]
    dashes: list[Any]


def looks(means: Sequence[float]) -> Look:
    """Return colours and dashes of moments in order of time, from mean lithium fractions."""
    low, high = min(means), max(means)
    shades = ScalarMappable(
        Normalize(low, max(high, low + 1e-3)), style.trimmed(style.FRACTION_COLOURS, high=_PALEST)
    )
    filled = np.diff(means, prepend=means[0]) > 0.0
    dashes = [(0, (3, 1.6)) if more else "-" for more in filled]
    return Look(shades, list(shades.to_rgba(np.asarray(means))), dashes)


def plot_profile(
    axes: Axes, profile: Profile, colour: Any, label: str = "", dashes: Any = "-"
) -> None:
    """Draw a particle at one time: mean and band over the distance from the centroid."""
    axes.fill_between(
        profile.radius_um, profile.least, profile.largest, color=colour, alpha=0.18, linewidth=0
    )
    axes.plot(profile.radius_um, profile.mean, color=colour, linestyle=dashes, label=label or None)


def profiles_figure(
    series: FieldSeries,
    history: pd.DataFrame,
    table: ParticleTable,
    particles: Sequence[int] | None = None,
) -> Figure:
    """Draw a panel for each particle and a line for each moment, coloured by the mean lithium.

    Args:
        series: fields of the particles.
        history: history of the cell.
        table: N particles.
        particles: numbers of the particles shown; None chooses, see `representative_particles`.

    Raises:
        ArgumentError: there is no such particle.
    """
    chosen = evenly_in_charge(history, series.times_s)
    fields = [series.load(index)["lithium_fraction"] for index in chosen]
    if particles is None:
        owner = _owners(series.grid)
        apart = _means_when_apart(owner, fields, len(table))
        particles = representative_particles(table, apart, _reach(series.grid, owner, table))
    rows = [row_at(history, float(series.times_s[index])) for index in chosen]
    means = [float(row["lithium_fraction_mean"]) for row in rows]
    look = looks(means)
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 2.7)
        places = figure.subplots(1, len(particles), sharey=True, squeeze=False)[0]
        for axes, particle in zip(places, particles, strict=True):
            for field, colour, dashes in zip(fields, look.colours, look.dashes, strict=True):
                profile = particle_profile(series.grid, table, particle, field)
                plot_profile(axes, profile, colour, dashes=dashes)
            axes.set_title(
                f"particle {particle}\nradius {table.radius_um[particle]:.3g} µm, "
                f"penalty {table.penalty[particle]:.2g}"
            )
            axes.set_xlabel("distance from centre / µm")
            axes.set_xlim(left=0)
            axes.tick_params(which="both", top=True, right=True)
        places[0].set_ylabel("lithium fraction")
        _key(figure, places, means, look)
        lay_out(figure)
    return figure


def _key(figure: Figure, places: Any, means: Sequence[float], look: Look) -> None:
    """Draw a colour bar with a tick at each moment, and explain the dashes."""
    bar = figure.colorbar(look.shades, ax=places, pad=0.01, fraction=0.03)
    reach = max(max(means) - min(means), 1e-3)
    shown: list[float] = []
    for mean in sorted(means):
        # Moments of nearly the same lithium share a tick.
        if not shown or mean - shown[-1] > 0.06 * reach:
            shown.append(mean)
    bar.set_ticks(shown, labels=[f"{mean:.2f}" for mean in shown])
    bar.ax.tick_params(which="both", length=2)
    bar.set_label(f"mean of the electrode, by volume\n({style.DIRECTION})")
    if "-" in look.dashes and len(set(map(str, look.dashes))) > 1:
        dashed = next(dashes for dashes in look.dashes if dashes != "-")
        handles = [
            Line2D([], [], color=style.INK, linestyle="-", label="lithium leaves"),
            Line2D([], [], color=style.INK, linestyle=dashed, label="lithium comes back"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2)


def _owners(grid: FieldGrid) -> Integers:
    """Return the particle of each point, (P,)."""
    owner = np.zeros(len(grid.points_um), dtype=np.int64)
    owner[grid.cells] = np.asarray(grid.cell_data["particle"], dtype=np.int64)[:, None]
    return owner


def _reach(grid: FieldGrid, owner: Integers, table: ParticleTable) -> Floats:
    """Return the largest distance of each particle's points from its centroid, (N,), um."""
    centres = np.column_stack([table.x_um, table.y_um, table.z_um])[:, : grid.dimension]
    reach = np.zeros(len(table))
    np.maximum.at(reach, owner, np.linalg.norm(grid.points_um - centres[owner], axis=1))
    return reach


def _means_when_apart(owner: Integers, fields: Sequence[Floats], count: int) -> Floats:
    """Return means over each particle's points, (N,), at the moment at which they differ most."""
    points = np.maximum(np.bincount(owner, minlength=count), 1)
    means = [np.bincount(owner, field, count) / points for field in fields]
    return np.asarray(max(means, key=lambda mean: float(np.std(mean))))


def draw_profiles(folder: Path | str, particles: Sequence[int] | None = None) -> Path:
    """Draw report/profiles.png from the results folder alone.

    Args:
        folder: the results folder.
        particles: numbers of the particles shown; None chooses three that differ.

    Raises:
        InputError: the folder has no readable fields, or there is no such particle.
        OutputError: the picture cannot be written.
    """
    results = ResultsFolder(folder)
    table = ParticleTable.read_csv(results.particles)
    series = read_fields(results.path, "particles")
    figure = profiles_figure(series, read_history(results.path), table, particles)
    path = results.make_report() / "profiles.png"
    with style.style():
        style.save(figure, path)
    return path
