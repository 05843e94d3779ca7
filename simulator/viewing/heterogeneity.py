"""The four panels of a heterogeneity report.

A   maps: density of the value, and its local mean
B   correlation of particle pairs by their distance, compared with random marks
C   cluster means by the clusters' size, with the band that defines L*
D   the same by the number of particles in a cluster
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
from matplotlib.ticker import AutoMinorLocator, FuncFormatter, LogLocator, NullFormatter

from heterode.base.words import counted
from heterode.heterogeneity import Correlogram, Heterogeneity
from heterode.heterogeneity.density import DensityMap
from heterode.heterogeneity.marks import Floats, MarkedPoints
from heterode.heterogeneity.scale import Scale
from heterode.viewing import style
from heterode.viewing.legends import lay_out

_SIDE_BY_SIDE = 1.5  # width over height of a field below which its two maps stand side by side
_MANY = 3000  # number of dots beyond which they are drawn fainter, and as pixels in vector formats


@dataclass(frozen=True)
class Captions:
    """The texts of a figure.

    Attributes:
        title: what was analysed, and at which moment.
        value: the quantity that the particles carry, such as "lithium fraction".
        axes: names of the map's two directions.
        counted: how particles are weighted in the means of clusters.
    """

    title: str
    value: str = "value"
    axes: tuple[str, str] | None = None
    counted: str = "by number"

    @property
    def direction(self) -> str:
        """The meaning of the colours of the value."""
        return style.DIRECTION if self.value == "lithium fraction" else "yellow: more"


def heterogeneity_figure(
    result: Heterogeneity, captions: Captions, by_field: Sequence[Correlogram] = ()
) -> Figure:
    """Draw the panels.

    Args:
        result: statistics of one or more fields, pooled; the maps show the middle one of the list.
        captions: title and names.
        by_field: correlograms of each field alone, whose range is drawn; none draws no range.
    """
    shown = result.density[len(result.density) // 2]
    width, height = float(np.ptp(shown.x_um)), float(np.ptp(shown.y_um))
    lying = max(width, height) / max(min(width, height), 1e-9) > _SIDE_BY_SIDE
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 6.4)
        grid = figure.add_gridspec(2, 2, width_ratios=(1.12, 1.0))
        inner = grid[0, 0].subgridspec(*((2, 1) if lying else (1, 2)))
        maps = [figure.add_subplot(inner[k]) for k in range(2)]
        _draw_maps(figure, maps, result, captions, lying=lying)
        _draw_correlogram(figure.add_subplot(grid[0, 1]), result, by_field)
        left, right = (figure.add_subplot(grid[1, k]) for k in range(2))
        _draw_clusters(left, result, captions, by_size=True)
        _draw_clusters(right, result, captions, by_size=False)
        right.sharey(left)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, columnspacing=2.2)
        figure.suptitle(captions.title, fontsize=8)
        lay_out(figure)
    return figure


# -- A ----------------------------------------------------------------------------------------


def _draw_maps(
    figure: Figure, maps: Sequence[Any], result: Heterogeneity, captions: Captions, *, lying: bool
) -> None:
    middle = len(result.fields) // 2
    shown, points = result.density[middle], result.fields[middle]
    # The longer side lies horizontally, since pages are wide.
    turned = bool(np.ptp(shown.y_um) > _SIDE_BY_SIDE * np.ptp(shown.x_um))
    # Where particles are drawn, the colours are those of the particles themselves.
    values = points.value if points.dimension == 2 else shown.ratio
    density, exponent = _scaled(shown.value_density)
    power, space = ("2", "area") if points.dimension == 2 else ("3", "volume")
    images = [
        _draw_map(maps[0], shown, density, style.DENSITY_COLOURS, density, turned),
        _draw_map(maps[1], shown, shown.ratio, style.FRACTION_COLOURS, values, turned),
    ]
    unit = f"µm$^{{-{power}}}$" if exponent == 0 else f"10$^{{{exponent}}}$ µm$^{{-{power}}}$"
    labels = (
        f"share of the summed value per {space}\n/ {unit} (yellow: more)",
        f"{captions.value}\n(behind: local mean by number;\n{captions.direction})",
    )
    for axes, image, label in zip(maps, images, labels, strict=True):
        length, gap = (30, 0.06) if lying else (18, 0.03)
        bar = figure.colorbar(image, ax=axes, location="bottom", shrink=0.9, aspect=length, pad=gap)
        bar.set_label(label, fontsize=6.5)
        bar.locator = style.few_ticks()
        bar.update_ticks()
    _draw_particles(maps[1], points, images[1], turned)
    names = captions.axes or shown.axes
    across, along = names[::-1] if turned else names
    for axes in maps:
        axes.set_xlabel(f"${across}$ / µm")
        axes.set_ylabel(f"${along}$ / µm")
    if lying:
        maps[0].set_xlabel("")
        maps[0].tick_params(labelbottom=False)
    else:
        maps[1].set_ylabel("")
        maps[1].tick_params(labelleft=False)
    style.letter(maps[0], "A", f"density, bandwidth {shown.bandwidth_um:.3g} µm")
    title = "particles" if points.dimension == 2 else f"plane at {shown.plane_um:.3g} µm"
    if len(result.fields) > 1:
        title = f"{points.name.replace(' um', ' µm')} (of {len(result.fields)})"
    maps[1].set_title(title, loc="right")


def _draw_map(
    axes: Any, shown: DensityMap, values: Floats, colours: str, range_of: Floats, turned: bool
) -> Any:
    bounds = [*_ends(shown.x_um), *_ends(shown.y_um)]
    image = axes.imshow(
        values.T if turned else values,
        origin="lower",
        extent=bounds[2:] + bounds[:2] if turned else bounds,
        cmap=colours,
        norm=Normalize(float(np.nanmin(range_of)), float(np.nanmax(range_of))),
        interpolation="bilinear",
        aspect="equal",
    )
    axes.tick_params(direction="out", length=2.5)
    axes.xaxis.set_major_locator(style.few_ticks())
    axes.yaxis.set_major_locator(style.few_ticks())
    return image


def _ends(centres: Floats) -> tuple[float, float]:
    """Return the outer bounds of evenly spaced cells."""
    half = 0.5 * (centres[1] - centres[0]) if len(centres) > 1 else 0.5
    return float(centres[0] - half), float(centres[-1] + half)


def _draw_particles(axes: Any, points: MarkedPoints, image: Any, turned: bool) -> None:
    """Draw each particle in the colour of its own value, and in its own size if that is known."""
    if points.dimension == 3:
        return
    places = points.positions_um[:, ::-1] if turned else points.positions_um
    rim = {"edgecolors": "white", "linewidths": min(0.4, 25.0 / len(points))}
    look = {"cmap": image.get_cmap(), "norm": image.norm, "rasterized": len(points) > _MANY, **rim}
    if points.radius_um is None:
        axes.scatter(*places.T, s=min(14.0, 900.0 / len(points)), c=points.value, **look)
        return
    bounds = axes.axis()
    discs = [Circle(place, radius) for place, radius in zip(places, points.radius_um, strict=True)]
    axes.add_collection(PatchCollection(discs, array=points.value, **look))
    axes.axis(bounds)


def _scaled(values: Floats) -> tuple[Floats, int]:
    """Return values over the largest one's power of ten (1 from 0.1 to 999), and the exponent."""
    top = float(np.nanmax(np.abs(values)))
    exponent = int(np.floor(np.log10(top))) if top > 0.0 else 0
    exponent = 0 if -1 <= exponent <= 2 else exponent
    return np.asarray(values / 10.0**exponent, dtype=np.float64), exponent


# -- B ----------------------------------------------------------------------------------------

_COEFFICIENTS = (
    ("spearman", "Spearman", style.BLUE, "o"),
    ("kendall", "Kendall", style.GREEN, "s"),
    ("pearson", "Pearson", style.ORANGE, "^"),
)


def _draw_correlogram(axes: Any, result: Heterogeneity, by_field: Sequence[Correlogram]) -> None:
    found = result.correlogram
    ranks, edges, distance = found.spearman, found.edges_um, found.distance_um
    level = f"{100 * found.level:g} %"
    if ranks.permutations:
        for area, colour, label in (
            (ranks.band, style.PALE, f"{level} of shuffled values, all bins"),
            (ranks.envelope, style.GREY, f"{level} of shuffled values, each bin"),
        ):
            _fill_bins(axes, edges, *area, color=colour, label=label, zorder=0)
    if len(by_field) > 1:
        low, high = _range([one.spearman.value for one in by_field])
        label = f"Spearman, {counted(len(by_field), 'field')} alone"
        _fill_bins(axes, edges, low, high, color=style.BLUE, alpha=0.18, label=label, zorder=1)
    for name, label, colour, marker in _COEFFICIENTS:
        look = {"color": colour, "marker": marker, "markersize": 3, "linewidth": 1.1}
        axes.plot(distance, found.statistics[name].value, label=label, **look)
    axes.axhline(0.0, color=style.NEUTRAL, linewidth=0.5, zorder=0.5)
    _mark_length(axes, result)
    filled = np.flatnonzero(np.isfinite(ranks.value))
    axes.set_xlim(0.0, float(edges[filled[-1] + 1]) if filled.size else float(edges[-1]))
    axes.set_xlabel("distance of the pair / µm")
    axes.set_ylabel("correlation coefficient")
    # The legend needs room above everything that is drawn.
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.42 * (high - low))
    axes.legend(loc="upper right")
    style.finish(axes)
    if not filled.size:
        where = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        missing = f"no distance bin holds {found.min_pairs} pairs of particles"
        axes.text(0.5, 0.3, missing, color=style.NEUTRAL, **where)
    style.letter(axes, "B", f"correlation of pairs: {_chance(found)}")


def _chance(found: Correlogram) -> str:
    """Return p of the rank correlation as text, or the reason why there is none."""
    if np.isfinite(found.spearman.p_value):
        return f"$p$ = {found.spearman.p_value:.2g}"
    if not found.spearman.permutations:
        return "nothing shuffled"
    return "no $p$"


def _fill_bins(axes: Any, edges: Floats, low: Floats, high: Floats, **look: Any) -> None:
    """Fill the area between two values in each bin, over the whole width of the bin."""
    axes.fill_between(
        edges, np.r_[low, low[-1]], np.r_[high, high[-1]], step="post", linewidth=0, **look
    )


def _range(curves: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return the smallest and largest value in each bin; NaN if no curve has one."""
    stacked = np.array(curves)
    empty = np.isnan(stacked).all(axis=0)
    low = np.where(empty, np.nan, np.fmin.reduce(stacked))
    return low, np.where(empty, np.nan, np.fmax.reduce(stacked))


def _mark_length(axes: Any, result: Heterogeneity) -> None:
    fit = result.variogram
    if not fit.identified:
        return
    axes.axvline(fit.length_um, color=style.INK, linewidth=0.8, linestyle=(0, (2, 1.5)))
    axes.annotate(
        f"length {fit.length_um:.3g} µm",
        (fit.length_um, 0.03),
        xycoords=("data", "axes fraction"),
        xytext=(3, 0),
        textcoords="offset points",
        fontsize=7,
    )


# -- C, D -------------------------------------------------------------------------------------


def _draw_clusters(axes: Any, result: Heterogeneity, captions: Captions, *, by_size: bool) -> None:
    curve, scale = result.curve, result.scale
    place = curve.size_um if by_size else curve.particles_per_cluster
    total = sum(len(means) for means in curve.cluster_means)
    axes.axhspan(
        curve.global_mean - scale.half_band,
        curve.global_mean + scale.half_band,
        color=style.BAND,
        linewidth=0,
        zorder=0,
        label=f"global mean ± {100 * scale.band:g} % of the range",
    )
    everywhere = f"global mean, {captions.counted}"
    axes.axhline(curve.global_mean, color=style.INK, linewidth=0.7, zorder=0.5, label=everywhere)
    axes.scatter(
        np.repeat(place, [len(means) for means in curve.cluster_means]),
        np.concatenate(curve.cluster_means),
        s=5,
        color=style.NEUTRAL,
        alpha=0.45 if total < _MANY else 0.15,
        linewidths=0,
        zorder=1,
        rasterized=total > _MANY,
        label="a cluster",
    )
    for sign in (-1.0, 1.0):
        axes.plot(
            place,
            curve.global_mean + sign * curve.expected_sd,
            color=style.VERMILLION,
            linewidth=0.9,
            linestyle=(0, (1, 1.2)),
            zorder=2.2,
            label="± s.d. of shuffled values" if sign > 0 else None,
        )
    if by_size:
        _draw_fields(axes, result)
    axes.errorbar(
        place,
        curve.mean,
        curve.sd,
        color=style.BLUE,
        marker="o",
        markersize=3,
        linewidth=1.0,
        elinewidth=0.9,
        capsize=1.6,
        zorder=3,
        label="mean ± s.d. of clusters",
    )
    shown = _mark_scale(axes, scale, curve.dimension, by_size=by_size)
    axes.set_ylabel(f"mean {captions.value} of a cluster, {captions.counted}")
    axes.margins(x=0.04, y=0.06)
    if by_size:
        axes.set_xlabel("cluster size $L$ / µm")
        style.finish(axes)
        style.letter(axes, "C", f"clusters by size: {shown}")
        return
    axes.set_xscale("log")
    axes.set_xlabel("particles per cluster")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="both", top=True, right=True)
    axes.yaxis.set_minor_locator(AutoMinorLocator(2))
    style.letter(axes, "D", f"clusters by particles: {shown}")


def _draw_fields(axes: Any, result: Heterogeneity) -> None:
    """Draw mean and standard deviation of each field alone, as thin lines."""
    curve = result.curve
    if curve.fields < 2:
        return
    for number in range(curve.fields):
        for sign in (-1.0, 1.0):
            axes.plot(
                curve.field_size_um[number],
                curve.field_mean[number] + sign * curve.field_sd[number],
                color=style.SKY,
                linewidth=0.6,
                alpha=1.0 if curve.fields <= 6 else 0.35,
                zorder=2,
                label="± s.d., fields alone" if number == 0 and sign > 0 else None,
            )


_SIGNS = {"below": "≤", "ok": "=", "above": ">"}


def scale_text(scale: Scale) -> str:
    """Return L* as text for a figure or a sentence."""
    note = ", not converged" if scale.flag == "above" else ""
    return f"L* {_SIGNS[scale.flag]} {scale.scale_um:.3g} µm{note}"


def _mark_scale(axes: Any, scale: Scale, dimension: int, *, by_size: bool) -> str:
    """Mark L* by a line, and its range for shuffled values by a bar; returns a text."""
    at = scale.scale_um if by_size else scale.scale_particles
    dashes = "-" if scale.flag == "ok" else (0, (3, 2))
    look = {"color": style.VERMILLION, "linewidth": 1.2, "zorder": 2.5, "label": "$L$*"}
    axes.axvline(at, linestyle=dashes, **look)
    low, _, high = scale.null_quantiles_um
    # If no shuffling converges, the bar would have no length.
    if np.isfinite(low) and high > low:
        per_um = scale.scale_particles / scale.scale_um**dimension
        ends = np.array([low, high]) if by_size else per_um * np.array([low, high]) ** dimension
        axes.plot(
            ends,
            [0.02, 0.02],
            transform=axes.get_xaxis_transform(),
            color=style.VERMILLION,
            alpha=0.4,
            linewidth=4,
            solid_capstyle="butt",
            label="$L$* of shuffled values, 95 %",
        )
    if by_size:
        return scale_text(scale).replace("L*", "$L$*")
    return f"$L$* {_SIGNS[scale.flag]} {at:.3g}"
