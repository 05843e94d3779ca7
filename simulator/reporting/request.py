"""What a heterogeneity report is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from heterode.heterogeneity import Settings
from heterode.heterogeneity.marks import MarkedPoints
from heterode.points.csv_points import Reading
from heterode.points.run import WantedInstant
from heterode.points.sections import Planes

Weighting = Literal["none", "area", "volume"]
Format = Literal["png", "pdf", "svg"]

COUNTED: Mapping[Weighting, str] = MappingProxyType(
    {"none": "by number", "area": "by area", "volume": "by volume"}
)
"""How particles count in a mean, in words."""

NAME = "heterogeneity"
"""Begins the names of the files: heterogeneity.json, heterogeneity_correlogram.csv, ..."""


@dataclass(frozen=True)
class Request:
    """Choices of a report; lengths in micrometres.

    Attributes:
        settings: of the estimators.
        bin_um: width of the distance bins; None is 10 um, or less where the field is small.
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
    bin_um: float | None = None
    seed: int = 1
    reading: Reading = field(default_factory=Reading)
    at: WantedInstant = field(default_factory=lambda: WantedInstant("spread"))
    planes: Planes | None = None
    weighting: Weighting = "none"
    min_radius_um: float = 0.0
    margin_um: float = 0.0
    pool: bool = False
    evolution: bool = True
    formats: tuple[Format, ...] = ("png",)


_WIDTHS_UM = (10.0, 5.0, 2.5, 1.0)
_FEWEST_BINS = 5


def with_bins(request: Request, fields: Sequence[MarkedPoints]) -> Request:
    """The request with its distance bins settled, the same for all fields.

    The definition's 10 um leave one or two bins in a small field: there the next of 5, 2.5 and
    1 um is taken that gives five.
    """
    width = request.bin_um
    if width is None:
        sides = [float(field.sides_um.max()) for field in fields]
        reach = request.settings.max_um or min(100.0, 0.5 * min(sides))
        fitting = (one for one in _WIDTHS_UM if reach >= _FEWEST_BINS * one)
        width = next(fitting, _WIDTHS_UM[-1])
    return replace(request, bin_um=width, settings=replace(request.settings, bin_um=width))
