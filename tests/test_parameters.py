"""The input file becomes one frozen record in SI; presets, overrides and derived fractions."""

import cProfile
import dataclasses
import json
import pstats
import re
from pathlib import Path

import pydantic
import pytest

from helpers.paths import PARAMS
from heterode.base.errors import InputError
from heterode.parameters import Parameters, load_parameters
from heterode.runs.description import describe, describe_parameters
from heterode.runs.resuming import refuse_other_parameters

FILES = sorted(PARAMS.glob("*.toml"))
PAPERS = [file for file in FILES if file.stem != "scale"]
"""Those with the paper's coating."""


def test_the_presets_are_there():
    assert {f.name for f in FILES} >= {
        "quickstart.toml",
        "nmc532.toml",
        "nmc622.toml",
        "nmc811.toml",
        "ex_situ.toml",
        "first_cycle.toml",
        "cube_50.toml",
        "cube_200.toml",
        "cube_1000.toml",
    }


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_every_file_loads_and_describes_itself(file):
    parameters = load_parameters(file)
    assert parameters.source_file == file
    lines = describe(parameters)
    assert any(s.startswith("active_material.diffusivity") and "m^2/s" in s for s in lines)
    assert all("\n" not in s for s in lines)


def test_edges_are_straight_in_3d_and_curved_in_2d():
    assert load_parameters(PARAMS / "cube_50.toml").geometry.mesh.order == 1
    assert load_parameters(PARAMS / "quickstart.toml").geometry.mesh.order == 2
    turned = load_parameters(PARAMS / "quickstart.toml", ["geometry.dimension=3"])
    assert turned.geometry.mesh.order == 1


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_every_number_has_a_source(file):
    """A physical number stands with a mark of its source on its line or the next."""
    lines = file.read_text(encoding="utf-8").splitlines()
    section = ""
    for number, text in enumerate(lines):
        if text.startswith("["):
            section = text
        without = text.partition("#")[0]
        if not re.search(r"= *\"?[-0-9.]", without) or section in ("[seeds]", "[solver]"):
            continue
        if without.startswith("dimension"):
            continue
        nearby = " ".join(lines[max(0, number - 1) : number + 2])
        assert re.search(r"\[[FDRG]\]", nearby), f"{file.name}:{number + 1}: {text}"


def test_si_values_of_a_preset():
    p = load_parameters(PARAMS / "nmc532.toml")
    assert p.geometry.coating_thickness == 46e-6
    assert p.geometry.particle_size.maximum == pytest.approx(10e-6)
    assert p.active_material.diffusivity == 3e-15
    assert p.active_material.rate_constant_cathodic == 1e-9
    assert p.active_material.rate_constant_anodic == 1e-9
    assert p.active_material.lithium_fraction_window == pytest.approx((0.248, 0.9988), abs=5e-4)
    assert p.collector.contact_resistance == pytest.approx(1e-6)
    assert p.temperature == 298.15
    (step,) = p.protocol.steps
    assert step.rate.value == pytest.approx(1 / 40)


def test_fractions_follow_from_the_composition():
    """The table of volume fractions: 0.465 and 0.857 at 46 um, 0.356 and 0.909 at 60 um."""
    thin = load_parameters(PARAMS / "nmc532.toml")
    thick = load_parameters(PARAMS / "nmc532.toml", ["geometry.coating_thickness=60 um"])
    assert thin.geometry.active_fraction == pytest.approx(0.465, abs=5e-4)
    assert thin.carbon_binder.electrolyte_fraction == pytest.approx(0.857, abs=5e-4)
    assert thick.geometry.active_fraction == pytest.approx(0.356, abs=5e-4)
    assert thick.carbon_binder.electrolyte_fraction == pytest.approx(0.909, abs=5e-4)
    # Negative control: the numbers of one thickness do not pass for the other.
    assert abs(thin.geometry.active_fraction - thick.geometry.active_fraction) > 0.1


@pytest.mark.parametrize("file", PAPERS, ids=lambda f: f.stem)
def test_sixty_micrometres_is_one_override_away(file):
    p = load_parameters(file, ['geometry.coating_thickness="60 um"'])
    assert p.geometry.coating_thickness == 60e-6
    assert p.geometry.active_fraction < 0.36


def test_a_given_fraction_wins_over_the_composition():
    p = load_parameters(PARAMS / "nmc532.toml", ["geometry.active_fraction=0.3"])
    assert p.geometry.active_fraction == 0.3
    assert p.carbon_binder.electrolyte_fraction == pytest.approx(0.857, abs=5e-4)


def test_frozen():
    p = load_parameters(PARAMS / "nmc532.toml")
    with pytest.raises(pydantic.ValidationError):
        p.temperature = 300.0
    with pytest.raises(pydantic.ValidationError):
        p.geometry.coating_thickness = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        p.protocol.steps[0].text = ""


def test_si_dictionary_is_json_and_complete():
    p = load_parameters(PARAMS / "nmc532.toml")
    plain = json.loads(json.dumps(p.to_si_dict(), allow_nan=False))
    assert plain["geometry"]["coating_thickness"] == 46e-6
    assert plain["protocol"]["steps"] == ["charge at C/40 until 4.5 V"]
    assert "source_file" not in plain
    assert set(plain) == set(Parameters.model_fields)


def test_overrides():
    p = load_parameters(
        PARAMS / "nmc532.toml",
        [
            "geometry.width=80 um",
            "penalty.distribution=none",
            "electrolyte.model=nyman",
            "active_material.diffusivity=colclasure_nmc532",
            'protocol.steps=["charge at 1C until 4.3 V", "rest for 1 h"]',
            "solver.degree=2",
            "output.directory=here",
            'geometry.particle_size={distribution="monodisperse", diameter="5 um"}',
            "seeds.packing=3",
            "seeds.packing=4",
        ],
    )
    assert (p.geometry.width, p.geometry.particles) == (80e-6, None)
    assert p.penalty.distribution == "none"
    assert p.electrolyte.functions.name == "nyman"
    assert p.active_material.diffusivity == "colclasure_nmc532"
    assert [s.kind for s in p.protocol.steps] == ["charge", "rest"]
    assert p.solver.degree == 2
    assert p.output.directory == Path("here")
    assert p.geometry.particle_size.diameter == pytest.approx(5e-6)
    assert p.seeds.packing == 4


def test_lundgren_holds_at_25_degrees_however_written():
    for text in ("298.15 K", "25 degC"):
        p = load_parameters(
            PARAMS / "nmc532.toml", ["electrolyte.model=lundgren", f"temperature={text}"]
        )
        assert p.electrolyte.functions.name == "lundgren"


def test_anodic_and_cathodic_rate_constants(tmp_path):
    text = (PARAMS / "nmc532.toml").read_text(encoding="utf-8")
    text, count = re.subn(
        r'^rate_constant = "1e-9 m/s"',
        'rate_constant_cathodic = "1e-9 m/s"\nrate_constant_anodic = "4e-9 m/s"',
        text,
        flags=re.MULTILINE,
    )
    assert count == 1
    (tmp_path / "demo.toml").write_text(text, encoding="utf-8")
    material = load_parameters(tmp_path / "demo.toml").active_material
    assert (material.rate_constant_cathodic, material.rate_constant_anodic) == (1e-9, 4e-9)
    # An override of the single key takes the two of the file out.
    set_both = ["active_material.rate_constant=2e-11 m/s"]
    material = load_parameters(tmp_path / "demo.toml", set_both).active_material
    assert (material.rate_constant_cathodic, material.rate_constant_anodic) == (2e-11, 2e-11)


def test_a_table_of_the_exchange_current_needs_no_rate_constant(tmp_path):
    text = (PARAMS / "nmc532.toml").read_text(encoding="utf-8")
    law = 'exchange_current = "table"\nexchange_current_table = "i0.csv"'
    text, count = re.subn(r'^rate_constant = "1e-9 m/s"', law, text, flags=re.MULTILINE)
    assert count == 1
    (tmp_path / "demo.toml").write_text(text, encoding="utf-8")
    table = tmp_path / "i0.csv"
    table.write_text("exchange_current_A_m2,stoichiometry\n2,0.9\n5,0.3\n")
    p = load_parameters(tmp_path / "demo.toml")
    assert p.active_material.rate_constant_cathodic is None
    # The manifest keeps the numbers, so that a run is not resumed with another table.
    plain = json.loads(json.dumps(p.to_si_dict(), allow_nan=False))
    kept = plain["active_material"]["exchange_current_table"]
    assert kept["stoichiometry"] == [0.3, 0.9]
    assert kept["exchange_current_A_m2"] == [5.0, 2.0]
    assert "exchange_current_table" in "\n".join(describe_parameters(p))
    refuse_other_parameters(tmp_path, plain, p)
    table.write_text("exchange_current_A_m2,stoichiometry\n2,0.9\n4,0.3\n")
    with pytest.raises(InputError, match=r"exchange_current_table\.exchange_current_A_m2"):
        refuse_other_parameters(tmp_path, plain, load_parameters(tmp_path / "demo.toml"))


def test_constant_electrolyte():
    p = load_parameters(
        PARAMS / "nmc532.toml",
        [
            "electrolyte.model=constant",
            "electrolyte.diffusivity=3e-10 m^2/s",
            "electrolyte.conductivity=1 S/m",
            "electrolyte.transference_number=0.3",
            "electrolyte.thermodynamic_factor=2",
        ],
    )
    assert p.electrolyte.functions.conductivity(500.0, 298.15) == 1.0
    assert p.electrolyte.functions.constant_transference == 0.3


def test_tables_are_found_beside_the_file_and_from_the_working_folder(tmp_path, monkeypatch):
    text = (PARAMS / "nmc532.toml").read_text(encoding="utf-8")
    beside = tmp_path / "beside"
    beside.mkdir()
    (beside / "pen.csv").write_text("penalty,particle\n0.5,1\n0.25,0\n")
    (tmp_path / "sizes.csv").write_text("# measured\ndiameter_um, weight\n4, 1\n6, 3\n")
    text = text.replace('distribution = "weibull"', 'distribution = "table"\nfile = "pen.csv"')
    text = re.sub(
        r"^(shape|scale|minimum = 1e-3|restriction|penalty) ?=?.*\n", "", text, flags=re.MULTILINE
    )
    (beside / "demo.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    size = 'geometry.particle_size={distribution="table", file="sizes.csv"}'
    p = load_parameters("beside/demo.toml", [size])
    assert p.penalty.file == Path("beside/pen.csv")
    assert p.geometry.particle_size.file == Path("sizes.csv")
    assert p.geometry.size_law.bounds[1] == pytest.approx(6e-6)


def test_one_of_the_two_windows_is_needed(tmp_path):
    text = (PARAMS / "nmc532.toml").read_text(encoding="utf-8")
    (tmp_path / "demo.toml").write_text(re.sub("(?m)^voltage_window.*$", "", text))
    with pytest.raises(InputError, match=r"voltage_window is missing .*stoichiometry_window"):
        load_parameters(tmp_path / "demo.toml")
    window = "active_material.stoichiometry_window={ low = 0.3, high = 0.99 }"
    material = load_parameters(tmp_path / "demo.toml", [window]).active_material
    assert material.lithium_fraction_window == (0.3, 0.99)
    low, high = material.window_voltages
    assert material.curve().lithium_fraction(low) == pytest.approx(0.99, abs=1e-9)
    assert material.curve().lithium_fraction(high) == pytest.approx(0.3, abs=1e-9)


def test_defaults_are_not_invented():
    """What describes one electrode has no default: the fields below must stand in the file."""
    required = {
        f"{name}.{key}"
        for name, field in Parameters.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, pydantic.BaseModel)
        for key, inner in field.annotation.model_fields.items()
        if inner.is_required()
    }
    assert required >= {
        "geometry.coating_thickness",
        "geometry.separator_thickness",
        "geometry.active_fraction",
        "geometry.particle_size",
        "active_material.open_circuit_potential",
        "active_material.maximum_concentration",
        "active_material.diffusivity",
        "active_material.rate_constant_cathodic",
        "active_material.initial_lithium_fraction",
        "penalty.distribution",
        "electrolyte.model",
        "electrolyte.initial_concentration",
        "carbon_binder.conductivity",
        "carbon_binder.electrolyte_fraction",
        "separator.porosity",
        "protocol.steps",
    }


def test_loading_is_quick():
    """By its number of function calls, which no machine and no load changes."""
    load_parameters(PARAMS / "quickstart.toml")
    profile = cProfile.Profile()
    profile.runcall(load_parameters, PARAMS / "quickstart.toml")
    calls = pstats.Stats(profile).total_calls
    print(calls)
    assert 1_000 < calls < 300_000


def test_a_section_that_appears_is_a_change(tmp_path):
    before = load_parameters(PARAMS / "nmc532.toml").to_si_dict()
    p = load_parameters(PARAMS / "nmc532.toml", ["penalty.conditioning.rule=uniform"])
    with pytest.raises(InputError, match=r"penalty\.conditioning = given"):
        refuse_other_parameters(tmp_path, before, p)
