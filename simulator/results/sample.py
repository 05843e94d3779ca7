"""What the solver passes to its observers at every accepted time step.

Observers receive data but do not influence the solver: all of it is frozen, and the arrays must not
be modified.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from heterode.physics.weak_form import DOMAINS

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]

FieldValues = Mapping[str, Mapping[str, Floats]]
"""Values of one sample: domain -> field -> (P,) array at the points of that domain's grid."""


@dataclass(frozen=True)
class Sample:
    """State of the cell after an accepted time step, with N particles; the same on every rank.

    Attributes:
        time_s: time since the start of the protocol, s.
        voltage_V: potential of the collector relative to lithium metal, V.
        current_A_m2: current per collector area, A m^-2; positive on charge.
        capacity_Ah_m2: charge passed per collector area, A h m^-2; discharge lowers it.
        lithium_fraction_mean: volume-weighted mean of the particles' lithium fractions.
        lithium_fraction_sd: volume-weighted standard deviation of the particles' lithium fractions.
        cycle: cycle number, from 0.
        step: protocol step, from 0.
        accepted: index of the accepted time step, from 0 (the initial state).
        lithium_fraction: (N,) mean lithium fraction of each particle.
        surface_lithium_fraction: (N,) mean over each particle's reacting surface.
        particle_current_A_m2: (N,) mean current density on that surface, A m^-2; positive when
            lithium leaves.
        voltage_space_error_V: estimate of what the particles' mesh adds to the voltage, V; while
            the voltage is held, what it would add at the present current.
    """

    time_s: float
    voltage_V: float
    current_A_m2: float
    capacity_Ah_m2: float
    lithium_fraction_mean: float
    lithium_fraction_sd: float
    cycle: int
    step: int
    accepted: int
    lithium_fraction: Floats
    surface_lithium_fraction: Floats
    particle_current_A_m2: Floats
    voltage_space_error_V: float = math.nan


Extremes = Mapping[str, tuple[float, float]]
"""Smallest and largest values of the quantities that the table of balances watches, by name.

They are taken over the nodes of all ranks and are equal on all ranks.
"""


@dataclass(frozen=True)
class FieldGrid:
    """The mesh of one domain as it is written for viewing; constant in a run, gathered on rank 0.

    Attributes:
        name: "particles", "electrolyte" or "carbon".
        points_um: (P, dim) coordinates, micrometres.
        cells: (M, dim + 1) point indices of straight triangles (2D) or tetrahedra (3D).
        cell_data: (M,) constants of the cells by name, such as particle (int) and penalty (float).
        units: units of the fields that are written on it, by name.
    """

    name: str
    points_um: Floats
    cells: Integers
    cell_data: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def dimension(self) -> int:
        """The dimension, 2 or 3."""
        return int(self.points_um.shape[1])

    def __post_init__(self) -> None:
        if self.name not in DOMAINS:
            raise ValueError(f"a grid is named one of {DOMAINS}, not {self.name!r}")
        if self.points_um.ndim != 2 or self.points_um.shape[1] not in (2, 3):
            raise ValueError(f"points_um has shape {self.points_um.shape}, not (P, 2) or (P, 3)")
        if self.cells.ndim != 2 or self.cells.shape[1] != self.dimension + 1:
            raise ValueError(f"cells has shape {self.cells.shape}, not (M, {self.dimension + 1})")
        for name, values in self.cell_data.items():
            if values.shape != (len(self.cells),):
                raise ValueError(f"cell data {name} has shape {values.shape}, not the cells'")
