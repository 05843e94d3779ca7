"""Samples drawn over each other: pair correlation and cluster curves, by ranks and by values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heterode.heterogeneity import Heterogeneity
from heterode.heterogeneity.comparison import ComparedDataset, excursion
from heterode.viewing import style
from heterode.viewing.heterogeneity import scale_text
from heterode.viewing.legends import lay_out

_LOOKS = (
    (style.BLUE, "o"),
    (style.VERMILLION, "s"),
    (style.GREEN, "^"),
    (style.PURPLE, "D"),
    (style.ORANGE, "v"),
    (style.SKY, "P"),
)


def comparison_figure(samples: Sequence[ComparedDataset]) -> Figure:
    """Draw four panels; the first six samples have looks of their own.

    Args:
        samples: two or more samples of the same dimension.
    """
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 5.6)
        (a, b), (c, d) = figure.subplots(2, 2)
        _draw_correlation(a, samples, ranks=True)
        _draw_excursion(b, samples, ranks=True)
        _draw_correlation(c, samples, ranks=False)
        _draw_excursion(d, samples, ranks=False)
        for axes in (a, b, c, d):
            style.finish(axes)
        style.letter(a, "A", "correlation of pairs, by ranks")
        style.letter(b, "B", "cluster curve, by ranks")
        style.letter(c, "C", "correlation of pairs, by values")
        style.letter(d, "D", "cluster curve, by values")
        lay_out(figure)
    return figure


def _look(number: int) -> dict[str, Any]:
    colour, marker = _LOOKS[number % len(_LOOKS)]
    return {"color": colour, "marker": marker, "markersize": 3, "linewidth": 1.1}


def _draw_correlation(axes: Axes, samples: Sequence[ComparedDataset], *, ranks: bool) -> None:
    """Draw the coefficients, with the envelope of random marks over all bins for each sample."""
    for number, sample in enumerate(samples):
        found = sample.values.correlogram
        look, distance = _look(number), found.distance_um
        statistic = found.spearman if ranks else found.pearson
        axes.plot(distance, statistic.value, label=sample.name, **look)
        if statistic.permutations:
            axes.fill_between(
                distance, *statistic.band, color=look["color"], alpha=0.13, linewidth=0, zorder=0
            )
        if ranks:
            axes.plot(
                distance, found.kendall.value, linestyle=(0, (2, 1.3)),
                **(look | {"markersize": 0, "linewidth": 0.9}),
            )  # fmt: skip
    axes.axhline(0.0, color=style.NEUTRAL, linewidth=0.5, zorder=0.5)
    axes.set_xlabel("distance of the pair / µm")
    axes.set_ylabel("Spearman (line), Kendall (dashes)" if ranks else "Pearson coefficient")
    shaded = "shaded: shuffled values"
    axes.legend(loc="best", title=shaded, title_fontsize=6.5)


def _draw_excursion(axes: Axes, samples: Sequence[ComparedDataset], *, ranks: bool) -> None:
    """Draw how far cluster means deviate from the global one; L* is where they enter the band."""
    band = 0.0
    for number, sample in enumerate(samples):
        result: Heterogeneity = sample.ranks if ranks else sample.values
        label = f"{sample.name}: {scale_text(result.scale)}"
        axes.plot(result.curve.size_um, 100 * excursion(result), label=label, **_look(number))
        band = 100 * result.scale.band
        if result.scale.flag == "ok":
            place = result.scale.scale_um
            axes.plot([place, place], [0.0, band], color=_look(number)["color"], linewidth=1.2)
    axes.axhspan(0.0, band, color=style.BAND, linewidth=0, zorder=0)
    axes.set_ylim(0.0, 1.15 * axes.get_ylim()[1])
    axes.set_xlabel("cluster size $L$ / µm")
    axes.set_ylabel("|mean − global mean| + s.d. / % of range")
    axes.legend(loc="upper right")
