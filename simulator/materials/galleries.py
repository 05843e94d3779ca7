"""Gallery (MSMR) fits x(U) of open-circuit curves: the formula, and the fits of NMC with a name.

    x(U) = 1 - b [1 - sum_j X_j / (1 + exp(F (U - U_j) / (R T0 w_j)))],    T0 = 298.15 K

x is the lithium fraction on the theoretical scale (LiMO2 = 1). x(U) is analytic, smooth and
strictly decreasing; U(x) is its inverse (heterode.materials.open_circuit). T0 is 298.15 K at every
cell temperature, since the coefficients are only valid for it.

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

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heterode.base.constants import FARADAY, GAS_CONSTANT

Array = NDArray[np.float64]

FIT_TEMPERATURE = 298.15
"""Temperature of the gallery fits, K."""


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

    def measured_between(self, low: float, high: float) -> Galleries:
        """Return the fit with the potentials of two lithium fractions as its measured range."""
        bounds = np.array([[-3.0, -3.0], [9.0, 9.0]])
        for _ in range(60):
            middle = bounds.mean(axis=0)
            above = self.lithium_fraction_and_slope(middle)[0] > (high, low)
            # x falls with U: where x is still too large, U is above the middle.
            bounds = np.where([above, ~above], middle, bounds)
        volts = bounds.mean(axis=0)
        return replace(self, measured_voltage=(float(volts[0]), float(volts[1])))

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
