"""Texts with units become SI floats, and nothing else does."""

import subprocess
import sys

import pytest

from helpers.paths import ROOT
from heterode.base.units import UnitError, convert, quantity


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("3e-15 m^2/s", "m^2/s", 3e-15),
        ("3e-11 cm^2/s", "m^2/s", 3e-15),
        ("3e-15 m**2/s", "m^2/s", 3e-15),
        ("3e-15 m^2 s^-1", "m^2/s", 3e-15),
        ("60 um", "m", 6e-5),
        ("60 µm", "m", 6e-5),
        ("60um", "m", 6e-5),
        ("0.046 mm", "m", 4.6e-5),
        ("25 degC", "K", 298.15),
        ("25 °C", "K", 298.15),
        ("298.15 K", "K", 298.15),
        ("10.8 mg/cm^2", "kg/m^2", 0.108),
        ("4.75 g/cm^3", "kg/m^3", 4750.0),
        ("1.2 mol/l", "mol/m^3", 1200.0),
        ("1.2 M", "mol/m^3", 1200.0),
        ("0.01 ohm cm^2", "ohm*m^2", 1e-6),
        ("9 mS/cm", "S/m", 0.9),
        ("0.05 mA/cm^2", "A/m^2", 0.5),
        ("1.5 h", "s", 5400.0),
        ("-3.5 mV", "V", -3.5e-3),
        ("2 mol/(m^2 s)", "mol/m^2/s", 2.0),
        ("2 mol m**-2 s^(-1)", "mol/m^2/s", 2.0),
        ("2 1/s", "1/s", 2.0),
    ],
)
def test_reads(text, unit, value):
    assert quantity(text, unit) == pytest.approx(value, rel=1e-13)


def test_whole_decimal_factors_round_once():
    assert quantity("60 um", "m") == 6e-5
    assert quantity("4.75 g/cm^3", "kg/m^3") == 4750.0


@pytest.mark.parametrize(
    ("text", "unit", "says"),
    [
        ("46", "m", "no unit"),
        (46, "m", "no unit"),
        (4.6e-5, "m", "no unit"),
        ("46 s", "m", "is a time, not a length"),
        ("46 S/m", "m", "is a conductivity, not a length"),
        ("46 kg", "m", "not a length"),
        ("46 umm", "m", "unknown unit 'umm'"),
        ("46 parsec", "m", "unknown unit 'parsec'"),
        ("46 C", "m", "unknown unit 'C'"),
        ("46 um^", "m", "cannot be read"),
        ("um", "m", "does not begin with a finite number"),
        ("nan m", "m", "does not begin with a finite number"),
        ("1e999 m", "m", "not finite"),
        ("1e308 km", "m", "not finite"),
        ("46 um**9**9**9**9", "m", "cannot be read: 'um[*][*]9[*][*]9[*][*]9[*][*]9'"),
        ("46 um^(9^9^9^9)", "m", "cannot be read"),
        ("46 (um^9)^9", "m", "cannot be read"),
        ("46 um^999999999", "m", "cannot be read"),
        ("46 9**9**9**9 m", "m", "cannot be read"),
        ("46 " + "m " * 50_000, "m", "is 100003 characters long: .* 200 at most"),
        ("46" + " " * 100_000, "m", "characters long"),
        ("9" * 100_000 + " m", "m", "characters long"),
        ("46 " + "m" * 150, "m", "unknown unit 'm{37}[.]{3}'"),
        ("25 degC", "m", "is a temperature, not a length"),
        ("", "m", "does not begin"),
        (True, "m", "is not a length"),
        (None, "m", "is not a length"),
        ([1], "m", "is not a length"),
    ],
)
def test_refuses(text, unit, says):
    with pytest.raises(UnitError, match=says):
        quantity(text, unit)


def test_convert_checks_the_dimension():
    assert convert(1e-6, "m", "um") == pytest.approx(1.0)
    with pytest.raises(UnitError):
        convert(1.0, "m", "s")


def test_a_preset_loads_without_heavy_imports():
    """No FEniCS, SciPy or pandas is loaded by reading and checking an input file."""
    code = (
        "import sys; from heterode.parameters import load_parameters\n"
        "load_parameters('params/quickstart.toml')\n"
        "heavy = {'dolfinx', 'ufl', 'petsc4py', 'mpi4py', 'pandas', 'gmsh'}\n"
        # SciPy by its parts: pint 0.26 imports the bare package, which loads none but its version.
        "parts = {m for m in sys.modules if m.startswith('scipy.')} - {'scipy.version'}\n"
        "heavy |= {part for part in parts if not part.startswith('scipy._')}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    root = ROOT
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
