"""Every mistake in an input file gives one line: file, key, value, what is allowed, the remedy."""

import os
import socket

import pytest

from helpers.paths import PARAMS
from helpers.refusals import BASE, line, message, write
from heterode.parameters import load_parameters

RATE = r'^rate_constant = "1e-9 m/s".*$'

EDITS = {
    # name: (edits, fragments that the line must contain)
    "unknown unit": (
        [(line("coating_thickness"), 'coating_thickness = "46 umm"')],
        ['geometry.coating_thickness = "46 umm"', "unknown unit 'umm'", "'um'", "up to 10000 um"],
    ),
    "wrong dimension": (
        [(line("coating_thickness"), 'coating_thickness = "46 s"')],
        ['geometry.coating_thickness = "46 s"', "is a time, not a length", 'like "46 um"'],
    ),
    "missing unit": (
        [(line("coating_thickness"), 'coating_thickness = "46"')],
        ["geometry.coating_thickness", "has no unit"],
    ),
    "bare number": (
        [(line("diffusivity"), "diffusivity = 3e-15")],
        ["active_material.diffusivity = 3e-15", "has no unit", '"3e-15 m^2/s"'],
    ),
    "number in quotes": (
        [(line("sigma"), 'sigma = "0.4"')],
        ['geometry.particle_size.sigma = "0.4"', "not a plain number", "without quotes"],
    ),
    "negative length": (
        [(line("coating_thickness"), 'coating_thickness = "-46 um"')],
        ['geometry.coating_thickness = "-46 um"', "out of range", "at least 0.01"],
    ),
    "diffusivity zero": (
        [(line("diffusivity"), 'diffusivity = "0 m^2/s"')],
        ['active_material.diffusivity = "0 m^2/s"', "out of range"],
    ),
    "fraction above one": (
        [(line("porosity"), "porosity = 1.4")],
        ["separator.porosity = 1.4", "out of range", "above 0, up to 1"],
    ),
    "nan": (
        [(line("porosity"), "porosity = nan")],
        ["separator.porosity = nan", "not finite"],
    ),
    "infinite": (
        [(line("sigma"), "sigma = inf")],
        ["geometry.particle_size.sigma = inf", "not finite"],
    ),
    "infinite quantity": (
        [(line("diffusivity"), 'diffusivity = "inf m^2/s"')],
        ["active_material.diffusivity", "does not begin with a finite number"],
    ),
    "bool for a number": (
        [(line("porosity"), "porosity = true")],
        ["separator.porosity = true", "not a plain number"],
    ),
    "bool for a whole number": (
        [(r"^packing = 1$", "packing = true")],
        ["seeds.packing = true", "not a whole number"],
    ),
    "bool for a choice": (
        [(r"^\[seeds\]$", "[solver]\ndegree = true\n[seeds]")],
        ["solver.degree = true", "1, 2"],
    ),
    "list for a number": (
        [(line("porosity"), "porosity = [0.3]")],
        ["separator.porosity = [0.3]", "not a plain number"],
    ),
    "unknown key": (
        [(line("coating_thickness"), 'coating_thicknes = "46 um"')],
        ["geometry.coating_thicknes", "is not a key of [geometry]", "'coating_thickness'"],
    ),
    "key of another section": (
        [(line("minimum_gap"), 'minimum_gap = "0.1 um"\nporosity = 0.4')],
        ["geometry.porosity = 0.4", "Did you mean 'separator.porosity'"],
    ),
    "unknown key in a choice of tables": (
        [(line("median"), 'median = "5 um"\nsgma = 0.4')],
        ["geometry.particle_size.sgma", "is not a key of [geometry.particle_size]", "'sigma'"],
    ),
    "unknown section": (
        [(r"^\[separator\]$", "[seperator]")],
        ["seperator", "is not a key of the file", "'separator'"],
    ),
    "missing key": (
        [(line("separator_thickness"), "")],
        ["geometry.separator_thickness is missing", "up to 10000 um"],
    ),
    "missing rate constant": (
        [(r"^rate_constant = \"1e-9 m/s\".*$", "")],
        ["rate_constant is missing"],
    ),
    "missing section": (
        [(r"^\[penalty\]$(.|\n)*?(?=^\[electrolyte\])", "")],
        ["penalty is missing", "[penalty]"],
    ),
    "section is a value": (
        [
            (r"^\[separator\]$(.|\n)*?(?=^\[lithium_metal\])", ""),
            (r"^title = .*$", "separator = 3"),
        ],
        ["separator = 3", "not a section"],
    ),
    "unknown distribution": (
        [(r"^distribution = .*$(?=\nmedian)", 'distribution = "lognorml"')],
        ['geometry.particle_size.distribution = "lognorml"', "'lognormal'", "monodisperse"],
    ),
    "distribution missing": (
        [(r"^distribution = .*$(?=\nmedian)", "")],
        ["geometry.particle_size.distribution is missing", "lognormal, monodisperse, table"],
    ),
    "width and particles": (
        [(line("particles"), 'particles = 60\nwidth = "100 um"')],
        ["geometry.particles = 60", "together with width", "exactly one"],
    ),
    "neither width nor particles": (
        [(line("particles"), "")],
        ["geometry.particles is missing, and so is width", "exactly one"],
    ),
    "no particles": (
        [(line("particles"), "particles = 0")],
        ["geometry.particles = 0", "out of range", "at least 1"],
    ),
    "half a particle": (
        [(line("particles"), "particles = 60.5")],
        ["geometry.particles = 60.5", "not a whole number"],
    ),
    "impossible area fraction": (
        [(line("particles"), "particles = 60\nactive_fraction = 0.8")],
        ["geometry.active_fraction = 0.8", "out of range", "up to 0.65"],
    ),
    "impossible area fraction by composition": (
        [(line("areal_mass"), 'areal_mass = "16 mg/cm^2"')],
        ["geometry.coating_thickness", "fraction of 0.688", "up to 0.65", "composition.areal_mass"],
    ),
    "mass does not fit": (
        [(line("areal_mass"), 'areal_mass = "30 mg/cm^2"')],
        ['composition.areal_mass = "30 mg/cm^2"', "does not fit", "below 20 mg/cm^2"],
    ),
    "no composition and no fraction": (
        [(r"^\[composition\]$(.|\n)*?(?=^\[active_material\])", "")],
        [
            "geometry.active_fraction is missing",
            "up to 0.65",
            "[composition]",
            "Also missing: carbon_binder.electrolyte_fraction.",
        ],
    ),
    "mass fractions": (
        [(line("carbon_mass_fraction"), "carbon_mass_fraction = 0.3")],
        ["composition.active_mass_fraction = 0.94", "sum to 1.27"],
    ),
    "bad composition does not hide": (
        [(line("active_density"), 'active_density = "4.75 g"')],
        ["composition.active_density", "is a mass, not a density"],
    ),
    "sizes reversed": (
        [(r"^minimum = \"1 um\".*$", 'minimum = "20 um"')],
        ['geometry.particle_size.minimum = "20 um"', "not below the maximum of 10 um"],
    ),
    "median outside": (
        [(line("median"), 'median = "12 um"')],
        ['geometry.particle_size.median = "12 um"', "from 1 to 10 um"],
    ),
    "next to nothing of the sizes inside the bounds": (
        [
            (line("sigma"), "sigma = 2"),
            (line("maximum"), 'maximum = "5.001 um"'),
            (r"^minimum = \"1 um\".*$", 'minimum = "5 um"'),
        ],
        ["geometry.particle_size.sigma = 2", "between 5 and 5.001 um", "widen minimum and maximum"],
    ),
    "coating thinner than a particle": (
        [
            (line("coating_thickness"), 'coating_thickness = "8 um"'),
            (line("areal_mass"), 'areal_mass = "1 mg/cm^2"'),
        ],
        ["geometry.coating_thickness", "too thin for the largest particle", "above 10.1 um"],
    ),
    "negative gap": (
        [(line("minimum_gap"), 'minimum_gap = "-0.1 um"')],
        ['geometry.minimum_gap = "-0.1 um"', "at least 0"],
    ),
    "gap larger than particles": (
        [(line("minimum_gap"), 'minimum_gap = "6 um"')],
        ['geometry.minimum_gap = "6 um"', "as large as the particles"],
    ),
    "gap leaves no room": (
        [(line("minimum_gap"), 'minimum_gap = "2 um"')],
        ['geometry.minimum_gap = "2 um"', "no room"],
    ),
    "curved cells in 3D": (
        [(line("dimension"), "dimension = 3\nmesh = { order = 2 }")],
        ["geometry.mesh.order = 2", "not made in 3D", "(allowed: 1 in 3D)"],
    ),
    "four dimensions": (
        [(line("dimension"), "dimension = 4")],
        ["geometry.dimension = 4", "no dimension of an electrode", "(allowed: 2 or 3)"],
    ),
    "walls": (
        [(line("walls"), 'walls = "insid"')],
        ['geometry.walls = "insid"', "inside, cut", "'inside'"],
    ),
    "mesh file missing": (
        [(line("minimum_gap"), 'mesh_file = "none.msh"')],
        ["geometry.mesh_file", "none.msh", "does not exist"],
    ),
    "unknown material": (
        [(line("open_circuit_potential"), 'open_circuit_potential = "NMC523"')],
        ['active_material.open_circuit_potential = "NMC523"', "NMC532, NMC622", "'NMC5"],
    ),
    "unknown diffusivity function": (
        [(line("diffusivity"), 'diffusivity = "colclasure"')],
        ['active_material.diffusivity = "colclasure"', "'colclasure_nmc532'"],
    ),
    "unknown electrolyte": (
        [(r"^model = .*$", 'model = "landsfeind"')],
        ['electrolyte.model = "landsfeind"', "'landesfeind'", "valoen_reimers"],
    ),
    "constant electrolyte without numbers": (
        [(r"^model = .*$", 'model = "constant"')],
        ["electrolyte.diffusivity is missing", "a constant electrolyte needs it"],
    ),
    "numbers with a model": (
        [(r"^model = .*$", 'model = "nyman"\nconductivity = "1 S/m"')],
        ['electrolyte.conductivity = "1 S/m"', "the model nyman computes it", "Remove"],
    ),
    "salt outside the electrolyte's range": (
        [(line("initial_concentration"), 'initial_concentration = "3.5 mol/l"')],
        ["electrolyte.initial_concentration", "range of landesfeind", "to 3000 mol/m^3"],
    ),
    "lundgren away from 298.15 K": (
        [
            (r"^model = .*$", 'model = "lundgren"'),
            (r"^temperature = .*$", 'temperature = "20 degC"'),
        ],
        ['temperature = "20 degC"', "range of the electrolyte lundgren", "298.15 K alone"],
    ),
    "lundgren where its t+ is negative": (
        [
            (r"^model = .*$", 'model = "lundgren"'),
            (line("initial_concentration"), 'initial_concentration = "2 mol/l"'),
        ],
        ["electrolyte.initial_concentration", "range of lundgren", "to 1500 mol/m^3"],
    ),
    "temperature in bare Celsius": (
        [(r"^temperature = .*$", 'temperature = "25 C"')],
        ['temperature = "25 C"', "unknown unit 'C'", "298.15 K"],
    ),
    "temperature outside the electrolyte's range": (
        [(r"^temperature = .*$", 'temperature = "330 K"')],
        ['temperature = "330 K"', "range of the electrolyte landesfeind", "323.15 K"],
    ),
    "transfer coefficients": (
        [(line("anodic_transfer") + "(?=\ncathodic)", "anodic_transfer = 0.6")],
        ["active_material.anodic_transfer = 0.6", "do not sum to 1", "equation (13)"],
    ),
    "two ways to give the rate constant": (
        [(r"^anodic_transfer = .*$(?=\ncath)", 'rate_constant_anodic = "1e-9 m/s"')],
        ["active_material.rate_constant", "together with rate_constant_anodic"],
    ),
    "window reversed": (
        [(line("voltage_window"), 'voltage_window = { low = "4.5 V", high = "2.8 V" }')],
        ['active_material.voltage_window.low = "4.5 V"', "not below", "Exchange"],
    ),
    "window outside the curve": (
        [(line("voltage_window"), 'voltage_window = { low = "2.8 V", high = "5 V" }')],
        ['active_material.voltage_window.high = "5 V"', "open-circuit curve", "from 2.8 to 4.6 V"],
    ),
    "start outside the window": (
        [(line("initial_lithium_fraction"), "initial_lithium_fraction = 0.1")],
        ["active_material.initial_lithium_fraction = 0.1", "window 2.8-4.5 V", "above 0.2482"],
    ),
    "start at one": (
        [(line("initial_lithium_fraction"), "initial_lithium_fraction = 1")],
        ["active_material.initial_lithium_fraction = 1", "out of range"],
    ),
    "weibull without shape": (
        [(r"^shape = .*$", "")],
        ["penalty.shape is missing", "weibull penalty needs it"],
    ),
    "penalty minimum": (
        [(r"^minimum = 1e-3.*$", "minimum = 2")],
        ["penalty.minimum = 2", "below 1"],
    ),
    "penalty table missing": (
        [(r"^distribution = \"weibull\"$", 'distribution = "table"\nfile = "pen.csv"')],
        ["penalty.file", "pen.csv", "does not exist", "particle, penalty"],
    ),
    "contact resistance zero": (
        [(line("contact_resistance"), 'contact_resistance = "0 ohm cm^2"')],
        ["collector.contact_resistance", "out of range"],
    ),
    "steps empty": (
        [(line("steps"), "steps = []")],
        ["protocol.steps = []", "is empty", "charge at C/20 until 4.5 V"],
    ),
    "steps a text": (
        [(line("steps"), 'steps = "charge at C/20 until 4.5 V"')],
        ["protocol.steps", "not a list of steps"],
    ),
    "step a number": ([(line("steps"), "steps = [3]")], ["protocol.steps[0] = 3", "not a text"]),
    "step unreadable": (
        [(line("steps"), 'steps = ["chrge at C/40 until 4.5 V"]')],
        ['protocol.steps[0] = "chrge at C/40 until 4.5 V"', "is not a step", "rest for 1 h"],
    ),
    "second step without end": (
        [(line("steps"), 'steps = ["charge at C/40 until 4.5 V", "discharge at C/40"]')],
        ['protocol.steps[1] = "discharge at C/40"', "has no end"],
    ),
    "cut-off outside the curve": (
        [(line("steps"), 'steps = ["charge at C/40 until 4.9 V"]')],
        ["protocol.steps[0]", "4.9 V", "outside the range of the open-circuit curve", "2.8 to 4.6"],
    ),
    "charge to below the start": (
        [(line("steps"), 'steps = ["charge at C/40 until 3 V"]')],
        ["protocol.steps[0]", "would end at once", "3.534 V already", "Raise the cut-off"],
    ),
    "first charge to where the cell is": (
        [(line("steps"), 'steps = ["charge at C/40 until 3.5 V", "charge at C/9 until 4.4 V"]')],
        ["protocol.steps[0]", "would end at once", "3.534 V already"],
    ),
    "discharge upwards": (
        [(line("steps"), 'steps = ["discharge at C/40 until 4 V"]')],
        ["protocol.steps[0]", "would end at once", "charge first"],
    ),
    "rate of zero": (
        [(line("steps"), 'steps = ["charge at C/0 until 4.5 V"]')],
        ["protocol.steps[0]", "not above zero"],
    ),
    "negative seed": (
        [(r"^packing = 1$", "packing = -1")],
        ["seeds.packing = -1", "out of range", "at least 0"],
    ),
    "activation energy in other units": (
        [
            (
                RATE,
                'rate_constant = "1e-9 m/s"\nrate_constant_activation_energy = "30 kJ"',
            )
        ],
        ["active_material.rate_constant_activation_energy", "not a molar energy", "30 kJ/mol"],
    ),
    "activation energy beyond its range": (
        [
            (
                RATE,
                'rate_constant = "1e-9 m/s"\nrate_constant_activation_energy = "500 kJ/mol"',
            )
        ],
        ['rate_constant_activation_energy = "500 kJ/mol"', "at least 0, up to 150 kJ/mol"],
    ),
    "activation energy of a function": (
        [
            (
                line("diffusivity"),
                'diffusivity = "oregan_nmc811"\ndiffusivity_activation_energy = "20 kJ/mol"',
            )
        ],
        ["active_material.diffusivity_activation_energy", "oregan_nmc811", "of its own"],
    ),
    "two diffusivities": (
        [
            (
                line("diffusivity"),
                'diffusivity = "3e-15 m^2/s"\ndiffusivity_table = "D.csv"',
            )
        ],
        ["active_material.diffusivity", "together with diffusivity_table", "one of the two"],
    ),
    "no such table of the diffusivity": (
        [(line("diffusivity"), 'diffusivity_table = "D.csv"')],
        ["active_material.diffusivity_table", "does not exist", "stoichiometry, diffusivity_m2_s"],
    ),
    "unknown law of the exchange current": (
        [(RATE, 'rate_constant = "1e-9 m/s"\nexchange_current = "tabel"')],
        [
            'active_material.exchange_current = "tabel"',
            "power_law, table, autocatalytic",
            "'table'",
        ],
    ),
    "law without its table": (
        [(RATE, 'exchange_current = "table"')],
        ["active_material.exchange_current_table is missing", '"table" needs it'],
    ),
    "law without its prefactor": (
        [(RATE, 'exchange_current = "autocatalytic"')],
        ["active_material.exchange_current_prefactor is missing", '"2 A/m^2"'],
    ),
    "two conductivities of the particles": (
        [
            (
                RATE,
                'rate_constant = "1e-9 m/s"\nelectronic_conductivity = "1 S/m"\n'
                'electronic_conductivity_table = "sigma.csv"',
            )
        ],
        ["active_material.electronic_conductivity", "together with", "one of the two"],
    ),
    "conduction in particles a text": (
        [
            (
                RATE,
                'rate_constant = "1e-9 m/s"\nelectronic_conduction_in_particles = "yes"',
            )
        ],
        ['electronic_conduction_in_particles = "yes"', "not true or false"],
    ),
    "unknown conductivity function": (
        [(RATE, 'rate_constant = "1e-9 m/s"\nelectronic_conductivity = "amin"')],
        ['electronic_conductivity = "amin"', "'amin_nmc'"],
    ),
    "negative capacitance": (
        [
            (
                RATE,
                'rate_constant = "1e-9 m/s"\ndouble_layer_capacitance = "-1 F/m^2"',
            )
        ],
        ['active_material.double_layer_capacitance = "-1 F/m^2"', "at least 0, up to 1000 F/m^2"],
    ),
    "conditioning without its fraction": (
        [(r"^shape = 1.5", "conditioning = { rule = 'relax' }\nshape = 1.5")],
        ["penalty.conditioning.fraction is missing", "fraction = 0.5"],
    ),
    "conditioning with another rule's number": (
        [(r"^shape = 1.5", "conditioning = { rule = 'redraw', fraction = 0.5 }\nshape = 1.5")],
        ["penalty.conditioning.fraction = 0.5", "has no use for it", '"relax"'],
    ),
    "conditioning of nothing": (
        [
            (
                r"^distribution = \"weibull\"$",
                "distribution = \"none\"\nconditioning = { rule = 'uniform' }",
            )
        ],
        ['penalty.conditioning.rule = "uniform"', "changes nothing"],
    ),
    "correlation length without a unit": (
        [(r"^shape = 1.5", "correlation_length = 20\nshape = 1.5")],
        ["penalty.correlation_length = 20", "at least 0, up to 10000 um", '"20 um"'],
    ),
    "correlation length below zero": (
        [(r"^shape = 1.5", 'correlation_length = "-1 um"\nshape = 1.5')],
        ["penalty.correlation_length", "-1 um", "out of range", "at least 0"],
    ),
    "unknown correlation": (
        [(r"^shape = 1.5", 'correlation = "gausian"\nshape = 1.5')],
        ['penalty.correlation = "gausian"', "exponential, gaussian", "'gaussian'"],
    ),
    "correlation of nothing": (
        [
            (
                r"^distribution = \"weibull\"$",
                'distribution = "none"\ncorrelation_length = "20 um"',
            )
        ],
        ['penalty.correlation_length = "20 um"', "cannot correlate", "weibull"],
    ),
    "too many to correlate": (
        [
            (r"^shape = 1.5", 'correlation_length = "20 um"\nshape = 1.5'),
            (r"^particles = 100", "particles = 10001"),
        ],
        ["penalty.correlation_length", "10001", "up to 10000 particles", "table"],
    ),
    "unknown rule of conditioning": (
        [(r"^shape = 1.5", "conditioning = { rule = 'relx' }\nshape = 1.5")],
        ['penalty.conditioning.rule = "relx"', "'relax'"],
    ),
    "newton iterations": (
        [(r"^\[seeds\]$", "[solver]\nnewton_iterations = 1\n[seeds]")],
        ["solver.newton_iterations = 1", "at least 2"],
    ),
    "mesh sizes reversed": (
        [(r"^\[composition\]$", '[geometry.mesh]\nminimum_size = "9 um"\n[composition]')],
        ['geometry.mesh.minimum_size = "9 um"', "larger than maximum_size"],
    ),
    "output directory a number": (
        [(r"^\[seeds\]$", "[output]\ndirectory = 3\n[seeds]")],
        ["output.directory = 3", "not a path"],
    ),
    "a date": (
        [(line("porosity"), "porosity = 2026-01-01")],
        ["separator.porosity", "not a plain number"],
    ),
    "title a number": ([(line("title"), "title = 3")], ["title = 3", "not a text"]),
}


@pytest.mark.parametrize("name", EDITS)
def test_mistake_in_the_file(name, tmp_path):
    edits, fragments = EDITS[name]
    file = write(tmp_path, *edits)
    text = message(file)
    assert text.startswith(f"{file}: ")
    for fragment in fragments:
        assert fragment in text


def test_unedited_file_loads(tmp_path):
    """The negative control of all the above: without an edit there is no mistake to report."""
    assert load_parameters(write(tmp_path)).title.startswith("Preset")


def test_missing_file(tmp_path):
    assert "no such file" in message(tmp_path / "none.toml")


def test_directory(tmp_path):
    assert "is a directory" in message(tmp_path)


def test_not_utf8(tmp_path):
    file = tmp_path / "demo.toml"
    file.write_bytes(b'title = "\xe9lectrode"\n')
    assert "not UTF-8 text (byte 9)" in message(file)


def test_binary(tmp_path):
    file = tmp_path / "demo.toml"
    file.write_bytes(b"\x00\x01\x02")
    assert "not valid TOML" in message(file)


def test_bad_toml_names_the_line(tmp_path):
    file = write(tmp_path, (line("dimension"), "dimension = = 2"))
    number = BASE.splitlines().index(
        next(s for s in BASE.splitlines() if s.startswith("dimension"))
    )
    assert f"not valid TOML: Invalid value (at line {number + 1}," in message(file)


def test_key_twice(tmp_path):
    file = write(tmp_path, (line("dimension"), "dimension = 2\ndimension = 2"))
    assert "not valid TOML: Cannot overwrite a value" in message(file)


def test_empty_file(tmp_path):
    file = tmp_path / "demo.toml"
    file.write_text("")
    text = message(file)
    assert "temperature is missing" in text
    sections = "geometry, active_material, penalty, electrolyte, carbon_binder, separator, protocol"
    assert text.endswith(f" Also missing: {sections}.")


def test_all_missing_keys_are_named_at_once(tmp_path):
    keys = ("coating_thickness", "porosity", "maximum_concentration")
    text = message(write(tmp_path, *((line(key), "") for key in keys)))
    for key in keys:
        assert f".{key}" in text
    assert text.count(" missing") == 2, text
    # The negative control: one that is there is not named.
    assert "separator_thickness" not in text


def test_several_mistakes_report_the_first_in_full_and_all_others(tmp_path):
    file = write(
        tmp_path,
        (line("porosity"), "porosity = 3"),
        (line("sigma"), "sigma = -1"),
        (line("walls"), "wals = 3"),
    )
    text = message(file)
    assert "geometry.wals = 3 is not a key" in text
    assert text.endswith(
        "Also wrong: geometry.particle_size.sigma = -1 is out of range"
        " (allowed: above 0, up to 2); "
        "separator.porosity = 3 is out of range (allowed: above 0, up to 1)."
    )


OVERRIDES = {
    "no equals sign": ("geometry.width", ["--set", "section.key=value"]),
    "no key": ("=3", ["--set", "section.key=value"]),
    "empty part": ("geometry..width=3", ["--set", "section.key=value"]),
    "unknown key": ("geometry.widht=80 um", ["with --set: geometry.widht", "'width'"]),
    "unknown section": ("geometri.width=80 um", ["with --set: geometri", "'geometry'"]),
    "below a value": ("temperature.x=3", ["--set temperature.x", "is a value, not a section"]),
    "bad unit": ("geometry.coating_thickness=60 s", ['= "60 s"', "is a time, not a length"]),
    "bare number": ("geometry.coating_thickness=60", ["= 60 has no unit"]),
    "empty value": ("geometry.coating_thickness=", ['= ""', "does not begin"]),
    "very small": ("geometry.mesh.separator_size=1e-320 m", ["out of range", "0.001"]),
    "internal name": ("source_file=x", ['source_file = "x" is not a key of the file']),
    "unprintable": ("seeds.a\x1bb\nc=1", ["seeds.a?b c = 1 is not a key"]),
    "whole number too long": ("separator.porosity=1" + "0" * 400, ["is not finite"]),
    "list nested too deeply": ("separator.porosity=" + "[" * 3000, ["not a plain number"]),
    "second line": ("seeds.packing=1\nx=2", ["seeds.packing", "not a whole number"]),
    "text for a table": (
        "geometry.particle_size=lognormal",
        ['with --set: geometry.particle_size = "lognormal" is not a section'],
    ),
    "dimension": ("geometry.dimension=1", ["with --set: geometry.dimension = 1", "(allowed: 2 or"]),
}


@pytest.mark.parametrize("name", OVERRIDES)
def test_mistake_in_an_override(name):
    override, fragments = OVERRIDES[name]
    text = message(PARAMS / "nmc532.toml", [override])
    for fragment in fragments:
        assert fragment in text


SIZE_TABLES = {
    "columns": ("d,w\n1,2\n", "has the columns d, w"),
    "empty": ("", "is empty"),
    "no rows": ("diameter_um,weight\n", "has no rows"),
    "text": ("diameter_um,weight\n5,1\nfive,1\n", "line 3: diameter_um = five is not a number"),
    "short row": ("diameter_um,weight\n5\n", "has 1 cell in line 2, but 2 in its heading"),
    "negative": ("# measured\ndiameter_um,weight\n-5,1\n", "line 3: diameter_um = -5"),
    "weight": ("diameter_um,weight\n5,-1\n", "line 2: weight = -1"),
    "all zero": ("diameter_um,weight\n5,0\n", "sum of all weights is 0"),
    "nan": ("diameter_um,weight\nnan,1\n", "line 2: diameter_um = nan is not finite"),
}


@pytest.mark.parametrize("name", SIZE_TABLES)
def test_mistake_in_a_size_table(name, tmp_path):
    content, says = SIZE_TABLES[name]
    (tmp_path / "sizes.csv").write_text(content)
    file = write(tmp_path)
    table = f'geometry.particle_size={{distribution="table", file="{tmp_path}/sizes.csv"}}'
    text = message(file, [table])
    assert "geometry.particle_size.file" in text
    assert says in text


PENALTY_TABLES = {
    "gap in the numbers": ("particle,penalty\n0,1\n2,1\n", "line 3: particle = 2"),
    "twice": ("particle,penalty\n0,1\n0,1\n", "particle = 0"),
    "half": ("particle,penalty\n0.5,1\n", "particle = 0.5"),
    "zero": ("particle,penalty\n0,0\n", "penalty = 0"),
    "above one": ("particle,penalty\n0,1.5\n", "penalty = 1.5"),
}


@pytest.mark.parametrize("name", PENALTY_TABLES)
def test_mistake_in_a_penalty_table(name, tmp_path):
    content, says = PENALTY_TABLES[name]
    (tmp_path / "pen.csv").write_text(content)
    file = write(
        tmp_path, (r"^distribution = \"weibull\"$", 'distribution = "table"\nfile = "pen.csv"')
    )
    text = message(file)
    assert "penalty.file" in text
    assert says in text


FRACTION_TABLES = {
    "columns": ("x,i0\n0,1\n1,1\n", "has the columns x, i0"),
    "one row": ("stoichiometry,exchange_current_A_m2\n0.5,1\n", "only row"),
    "outside": ("stoichiometry,exchange_current_A_m2\n0,1\n1.2,1\n", "stoichiometry = 1.2"),
    "twice": ("stoichiometry,exchange_current_A_m2\n0.5,1\n0.5,2\n", "each stoichiometry once"),
    "zero": ("stoichiometry,exchange_current_A_m2\n0,1\n1,0\n", "exchange_current_A_m2 = 0"),
    "text": (
        "stoichiometry,exchange_current_A_m2\n0,1\n1,much\n",
        "line 3: exchange_current_A_m2 = much is not a number",
    ),
}


@pytest.mark.parametrize("name", FRACTION_TABLES)
def test_mistake_in_a_table_over_the_lithium_fraction(name, tmp_path):
    content, says = FRACTION_TABLES[name]
    (tmp_path / "i0.csv").write_text(content)
    file = write(
        tmp_path,
        (RATE, 'exchange_current = "table"\nexchange_current_table = "i0.csv"'),
    )
    text = message(file)
    assert "active_material.exchange_current_table" in text
    assert says in text


def test_table_is_a_directory(tmp_path):
    file = write(tmp_path, (r"^distribution = \"weibull\"$", 'distribution = "table"\nfile = "."'))
    assert "is a directory" in message(file)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


NO_FILES = {
    "pipe": (os.mkfifo, "it is a pipe, not a file"),
    "folder": (os.mkdir, "Is a directory"),
    "device": (lambda path: os.symlink("/dev/zero", path), "it is a device, not a file"),
    "socket": (make_socket, "it is a socket, not a file"),
    "nothing": (lambda path: None, "does not exist"),
    "link": (lambda path: os.symlink("gone.msh", path), "does not exist"),
}


@pytest.mark.parametrize("kind", NO_FILES)
def test_what_a_mesh_file_is_instead(kind, tmp_path, monkeypatch):
    # A socket's path may have 107 letters at most.
    monkeypatch.chdir(tmp_path)
    make, words = NO_FILES[kind]
    make("m.msh")
    text = message(PARAMS / "nmc532.toml", ["geometry.mesh_file=m.msh"])
    assert "geometry.mesh_file" in text
    assert "m.msh" in text
    assert words in text
    assert ("exist" in text) == (words == "does not exist")
    assert "Correct the path" in text
