"""The figure of a heterogeneity report: what its panels show for few, many and solid particles."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from helpers.heterogeneity_cases import packing
from heterode.base.words import spoken
from heterode.heterogeneity import Heterogeneity, MarkedPoints, Settings, analyse
from heterode.viewing.directions import directions_figure, sliced
from heterode.viewing.heterogeneity import Captions, heterogeneity_figure, scale_text
from heterode.viewing.heterogeneity_maps import MANY, in_plane


@cache
def analysed(count: int, dimension: int = 2) -> Heterogeneity:
    """Values that rise along x from 0.4 to 0.6, with a hundredth of noise, in a field of 200 um."""
    side, random = 200.0, np.random.default_rng(5)
    if dimension == 2 and count <= MANY:
        places = packing(count, side)
    else:
        places = random.uniform(0.0, side, (count, dimension))
    value = 0.4 + 0.2 * places[:, 0] / side + 0.01 * random.standard_normal(count)
    window = np.tile([0.0, side], (dimension, 1))
    points = MarkedPoints("f", places, value, radius_um=np.full(count, 1.5), window_um=window)
    many = count > 1000
    ladder = (4, 30, count // 40, count // 2) if many else None
    settings = Settings(permutations=0, seeds=1, ladder=ladder, max_um=20.0 if many else None)
    return analyse([points], settings, np.random.default_rng(1))


def drawn(result: Heterogeneity, **more: Any) -> Figure:
    return heterogeneity_figure(result, Captions("f", "lithium fraction", **more))


def panel(figure: Figure, name: str) -> Any:
    """The panel of a letter, or the right map ("particles", "squares")."""
    for axes in figure.axes:
        left, right = (axes.get_title(loc=side) for side in ("left", "right"))
        if right == name or left.startswith(rf"$\bf{{{name}}}"):
            return axes
    raise AssertionError(f"no panel {name}")


def test_the_left_map_is_corrected_at_edges_and_the_published_one_is_not() -> None:
    result = analysed(600)
    # Along y nothing changes: the first row of cells, at the edge, shows what the middle does.
    (corrected,) = panel(drawn(result), "A").get_images()
    rows = np.asarray(corrected.get_array())
    assert np.corrcoef(rows[0], rows[len(rows) // 2])[0, 1] > 0.95
    assert rows[0].mean() == pytest.approx(rows[len(rows) // 2].mean(), abs=0.01)
    figure = drawn(result, map="published")
    (published,) = panel(figure, "A").get_images()
    rows = np.asarray(published.get_array())
    assert rows[0].mean() < 0.6 * rows[len(rows) // 2].mean()
    assert "as published" in panel(figure, "A").get_title(loc="left")


def test_thirty_particles_have_a_map_with_a_pattern() -> None:
    """The local mean follows the slope of the values; a third of the field is too wide for it."""
    for count in (30, 600):
        (image,) = panel(drawn(analysed(count)), "A").get_images()
        profile = np.nanmean(np.asarray(image.get_array()), axis=0)
        assert np.ptp(profile) > 0.6 * 0.2, count
    wide = analyse(
        analysed(30).fields,
        Settings(permutations=0, seeds=1, bandwidth_um=0.365 * 200.0),
        np.random.default_rng(1),
    )
    assert np.ptp(np.nanmean(wide.density[0].ratio, axis=0)) < 0.6 * 0.2


def test_particles_are_discs_until_they_are_too_many_to_be_seen() -> None:
    few = panel(drawn(analysed(600)), "particles")
    (discs,) = few.collections
    assert len(discs.get_paths()) == 600
    assert np.array_equal(discs.get_array(), analysed(600).fields[0].value)
    many = drawn(analysed(20_000))
    (image,) = panel(many, "squares").get_images()
    means = np.ma.filled(image.get_array(), np.nan)
    assert means.shape == (64, 64)
    # Squares are larger than a pixel of the picture, which a particle is not.
    many.draw_without_rendering()
    assert panel(many, "squares").get_window_extent().width / 64 * 220 / many.dpi > 4.0
    across = np.nanmean(means, axis=0)
    assert across == pytest.approx(0.4 + 0.2 * (np.arange(64) + 0.5) * 3.1623 / 200.0, abs=0.01)


def test_in_a_solid_the_particles_are_those_that_the_plane_cuts() -> None:
    result = analysed(2000, 3)
    points, shown = result.fields[0], result.density[0]
    seen = in_plane(points, shown)
    away = np.abs(points.positions_um[:, 1] - 100.0)
    assert len(seen.value) == np.count_nonzero(away < 1.5)
    assert seen.radius_um == pytest.approx(np.sqrt(1.5**2 - away[away < 1.5] ** 2))
    figure = drawn(result)
    (discs,) = panel(figure, "particles").collections
    assert len(discs.get_paths()) == len(seen.value) < 100
    assert any("cut by the plane $y$ = 100" in axes.get_xlabel() for axes in figure.axes)


def test_no_correlation_is_drawn_beyond_one() -> None:
    result = analysed(600)
    assert np.nanmax(result.correlogram.pearson.value) > 0.9
    axes = panel(drawn(result), "B")
    low, high = axes.get_ylim()
    assert -1.0 <= low < high <= 1.0
    # The legend covers nothing: it lies below the panel.
    axes.figure.draw_without_rendering()
    assert axes.get_legend().get_window_extent().y1 < axes.get_window_extent().y0


@pytest.mark.parametrize("count", [30, 300, 2500, 20_000])
def test_labels_below_d_stand_apart(count: int) -> None:
    figure = drawn(analysed(count))
    figure.draw_without_rendering()
    axes = panel(figure, "D")
    low, high = axes.get_xlim()
    shown = [
        label
        for place, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        if low <= place <= high
    ]
    assert len(shown) >= 3
    boxes = sorted((label.get_window_extent() for label in shown), key=lambda box: box.x0)
    gaps = [right.x0 - left.x1 for left, right in pairwise(boxes)]
    # Half the height of a letter, at least.
    assert min(gaps) > 0.5 * boxes[0].height, [label.get_text() for label in shown]


@pytest.mark.parametrize(("value", "text"), [
    (2743.0, "2,740"), (999.6, "1,000"), (69.94, "69.9"), (70.0, "70"), (0.1234, "0.123"),
    (20_000.0, "20,000"), (1.5e12, "1.5e+12"), (0.0, "0"), (float("nan"), "nan"),
    (-2743.0, "-2,740"),
])  # fmt: skip
def test_numbers_are_written_as_they_are_read(value: float, text: str) -> None:
    assert spoken(value) == text


def test_long_scales_have_no_exponent() -> None:
    found = analysed(600).scale
    long = type(found)(**{**vars(found), "scale_um": 2743.0, "flag": "ok"})
    assert scale_text(long) == f"L* = 2,740 µm ({spoken(found.low_um)} to {spoken(found.high_um)})"


def test_slices_of_the_depth_follow_the_values() -> None:
    result = analysed(600)
    points = result.fields[0]
    place, mean, error = sliced(points.positions_um[:, 0], points.value)
    assert len(place) == 12
    assert mean == pytest.approx(0.4 + 0.2 * place / 200.0, abs=0.01)
    # A slice of a twelfth of the rise, with 50 particles.
    assert error == pytest.approx(np.hypot(0.2 / 12 / np.sqrt(12), 0.01) / np.sqrt(50), rel=0.4)
    # Negative control: along y nothing rises.
    _, flat, _ = sliced(points.positions_um[:, 1], points.value)
    assert np.ptp(flat) < 0.05 < np.ptp(mean)
    assert [part.size for part in sliced(points.positions_um[:20, 0], points.value[:20])] == [1] * 3


def test_the_figure_of_the_directions() -> None:
    result = analysed(600)
    figure = directions_figure(result, "f", "lithium fraction", "x")
    pairs, depth = figure.axes
    assert pairs.get_ylabel() == "Moran's $I$ of pairs"
    assert depth.get_xlabel() == "depth $x$ from the collector / µm"
    assert "trend with the depth: +3.4 s.d." in depth.get_title(loc="left")
    curves = {line.get_label(): np.asarray(line.get_ydata()) for line in pairs.lines}
    assert result.directional is not None
    for name in ("along", "across"):
        expected = getattr(result.directional, name).moran
        assert curves[f"pairs {name} the coating"] == pytest.approx(expected, nan_ok=True)
    (line,) = (line for line in depth.lines if line.get_label() == "linear trend")
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert np.ptp(y) / np.ptp(x) == pytest.approx(result.trend.slope[0])
    # Without a depth the figure says so, and draws no curve.
    nowhere = replace(result, directional=None, settings=replace(result.settings, depth=None))
    figure = directions_figure(nowhere, "f", "lithium fraction", "")
    assert any("no depth" in text.get_text() for text in figure.texts)
    assert not any(axes.lines for axes in figure.axes)
