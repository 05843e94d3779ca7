"""The slab of a run: bounds of coating and cell, from the grids in fields/."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from heterode.base.errors import InputError
from heterode.geometry.mesh_data import thickness_axis
from heterode.particles.table import ParticleTable
from heterode.results.fields import read_fields
from heterode.results.sample import Floats


@dataclass(frozen=True)
class SlabBox:
    """Lower and upper bounds in each direction, um; d is 2 or 3.

    Attributes:
        coating: (d, 2) bounds of particles and carbon binder, from the collector to the separator.
        cell: (d, 2) bounds including the separator; those of the coating if no field shows one.
    """

    coating: Floats
    cell: Floats

    @property
    def axis(self) -> int:
        """The direction along the thickness."""
        return thickness_axis(len(self.cell))

    @property
    def sides_um(self) -> Floats:
        """The widths across the thickness, (d - 1,), um."""
        return np.delete(self.cell[:, 1] - self.cell[:, 0], self.axis)

    @property
    def coating_um(self) -> float:
        """The thickness of the coating, um."""
        low, high = self.coating[self.axis]
        return float(high - low)

    @property
    def separator_um(self) -> float:
        """The thickness of the separator, um; 0 if no field shows one."""
        low, high = self.cell[self.axis]
        return float(high - low) - self.coating_um


def slab_box(
    folder: Path, particles: ParticleTable | None = None, *, whole: bool = False
) -> SlabBox:
    """Return the bounds of a run's slab.

    Args:
        folder: the results folder.
        particles: particles whose discs or spheres define the coating if there are no fields.
        whole: whether the fields of all three domains have to exist.

    Raises:
        InputError: required fields are missing, or there are neither fields nor particles.
    """
    bounds: dict[str, Floats] = {}
    missing: InputError | None = None
    for domain in ("particles", "carbon", "electrolyte"):
        try:
            bounds[domain] = _bounds(read_fields(folder, domain).grid.points_um)
        except InputError as error:
            if whole:
                raise
            missing = error
    if not bounds.keys() & {"particles", "carbon"}:
        if particles is None:
            assert missing is not None
            raise missing
        bounds["particles"] = _reach(particles)
    coating = _around([bounds[name] for name in ("particles", "carbon") if name in bounds])
    return SlabBox(coating, _around([coating, *bounds.values()]))


def _bounds(points: Floats) -> Floats:
    return np.column_stack([points.min(axis=0), points.max(axis=0)])


def _reach(particles: ParticleTable) -> Floats:
    dimension = 3 if np.ptp(particles.z_um) > 0.0 else 2
    centres = np.column_stack([particles.x_um, particles.y_um, particles.z_um])[:, :dimension]
    reach = particles.radius_um[:, None]
    return _bounds(np.concatenate([centres - reach, centres + reach]))


def _around(boxes: list[Floats]) -> Floats:
    low = np.min([box[:, 0] for box in boxes], axis=0)
    high = np.max([box[:, 1] for box in boxes], axis=0)
    return np.column_stack([low, high])
