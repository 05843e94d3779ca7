"""Open-circuit potential U of NMC against lithium, from gallery (MSMR) fits.

    x(U) = 1 - b [1 - sum_j X_j / (1 + exp(F (U - U_j) / (R T0 w_j)))],    T0 = 298.15 K

x is the lithium fraction on the theoretical scale (LiMO2 = 1). x(U) is analytic, smooth and
strictly decreasing; U(x) is its inverse, which is tabulated once. T0 is 298.15 K at every cell
temperature, since the coefficients are only valid for it.

Sources
    NMC532: 6 galleries fitted to the open-circuit table of NREL's batmods-lite (BSD-3, commit
        faba0d3e, `nmc532_ocv.csv`; that file names no experiment, presumably Colclasure et al.,
        Electrochim. Acta 337, 135854 (2020)). 0.33 mV rms for x < 0.96 and 0.9 mV overall.
        Measured 3.107-4.290 V; 4.29-4.6 V follows batmods-lite's own linear extension.
    NMC622: 4 galleries of Verbrugge et al., J. Electrochem. Soc. 164, E3243 (2017),
        as carried by PyBaMM's MSMR_Example (BSD-3). Their x is a
        fraction of the cell's own capacity; b = 0.804 puts it on the theoretical scale (one
        number, fitted to an independent NMC622 curve: 4.8 mV rms over 3.59-4.25 V). U grows
        without bound at x = 0.196, and near x = 1 it falls only logarithmically.
    NMC811: 6 galleries fitted to the table of Chen et al., J. Electrochem. Soc. 167, 080534
        (2020), doi:10.1149/1945-7111/ab9050 (PyBaMM, BSD-3) after x = -0.1632 + 1.2628 x_Chen;
        2.6 mV rms over 3.567-4.294 V. Outside that range the curve is ASSUMED
        (x = 0.145 / 0.122 / 0.103 at 4.4 / 4.5 / 4.6 V).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from heterode.base.constants import FARADAY, GAS_CONSTANT

Array = NDArray[np.float64]

FIT_TEMPERATURE = 298.15
"""Temperature of the gallery fits, K."""

CELLS = 2**16
"""Number of equal cells of the lithium fraction for looking up the piece of the curve."""

VOLTAGE_RANGE = (2.8, 4.6)
"""Potentials that may be cut-offs, V; the curves are monotone and checked between them."""


@dataclass(frozen=True)
class Galleries:
    """Coefficients of one fit: U_j (V), X_j and w_j (dimensionless), scale b, and its origin."""

    name: str
    potentials: tuple[float, ...]
    fractions: tuple[float, ...]
    widths: tuple[float, ...]
    scale: float
    measured_voltage: tuple[float, float]
    source: str

    def lithium_fraction_and_slope(self, potential: Array) -> tuple[Array, Array]:
        """Return x(U) and dx/dU, V^-1, both in the shape of `potential`, V."""
        thermal = GAS_CONSTANT * FIT_TEMPERATURE / FARADAY
        empty = np.full_like(potential, 1.0 - sum(self.fractions))
        slope = np.zeros_like(potential)
        for centre, fraction, width in zip(
            self.potentials, self.fractions, self.widths, strict=True
        ):
            argument = (potential - centre) / (thermal * width)
            # Summing the lithium that has left each gallery keeps full relative accuracy near
            # x = 1, where the table's nodes would otherwise coincide.
            gone = 0.5 * (1.0 + np.tanh(0.5 * argument))
            empty += fraction * gone
            slope -= fraction * gone * (1.0 - gone) / (thermal * width)
        return 1.0 - self.scale * empty, self.scale * slope


GALLERIES = {
    "NMC532": Galleries(
        name="NMC532",
        potentials=(
            3.286436582666309,
            3.647151713615391,
            3.72839475256815,
            3.8690911340333405,
            4.11737839879475,
            4.678833037351435,
        ),
        fractions=(
            0.009705792059640292,
            0.024686917493621785,
            0.2982204424680605,
            0.12151349703415151,
            0.22540404116741797,
            0.3204693097771079,
        ),
        widths=(
            9.347191151077794,
            0.8788104441029467,
            1.36887059549451,
            3.103852977585491,
            5.682382538446271,
            7.126396315163986,
        ),
        scale=1.0,
        measured_voltage=(3.107, 4.290),
        source="6 galleries fitted to NREL batmods-lite nmc532_ocv.csv (BSD-3)",
    ),
    "NMC622": Galleries(
        name="NMC622",
        potentials=(3.62274, 3.72645, 3.90575, 4.22955),
        fractions=(0.13442, 0.3246, 0.21118, 0.3298),
        widths=(0.9671, 1.39712, 3.505, 5.52757),
        scale=0.804085815381176,
        measured_voltage=(3.59, 4.25),
        source="Verbrugge et al., J. Electrochem. Soc. 164, E3243 (2017), 4 galleries, rescaled",
    ),
    "NMC811": Galleries(
        name="NMC811",
        potentials=(
            3.05697306303935,
            3.602620810660615,
            3.7228706364866393,
            4.002139337663439,
            4.1790088313229,
            4.59384778463609,
        ),
        fractions=(
            0.006031214424178699,
            0.10425348195664885,
            0.2574567577433812,
            0.3528651886705821,
            0.07313353419427883,
            0.2062598230109304,
        ),
        widths=(
            4.763147331424379,
            0.4819146879900249,
            1.5424142403359113,
            3.6598912940182067,
            0.37611093127828554,
            10.28705888714179,
        ),
        scale=1.0,
        measured_voltage=(3.567, 4.294),
        source="6 galleries fitted to Chen et al., J. Electrochem. Soc. 167, 080534 (2020)",
    ),
}


class OpenCircuitPotential:
    """U(x) and dU/dx of one material, once continuously differentiable and strictly falling.

    It consists of cubic Hermite pieces through (x(U_k), U_k, 1/x'(U_k)) every `spacing` volts
    between 2.0 and 5.2 V, and is linear beyond, so that a Newton iterate outside gets a finite
    value that drives it back. Within 2.0-5.2 V it differs from the analytic inverse by < 1 uV.

    Attributes:
        name: "NMC532", "NMC622" or "NMC811".
        source: where the coefficients come from.
        voltage_range: least and greatest potential that may be a cut-off, V.
        measured_range: (x_min, x_max) between which the curve was measured.
    """

    def __init__(self, galleries: Galleries, *, spacing: float = 1e-3) -> None:
        self.galleries = galleries
        self.name = galleries.name
        self.source = galleries.source
        self.voltage_range = VOLTAGE_RANGE
        low, high = 2.0, 5.2
        count = round((high - low) / spacing) + 1
        # Potentials go from high to low, so that x increases along the table.
        self._U: Array = np.linspace(high, low, count, dtype=np.float64)
        self._x, dxdU = galleries.lithium_fraction_and_slope(self._U)
        step, slope, dU = np.diff(self._x), 1.0 / dxdU, np.diff(self._U)
        m0, m1 = step * slope[:-1], step * slope[1:]
        # U = u0 + m0 t + a t^2 + b t^3 on each piece, with t = (x - x_k) / h
        self._pieces = np.stack(
            [self._x[:-1], 1 / step, self._U[:-1], m0, 3 * dU - 2 * m0 - m1, m0 + m1 - 2 * dU]
        )
        # The piece at the left end of each of many equal cells, nearly always right for its points.
        self._per_cell = CELLS / (self._x[-1] - self._x[0])
        self._first = self._searched(np.linspace(self._x[0], self._x[-1], CELLS + 1))

    @property
    def measured_range(self) -> tuple[float, float]:
        """Ends (x_min, x_max) of the measured part of the curve."""
        low, high = self.galleries.measured_voltage
        return float(self.lithium_fraction(high)), float(self.lithium_fraction(low))

    def lithium_fraction(self, potential: Array | float) -> Array:
        """Return the analytic x(U) in the shape of `potential`, V."""
        value = np.asarray(potential, dtype=np.float64)
        return self.galleries.lithium_fraction_and_slope(value)[0]

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


@lru_cache(maxsize=8)
def open_circuit_potential(name: str) -> OpenCircuitPotential:
    """Return the curve of a named material, which is built once in a process.

    Raises:
        KeyError: there is no such material; the names are the keys of `GALLERIES`.
    """
    return OpenCircuitPotential(GALLERIES[name])
