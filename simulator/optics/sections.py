"""Sections as a microscope would show them: discs of known lithium in the colours of a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.csv_table import read_csv_table
from heterode.base.errors import InputError
from heterode.optics.channels import CHANNELS
from heterode.optics.synthetic import Scene

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Colours:
    """Brightness in red, green and blue (K, 3) at lithium fractions (K,)."""

    lithium: Floats
    colour: Floats

    def of(self, lithium: Floats) -> Floats:
        """Interpolate the brightness (N, 3) linearly between the rows.

        Raises:
            InputError: a lithium fraction is outside the table.
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
"""Invented colours, darker with more lithium, for trials; they belong to no material."""


def read_colours(path: Path | str) -> Colours:
    """Read a CSV file with lithium_fraction, red, green, blue, as `heterode dielectric` writes it.

    Raises:
        InputError: the file is not such a table, has a brightness outside [0, 1], or has fewer
            than two rows.
    """
    table = read_csv_table(path, ("lithium_fraction", *CHANNELS))
    lithium = table.numbers("lithium_fraction")
    colour = np.stack([table.numbers(channel) for channel in CHANNELS], axis=1)
    if colour.min() < 0.0 or colour.max() > 1.0:
        raise InputError(f"{path}: brightness must lie in [0, 1], 1 being a perfect mirror")
    order = np.argsort(lithium)
    if np.unique(lithium).size < max(2, lithium.size):
        raise InputError(f"{path}: at least two rows are needed, each lithium_fraction once")
    return Colours(lithium[order], colour[order])


def disc_scene(
    x_um: Floats,
    y_um: Floats,
    radius_um: Floats,
    lithium: Floats,
    colours: Colours,
    *,
    smallest_um: float = 0.3,
) -> Scene:
    """Make the scene of the sections of particles.

    Args:
        x_um, y_um, radius_um: (N,) centres and radii of discs.
        lithium: (N,) lithium fraction of each disc.
        colours: brightness at lithium fractions.
        smallest_um: discs with a smaller radius are left out.

    Raises:
        InputError: no disc is left, or a lithium fraction is outside the colours.
    """
    seen = radius_um >= smallest_um
    if not seen.any():
        raise InputError("the section cuts no particle. Move the plane")
    lithium = lithium[seen]
    colour = colours.of(lithium)
    return Scene(x_um[seen], y_um[seen], radius_um[seen], colour, lithium, np.zeros(lithium.size))
