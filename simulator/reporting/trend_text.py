"""The trend of the values, and what the direction of a pair does, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heterode.heterogeneity import Heterogeneity
from heterode.heterogeneity.scale import Scale
from heterode.heterogeneity.trend import Trend


def trend_lines(result: Heterogeneity, directions: Sequence[str]) -> list[str]:
    """Return the findings on trends, on L* by the range, and on directions.

    Args:
        result: the statistics.
        directions: names of the fields' coordinates; none where the fields differ in them.
    """
    trend, lines = result.trend, []
    if trend.depth is not None:
        k = trend.depth
        name = directions[k] if directions else "the depth"
        lines.append(
            f"trend with the depth ({name}): {trend.difference[k]:+.3g} over the field, from the"
            f" collector's side on ({trend.lower[k]:+.3g} to {trend.upper[k]:+.3g}),"
            f" {trend.difference_in_sd[k]:+.2g} s.d.{_chance(trend.p_value[k])}"
        )
    lines.append(
        f"trend in all directions: {trend.total:.3g} over the field ({trend.total_lower:.3g} to"
        f" {trend.total_upper:.3g}), {trend.total_in_sd:.2g} s.d.{rising(trend, directions)}"
        f"{_chance(trend.total_p_value)}"
    )
    if result.settings.detrend != "none":
        what = "with the depth" if result.settings.detrend == "depth" else "in all directions"
        lines.append(f"this linear trend {what} is removed from all that is said of the values")
    found = result.directional
    if found is not None and np.isfinite(found.p_value):
        lines.append(
            "pairs along the coating against pairs across it: correlations differ with"
            f" p = {found.p_value:.2g}"
        )
    return lines


def rising(trend: Trend, directions: Sequence[str]) -> str:
    """Return the direction in which the value rises, in words."""
    if not directions or not np.isfinite(trend.direction).all():
        return ""
    if np.isfinite(trend.angle_deg):
        return f", rising at {trend.angle_deg:.0f} degrees from {directions[0]} to {directions[1]}"
    parts = [f"{part:+.2f} {name}" for part, name in zip(trend.direction, directions, strict=True)]
    return f", rising along {' '.join(parts)}"


def range_line(result: Heterogeneity) -> list[str]:
    """Return L* by the other range, where it differs by more than a twentieth."""
    full, robust = result.scale_full, result.scale_robust
    shown = result.scale
    if shown is not full and shown is not robust:
        return []
    other, name = (robust, "from 1 to 99 %") if shown is full else (full, "of all values")
    same = shown.flag == other.flag and abs(other.scale_um / shown.scale_um - 1) <= 0.05
    if same:
        return []
    return [f"with the band by the range {name} ({other.value_range:.3g}): L* {_length(other)}"]


def _length(scale: Scale) -> str:
    sign = {"below": "<=", "ok": "=", "above": ">"}[scale.flag]
    return f"{sign} {scale.scale_um:.3g} um"


def _chance(p_value: float) -> str:
    return f", p = {p_value:.2g}" if np.isfinite(p_value) else ""
