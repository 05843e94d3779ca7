"""heterode.Parameters: values of all kinds, the command's messages, files written back."""

from __future__ import annotations

import ast
from contextlib import suppress
from pathlib import Path

import numpy as np
import pint
import pytest

import heterode
from helpers.paths import FIVE_DISCS, PRESET, ROOT
from heterode.parameters import load_parameters

PRESETS = sorted((ROOT / "params").glob("*.toml"))
UNITS: pint.UnitRegistry = pint.UnitRegistry()


@pytest.fixture(scope="module")
def quickstart() -> heterode.Parameters:
    return heterode.Parameters.load(PRESET)


# -- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text", "same"),
    [
        ("geometry.coating_thickness", "60 um", [6e-5, np.float64(6e-5), 60 * UNITS.um]),
        ("active_material.diffusivity", "3e-11 cm^2/s", [3e-15, 3e-11 * UNITS.cm**2 / UNITS.s]),
        ("temperature", "25 degC", [298.15, UNITS.Quantity(25, "degC")]),
        ("electrolyte.initial_concentration", "1 mol/l", [1000, 1 * UNITS.mol / UNITS.liter]),
        ("output.checkpoint_every", "2 min", [120, np.int64(120), 2 * UNITS.minute]),
        ("collector.contact_resistance", "3 ohm*cm^2", [3e-4, 3 * UNITS.ohm * UNITS.cm**2]),
        ("protocol.stops", ["3.8 V", "4.2 V"], [[3.8, 4.2], np.array([3.8, 4.2])]),
        ("geometry.particles", 12, [np.int32(12), UNITS.Quantity(12)]),
        ("penalty.shape", 2.5, [np.float32(2.5), UNITS.Quantity(250, "percent")]),
        ("geometry.mesh_file", str(FIVE_DISCS), [FIVE_DISCS]),
    ],
)
def test_values_of_all_kinds(
    key: str, text: object, same: list[object], quickstart: heterode.Parameters
) -> None:
    wanted = quickstart.with_values({"title": "", key: text})
    for value in same:
        found = quickstart.with_values({"title": "", key: value})
        assert found.to_si_dict() == wanted.to_si_dict(), value
    other = quickstart.with_values({"seeds.packing": 77})
    assert other != wanted


def test_a_unit_that_files_do_not_know_is_converted(quickstart: heterode.Parameters) -> None:
    inch = quickstart.with_values({"geometry.coating_thickness": UNITS.Quantity(0.002, "inch")})
    assert inch.geometry.coating_thickness == pytest.approx(5.08e-5, rel=1e-14)


def test_values_switch_off_what_they_leave_idle(quickstart: heterode.Parameters) -> None:
    plain = quickstart.with_values({"penalty.distribution": "none"})
    assert plain == load_parameters(PRESET, ["penalty.distribution=none"])
    meshed = quickstart.with_values({"geometry.mesh_file": FIVE_DISCS, "seeds.penalty": 2})
    assert meshed == load_parameters(
        PRESET, [f"geometry.mesh_file={FIVE_DISCS}", "seeds.penalty=2"]
    )
    back = plain.with_values(
        {"penalty.distribution": "weibull", "penalty.shape": 2, "penalty.scale": 0.4}
    )
    assert (back.penalty.shape, back.penalty.scale) == (2, 0.4)
    assert quickstart.penalty.distribution == "weibull"


def test_none_takes_a_key_out(quickstart: heterode.Parameters) -> None:
    wide = quickstart.with_values({"geometry.width": "80 um"})
    assert wide.geometry.particles is None
    again = wide.with_values({"geometry.width": None, "geometry.particles": 60})
    assert again == quickstart.with_values({"title": None})
    fast = quickstart.with_values({"solver.fraction_tolerance": 1e-3})
    assert fast.solver != quickstart.solver
    assert fast.with_values({"solver.fraction_tolerance": None}).solver == quickstart.solver


def test_steps_with_groups(quickstart: heterode.Parameters) -> None:
    steps = ["charge at C/2 until 4.2 V", {"repeat": 2, "steps": ["rest for 1 min"]}]
    changed = quickstart.with_values({"protocol.steps": steps, "protocol.repeat": 3})
    assert [item.plain for item in changed.protocol.steps] == steps
    assert changed.title == ""


# -- mistakes -----------------------------------------------------------------------------------

MISTAKES = {
    "geometry.coating_thickness": ("-3 um", "3 s", "three"),
    "geometry.particels": ("3",),
    "geometry.particles": ("2.5", "0"),
    "electrolyte.model": ("water",),
    "protocol.steps": ('["charge at C/2"]', "[]"),
    "temperature.of.what": ("3",),
    "penalty.file": ("nowhere.csv",),
}


@pytest.mark.parametrize("key", MISTAKES)
def test_mistakes_are_told_in_the_line_of_the_command(
    key: str, quickstart: heterode.Parameters
) -> None:
    for value in MISTAKES[key]:
        with pytest.raises(heterode.InputError) as of_set:
            load_parameters(PRESET, [f"{key}={value}"])
        given: object = value
        with suppress(ValueError, SyntaxError):
            given = ast.literal_eval(value)
        with pytest.raises(heterode.InputError) as of_values:
            quickstart.with_values({key: given})
        assert "\n" not in str(of_values.value)
        if key != "temperature.of.what":
            line = str(of_values.value).replace(f"{Path.cwd()}/nowhere", "nowhere")
            assert line == str(of_set.value).replace("--set", "values")
        assert str(PRESET) in str(of_values.value)
        assert key.split(".")[0] in str(of_values.value)


def test_mistakes_of_quantities_and_keys(quickstart: heterode.Parameters) -> None:
    for values, line in (
        ({"geometry.coating_thickness": 3 * UNITS.s}, "is a time, not a length"),
        ({"penalty.shape": 3 * UNITS.m}, "is not a plain number"),
        ({"geometry.coating_thickness": float("nan")}, "coating_thickness"),
        ({"geometry.coating_thickness": True}, "is not a length"),
        ({"geometry.coating_thickness": object()}, "is not a length"),
        ({"geometry..particles": 3}, "is no key"),
        ({3: 3}, "is no key"),
    ):
        with pytest.raises(heterode.InputError, match=line) as caught:
            quickstart.with_values(values)
        assert str(PRESET) in str(caught.value)
    for tables, line in (
        ({}, "temperature is missing"),
        ([], "not a dict of sections"),
        ({"geometry": 3}, "geometry = 3 is not a section"),
    ):
        with pytest.raises(heterode.InputError, match=line):
            heterode.Parameters.from_dict(tables)
    with pytest.raises(heterode.InputError, match=r"no such file"):
        heterode.Parameters.load("nowhere.toml")


# -- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_file_written_back_is_the_same(
    preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = heterode.Parameters.load(preset)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "again.toml").write_text(own.toml(), encoding="utf-8")
    again = heterode.Parameters.load("again.toml")
    assert again == own
    assert hash(again) == hash(own)
    assert again.title == own.title
    assert heterode.Parameters.from_dict(own.given) == own
    # The negative control: one value more differs.
    text = own.toml().replace("[solver]", "[solver]\ndirect_limit = 777")
    text += "" if "[solver]" in text else "\n[solver]\ndirect_limit = 777\n"
    (tmp_path / "other.toml").write_text(text, encoding="utf-8")
    assert heterode.Parameters.load("other.toml") != own


def test_changed_values_are_written_back(
    quickstart: heterode.Parameters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "drive.csv").write_text("time_s,current_A_m2\n0,0\n60,5\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    changed = quickstart.with_values(
        {
            "title": 'a "quoted" title, with \\ and µ',
            "protocol.steps": [
                "follow drive.csv",
                {"until": "4 V", "steps": ["charge at C/9 for 1 h"]},
            ],
            "penalty.conditioning": {"rule": "relax", "fraction": 0.5},
            "geometry.coating_thickness": 0.1 + 0.2 - 0.3 + 5.1e-5,
            "output.directory": Path("there"),
        }
    )
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("again.toml").write_text(changed.toml(), encoding="utf-8")
    again = heterode.Parameters.load("again.toml")
    assert again.protocol == changed.protocol
    assert again.geometry == changed.geometry
    assert again == changed


def test_a_notebook_shows_what_is_in_force(quickstart: heterode.Parameters) -> None:
    assert repr(quickstart) == f"<Parameters of {PRESET}: {quickstart.title}>"
    rows = dict(quickstart.__rich_repr__())
    assert rows["geometry.coating_thickness"] == "46 um"
    assert f"geometry.particles = {rows['geometry.particles']}" in str(quickstart).splitlines()
    wild = quickstart.with_values({"title": "<script>&"})
    page = wild._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;&amp;" in page
    assert page.count("<tr>") == len(rows)
