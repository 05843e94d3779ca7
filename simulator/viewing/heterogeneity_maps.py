"""Panel A of a heterogeneity report: two maps of one field.

left    the local mean of the value, which needs no correction at edges; on request the share of
        the summed value per area, as published, which falls off at the edges and follows the
        particles' density more than their values
right   the particles, each in the colour of its own value; where they are too many to be seen,
        squares in the colour of their mean. In 3D these are the particles that the plane of the
        left map cuts, with their section's radius.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from heterode.base.words import spoken
from heterode.heterogeneity import Heterogeneity
from heterode.heterogeneity.density import DensityMap, MapKind
from heterode.heterogeneity.marks import Floats, MarkedPoints
from heterode.viewing import style

SIDE_BY_SIDE = 1.5
"""Width over height of a field below which its two maps stand side by side."""

MANY = 3000
"""Number of particles in a map beyond which squares are drawn: discs have some 6 pixels then."""

_PER_SQUARE = 5.0  # particles in a square, on average


@dataclass(frozen=True, eq=False)
class Shown:
    """M particles as the right map shows them.

    Attributes:
        places_um: (M, 2) centres in the map's plane.
        radius_um: (M,) radii in the plane, or None.
        value: (M,) values.
    """

    places_um: Floats
    radius_um: Floats | None
    value: Floats


def lies_down(shown: DensityMap) -> bool:
    """Whether the two maps of a field stand above each other, as it is much longer than wide."""
    sides = float(np.ptp(shown.x_um)), float(np.ptp(shown.y_um))
    return max(sides) > SIDE_BY_SIDE * max(min(sides), 1e-9)


def draw_maps(
    figure: Figure,
    maps: Sequence[Any],
    result: Heterogeneity,
    value: str,
    direction: str,
    axes_names: tuple[str, str] | None,
    kind: MapKind = "local-mean",
) -> None:
    """Draw both maps of the middle one of the fields, with their colour bars.

    Args:
        maps: the two axes.
        value: the quantity that the particles carry.
        direction: the meaning of its colours.
        axes_names: names of the map's two directions; None takes those of the map.
        kind: what the left map shows.
    """
    middle = len(result.fields) // 2
    shown, points = result.density[middle], result.fields[middle]
    # The longer side lies horizontally, since pages are wide.
    turned = bool(np.ptp(shown.y_um) > SIDE_BY_SIDE * np.ptp(shown.x_um))
    lying = lies_down(shown)
    if kind == "published":
        left = _draw_published(maps[0], shown, turned)
    else:
        left = _draw_local_mean(maps[0], shown, value, direction, turned)
    right = _draw_particles(maps[1], shown, points, value, direction, turned)
    for axes, (image, label) in zip(maps, (left, right), strict=True):
        length, gap = (30, 0.06) if lying else (18, 0.03)
        bar = figure.colorbar(image, ax=axes, location="bottom", shrink=0.9, aspect=length, pad=gap)
        bar.set_label(label, fontsize=6.5)
        bar.locator = style.few_ticks()
        bar.update_ticks()
    names = axes_names or shown.axes
    across, along = names[::-1] if turned else names
    for axes in maps:
        axes.set_xlabel(f"${across}$ / µm")
        axes.set_ylabel(f"${along}$ / µm")
        axes.tick_params(direction="out", length=2.5)
        axes.xaxis.set_major_locator(style.few_ticks())
        axes.yaxis.set_major_locator(style.few_ticks())
    if lying:
        maps[0].set_xlabel("")
        maps[0].tick_params(labelbottom=False)
    else:
        maps[1].set_ylabel("")
        maps[1].tick_params(labelleft=False)
    if len(result.fields) > 1:
        name = f"{points.name.replace(' um', ' µm')} (of {len(result.fields)})"
        maps[1].set_title(name, loc="right")


# -- left -------------------------------------------------------------------------------------


def _draw_local_mean(
    axes: Any, shown: DensityMap, value: str, direction: str, turned: bool
) -> tuple[Any, str]:
    image = _draw_image(axes, shown, shown.ratio, style.FRACTION_COLOURS, turned)
    style.letter(axes, "A", "local mean")
    label = (
        f"{value}, mean by number\nof some {shown.averaged:.0f} particles (bandwidth\n"
        f"{spoken(shown.bandwidth_um)} µm; {direction})"
    )
    return image, label


def _draw_published(axes: Any, shown: DensityMap, turned: bool) -> tuple[Any, str]:
    density, exponent = _scaled(shown.value_density)
    image = _draw_image(axes, shown, density, style.DENSITY_COLOURS, turned)
    style.letter(axes, "A", "density, as published")
    power, space = ("2", "area") if shown.plane_um is None else ("3", "volume")
    unit = f"µm$^{{-{power}}}$" if exponent == 0 else f"10$^{{{exponent}}}$ µm$^{{-{power}}}$"
    label = (
        f"share of the summed value per\n{space} / {unit} (bandwidth\n"
        f"{spoken(shown.bandwidth_um)} µm; yellow: more)"
    )
    return image, label


def _draw_image(axes: Any, shown: DensityMap, values: Floats, colours: str, turned: bool) -> Any:
    bounds = [*_ends(shown.x_um), *_ends(shown.y_um)]
    return axes.imshow(
        values.T if turned else values,
        origin="lower",
        extent=bounds[2:] + bounds[:2] if turned else bounds,
        cmap=colours,
        norm=Normalize(float(np.nanmin(values)), float(np.nanmax(values))),
        interpolation="bilinear",
        aspect="equal",
    )


def _ends(centres: Floats) -> tuple[float, float]:
    """Return the outer bounds of evenly spaced cells."""
    half = 0.5 * (centres[1] - centres[0]) if len(centres) > 1 else 0.5
    return float(centres[0] - half), float(centres[-1] + half)


def _scaled(values: Floats) -> tuple[Floats, int]:
    """Return values over the largest one's power of ten (1 from 0.1 to 999), and the exponent."""
    top = float(np.nanmax(np.abs(values)))
    exponent = int(np.floor(np.log10(top))) if top > 0.0 else 0
    exponent = 0 if -1 <= exponent <= 2 else exponent
    return np.asarray(values / 10.0**exponent, dtype=np.float64), exponent


# -- right ------------------------------------------------------------------------------------


def _draw_particles(
    axes: Any, shown: DensityMap, points: MarkedPoints, value: str, direction: str, turned: bool
) -> tuple[Any, str]:
    seen = in_plane(points, shown)
    bounds = [*_ends(shown.x_um), *_ends(shown.y_um)]
    axes.set_facecolor(style.PALE)
    where = ""
    if shown.plane_um is not None:
        normal = next(axis for axis in "xyz" if axis not in shown.axes)
        cut = "cut by" if points.radius_um is not None else "near"
        where = f"{cut} the plane ${normal}$ = {spoken(shown.plane_um)} µm;\n"
    if len(seen.value) > MANY:
        image, side_um = _draw_squares(axes, seen, bounds, turned)
        axes.set_title("squares", loc="right")
        label = f"{value}, mean by number\nin squares of {spoken(side_um)} µm"
        return image, f"{label}\n({where}{direction})"
    image = _draw_discs(axes, seen, points, turned)
    axes.set_xlim(bounds[2:] if turned else bounds[:2])
    axes.set_ylim(bounds[:2] if turned else bounds[2:])
    axes.set_aspect("equal")
    axes.set_title("particles", loc="right")
    return image, f"{value} of each particle\n({where}{direction})"


def in_plane(points: MarkedPoints, shown: DensityMap) -> Shown:
    """Return the particles of a map: in 2D all, in 3D those that its plane cuts.

    Without radii, these are the particles within half the mean spacing of the plane.
    """
    if shown.plane_um is None:
        return Shown(points.positions_um, points.radius_um, points.value)
    axes = ["xyz".index(name) for name in shown.axes]
    normal = next(k for k in range(3) if k not in axes)
    away = np.abs(points.positions_um[:, normal] - shown.plane_um)
    radius = points.radius_um
    cut = away < (0.5 * points.spacing_um if radius is None else radius)
    places = points.positions_um[cut][:, axes]
    if radius is None:
        return Shown(places, None, points.value[cut])
    section = np.sqrt(radius[cut] ** 2 - away[cut] ** 2)
    return Shown(places, section, points.value[cut])


def _draw_discs(axes: Any, seen: Shown, points: MarkedPoints, turned: bool) -> Any:
    """Draw each particle in the colour of its own value, and in its own size if that is known."""
    places = seen.places_um[:, ::-1] if turned else seen.places_um
    count = max(len(seen.value), 1)
    look: dict[str, Any] = {
        "cmap": style.FRACTION_COLOURS,
        # The colours are those of all particles, whichever the plane cuts.
        "norm": Normalize(float(points.value.min()), float(points.value.max())),
        "edgecolors": "white",
        "linewidths": min(0.4, 25.0 / count),
    }
    if seen.radius_um is None:
        return axes.scatter(*places.T, s=min(14.0, 900.0 / count), c=seen.value, **look)
    discs = [Circle(place, radius) for place, radius in zip(places, seen.radius_um, strict=True)]
    return axes.add_collection(PatchCollection(discs, array=seen.value, **look))


def _draw_squares(axes: Any, seen: Shown, bounds: list[float], turned: bool) -> tuple[Any, float]:
    """Draw the mean value of the particles in each square; returns also the length of a side."""
    means, side_um, extent = square_means(seen, bounds)
    known = means[np.isfinite(means)]
    image = axes.imshow(
        means.T if turned else means,
        origin="lower",
        extent=extent[2:] + extent[:2] if turned else extent,
        cmap=style.FRACTION_COLOURS,
        norm=Normalize(float(known.min()), float(known.max())),
        interpolation="nearest",
        aspect="equal",
    )
    axes.set_xlim(bounds[2:] if turned else bounds[:2])
    axes.set_ylim(bounds[:2] if turned else bounds[2:])
    return image, side_um


def square_means(seen: Shown, bounds: list[float]) -> tuple[Floats, float, list[float]]:
    """Return the mean value in squares that hold some five particles each.

    Args:
        seen: the particles.
        bounds: ends of the map, x0, x1, y0, y1.

    Returns:
        (ny, nx) means, NaN in empty squares; the side of a square; the ends of the squares.
    """
    x0, x1, y0, y1 = bounds
    side = float(np.sqrt(_PER_SQUARE * (x1 - x0) * (y1 - y0) / len(seen.value)))
    nx, ny = max(1, int(np.ceil((x1 - x0) / side))), max(1, int(np.ceil((y1 - y0) / side)))
    extent = [x0, x0 + nx * side, y0, y0 + ny * side]
    edges = [y0 + side * np.arange(ny + 1), x0 + side * np.arange(nx + 1)]
    place = seen.places_um[:, 1], seen.places_um[:, 0]
    count = np.histogram2d(*place, bins=edges)[0]
    total = np.histogram2d(*place, bins=edges, weights=seen.value)[0]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(count > 0, total / count, np.nan)), side, extent
