r"""The imaginary part eps2 from the electronic structure: equation (1).

    eps2(w) = pi e^2 / (eps0 m^2 w^2 V) sum w_k (f_v - f_c) |u . p_cv|^2 d(E_c - E_v - hbar w)

The sum is over spins, wave vectors k (with weights w_k that sum to 1) and bands v, c. The
occupations f are in [0, 1], p is the momentum matrix element, u the polarisation and V the volume
of the cell. If the calculation has one spin channel, each state counts twice. The delta is a
Gaussian or a Lorentzian minus its mirror image at -E, so that eps2 stays odd in w. The w^2 in front
is (E_cv / hbar)^2, which is the same under the delta and keeps the broadened flank from diverging
as w -> 0.

Each transition thus contributes its oscillator strength 2 |p|^2 / (m E) to the f-sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.constants import physical_constants
from scipy.special import expit

from heterode.base.errors import InputError
from heterode.base.reading import check_regular
from heterode.optics.spectrum import PLASMA_EV2_A3

Floats = npt.NDArray[np.floating[Any]]
Complexes = npt.NDArray[np.complexfloating[Any, Any]]
Line = Literal["gaussian", "lorentzian"]

HARTREE_EV: float = physical_constants["Hartree energy in eV"][0]
BOLTZMANN_EV_K: float = physical_constants["Boltzmann constant in eV/K"][0]


@dataclass(frozen=True)
class Bands:
    """Electronic structure of a cell.

    Attributes:
        energy_eV: (S, K, B) band energies; S is 1 (each state counts twice) or 2.
        momentum: (S, K, B, B, 3) <c|p|v>, hbar / bohr, complex; index [..., c, v, :].
        weight: (K,) weights of the wave vectors, which sum to 1.
        occupation: (S, K, B) occupations in [0, 1].
        volume_A3: volume of the cell, cubic angstrom.
    """

    energy_eV: Floats
    momentum: Complexes
    weight: Floats
    occupation: Floats
    volume_A3: float

    def __post_init__(self) -> None:
        shape = self.energy_eV.shape
        if len(shape) != 3 or shape[0] not in (1, 2):
            raise InputError(
                f"energy_eV has shape {shape} (allowed: (1 or 2 spins, wave vectors, bands))"
            )
        if self.momentum.shape != (*shape, shape[2], 3):
            raise InputError(
                f"momentum has shape {self.momentum.shape} (needed with these energies:"
                f" {(*shape, shape[2], 3)})"
            )
        if self.weight.shape != (shape[1],) or abs(self.weight.sum() - 1.0) > 1e-6:
            raise InputError(
                f"weight must hold {shape[1]} numbers with sum 1 (found: {self.weight.size}, sum"
                f" {self.weight.sum():.6g})"
            )
        if self.occupation.shape != shape or not (
            self.occupation.min() >= 0.0 and self.occupation.max() <= 1.0
        ):
            raise InputError(f"occupation must have shape {shape} and lie in [0, 1]")
        if not self.volume_A3 > 0.0:
            raise InputError(f"volume_A3 = {self.volume_A3:g} must be above 0")


def fermi_occupation(energy_eV: Floats, fermi_eV: float, temperature_K: float) -> Floats:
    """Return Fermi-Dirac occupations; at temperature 0 a step, with 0.5 at the level itself."""
    distance = energy_eV - fermi_eV
    if temperature_K <= 0.0:
        step: Floats = np.heaviside(-distance, 0.5)
        return step
    occupied: Floats = expit(-distance / (BOLTZMANN_EV_K * temperature_K))
    return occupied


def interband_absorption(
    bands: Bands,
    energy_eV: Floats,
    polarisation: npt.ArrayLike,
    *,
    broadening_eV: float = 0.1,
    line: Line = "gaussian",
) -> Floats:
    """Compute eps2 (N,) by equation (1).

    Args:
        bands: the electronic structure.
        energy_eV: (N,) photon energies, 0 or above.
        polarisation: (3,) real or complex, of any length. (1, 0, 0) and (0, 1, 0)
            averaged give ab, (0, 0, 1) gives c.
        broadening_eV: standard deviation of the Gaussian, or half width of the Lorentzian.
        line: "gaussian" or "lorentzian".

    Raises:
        InputError: the broadening is not above 0, the polarisation is 0, or the line is unknown.
    """
    unit = np.asarray(polarisation, dtype=np.complex128)
    length = float(np.linalg.norm(unit))
    if unit.shape != (3,) or length == 0.0:
        raise InputError("polarisation must be three numbers, not all 0")
    if not broadening_eV > 0.0:
        raise InputError(f"broadening = {broadening_eV:g} eV must be above 0")
    if line not in ("gaussian", "lorentzian"):
        raise InputError(f"line = '{line}' is unknown (allowed: gaussian, lorentzian)")
    gap, strength = _transitions(bands, unit / length)
    energy = np.asarray(energy_eV, dtype=np.float64)
    absorbed: Floats = np.zeros(energy.shape)
    for start in range(0, gap.size, 1024):
        part = slice(start, start + 1024)
        centred = energy[:, None] - gap[part]
        mirrored = energy[:, None] + gap[part]
        shape = _line(centred, broadening_eV, line) - _line(mirrored, broadening_eV, line)
        absorbed += shape @ strength[part]
    return absorbed


def _transitions(bands: Bands, unit: Complexes) -> tuple[Floats, Floats]:
    """Return energies (T,) of the allowed transitions, eV, and their weights in eps2, eV^2 / eV."""
    spin_states = 2.0 if bands.energy_eV.shape[0] == 1 else 1.0
    gap = bands.energy_eV[..., :, None] - bands.energy_eV[..., None, :]
    moved = bands.occupation[..., None, :] - bands.occupation[..., :, None]
    squared = np.abs(np.einsum("skcvx,x->skcv", bands.momentum, unit)) ** 2
    # pi e^2 hbar^2 / (eps0 m V) |p|^2 / (m E^2), energies in eV: |p|^2 / m in atomic units is
    # hartree, and e^2 hbar^2 / (eps0 m V) the squared plasma energy of one electron a cell.
    front = np.pi * spin_states * PLASMA_EV2_A3 / bands.volume_A3 * HARTREE_EV
    weight = bands.weight[None, :, None, None] * moved * squared
    wanted = (gap > 1e-6) & (weight > 0.0)
    strength: Floats = front * weight[wanted] / gap[wanted] ** 2
    return gap[wanted], strength


def _line(distance: Floats, width: float, line: Line) -> Floats:
    if line == "gaussian":
        bell: Floats = np.exp(-0.5 * (distance / width) ** 2) / (width * np.sqrt(2.0 * np.pi))
        return bell
    lorentz: Floats = width / np.pi / (distance**2 + width**2)
    return lorentz


def read_bands(
    path: Path | str, *, fermi_eV: float | None = None, temperature_K: float = 0.0
) -> Bands:
    """Read an NPZ or HDF5 file whose arrays are named as the attributes of `Bands`.

    energy_eV and momentum may lack the axis of spins. momentum may be split into momentum_real and
    momentum_imag, since HDF5 has no complex numbers. Instead of occupation, the file or the caller
    may give fermi_eV.

    Raises:
        InputError: the file cannot be read, or an array is missing or has the wrong shape.
    """
    arrays = _arrays(Path(path))
    if "momentum" not in arrays and {"momentum_real", "momentum_imag"} <= arrays.keys():
        arrays["momentum"] = arrays["momentum_real"] + 1j * arrays["momentum_imag"]
    missing = [n for n in ("energy_eV", "momentum", "weight", "volume_A3") if n not in arrays]
    if missing:
        raise InputError(
            f"{path}: holds no {', '.join(missing)} (needed: energy_eV, momentum, weight,"
            " volume_A3, and occupation or fermi_eV)"
        )
    energy = np.asarray(arrays["energy_eV"], dtype=np.float64)
    momentum = np.asarray(arrays["momentum"], dtype=np.complex128)
    lacking_spin = energy.ndim == 2
    if lacking_spin:
        energy, momentum = energy[None], momentum[None]
    level = fermi_eV if fermi_eV is not None else arrays.get("fermi_eV")
    if level is not None:
        occupation = fermi_occupation(energy, float(np.asarray(level)), temperature_K)
    elif "occupation" in arrays:
        occupation = np.asarray(arrays["occupation"], dtype=np.float64)
        occupation = occupation[None] if lacking_spin and occupation.ndim == 2 else occupation
    else:
        raise InputError(f"{path}: holds neither occupation nor fermi_eV. Add one, or pass --fermi")
    try:
        weight = np.asarray(arrays["weight"], dtype=np.float64)
        return Bands(energy, momentum, weight, occupation, float(np.asarray(arrays["volume_A3"])))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _arrays(path: Path) -> dict[str, Any]:
    try:
        check_regular(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        # This loads HDF5, which NPZ files do not need.
        from heterode.results.hdf5 import UnreadableError, read_hdf5

        try:
            return read_hdf5(path, lambda file: {name: file[name][()] for name in file})
        except UnreadableError as error:
            raise InputError(f"{path}: is not readable as HDF5 ({error})") from None
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: is not readable as NPZ or HDF5 ({reason})") from None
