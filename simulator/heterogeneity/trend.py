r"""Linear trend of the values over the field, its size, and whether chance gives as much.

With positions x and values v, both less their mean in each field, the trend is the least-squares
plane v = b . x of all fields together. Its size in a direction is the difference between the two
ends of the field, b_k times the field's side; over all directions it is the largest difference
between two corners, sum |b_k| side_k.

The tests are exact: values are randomly exchanged within each field. For a direction the statistic
is |t_k|, for all of them the explained sum of squares. Values that are alike in a neighbourhood
show a trend in a small field more often than exchanged ones; the intervals, from a jackknife over
sub-fields, are wider for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import t as student

from heterode.base.errors import ArgumentError
from heterode.heterogeneity.blocks import SubFields
from heterode.heterogeneity.marks import Floats, Ints, MarkedPoints, checked
from heterode.heterogeneity.null import exchanged

Detrend = Literal["none", "depth", "all"]

# Permutations that are in memory at a time.
_AT_ONCE = 64

# Part of the values' spread below which what a trend leaves is rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Trend:
    """The least-squares plane through the values of d-dimensional fields.

    Attributes:
        slope: (d,) change of the value over a micrometre in each direction.
        difference: (d,) change over the mean side of the fields.
        difference_in_sd: (d,) the same in standard deviations of the values.
        lower, upper: (d,) bounds of the difference, at `level`.
        p_value: (d,) probability of so large a |t| for randomly exchanged values; NaN without
            permutations.
        direction: (d,) unit vector along which the value rises most; NaN without any slope.
        angle_deg: in 2D its angle with the first axis, towards the second; NaN in 3D.
        total, total_in_sd: largest difference between two corners of a mean field.
        total_lower, total_upper: its bounds, for the signs of the slopes that were found.
        total_p_value: probability of so large an explained sum of squares.
        explained: part of the variance within fields that the plane explains.
        level: level of the bounds.
        permutations: number of random exchanges.
        depth: number of the direction across the coating; None if there is none.
    """

    slope: Floats
    difference: Floats
    difference_in_sd: Floats
    lower: Floats
    upper: Floats
    p_value: Floats
    direction: Floats
    angle_deg: float
    total: float
    total_in_sd: float
    total_lower: float
    total_upper: float
    total_p_value: float
    explained: float
    level: float
    permutations: int
    depth: int | None

    def columns(self) -> dict[str, float]:
        """Return the numbers of the trend as columns of a table with a row for each sample.

        Returns:
            trend_depth, its trend_depth_in_sd and trend_depth_p_value (NaN without a depth);
            trend_total, trend_total_in_sd and trend_p_value; trend_direction_x, _y and in 3D _z.
        """
        of_depth = (self.difference, self.difference_in_sd, self.p_value)
        depth = [np.nan if self.depth is None else float(part[self.depth]) for part in of_depth]
        towards = zip("xyz", self.direction, strict=False)
        return {
            "trend_depth": depth[0],
            "trend_depth_in_sd": depth[1],
            "trend_depth_p_value": depth[2],
            "trend_total": self.total,
            "trend_total_in_sd": self.total_in_sd,
            "trend_p_value": self.total_p_value,
            **{f"trend_direction_{axis}": float(part) for axis, part in towards},
        }


def linear_trend(
    fields: Sequence[MarkedPoints],
    *,
    permutations: int = 199,
    level: float = 0.95,
    depth: int | None = 0,
    rng: np.random.Generator,
) -> Trend:
    """Fit a plane to the values and test it against randomly exchanged values.

    Args:
        fields: one plane for all, and a mean value for each.
        permutations: exchanges of the values within each field; 0 for none.
        level: level of the bounds.
        depth: which direction is that across the coating; None if it is not in the fields.
        rng: generator.

    Raises:
        InputError: the fields cannot be pooled.
    """
    listed = checked(fields)
    plane = _Plane(listed)
    d = listed[0].dimension
    slope, t, explained = (part[..., 0] for part in plane.fitted(plane.value[:, None]))
    as_large = _exceedances(plane, np.abs(t), float(explained), permutations, rng)
    side = np.mean([field.sides_um for field in listed], axis=0)
    covariance, blocks = plane.jackknife()
    reach = float(student.ppf((1 + level) / 2, blocks - 1)) if blocks > 1 else np.nan
    spread = float(np.concatenate([field.value for field in listed]).std(ddof=1))
    error = reach * np.sqrt(np.diag(covariance)) * side
    total = float(np.abs(slope) @ side)
    towards = np.sign(slope) * side
    total_error = reach * float(np.sqrt(towards @ covariance @ towards))
    steepest = float(np.linalg.norm(slope))
    direction = np.full(d, np.nan) if steepest == 0 else np.asarray(slope / steepest)
    return Trend(
        slope=slope,
        difference=slope * side,
        difference_in_sd=slope * side / spread,
        lower=slope * side - error,
        upper=slope * side + error,
        p_value=as_large[:d],
        direction=direction,
        angle_deg=float(np.degrees(np.arctan2(direction[1], direction[0]))) if d == 2 else np.nan,
        total=total,
        total_in_sd=total / spread,
        total_lower=max(0.0, total - total_error),
        total_upper=total + total_error,
        total_p_value=float(as_large[d]),
        explained=float(explained / np.sum(plane.value**2)),
        level=level,
        permutations=permutations,
        depth=depth,
    )


def without_trend(
    fields: Sequence[MarkedPoints], trend: Trend, which: Detrend
) -> tuple[MarkedPoints, ...]:
    """Return the fields less the trend, with the mean of each field.

    Args:
        fields: the fields of the trend.
        trend: see `linear_trend`.
        which: "none", "depth" for the direction across the coating alone, or "all".

    Raises:
        InputError: the direction across the coating is not in the fields, or no variation is left.
    """
    if which == "none":
        return tuple(fields)
    slope = trend.slope.copy()
    if which == "depth":
        if trend.depth is None:
            raise ArgumentError(
                "{detrend}: the distance from the collector is not in these fields. Use all"
                " (allowed: none, depth, all)",
                detrend=which,
            )
        slope[np.arange(slope.size) != trend.depth] = 0.0
    found = []
    for field in fields:
        left = field.value - (field.positions_um - field.positions_um.mean(axis=0)) @ slope
        if np.ptp(left) <= _ROUNDING * np.ptp(field.value):
            raise ArgumentError(
                f"{field.name}: {{detrend}} leaves no variation but rounding, as the values are"
                " linear in the position. Leave the trend in (none)",
                detrend=which,
            )
        found.append(field.with_values(left))
    return tuple(found)


class _Plane:
    """Positions and values of all fields, less their mean in each field."""

    def __init__(self, fields: tuple[MarkedPoints, ...]) -> None:
        self.ends = np.cumsum([len(field) for field in fields])[:-1]
        centred = [field.positions_um - field.positions_um.mean(axis=0) for field in fields]
        self.positions = np.concatenate(centred)
        self.value = np.concatenate([field.value - field.value.mean() for field in fields])
        self.free = max(1, self.value.size - len(fields) - fields[0].dimension)
        self.inverse = np.linalg.inv(self.positions.T @ self.positions)
        self.raw = [(field.positions_um, field.value) for field in fields]
        blocks = SubFields(fields)
        self.block = [blocks.of(f, field.positions_um) for f, field in enumerate(fields)]
        self.blocks = len(blocks)

    def fitted(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        """Return (d, M) slopes, (d, M) their t and (M,) explained sums of squares.

        Args:
            values: (N, M) sets of values with the mean 0 in each field.
        """
        projected = self.positions.T @ values
        slope = self.inverse @ projected
        explained = np.sum(slope * projected, axis=0)
        rest = np.maximum(np.sum(values**2, axis=0) - explained, 0.0) / self.free
        error = np.sqrt(np.diag(self.inverse)[:, None] * rest)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(error > 0, slope / error, np.sign(slope) * np.inf)
        return slope, t, explained

    def jackknife(self) -> tuple[Floats, int]:
        """Return the (d, d) covariance of the slopes over sub-fields, and their number."""
        without = []
        for block in range(self.blocks):
            slope = self._without(block)
            if slope is not None:
                without.append(slope)
        count = len(without)
        if count < 2:
            return np.full(self.inverse.shape, np.nan), count
        away = np.array(without) - np.mean(without, axis=0)
        return np.asarray((count - 1) / count * away.T @ away), count

    def _without(self, block: int) -> Floats | None:
        """Return the slopes without one sub-field; None if it is empty or nothing else is left."""
        kept = [of != block for of in self.block]
        if all(rows.all() for rows in kept):
            return None
        pairs = [(x[rows], v[rows]) for (x, v), rows in zip(self.raw, kept, strict=True)]
        pairs = [(x - x.mean(axis=0), v - v.mean()) for x, v in pairs if len(v)]
        if not pairs:
            return None
        x, v = (np.concatenate(column) for column in zip(*pairs, strict=True))
        return np.asarray(np.linalg.lstsq(x, v, rcond=None)[0])


def _exceedances(
    plane: _Plane, t: Floats, explained: float, permutations: int, rng: np.random.Generator
) -> Floats:
    """Return (d + 1,) p values of |t| in each direction, and of the explained sum of squares."""
    if permutations == 0:
        return np.full(t.size + 1, np.nan)
    observed = np.append(t, explained)[:, None]
    reached: Ints = np.ones(t.size + 1, dtype=np.int64)
    for begin in range(0, permutations, _AT_ONCE):
        values = exchanged(plane.value, plane.ends, min(_AT_ONCE, permutations - begin), rng)
        _, each, squares = plane.fitted(values)
        found = np.vstack([np.abs(each), squares])
        # Exchanges that give the same values only differ by rounding.
        reached += np.count_nonzero(found >= observed * (1 - 1e-9), axis=1)
    return np.asarray(reached / (permutations + 1))
