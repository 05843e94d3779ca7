r"""Maps of the value over the field, and of the density of the particles.

    value_density     sum_i v_i K_h(x - x_i) / sum_i v_i      as published; mostly shows particles
    particle_density  sum_i K_h(x - x_i) / E(x)
    ratio             sum_i v_i K_h(x - x_i) / sum_i K_h(x - x_i)      the local mean value

K_h is a Gaussian of standard deviation h, and E(x) is its mass inside the window. The ratio needs
no edge correction, since E(x) cancels. Particles are distributed linearly over the nearest grid
points and smoothed by convolution.

In 3D the maps show a plane, as a polished section does, and the kernel includes the third
direction. A projection would average the structure over the thickness.

A local mean averages (integral K)^2 / integral K^2 per particle's share of space,

    n = (4 pi)^(d/2) h^d lambda      with lambda particles per area or volume,

particles effectively. The bandwidth is that at which n is an eighth of the field's particles, so
that a field of any size shows about eight patches or more, but at least 4 and at most 50: fewer
than 4 would show the single particles, and more than 50 would hide what large fields resolve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from heterode.base.errors import InputError
from heterode.heterogeneity.marks import Floats, Ints, MarkedPoints

MapKind = Literal["local-mean", "published"]
"""Which map is shown: `ratio` or `value_density`."""

# Reach of the kernel, in standard deviations.
_TRUNCATE = 5.0

# Least number of cells in a bandwidth: larger cells would smooth the map themselves.
_CELLS_PER_BANDWIDTH = 2.0

# Most cells along the longer side: 17 million cells in a square.
_MOST_CELLS = 4096

# The particles that a local mean averages: a share of all, and bounds.
_SHARE_AVERAGED = 1 / 8
_LEAST_AVERAGED, _MOST_AVERAGED = 4.0, 50.0

# Least number of particles per squared bandwidth for which a local mean is meaningful.
_FAINT = 1e-9


@dataclass(frozen=True, eq=False)
class DensityMap:
    """Smoothed maps on a regular grid.

    Attributes:
        name: name of the field.
        x_um, y_um: (nx,), (ny,) cell centres along the map's two directions.
        axes: names of these directions, such as ("x", "z").
        particle_density: (ny, nx) sum K / E, um^-2 (um^-3 in 3D).
        value_density: (ny, nx) sum v K / sum v, um^-2 (um^-3), as published, not edge-corrected;
            NaN if the values add up to 0.
        ratio: (ny, nx) sum v K / sum K, the local mean value; NaN where no particle is near.
        edge: (ny, nx) mass E of the kernel inside the window, in (0, 1].
        bandwidth_um: standard deviation of the Gaussian kernel.
        averaged: number of particles that a local mean averages effectively.
        plane_um: position of the map's plane along the third direction (3D), or None.
    """

    name: str
    x_um: Floats
    y_um: Floats
    axes: tuple[str, str]
    particle_density: Floats
    value_density: Floats
    ratio: Floats
    edge: Floats
    bandwidth_um: float
    averaged: float
    plane_um: float | None


def bandwidth(count: int, spacing_um: float, dimension: int) -> float:
    """Return the bandwidth for a field, by the rule in the module's docstring.

    Args:
        count: number of particles in the field.
        spacing_um: mean spacing of the particles, (extent / count)^(1/d).
        dimension: d, 2 or 3.
    """
    averaged = min(max(_SHARE_AVERAGED * count, _LEAST_AVERAGED), _MOST_AVERAGED)
    return float(spacing_um * averaged ** (1 / dimension) / np.sqrt(4 * np.pi))


def density_map(
    points: MarkedPoints,
    *,
    bandwidth_um: float | None = None,
    grid: int = 256,
    normal: int = 1,
    plane_um: float | None = None,
) -> DensityMap:
    """Compute the kernel maps of one field.

    Args:
        points: the particles of the field.
        bandwidth_um: None for that of `bandwidth`.
        grid: number of cells along the longer side; more where the bandwidth requires them.
        normal: direction normal to the map's plane in 3D (0, 1, 2).
        plane_um: position of the plane in 3D; half-way by default.

    Raises:
        InputError: the bandwidth is not above 0, there are fewer than 2 cells, or the plane is
            outside the field.
    """
    spacing = points.spacing_um
    if bandwidth_um is None:
        bandwidth_um = bandwidth(len(points), spacing, points.dimension)
    h = float(bandwidth_um)
    if not (h > 0 and np.isfinite(h)) or grid < 2:
        raise InputError(f"bandwidth_um = {h:g} must be above 0, grid = {grid} at least 2.")
    axes, near, inside, plane = _plane(points, h, normal, plane_um)
    window = points.window_um[axes]
    sides = window[:, 1] - window[:, 0]
    if _CELLS_PER_BANDWIDTH * sides.max() / h > _MOST_CELLS:
        least = _CELLS_PER_BANDWIDTH * sides.max() / _MOST_CELLS
        raise InputError(
            f"a bandwidth of {h:g} um in a field {sides.max():g} um long makes a map of too many "
            f"cells (allowed: {least:.3g} um or more). Take a wider one, or a smaller field."
        )
    most = max(grid, int(np.ceil(_CELLS_PER_BANDWIDTH * sides.max() / h)))
    cells = np.maximum(2, np.round(sides / sides.max() * most)).astype(int)
    step = sides / cells
    x, y = (window[k, 0] + (np.arange(cells[k]) + 0.5) * step[k] for k in range(2))
    place = (points.positions_um[:, axes] - window[:, 0]) / step - 0.5

    def smooth(weight: Floats) -> Floats:
        density = _shared_out(place, weight, cells) / np.prod(step)
        sigma = (h / step[1], h / step[0])
        smoothed = gaussian_filter(density, sigma=sigma, mode="constant", truncate=_TRUNCATE)
        return np.asarray(smoothed, dtype=np.float64)

    plain, marked = smooth(near), smooth(near * points.value)
    edge = inside * np.outer(_mass(y, window[1], h), _mass(x, window[0], h))
    faint = plain <= _FAINT * plain.max()
    total = float(points.value.sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        return DensityMap(
            name=points.name,
            x_um=x,
            y_um=y,
            axes=("xyz"[axes[0]], "xyz"[axes[1]]),
            particle_density=plain / edge,
            value_density=np.asarray(marked / (total or np.nan)),
            ratio=np.where(faint, np.nan, marked / plain),
            edge=edge,
            bandwidth_um=h,
            averaged=float((np.sqrt(4 * np.pi) * h / spacing) ** points.dimension),
            plane_um=plane,
        )


def _plane(
    points: MarkedPoints, h: float, normal: int, plane_um: float | None
) -> tuple[list[int], Floats, float, float | None]:
    """Return the map's directions, and in 3D each particle's kernel along the third direction."""
    if points.dimension == 2:
        return [0, 1], np.ones(len(points)), 1.0, None
    if normal not in (0, 1, 2):
        raise InputError(f"normal = {normal} is none of the directions 0, 1, 2.")
    low, high = points.window_um[normal]
    plane = 0.5 * float(low + high) if plane_um is None else float(plane_um)
    if not low <= plane <= high:
        raise InputError(
            f"{points.name}: plane_um = {plane:g} is outside [{low:g}, {high:g}], the field."
        )
    u = (points.positions_um[:, normal] - plane) / h
    kernel = np.where(np.abs(u) <= _TRUNCATE, np.exp(-0.5 * u**2) / (np.sqrt(2 * np.pi) * h), 0.0)
    mass = float(ndtr((high - plane) / h) - ndtr((low - plane) / h))
    return [k for k in range(3) if k != normal], kernel, mass, plane


def _shared_out(place: Floats, weight: Floats, cells: Ints) -> Floats:
    """Distribute the weights of (N, 2) points, in units of cells, to the four nearest centres.

    Weights beyond the outermost centres go to these centres. The result has the shape (ny, nx).
    """
    found = np.zeros(int(np.prod(cells)))
    low = np.floor(place).astype(int)
    part = place - low
    for dx in (0, 1):
        for dy in (0, 1):
            share = np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1])
            column = np.clip(low[:, 0] + dx, 0, cells[0] - 1)
            row = np.clip(low[:, 1] + dy, 0, cells[1] - 1)
            found += np.bincount(row * cells[0] + column, share * weight, found.size)
    return found.reshape(cells[1], cells[0])


def _mass(x: Floats, bounds: Floats, h: float) -> Floats:
    """Return (n,) the mass of the kernel round each x between two bounds."""
    return np.asarray(ndtr((bounds[1] - x) / h) - ndtr((bounds[0] - x) / h))
