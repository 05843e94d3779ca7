"""Whatever a user writes is used or refused: every key of the schema, in every context.

What a run reads is watched: pack, mesh, penalties, cell and a step of time are made for real in
each context. A key that nothing reads there must be refused, by a line that names it and the key
that leaves it without effect; a key that is read must be accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from helpers.cells import run
from helpers.paths import FIVE_DISCS, ROOT
from heterode.base.errors import InputError
from heterode.geometry.cache import mesh_for
from heterode.geometry.meshing import build_mesh
from heterode.geometry.packing import pack
from heterode.parameters import Parameters, load_parameters
from heterode.parameters.fields import Section
from heterode.parameters.loading import parameters_from
from heterode.parameters.walking import all_keys
from heterode.particles.drawn_penalties import factors_of_cycle, penalty_factors
from heterode.solver.discretisation.electrode_mesh import distribute
from heterode.solver.model import CellModel

QUICKSTART = ROOT / "params" / "quickstart.toml"

SETTINGS = {
    "geometry.dimension": "2",
    "geometry.coating_thickness": "47 um",
    "geometry.separator_thickness": "26 um",
    "geometry.width": "70 um",
    "geometry.particles": "13",
    "geometry.active_fraction": "0.3",
    "geometry.minimum_gap": "0.2 um",
    "geometry.walls": "cut",
    "geometry.mesh_file": str(FIVE_DISCS),
    "geometry.particle_size": '{distribution = "monodisperse", diameter = "6 um"}',
    "geometry.mesh.surface_size_factor": "0.5",
    "geometry.mesh.minimum_size": "0.2 um",
    "geometry.mesh.maximum_size": "4 um",
    "geometry.mesh.separator_size": "5 um",
    "geometry.mesh.gap_elements": "0.5",
    "geometry.mesh.order": "1",
    "active_material.open_circuit_potential": "NMC622",
    "active_material.maximum_concentration": "50000 mol/m^3",
    "active_material.diffusivity": "1e-14 m^2/s",
    "active_material.diffusivity_table": "{table}",
    "active_material.diffusivity_activation_energy": "10 kJ/mol",
    "active_material.exchange_current_table": "{table}",
    "active_material.exchange_current_prefactor": "2 A/m^2",
    "active_material.rate_constant": "1e-10 m/s",
    "active_material.rate_constant_cathodic": "1e-10 m/s",
    "active_material.rate_constant_anodic": "1e-10 m/s",
    "active_material.rate_constant_activation_energy": "10 kJ/mol",
    "active_material.double_layer_capacitance": "0.2 F/m^2",
    "active_material.anodic_transfer": "0.5",
    "active_material.cathodic_transfer": "0.5",
    "active_material.reference_concentration": "1100 mol/m^3",
    "active_material.electronic_conductivity": "1 S/m",
    "active_material.electronic_conductivity_table": "{table}",
    "active_material.initial_lithium_fraction": "0.9",
    "active_material.entropic_coefficient": "0.1 mV/K",
    "active_material.vacancy_exponent": "0.4",
    "active_material.occupancy_exponent": "0.4",
    "active_material.salt_exponent": "0.4",
    "active_material.stoichiometry_window": "{low = 0.2, high = 0.99}",
    "active_material.voltage_window": '{low = "2.9 V", high = "4.4 V"}',
    "penalty.shape": "2",
    "penalty.scale": "0.5",
    "penalty.minimum": "0.01",
    "penalty.restriction": "clip",
    "penalty.file": "{penalties}",
    "penalty.correlation_length": "10 um",
    "penalty.correlation": "gaussian",
    "penalty.conditioning": '{rule = "relax", fraction = 0.5}',
    "electrolyte.initial_concentration": "1100 mol/m^3",
    "electrolyte.diffusivity": "1e-10 m^2/s",
    "electrolyte.conductivity": "1 S/m",
    "electrolyte.transference_number": "0.3",
    "electrolyte.thermodynamic_factor": "2.0",
    "electrolyte.temperature_range": '["260 K", "330 K"]',
    "carbon_binder.electrolyte_fraction": "0.5",
    "carbon_binder.conductivity": "9 S/m",
    "carbon_binder.bruggeman_exponent": "1.6",
    "carbon_binder.bruggeman_carbon": "as_printed",
    "separator.porosity": "0.4",
    "separator.bruggeman_exponent": "1.6",
    "lithium_metal.rate_constant": "3e-8 m/s",
    "lithium_metal.rate_constant_activation_energy": "10 kJ/mol",
    "lithium_metal.lithium_concentration": "70000 mol/m^3",
    "lithium_metal.anodic_transfer": "0.4",
    "lithium_metal.symmetry": "0.4",
    "collector.contact_resistance": "0.1 ohm cm^2",
    "solver.degree": "1",
    "solver.fraction_tolerance": "1e-3",
    "solver.voltage_tolerance": "1 mV",
    "solver.concentration_tolerance": "2e-3",
    "solver.newton_tolerance": "1e-6",
    "solver.newton_iterations": "30",
    "solver.initial_step": "2 s",
    "solver.minimum_step": "1e-4 s",
    "solver.maximum_step_fraction": "0.02",
    "solver.krylov_tolerance": "1e-3",
    "solver.direct_limit": "70000",
    "seeds.packing": "2",
    "seeds.penalty": "2",
    "seeds.conditioning": "2",
}
"""A value of every key that a choice could leave without effect, as `--set` takes it."""

CHOICES = {
    # The choices themselves: what they change are the contexts below.
    "geometry.particle_size.distribution",
    "geometry.particle_size.weighting",
    "active_material.material",
    "active_material.exchange_current",
    "active_material.electronic_conduction_in_particles",
    "penalty.distribution",
    "penalty.conditioning.rule",
    "electrolyte.material",
    "electrolyte.model",
    "lithium_metal.kinetics",
    "collector.connection",
    "solver.linear_solver",
    "solver.accuracy",
    "solver.layers",
}
WITHIN = {
    # Keys of tables that are given whole above, which refuse what does not belong to them.
    "geometry.mesh",
    "active_material.voltage_window.low",
    "active_material.voltage_window.high",
    "active_material.stoichiometry_window.low",
    "active_material.stoichiometry_window.high",
    *(
        f"geometry.particle_size.{k}"
        for k in ("median", "sigma", "minimum", "maximum", "diameter", "file")
    ),
    *(f"penalty.conditioning.{k}" for k in ("fraction", "value")),
}
ELSEWHERE = ("title", "temperature", "composition", "protocol", "output")
"""Sections whose keys serve whatever else is chosen, or have tests of their own below."""

CONTEXTS: Mapping[str, tuple[str, ...]] = {
    "as the preset": (),
    "no penalties": ("penalty.distribution=none",),
    "table of penalties": ("penalty.distribution=table", "penalty.file={penalties}"),
    "correlated": ("penalty.correlation_length=20 um",),
    "penalties that are drawn again": ('penalty.conditioning={rule = "redraw"}',),
    "table of exchange currents": (
        "active_material.exchange_current=table",
        "active_material.exchange_current_table={table}",
    ),
    "autocatalytic": (
        "active_material.exchange_current=autocatalytic",
        "active_material.exchange_current_prefactor=2 A/m^2",
    ),
    "conducting particles": ("active_material.electronic_conduction_in_particles=true",),
    "ideal lithium": ("lithium_metal.kinetics=ideal",),
    "uniform flux": ("collector.connection=uniform_flux",),
    "direct": ("solver.linear_solver=direct",),
    "fieldsplit": ("solver.linear_solver=fieldsplit",),
    "constant electrolyte": (
        "electrolyte.model=constant",
        "electrolyte.diffusivity=3e-10 m^2/s",
        "electrolyte.conductivity=1 S/m",
        "electrolyte.transference_number=0.4",
        "electrolyte.thermodynamic_factor=2.0",
    ),
    "mesh file": (f"geometry.mesh_file={FIVE_DISCS}",),
    "three dimensions": ("geometry.dimension=3",),
}

# Passed on to what makes no use of them: the direct method, a cell whose particles do not conduct.
READ_IN_VAIN = {
    "solver.krylov_tolerance",
    "active_material.electronic_conductivity",
    "active_material.electronic_conductivity_table",
}

SMALL = (
    "geometry.particles=12",
    'protocol.steps=["charge at 1C for 1 s", "discharge at 1C for 1 s"]',
)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Fills in the paths of small tables."""
    folder = tmp_path_factory.mktemp("tables")
    table, penalties = folder / "table.csv", folder / "penalties.csv"
    columns = "stoichiometry,diffusivity_m2_s,exchange_current_A_m2,conductivity_S_m"
    table.write_text(f"{columns}\n0.2,1e-14,0.5,1.0\n0.99,1e-15,0.2,0.1\n")
    rows = "\n".join(f"{i},0.5" for i in range(12))
    penalties.write_text(f"particle,penalty\n{rows}\n")
    return lambda text: text.replace("{table}", str(table)).replace("{penalties}", str(penalties))


SECTIONS = {
    "Geometry": "geometry",
    "MeshSettings": "geometry.mesh",
    "ActiveMaterial": "active_material",
    "Penalty": "penalty",
    "ElectrolyteSection": "electrolyte",
    "CarbonBinder": "carbon_binder",
    "Separator": "separator",
    "LithiumMetal": "lithium_metal",
    "Collector": "collector",
    "Solver": "solver",
    "Seeds": "seeds",
}


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Keys that are read meanwhile."""
    read: set[str] = set()

    def get(self: Section, name: str) -> Any:
        section = SECTIONS.get(type(self).__name__)
        if section is not None and name in type(self).model_fields:
            read.add(f"{section}.{name}")
        return object.__getattribute__(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(Section, "__getattribute__", get, raising=False)
        yield read


def make_a_run(p: Parameters) -> None:
    """All that a run makes of its parameters, small."""
    if p.geometry.mesh_file is None:
        packed = pack(p.geometry, p.seeds.packing)
        data = build_mesh(packed, p.geometry, "0" * 32)
    else:
        data = mesh_for(p)
    if p.geometry.dimension == 3:
        return
    electrode = distribute(MPI.COMM_SELF, data)
    table = electrode.particle_table
    first = penalty_factors(p, table)
    factors_of_cycle(p, table.with_penalty(first), 1)
    model = CellModel(electrode, p, first)
    assert np.isfinite(run(model)[0][-1].voltage_V)


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_key_is_used_or_refused(
    context: str, tables: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [tables(text) for text in CONTEXTS[context]]
    small = SMALL[1:] if context == "mesh file" else SMALL
    p = load_parameters(QUICKSTART, [*small, *chosen])
    if p.geometry.dimension == 3:
        # As few as fit: what is meshed is looked at, not solved.
        p = load_parameters(QUICKSTART, [*chosen, "geometry.particles=60"])
    with watched(monkeypatch) as read:
        make_a_run(p)
    assert len(read) > 10
    wrong = []
    for key, value in SETTINGS.items():
        if key in {text.partition("=")[0] for text in chosen}:
            continue
        refusal = refused(chosen, key, tables(value))
        if refusal is None:
            used = is_read(key, read, chosen) or context == "three dimensions"
            if not used:
                wrong.append(f"{key} is neither used nor refused")
        elif "has no effect with" in refusal:
            if key not in refusal:
                wrong.append(f"{refusal}: does not name {key}")
            if key in read and key not in READ_IN_VAIN:
                wrong.append(f"{key} is used, and refused: {refusal}")
    assert not wrong, "\n".join(wrong)


def refused(chosen: list[str], key: str, value: str) -> str | None:
    """The line that refuses a setting, None where it is accepted."""
    try:
        load_parameters(QUICKSTART, [*chosen, f"{key}={value}"])
    except InputError as error:
        return str(error)
    return None


def is_read(key: str, read: set[str], chosen: list[str]) -> bool:
    """Whether something reads a key, or what it stands for."""
    # One constant sets both; a number is read where the table of the same thing would be.
    stands_for = {
        "active_material.rate_constant": "active_material.rate_constant_anodic",
        "geometry.width": "geometry.particles",
    }
    if key == "geometry.coating_thickness" and f"geometry.mesh_file={FIVE_DISCS}" in chosen:
        # The preset's [composition] gives the electrolyte's fraction of a coating this thick.
        return True
    return stands_for.get(key, key) in read


def test_every_key_of_the_schema_is_tried() -> None:
    """A new key must say in which contexts it has an effect."""
    keys = {".".join(key) for key in all_keys(Parameters)}
    sections = {".".join(key[:-1]) for key in all_keys(Parameters) if len(key) > 1}
    known = set(SETTINGS) | CHOICES | WITHIN | sections
    assert {k for k in keys if k.split(".")[0] not in ELSEWHERE} - known == set()


# One by one ----------------------------------------------------------------------------------

PAIRS = [
    ("exchange_current_table={table}", "active_material.exchange_current_table", "exchange_cur"),
    ("exchange_current_prefactor=2 A/m^2", "exchange_current_prefactor", "autocatalytic"),
    ("electronic_conductivity=1 S/m", "electronic_conductivity", "conduction_in_particles"),
    ("electronic_conductivity_table={table}", "conductivity_table", "conduction_in_particles"),
]


@pytest.mark.parametrize(("setting", "key", "other"), PAIRS)
def test_a_key_without_its_switch_names_both(
    setting: str, key: str, other: str, tables: Callable[[str], str]
) -> None:
    with pytest.raises(InputError) as caught:
        load_parameters(QUICKSTART, [tables(f"active_material.{setting}")])
    text = str(caught.value)
    assert key in text
    assert other in text
    assert "\n" not in text
    assert "with --set" in text


def write(folder: Path, *edits: tuple[str, str]) -> Path:
    text = QUICKSTART.read_text(encoding="utf-8")
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file = folder / "demo.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_an_idle_key_of_a_file_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, ('distribution = "weibull"', 'distribution = "none"'))
    with pytest.raises(InputError) as caught:
        load_parameters(file)
    line = f'{file}: penalty.shape = 1.5 has no effect with penalty.distribution = "none".'
    assert str(caught.value).startswith(line)


def test_what_a_set_switches_off_in_the_file_is_left_out() -> None:
    p = load_parameters(QUICKSTART, ["penalty.distribution=none"])
    assert (p.penalty.shape, p.penalty.scale) == (None, None)
    assert "shape" not in p.given["penalty"]
    # Another run may be made of it.
    assert "penalty" not in p.given.get("seeds", {})
    # Negative control: what is set with it is not left out in silence.
    with pytest.raises(InputError, match=r"penalty\.shape = 2 has no effect"):
        load_parameters(QUICKSTART, ["penalty.distribution=none", "penalty.shape=2"])


CONSTANT = (
    'model = "landesfeind"',
    'model = "constant"\ndiffusivity = "3e-10 m^2/s"\nconductivity = "1 S/m"\n'
    "transference_number = 0.4\nthermodynamic_factor = 2.0",
)
RELAXED = ("shape = 1.5", 'conditioning = { rule = "relax", fraction = 0.5 }\nshape = 1.5')
CORRELATED = ("shape = 1.5", 'correlation_length = "9 um"\nshape = 1.5')
ACTIVATED = (
    "anodic_transfer = 0.5",
    'diffusivity_activation_energy = "30 kJ/mol"\nanodic_transfer = 0.5',
)


@pytest.mark.parametrize(
    ("edit", "setting", "also", "kept"),
    [
        # A second setting that must be given with it; one that is not left out in silence.
        (
            ('title = "Quickstart"', 'title = "One size"'),
            "geometry.particle_size.distribution=monodisperse",
            ("geometry.particle_size.diameter=6 um",),
            "geometry.particle_size.sigma=0.3",
        ),
        (CONSTANT, "electrolyte.model=nyman", (), "electrolyte.conductivity=2 S/m"),
        (RELAXED, "penalty.conditioning.rule=uniform", (), "penalty.conditioning.fraction=0.1"),
        (RELAXED, "penalty.distribution=none", (), "penalty.conditioning.rule=uniform"),
        (CORRELATED, "penalty.distribution=none", (), "penalty.correlation_length=8 um"),
        (
            ACTIVATED,
            "active_material.diffusivity=oregan_nmc811",
            (),
            "active_material.diffusivity_activation_energy=20 kJ/mol",
        ),
        (
            ('walls = "inside"', 'walls = "inside"\nmesh = { order = 2 }'),
            "geometry.dimension=3",
            (),
            "geometry.mesh.order=2",
        ),
    ],
)
def test_what_is_wrong_beside_a_choice_that_a_set_made_is_left_out(
    edit: tuple[str, str], setting: str, also: tuple[str, ...], kept: str, tmp_path: Path
) -> None:
    file = write(tmp_path, edit)
    p = load_parameters(file, [setting, *also])
    # Another run may be made of it.
    parameters_from(p.given, file)
    # Negative control: in the `--set` itself it is a mistake.
    with pytest.raises(InputError, match=kept.partition("=")[0].rpartition(".")[2]):
        load_parameters(file, [setting, *also, kept])


def test_a_key_of_another_distribution_is_named_as_such(tmp_path: Path) -> None:
    line = (
        r'particle_size\.diameter = "6 um" has no effect with '
        r'geometry\.particle_size\.distribution = "lognormal" .*Remove it, or set .*"monodisperse"'
    )
    with pytest.raises(InputError, match=line):
        load_parameters(QUICKSTART, ["geometry.particle_size.diameter=6 um"])
    # Negative control: a misspelt key is none of another distribution.
    with pytest.raises(InputError, match=r"sgma = 1 is not a key .*Did you mean 'sigma'"):
        load_parameters(QUICKSTART, ["geometry.particle_size.sgma=1"])


def test_a_composition_from_which_nothing_follows_is_refused(tmp_path: Path) -> None:
    both = (
        ("minimum_gap = ", "active_fraction = 0.4\nminimum_gap = "),
        ("[carbon_binder]\n", "[carbon_binder]\nelectrolyte_fraction = 0.8\n"),
    )
    with pytest.raises(InputError, match=r"composition has no effect with geometry.active_fract"):
        load_parameters(write(tmp_path, *both))
    # One of the two alone follows from it still.
    load_parameters(write(tmp_path, both[0]))
    settings = ["geometry.active_fraction=0.4", "carbon_binder.electrolyte_fraction=0.8"]
    assert load_parameters(QUICKSTART, settings).composition is None


def test_a_composition_beside_a_mesh_needs_the_thickness_that_was_weighed() -> None:
    tables = load_parameters(QUICKSTART, [f"geometry.mesh_file={FIVE_DISCS}"]).given
    assert Parameters.from_dict(tables).carbon_binder.electrolyte_fraction == pytest.approx(
        0.857, abs=1e-3
    )
    del tables["geometry"]["coating_thickness"]
    with pytest.raises(
        InputError, match=r"geometry\.coating_thickness is missing: .* depend on it"
    ):
        Parameters.from_dict(tables)
    # Nothing depends on it where the fraction is given.
    del tables["composition"]
    tables["carbon_binder"]["electrolyte_fraction"] = 0.8
    assert Parameters.from_dict(tables).carbon_binder.electrolyte_fraction == 0.8


def test_stops_without_a_charge_are_refused() -> None:
    rest = 'protocol.steps=["rest for 1 h"]'
    with pytest.raises(InputError, match=r"protocol\.stops.* has no effect with protocol\.steps"):
        load_parameters(QUICKSTART, [rest, 'protocol.stops=["4 V"]'])
    load_parameters(QUICKSTART, ['protocol.stops=["4 V"]'])


def test_every_preset_loads() -> None:
    for file in sorted((ROOT / "params").glob("*.toml")):
        load_parameters(file)
