r"""Open-circuit potential U(x) against lithium, from a fit with a name, a table or a formula.

U consists of cubic Hermite pieces through (x_k, U_k, U'_k) with x increasing, is once continuously
differentiable, falls, and is linear beyond the ends, so that a Newton iterate outside gets a finite
value that drives it back. Its nodes are

    a gallery fit       every mV between 2.0 and 5.2 V (or around the galleries' own potentials),
                        where x(U) and dx/dU are analytic
    a table             its rows, with Fritsch and Carlson's slopes (SciPy's PCHIP)
    a formula           as many as leave an error below 1 uV, with exact slopes

x(U) is the analytic one of a gallery fit, otherwise the inverse of the pieces themselves. With an
entropic coefficient S(x) the curve at a temperature is U(x) + (T - 298.15 K) S(x).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from heterode.materials.galleries import GALLERIES, Galleries
from heterode.materials.monotone import falling

Array = NDArray[np.float64]
Analytic = Callable[[Array], tuple[Array, Array]]
"""A function of x that returns value and slope, both in the shape of x."""

CELLS = 2**16
"""Number of equal cells of the lithium fraction for looking up the piece of the curve."""

VOLTAGE_RANGE = (2.8, 4.6)
"""Potentials that may be cut-offs of NMC, V; the fits are monotone and checked between them."""

BEYOND = 0.5
"""Voltage by which cut-offs may lie outside a curve of the input file, V, for overpotentials."""

EXACT = 1e-7
"""Error that the pieces of a formula's curve may have at their midpoints, V."""

MOST_NODES = 20_000
"""Largest number of nodes of a formula's curve."""


class OpenCircuitPotential:
    """U(x) and dU/dx of one material, once continuously differentiable and falling.

    Args:
        x, U, slope: (N,) nodes: increasing lithium fractions, falling potentials, V, and dU/dx.
        name: name of the curve in messages.
        source: where it comes from.
        measured_range: (x_min, x_max) between which it was measured.
        voltage_range: least and greatest potential that a voltage window may have, V.
        cutoff_range: least and greatest voltage that may end a step, V.
        inverse: x(U), if it is known better than by the pieces.
        correction: largest change that made a measured curve fall, V.
    """

    def __init__(
        self,
        x: Array,
        U: Array,
        slope: Array,
        *,
        name: str,
        source: str,
        measured_range: tuple[float, float],
        voltage_range: tuple[float, float],
        cutoff_range: tuple[float, float],
        inverse: Callable[[Array], Array] | None = None,
        correction: float = 0.0,
    ) -> None:
        self.name, self.source = name, source
        self.measured_range, self.voltage_range = measured_range, voltage_range
        self.cutoff_range, self.correction = cutoff_range, correction
        self._x, self._U, self._slope, self._inverse = x, U, slope, inverse
        step, dU = np.diff(x), np.diff(U)
        m0, m1 = step * slope[:-1], step * slope[1:]
        # U = u0 + m0 t + a t^2 + b t^3 on each piece, with t = (x - x_k) / h
        self._pieces = np.stack(
            [x[:-1], 1 / step, U[:-1], m0, 3 * dU - 2 * m0 - m1, m0 + m1 - 2 * dU]
        )
        # The piece at the left end of each of many equal cells, nearly always right for its points.
        self._per_cell = CELLS / (x[-1] - x[0])
        self._first = self._searched(np.linspace(x[0], x[-1], CELLS + 1))

    @property
    def nodes(self) -> Array:
        """Lithium fractions (N,) of the nodes."""
        return self._x

    @property
    def measured_voltage(self) -> tuple[float, float]:
        """Least and greatest potential of the measured part of the curve, V."""
        low, high = self.measured_range
        return float(self.potential(high)), float(self.potential(low))

    def lithium_fraction(self, potential: Array | float) -> Array:
        """Return x(U) in the shape of `potential`, V."""
        value = np.asarray(potential, dtype=np.float64)
        return self._inverted(value) if self._inverse is None else self._inverse(value)

    def potential(self, lithium_fraction: Array | float) -> Array:
        """Return U(x), V, in the shape of the argument."""
        return self.potential_and_slope(lithium_fraction)[0]

    def slope(self, lithium_fraction: Array | float) -> Array:
        """Return dU/dx, V, in the shape of the argument; it is negative everywhere."""
        return self.potential_and_slope(lithium_fraction)[1]

    def potential_and_slope(self, lithium_fraction: Array | float) -> tuple[Array, Array]:
        """Return U(x) and its exact derivative dU/dx, V, both in the shape of the argument."""
        x = np.asarray(lithium_fraction, dtype=np.float64)
        inside = np.clip(x, self._x[0], self._x[-1])
        x_k, per_step, u0, m0, a, b = np.take(self._pieces, self._piece(inside), axis=1)
        t = (inside - x_k) * per_step
        slope = (m0 + t * (2.0 * a + 3.0 * b * t)) * per_step
        value = u0 + t * (m0 + t * (a + b * t)) + slope * (x - inside)
        return value, slope

    def changed_by(self, change: Analytic, knots: Array) -> OpenCircuitPotential:
        """Return the curve plus a smooth function of x with bends at some knots.

        The sum is made falling where it rises; its `correction` says by how much.
        """
        x = np.unique(np.concatenate([self._x, knots, np.linspace(self._x[0], self._x[-1], 2001)]))
        x = x[np.r_[True, np.diff(x) > 1e-12] & (x >= self._x[0]) & (x <= self._x[-1])]
        (U, slope), (dU, dslope) = self.potential_and_slope(x), change(x)
        return through(
            x,
            U + dU,
            slope + dslope,
            name=self.name,
            source=self.source,
            measured_range=self.measured_range,
            named=self.voltage_range == VOLTAGE_RANGE,
        )

    def _inverted(self, potential: Array) -> Array:
        """Return the x at which the pieces have a potential, by bisection, and lines beyond."""
        U = np.clip(potential, self._U[-1], self._U[0])
        found = np.searchsorted(-self._U, -U, side="right") - 1
        x_k, per_step, u0, m0, a, b = np.take(
            self._pieces, np.clip(found, 0, self._x.size - 2), axis=1
        )
        low, high = np.zeros_like(U), np.ones_like(U)
        for _ in range(60):
            t = 0.5 * (low + high)
            above = u0 + t * (m0 + t * (a + b * t)) > U
            low, high = np.where(above, t, low), np.where(above, high, t)
        beyond = potential - U
        end_slope = np.where(beyond > 0.0, self._slope[0], self._slope[-1])
        inside = x_k + 0.5 * (low + high) / per_step
        return np.asarray(inside + np.where(beyond == 0.0, 0.0, beyond / end_slope))

    def _piece(self, inside: Array) -> NDArray[np.int32]:
        """Return the number of the piece that holds each x in the table's range."""
        with np.errstate(invalid="ignore"):
            cell = ((inside - self._x[0]) * self._per_cell).astype(np.int32)
        # NaN, as in a diverging Newton iterate, has no cell and stays NaN.
        piece = np.array(np.take(self._first, cell, mode="clip"))
        # Comparing with the next piece costs less than searching for every point.
        beyond = inside >= np.take(self._x, piece + 1)
        if np.any(beyond):
            piece[beyond] = self._searched(inside[beyond])
        return piece

    def _searched(self, inside: Array) -> NDArray[np.int32]:
        found = np.searchsorted(self._x, inside, side="right") - 1
        return np.clip(found, 0, self._x.size - 2).astype(np.int32)


# -- from fits, tables and formulas ----------------------------------------------------------------


def of_galleries(galleries: Galleries, *, named: bool = True) -> OpenCircuitPotential:
    """Return the curve of a gallery fit.

    Args:
        galleries: the fit.
        named: whether it is one of NMC with a name, tabulated between 2.0 and 5.2 V.
    """
    low, high = (2.0, 5.2) if named else _reach(galleries)
    # Potentials go from high to low, so that x increases along the table.
    U = np.linspace(high, low, round((high - low) / 1e-3) + 1, dtype=np.float64)
    x, dxdU = galleries.lithium_fraction_and_slope(U)
    if not named:
        apart = np.r_[True, np.diff(x) > 1e-12]
        U, x, dxdU = U[apart], x[apart], dxdU[apart]

    def inverse(potential: Array) -> Array:
        return galleries.lithium_fraction_and_slope(potential)[0]

    volts = galleries.measured_voltage
    least, most = (float(inverse(np.asarray(each))) for each in reversed(volts))
    return OpenCircuitPotential(
        x,
        U,
        np.asarray(1.0 / dxdU, dtype=np.float64),
        name=galleries.name,
        source=galleries.source,
        measured_range=(least, most),
        voltage_range=VOLTAGE_RANGE if named else volts,
        cutoff_range=VOLTAGE_RANGE if named else _with_overpotentials(*volts),
        inverse=inverse,
    )


def _reach(galleries: Galleries) -> tuple[float, float]:
    """Return potentials between which a fit is tabulated: well beyond what was measured, V."""
    low, high = galleries.measured_voltage
    return low - 0.8, high + 0.6


def through(
    x: Array,
    U: Array,
    slope: Array | None,
    *,
    name: str,
    source: str,
    measured_range: tuple[float, float],
    named: bool = False,
) -> OpenCircuitPotential:
    """Return the falling curve nearest to nodes.

    Args:
        x: (N,) increasing lithium fractions.
        U: (N,) potentials, V.
        slope: (N,) slopes, V; None for Fritsch and Carlson's.
        name, source, measured_range: as in `OpenCircuitPotential`.
        named: whether voltages may be those of the fits with a name.
    """
    fallen = falling(x, U)
    correction = float(np.max(np.abs(fallen - U)))
    if slope is None or correction > 0.0:
        slope = _monotone_slopes(x, fallen)
    else:
        # No node may be steeper than three times the chords beside it, or a piece would rise.
        chords = np.diff(U) / np.diff(x)
        steepest = 3.0 * np.maximum(np.r_[chords[0], chords], np.r_[chords, chords[-1]])
        slope = np.clip(slope, steepest, 0.0)
    volts = float(fallen[-1]), float(fallen[0])
    return OpenCircuitPotential(
        x,
        fallen,
        _with_steep_ends(x, fallen, slope),
        name=name,
        source=source,
        measured_range=measured_range,
        voltage_range=VOLTAGE_RANGE if named else volts,
        cutoff_range=VOLTAGE_RANGE if named else _with_overpotentials(*volts),
        correction=correction if correction > 1e-6 else 0.0,
    )


def _with_overpotentials(low: float, high: float) -> tuple[float, float]:
    return max(low - BEYOND, 0.0), high + BEYOND


def _monotone_slopes(x: Array, U: Array) -> Array:
    # Imported only here, since commands that read no table need no SciPy.
    from scipy.interpolate import PchipInterpolator

    if x.size == 2:
        return np.full(2, (U[1] - U[0]) / (x[1] - x[0]))
    return np.asarray(PchipInterpolator(x, U)(x, 1), dtype=np.float64)


def _with_steep_ends(x: Array, U: Array, slope: Array) -> Array:
    """Return slopes whose first and last are not level, since the curve goes on with them."""
    ends = slope.copy()
    for end, chord in ((0, (U[1] - U[0]) / (x[1] - x[0])), (-1, (U[-1] - U[-2]) / (x[-1] - x[-2]))):
        if ends[end] > 0.01 * chord:
            ends[end] = chord
    return ends


def nodes_of(function: Analytic, low: float, high: float) -> tuple[Array, Array, Array]:
    """Return nodes x, U and dU/dx between which cubic pieces follow a function within `EXACT`."""
    x = np.linspace(low, high, 257, dtype=np.float64)
    while True:
        U, slope = function(x)
        step = np.diff(x)
        middle = x[:-1] + 0.5 * step
        found = 0.5 * (U[:-1] + U[1:]) + 0.125 * step * (slope[:-1] - slope[1:])
        wrong = (np.abs(found - function(middle)[0]) > EXACT) & (step > 1e-9)
        if not np.any(wrong) or x.size > MOST_NODES:
            return x, U, slope
        x = np.sort(np.concatenate([x, middle[wrong]]))


@lru_cache(maxsize=8)
def open_circuit_potential(name: str) -> OpenCircuitPotential:
    """Return the curve of a named material, which is built once in a process.

    Raises:
        KeyError: there is no such material; the names are the keys of `GALLERIES`.
    """
    return of_galleries(GALLERIES[name])
