"""The four panels of a heterogeneity report.

A   maps: the local mean of the value, and the particles (see heterogeneity_maps)
B   correlation of particle pairs by their distance, compared with random marks
C   cluster means by the clusters' size, with the band that defines L*
D   the same by the number of particles in a cluster
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator, FuncFormatter, LogLocator, NullFormatter

from heterode.base.words import counted, spoken
from heterode.heterogeneity import Correlogram, Heterogeneity
from heterode.heterogeneity.density import MapKind
from heterode.heterogeneity.marks import Floats
from heterode.heterogeneity.scale import Scale
from heterode.viewing import style
from heterode.viewing.heterogeneity_maps import draw_maps, lies_down
from heterode.viewing.legends import lay_out

_MANY = 3000  # number of dots beyond which they are drawn fainter, and as pixels in vector formats


@dataclass(frozen=True)
class Captions:
    """The texts of a figure.

    Attributes:
        title: what was analysed, and at which moment.
        value: the quantity that the particles carry, such as "lithium fraction".
        axes: names of the map's two directions.
        counted: how particles are weighted in the means of clusters.
        map: what the left map of panel A shows.
    """

    title: str
    value: str = "value"
    axes: tuple[str, str] | None = None
    counted: str = "by number"
    map: MapKind = "local-mean"

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
    lying = lies_down(result.density[len(result.density) // 2])
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 7.0)
        grid = figure.add_gridspec(2, 2, width_ratios=(1.12, 1.0))
        inner = grid[0, 0].subgridspec(*((2, 1) if lying else (1, 2)))
        maps = [figure.add_subplot(inner[k]) for k in range(2)]
        shown = captions.value, captions.direction, captions.axes, captions.map
        draw_maps(figure, maps, result, *shown)
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
    # No coefficient is beyond -1 or 1, so the legend finds its room below the panel.
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -1.0), min(high, 1.0))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, borderaxespad=0.0)
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
        f"length {spoken(fit.length_um)} µm",
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
        _draw_reading(axes, result)
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
    decades = float(np.log10(np.ptp(axes.get_xlim()) / axes.get_xlim()[0] + 1.0))
    axes.xaxis.set_major_locator(LogLocator(subs=_subdivisions(decades)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: spoken(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="both", top=True, right=True)
    axes.yaxis.set_minor_locator(AutoMinorLocator(2))
    style.letter(axes, "D", f"clusters by particles: {shown}")


def _subdivisions(decades: float) -> tuple[float, ...]:
    """Return the labelled parts of a decade, so few that labels like "2,000" do not touch."""
    if decades <= 0.7:
        return (1.0, 2.0, 3.0, 5.0, 7.0)
    if decades <= 2.4:
        return (1.0, 2.0, 5.0)
    return (1.0, 3.0) if decades <= 4.0 else (1.0,)


def _draw_reading(axes: Any, result: Heterogeneity) -> None:
    """Draw the interval of the standard deviation that L* was read off, and that of the fit."""
    curve, scale = result.curve, result.scale
    for sign in (-1.0, 1.0):
        axes.fill_between(
            curve.size_um,
            curve.global_mean + sign * scale.smoothed_low,
            curve.global_mean + sign * scale.smoothed_high,
            color=style.BLUE,
            alpha=0.22,
            linewidth=0,
            zorder=1.5,
            label="± s.d., 95 % interval" if sign > 0 else None,
        )
        axes.plot(
            curve.size_um,
            curve.global_mean + sign * scale.model_sd,
            color=style.GREEN,
            linewidth=0.9,
            linestyle=(0, (4, 1.5)),
            zorder=2.3,
            label="± s.d. of the fitted covariance" if sign > 0 else None,
        )
    if scale.model_um > curve.size_um[-1]:
        return
    axes.axvline(
        scale.model_um,
        color=style.GREEN,
        linewidth=0.9,
        linestyle=(0, (4, 1.5)),
        zorder=2.4,
        label="$L$* of the fitted covariance",
    )


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
    if scale.flag == "ok":
        note = f" ({spoken(scale.low_um)} to {spoken(scale.high_um)})"
    return f"L* {_SIGNS[scale.flag]} {spoken(scale.scale_um)} µm{note}"


def model_text(scale: Scale) -> str:
    """Return L* of the fitted covariance, with its interval, as text."""
    interval = f"{spoken(scale.model_low_um)} to {spoken(scale.model_high_um)}"
    return f"{spoken(scale.model_um)} µm ({interval})"


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
    return f"$L$* {_SIGNS[scale.flag]} {spoken(at)}"
