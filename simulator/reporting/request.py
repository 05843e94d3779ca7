"""What a heterogeneity report is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from simulator.heterogeneity import Settings
from simulator.heterogeneity.moments import Wanted
from simulator.heterogeneity.sections import Planes
from simulator.heterogeneity.tables import Reading

Weighting = Literal["none", "area", "volume"]
Format = Literal["png", "pdf", "svg"]

NAME = "heterogeneity"
"""Of the files: heterogeneity.json, heterogeneity.png, heterogeneity_correlogram.csv, ..."""


@dataclass(frozen=True)
class Request:
    """Choices of a report; lengths in micrometres.

    Attributes:
        settings: of the estimators.
        seed: of clusters and permutations.
        reading: of tables.
        at: the moment of a run.
        planes: sections of a 3D run; None takes the particles themselves.
        weighting: how particles count in the mean of a cluster.
        min_radius_um: smaller particles are left out.
        margin_um: particles whose centre lies closer to the edge are left out, and the field ends
            there.
        pool: several inputs are fields of view of one sample.
        evolution: a run is followed from its first to its last moment as well.
        formats: of the figures.
    """

    settings: Settings = field(default_factory=Settings)
    seed: int = 1
    reading: Reading = field(default_factory=Reading)
    at: Wanted = field(default_factory=lambda: Wanted("spread"))
    planes: Planes | None = None
    weighting: Weighting = "none"
    min_radius_um: float = 0.0
    margin_um: float = 0.0
    pool: bool = False
    evolution: bool = True
    formats: tuple[Format, ...] = ("png",)
