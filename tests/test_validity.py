"""What leaves its validity is found before a run; beside each case stands one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.paths import PRESET, ROOT
from helpers.validity_cases import AUTOCATALYTIC, CONSTANT, codes, given, steps
from heterode.base.errors import InputError
from heterode.materials import electronic_conduction, open_circuit_potential, solid_diffusion
from heterode.parameters import load_parameters
from heterode.parameters.walking import physical_of
from heterode.runs.description import (
    describe_derived,
    describe_regimes,
    describe_validity,
    parameter_rows,
)
from heterode.validity import valid_ranges


def test_a_normal_case_has_no_warning() -> None:
    assert codes(given()) == {}
    assert describe_validity(given()) == ["  nothing leaves its range"]


ACTIVATED = (
    "active_material.diffusivity_activation_energy=30 kJ/mol",
    "active_material.rate_constant_activation_energy=30 kJ/mol",
    "lithium_metal.rate_constant_activation_energy=30 kJ/mol",
)
NYMAN = ('electrolyte.model="nyman"', steps("charge at 5C until 4.2 V"))
CONDUCTING = ("active_material.electronic_conduction_in_particles=true",)
SMALL_I0 = (
    "active_material.rate_constant=1e-18 m/s",
    "active_material.double_layer_capacitance=1 F/m^2",
)

# code: (key named, overrides with which it comes up, overrides with which it does not)
CASES: list[tuple[str, str, tuple[str, ...], tuple[str, ...]]] = [
    (
        "loss_separator",
        "separator.porosity",
        ("separator.porosity=1e-30",),
        ("separator.porosity=0.1",),
    ),
    (
        "loss_separator",
        "separator.porosity",
        ("separator.porosity=1e-300",),
        ("separator.porosity=1",),
    ),
    (
        "loss_separator",
        "electrolyte.conductivity",
        (*CONSTANT, "electrolyte.conductivity=1e-9 S/m"),
        CONSTANT,
    ),
    (
        # A hold names no current, but has none either.
        "loss_separator",
        "separator.porosity",
        ("separator.porosity=1e-30", steps("hold at 4.2 V for 1 h")),
        ("separator.porosity=0.3", steps("hold at 4.2 V for 1 h")),
    ),
    (
        "loss_carbon",
        "carbon_binder.conductivity",
        ("carbon_binder.conductivity=1e-9 S/m",),
        ("carbon_binder.conductivity=0.1 S/m",),
    ),
    (
        "loss_carbon",
        "carbon_binder.electrolyte_fraction",
        ("carbon_binder.electrolyte_fraction=0.9999",),
        ("carbon_binder.electrolyte_fraction=0.95",),
    ),
    (
        "loss_electrolyte",
        "carbon_binder.electrolyte_fraction",
        ("carbon_binder.electrolyte_fraction=1e-5",),
        ("carbon_binder.electrolyte_fraction=0.3",),
    ),
    (
        "loss_contact",
        "collector.contact_resistance",
        ("collector.contact_resistance=0.1 ohm m^2", steps("charge at 1C until 4.2 V")),
        ("collector.contact_resistance=0.001 ohm m^2", steps("charge at 1C until 4.2 V")),
    ),
    (
        "loss_lithium_metal",
        "lithium_metal.rate_constant",
        ("lithium_metal.rate_constant=1e-18 m/s",),
        ('lithium_metal.kinetics="ideal"',),
    ),
    (
        "loss_interface",
        "active_material.rate_constant",
        ("active_material.rate_constant=1e-18 m/s",),
        ("active_material.rate_constant=1e-12 m/s",),
    ),
    (
        "loss_interface",
        "active_material.exchange_current_prefactor",
        (*AUTOCATALYTIC, "active_material.exchange_current_prefactor=1e-9 A/m^2"),
        (*AUTOCATALYTIC, "active_material.exchange_current_prefactor=2 A/m^2"),
    ),
    (
        "loss_interface",
        "penalty",
        ("penalty.scale=1e-9", "penalty.minimum=1e-12"),
        ("penalty.scale=0.1", "penalty.minimum=1e-12"),
    ),
    (
        "loss_particles",
        "active_material.electronic_conductivity",
        (*CONDUCTING, "active_material.electronic_conductivity=1e-9 S/m"),
        (*CONDUCTING, "active_material.electronic_conductivity=1e-3 S/m"),
    ),
    (
        "salt_depletion",
        "protocol.steps",
        (steps("charge at 1e4C until 4.2 V"),),
        (steps("charge at 5C until 4.2 V"),),
    ),
    (
        "diffusion_limit",
        "active_material.diffusivity",
        ("active_material.diffusivity=1e-22 m^2/s",),
        ("active_material.diffusivity=1e-15 m^2/s",),
    ),
    (
        "coarse_elements",
        "geometry.mesh.surface_size_factor",
        ("active_material.diffusivity=1e-18 m^2/s", "solver.layers=none"),
        ("active_material.diffusivity=1e-15 m^2/s",),
    ),
    (
        # A pulse's layer is thin, but its surface hardly moves.
        "coarse_elements",
        "geometry.mesh.surface_size_factor",
        (steps("charge at 10C for 10 s"), "solver.layers=none"),
        (steps("charge at C/10 for 10 s"),),
    ),
    (
        "double_layer_share",
        "active_material.double_layer_capacitance",
        ("active_material.double_layer_capacitance=1000 F/m^2",),
        ("active_material.double_layer_capacitance=0.2 F/m^2",),
    ),
    (
        "double_layer_time",
        "active_material.double_layer_capacitance",
        SMALL_I0,
        SMALL_I0[1:],
    ),
    (
        "separator_thickness",
        "geometry.separator_thickness",
        ("geometry.separator_thickness=0.01 um",),
        ("geometry.separator_thickness=10 um",),
    ),
    (
        "coating_thickness",
        "geometry.coating_thickness",
        ("geometry.coating_thickness=5000 um", "composition.areal_mass=400 mg/cm^2"),
        ("geometry.coating_thickness=200 um", "composition.areal_mass=40 mg/cm^2"),
    ),
    (
        "bruggeman_separator",
        "separator.bruggeman_exponent",
        ("separator.bruggeman_exponent=0.5",),
        ("separator.bruggeman_exponent=2.5",),
    ),
    (
        "bruggeman_coating",
        "carbon_binder.bruggeman_exponent",
        ("carbon_binder.bruggeman_exponent=5",),
        ("carbon_binder.bruggeman_exponent=1",),
    ),
    (
        "maximum_concentration",
        "active_material.maximum_concentration",
        ("active_material.maximum_concentration=4920 mol/m^3",),
        ("active_material.maximum_concentration=63104 mol/m^3",),
    ),
    (
        "temperature_without_activation",
        "lithium_metal.rate_constant_activation_energy",
        ("temperature=313.15 K", *ACTIVATED[:2]),
        ("temperature=313.15 K", *ACTIVATED),
    ),
    (
        "temperature_without_activation",
        "active_material.diffusivity_activation_energy",
        ("temperature=20 degC", *ACTIVATED[1:]),
        ("temperature=298 K", *ACTIVATED[1:]),
    ),
    (
        "temperature_of_electrolyte",
        "temperature",
        (*CONSTANT, "temperature=303.15 K"),
        ("temperature=303.15 K",),
    ),
    ("temperature_of_curve", "temperature", ("temperature=0 degC",), ("temperature=30 degC",)),
    (
        "salt_concentration",
        "electrolyte.model",
        (*CONSTANT, "electrolyte.initial_concentration=3950 mol/m^3"),
        (*CONSTANT, "electrolyte.initial_concentration=3000 mol/m^3"),
    ),
    (
        "salt_concentration",
        "electrolyte.model",
        (*NYMAN, "electrolyte.initial_concentration=1900 mol/m^3"),
        (*NYMAN, "electrolyte.initial_concentration=1000 mol/m^3"),
    ),
    (
        "open_circuit_curve",
        "active_material.open_circuit_potential",
        (steps("charge at C/10 until 4.5 V"),),
        (steps("charge at C/10 until 4.28 V"),),
    ),
    (
        "open_circuit_curve",
        "active_material.open_circuit_potential",
        (steps("charge at C/10 until 4 V", "hold at 4.4 V for 1 h"),),
        (steps("charge at C/10 until 4 V", "hold at 4.2 V for 1 h"),),
    ),
    (
        # The start alone: NMC811's curve was measured up to a lithium fraction of 0.976.
        "open_circuit_curve",
        "active_material.open_circuit_potential",
        ('active_material.open_circuit_potential="NMC811"', steps("rest for 1 h")),
        (
            'active_material.open_circuit_potential="NMC811"',
            "active_material.initial_lithium_fraction=0.9",
            steps("rest for 1 h"),
        ),
    ),
    (
        "diffusivity_function",
        "active_material.diffusivity",
        ("active_material.diffusivity=colclasure_nmc532",),
        (
            "active_material.diffusivity=colclasure_nmc532",
            "active_material.initial_lithium_fraction=0.97",
        ),
    ),
    (
        "electronic_conductivity_function",
        "active_material.electronic_conductivity",
        (*CONDUCTING, steps("charge at C/10 until 4.55 V")),
        CONDUCTING,
    ),
]


@pytest.mark.parametrize(
    ("code", "key", "bad", "good"), CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)]
)
def test_it_is_found_before_the_run(
    code: str, key: str, bad: tuple[str, ...], good: tuple[str, ...]
) -> None:
    found = codes(given(*bad))
    assert code in found
    warning = found[code]
    assert key in warning.message
    assert key.partition(".")[0] in warning.key
    assert "\n" not in warning.message
    assert warning.value is not None
    assert warning.allowed is not None
    low, high = warning.allowed
    assert not ((low is None or low <= warning.value) and (high is None or warning.value <= high))
    assert code not in codes(given(*good))


@pytest.mark.parametrize("bad", [case[2] for case in CASES])
def test_all_that_check_prints_can_be_printed(bad: tuple[str, ...]) -> None:
    p = given(*bad)
    lines = describe_validity(p)
    assert all(line.startswith("  warning: ") for line in lines)
    assert describe_regimes(p)


@pytest.mark.parametrize(
    ("key", "column", "switch", "code"),
    [
        ("diffusivity_table", "diffusivity_m2_s", (), "diffusivity_function"),
        (
            "exchange_current_table",
            "exchange_current_A_m2",
            ('active_material.exchange_current="table"',),
            "exchange_current_function",
        ),
        (
            "electronic_conductivity_table",
            "conductivity_S_m",
            CONDUCTING,
            "electronic_conductivity_function",
        ),
    ],
)
def test_tables_hold_between_their_ends(
    tmp_path: Path, key: str, column: str, switch: tuple[str, ...], code: str
) -> None:
    text = PRESET.read_text()
    if key == "diffusivity_table":
        text = text.replace("\ndiffusivity =", "\n# diffusivity =")
    (tmp_path / "params.toml").write_text(text)
    value = {"diffusivity_m2_s": 3e-15, "exchange_current_A_m2": 0.1, "conductivity_S_m": 1e-2}
    for ends, leaves in (((0.5, 0.99), True), ((0.3, 0.99), False)):
        (tmp_path / "table.csv").write_text(
            f"stoichiometry,{column}\n" + "".join(f"{x},{value[column]}\n" for x in ends)
        )
        overrides = [
            steps("charge at C/10 until 4.2 V"),
            f"active_material.{key}={tmp_path / 'table.csv'}",
            *switch,
        ]
        found = codes(load_parameters(tmp_path / "params.toml", overrides))
        assert (code in found) == leaves
        if leaves:
            assert "table.csv" in found[code].message
            assert found[code].allowed == ends


def test_every_named_function_says_where_it_was_measured() -> None:
    assert solid_diffusion.MEASURED_RANGES.keys() == solid_diffusion.DIFFUSIVITIES.keys()
    conductivities = electronic_conduction.ELECTRONIC_CONDUCTIVITIES
    assert electronic_conduction.MEASURED_RANGES.keys() == conductivities.keys()
    for ranges in (solid_diffusion.MEASURED_RANGES, electronic_conduction.MEASURED_RANGES):
        assert all(0 <= each.low < each.high <= 1 and each.source for each in ranges.values())


def test_presets_say_only_that_they_leave_the_measured_curve() -> None:
    for preset in sorted((ROOT / "params").glob("*.toml")):
        p = load_parameters(preset)
        # scale.toml ends before its charge leaves the curve.
        leaves = {"open_circuit_curve"} if preset.stem != "scale" else set()
        assert codes(p).keys() == leaves, preset
        volts = open_circuit_potential(p.active_material.open_circuit_potential)
        assert volts.measured_voltage[1] < 4.5


def edges() -> list[str]:
    """Overrides that put each number of the schema at an end of what it may be."""
    found = []
    for name, _ in parameter_rows(given(*CONSTANT, *CONDUCTING)):
        physical = physical_of(name)
        if physical is None or name.startswith("solver"):
            continue
        low = physical.at_least if physical.above is None else physical.above + 1e-300
        high = physical.up_to if physical.below is None else 1 - 1e-15
        found += [
            f"{name}={value!r} {physical.display_unit}" if physical.unit else f"{name}={value!r}"
            for value in (low, high)
            if value is not None
        ]
    return found


def test_no_legal_number_is_too_much_for_it() -> None:
    tried = 0
    for edge in [*edges(), steps("charge at 1e-6C for 1 s"), steps("charge at 1e4C for 1 s")]:
        for base in ((), (*CONSTANT, *CONDUCTING)):
            try:
                p = given(*base, edge)
            except InputError:
                continue
            tried += 1
            assert all(line.startswith("  ") for line in describe_validity(p)), edge
    assert tried > 60


# -- what a protocol never comes to ---------------------------------------------------------------

RELAX = 'penalty.conditioning={rule="relax", fraction=0.5}'
CYCLE = ("charge at C/2 until 4.2 V", "discharge at C/2 until 3.6 V")


@pytest.mark.parametrize(
    ("once", "again"),
    [
        ((), ("protocol.repeat=2",)),
        ((steps(*CYCLE),), (steps(*CYCLE, CYCLE[0]),)),
        ((steps(*CYCLE, "rest for 1 h"),), (steps("discharge at C/2 until 3.2 V", CYCLE[0]),)),
        (
            ('protocol.steps=[{repeat = 9, steps = ["charge at C/2 for 1 min"]}]',),
            (
                'protocol.steps=[{repeat = 2, steps = ["charge at C/2 for 2 min", '
                '"discharge at C/2 for 1 min"]}]',
            ),
        ),
    ],
)
def test_conditioning_without_a_second_cycle(once: tuple[str, ...], again: tuple[str, ...]) -> None:
    found = codes(given(RELAX, *once))
    assert "the protocol has one cycle" in found["conditioning_without_cycles"].message
    assert "conditioning_without_cycles" not in codes(given(RELAX, *again))
    assert "conditioning_without_cycles" not in codes(given(*once))


@pytest.mark.parametrize(
    ("stops", "missed", "protocol"),
    [
        ('["4 V", "4.3 V", "4.5 V"]', "4.3 V, 4.5 V", steps("charge at C/2 until 4.2 V")),
        ('["3.3 V", "4 V"]', "3.3 V", steps("rest for 1 h", "charge at C/2 for 1 h")),
        ('["4 V", "3.5 V", "4.3 V"]', "3.5 V, 4.3 V", steps(*CYCLE)),
        ('["4.1 V", "4.3 V"]', "4.3 V", steps("hold at 4.2 V for 1 h", CYCLE[1])),
        ('["3.6 V"]', "3.6 V", steps("discharge at C/2 for 1 h")),
        ('["4.3 V"]', "4.3 V", steps("gitt: charge at C/2 for 9 min, rest for 1 h, until 4.2 V")),
    ],
)
def test_stops_out_of_reach(stops: str, missed: str, protocol: str) -> None:
    warning = codes(given(protocol, f"protocol.stops={stops}"))["stops_out_of_reach"]
    assert f"reaches {missed}: " in warning.message


@pytest.mark.parametrize(
    ("stop", "protocol"),
    [
        # At the end of a step, and where the end is no voltage.
        ("4.2 V", steps("charge at C/2 until 4.2 V")),
        ("4.5 V", steps("charge at C/2 until x = 0.5")),
        ("3.3 V", steps("charge at C/2 for 1 h", "discharge at C/2 until 3.2 V")),
        # The second charge ends farther.
        ("4.3 V", steps("charge at C/2 until 4.2 V", "charge at C/2 until 4.4 V")),
        ("4.4 V", steps("hold at 4.5 V for 1 h", CYCLE[1])),
        ("3.3 V", steps("hold at 3.2 V for 1 h", "charge at C/2 until 4.2 V")),
    ],
)
def test_stops_that_may_be_reached(stop: str, protocol: str) -> None:
    assert "stops_out_of_reach" not in codes(given(protocol, f'protocol.stops=["{stop}"]'))


def test_a_table_reaches_every_stop_up_to_its_ends(tmp_path: Path) -> None:
    table = tmp_path / "drive.csv"
    table.write_text("time_s,current_A_m2\n0,1\n9,-1\n", encoding="utf-8")
    stop = 'protocol.stops=["4.4 V"]'
    assert "stops_out_of_reach" not in codes(given(steps(f"follow {table}", CYCLE[1]), stop))
    ended = steps(f"follow {table} until above 4.3 V", CYCLE[1])
    assert "stops_out_of_reach" in codes(given(ended, stop))


# -- notes that are no warnings -----------------------------------------------------------------


def test_two_dimensions_say_what_they_are() -> None:
    flat = "\n".join(describe_derived(given()))
    assert "a third less surface per volume than spheres" in flat
    solid = load_parameters(ROOT / "params" / "cube_50.toml")
    assert "spheres" not in "\n".join(describe_derived(solid))


def test_rescaled_penalties_depend_on_how_many_there_are() -> None:
    rescaled = "\n".join(describe_derived(given('penalty.restriction="rescale"')))
    assert "divided by the largest drawn" in rescaled
    assert "divided by the largest" not in "\n".join(describe_derived(given()))


def test_every_code_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## What leaves its validity")[2].partition("\n## ")[0]
    told = {case[0] for case in CASES} | {valid.code for valid in valid_ranges(given())}
    told |= {"exchange_current_function", "mesh_quality", "rescaled_penalties"}
    told |= {"conditioning_without_cycles", "stops_out_of_reach"}
    assert {code for code in told if f"`{code}`" not in section} == set()
