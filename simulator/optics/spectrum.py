r"""Optical constants, sum rule and Penn gap of a dielectric function: equations (3)-(6).

    (n + i k)^2 = eps1 + i eps2                                  (3, 4)
    R = |(N - n0) / (N + n0)|^2 at normal incidence              (5)    n0: medium in front
    alpha = 2 w k / c                                            (6)

The f-sum rule int w eps2 dw = (pi/2) w_p^2 gives the number of electrons that take part. Penn's gap
E_g follows from eps1(0) = 1 + (w_p / E_g)^2 (Penn, Phys. Rev. 128, 2093 (1962), with a factor 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.constants import electron_mass, elementary_charge, epsilon_0, hbar, speed_of_light
from scipy.integrate import trapezoid

from heterode.optics.kramers_kronig import Rule, real_part
from heterode.optics.oscillators import Drude

Floats = npt.NDArray[np.floating[Any]]
Complexes = npt.NDArray[np.complexfloating[Any, Any]]

EV_UM = 1.239841984332
"""hc in eV um: wavelength in um times energy in eV (CODATA 2018, exact)."""

PLASMA_EV2_A3 = (
    hbar**2 * elementary_charge**2 / (epsilon_0 * electron_mass) / elementary_charge**2 * 1e30
)
"""(hbar w_p)^2 of one electron per cubic angstrom, eV^2 A^3."""


@dataclass(frozen=True)
class Spectrum:
    """A dielectric function along one direction, or an average.

    Attributes:
        energy_eV: (N,) photon energies, increasing.
        eps1: (N,) real part.
        eps2: (N,) imaginary part.
    """

    energy_eV: Floats
    eps1: Floats
    eps2: Floats

    @property
    def eps(self) -> Complexes:
        """Dielectric function eps1 + i eps2, (N,)."""
        eps: Complexes = self.eps1 + 1j * self.eps2
        return eps

    @property
    def index(self) -> Complexes:
        """Complex refractive index n + i k, (N,), the root with k of 0 or above."""
        root: Complexes = np.sqrt(self.eps)
        return root

    @property
    def n(self) -> Floats:
        """Refractive index, (N,)."""
        n: Floats = self.index.real
        return n

    @property
    def k(self) -> Floats:
        """Extinction coefficient, (N,)."""
        k: Floats = self.index.imag
        return k

    def reflectance(self, medium: float = 1.0) -> Floats:
        """Return (N,) R at normal incidence from a medium of index `medium` (1 for vacuum)."""
        index = self.index
        r: Floats = np.abs((index - medium) / (index + medium)) ** 2
        return r

    @property
    def absorption_per_m(self) -> Floats:
        """Absorption coefficient alpha, (N,), m^-1."""
        omega = self.energy_eV * elementary_charge / hbar
        alpha: Floats = 2.0 * omega * self.k / speed_of_light
        return alpha

    @property
    def wavelength_um(self) -> Floats:
        """Vacuum wavelength, (N,), um; infinite at energy 0."""
        safe = np.where(self.energy_eV > 0.0, self.energy_eV, np.nan)
        wavelength: Floats = np.where(self.energy_eV > 0.0, EV_UM / safe, np.inf)
        return wavelength


def from_absorption(
    energy_eV: Floats,
    eps2: Floats,
    *,
    rule: Rule = "maclaurin",
    tail: bool = True,
    drude: Drude | None = None,
    drude_in_table: bool = False,
) -> Spectrum:
    """Compute the whole spectrum from eps2 by the Kramers-Kronig relation.

    Args:
        energy_eV: (N,) increasing photon energies.
        eps2: (N,) imaginary part.
        rule, tail: as in `real_part`.
        drude: free electrons, whose eps1 is known in closed form.
        drude_in_table: whether eps2 includes their part, as measured ones do; else it is added.

    Raises:
        InputError: the arrays are not such a table.
    """
    energy = np.asarray(energy_eV, dtype=np.float64)
    values = np.asarray(eps2, dtype=np.float64)
    if drude is None:
        return Spectrum(energy, real_part(energy, values, rule=rule, tail=tail), values)
    free = drude.susceptibility(energy)
    bound = values - free.imag if drude_in_table else values
    eps1 = real_part(energy, bound, rule=rule, tail=tail) + free.real
    return Spectrum(energy, eps1, bound + free.imag)


def polycrystal(ab: Spectrum, c: Spectrum) -> Spectrum:
    """Return the mean over the directions of a layered crystal, (2 ab + c) / 3.

    Raises:
        ValueError: the spectra have different energies.
    """
    if not np.array_equal(ab.energy_eV, c.energy_eV):
        raise ValueError("ab and c stand on different energies")
    eps1: Floats = (2.0 * ab.eps1 + c.eps1) / 3.0
    eps2: Floats = (2.0 * ab.eps2 + c.eps2) / 3.0
    return Spectrum(ab.energy_eV, eps1, eps2)


@dataclass(frozen=True)
class Character:
    """Numbers that characterise a spectrum.

    Attributes:
        static: eps1 at the table's lowest energy, which may be 0.
        plasma_eV: plasma energy of the electrons that the f-sum finds in the table.
        tail_share: share of the f-sum that lies in the tail beyond the table.
        penn_gap_eV: Penn's gap from `penn_plasma_eV`; NaN where static is 1 or less (a metal).
        penn_plasma_eV: plasma energy used for it: that of the valence electrons if their number and
            the volume are known, otherwise that of the f-sum.
        electrons: electrons in a cell by the f-sum; NaN without a volume.
        expected_electrons: number given by the caller; NaN if none is given.
    """

    static: float
    plasma_eV: float
    tail_share: float
    penn_gap_eV: float
    penn_plasma_eV: float
    electrons: float = field(default=np.nan)
    expected_electrons: float = field(default=np.nan)


def characterise(
    spectrum: Spectrum,
    *,
    volume_A3: float | None = None,
    valence_electrons: float | None = None,
    tail: bool = True,
) -> Character:
    """Compute the static constant, the f-sum and the Penn gap of a spectrum.

    Args:
        spectrum: a spectrum without gaps; its f-sum mainly depends on how far the table extends.
        volume_A3: volume of the cell, cubic angstrom.
        valence_electrons: number of valence electrons in a cell.
        tail: whether to include C / w^3 beyond the table.
    """
    energy, eps2 = spectrum.energy_eV, spectrum.eps2
    body = float(trapezoid(energy * eps2, energy)) + float(energy[0] ** 2 * eps2[0]) / 3.0
    beyond = float(eps2[-1] * energy[-1] ** 2) if tail else 0.0
    plasma2 = (2.0 / np.pi) * (body + beyond)
    electrons = plasma2 * volume_A3 / PLASMA_EV2_A3 if volume_A3 else np.nan
    penn2 = plasma2
    if volume_A3 and valence_electrons:
        penn2 = PLASMA_EV2_A3 * valence_electrons / volume_A3
    static = float(spectrum.eps1[0])
    gap = float(np.sqrt(penn2 / (static - 1.0))) if static > 1.0 else np.nan
    return Character(
        static=static,
        plasma_eV=float(np.sqrt(max(plasma2, 0.0))),
        tail_share=beyond / max(body + beyond, 1e-300),
        penn_gap_eV=gap,
        penn_plasma_eV=float(np.sqrt(max(penn2, 0.0))),
        electrons=float(electrons),
        expected_electrons=float(valence_electrons or np.nan),
    )
