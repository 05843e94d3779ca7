"""A simulated electrode as a microscope would see it: a polished section in colours by theory.

In 2D the discs are the section. In 3D the plane y = const cuts spheres: what shows is a disc of
radius sqrt(R^2 - d^2). The colour is that of the particle's mean lithium fraction, the only one
that particles.h5 keeps; a section through a steep profile would show the section's own mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import InputError
from simulator.optics.calibration import CHANNELS
from simulator.optics.csv_columns import numbers, read_rows
from simulator.optics.synthetic import Scene
from simulator.particles import ParticleTable
from simulator.results.particle_series import read_particle_series

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Colours:
    """Brightness of red, green and blue over the lithium fraction: lithium (K,), colour (K, 3)."""

    lithium: Floats
    colour: Floats

    def of(self, lithium: Floats) -> Floats:
        """(N, 3) brightness, straight lines between the rows.

        Raises:
            InputError: a lithium fraction outside the table.
        """
        low, high = float(self.lithium[0]), float(self.lithium[-1])
        if lithium.min() < low - 1e-9 or lithium.max() > high + 1e-9:
            raise InputError(
                f"the particles hold {lithium.min():.3f} to {lithium.max():.3f} lithium, the"
                f" colours reach from {low:.3f} to {high:.3f}. Add rows to the table of colours"
            )
        columns = [np.interp(lithium, self.lithium, self.colour[:, c]) for c in range(3)]
        return np.stack(columns, axis=1)


ILLUSTRATIVE = Colours(np.array([0.0, 1.0]), np.array([[0.78, 0.74, 0.62], [0.42, 0.42, 0.40]]))
"""Made up, darker with lithium: for trying things out, not a material's."""


def read_colours(path: Path | str) -> Colours:
    """A CSV file with lithium_fraction, red, green, blue, as `heterode dielectric` writes it.

    Raises:
        InputError: not such a table, brightness outside [0, 1], or fewer than two rows.
    """
    heading, rows = read_rows(path)
    needed = ("lithium_fraction", *CHANNELS)
    missing = [name for name in needed if name not in heading]
    if missing:
        raise InputError(f"{path}: column {', '.join(missing)} is missing ({', '.join(needed)})")
    lithium = numbers(path, rows, "lithium_fraction")
    colour = np.stack([numbers(path, rows, channel) for channel in CHANNELS], axis=1)
    if colour.min() < 0.0 or colour.max() > 1.0:
        raise InputError(f"{path}: brightness must lie in [0, 1], 1 being a perfect mirror")
    order = np.argsort(lithium)
    if np.unique(lithium).size < max(2, lithium.size):
        raise InputError(f"{path}: at least two rows are needed, each lithium_fraction once")
    return Colours(lithium[order], colour[order])


def section_scene(
    table: ParticleTable,
    lithium: Floats,
    colours: Colours,
    *,
    across_um: float | None = None,
    smallest_um: float = 0.3,
) -> Scene:
    """The scene of a section.

    Args:
        table: N particles of a simulation.
        lithium: (N,) their lithium fractions.
        colours: brightness by lithium fraction.
        across_um: in 3D, y of the plane; the middle by default.
        smallest_um: discs of a smaller radius are left out.

    Raises:
        InputError: no particle in the section, or lithium outside the colours.
    """
    radius = table.radius_um
    if np.ptp(table.z_um) == 0.0:
        x, y = table.x_um, table.y_um
    else:
        place = 0.5 * float(table.y_um.min() + table.y_um.max()) if across_um is None else across_um
        x, y = table.z_um, table.x_um
        radius = np.sqrt(np.maximum(radius**2 - (table.y_um - place) ** 2, 0.0))
    cut = radius >= smallest_um
    if not cut.any():
        raise InputError("the section cuts no particle. Move the plane")
    lithium = lithium[cut]
    return Scene(x[cut], y[cut], radius[cut], colours.of(lithium), lithium, np.zeros(lithium.size))


def scene_of_results(
    folder: Path | str, colours: Colours, *, sample: int = -1, across_um: float | None = None
) -> Scene:
    """The section of a results folder at one of its samples (the last by default).

    Raises:
        InputError: no such folder or sample.
    """
    path = Path(folder)
    if not (path / "particles.csv").is_file():
        raise InputError(f"{path}: is no results folder (there is no particles.csv in it)")
    table = ParticleTable.read_csv(path / "particles.csv")
    series = read_particle_series(path)
    count = len(series.time_s)
    if not -count <= sample < count:
        raise InputError(f"{path}: has {count} samples, not one of number {sample}")
    return section_scene(table, series.lithium_fraction[sample], colours, across_um=across_um)
