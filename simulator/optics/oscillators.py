r"""Dielectric functions in closed form: bound (Lorentz) and free (Drude) electrons.

    Lorentz    eps(w) = 1 + sum_j  w_pj^2 / (w_0j^2 - w^2 - i gamma_j w)
    Drude      eps(w) = -w_p^2 / (w^2 + i gamma w)      (contribution of free electrons)

All energies are in eV (hbar w).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Complexes = npt.NDArray[np.complexfloating[Any, Any]]


@dataclass(frozen=True)
class Lorentz:
    """One oscillator: resonance, plasma energy (strength) and damping, eV."""

    resonance_eV: float
    plasma_eV: float
    damping_eV: float

    def susceptibility(self, energy_eV: Floats) -> Complexes:
        """Return (N,) the contribution of the oscillator to eps."""
        w = np.asarray(energy_eV, dtype=np.float64)
        detuning = self.resonance_eV**2 - w**2 - 1j * self.damping_eV * w
        added: Complexes = np.asarray(self.plasma_eV**2 / detuning, dtype=np.complex128)
        return added


@dataclass(frozen=True)
class Drude:
    """Free electrons: plasma energy and damping, eV."""

    plasma_eV: float
    damping_eV: float

    def susceptibility(self, energy_eV: Floats) -> Complexes:
        """Return (N,) their contribution to eps; the infinite imaginary part at w = 0 becomes 0."""
        w = np.asarray(energy_eV, dtype=np.float64)
        safe = np.where(w > 0.0, w, 1.0)
        real = -(self.plasma_eV**2) / (w**2 + self.damping_eV**2)
        imaginary = self.plasma_eV**2 * self.damping_eV / (safe * (safe**2 + self.damping_eV**2))
        added: Complexes = real + 1j * np.where(w > 0.0, imaginary, 0.0)
        return added


def lorentz_dielectric(energy_eV: Floats, oscillators: Sequence[Lorentz]) -> Complexes:
    """Return eps (N,) of a sum of oscillators."""
    energy = np.asarray(energy_eV, dtype=np.float64)
    total: Complexes = np.ones(energy.shape, dtype=np.complex128)
    for oscillator in oscillators:
        total = total + oscillator.susceptibility(energy)
    return total


def drude_of_table(energy_eV: Floats, eps: Complexes, below_eV: float) -> Drude:
    """Find the free electrons of a measured dielectric function from its infrared end.

    Below the first interband transition eps1 = b - w_p^2 / w^2 for w well above gamma, a straight
    line over 1 / w^2, and eps2 = w_p^2 gamma / w^3.

    Args:
        energy_eV: (N,) increasing photon energies.
        eps: (N,) measured dielectric function.
        below_eV: only points below this energy count; there must be at least two of them.
    """
    chosen = energy_eV < below_eV
    w = energy_eV[chosen]
    slope = np.polyfit(1.0 / w**2, eps.real[chosen], 1)[0]
    plasma = float(np.sqrt(max(-slope, 0.0)))
    damping = float(np.median(eps.imag[chosen] * w**3)) / max(plasma**2, 1e-300)
    return Drude(plasma, damping)
