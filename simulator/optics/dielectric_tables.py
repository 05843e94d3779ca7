"""Tables of eps2, or of measured n and k, from CSV or from VASP.

    energy_eV, eps2                            isotropic
    energy_eV, eps2_ab, eps2_c                 layered crystal, in the planes and across
    energy_eV, eps2_xx, eps2_yy, eps2_zz       ab is the mean of xx and yy
    energy_eV, n, k                            measured: eps2 = 2 n k, and eps1 to compare with

wavelength_um or wavelength_nm may replace energy_eV, and rows may be in any order. A file with xml
in its name is read as VASP's vasprun.xml, and one with OUTCAR as an OUTCAR; this requires pymatgen.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.csv_table import CsvTable, read_csv_table
from heterode.base.csv_text import TableError
from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.optics.spectrum import EV_UM

Floats = npt.NDArray[np.floating[Any]]
ALLOWED = (
    "energy_eV (or wavelength_um, wavelength_nm) with eps2; eps2_ab, eps2_c;"
    " eps2_xx, eps2_yy, eps2_zz; or n, k"
)


@dataclass(frozen=True)
class AbsorptionTable:
    """The imaginary part eps2 along the directions of a layered crystal.

    Attributes:
        energy_eV: (N,) increasing photon energies.
        eps2_ab, eps2_c: (N,) eps2 in the planes and across them; equal if the table is isotropic.
        isotropic: whether the table has only one direction.
        eps1: (N,) real part if it was measured too, otherwise None.
    """

    energy_eV: Floats
    eps2_ab: Floats
    eps2_c: Floats
    isotropic: bool
    eps1: Floats | None = None


def read_dielectric_table(path: Path | str) -> AbsorptionTable:
    """Read a table; the file's name decides between vasprun.xml, OUTCAR and CSV.

    Raises:
        InputError: the file cannot be read, lacks a column, or is not a spectrum of numbers.
    """
    name = Path(path).name
    if "OUTCAR" in name or "xml" in name.lower():
        return _from_vasp(Path(path))
    table = read_csv_table(path)
    energy = _energies(table)
    columns = {c: table.numbers(c) for c in table.columns if c in _COLUMNS}
    eps1 = None
    for name, values in columns.items():
        _check_size(path, name, values, LARGEST_INDEX if name in ("n", "k") else LARGEST_EPS)
    if {"n", "k"} <= columns.keys():
        eps1 = columns["n"] ** 2 - columns["k"] ** 2
        columns["eps2"] = 2.0 * columns["n"] * columns["k"]
    if "eps2" in columns:
        ab = c = columns["eps2"]
    elif {"eps2_ab", "eps2_c"} <= columns.keys():
        ab, c = columns["eps2_ab"], columns["eps2_c"]
    elif {"eps2_xx", "eps2_yy", "eps2_zz"} <= columns.keys():
        ab, c = 0.5 * (columns["eps2_xx"] + columns["eps2_yy"]), columns["eps2_zz"]
    else:
        raise TableError(path, table.described, allowed=ALLOWED)
    return _table(path, energy, ab, c, "eps2" in columns, eps1)


LARGEST_EPS, LARGEST_INDEX = 1e12, 1e6
"""Largest dielectric function and refractive index that are accepted. A metal reaches them only far
below the first energy of a table, so larger numbers are in a wrong column or unit."""

LEAST_EV, LARGEST_EV = 1e-9, 1e9
"""Bounds of photon energies, eV: radio waves to gamma rays."""


def _check_size(path: Path | str, name: str, values: Floats, largest: float) -> None:
    worst = float(values[np.argmax(np.abs(values))])
    if not abs(worst) <= largest:
        raise InputError(
            f"{path}: {name} = {worst:g} is beyond all materials (allowed: up to {largest:g})."
            " Check the column and its unit"
        )


_COLUMNS = {"eps2", "eps2_ab", "eps2_c", "eps2_xx", "eps2_yy", "eps2_zz", "n", "k"}


def _energies(table: CsvTable) -> Floats:
    path = table.path
    if "energy_eV" in table.columns:
        return table.numbers("energy_eV")
    for name, scale in (("wavelength_um", 1.0), ("wavelength_nm", 1e-3)):
        if name in table.columns:
            wavelength = scale * table.numbers(name)
            if np.any(wavelength <= 0.0):
                raise InputError(f"{path}: {name} must be above 0 in every row")
            energy: Floats = EV_UM / wavelength
            return energy
    raise TableError(path, table.described, allowed=ALLOWED)


def _table(
    path: Path | str, energy: Floats, ab: Floats, c: Floats, isotropic: bool, eps1: Floats | None
) -> AbsorptionTable:
    if energy.size < 4:
        raise InputError(f"{path}: has {counted(energy.size, 'row')}. A spectrum needs at least 4")
    order = np.argsort(energy, kind="stable")
    energy = energy[order]
    if energy[0] < 0.0:
        raise InputError(f"{path}: energy_eV = {energy[0]:g} is below 0")
    bright = energy[energy > 0.0]
    if bright.size < 3 or bright[0] < LEAST_EV or bright[-1] > LARGEST_EV:
        raise InputError(
            f"{path}: photon energies from {energy[0]:g} to {energy[-1]:g} eV are no spectrum's"
            f" (allowed: 0, or {LEAST_EV:g} to {LARGEST_EV:g} eV). Check the column and its unit"
        )
    for values in (ab, c):
        _check_size(path, "eps2", values, LARGEST_EPS)
    double = np.flatnonzero(np.diff(energy) == 0.0)
    if double.size:
        raise InputError(
            f"{path}: energy_eV = {energy[double[0]]:g} stands in two rows. Remove one"
        )
    for values in (ab, c):
        # Rounding in a calculation may leave tiny negative values; larger ones would mean gain.
        if values.min() < -1e-3 * max(float(values.max()), 1e-12):
            worst = int(np.argmin(values[order]))
            raise InputError(
                f"{path}: eps2 = {values.min():g} at {energy[worst]:g} eV is below 0: a material"
                " that absorbs is wanted. Check the columns' order and sign"
            )
    ab, c = (np.maximum(values[order], 0.0) for values in (ab, c))
    return AbsorptionTable(energy, ab, c, isotropic, None if eps1 is None else eps1[order])


def _from_vasp(path: Path) -> AbsorptionTable:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        from pymatgen.io.vasp.outputs import Outcar, Vasprun
    except ImportError:
        raise InputError(
            f"{path}: reading VASP's files needs pymatgen: pip install pymatgen. Or pass a CSV"
            " file with energy_eV, eps2_ab, eps2_c"
        ) from None
    try:
        with warnings.catch_warnings():
            # pymatgen reports an unconverged electronic step, but LOPTICS does one step only.
            warnings.simplefilter("ignore")
            read = _outcar if "OUTCAR" in path.name else _vasprun
            energy, diagonal = read(path, Outcar, Vasprun)
    except Exception as error:  # the parser raises many kinds of errors on incomplete files
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(
            f"{path}: pymatgen finds no frequency-dependent dielectric function in it ({reason})."
            " Was it run with LOPTICS?"
        ) from None
    ab = 0.5 * (diagonal[:, 0] + diagonal[:, 1])
    return _table(path, energy, ab, diagonal[:, 2], False, None)


def _vasprun(path: Path, _: Any, vasprun: Any) -> tuple[Floats, Floats]:
    run = vasprun(str(path), parse_dos=False, parse_eigen=False, parse_potcar_file=False)
    energies, _, imaginary = run.dielectric
    return np.asarray(energies, dtype=np.float64), np.asarray(imaginary, dtype=np.float64)[:, :3]


def _outcar(path: Path, outcar: Any, _: Any) -> tuple[Floats, Floats]:
    out = outcar(str(path))
    out.read_freq_dielectric()
    tensor = np.asarray(out.dielectric_tensor_function)
    diagonal: Floats = np.einsum("nii->ni", tensor).imag.astype(np.float64)
    return np.asarray(out.dielectric_energies, dtype=np.float64), diagonal
