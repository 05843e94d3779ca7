"""Seeded random packings of particles in the electrode slab.

Radii are drawn first and their volumes are summed, so the active fraction is exact. The particles
are then moved until every gap is kept (relaxation.py). With walls = "cut" the packing is periodic
in the lateral directions and the side walls cut it. The part of a particle that leaves by one wall
enters by the opposite wall, so the volume inside the slab is that of the whole particles, and each
piece is a separate particle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, pi

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.geometry.mesh_data import thickness_axis
from heterode.geometry.relaxation import Box, SoftBalls, relax, shake, swap_radii
from heterode.parameters.geometry import Geometry
from heterode.particles.drawn_sizes import size_law

Floats = npt.NDArray[np.float64]
Progress = Callable[[str], None]

PACKER_VERSION = 1
"""To be raised when the same seed would give another packing; cached meshes are then replaced."""

SHALLOWEST_CUT = 0.3
"""Least height of a cap that a wall cuts off, in radii.

Such a cap has 9 % of a disc's area and corners of 45 degrees. A cap of a sphere has at least 6 % of
its volume, and where two walls cut a sphere, the piece beyond both has at least 1.5 %.
"""

SLACK = 2e-3
"""Precision of the relaxation, in median radii; the gap itself is kept exactly."""

MOST_SCALING = 0.05
"""Largest relative change of drawn diameters by which the active fraction is met exactly."""

CROWDED = {2: 0.78, 3: 0.58}
"""Volume fraction, by dimension, of the swollen balls, below jamming (0.84, 0.64: O'Hern et al.).

After 60 sweeps, density, bond order and layers of discs are as after 2,000 sweeps of hard discs
that are not swollen (spread between halves 0.021 against 0.023, hexatic order of equal discs 0.19
against 0.18). At 0.86 equal discs crystallise (0.29); without this step the halves differ twice as
much (0.044).
"""

EVENING_STEPS = 200
ITERATIONS = 4000
SWEEPS = 60
STARTS = 3

EXCHANGES = 60
"""Most rounds of swapped radii in a jammed packing of spheres before the attempt is abandoned."""

EXCHANGE_STEPS = 100


@dataclass(frozen=True, eq=False)
class Packing:
    """Discs (2D) or spheres (3D) in a slab; lengths in micrometres.

    Attributes:
        centres_um: (N, dimension); centres of particles that a side wall cuts may be outside.
        radii_um: (N,) radii of the whole discs or spheres, even where these are cut.
        width_um: lateral extents; one in 2D, two in 3D.
        coating_thickness_um: extent along axis 0 in 2D and axis 2 in 3D.
        minimum_gap_um: gap kept between particles, to collector and separator, and to side walls
            that do not cut the particle.
        walls: "inside" or "cut".
        whole: number of particles before the walls cut them.
    """

    centres_um: Floats
    radii_um: Floats
    width_um: tuple[float, ...]
    coating_thickness_um: float
    minimum_gap_um: float
    walls: str
    whole: int

    @property
    def dimension(self) -> int:
        """Number of spatial dimensions, 2 or 3."""
        return int(self.centres_um.shape[1])

    @property
    def box_um(self) -> Floats:
        """Extents of the coating, (dimension,)."""
        return _extents(self.dimension, self.coating_thickness_um, self.width_um)

    def volumes_um3(self) -> Floats:
        """Compute (N,) volumes inside the slab (in 2D area times 1 um) in closed form."""
        volumes = ball_volume(self.radii_um, self.dimension)
        if self.walls != "cut":
            return volumes
        if self.dimension == 2:
            for wall, inward in ((0.0, 1.0), (self.width_um[0], -1.0)):
                height = self.radii_um - inward * (self.centres_um[:, 1] - wall)
                volumes = volumes - _segment_area(self.radii_um, height)
            return volumes
        # Distance of the centre from the nearer wall of each pair; positive inside the slab.
        across, width = self.centres_um[:, :2], np.array(self.width_um)
        inside = np.minimum(across, width - across) / self.radii_um[:, None]
        for index in np.flatnonzero(np.any(inside < 1.0, axis=1)):
            volumes[index] = self.radii_um[index] ** 3 * wedge_volume(*(-inside[index]))
        return volumes

    def active_fraction(self) -> float:
        """Share of the coating's volume that the particles fill."""
        return float(self.volumes_um3().sum() / np.prod(self.box_um))

    def smallest_gap_um(self) -> float:
        """Return the least distance between particles, or from one to a plane not cutting it."""
        box = Box(self.box_um, np.zeros(self.dimension, dtype=bool))
        reach = 2.0 * float(self.radii_um.max()) + 10.0 * self.minimum_gap_um + 1.0
        # Cut particles may have centres outside; only distances between centres matter here.
        i, j = Box(box.size * 3.0, box.periodic).pairs(self.centres_um + box.size, reach).T
        apart = np.linalg.norm(self.centres_um[i] - self.centres_um[j], axis=1)
        gaps = apart - self.radii_um[i] - self.radii_um[j]
        radii = self.radii_um[:, None]
        planes = np.concatenate([self.centres_um - radii, self.box_um - self.centres_um - radii])
        if self.walls == "cut":
            planes = np.where(planes < 0.0, np.inf, planes)
        return float(min(gaps.min(initial=np.inf), planes.min(initial=np.inf)))


def pack(
    geometry: Geometry, seed: int | np.random.Generator, progress: Progress | None = None
) -> Packing:
    """Pack the particles of a parameter file's [geometry].

    Args:
        geometry: `Parameters.geometry`, with lengths in m.
        seed: seeds.packing, or a generator; the same seed gives the same packing.
        progress: called with a line of text from time to time.

    Raises:
        InputError: the fraction cannot be packed with this gap and width.
            fraction was reached.
    """
    size_random, place_random = np.random.default_rng(seed).spawn(2)
    gap = 1e6 * geometry.minimum_gap
    radii, width = _draw_radii(geometry, size_random)
    dimension = geometry.dimension
    lateral = (width,) * (dimension - 1)
    size = _extents(dimension, 1e6 * geometry.coating_thickness, lateral)
    _require_room(geometry, radii, width, gap)
    across = np.arange(dimension) != thickness_axis(dimension)
    cut = geometry.walls == "cut"
    box = Box(
        size,
        periodic=across & cut,
        cut_axes=tuple(int(a) for a in np.flatnonzero(across)) if cut else (),
        shallowest_cut=SHALLOWEST_CUT,
    )
    placed = _place(box, radii, gap, place_random, STARTS, progress)
    if placed is None:
        raise _unreachable(geometry, box, radii, gap, place_random, progress)
    centres, radii = placed
    centres = shake(SoftBalls(box, radii, gap), centres, place_random, SWEEPS)
    order = np.argsort(centres[:, thickness_axis(dimension)], kind="stable")
    centres, radii = centres[order], radii[order]
    whole = len(radii)
    if cut:
        centres, radii = _with_images(box, centres, radii)
    return Packing(
        centres, radii, lateral, 1e6 * geometry.coating_thickness, gap, geometry.walls, whole
    )


def ball_volume(radii: Floats, dimension: int) -> Floats:
    """Return the areas of discs or the volumes of spheres."""
    volumes: Floats = pi * radii**2 if dimension == 2 else (4.0 / 3.0) * pi * radii**3
    return volumes


def _extents(dimension: int, thickness: float, lateral: tuple[float, ...]) -> Floats:
    return np.array([thickness, *lateral] if dimension == 2 else [*lateral, thickness])


def _segment_area(radii: Floats, height: Floats) -> Floats:
    """Return the area of the part of a disc beyond a line, `height` high (0 to 2 r)."""
    h = np.clip(height, 0.0, 2.0 * radii)
    triangle = (radii - h) * np.sqrt(h * (2.0 * radii - h))
    area: Floats = radii**2 * np.arccos(1.0 - h / radii) - triangle
    return area


def wedge_volume(a: float, b: float) -> float:
    """Return the volume of the part x > a, y > b of the unit sphere, exact but for rounding."""
    nodes, weights = np.polynomial.legendre.leggauss(48)
    u = 0.5 * (1.0 + nodes)
    b = min(max(b, -1.0), 1.0)
    kink = float(np.sqrt(1.0 - b * b))
    ends = np.clip([-1.0, -kink, kink, 1.0], max(a, -1.0), 1.0)
    total = 0.0
    for low, high in pairwise(ends):
        # The cut area starts as (x - kink)^(3/2), which this substitution makes smooth.
        x = low + (high - low) * u * u * (3.0 - 2.0 * u)
        disc = np.sqrt(np.maximum(1.0 - x * x, 1e-300))
        area = pi * disc**2 - _segment_area(disc, disc + b)
        total += float(np.sum(weights * area * 3.0 * u * (1.0 - u)) * (high - low))
    return total


def _draw_radii(geometry: Geometry, random: np.random.Generator) -> tuple[Floats, float]:
    """Draw radii whose volumes sum to the active fraction; return them and the width (um)."""
    dimension, thickness = geometry.dimension, 1e6 * geometry.coating_thickness
    law = size_law(geometry.particle_size)
    draw = law.sampler(random)
    if geometry.particles is not None:
        radii = 0.5 * draw(geometry.particles)
        face = ball_volume(radii, dimension).sum() / (geometry.active_fraction * thickness)
        return radii, float(face ** (1.0 / (dimension - 1)))
    assert geometry.width is not None, "the schema wants either particles or width"
    width = 1e6 * geometry.width
    target = geometry.active_fraction * thickness * width ** (dimension - 1)
    diameters: Floats = np.zeros(0)
    while ball_volume(0.5 * diameters, dimension).sum() < target:
        diameters = np.concatenate([diameters, draw(max(16, diameters.size))])
    filled = np.cumsum(ball_volume(0.5 * diameters, dimension))
    count = 1 + int(np.argmin(np.abs(filled - target)))
    return _adjusted(0.5 * diameters[:count], target, dimension, law.bounds), width


def _adjusted(radii: Floats, target: float, dimension: int, bounds: tuple[float, float]) -> Floats:
    """Scale radii by a factor near 1 to the exact volume, within the bounds if possible."""
    low, high = 0.5 * bounds[0], 0.5 * bounds[1]
    for _ in range(50):
        volumes = ball_volume(radii, dimension)
        free = (radii > low) & (radii < high)
        lacking = target - volumes.sum()
        if abs(lacking) < 1e-13 * target or not free.any():
            break
        factor = max(0.5, 1.0 + lacking / volumes[free].sum()) ** (1.0 / dimension)
        radii = np.where(free, np.clip(radii * factor, low, high), radii)
    # With one diameter, or a table of few, a last factor of order 1 + 1/(4 N) applies to all.
    factor = float(target / ball_volume(radii, dimension).sum()) ** (1.0 / dimension)
    if abs(factor - 1.0) > MOST_SCALING:
        raise InputError(
            f"geometry.width holds about {counted(radii.size, 'particle')}: too few to meet"
            " geometry.active_fraction with these sizes. Raise geometry.width, or give"
            " geometry.particles instead, from which the width follows."
        )
    scaled: Floats = radii * factor
    return scaled


def _require_room(geometry: Geometry, radii: Floats, width: float, gap: float) -> None:
    largest = 2.0 * float(radii.max())
    for name, extent, needed in (
        ("coating_thickness", 1e6 * geometry.coating_thickness, largest + 2.0 * gap),
        ("width", width, largest + (gap if geometry.walls == "cut" else 2.0 * gap)),
    ):
        if extent < needed:
            follows = name == "width" and geometry.width is None
            remedy = "Raise geometry.particles" if follows else f"Raise geometry.{name}"
            raise InputError(
                f"geometry.{name} = {extent:.4g} um{' (from particles)' if follows else ''} is less"
                f" than the largest particle drawn, {largest:.4g} um, and its gaps (allowed: at"
                f" least {needed:.4g} um). {remedy} or lower the largest diameter."
            )


def _place(
    box: Box,
    radii: Floats,
    gap: float,
    random: np.random.Generator,
    starts: int,
    progress: Progress | None,
) -> tuple[Floats, Floats] | None:
    """Find centres that keep every gap, and their radii; None after `starts` random starts."""
    slack = SLACK * float(np.median(radii))
    share = ball_volume(radii + 0.5 * gap, len(box.size)).sum() / np.prod(box.size)
    if share >= 1.0:
        return None
    margin = np.where(box.periodic, 0.0, (radii + gap)[:, None])
    for start in range(starts):
        centres = margin + random.random((len(radii), len(box.size))) * (box.size - 2.0 * margin)
        if progress is not None:
            progress(
                f"packing {counted(len(radii), 'particle')}, start {start + 1} of at most {starts}"
            )
        # Relaxation only separates balls that overlap, so random crowds and holes would stay.
        # Swollen balls fill the slab evenly first.
        swell = max(1.0, (CROWDED[len(box.size)] / share) ** (1.0 / len(box.size)))
        centres, _ = relax(SoftBalls(box, radii, gap, swell=swell), centres, 0.0, EVENING_STEPS)
        centres, lack = relax(SoftBalls(box, radii, gap, slack), centres, slack, ITERATIONS)
        mine = radii
        for _ in range(EXCHANGES if len(box.size) == 3 else 0):
            if lack <= slack:
                break
            for first in (0, 1):
                mine = swap_radii(SoftBalls(box, mine, gap, slack), centres, first)
            centres, lack = relax(SoftBalls(box, mine, gap, slack), centres, slack, EXCHANGE_STEPS)
        if lack <= slack and SoftBalls(box, mine, gap).valid(centres).all():
            return centres, mine
    return None


def _unreachable(
    geometry: Geometry,
    box: Box,
    radii: Floats,
    gap: float,
    random: np.random.Generator,
    progress: Progress | None,
) -> InputError:
    """Find out how many of these particles fit into the box, and return the error that says so."""
    wanted = geometry.active_fraction
    filled = np.cumsum(ball_volume(radii, len(box.size))) / np.prod(box.size)
    reached = 0.0
    for step in range(1, ceil(wanted / 0.02)):
        fewer = radii[filled <= wanted - 0.02 * step]
        if not fewer.size or _place(box, fewer, gap, random, 1, progress) is not None:
            reached = float(filled[fewer.size - 1]) if fewer.size else 0.0
            break
    lateral = np.delete(box.size, thickness_axis(len(box.size)))
    width = f"geometry.width = {lateral[0]:.4g} um"
    return InputError(
        f"geometry.active_fraction = {wanted:g} could not be packed with geometry.minimum_gap ="
        f" {gap:g} um and {width} (reached: {reached:.2f})."
        f" Lower geometry.active_fraction or geometry.minimum_gap, or"
        f" {'raise geometry.particles' if geometry.width is None else 'raise geometry.width'}."
    )


def _with_images(box: Box, centres: Floats, radii: Floats) -> tuple[Floats, Floats]:
    """Append an image at the opposite wall for every particle that a wall cuts."""
    for axis in box.cut_axes:
        low = centres[:, axis] < radii
        high = box.size[axis] - centres[:, axis] < radii
        shift = np.zeros(centres.shape[1])
        shift[axis] = box.size[axis]
        centres = np.concatenate([centres, centres[low] + shift, centres[high] - shift])
        radii = np.concatenate([radii, radii[low], radii[high]])
    return centres, radii
