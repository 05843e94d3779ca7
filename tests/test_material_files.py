"""Materials of their own files: included by name or path, listed and drawn by a command."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from helpers.paths import PRESET, ROOT
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.homogenised.electrode import MeshedElectrode, describe_electrode
from heterode.parameters import Parameters
from heterode.parameters.files import files_of
from heterode.parameters.loading import load_parameters
from heterode.parameters.material_files import shipped_materials, shipped_names
from heterode.physics.exchange import exchange_law

REST = 'protocol.steps=["rest for 1 h"]'
NAME = "active_material.material"
START = "active_material.initial_lithium_fraction"

# What PyBaMM 26.10 has for the same sets: maximum concentration, mol/m^3, and i0 at x = 0.5,
# 1 M and 298.15 K, A/m^2.
PUBLISHED = {
    "graphite_chen2020": (33133, 0.33947),
    "nmc811_chen2020": (63104, 3.4123),
    "graphite_oregan2022": (29583, 1.334),
    "nmc811_oregan2022": (51765, 2.514),
    "graphite_okane2022": (33133, 0.33947),
    "nmc811_okane2022": (63104, 3.4123),
    "graphite_ecker2015": (31920, 6.2517),
    "nco_ecker2015": (48580, 2.5121),
    "graphite_ai2020": (28700, 0.43784),
    "lco_ai2020": (49943, 0.76191),
    "lfp_prada2013": (22806, 0.21636),
    "graphite_kim2011": (28700, 34.233),
    "nca_kim2011": (49000, 3.7121),
    "silicon_lithiation_verbrugge2016": (278000, 0.29405),
    "silicon_delithiation_verbrugge2016": (278000, 0.29405),
}


def included(name: str, x: float = 0.5, *settings: str) -> Parameters:
    return load_parameters(PRESET, [f"{NAME}={name}", f"{START}={x}", REST, *settings])


def test_every_shipped_material_has_published_numbers():
    active = {each.name for each in shipped_materials() if each.section == "active_material"}
    assert active == set(PUBLISHED)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_shipped_material_is_the_published_one(name):
    c_max, i0 = PUBLISHED[name]
    p = included(name)
    assert p.active_material.maximum_concentration == c_max
    law = exchange_law(p.active_material, salt_concentration=1000.0, temperature=298.15)
    # The published sets have their reference at 1.2 M where Kim's have it.
    assert law(np.array([0.5]), np.array([1.0])) == pytest.approx(i0, rel=1e-4)
    (file,) = (each for each in shipped_materials() if each.name == name)
    assert file.source
    assert file.file.read_text(encoding="utf-8").startswith(f"# {file.title}")


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_shipped_material_holds_in_the_cold_and_the_heat(name):
    for kelvin in (243.15, 333.15):
        p = included(name, 0.5, f"temperature={kelvin} K", "electrolyte.model=nyman")
        assert np.all(p.curve.slope(np.linspace(0.0, 1.0, 500)) < 0)
        D = p.active_material.diffusivity_of_fraction(np.linspace(0.05, 0.95, 100), kelvin)
        assert np.all(np.isfinite(D))
        assert np.all(np.asarray(D) > 0)


def test_a_material_replaces_what_the_file_had_and_keys_beside_it_count():
    p = included("graphite_ecker2015", 0.5, "active_material.rate_constant=1e-9 m/s")
    material = p.active_material
    assert material.voltage_window is None
    assert material.lithium_fraction_window == (0.0036, 0.8484)
    assert (material.rate_constant_cathodic, material.maximum_concentration) == (1e-9, 31920)
    # A choice leaves the material's keys out that have no effect with it.
    table = included("graphite_ecker2015", 0.5, "active_material.exchange_current=2*sqrt(x*(1-x))")
    assert table.active_material.rate_constant_cathodic is None
    window = 'active_material.voltage_window={ low = "0.1 V", high = "0.5 V" }'
    assert included("graphite_ecker2015", 0.3, window).active_material.window_voltages == (0.1, 0.5)


def test_it_can_be_written_and_read_again(tmp_path):
    p = included("graphite_okane2022")
    (tmp_path / "again.toml").write_text(p.toml())
    again = Parameters.load(tmp_path / "again.toml")
    assert again.to_si_dict() == p.to_si_dict()
    other = again.with_values({NAME: "nmc811_oregan2022"})
    assert other.active_material.diffusivity_activation_energy == 0.0
    assert other.active_material.maximum_concentration == 51765


OWN = """
title = "Mine"
source = "measured here"

[active_material]
open_circuit_potential = { table = "ocp.csv" }
maximum_concentration = "30000 mol/m^3"
diffusivity = "1e-14 m^2/s"
rate_constant = "1e-10 m/s"
stoichiometry_window = { low = 0.1, high = 0.9 }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "materials").mkdir()
    (tmp_path / "materials/mine.toml").write_text(OWN)
    (tmp_path / "materials/ocp.csv").write_text(
        "stoichiometry,potential_V\n0.05,1.2\n0.5,0.3\n0.95,0.1\n"
    )
    text = PRESET.read_text(encoding="utf-8")
    begin, end = text.index("[active_material]"), text.index("[penalty]")
    section = (
        '[active_material]\nmaterial = "materials/mine.toml"\ninitial_lithium_fraction = 0.5\n'
    )
    text = text[:begin] + section + "\n" + text[end:]
    protocol, seeds = text.index("[protocol]"), text.index("[seeds]")
    steps = '[protocol]\nsteps = ["charge at C/10 until 0.9 V"]\n\n'
    (tmp_path / "cell.toml").write_text(text[:protocol] + steps + text[seeds:])
    return tmp_path


def test_a_user_s_own_material_is_a_file_beside_the_parameters(folder, tmp_path, monkeypatch):
    p = load_parameters(folder / "cell.toml")
    assert p.curve.potential(0.5) == pytest.approx(0.3)
    assert {"mine.toml", "ocp.csv"} <= {path.name for path in files_of(p)}
    # Not the working folder counts, but the file's own.
    monkeypatch.chdir(tmp_path / "materials")
    assert load_parameters(folder / "cell.toml").to_si_dict() == p.to_si_dict()


MISTAKES = {
    "misspelt": (
        ('"materials/mine.toml"', '"graphite_chen2002"'),
        ["cell.toml: active_material.material", "graphite_chen2020"],
    ),
    "missing file": (('"materials/mine.toml"', '"other.toml"'), ["other.toml: no such file"]),
    "of the other section": (
        ('"materials/mine.toml"', '"electrolyte_ecker2015"'),
        ["describes an electrolyte"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_wrong_name_is_refused(name, folder):
    (old, new), fragments = MISTAKES[name]
    file = folder / "cell.toml"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(InputError) as caught:
        load_parameters(file)
    assert "\n" not in str(caught.value)
    for fragment in fragments:
        assert fragment in str(caught.value)


OWN_MISTAKES = [
    ('"1e-14 m^2/s"', '"1e-14 m/s"', "active_material.diffusivity"),
    ('title = "Mine"', "titel = 1", "titel"),
    ("[active_material]", "[active]", "active"),
    ('source = "measured here"', "source = 3", "source = 3"),
    ("[active_material]", '[active_material]\nmaterial = "nmc811_chen2020"', "includes no other"),
    ("maximum_concentration", "maximal_concentration", "maximal_concentration"),
    ('"ocp.csv"', '"lost.csv"', "lost.csv"),
]


@pytest.mark.parametrize(("old", "new", "fragment"), OWN_MISTAKES)
def test_a_mistake_in_a_material_names_its_file(old, new, fragment, folder):
    file = folder / "materials/mine.toml"
    file.write_text(OWN.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_parameters(folder / "cell.toml")
    line = str(caught.value)
    assert "mine.toml" in line.partition(" ")[0] or "mine.toml: " in line
    assert fragment in line
    assert "\n" not in line


def test_the_homogenised_counterpart_has_the_whole_curve_and_the_salt_s_exponent():
    p = included("graphite_oregan2022", 0.5, "active_material.salt_exponent=0.3")
    mesh = MeshedElectrode(
        volume=2e-5, surface=2e1, area=1.0, penalty=1.0, coating=5e-5, separator=2e-5
    )
    functions = describe_electrode(p, mesh)["functions"]
    curve = functions["Positive electrode OCP [V]"]
    x = np.linspace(0.001, 0.999, 3001)
    error = np.interp(x, curve["x"], curve["y"]) - p.curve.potential(x)
    assert np.abs(error).max() < 1e-4
    exchange = functions["Positive electrode exchange-current density [A.m-2]"]
    assert exchange["order of the salt"] == 0.3


# The command -----------------------------------------------------------------------------------


def test_all_are_listed_with_range_and_source(capsys):
    assert main(["materials"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name in (*shipped_names(), "NMC811", "landesfeind", "oregan_nmc811"):
        assert f"{name} " in text
    for part in ("0.37 to 0.993, 3.024 to 4.210 V", "J. Electrochem. Soc. 158, A955", "263.15 to"):
        assert part in text


def test_one_is_shown_and_drawn(capsys, tmp_path):
    assert main(["materials", "lco_ai2020"]) == 0
    shown = capsys.readouterr().out
    assert (ROOT / "params/materials/lco_ai2020.toml").read_text(encoding="utf-8") in shown
    picture = tmp_path / "lco.png"
    for _ in range(2):
        assert main(["materials", "lco_ai2020", "-o", str(picture), "--overwrite"]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    picture.write_bytes(b"a picture of the user's own")
    assert main(["materials", "lco_ai2020", "-o", str(picture)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert picture.read_bytes() == b"a picture of the user's own"


def test_a_user_s_own_is_drawn_too(folder, capsys):
    own = str(folder / "materials/mine.toml")
    assert main(["materials", own, "-o", str(folder / "mine.png")]) == 0
    assert (folder / "mine.png").is_file()
    assert main(["materials", "lfp_prada", "-o", str(folder / "no.png")]) == 2
    assert "lfp_prada2013" in capsys.readouterr().err
    assert not (folder / "no.png").exists()


def test_tables_of_materials_say_their_source():
    for file in sorted((ROOT / "params/materials").glob("*.csv")):
        text = file.read_text(encoding="utf-8")
        assert text.startswith("# "), file
        rows = list(csv.reader(line for line in text.splitlines() if not line.startswith("#")))
        assert len(rows) > 50
