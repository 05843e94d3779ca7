"""The choices for a heterogeneity report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from heterode.base.errors import InputError
from heterode.heterogeneity import Settings
from heterode.heterogeneity.density import MapKind
from heterode.heterogeneity.marks import MarkedPoints
from heterode.points.csv_points import Reading
from heterode.points.run import WantedInstant
from heterode.points.sections import Planes

Weighting = Literal["none", "area", "volume"]
Format = Literal["png", "pdf", "svg"]
Depth = Literal["x", "y", "z", "none"]

COUNTED: Mapping[Weighting, str] = MappingProxyType(
    {"none": "by number", "area": "by area", "volume": "by volume"}
)
"""How particles are weighted in a mean, in words."""

NAME = "heterogeneity"
"""The beginning of file names: heterogeneity.json, heterogeneity_correlogram.csv, ..."""


@dataclass(frozen=True)
class Request:
    """The choices for a report; lengths are in micrometres.

    Attributes:
        settings: settings of the estimators.
        bin_um: width of the distance bins; None takes 10 um, or less in a small field.
        seed: seed of the clustering and the permutations.
        reading: how tables are read.
        at: which moment of a run is analysed.
        planes: sections of a 3D run; None takes the particles themselves.
        weighting: how particles are weighted in the mean of a cluster.
        min_radius_um: smaller particles are left out.
        margin_um: particles whose centre lies closer to the edge are left out, and the field ends
            there.
        pool: whether several inputs are fields of view of one sample.
        evolution: whether a run is also followed from its first to its last moment.
        map: what the left map of the figure shows: the local mean, or the published density.
        formats: formats of the figures.
        depth: coordinate that runs from the collector to the separator.
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
    map: MapKind = "local-mean"
    formats: tuple[Format, ...] = ("png",)
    depth: Depth = "x"


_WIDTHS_UM = (10.0, 5.0, 2.5, 1.0)
_FEWEST_BINS = 5


def with_bins(request: Request, fields: Sequence[MarkedPoints]) -> Request:
    """Return the request with a bin width that is the same for all fields.

    The 10 um of the definition leave only one or two bins in a small field. There, the widest of 5,
    2.5 and 1 um that gives five bins is taken.
    """
    width = request.bin_um
    if width is None:
        sides = [float(field.sides_um.max()) for field in fields]
        reach = request.settings.max_um or min(100.0, 0.5 * min(sides))
        fitting = (one for one in _WIDTHS_UM if reach >= _FEWEST_BINS * one)
        width = next(fitting, _WIDTHS_UM[-1])
    return replace(request, bin_um=width, settings=replace(request.settings, bin_um=width))


def with_depth(request: Request, directions: Sequence[str]) -> Request:
    """Return the request with the number of the direction across the coating, if it is there.

    Args:
        request: the choices for the report.
        directions: names of the coordinates of the fields, in their order.

    Raises:
        InputError: the depth was named and is none of the coordinates, or the trend with the depth
            is to be removed, and the fields have no depth.
    """
    number = list(directions).index(request.depth) if request.depth in directions else None
    if number is None and request.settings.detrend == "depth":
        raise InputError(
            f"--detrend depth: the depth ({request.depth}) is none of the fields' coordinates"
            f" (allowed: {', '.join(directions) or 'none, as the planes differ'}). Name it with"
            " --depth, or use --detrend all"
        )
    # Sections across x have no depth by default; any other name was asked for.
    if number is None and directions and request.depth not in ("x", "none"):
        raise InputError(
            f"--depth {request.depth}: this is none of the fields' coordinates (allowed:"
            f" {', '.join(directions)}, none). Name the one that runs from the collector on"
        )
    return replace(request, settings=replace(request.settings, depth=number))
