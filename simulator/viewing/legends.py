"""Legends that do not cover data; if no corner is free, the axis is extended upwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from heterode.results.sample import Floats

_CORNERS = ("upper right", "upper left", "lower left", "lower right")
_LINE_PX = 2.0
_AIR = 0.02  # gap between the data and a legend above them, as a share of the axes' height


def lay_out(figure: Figure) -> None:
    """Lay out a figure and move each legend that covers data; the last step of a figure."""
    figure.draw_without_rendering()
    moved = [axes for axes in figure.axes if _clear(axes)]
    if moved:
        figure.draw_without_rendering()


def clear_legend(axes: Any) -> None:
    """Move the legend of one plot if it covers data, for a plot in the caller's figure."""
    axes.figure.draw_without_rendering()
    _clear(axes)


def _clear(axes: Any) -> bool:
    """Move the legend if necessary, after the layout; returns whether it was moved."""
    legend = axes.get_legend()
    if legend is None or not legend.get_visible():
        return False
    shapes = list(_shapes(axes))
    if not _covers(_box(legend), shapes):
        return False
    for corner in _CORNERS:
        legend.set_loc(corner)
        if not _covers(_box(legend), shapes):
            return True
    legend.set_loc("upper right")
    _make_room(axes, _box(legend), shapes)
    return True


def _box(legend: Any) -> Bbox:
    """Return the box of the legend, enlarged by the width of lines."""
    box: Bbox = legend.get_window_extent().padded(_LINE_PX)
    return box


def _make_room(axes: Any, box: Bbox, shapes: list[tuple[Floats, bool]]) -> None:
    """Raise the upper end of the axis, linear or not, so that the data end below the legend."""
    frame = axes.get_window_extent()
    points = np.concatenate([points for points, _ in shapes])
    top = (np.nanmax(points[:, 1]) - frame.y0) / frame.height
    room = 1.0 - (frame.y1 - box.y0) / frame.height - _AIR
    scale = axes.yaxis.get_transform()
    low, high = scale.transform(axes.get_ylim())
    if room > 0.0:
        raised = low + (high - low) * min(top, 1.0) / room
        axes.set_ylim(top=float(scale.inverted().transform(raised)))


def _shapes(axes: Any) -> Iterator[tuple[Floats, bool]]:
    """Yield the shapes that represent data: points in pixels, and whether they bound an area.

    Lines and areas in coordinates other than the data's (a zero line, a shaded span) extend through
    the whole panel and are ignored.
    """
    for line in axes.lines:
        if line.get_visible() and line.get_transform() == axes.transData:
            yield axes.transData.transform(_drawn(line)), False
    for patch in axes.patches:
        if patch.get_visible() and patch.get_data_transform() == axes.transData:
            yield patch.get_transform().transform_path(patch.get_path()).vertices, True
    for drawn in axes.collections:
        if drawn.get_visible() and len(drawn.get_offsets()) and _in_data(drawn, axes):
            yield _apart(axes.transData.transform(drawn.get_offsets())), False
        elif drawn.get_visible() and drawn.get_transform() == axes.transData:
            area = bool(np.size(drawn.get_facecolor()))
            for path in drawn.get_paths():
                yield axes.transData.transform(path.vertices), area


def _drawn(line: Any) -> Floats:
    """Return the points (N, 2) of a line, including the corners of its steps."""
    points = np.asarray(line.get_xydata(), dtype=np.float64)
    if line.get_drawstyle() != "steps-post" or len(points) < 2:
        return points
    x, y = np.repeat(points, 2, axis=0).T
    return np.column_stack([x[1:], y[:-1]])


def _apart(points: Any) -> Floats:
    """Return dots as a line that is broken between them."""
    dots = np.asarray(points, dtype=np.float64)
    return np.stack([dots, dots, np.full_like(dots, np.nan)], axis=1).reshape(-1, 2)


def _in_data(drawn: Any, axes: Any) -> bool:
    return bool(drawn.get_offset_transform() == axes.transData)


def _covers(box: Bbox, shapes: list[tuple[Floats, bool]]) -> bool:
    return any(
        _meets(box, points) or (area and _holds(points, box.corners())) for points, area in shapes
    )


def _meets(box: Bbox, points: Floats) -> bool:
    """Whether a line through points (N, 2) passes a box; a missing number breaks the line."""
    if len(points) == 1:
        points = np.repeat(points, 2, axis=0)
    begin, step = points[:-1], np.diff(points, axis=0)
    # This is the part of each segment, 0 to 1, between the sides of the box in both directions.
    enter: Floats = np.zeros(len(begin))
    leave: Floats = np.ones(len(begin))
    inside = np.isfinite(step).all(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        for k, (low, high) in enumerate(((box.x0, box.x1), (box.y0, box.y1))):
            ends = np.sort([(low - begin[:, k]) / step[:, k], (high - begin[:, k]) / step[:, k]], 0)
            still = step[:, k] == 0.0
            inside &= ~still | ((begin[:, k] > low) & (begin[:, k] < high))
            enter = np.where(still, enter, np.maximum(enter, ends[0]))
            leave = np.where(still, leave, np.minimum(leave, ends[1]))
    return bool(np.any(inside & (enter < leave)))


def _holds(polygon: Floats, corners: Floats) -> bool:
    """Whether a polygon contains any of the corners."""
    return bool(Path(polygon).contains_points(corners).any())
