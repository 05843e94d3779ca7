"""Size, time and memory told before a run, and what does not fit."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from helpers.estimates import GB, load
from helpers.paths import PRESET, ROOT
from heterode.base.ranks import launched_in_parallel
from heterode.cli import main
from heterode.forecast.estimate import (
    Limits,
    count_unknowns,
    expected_cost,
    expected_unknowns,
    refuse_endless,
    summarise,
)
from heterode.forecast.estimate import warnings as unfit
from heterode.forecast.estimate.cost import (
    RANKS_BEYOND,
    Cost,
    MeasuredRun,
    expected_steps,
    measured_runs,
    parse_measured_runs,
)
from heterode.forecast.regimes import effective_radius
from heterode.geometry.cache import mesh_for
from heterode.geometry.msh import read_msh
from heterode.geometry.quality import mesh_quality
from heterode.parameters import load_parameters

# -- unknowns -------------------------------------------------------------------------------------

SMALL = [
    ("quickstart", {"particles": "20"}),
    ("quickstart", {"particles": "20", "mesh__surface_size_factor": "0.2"}),
    ("quickstart", {"particles": "20", "mesh__maximum_size": "0.7 um"}),
    ("quickstart", {"particles": "20", "mesh__gap_elements": "2", "coating_thickness": "60 um"}),
    ("quickstart", {"particles": "20", "walls": "cut", "separator_thickness": "60 um"}),
    ("cube_50", {"particles": "12"}),
    ("cube_50", {"particles": "12", "mesh__surface_size_factor": "0.6"}),
    ("cube_50", {"particles": "15", "walls": "inside", "coating_thickness": "30 um"}),
]


ENDLESS = ("separator_size='0.001 um'", "maximum_size='0.005 um'")


@pytest.mark.parametrize("size", ENDLESS)
@pytest.mark.parametrize("command", ["check", "mesh", "run"])
def test_a_mesh_that_nobody_could_wait_for_is_refused(
    command: str, size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [command, str(PRESET), "--set", f"geometry.mesh.{size}"]
    words += ["--set", "geometry.mesh.minimum_size='0.001 um'"]
    words += {"check": [], "mesh": ["-o", str(tmp_path / "m.msh")]}.get(
        command, ["--out", str(tmp_path / "out")]
    )
    assert main(words) == 2
    line = capsys.readouterr().err
    assert "unknowns, by particles and sizes" in line
    assert line.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_large_meshes_are_not_refused() -> None:
    """The negative control: 8 million unknowns, as clusters solve."""
    large = load_parameters(PRESET, ["geometry.particles=30000"])
    assert expected_unknowns(large) > 5e6
    refuse_endless(large)


@pytest.mark.parametrize(("preset", "geometry"), SMALL)
def test_unknowns_are_those_of_the_mesh_within_a_quarter(
    preset: str, geometry: dict[str, str]
) -> None:
    parameters = load(preset, **{f"geometry__{key}": text for key, text in geometry.items()})
    exact = mesh_quality(mesh_for(parameters)).unknowns
    assert expected_unknowns(parameters) == pytest.approx(exact, rel=0.25)


def test_the_count_of_a_coarse_mesh_would_not_do_for_a_fine_one() -> None:
    # That the tolerance of a quarter can fail: settings that change a mesh change the estimate.
    coarse, fine = (load("cube_50", geometry__mesh__surface_size_factor=f) for f in ("0.5", "0.3"))
    assert expected_unknowns(fine) > 1.5 * expected_unknowns(coarse)


def test_second_degree_counts_edges() -> None:
    for preset, dimension in (("quickstart", 2), ("cube_50", 3)):
        parameters = load(preset, geometry__particles="12", solver__degree="2")
        assert parameters.geometry.dimension == dimension
        exact = count_unknowns(mesh_for(parameters), 2)
        assert expected_unknowns(parameters) == pytest.approx(exact, rel=0.25)


@pytest.mark.parametrize("name", ["five_discs_2d.msh", "spheres_3d.msh"])
def test_a_mesh_file_is_counted_exactly(name: str) -> None:
    mesh = read_msh(ROOT / "meshes" / name)
    assert count_unknowns(mesh, 1) == mesh_quality(mesh).unknowns


def test_a_mesh_measures_as_its_parameters_say() -> None:
    parameters = load("quickstart", geometry__particles="20")
    measured = summarise(mesh_for(parameters))
    assert measured.active_fraction == pytest.approx(parameters.geometry.active_fraction, rel=2e-3)
    assert effective_radius(parameters, measured) == pytest.approx(
        effective_radius(parameters), rel=0.2
    )


# -- time and memory ------------------------------------------------------------------------------


def run_of(dofs: int, ranks: int, seconds: float, memory: float, **other: object) -> MeasuredRun:
    """A row: 3D, Krylov solver, 100 steps, a tenth of the time outside of the solver."""
    row = MeasuredRun(
        3, "fieldsplit", dofs, ranks, 100, 400, 3500, seconds, 0.9 * seconds, memory, "a"
    )
    return dataclasses.replace(row, **other)  # type: ignore[arg-type]


TABLE = (
    run_of(10_000, 1, 10.0, 0.4e9),
    run_of(100_000, 1, 130.0, 1.0e9),
    run_of(100_000, 4, 40.0, 1.6e9),
    run_of(1_000_000, 4, 520.0, 6.0e9),
    run_of(1_000_000, 16, 180.0, 8.0e9),
)


def cost(dofs: int, ranks: int = 1, runs: tuple[MeasuredRun, ...] = TABLE) -> Cost:
    """The estimate for a protocol of as many steps as the runs had."""
    found = expected_cost(load("cube_50"), dofs, ranks, solver="fieldsplit", runs=runs)
    assert found is not None
    return found


@pytest.fixture
def hundred_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heterode.forecast.estimate.cost.expected_steps", lambda parameters: 100)


@pytest.mark.usefixtures("hundred_steps")
@pytest.mark.parametrize("row", TABLE)
def test_on_a_measured_run_the_estimate_is_that_run(row: MeasuredRun) -> None:
    found = cost(row.dofs, row.ranks)
    assert found.seconds == pytest.approx(row.seconds_total, rel=1e-9)
    assert found.memory_bytes == pytest.approx(row.memory_bytes, rel=1e-9)
    assert found.beyond == ""


@pytest.mark.usefixtures("hundred_steps")
def test_between_two_runs_it_follows_a_power_of_the_unknowns() -> None:
    middle = round(math.sqrt(10_000 * 100_000))
    assert cost(middle).seconds == pytest.approx(math.sqrt(10.0 * 130.0), rel=1e-3)


@pytest.mark.usefixtures("hundred_steps")
@pytest.mark.parametrize("ranks", [1, 2, 4, 8, 16, 100])
def test_more_unknowns_take_longer_and_more_memory(ranks: int) -> None:
    sizes = np.geomspace(1e3, 1e8, 60).astype(int)
    found = [cost(int(size), ranks) for size in sizes]
    assert np.all(np.diff([c.seconds for c in found]) > 0)
    assert np.all(np.diff([c.memory_bytes for c in found]) > 0)


@pytest.mark.usefixtures("hundred_steps")
def test_more_ranks_are_faster_up_to_a_stated_number() -> None:
    most = 16 * RANKS_BEYOND
    seconds = [cost(1_000_000, ranks).seconds for ranks in (1, 2, 4, 8, 16, 32, most, 4 * most)]
    assert np.all(np.diff(seconds[:-1]) < 0)
    assert seconds[-1] == seconds[-2]
    # The efficiency of the most ranks measured stays, it does not return to that of one.
    assert seconds[5] == pytest.approx(seconds[4] / 2, rel=1e-9)


@pytest.mark.parametrize(
    ("dofs", "ranks", "named"),
    [
        (100_000, 4, ""),
        (3_000_000, 4, "at most 1 000 000 unknowns"),
        (1_000, 1, "at least 10 000 unknowns"),
        (100_000, 64, "at most 16 ranks, whose efficiency is assumed up to 256"),
    ],
)
def test_what_lies_beyond_the_measured_runs_is_said(dofs: int, ranks: int, named: str) -> None:
    beyond = cost(dofs, ranks).beyond
    assert named in beyond
    assert bool(beyond) == bool(named)


def test_a_direct_solver_is_no_match_for_a_million_unknowns_in_3d() -> None:
    parameters = load("cube_50", solver__linear_solver="direct")
    large = expected_cost(parameters, 1_000_000)
    assert large is not None
    assert large.memory_bytes > 24 * GB
    krylov = expected_cost(parameters, 1_000_000, solver="fieldsplit")
    assert krylov is not None
    assert large.seconds > 10 * krylov.seconds


@pytest.mark.parametrize("row", measured_runs(), ids=lambda r: f"{r.dimension}D-{r.dofs}-{r.ranks}")
def test_the_table_that_comes_with_heterode_is_sound(row: MeasuredRun) -> None:
    assert row.dimension in (2, 3)
    assert 0 < row.seconds_solve <= row.seconds_total
    assert row.newton_iterations >= row.steps > 0
    assert (row.krylov_iterations == 0) == (row.linear_solver == "direct")
    assert 1e8 < row.memory_bytes < 1e13
    assert row.machine


def test_all_presets_have_an_estimate() -> None:
    for path in sorted((ROOT / "params").glob("*.toml")):
        parameters = load_parameters(path, [])
        assert expected_cost(parameters, expected_unknowns(parameters)) is not None, path


def test_two_rows_for_one_case_are_refused() -> None:
    names = ",".join(field.name for field in dataclasses.fields(MeasuredRun))
    row = ",".join(str(value) for value in dataclasses.astuple(TABLE[0]))
    assert parse_measured_runs(f"{names}\n{row}\n") == (TABLE[0],)
    with pytest.raises(ValueError, match="two rows"):
        parse_measured_runs(f"{names}\n{row}\n{row}\n")
    with pytest.raises(ValueError, match="linear_solver 'gmres'"):
        parse_measured_runs(f"{names}\n{row.replace('fieldsplit', 'gmres')}\n")


def test_the_table_is_packaged() -> None:
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = tables["package-data"]["heterode.forecast.measured"]
    folder = ROOT / "simulator" / "forecast" / "measured"
    assert [p for pattern in patterns for p in folder.glob(pattern)]


# -- steps ----------------------------------------------------------------------------------------

# Counted in runs.
COUNTED = [
    ("quickstart", {}, 99),
    ("nmc532", {}, 99),
    ("cube_50", {}, 94),
    ("cube_50", {"protocol__steps": '["charge at C/2 for 10 min"]'}, 30),
    ("cube_50", {"protocol__steps": '["charge at C/2 for 1 min"]'}, 23),
]


@pytest.mark.parametrize(("preset", "values", "counted"), COUNTED)
def test_steps_are_about_those_counted(preset: str, values: dict[str, str], counted: int) -> None:
    assert expected_steps(load(preset, **values)) == pytest.approx(counted, rel=0.25)


CHARGE_1C = '["charge at 1C for 5 min"]'
CHARGE_C40 = '["charge at C/40 for 10 h"]'
PULSES = '["charge at 1C for 60 s", "rest for 60 s", "charge at 2C for 60 s"]'
HOLD = '["charge at 1C until 4.2 V", "hold at 4.2 V until C/10"]'

# Counted with meshes/five_discs_2d.msh.
COUNTED_AT = [
    ("quickstart", CHARGE_1C, {"5 mV": 23, "1 mV": 35, "0.1 mV": 67}),
    ("nmc532", '["charge at C/2 until 4.3 V"]', {"5 mV": 83, "1 mV": 97, "0.1 mV": 137}),
    ("nmc532", CHARGE_C40, {"5 mV": 34, "1 mV": 41, "0.1 mV": 73}),
    ("nmc532", PULSES, {"5 mV": 49, "1 mV": 75, "0.1 mV": 147}),
    ("nmc532", HOLD, {"5 mV": 97, "1 mV": 111, "0.1 mV": 167}),
    (
        "nmc622",
        '["charge at C/4 for 6 min", "rest for 1 h"]',
        {"5 mV": 42, "1 mV": 57, "0.1 mV": 105},
    ),
]


@pytest.mark.parametrize(("preset", "protocol", "counted"), COUNTED_AT)
def test_steps_follow_the_accuracy(preset: str, protocol: str, counted: dict[str, int]) -> None:
    for accuracy, steps in counted.items():
        found = expected_steps(load(preset, protocol__steps=protocol, solver__accuracy=accuracy))
        assert found == pytest.approx(steps, rel=0.15)
    # Negative control: other accuracies' counts are not within these bounds.
    assert counted["0.1 mV"] > 1.35 * counted["1 mV"] > 1.5 * counted["5 mV"]


def test_a_tolerance_that_is_written_counts_once() -> None:
    def steps(**values: str) -> int:
        return expected_steps(load(protocol__steps=CHARGE_1C, **values))

    # 66 were counted with the former alone, 67 with an accuracy of 0.1 mV.
    tight = steps(solver__voltage_tolerance="0.01 mV")
    assert tight == pytest.approx(66, rel=0.15)
    assert steps(solver__accuracy="0.1 mV") == tight
    assert steps(solver__accuracy="0.1 mV", solver__voltage_tolerance="0.01 mV") == tight
    # One that is looser than the accuracy makes does not make the others so.
    assert steps(solver__voltage_tolerance="1 mV") == pytest.approx(steps(), rel=0.4)


@pytest.mark.parametrize(("tolerance", "counted"), [("1e-5", 46), ("1e-6", 82), ("1e-7", 163)])
def test_tight_tolerances_take_more_steps(tolerance: str, counted: int) -> None:
    tight = load(protocol__steps=CHARGE_1C, solver__fraction_tolerance=tolerance)
    assert expected_steps(tight) == pytest.approx(counted, rel=0.15)
    default, loose = load(), load(solver__fraction_tolerance="1e-3")
    assert expected_steps(loose) == expected_steps(default)


@pytest.mark.parametrize(
    "values",
    [
        {
            "solver__maximum_step_fraction": "1e-5",
            "protocol__steps": '["charge at C/20 for 40 h"]',
        },
        {
            "solver__fraction_tolerance": "1e-14",
            "protocol__steps": '["charge at C/10 until 4.5 V", "discharge at C/10 until 2.8 V"]',
            "protocol__repeat": "2",
        },
        {"protocol__steps": '["charge at C/20 for 1 h", "hold at 4.0 V for 1e9 s"]'},
        {"protocol__steps": '["charge at C/20 for 1 h", "rest for 1e9 s"]'},
        {"protocol__repeat": "100000"},
    ],
)
def test_practically_endless_runs_are_warned_of_with_their_steps(values: dict[str, str]) -> None:
    parameters, limits = load(**values), Limits(None, None, "")
    (line,) = unfit(parameters, 1000, 1, "direct", None, limits)
    told = re.match(r"about ([\d ]+|\d\.?\d*e\+\d+) time steps will be needed\.", line)
    assert told is not None
    steps = expected_steps(parameters)
    assert float(told[1].replace(" ", "")) == pytest.approx(steps, rel=0.06)
    assert steps > 100_000
    # The negative control: the same without them.
    assert unfit(load(), 1000, 1, "direct", None, limits) == []


def test_steps_follow_the_protocol() -> None:
    def steps(*texts: str, **values: str) -> int:
        listed = "[" + ", ".join(f'"{text}"' for text in texts) + "]"
        return expected_steps(load(protocol__steps=listed, **values))

    charge = "charge at C/10 until 4.5 V"
    alone = steps(charge)
    assert steps(charge, solver__maximum_step_fraction="0.003125") > 3 * alone
    assert steps(charge, "discharge at C/10 until 2.8 V") == pytest.approx(2 * alone, rel=0.15)
    assert steps(charge, "rest for 1 h") > alone + 10
    assert steps("hold at 4.5 V until C/100") > 10
    # From 3.534 V on: hardly anything to do.
    assert steps("charge at C/10 until 3.54 V") < 0.4 * alone


def test_steps_of_every_kind_are_counted(tmp_path: Path) -> None:
    def steps(text: str, **values: str) -> int:
        return expected_steps(load(protocol__steps=f"[{text}]", **values))

    charge = '"charge at C/10 until 4.5 V"'
    alone = steps(charge)
    down = '"discharge at C/10 until 2.8 V"'
    # 1C is 21 A/m^2, at 3.9 V 82 W/m^2; the capacity 21 A h/m^2.
    assert steps('"charge at 8.2 W/m^2 until 4.5 V"') == pytest.approx(alone, rel=0.1)
    assert steps('"charge at C/10 until 8 A h/m^2"') == pytest.approx(0.5 * alone, rel=0.4)
    assert steps('"charge at C/10 until x = 0.6"') == pytest.approx(0.6 * alone, rel=0.3)
    once, two, three = (
        steps(f"{charge}, {down}", protocol__repeat=str(times)) for times in (1, 2, 3)
    )
    assert three - two == pytest.approx(two - once, rel=0.01)
    # The first pass begins where the curve is steepest.
    assert 0.9 * once < two - once <= once
    assert steps(f"{{repeat = 3, steps = [{charge}, {down}]}}") == three
    # Pulses of a fortieth: as many to nearly the end of the curve, and rests.
    pulse, rest = '"charge at C/4 for 6 min"', '"rest for 1 h"'
    one = steps(f"{pulse}, {rest}")
    titration = steps('"gitt: charge at C/4 for 6 min, rest for 1 h, until 4.5 V"')
    later = steps(f"{pulse}, {rest}, {pulse}, {rest}") - one
    assert 0.7 * one < later < one
    assert titration == pytest.approx(one + 39 * later, rel=0.05)
    assert steps('"gitt: charge at C/4 for 6 min, rest for 1 h, 7 times"') == one + 6 * later
    table = tmp_path / "drive.csv"
    rows = [f"{10 * i},{(-1) ** i * 5}" for i in range(101)]
    table.write_text("time_s,current_A_m2\n" + "\n".join(rows) + "\n")
    followed = steps(f'"follow {table}"')
    assert 100 * 2 < followed < 100 * 20
    assert steps(f'"follow {table} until 500 s"') == pytest.approx(followed / 2, rel=0.02)
    # Rows so near that one time step leads from each to the next, or two where the current changes.
    table.write_text(
        "time_s,current_A_m2\n" + "\n".join(f"{i / 100},{i}" for i in range(101)) + "\n"
    )
    assert steps(f'"follow {table}"') == 2 * steps(f'"follow {table} stepwise"') == 200
    # 100 000 times are not walked one by one.
    second = steps(f"{pulse}, {pulse}") - steps(pulse)
    assert steps(pulse, protocol__repeat="100000") == pytest.approx(1e5 * second, rel=0.01)


# -- the command ----------------------------------------------------------------------------------


def test_check_estimates_and_a_warning_is_no_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    assert main(["check", str(PRESET)]) == 0
    before = capsys.readouterr().out
    assert "about 22 000 unknowns, direct linear solver" in before
    assert "22k unknowns (17k without)" in before
    assert "on 1 rank, about" in before
    assert "warning" not in before.split("Validity")[0]
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "64")
    monkeypatch.setenv("SLURM_NTASKS", "8")
    assert main(["check", str(PRESET)]) == 0
    out = capsys.readouterr().out
    assert "on 8 ranks" in out
    assert out.split("Validity")[0].count("warning: ") == 1
    assert main(["check", str(PRESET), "--ranks", "2"]) == 0
    assert "on 2 ranks" in capsys.readouterr().out


@pytest.mark.parametrize("ranks", ["0", "-1", "two", "1.5"])
def test_a_wrong_number_of_ranks_is_refused(ranks: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(PRESET), f"--ranks={ranks}"]) == 2
    error = capsys.readouterr().err
    assert "--ranks" in error
    assert ranks in error
    assert error.count("\n") == 1


def test_check_counts_a_given_mesh(capsys: pytest.CaptureFixture[str]) -> None:
    path = ROOT / "meshes" / "five_discs_2d.msh"
    assert main(["check", str(PRESET), "--set", f"geometry.mesh_file={path}"]) == 0
    exact = f"{mesh_quality(read_msh(path)).unknowns:,}".replace(",", " ")
    layered = capsys.readouterr().out
    assert f" unknowns ({exact.replace(' ', '')} without)" in layered
    options = [f"geometry.mesh_file={path}", "solver.layers=none"]
    assert main(["check", str(PRESET), *(o for each in options for o in ("--set", each))]) == 0
    out = capsys.readouterr().out
    assert f"  5 particles\n  {exact} unknowns" in out
    assert f"  5 particles\n  {exact} unknowns" not in layered


def test_no_mesher_and_no_solver_is_loaded_for_an_estimate() -> None:
    script = "import sys, heterode.forecast.estimate; print(*sys.modules)"
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "numpy" in loaded
    assert not loaded & {"dolfinx", "petsc4py", "mpi4py", "gmsh"}


@pytest.mark.parametrize("tasks", ["abc", "0", "²", "2(x2)", "99999999999999999999"])
def test_an_odd_number_of_tasks_in_the_environment_is_no_fault(
    tasks: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not even looked at by commands that need no ranks, or are given them."""
    monkeypatch.setenv("SLURM_NTASKS", tasks)
    assert main(["check", str(PRESET)]) == 2
    line = f"heterode: error: SLURM_NTASKS: '{tasks}' is no whole number from 1 to 100000."
    assert capsys.readouterr().err == f"{line} Pass --ranks, or unset it\n"
    assert main(["check", str(PRESET), "--ranks", "2"]) == 0
    assert "on 2 ranks" in capsys.readouterr().out
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", tasks.replace("9", "0"))
    assert not launched_in_parallel()
