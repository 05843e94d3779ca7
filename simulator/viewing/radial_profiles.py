"""report/profiles.png: lithium from the centre to the surface of chosen particles, over time.

The profile of a particle is the mean over its mesh points at like distances from its centroid,
with the band between least and largest: in a sphere fed from one side alone the band is wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from simulator.errors import InputError
from simulator.particles import ParticleTable
from simulator.results.fields import FieldSeries, read_fields
from simulator.results.folder import ResultsFolder
from simulator.results.history import read_history
from simulator.results.sample import FieldGrid, Floats, Integers
from simulator.viewing import style
from simulator.viewing.particle_map import passed_at, row_at

_SHELLS = 14
_ROUND = 1.15  # largest distance from the centroid over the radius of what counts as whole
_MOMENTS = 6
_COLOURS = "viridis"


@dataclass(frozen=True)
class Profile:
    """One particle at one time, S shells that hold mesh points.

    Attributes:
        radius_um: (S,) mean distance of a shell's points from the centroid.
        mean, least, largest: (S,) lithium fraction.
    """

    radius_um: Floats
    mean: Floats
    least: Floats
    largest: Floats


def points_of(grid: FieldGrid, particle: int) -> Integers:
    """(Q,) indices of a particle's points.

    Raises:
        InputError: no such particle.
    """
    cells = grid.cells[grid.cell_data["particle"] == particle]
    if len(cells) == 0:
        count = int(grid.cell_data["particle"].max()) + 1
        raise InputError(f"--particles {particle}: no such particle (allowed: 0 to {count - 1})")
    return np.asarray(np.unique(cells))


def radial_profile(distance_um: Floats, values: Floats, shells: int = _SHELLS) -> Profile:
    """Values by distance.

    Args:
        distance_um: (Q,) from the centroid.
        values: (Q,) there.
        shells: of equal thickness; empty ones are left out.
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
    """The profile of a particle.

    Args:
        grid: of the particles.
        table: N particles.
        particle: its number.
        field: (P,) at the points of the grid.

    Raises:
        InputError: no such particle.
    """
    points = points_of(grid, particle)
    centre = np.array([table.x_um[particle], table.y_um[particle], table.z_um[particle]])
    away = grid.points_um[points] - centre[: grid.dimension]
    return radial_profile(np.asarray(np.linalg.norm(away, axis=1)), field[points])


def telling_particles(
    table: ParticleTable, spread_at: Floats, reach_um: Floats | None = None
) -> list[int]:
    """Three particles: of least, median and most lithium at a moment of large spread.

    Where there is a choice, those of the smallest tenth by radius are passed over, as few mesh
    points tell of them, and those that a wall cuts, whose centroid is no centre.

    Args:
        table: N particles.
        spread_at: (N,) their lithium fractions then.
        reach_um: (N,) largest distance of their points from the centroid.
    """
    fit = table.radius_um >= np.quantile(table.radius_um, 0.1)
    if reach_um is not None and np.sum(fit & (reach_um < _ROUND * table.radius_um)) >= 3:
        fit &= reach_um < _ROUND * table.radius_um
    candidates = np.flatnonzero(fit) if fit.sum() >= 3 else np.arange(len(table))
    order = candidates[np.argsort(spread_at[candidates], kind="stable")]
    return list(dict.fromkeys(int(order[k]) for k in (0, len(order) // 2, len(order) - 1)))


def moments(history: pd.DataFrame, times_s: Floats, count: int = _MOMENTS) -> list[int]:
    """Indices of times, evenly in the charge passed, the first and the last among them."""
    passed = passed_at(history, times_s)
    goals = np.linspace(passed[0], passed[-1], count)
    return sorted({0, len(times_s) - 1, *(int(np.abs(passed - goal).argmin()) for goal in goals)})


def plot_profile(axes: Any, profile: Profile, colour: Any, label: str = "") -> None:
    """One particle at one time: mean and band over the distance from the centroid."""
    axes.fill_between(
        profile.radius_um, profile.least, profile.largest, color=colour, alpha=0.18, linewidth=0
    )
    axes.plot(profile.radius_um, profile.mean, color=colour, label=label or None)


def profiles_figure(
    series: FieldSeries,
    history: pd.DataFrame,
    table: ParticleTable,
    particles: Sequence[int] | None = None,
) -> Figure:
    """A panel per particle, a colour per moment.

    Args:
        series: fields of the particles.
        history: of the cell.
        table: N particles.
        particles: their numbers; None chooses, see `telling_particles`.

    Raises:
        InputError: no such particle.
    """
    chosen = moments(history, series.times_s)
    fields = [series.load(index)["lithium_fraction"] for index in chosen]
    if particles is None:
        owner = _owners(series.grid)
        apart = _means_when_apart(owner, fields, len(table))
        particles = telling_particles(table, apart, _reach(series.grid, owner, table))
    colours = [colormaps[_COLOURS](share) for share in np.linspace(0, 0.92, len(chosen))]
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 2.7)
        places = figure.subplots(1, len(particles), sharey=True, squeeze=False)[0]
        for axes, particle in zip(places, particles, strict=True):
            for field, colour in zip(fields, colours, strict=True):
                plot_profile(axes, particle_profile(series.grid, table, particle, field), colour)
            axes.set_title(
                f"particle {particle}\nradius {table.radius_um[particle]:.3g} µm, "
                f"penalty {table.penalty[particle]:.2g}"
            )
            axes.set_xlabel("distance from centre / µm")
            axes.set_xlim(left=0)
            axes.tick_params(which="both", top=True, right=True)
        places[0].set_ylabel("lithium fraction")
        rows = [row_at(history, float(series.times_s[index])) for index in chosen]
        _key(figure, places, [row["lithium_fraction_mean"] for row in rows], colours)
        figure.draw_without_rendering()
    return figure


def _key(figure: Figure, places: Any, means: Sequence[float], colours: Sequence[Any]) -> None:
    """A bar of the moments' colours, named by the electrode's mean lithium fraction."""
    count = len(colours)
    shades = ScalarMappable(Normalize(-0.5, count - 0.5), ListedColormap(list(colours)))
    bar = figure.colorbar(shades, ax=places, pad=0.01, fraction=0.03, ticks=range(count))
    bar.ax.set_yticklabels([f"{mean:.2f}" for mean in means])
    bar.ax.tick_params(which="both", length=0)
    bar.ax.invert_yaxis()
    bar.set_label("mean of the electrode")


def _owners(grid: FieldGrid) -> Integers:
    """(P,) particle of each point."""
    owner = np.zeros(len(grid.points_um), dtype=np.int64)
    owner[grid.cells] = np.asarray(grid.cell_data["particle"], dtype=np.int64)[:, None]
    return owner


def _reach(grid: FieldGrid, owner: Integers, table: ParticleTable) -> Floats:
    """(N,) largest distance of each particle's points from its centroid, um."""
    centres = np.column_stack([table.x_um, table.y_um, table.z_um])[:, : grid.dimension]
    reach = np.zeros(len(table))
    np.maximum.at(reach, owner, np.linalg.norm(grid.points_um - centres[owner], axis=1))
    return reach


def _means_when_apart(owner: Integers, fields: Sequence[Floats], count: int) -> Floats:
    """(N,) means over each particle's points at the moment at which they differ most."""
    points = np.maximum(np.bincount(owner, minlength=count), 1)
    means = [np.bincount(owner, field, count) / points for field in fields]
    return np.asarray(max(means, key=lambda mean: float(np.std(mean))))


def draw_profiles(folder: Path | str, particles: Sequence[int] | None = None) -> Path:
    """Draw report/profiles.png from the results folder alone.

    Args:
        folder: of the results.
        particles: their numbers; None chooses three that differ.

    Raises:
        InputError: no readable fields there, or no such particle.
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
