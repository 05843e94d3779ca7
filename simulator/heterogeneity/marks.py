"""MarkedPoints: positions with values, the common input of all estimators here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.base.words import counted

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEWEST = 10

# Largest number of a particle: statistics use fourth powers, which must not overflow.
_LARGEST = 1e50

# Largest place and radius, um.
_FARTHEST_UM = 1e12

# Relative difference below which values cannot be distinguished from rounding.
_ROUNDING = 1e-12


def _unset() -> Floats:
    return np.empty(0)


def check_spread(where: str, value: Floats) -> None:
    """Refuse values that differ by no more than rounding.

    Args:
        where: where the values are from, for the message.
        value: (N,) finite numbers.

    Raises:
        InputError: all values are equal, or so close that their variance is rounding.
    """
    differ = float(np.ptp(value))
    if differ == 0.0:
        raise InputError(
            f"{where}: all {len(value)} values equal {value[0]:g} in double precision: there is no"
            " heterogeneity to measure. Use another time or column."
        )
    least = max(_ROUNDING * float(np.abs(value).max()), 1.0 / _LARGEST)
    if differ <= least:
        raise InputError(
            f"{where}: the {len(value)} values lie between {float(value.min())!r} and"
            f" {float(value.max())!r}: they cannot be distinguished in double precision (needed:"
            f" differences above {least:.3g}). Subtract what they have in common and multiply the"
            " rest, or use another time or column."
        )


@dataclass(frozen=True, eq=False)
class MarkedPoints:
    """N particles of one field of view, each with a value; lengths are in micrometres.

    Attributes:
        name: name of the field in messages and tables.
        positions_um: (N, d) centres with d = 2 or 3.
        value: (N,) the mark, such as a lithium fraction.
        weight: (N,) positive areas or volumes; ones by default.
        radius_um: (N,) radii, or None.
        window_um: (d, 2) lower and upper bound of the field in each direction. The default is the
            bounding box of the centres, extended on every side by the mean radius, or without
            radii by half the mean spacing (extent / N)^(1/d), since the box of the centres alone
            is smaller than the field that holds the particles.
        error: (N,) standard deviations of the values, NaN where none is stated; or None.

    Raises:
        InputError: shapes are wrong, values are not finite or all equal, two particles have one
            position, there are fewer than 10 particles, or some are outside the window.
    """

    name: str
    positions_um: Floats
    value: Floats
    weight: Floats = field(default_factory=_unset)
    radius_um: Floats | None = None
    window_um: Floats = field(default_factory=_unset)
    error: Floats | None = None

    def __post_init__(self) -> None:
        positions = np.array(self.positions_um, dtype=np.float64)
        if positions.ndim != 2 or positions.shape[1] not in (2, 3):
            raise InputError(
                f"{self.name}: positions have shape {positions.shape}; allowed is (N, 2) or (N, 3)."
            )
        if len(positions) < FEWEST:
            raise InputError(
                f"{self.name}: {counted(len(positions), 'particle', 'is')} too few for "
                f"statistics (at least"
                f" {FEWEST}). Use a larger field, or a lower minimum radius."
            )
        self._keep("positions_um", positions)
        given = np.asarray(self.weight, dtype=np.float64)
        self._keep("value", self._column("value", self.value))
        self._keep("weight", self._column("weight", given if given.size else np.ones(len(self))))
        if self.radius_um is not None:
            self._keep("radius_um", self._column("radius_um", self.radius_um))
        if self.error is not None:
            self._keep("error", self._column("error", self.error))
        self._check_values()
        self._check_positions()
        window = np.array(self.window_um, dtype=np.float64)
        self._keep("window_um", window if window.size else self._grown_box())
        self._check_window()

    def __len__(self) -> int:
        return int(self.value.size)

    @property
    def dimension(self) -> int:
        """Number d of dimensions, 2 or 3."""
        return int(self.positions_um.shape[1])

    @property
    def sides_um(self) -> Floats:
        """Lengths of the window's sides, (d,)."""
        return self.window_um[:, 1] - self.window_um[:, 0]

    @property
    def extent(self) -> float:
        """Area (um^2) or volume (um^3) of the window."""
        return float(np.prod(self.sides_um))

    @property
    def spacing_um(self) -> float:
        """Mean spacing (extent / N)^(1/d)."""
        return float((self.extent / len(self)) ** (1 / self.dimension))

    def with_values(self, value: npt.ArrayLike) -> MarkedPoints:
        """Return the same particles with other values (N,)."""
        return replace(self, value=np.asarray(value, dtype=np.float64))

    def chosen(self, mask: npt.ArrayLike) -> MarkedPoints:
        """Return the particles where the (N,) mask is true, in the same window."""
        return self._subset(np.asarray(mask, dtype=bool), self.window_um)

    def larger_than(self, radius_um: float) -> MarkedPoints:
        """Return the particles of at least this radius, in the same window.

        Raises:
            InputError: the particles have no radii, or too few are left.
        """
        if self.radius_um is None:
            raise InputError(
                f"{self.name}: a minimum radius of {radius_um:g} um needs a column radius_um."
            )
        return self.chosen(self.radius_um >= radius_um)

    def without_margin(self, margin_um: float) -> MarkedPoints:
        """Return particles with centres this far inside the window, which shrinks by as much.

        Raises:
            InputError: no window is left, or too few particles are.
        """
        window = self.window_um + np.array([margin_um, -margin_um])
        if margin_um < 0 or np.any(window[:, 1] <= window[:, 0]):
            raise InputError(
                f"{self.name}: an edge margin of {margin_um:g} um is outside [0,"
                f" {self.sides_um.min() / 2:g}) um, half the field's shortest side."
            )
        x = self.positions_um
        inside = np.all((x >= window[:, 0]) & (x <= window[:, 1]), axis=1)
        return self._subset(inside, window)

    def _subset(self, mask: npt.NDArray[np.bool_], window: Floats) -> MarkedPoints:
        return replace(
            self,
            positions_um=self.positions_um[mask],
            value=self.value[mask],
            weight=self.weight[mask],
            radius_um=None if self.radius_um is None else self.radius_um[mask],
            error=None if self.error is None else self.error[mask],
            window_um=window,
        )

    def _keep(self, name: str, values: Floats) -> None:
        values.flags.writeable = False
        object.__setattr__(self, name, values)

    def _column(self, key: str, values: npt.ArrayLike) -> Floats:
        column = np.array(values, dtype=np.float64)
        if column.shape != (len(self.positions_um),):
            raise InputError(
                f"{self.name}: {key} has shape {column.shape}; one number for each of the"
                f" {counted(len(self.positions_um), 'particle')} is needed."
            )
        return column

    def _check_values(self) -> None:
        columns = {"positions": self.positions_um, "value": self.value, "weight": self.weight}
        if self.radius_um is not None:
            columns["radius_um"] = self.radius_um
        for key, column in columns.items():
            largest = _LARGEST if key in ("value", "weight") else _FARTHEST_UM
            small = np.abs(column.reshape(len(self), -1)) <= largest  # False for NaN as well
            wrong = np.flatnonzero(~small.all(axis=1))
            if wrong.size:
                raise InputError(
                    f"{self.name}: {key} of particle {wrong[0]} is {column[wrong[0]]}"
                    f" ({wrong.size} such rows); finite numbers up to {largest:g} are needed. Leave"
                    " these rows out."
                )
        for key in ("weight", "radius_um"):
            if key in columns and columns[key].min() < 1.0 / _LARGEST:
                raise InputError(
                    f"{self.name}: {key} = {columns[key].min():g} of particle"
                    f" {columns[key].argmin()} is not above 0 (allowed: {1.0 / _LARGEST:g} to"
                    f" {_LARGEST:g})."
                )
        check_spread(self.name, self.value)

    def _check_positions(self) -> None:
        order = np.lexsort(self.positions_um.T)
        same = np.all(np.diff(self.positions_um[order], axis=0) == 0, axis=1)
        if same.any():
            where = int(np.flatnonzero(same)[0])
            first, second = sorted((int(order[where]), int(order[where + 1])))
            raise InputError(
                f"{self.name}: particles {first} and {second} are at the same position"
                f" {self.positions_um[first]} um ({int(same.sum())} such pairs)."
                " Remove doubled rows, or give each field of view a table of its own."
            )

    def _grown_box(self) -> Floats:
        low, high = self.positions_um.min(axis=0), self.positions_um.max(axis=0)
        if np.any(high == low):
            raise InputError(
                f"{self.name}: all particles have the same coordinate in one direction; give"
                f" {self.dimension - 1} coordinates, or the field's bounds."
            )
        if self.radius_um is not None:
            grow = float(self.radius_um.mean())
        else:
            grow = 0.5 * float((np.prod(high - low) / len(self)) ** (1 / self.dimension))
        return np.column_stack([low - grow, high + grow])

    def _check_window(self) -> None:
        window = self.window_um
        if window.shape != (self.dimension, 2) or not np.isfinite(window).all():
            raise InputError(
                f"{self.name}: the field's bounds have shape {window.shape} or are not finite;"
                f" a lower and an upper bound in each of {self.dimension} directions are needed."
            )
        x = self.positions_um
        outside = np.any((x < window[:, 0]) | (x > window[:, 1]), axis=1)
        if outside.any():
            first = int(np.flatnonzero(outside)[0])
            raise InputError(
                f"{self.name}: {counted(int(outside.sum()), 'particle', 'lies')} outside the field"
                f" {window.tolist()} um, the first at {x[first]}. Correct the bounds."
            )


def checked(fields: Sequence[MarkedPoints]) -> tuple[MarkedPoints, ...]:
    """Return the fields, if they can be pooled.

    Raises:
        InputError: there is no field, or their dimensions differ.
    """
    listed = tuple(fields)
    if not listed:
        raise InputError("No field of view was given; at least one table of particles is needed.")
    other = [f for f in listed if f.dimension != listed[0].dimension]
    if other:
        raise InputError(
            f"{other[0].name} has {other[0].dimension} coordinates and {listed[0].name}"
            f" {listed[0].dimension}: fields are pooled only with the same number."
        )
    return listed
