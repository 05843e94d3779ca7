r"""Theoretical colour of a particle with reflectance R(w), for a lamp, a medium and a camera.

    B_c = int L(l) S_c(l) R(l) dl / int L(l) S_c(l) dl,    c = red, green, blue

B_c is the brightness of channel c relative to a perfect mirror, as a camera shows it after white
balance on a mirror. L is the lamp's power over wavelength, and S_c the camera's response.

A lamp is Planck's law at a colour temperature (3200 K for a halogen lamp) or a table. Without a
table the camera is nominal, with Gaussian bands at the wavelengths of common colour filters. This
is sufficient to compare states of charge; absolute colours require the camera's own response.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.constants import h, k, speed_of_light
from scipy.integrate import trapezoid

from heterode.base.csv_table import CsvTable, read_csv_table
from heterode.base.errors import InputError
from heterode.optics.spectrum import EV_UM, Spectrum

Floats = npt.NDArray[np.floating[Any]]

CHANNELS = ("red", "green", "blue")
HALOGEN_K = 3200.0
NOMINAL_CENTRES_NM = (600.0, 540.0, 460.0)
NOMINAL_SIGMA_NM = 34.0  # 80 nm full width at half maximum
INFRARED_ABOVE_NM, ULTRAVIOLET_BELOW_NM = 780.0, 380.0
"""Limits of the visible range in figures, nm (CIE: 380 to 780 nm)."""

_GRID_NM: Floats = np.arange(380.0, 781.0, 1.0)


@dataclass(frozen=True)
class Illumination:
    """Lamp, camera and medium.

    Attributes:
        lamp: (401,) relative power at 380 .. 780 nm in steps of 1 nm.
        camera: (3, 401) relative response of red, green and blue there.
        medium: refractive index in front of the particles (1 if dry, about 1.42 in carbonate
            electrolyte, 1.5 in immersion oil).
    """

    lamp: Floats
    camera: Floats
    medium: float = 1.0

    @classmethod
    def build(
        cls, lamp: str = f"{HALOGEN_K:g} K", camera: str = "nominal", medium: float = 1.0
    ) -> Illumination:
        """Build the illumination from the words of a command line.

        Args:
            lamp: "3200 K", "equal" (the same power at all wavelengths), or a CSV file with
                wavelength_nm, power.
            camera: "nominal", or a CSV file with wavelength_nm, red, green, blue.
            medium: refractive index, 1 to 4.

        Raises:
            InputError: a word is none of these, or the file is not such a table.
        """
        if not 1.0 <= medium <= 4.0:
            raise InputError(f"medium = {medium:g} is no refractive index of a medium (1 to 4)")
        return cls(_lamp(lamp), _camera(camera), medium)

    def brightness(self, spectrum: Spectrum) -> Floats:
        """Return B (3,) in red, green and blue for a smooth surface of this material.

        Raises:
            InputError: the spectrum does not cover 380 to 780 nm.
        """
        low, high = EV_UM / 0.780, EV_UM / 0.380
        energy = spectrum.energy_eV
        if energy[0] > low or energy[-1] < high:
            raise InputError(
                f"the spectrum reaches from {energy[0]:.3g} to {energy[-1]:.3g} eV: colours need"
                f" all of {low:.3g} to {high:.3g} eV"
            )
        reflected = np.interp(EV_UM * 1e3 / _GRID_NM, energy, spectrum.reflectance(self.medium))
        weight = self.lamp * self.camera
        seen: Floats = trapezoid(weight * reflected, axis=1) / trapezoid(weight, axis=1)
        return seen


def _planck(wavelength_nm: Floats, temperature_K: float) -> Floats:
    wavelength = wavelength_nm * 1e-9
    power = wavelength**-5.0 / np.expm1(h * speed_of_light / (wavelength * k * temperature_K))
    scaled: Floats = power / power.max()
    return scaled


def _lamp(text: str) -> Floats:
    if text == "equal":
        return np.ones_like(_GRID_NM)
    number = text.removesuffix("K").strip()
    try:
        temperature = float(number)
    except ValueError:
        table = _table(text, "--lamp", "'3200 K', equal", ("wavelength_nm", "power"))
        return _on_grid(table, "power")
    if not 1000.0 <= temperature <= 20000.0:
        raise InputError(f"--lamp {text}: colour temperature outside 1000 K to 20000 K")
    return _planck(_GRID_NM, temperature)


def _camera(text: str) -> Floats:
    if text == "nominal":
        centres = np.array(NOMINAL_CENTRES_NM)[:, None]
        bands: Floats = np.exp(-0.5 * ((_GRID_NM - centres) / NOMINAL_SIGMA_NM) ** 2)
        return bands
    table = _table(text, "--camera", "nominal", ("wavelength_nm", *CHANNELS))
    return np.stack([_on_grid(table, channel) for channel in CHANNELS])


def _table(text: str, option: str, words: str, needed: tuple[str, ...]) -> CsvTable:
    if not Path(text).exists():
        raise InputError(
            f"{option} {text}: no such file (allowed: {words}, or a CSV file with"
            f" {', '.join(needed)})"
        )
    try:
        return read_csv_table(text, needed)
    except InputError as error:
        raise InputError(f"{option} {error}") from None


def _on_grid(table: CsvTable, column: str) -> Floats:
    path = table.path
    wavelength, values = table.numbers("wavelength_nm"), table.numbers(column)
    order = np.argsort(wavelength)
    if values.min() < 0.0 or values.max() <= 0.0:
        raise InputError(f"{path}: {column} must be 0 or above, and above 0 somewhere")
    found = np.interp(_GRID_NM, wavelength[order], values[order], left=0.0, right=0.0)
    if found.max() <= 0.0:
        raise InputError(f"{path}: {column} is 0 all over 380 to 780 nm")
    on_grid: Floats = np.asarray(found, dtype=np.float64)
    return on_grid
