"""The homogenised twin: what it is told, how it is written, run and compared."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import CubicSpline

from helpers.cells import parameters
from helpers.commands import Ended, command, environment, settings, short_run
from helpers.paths import FIVE_DISCS, ROOT
from helpers.surroundings import PATIENCE
from heterode.base.errors import InputError
from heterode.base.own_python import ScriptError
from heterode.cli import main
from heterode.homogenised import making
from heterode.homogenised.current import FollowedCurrent, followed_current
from heterode.homogenised.electrode import (
    MeshedElectrode,
    describe_electrode,
    mean_penalty,
    not_represented,
)
from heterode.materials import open_circuit_potential
from heterode.particles.table import ParticleTable
from heterode.results.history import read_history
from heterode.results.manifest import read_manifest
from heterode.viewing.homogenised import counterpart_figure

Heterode = Callable[..., Ended]
ACTIVE = "Positive electrode active material volume fraction"
RADIUS = "Positive particle radius [m]"
OCP = "Positive electrode OCP [V]"
EXCHANGE = "Positive electrode exchange-current density [A.m-2]"
DIFFUSIVITY = "Positive particle diffusivity [m2.s-1]"

# -- the current --------------------------------------------------------------------------------


def charge(followed: FollowedCurrent) -> float:
    """A h m^-2 of all of it."""
    return float(np.trapezoid(followed.current_A_m2, followed.time_s)) / 3600


def history(currents: list[float], charges: list[float], times: np.ndarray) -> tuple[Any, ...]:
    return times, np.array(currents), np.concatenate([[0.0], np.cumsum(charges)]) / 3600


def test_a_constant_current_is_two_points() -> None:
    times = np.array([0.0, 1.0, 3.0, 10.0])
    found = followed_current(*history([0, 5, 5, 5], [5, 10, 35], times))
    assert found.time_s.tolist() == [0.0, 10.0]
    assert found.current_A_m2.tolist() == [5.0, 5.0]
    assert found.jumps_s.size == 0


def test_jumps_are_steep_and_known_to_the_solver() -> None:
    """Charge, rest, discharge: rows at their ends alone say nothing of the jumps between them."""
    times = np.array([0.0, 10.0, 20.0, 30.0])
    columns = history([0, 5, 0, -3], [50, 0, -30], times)
    found = followed_current(*columns)
    assert charge(found) == pytest.approx(20 / 3600, rel=1e-3)
    np.testing.assert_allclose(found.jumps_s, [10, 10.001, 20, 20.001], atol=1e-9)
    assert np.interp([9.9, 10.1, 19.9, 20.1], found.time_s, found.current_A_m2).tolist() == [
        5,
        0,
        0,
        -3,
    ]
    # Negative control: straight lines through the rows pass another charge.
    assert abs(np.trapezoid(columns[1], times) - 20) > 10


def test_a_hold_is_continuous_and_keeps_its_charge() -> None:
    times = np.linspace(0.0, 100.0, 21)
    exact = 8 * np.exp(-times / 40)
    passed = -np.diff(320 * np.exp(-times / 40))
    # The time scheme's charge is another one.
    passed *= 1.003
    found = followed_current(*history(exact.tolist(), passed.tolist(), times))
    assert found.jumps_s.size == 0
    assert charge(found) == pytest.approx(passed.sum() / 3600, rel=1e-9)
    assert charge(found) != pytest.approx(np.trapezoid(exact, times) / 3600, rel=1e-3)


def test_rounding_makes_no_jumps() -> None:
    times = np.array([0.0, 10.0, 20.0, 30.0, 40.0])
    currents = [0.0, 5.0, 1e-11, -2e-11, 1e-11]
    found = followed_current(*history(currents, [50, 0, 1e-10, 0], times))
    assert found.jumps_s.size == 2


# -- what the DFN is told -----------------------------------------------------------------------

MEASURED = MeshedElectrode(volume=2e-5, surface=24.0, area=1.0, penalty=0.4)


def told(*overrides: str, dimension: int = 3) -> dict[str, Any]:
    base = [f"geometry.dimension={dimension}", "geometry.mesh_file=" + str(FIVE_DISCS)]
    return describe_electrode(parameters([*base, *overrides]), MEASURED)


def test_volume_and_surface_are_the_runs() -> None:
    values = told()["parameters"]
    thickness = values["Positive electrode thickness [m]"]
    assert values[ACTIVE] * thickness == pytest.approx(2e-5)
    assert 3 * values[ACTIVE] / values[RADIUS] * thickness == pytest.approx(24.0)
    assert values["Positive electrode porosity"] == pytest.approx(
        (1 - values[ACTIVE]) * 0.857, rel=1e-3
    )


def test_discs_are_spheres_that_diffuse_faster() -> None:
    three, two = told(dimension=3)["parameters"], told(dimension=2)["parameters"]
    assert two[RADIUS] == three[RADIUS] == pytest.approx(2.5e-6)
    assert three[DIFFUSIVITY] == pytest.approx(3e-15)
    # j R_d / (4 D) of the disc, R_d = 2V/A, is j R / (5 D') of the sphere.
    disc = 2 * 2e-5 / 24.0
    assert two[RADIUS] / (5 * two[DIFFUSIVITY]) == pytest.approx(disc / (4 * 3e-15))

    def transport(values: dict[str, float]) -> float:
        exponent = values["Positive electrode Bruggeman coefficient (electrolyte)"]
        return values["Positive electrode porosity"] ** exponent

    free = 1 - three[ACTIVE]
    eps_l = three["Positive electrode porosity"] / free
    assert transport(three) == pytest.approx((free * eps_l) ** 1.5)
    assert transport(two) == pytest.approx(free**2 * eps_l**1.5)


def test_tables_are_the_materials() -> None:
    described = told("active_material.diffusivity=colclasure_nmc532", "electrolyte.model=nyman")[
        "functions"
    ]
    spline = {name: CubicSpline(entry["x"], entry["y"]) for name, entry in described.items()}
    x = np.random.default_rng(0).uniform(0.2, 0.99, 500)
    curve = open_circuit_potential("NMC532")
    assert np.abs(spline[OCP](x) - curve.potential(x)).max() < 2e-6
    # Equation (13) with the penalty, and the electrolyte's conductivity, from the sources.
    i0 = 0.4 * 96485.33212 * 2e-11 * 49200 * np.sqrt(x * (1 - x))
    np.testing.assert_allclose(spline[EXCHANGE](x), i0, rtol=2e-6)
    c = np.random.default_rng(1).uniform(300, 1900, 500)
    m = c / 1000
    kappa = 0.1297 * m**3 - 2.51 * m**1.5 + 3.329 * m
    found = spline["Electrolyte conductivity [S.m-1]"](c)
    np.testing.assert_allclose(found, kappa, rtol=1e-6)
    assert np.ptp(spline[DIFFUSIVITY](x)) > 0
    # Constants are numbers.
    plain = told("electrolyte.model=valoen_reimers")
    assert plain["parameters"]["Cation transference number"] == 0.38
    assert plain["parameters"][DIFFUSIVITY] == pytest.approx(3e-15)


def test_mean_penalties() -> None:
    one = np.ones(2)
    surface, penalty = np.array([1.0, 3.0]), np.array([0.2, 0.8])
    table = ParticleTable(np.arange(2), one, one, one, one, one, surface, penalty)
    assert mean_penalty(table, "mean") == pytest.approx(0.65)
    assert mean_penalty(table, "harmonic") == pytest.approx(4 / (1 / 0.2 + 3 / 0.8))
    assert mean_penalty(table, "none") == 1.0


def test_other_transfer_coefficients_need_other_kinetics() -> None:
    other = told("active_material.anodic_transfer=0.6", "active_material.cathodic_transfer=0.4")
    assert other["model options"]["intercalation kinetics"] == "asymmetric Butler-Volmer"
    assert other["functions"][EXCHANGE]["order of the salt"] == 0.6
    assert "intercalation kinetics" not in told()["model options"]
    lithium = told("lithium_metal.symmetry=0.4")
    assert lithium["model options"]["intercalation kinetics"] == "asymmetric Butler-Volmer"
    name = "electrode Butler-Volmer transfer coefficient"
    assert lithium["parameters"][f"Negative {name}"] == 0.4
    assert lithium["parameters"][f"Positive {name}"] == 0.5


def test_what_a_dfn_does_not_know_is_said() -> None:
    assert len(not_represented(parameters())) == 1
    lines = not_represented(
        parameters(
            [
                "geometry.dimension=3",
                "active_material.double_layer_capacitance=0.2 F/m^2",
                "active_material.electronic_conduction_in_particles=true",
                "collector.connection=uniform_flux",
            ]
        )
    )
    assert len(lines) == 3


# -- the command --------------------------------------------------------------------------------

TABLE = "active_material.exchange_current_table"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five discs charged, at rest and discharged, with a table that is gone afterwards."""
    place = tmp_path_factory.mktemp("twin")
    law = place / "law.csv"
    law.write_text("stoichiometry,exchange_current_A_m2\n0.2,2\n0.6,3\n1,1\n")
    arguments = short_run(
        "charge at C/2 for 5 min",
        "rest for 2 min",
        "discharge at 1C for 2 min",
        active_material__exchange_current="table",
        active_material__exchange_current_table=str(law),
        active_material__initial_lithium_fraction="0.8",
        penalty__conditioning__rule="redraw",
    )
    arguments += ["--out", str(place / "results"), "--quiet"]
    done = subprocess.run(command(0, arguments), env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    law.unlink()
    return place / "results"


@pytest.fixture
def results(run: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(run, tmp_path / "results"))


def stand_in(place: Path, *lines: str) -> Path:
    """A program that answers as a Python with PyBaMM would."""
    program = place / "python-with-pybamm"
    (place / "answer.txt").write_text("\n".join(lines) + "\n")
    program.write_text(f"#!/bin/sh\ncat {place / 'answer.txt'}\n")
    program.chmod(0o755)
    return program


def answer(results: Path, rows: int | None = None, voltage: float = 0.0) -> list[str]:
    """The run's own voltages, moved, as a twin's."""
    table = read_history(results).iloc[1:][:rows]
    columns = zip(
        table["time_s"],
        table["voltage_V"] + voltage,
        table["lithium_fraction_mean"],
        strict=True,
    )
    rows_of = [",".join(repr(float(value)) for value in row) for row in columns]
    return ["time_s,voltage_V,lithium_fraction_mean", *rows_of]


def test_written_without_pybamm(results: Path, tmp_path: Path, heterode: Heterode) -> None:
    done = heterode("twin", results, env={"HETERODE_CACHE": str(tmp_path)})
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("heterode: error: PyBaMM is not installed here")
    assert "--install" in done.err
    assert "penalties change after each cycle" in done.err
    assert "1.2 times their D" in done.err
    twin = json.loads((results / "report" / "twin.json").read_text())
    table = ParticleTable.read_csv(results / "particles.csv")
    volume, surface = table.volume_um3.sum(), table.surface_um2.sum()
    assert twin["parameters"][RADIUS] == pytest.approx(3e-6 * volume / surface)
    # The mesh's own thickness, not the preset's 46 um, which only the composition counts with.
    assert twin["parameters"]["Positive electrode thickness [m]"] == pytest.approx(11e-6)
    assert twin["parameters"]["Separator thickness [m]"] == pytest.approx(5e-6)
    width = volume / (11.0 * twin["parameters"][ACTIVE])
    p = parameters([f"geometry.mesh_file={FIVE_DISCS}"])
    assert p.geometry.coating_thickness == pytest.approx(46e-6)
    # The mesh of the five discs.
    assert width == pytest.approx(float(np.ptp(mesh_points()[:, 1])), rel=1e-9)
    pen = mean_penalty(table, "mean")
    exchange = twin["functions"][EXCHANGE]
    assert np.interp(0.6, exchange["x"], exchange["y"]) == pytest.approx(3 * pen, rel=1e-3)
    assert len(twin["current"]["jumps_s"]) == 4
    assert twin["current"]["current_A"][0] < 0 < twin["current"]["current_A"][-1]
    source = (results / "report" / "twin.py").read_text()
    compile(source, "twin.py", "exec")
    assert not re.search(r"^\s*(import|from)\s+heterode", source, flags=re.MULTILINE)
    only = heterode("twin", results, "--write-only", "--out", tmp_path / "other")
    assert (only.code, sorted(p.name for p in (tmp_path / "other").iterdir())) == (
        0,
        [".heterode-written", "twin.json", "twin.py"],
    )


def mesh_points() -> np.ndarray:
    from heterode.geometry.msh import read_msh

    return np.asarray(read_msh(FIVE_DISCS).points_um)


def test_compared_with_what_the_other_program_says(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = stand_in(tmp_path, "a remark", "# PyBaMM 1.2, ", *answer(results, voltage=-1e-3))
    assert main(["twin", str(results), "--python", str(program)]) == 0
    said = capsys.readouterr().out
    assert "run minus DFN: 1.00 mV rms, 1.00 mV at most" in said
    own = read_manifest(results / "manifest.json")["accuracy"]
    error = own["voltage_space_error_V"]["largest"]
    assert error > 1e-3, "it has no layers"
    assert f"the run's own errors are estimated at up to {1e3 * error:.2g} mV by its mesh" in said
    twin = json.loads((results / "report" / "twin.json").read_text())
    assert twin["comparison"]["rms voltage difference [mV]"] == pytest.approx(1.0)
    assert twin["estimated errors of the run [V]"] == {
        name: own[name]["largest"] for name in ("voltage_space_error_V", "voltage_time_error_V")
    }
    assert twin["versions"]["pybamm"] == "1.2"
    table = pd.read_csv(results / "report" / "twin.csv")
    assert len(table) == len(read_history(results)) - 1
    assert {"time_s", "capacity_Ah_m2", "twin_voltage_V", "twin_lithium_fraction_mean"} <= set(
        table
    )
    assert (results / "report" / "twin.png").stat().st_size > 20_000
    texts = [axes.get_ylabel() for axes in counterpart_figure(table, "a", "b").axes]
    assert texts == ["voltage / V", "run − model / mV", "lithium fraction"]


def test_a_twin_that_ends_early_is_compared_as_far(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = stand_in(tmp_path, "# PyBaMM 1.2, ended early: event: empty", *answer(results, 5))
    assert main(["twin", str(results), "--python", str(program)]) == 0
    assert "the DFN ended at " in capsys.readouterr().out
    table = pd.read_csv(results / "report" / "twin.csv")
    assert table["twin_voltage_V"].notna().sum() == 5


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "answered with no table: nothing"),
        (("# PyBaMM 1.2, ", "a,b", "x,y"), "answered with no table"),
        (("# PyBaMM 1.2, ended early: bad", "time_s,voltage_V,lithium_fraction_mean"), "bad"),
    ],
)
def test_answers_that_are_none(
    results: Path, tmp_path: Path, lines: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ScriptError, match=message):
        making.compare_voltages(read_history(results), "\n".join(lines))


def test_a_python_without_pybamm(results: Path, tmp_path: Path, heterode: Heterode) -> None:
    program = tmp_path / "python"
    program.write_text(
        "#!/bin/sh\necho \"ModuleNotFoundError: No module named 'pybamm'\" >&2\nexit 1\n"
    )
    program.chmod(0o755)
    done = heterode("twin", results, "--python", program)
    assert done.code == 3
    assert done.err.splitlines()[-1] == (
        "heterode: error: PyBaMM: ended with code 1: ModuleNotFoundError: No module named 'pybamm'"
    )
    assert (results / "report" / "twin.py").is_file()


def wrong(results: Path, *options: str) -> str:
    with pytest.raises(InputError) as caught:
        making.make_counterpart(results, None, "mean", None, print)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_folders_that_cannot_have_a_twin(results: Path, tmp_path: Path) -> None:
    assert "no such folder" in wrong(tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "manifest" in wrong(empty)
    rows = (results / "history.csv").read_text().splitlines()
    (results / "history.csv").write_text("\n".join(rows[:2]) + "\n")
    assert "no time step to follow (status: completed" in wrong(results)
    (results / "history.csv").unlink()
    assert "history.csv: cannot be read" in wrong(results)
    assert not (results / "report").exists()


def test_a_folder_without_fields_or_input(results: Path) -> None:
    shutil.rmtree(results / "fields")
    assert "fields" in wrong(results)
    manifest = json.loads((results / "manifest.json").read_text())
    (results / "manifest.json").write_text(json.dumps(manifest | {"input": {}}))
    assert "keeps no input" in wrong(results)


def test_a_run_that_failed_is_followed_as_far_as_it_came(results: Path) -> None:
    manifest = json.loads((results / "manifest.json").read_text())
    changed = manifest | {"status": "failed", "reason": "salt used up"}
    (results / "manifest.json").write_text(json.dumps(changed))
    said: list[str] = []
    assert making.make_counterpart(results, None, "mean", None, said.append) is None
    assert "the run is not complete (failed)" in said[0]


def test_a_place_that_cannot_be_written(results: Path, heterode: Heterode) -> None:
    done = heterode("twin", results, "--write-only", "--out", results / "manifest.json")
    assert done.code == 2
    assert "a file is in the way" in done.err
    done = heterode("twin", results, "--python", "/nowhere/python3")
    assert done.code == 2
    assert "--python /nowhere/python3: is no program" in done.err


# -- PyBaMM itself ------------------------------------------------------------------------------


@pytest.mark.slow
def test_equal_spheres_are_what_their_twin_says(tmp_path: Path, heterode: Heterode) -> None:
    """The bound of docs/verification.md, which another script for PyBaMM is held to."""
    from helpers.equal_spheres import BOUND, SPHERES

    steps = 'protocol.steps=["charge at 1C until 4.3 V"]'
    options = [part for text in (*SPHERES, steps) for part in ("--set", text)]
    options += settings(penalty__distribution="none", output__report="false")
    preset = ROOT / "params" / "cube_50.toml"
    done = heterode("run", preset, *options, "--out", tmp_path / "run", "--quiet", timeout=PATIENCE)
    assert done.code == 0, done.err
    twin = heterode("twin", tmp_path / "run", "--install", timeout=PATIENCE)
    assert twin.code == 0, twin.err
    found = json.loads((tmp_path / "run" / "report" / "twin.json").read_text())
    rms = found["comparison"]["rms voltage difference [mV]"]
    print(twin.out)
    assert rms < BOUND
    # Twin of the test: particles that diffuse 10 % more slowly are noticed.
    found["parameters"][DIFFUSIVITY] *= 0.9
    (tmp_path / "run" / "report" / "twin.json").write_text(json.dumps(found))
    said = making.run_script(
        [str(making.pybamm_python(None, True, print)), str(tmp_path / "run" / "report" / "twin.py")]
    )
    assert making.compare_voltages(read_history(tmp_path / "run"), said).rms_mV > 2 * BOUND


@pytest.mark.slow
def test_equal_discs_are_near_their_twin_and_penalties_lead_away(
    tmp_path: Path, heterode: Heterode
) -> None:
    size = '{ distribution = "monodisperse", diameter = "5 um" }'
    steps = '["charge at C/2 until 4.2 V", "rest for 10 min", "discharge at C/2 for 20 min"]'
    rms = {}
    for name, distribution in (("equal", "none"), ("weibull", "weibull")):
        options = settings(
            geometry__particle_size=size,
            composition__areal_mass="8.28 mg/cm^2",
            active_material__rate_constant="1e-10 m/s",
            active_material__initial_lithium_fraction="0.9",
            penalty__distribution=distribution,
            protocol__steps=steps,
            output__report="false",
        )
        preset = ROOT / "params" / "quickstart.toml"
        done = heterode(
            "run", preset, *options, "--out", tmp_path / name, "--quiet", timeout=PATIENCE
        )
        assert done.code == 0, done.err
        twin = heterode("twin", tmp_path / name, "--install", timeout=PATIENCE)
        assert twin.code == 0, twin.err
        found = json.loads((tmp_path / name / "report" / "twin.json").read_text())
        rms[name] = found["comparison"]["rms voltage difference [mV]"]
        table = pd.read_csv(tmp_path / name / "report" / "twin.csv")
        away = table["lithium_fraction_mean"] - table["twin_lithium_fraction_mean"]
        assert away.abs().max() < 1e-6
    print(rms)
    assert rms["equal"] < 2.0
    assert rms["weibull"] > 5.0
