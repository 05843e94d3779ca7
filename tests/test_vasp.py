"""VASP's files through pymatgen itself, in a virtual environment of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.dielectric_cases import OSCILLATORS
from helpers.own_venv import ask, python_with
from helpers.paths import HELPERS, LOCKS
from helpers.vasp_files import outcar, vasprun
from heterode.optics.oscillators import lorentz_dielectric

PYMATGEN = LOCKS / "pymatgen.lock"
LOOK = HELPERS / "vasp_look.py"


@pytest.mark.slow
def test_dielectric_functions_of_vasp(tmp_path: Path) -> None:
    energy = np.linspace(0.0, 30.0, 301)
    eps = lorentz_dielectric(energy, OSCILLATORS)
    share = np.array([1.0, 1.1, 0.5, 0.0, 0.0, 0.0])
    imaginary, real = np.outer(eps.imag, share), np.outer(eps.real, share)
    whole = vasprun(energy, imaginary, real)
    text = outcar(energy, imaginary, real)
    first, last = whole.index("  <dielectricfunction"), whole.index(" </calculation>")
    files = {
        "vasprun.xml": whole,
        "OUTCAR": text,
        "cut_vasprun.xml": whole[: len(whole) * 2 // 3],
        "plain_vasprun.xml": whole[:first] + whole[last:],
        "OUTCAR.cut": text[: len(text) * 3 // 4],
        "OUTCAR.plain": text[: text.index(" frequency dependent IMAGINARY")],
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    python = python_with("pymatgen", PYMATGEN)
    found = ask(python, LOOK, {"files": [str(tmp_path / name) for name in files]})
    for name, digits in (("vasprun.xml", 1e-4), ("OUTCAR", 1e-6)):
        table = found[str(tmp_path / name)]
        np.testing.assert_allclose(table["energy_eV"], energy, atol=1e-4)
        # The density-density one of the two that vasprun.xml holds.
        np.testing.assert_allclose(table["eps2_ab"], 1.05 * eps.imag, atol=digits)
        np.testing.assert_allclose(table["eps2_c"], 0.5 * eps.imag, atol=digits)
    for name in list(files)[2:]:
        said = str(found[str(tmp_path / name)]["error"])
        assert name in said
        assert "LOPTICS" in said
        assert "\n" not in said


def test_the_files_are_whole() -> None:
    """Without pymatgen: the tables stand where VASP writes them."""
    energy, rows = np.linspace(0.0, 1.0, 5), np.ones((5, 6))
    assert vasprun(energy, rows, rows).count("<r>") == 20
    assert outcar(energy, rows, rows).count("DIELECTRIC FUNCTION (independent particle") == 2
