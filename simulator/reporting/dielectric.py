"""Optical constants from eps2 or from electronic structure, written as files.

optical_constants.csv   eps1, eps2, n, k, R, alpha over energy, by direction
summary.json            static constant, f-sum, Penn gap, colours
dielectric.png          eps1 and eps2
optical_constants.png   n, k, R, alpha
colours.csv, colours.png, calibration.csv     for several lithium fractions
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.optics.calibration import calibration_table
from heterode.optics.channels import CHANNELS
from heterode.optics.colour import Illumination
from heterode.optics.csv_columns import write_csv
from heterode.optics.dielectric_tables import AbsorptionTable, read_dielectric_table
from heterode.optics.evaluation import Columns
from heterode.optics.interband import Line, interband_absorption, read_bands
from heterode.optics.kramers_kronig import Rule
from heterode.optics.oscillators import Drude
from heterode.optics.spectrum import (
    EV_UM,
    Character,
    Spectrum,
    characterise,
    from_absorption,
    polycrystal,
)
from heterode.results.written import make_folder, write_output
from heterode.viewing.dielectric import (
    colours_figure,
    constants_figure,
    dielectric_figure,
    save_figure,
)

Floats = npt.NDArray[np.floating[Any]]

BANDS = (".npz", ".h5", ".hdf5")
"""Endings of files that are read as electronic structure, for equation (1)."""


@dataclass(frozen=True)
class Settings:
    """How the tables are evaluated.

    Attributes:
        rule, tail: quadrature and tail of the Kramers-Kronig integral.
        drude: contribution of free electrons; None for none.
        drude_in_table: whether eps2 already contains that contribution.
        illumination: lamp, camera and medium.
        volume_A3, valence_electrons: of the unit cell, for the f-sum and the Penn gap.
        fermi_eV, temperature_K, broadening_eV, line: parameters of equation (1).
        polarisation: direction of polarisation in equation (1); None takes ab and c.
    """

    rule: Rule = "maclaurin"
    tail: bool = True
    drude: Drude | None = None
    drude_in_table: bool = False
    illumination: Illumination | None = None
    volume_A3: float | None = None
    valence_electrons: float | None = None
    fermi_eV: float | None = None
    temperature_K: float = 0.0
    broadening_eV: float = 0.1
    line: Line = "gaussian"
    polarisation: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Material:
    """A material as described by one table.

    Attributes:
        name: the name of the file.
        spectra: spectra by direction; the last one is the polycrystal's, or the only one.
        character: the character of the last spectrum.
        brightness: (3,) red, green and blue of the last one; None if the table does not reach far
            enough.
        deviation: largest difference between eps1 and a measured one in the visible; None without
            one.
    """

    name: str
    spectra: Mapping[str, Spectrum]
    character: Character
    brightness: Floats | None
    deviation: float | None

    @property
    def whole(self) -> Spectrum:
        """The polycrystal's spectrum, or the only one."""
        return list(self.spectra.values())[-1]


def material(path: Path, settings: Settings) -> Material:
    """Read one table and derive all quantities that follow from it.

    Raises:
        InputError: the file is not such a table.
    """
    if path.suffix.lower() in BANDS:
        table = _from_bands(path, settings)
    else:
        table = read_dielectric_table(path)
    try:
        spectra = _spectra(table, settings)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    whole = list(spectra.values())[-1]
    character = characterise(
        whole,
        volume_A3=settings.volume_A3,
        valence_electrons=settings.valence_electrons,
        tail=settings.tail,
    )
    brightness = None
    light = settings.illumination or Illumination.build()
    if whole.energy_eV[0] <= EV_UM / 0.780 and whole.energy_eV[-1] >= EV_UM / 0.380:
        brightness = light.brightness(whole)
    deviation = None
    if table.eps1 is not None:
        visible = (whole.energy_eV > EV_UM / 0.780) & (whole.energy_eV < EV_UM / 0.380)
        if visible.any():
            deviation = float(np.abs(whole.eps1 - table.eps1)[visible].max())
    return Material(path.stem, spectra, character, brightness, deviation)


def _from_bands(path: Path, settings: Settings) -> AbsorptionTable:
    bands = read_bands(path, fermi_eV=settings.fermi_eV, temperature_K=settings.temperature_K)
    highest = float(np.ptp(bands.energy_eV)) + 8.0 * settings.broadening_eV
    energy = np.linspace(0.0, highest, max(64, int(highest / (0.2 * settings.broadening_eV))))

    def along(x: float, y: float, z: float) -> Floats:
        return interband_absorption(
            bands,
            energy,
            (x, y, z),
            broadening_eV=settings.broadening_eV,
            line=settings.line,
        )

    if settings.polarisation is not None:
        one = np.maximum(along(*settings.polarisation), 0.0)
        return AbsorptionTable(energy, one, one, True)
    ab = 0.5 * (along(1.0, 0.0, 0.0) + along(0.0, 1.0, 0.0))
    return AbsorptionTable(
        energy, np.maximum(ab, 0.0), np.maximum(along(0.0, 0.0, 1.0), 0.0), False
    )


def _spectra(table: AbsorptionTable, settings: Settings) -> dict[str, Spectrum]:
    def spectrum(eps2: Floats) -> Spectrum:
        return from_absorption(
            table.energy_eV,
            eps2,
            rule=settings.rule,
            tail=settings.tail,
            drude=settings.drude,
            drude_in_table=settings.drude_in_table,
        )

    if table.isotropic:
        return {"isotropic": spectrum(table.eps2_ab)}
    ab, c = spectrum(table.eps2_ab), spectrum(table.eps2_c)
    return {"in plane (ab)": ab, "across (c)": c, "polycrystal": polycrystal(ab, c)}


_FILES = ("optical_constants.csv", "summary.json", "dielectric.png", "optical_constants.png")
_COLOURS = ("colours.csv", "calibration.csv", "colours.png")


def outputs_of(paths: Sequence[Path], out: Path, *, with_colours: bool) -> list[Path]:
    """Return the files that `report` writes."""
    # `report` refuses two tables of the same name.
    names = dict.fromkeys(path.stem for path in paths)
    folders = [out] if len(names) == 1 else [out / name for name in names]
    written = [folder / name for folder in folders for name in _FILES]
    return [*written, *(out / name for name in _COLOURS)] if with_colours else written


def report(
    paths: Sequence[Path],
    settings: Settings,
    out: Path,
    lithium_fractions: Sequence[float] | None = None,
) -> list[str]:
    """Write everything about one table, or about several lithium fractions of a material.

    Args:
        paths: the tables.
        settings: the settings for all of them.
        out: the folder, which is created if it is missing; each of several tables has its own
            folder in it.
        lithium_fractions: one lithium fraction for each table.

    Returns:
        lines that summarise the result.

    Raises:
        InputError: a file is not such a table, or the lithium fractions do not match the tables.
    """
    if lithium_fractions is not None and (
        len(lithium_fractions) != len(paths)
        or len(set(lithium_fractions)) != len(lithium_fractions)
    ):
        raise InputError(
            f"--lithium gives {counted(len(lithium_fractions), 'lithium fraction')} for "
            f"{counted(len(paths), 'table')}: one each is"
            " needed, all different"
        )
    if lithium_fractions is not None and not all(0.0 <= x <= 1.0 for x in lithium_fractions):
        raise InputError(f"--lithium {max(lithium_fractions, key=abs):g} is outside [0, 1]")
    materials = [material(path, settings) for path in paths]
    names = [item.name for item in materials]
    if len(set(names)) < len(names):
        raise InputError("two tables have the same name. Rename one: each gets its own folder")
    if lithium_fractions is not None:
        dull = [item.name for item in materials if item.brightness is None]
        if dull:
            raise InputError(f"{dull[0]}: colours need eps2 over all of 1.59 to 3.26 eV")
    lines: list[str] = []
    for item in materials:
        _write(out if len(materials) == 1 else out / item.name, item, settings)
        lines += _lines(item)
    if lithium_fractions is not None:
        colours = np.array([item.brightness for item in materials])
        lines += _write_colours(out, np.array(lithium_fractions), colours)
    return lines


def _write(folder: Path, item: Material, settings: Settings) -> None:
    make_folder(folder)
    medium = (settings.illumination or Illumination.build()).medium
    whole = item.whole
    columns: Columns = {"energy_eV": whole.energy_eV, "wavelength_um": whole.wavelength_um}
    suffixes = {"in plane (ab)": "_ab", "across (c)": "_c", "polycrystal": "", "isotropic": ""}
    for direction, spectrum in item.spectra.items():
        end = suffixes[direction]
        columns |= {
            f"eps1{end}": spectrum.eps1,
            f"eps2{end}": spectrum.eps2,
            f"n{end}": spectrum.n,
            f"k{end}": spectrum.k,
            f"R{end}": spectrum.reflectance(medium),
            f"alpha_per_cm{end}": spectrum.absorption_per_m * 1e-2,
        }
    write_output(folder / "optical_constants.csv", write_csv(columns))
    summary: dict[str, Any] = {
        name: value for name, value in asdict(item.character).items() if np.isfinite(value)
    }
    if item.brightness is not None:
        summary["brightness"] = dict(zip(CHANNELS, map(float, item.brightness), strict=True))
    if item.deviation is not None:
        summary["largest_difference_from_measured_eps1"] = item.deviation
    summary |= {"rule": settings.rule, "tail": settings.tail, "medium": medium}
    text = json.dumps(summary, indent=2) + "\n"
    write_output(folder / "summary.json", text.encode("utf-8"))
    save_figure(dielectric_figure(item.spectra), folder / "dielectric.png")
    save_figure(constants_figure(item.spectra, medium), folder / "optical_constants.png")


def _lines(item: Material) -> list[str]:
    c = item.character
    lines = [
        f"{item.name}: eps1 = {c.static:.4f} at {item.whole.energy_eV[0]:.3g} eV,"
        f" f-sum {c.plasma_eV:.3f} eV ({c.tail_share:.1%} of it in the tail)"
    ]
    if np.isfinite(c.penn_gap_eV):
        lines.append(
            f"  Penn gap {c.penn_gap_eV:.3f} eV with a plasma energy of {c.penn_plasma_eV:.3f} eV"
        )
    if np.isfinite(c.electrons):
        expected = f" of {c.expected_electrons:g}" if np.isfinite(c.expected_electrons) else ""
        lines.append(f"  f-sum: {c.electrons:.3f}{expected} electrons per cell")
    if item.deviation is not None:
        lines.append(
            f"  eps1 differs from the measured one by {item.deviation:.3g} at most (visible)"
        )
    if item.brightness is not None:
        red, green, blue = item.brightness
        lines.append(
            f"  brightness (mirror = 1): red {red:.4f}, green {green:.4f}, blue {blue:.4f}"
        )
    if c.tail_share > 0.2:
        lines.append("  warning: much of the f-sum lies beyond the table: extend it")
    return lines


def _write_colours(out: Path, lithium_fractions: Floats, colours: Floats) -> list[str]:
    """Write the brightness over lithium, and its ratio to that of the state richest in lithium."""
    order = np.argsort(lithium_fractions)
    lithium_fractions, colours = lithium_fractions[order], colours[order]
    columns: Columns = {"lithium_fraction": lithium_fractions}
    columns |= {channel: colours[:, index] for index, channel in enumerate(CHANNELS)}
    write_output(out / "colours.csv", write_csv(columns))
    write_output(
        out / "calibration.csv", calibration_table(lithium_fractions, colours / colours[-1])
    )
    save_figure(colours_figure([float(x) for x in lithium_fractions], colours), out / "colours.png")
    return [
        f"colours at {counted(len(lithium_fractions), 'lithium fraction')}: {out / 'colours.csv'}"
    ]
