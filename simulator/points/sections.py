"""Virtual polishing: the sections of particles in a plane through a 3D electrode.

A microscope shows sections. The disc that a plane cuts from a particle has the area of the cut, the
radius of the circle of that area, and the mean of the lithium fraction over the cut. The field is
linear in each tetrahedron, so the mean of the triangles' corners, weighted by area, is exact. These
differ from the particle's own radius and mean, since a plane rarely passes through a centre, and
lithium enters from the surface.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from heterode.base.errors import ArgumentError, InputError
from heterode.base.units import UnitError, quantity
from heterode.base.words import counted
from heterode.geometry.plane_cut import cut_tetrahedra
from heterode.heterogeneity.marks import FEWEST, Floats, Ints, MarkedPoints
from heterode.results.fields import read_fields
from heterode.results.sample import FieldGrid

AXES = ("x", "y", "z")
ACROSS = 1
"""Default direction normal to planes: z is the thickness, and a cross-section shows all of it."""


@dataclass(frozen=True)
class Plane:
    """A plane on which one coordinate is constant.

    Attributes:
        axis: number of the coordinate, 0, 1 or 2.
        position_um: its value, um.
    """

    axis: int
    position_um: float

    @property
    def name(self) -> str:
        """Name of the plane, as in "y = 12.5 um"."""
        return f"{AXES[self.axis]} = {self.position_um:.4g} um"

    @property
    def within(self) -> tuple[int, int]:
        """The two other axes, which span the plane."""
        first, second = (axis for axis in range(3) if axis != self.axis)
        return first, second


@dataclass(frozen=True)
class Planes:
    """Requested planes: given ones, and `count` evenly spaced ones normal to an axis."""

    given: tuple[Plane, ...] = ()
    count: int = 0
    axis: int = ACROSS

    def within(self, window_um: Floats) -> list[Plane]:
        """Return all planes for a field with the bounds (3, 2).

        Raises:
            InputError: a plane is outside.
        """
        for plane in self.given:
            low, high = window_um[plane.axis]
            if not low < plane.position_um < high:
                raise ArgumentError(
                    f"{{section}}: outside the electrode (from {low:.4g} to {high:.4g} um)",
                    section=plane.name,
                )
        low, high = window_um[self.axis]
        places = low + (high - low) * (np.arange(self.count) + 0.5) / max(self.count, 1)
        return [*self.given, *(Plane(self.axis, float(place)) for place in places)]


@dataclass(frozen=True)
class Discs:
    """The S sections of particles.

    Attributes:
        particle: (S,) number of the particle.
        centre_um: (S, 3) centroid.
        area_um2: (S,) area.
        radius_um: (S,) radius of the circle of that area.
        value: (S,) mean of the field over the section.
    """

    particle: Ints
    centre_um: Floats
    area_um2: Floats
    radius_um: Floats
    value: Floats


def parse_plane(text: str) -> Plane:
    """Parse a plane as in "z=10um"; a number alone is in um.

    Raises:
        InputError: the text is not a plane.
    """
    match = re.fullmatch(r"\s*([xyzXYZ])\s*=\s*(.+?)\s*", text)
    if match is None:
        raise ArgumentError("{section}: not a plane. Write it as in z=10um", section=text)
    try:
        number = match[2] if re.search(r"[^\d.eE+-]", match[2]) else f"{match[2]} um"
        place = 1e6 * quantity(number, "m")
    except UnitError as error:
        raise ArgumentError(f"{{section}}: '{match[2]}' {error}", section=text) from error
    return Plane(AXES.index(match[1].lower()), place)


def parse_count(text: str) -> tuple[int, int]:
    """Parse a number of planes and the axis normal to them, as in "20" (for y) or "20,x".

    Raises:
        InputError: the text has another form.
    """
    match = re.fullmatch(r"\s*(\d{1,9})\s*(?:,\s*([xyz])\s*)?", text)
    if match is None or not 1 <= int(match[1]) <= 1000:
        raise ArgumentError(
            "{sections}: a number of planes from 1 to 1000, as in 20 or 20,x", sections=text
        )
    return int(match[1]), AXES.index(match[2]) if match[2] else ACROSS


def section_discs(grid: FieldGrid, field: Floats, plane: Plane) -> Discs:
    """Compute the sections that a plane cuts from particles.

    Args:
        grid: tetrahedra with the cell data "particle".
        field: (P,) values at its points.
        plane: plane of the cut.
    """
    cut = cut_tetrahedra(grid.cells, grid.points_um[:, plane.axis] - plane.position_um)
    corners = cut.values(grid.points_um)[cut.triangles]
    edges = corners[:, 1:] - corners[:, :1]
    area = 0.5 * np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    owner = np.asarray(grid.cell_data["particle"], dtype=np.int64)[cut.cell]
    particle, label = np.unique(owner, return_inverse=True)

    def summed(weight: Floats) -> Floats:
        return np.bincount(label, weight, minlength=len(particle)).astype(np.float64)

    total = summed(area)
    seen = total > 0.0
    mean = summed(area * cut.values(field)[cut.triangles].mean(axis=1))[seen] / total[seen]
    middle = corners.mean(axis=1)
    centre = np.column_stack([summed(area * middle[:, k])[seen] / total[seen] for k in range(3)])
    return Discs(particle[seen], centre, total[seen], np.sqrt(total[seen] / np.pi), mean)


def polish(
    folder: Path | str, time_s: float, planes: Planes, window_um: Floats
) -> tuple[list[MarkedPoints], float, list[str]]:
    """Cut a run by planes, each of which makes one field of view.

    Args:
        folder: results folder of a 3D run.
        time_s: time to which the nearest sample of the fields is used.
        planes: planes of the cuts.
        window_um: (3, 2) bounds of the coating.

    Returns:
        The fields of view, the time of the sample, and sentences on planes left out and on
        particles that several planes cut.

    Raises:
        InputError: there are no fields, the run is 2D, or no plane cuts 10 particles.
    """
    series = read_fields(folder, "particles")
    if series.grid.dimension != 3:
        raise InputError(f"{folder}: a 2D run is a section already. Leave --section(s) out")
    index = int(np.abs(series.times_s - time_s).argmin())
    lithium = series.load(index)["lithium_fraction"]
    views, notes, cut = [], [], []
    for plane in planes.within(window_um):
        discs = section_discs(series.grid, lithium, plane)
        if len(discs.particle) < FEWEST:
            count = len(discs.particle)
            notes.append(
                f"section {plane.name} left out: {counted(count, 'particle')}, fewer than {FEWEST}"
            )
            continue
        views.append(_view(discs, plane, window_um))
        cut.append(discs.particle)
    if not views:
        raise InputError(
            f"{folder}: no section cuts {FEWEST} particles or more. Simulate a larger electrode"
        )
    seen, distinct = sum(map(len, cut)), len(np.unique(np.concatenate(cut)))
    if distinct < seen:
        notes.append(
            f"the sections' {seen} discs are cut from {distinct} particles: chance is judged as if "
            "they were independent, so that p values and envelopes of all sections together are "
            "too narrow. Take fewer sections, or judge by the range of single ones"
        )
    return views, float(series.times_s[index]), notes


def _view(discs: Discs, plane: Plane, window_um: Floats) -> MarkedPoints:
    across, along = plane.within
    return MarkedPoints(
        plane.name,
        discs.centre_um[:, [across, along]],
        discs.value,
        discs.area_um2,
        discs.radius_um,
        window_um[[across, along]],
    )
