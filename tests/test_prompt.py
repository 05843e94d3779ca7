"""Help at the prompt: help, explain, preset, init, schema, completion."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from helpers.commands import Ended, environment
from helpers.paths import FIVE_DISCS, PARAMS, ROOT
from heterode.base.errors import InputError
from heterode.base.warning_codes import MEANINGS as WARNINGS
from heterode.cli import main
from heterode.cli.completion import SHELLS, script
from heterode.cli.main import command_parser
from heterode.parameters import load_parameters
from heterode.parameters.presets import preset_names
from heterode.parameters.reference import rows
from heterode.parameters.starting import Case, starting_file
from heterode.results.trust import CODE as ALTERED

README = (ROOT / "README.md").read_text(encoding="utf-8")
PRESETS = sorted(PARAMS.glob("*.toml"))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command in this process."""

    def run(*words: str | Path) -> Ended:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


def the_mistake(ended: Ended) -> str:
    """The one line with which wrong input ends."""
    assert (ended.code, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    return line


# -- help -----------------------------------------------------------------------------------------


def test_help_lists_every_command_in_its_group(say: Callable[..., Ended]) -> None:
    told = say("help").out
    for group, commands in command_parser().commands.items():
        (block,) = re.findall(rf"^{group}:\n((?:  .*\n)+)", told, re.MULTILINE)
        assert re.findall(r"^  (\w+) +\S", block, re.MULTILINE) == list(commands)
    assert "Exit codes" in told
    with pytest.raises(SystemExit):
        main(["--help"])


def test_help_of_a_command_is_that_of_the_command(
    say: Callable[..., Ended], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    told = capsys.readouterr().out
    assert "--ranks N" in told
    assert say("help", "check").out == told
    for words in (["help", "chek"], ["chek", "mine.toml"]):
        assert "'chek' is no command. Did you mean 'check'?" in the_mistake(say(*words))
    assert "`heterode help` lists them" in the_mistake(say("xyzzyxyzzy"))
    assert "COMMAND" in the_mistake(say())


def test_the_version_is_told_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("-V", "--version"):
        with pytest.raises(SystemExit) as left:
            main([option])
        assert left.value.code in (None, 0)
        assert re.fullmatch(r"heterode \d+\.\d+\.\d+\n", capsys.readouterr().out)


# -- explain --------------------------------------------------------------------------------------


def heading(key: str) -> str:
    """With what the text on a key begins."""
    row = next(row for row in rows() if row.key == key)
    if row.is_section:
        return f"[{key}]"
    return f"{key}, with {row.variant}" if row.variant else f"{key} {row.description}"


def test_every_key_is_explained(say: Callable[..., Ended]) -> None:
    every = list(dict.fromkeys(row.key for row in rows()))
    # Each begins where the one before it ends.
    rest = " ".join(say("explain", *every).out.split())
    said = {}
    for key, following in zip(every, [*every[1:], None], strict=True):
        begin = len(rest) if following is None else rest.index(f" {heading(following)} ") + 1
        said[key], rest = rest[:begin], rest[begin:]
    for row in rows():
        words = said[row.key]
        assert row.description in words
        if not row.is_section:
            assert row.kind.allowed in words
            assert row.necessity in words
            assert row.source is None or row.source.text in words
            assert all(when.sentence in words for when in row.conditions)
            assert row.example in words


@pytest.mark.parametrize("width", ["30", "60", "300"])
def test_lines_are_as_wide_as_the_terminal(
    width: str, say: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    told = say("explain", *(row.key for row in rows())).out + say("help").out
    widest = min(int(width), 100)
    # What is there to be copied is not broken: keys, names of files.
    whole = [line for line in told.splitlines() if len(line) > widest and len(line.split()) > 2]
    assert whole == []
    assert max(map(len, told.splitlines())) > 0.8 * widest


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["restriction"], ["penalty.restriction", "rescale", 'penalty.distribution = "weibull"']),
        (["[penalty.conditioning]"], ["fraction", "after each cycle"]),
        (["geometry.particle_size"], ["lognormal", "monodisperse", "weighting"]),
        (["geometry.particle_size.file"], ["diameter_um, weight"]),
        (["rate_constant"], ["active_material.rate_constant", "lithium_metal.rate_constant"]),
        (["tolerance"], ["solver.krylov_tolerance", "solver.newton_tolerance"]),
        (["landesfeind"], ["electrolyte.model"]),
        (["voltage_V"], ["history.csv", "V"]),
        (["surface_um2"], ["particles.csv"]),
        (["particles"], ["Number of particles"]),
        (["salt_depletion"], ["salt_depletion, a warning", "runs out of salt"]),
        (["coating_thickness"], ["without the foil", "thicker than 1 mm"]),
        (["restriction", "seeds"], ["penalty.restriction", "[seeds]"]),
        ([], ["geometry", "solver", "heterode explain KEY"]),
    ],
)
def test_explain_finds(words: list[str], told: list[str], say: Callable[..., Ended]) -> None:
    ended = say("explain", *words)
    assert ended.code == 0
    assert [one for one in told if one not in " ".join(ended.out.split())] == []


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("restricton", "penalty.restriction"),
        ("penalty.restrcition", "penalty.restriction"),
        ("coatng_thickness", "geometry.coating_thickness"),
        ("voltag_V", "voltage_V"),
        ("salt_depleton", "salt_depletion"),
    ],
)
def test_explain_names_what_is_nearest(word: str, near: str, say: Callable[..., Ended]) -> None:
    assert f"Did you mean '{near}'?" in the_mistake(say("explain", word))


@pytest.mark.parametrize("word", ["", "xyzzy", "two\nlines", "é" * 300, "."])
def test_explain_refuses_what_it_does_not_know(word: str, say: Callable[..., Ended]) -> None:
    assert "is no key, section, value, column or warning" in the_mistake(say("explain", word))


def test_every_warning_of_the_readme_is_explained() -> None:
    section = README.partition("| code | bound |")[2].partition("\n\n")[0]
    told = {
        code
        for row in re.findall(r"^\| (`.*?) \| ", section, re.MULTILINE)
        for code in re.findall(r"`(\w+)`", row)
    }
    assert len(told) > 25
    assert told | {ALTERED} == set(WARNINGS)
    assert all(text.endswith(".") for text in WARNINGS.values())


# -- preset ---------------------------------------------------------------------------------------


def test_presets_are_listed_and_printed_as_they_are(say: Callable[..., Ended]) -> None:
    listed = say("preset").out
    for path in PARAMS.rglob("*.toml"):
        if path.parent.name == "materials":
            continue  # `heterode materials` has those
        name = path.relative_to(PARAMS).with_suffix("").as_posix()
        assert re.search(rf"^{name} +\S", listed, re.MULTILINE)
        text = path.read_text(encoding="utf-8")
        assert say("preset", name).out == say("preset", f"{name}.toml").out == text
    assert len(preset_names()) == len(re.findall(r"^\S", listed, re.MULTILINE))
    assert "Did you mean 'quickstart'?" in the_mistake(say("preset", "qickstart"))


def test_a_users_file_is_not_replaced_unasked(tmp_path: Path, say: Callable[..., Ended]) -> None:
    mine = tmp_path / "mine.toml"
    for words in (["preset", "nmc811"], ["init"], ["schema"]):
        mine.write_text("mine")
        assert "mine.toml" in the_mistake(say(*words, "-o", mine))
        assert mine.read_text() == "mine"
        assert say(*words, "-o", mine, "--overwrite").code == 0
        assert (tmp_path / "mine.yours.toml").read_text() == "mine"
        written, told = (re.sub(" +", " ", text) for text in (mine.read_text(), say(*words).out))
        assert written.replace("mine.toml", "params.toml") == told
        for path in tmp_path.iterdir():
            path.unlink()
    assert "no such folder" in the_mistake(say("preset", "nmc811", "-o", tmp_path / "no" / "x"))
    assert "which preset" in the_mistake(say("preset", "-o", mine))
    assert "--overwrite belongs to --output" in the_mistake(say("schema", "--overwrite"))
    assert list(tmp_path.iterdir()) == []


# -- init -----------------------------------------------------------------------------------------

CASES = [
    [],
    ["--all"],
    ["--dimension", "3", "--material", "NMC811", "--rate", "1C", "--thickness", "40 um"],
    ["--material", "NMC622", "--particles", "7", "--rate", "3 A/m^2", "--until", "x = 0.5"],
    ["--temperature", "40 degC", "--thickness", "0.06 mm", "--all"],
    ["--set", "penalty.distribution=none", "--set", "solver.accuracy=5 mV"],
    ["--mesh", str(FIVE_DISCS)],
    ["--picture", str(PARAMS.parent / "docs/quickstart.png"), "--pixel", "0.1um"],
]


@pytest.mark.parametrize("words", CASES, ids=" ".join)
def test_check_accepts_what_init_makes(
    words: list[str], tmp_path: Path, say: Callable[..., Ended]
) -> None:
    file = tmp_path / "mine.toml"
    assert say("init", *words, "-o", file).out == f"{file}\n"
    parameters = load_parameters(file)
    options = dict(zip(words[::2], words[1::2], strict=False))
    assert parameters.geometry.dimension == int(options.get("--dimension", "2"))
    assert parameters.active_material.open_circuit_potential == options.get("--material", "NMC532")
    assert parameters.geometry.particles == (
        None
        if "--mesh" in words
        else int(options.get("--particles", parameters.geometry.particles))
    )
    assert options.get("--rate", "C/10") in parameters.protocol.steps[0].text
    long = [line for line in file.read_text().splitlines() if len(line) > 100]
    assert [line for line in long if not line.startswith("#   heterode mesh ")] == []
    if "--mesh" in words:
        assert say("check", file).code == 0


def test_a_file_says_what_its_keys_mean() -> None:
    plain, everything = starting_file(Case()), starting_file(Case(), everything=True)
    words = " ".join(plain.replace("\n# ", " ").split())
    for row in rows():
        below: Any = tomllib.loads(plain)
        for part in row.key.split("."):
            below = below.get(part) if isinstance(below, dict) else None
        # A table on one line, such as voltage_window, is told of as a whole.
        apart = "." not in row.key or f"\n[{row.key.rpartition('.')[0]}]\n" in plain
        if below is not None and apart and not row.variant:
            assert row.description in words
    # Comments of keys that may be left out hold the defaults: they change nothing.
    made = [re.sub(r"^# (\w+ = .*|\[.*\])$", r"\1", line) for line in everything.splitlines()]
    tables = tomllib.loads("\n".join(made))
    assert tables["solver"]["accuracy"] == "1 mV"
    assert tables["penalty"]["correlation_length"] == "0 um"
    assert tables["active_material"]["electronic_conductivity"] == "amin_nmc"


def test_overrides_stand_in_the_file_and_what_they_leave_without_effect_does_not() -> None:
    asked = (
        "penalty.distribution=none",
        "geometry.particle_size.distribution=monodisperse",
        "geometry.particle_size.diameter=3 um",
        "active_material.voltage_window.low=3 V",
        "solver.accuracy=5 mV",
        "penalty.distribution = none",
    )
    text = starting_file(Case(overrides=asked))
    tables = tomllib.loads(text)
    assert tables["penalty"] == {"distribution": "none"}
    assert tables["geometry"]["particle_size"] == {
        "distribution": "monodisperse",
        "diameter": "3 um",
    }
    assert tables["active_material"]["voltage_window"] == {"low": "3 V", "high": "4.5 V"}
    assert tables["solver"] == {"accuracy": "5 mV"}
    assert "penalty" not in tables["seeds"]
    # All else is as without them, sources included; the title was that of another case.
    before = tomllib.loads(starting_file(Case()))
    for section in ("composition", "electrolyte", "carbon_binder", "protocol"):
        assert tables[section] == before[section]
    assert "title" not in tables
    assert "# [F] the paper's Supporting Information, read as coating" in text


def test_a_thicker_coating_keeps_its_density() -> None:
    tables = [tomllib.loads(starting_file(Case(thickness=t))) for t in ("46 um", "92 um")]
    masses = [float(table["composition"]["areal_mass"].split()[0]) for table in tables]
    assert masses == [10.8, 21.6]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--particles", "0"], "geometry.particles = 0 is out of range"),
        (["--rate", "1e9C"], "is out of range"),
        (["--rate", "fast"], "protocol.steps[0]"),
        (["--thickness", "5"], "has no unit"),
        (["--thickness", "5 um"], "too thin for the largest particle"),
        (["--temperature", "1000 K"], "temperature"),
        (["--material", "LFP"], "invalid choice"),
        (["--mesh", "no.msh"], "no such file"),
        (["--mesh", str(FIVE_DISCS), "--dimension", "3"], "holds a mesh in 2D"),
        (["--mesh", str(FIVE_DISCS), "--particles", "3"], "Pass one"),
        (["--picture", "no.tif"], "no such file"),
        (["--pixel", "0.1um"], "--pixel belongs to --picture"),
        (["--set", "penalty.shap=2"], "penalty.shap = 2 is not a key of [penalty]"),
        (["--set", "penalty.shape"], "is not of the form section.key=value"),
        (["--set", "title=a\nb"], "cannot be printed"),
        (["--picture", str(FIVE_DISCS), "--pixel", "small"], "--pixel"),
        (["--rate", 'C/10"]\nx = 1'], "cannot be printed"),
    ],
)
def test_init_refuses(
    words: list[str], told: str, tmp_path: Path, say: Callable[..., Ended]
) -> None:
    assert told in the_mistake(say("init", *words, "-o", tmp_path / "mine.toml"))
    assert list(tmp_path.iterdir()) == []


# -- schema ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schema() -> jsonschema.protocols.Validator:
    done = subprocess.run(
        [sys.executable, "-m", "heterode", "schema"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    kind = jsonschema.validators.validator_for(found)
    kind.check_schema(found)
    return kind(found)


def tables_of(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_are_what_the_schema_says(path: Path, schema: Any) -> None:
    assert [error.message for error in schema.iter_errors(tables_of(path))] == []


@pytest.mark.parametrize("words", CASES[:2] + CASES[5:7], ids=" ".join)
def test_so_is_what_init_makes(words: list[str], schema: Any, say: Callable[..., Ended]) -> None:
    assert schema.is_valid(tomllib.loads(say("init", *words).out))


CHANGES: list[tuple[str, Any]] = [
    ("geometry.coating_thicknes", "46 um"),
    ("geometry.coating_thickness", 46),
    ("geometry.coating_thickness", "46"),
    ("geometry.dimension", 4),
    ("geometry.particles", 0),
    ("geometry.particles", 2.5),
    ("geometry.width", "80 um"),
    ("geometry.particles", None),
    ("geometry.particle_size.diameter", "3 um"),
    ("geometry.particle_size.distribution", "normal"),
    ("geometry.mesh_file", "cells.msh"),
    ("penalty.shape", "1.5"),
    ("penalty.shape", None),
    ("penalty.shape", 1000),
    ("penalty.restriction", "cut"),
    ("penalty.distribution", "none"),
    ("penalty.conditioning", {"rule": "relax"}),
    ("electrolyte.model", "constant"),
    ("electrolyte.conductivity", "1 S/m"),
    ("active_material.rate_constant", None),
    ("active_material.rate_constant_anodic", "1e-9 m/s"),
    ("active_material.exchange_current", "table"),
    ("active_material.diffusivity", "colclasure"),
    ("composition", None),
    ("separator", None),
    ("lithium_metal.kinetics", "ideal"),
    ("protocol.steps", "charge at C/10 until 4.5 V"),
    ("protocol.steps", []),
    ("protocol.repeat", True),
    ("output.report", "yes"),
    ("temperature", "hot"),
    ("extra", {"a": 1}),
]


def changed(key: str, value: Any) -> dict[str, Any]:
    tables = copy.deepcopy(tables_of(PARAMS / "quickstart.toml"))
    *above, name = key.split(".")
    inner = tables
    for part in above:
        inner = inner.setdefault(part, {})
    inner.pop(name, None)
    if value is not None:
        inner[name] = value
    return tables


@pytest.mark.parametrize(("key", "value"), CHANGES, ids=str)
def test_wrong_files_are_not(key: str, value: Any, schema: Any) -> None:
    """What the schema refuses, the command refuses as well."""
    tables = changed(key, value)
    assert not schema.is_valid(tables)
    from heterode.parameters import Parameters

    with pytest.raises(InputError):
        Parameters.from_dict(tables)


RIGHT: list[tuple[str, Any]] = [
    ("geometry.coating_thickness", "4.6e1um"),
    ("geometry.coating_thickness", ".06 mm"),
    ("temperature", "25 °C"),
    ("active_material.diffusivity", "colclasure_nmc532"),
    ("penalty.correlation_length", "5 um"),
    ("solver", {"layers": 3, "linear_solver": "direct"}),
    ("solver.layers", "none"),
    ("protocol.steps", [{"repeat": 2, "steps": ["charge at 1C for 1 min"]}]),
    ("protocol.stops", ["3.8 V"]),
    ("penalty.conditioning", {"rule": "uniform"}),
    ("lithium_metal", None),
    ("collector", {"connection": "uniform_flux"}),
    ("title", None),
]


@pytest.mark.parametrize(("key", "value"), RIGHT, ids=str)
def test_right_files_are(key: str, value: Any, schema: Any) -> None:
    from heterode.parameters import Parameters

    tables = changed(key, value)
    Parameters.from_dict(copy.deepcopy(tables))
    assert [error.message for error in schema.iter_errors(tables)] == []


# -- completion -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_names_commands_options_and_keys(shell: str) -> None:
    told = script(shell)
    for name in ("check", "explain", "overwrite", "penalty.restriction", "quickstart", "NMC811"):
        assert name in told


COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
how=$(complete -p heterode); function=${how##*-F }; function=${function%% *}
"$function" heterode "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["heterode", "ch"], ["check"]),
        (["heterode", "explain", "penalty.restr"], ["penalty.restriction"]),
        (["heterode", "preset", "nmc8"], ["nmc811"]),
        (["heterode", "init", "--mat"], ["--material"]),
        (["heterode", "init", "--material", "NMC8"], ["NMC811"]),
        (["heterode", "help", "verif"], ["verify"]),
        (["heterode", "check", "mi"], ["mine.toml"]),
        (["heterode", "nothing_is_called_s"], []),
    ],
    ids=lambda one: " ".join(one),
)
def test_bash_completes(words: list[str], told: list[str], tmp_path: Path) -> None:
    file = tmp_path / "heterode.bash"
    file.write_text(script("bash"), encoding="utf-8")
    (tmp_path / "mine.toml").touch()
    (tmp_path / "mine.csv").touch()
    done = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE, "bash", file, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.split(), done.stderr) == (told, "")


# -- as processes ---------------------------------------------------------------------------------

BARE = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"dolfinx", "mpi4py", "petsc4py", "gmsh", "ufl", "basix"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from heterode.cli import main

words = sys.argv[1:]
sys.exit(max(main(part.split()) for part in words))
"""


def test_it_works_without_dolfinx_and_loads_nothing_heavy(tmp_path: Path) -> None:
    commands = ["help", "explain rate_constant", "preset quickstart", "init", "schema"]
    commands += ["completion bash", "explain voltage_V"]
    done = subprocess.run(
        [sys.executable, "-c", BARE, *commands],
        cwd=tmp_path,
        env=environment(LC_ALL="C", COLUMNS="40"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away_ends_nothing() -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m heterode schema | head -n 1"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")
