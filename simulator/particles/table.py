"""ParticleTable, which geometry, simulation, micrographs and statistics have in common."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.csv_table import read_csv_table
from heterode.base.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

UNITS = {
    "particle": "number from 0",
    "x_um": "um",
    "y_um": "um",
    "z_um": "um",
    "radius_um": "um",
    "volume_um3": "um^3",
    "surface_um2": "um^2",
    "penalty": "1",
}
COLUMNS = tuple(UNITS)

MEANINGS = {
    "particle": "the order of the particles everywhere",
    "x_um": "centroid; in 2D along the thickness, from the collector on",
    "y_um": "centroid across the thickness",
    "z_um": "centroid; in 3D along the thickness, from the collector on; in 2D 0",
    "radius_um": "of the disc or sphere of the same area or volume",
    "volume_um3": "volume; in 2D area times 1 um of depth",
    "surface_um2": "surface that reacts; in 2D arc length times 1 um of depth",
    "penalty": "factor on the exchange current; 1 where none was drawn",
}
"""What the columns mean, in a few words."""


@dataclass(frozen=True)
class ParticleTable:
    """N particles with one row each; every array has shape (N,), and lengths are in micrometres.

    Attributes:
        particle: numbers 0 .. N-1 in order.
        x_um, y_um, z_um: centroid of the meshed particle (of the piece inside the slab if the
            side walls cut it); z_um is 0 in 2D.
        radius_um: radius of the disc (2D) or sphere (3D) of the same area or volume.
        volume_um3: volume; in 2D area times 1 um of depth.
        surface_um2: surface shared with the carbon-binder domain; in 2D arc length times 1 um.
        penalty: factor on the exchange current, in (0, 1]; 1 where none was drawn.
    """

    particle: Ints
    x_um: Floats
    y_um: Floats
    z_um: Floats
    radius_um: Floats
    volume_um3: Floats
    surface_um2: Floats
    penalty: Floats

    def __post_init__(self) -> None:
        count = np.asarray(self.particle).size
        for field in fields(self):
            kind = np.int64 if field.name == "particle" else np.float64
            values = np.array(getattr(self, field.name), dtype=kind)
            if values.shape != (count,):
                raise ValueError(f"{field.name} has shape {values.shape}, expected ({count},)")
            values.flags.writeable = False
            object.__setattr__(self, field.name, values)
        if not np.array_equal(self.particle, np.arange(count)):
            raise ValueError("particle numbers must be 0 .. N-1 in order")

    def __len__(self) -> int:
        return int(self.particle.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ParticleTable):
            return NotImplemented
        return all(np.array_equal(getattr(self, c), getattr(other, c)) for c in COLUMNS)

    __hash__ = None  # type: ignore[assignment]

    def with_penalty(self, penalty: npt.ArrayLike) -> ParticleTable:
        """Return the same particles with the given penalty factors (N,)."""
        return replace(self, penalty=np.asarray(penalty, dtype=np.float64))

    def write_csv(self, path: Path | str) -> None:
        """Write one row for each particle, with floats in their shortest exact form."""
        columns: list[list[Any]] = [getattr(self, name).tolist() for name in COLUMNS]
        with Path(path).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(zip(*columns, strict=True))

    @classmethod
    def read_csv(cls, path: Path | str) -> ParticleTable:
        """Read what `write_csv` wrote; columns may be in any order, and others are ignored.

        Raises:
            InputError: the file or a column is missing, or a value is not a number.
        """
        try:
            table = read_csv_table(path)
            table.require(COLUMNS, f"{', '.join(COLUMNS)}, as a results folder's particles.csv")
            columns: dict[str, Any] = {name: table.numbers(name) for name in COLUMNS}
            if np.any(columns["particle"] % 1.0):
                raise ValueError("particle numbers must be whole")
            return cls(**columns)
        except ValueError as error:
            raise InputError(f"{path}: not a particle table: {error}.") from None
