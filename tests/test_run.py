"""One command from a parameter file to a whole results folder, as the contract has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from helpers.commands import packed_run, settings, short_run
from helpers.paths import FIVE_DISCS, PRESET
from heterode import __version__
from heterode.cli import main
from heterode.geometry.msh import read_msh
from heterode.particles.table import ParticleTable
from heterode.results import read_fields, read_history, read_manifest, read_particle_series
from heterode.viewing import NAMES

STEPS = (
    "charge at C/2 until 3.9 V",
    "hold at 3.9 V until C/4",
    "rest for 2 min",
    "discharge at C/2 until 3.5 V",
    "hold at 3.6 V for 1 min",
)
CHARGE, HOLD, REST, DISCHARGE, TIMED_HOLD = range(len(STEPS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of one run of all kinds of steps."""
    out = tmp_path_factory.mktemp("run") / "deep" / "out"
    arguments = [*short_run(*STEPS, output__report="true"), "--out", str(out), "--quiet"]
    assert main(arguments) == 0
    return out


# -- the folder -------------------------------------------------------------------------------


def test_files_are_those_of_the_contract(folder: Path) -> None:
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    samples = {name for name in files if name.startswith("fields/data/0")}
    assert files - samples == {
        "manifest.json",
        "history.csv",
        "particles.csv",
        "particles.h5",
        "SHA256SUMS",
        "fields/particles.xdmf",
        "fields/electrolyte.xdmf",
        "fields/carbon.xdmf",
        "fields/data/mesh.h5",
        "report/index.html",
        "report/.heterode-written",
        "report/parameters.toml",
        *(f"report/{name}.png" for name in NAMES),
    }
    assert len(samples) == len(read_history(folder))


def test_history(folder: Path) -> None:
    rows = pd.read_csv(folder / "history.csv")
    assert list(rows.columns) == [
        "time_s",
        "voltage_V",
        "current_A_m2",
        "capacity_Ah_m2",
        "lithium_fraction_mean",
        "lithium_fraction_sd",
        "cycle",
        "step",
        "voltage_space_error_V",
    ]
    assert rows.dtypes.tolist() == [np.float64] * 6 + [np.int64] * 2 + [np.float64]
    assert np.all(np.diff(rows["time_s"]) > 0)
    assert rows["step"].is_monotonic_increasing
    assert set(rows["step"]) == set(range(len(STEPS)))
    assert set(rows["cycle"]) == {0}
    assert np.all(np.isfinite(rows.to_numpy()))
    capacity = np.trapezoid(rows["current_A_m2"], rows["time_s"]) / 3600
    assert rows["capacity_Ah_m2"].iloc[-1] == pytest.approx(capacity, rel=0.05)


def test_particles_table(folder: Path) -> None:
    rows = pd.read_csv(folder / "particles.csv")
    assert list(rows.columns) == [
        "particle",
        "x_um",
        "y_um",
        "z_um",
        "radius_um",
        "volume_um3",
        "surface_um2",
        "penalty",
    ]
    assert rows.dtypes.tolist() == [np.int64, *[np.float64] * 7]
    assert rows["particle"].tolist() == [0, 1, 2, 3, 4]
    assert rows["penalty"].between(1e-3, 1).all()
    assert len(set(rows["penalty"])) == 5
    assert np.allclose(rows["volume_um3"], np.pi * rows["radius_um"] ** 2, rtol=1e-3)


def test_particle_series(folder: Path) -> None:
    rows = read_history(folder)
    with h5py.File(folder / "particles.h5") as file:
        shapes = {name: (dataset.shape, dataset.dtype) for name, dataset in file.items()}
    samples = len(rows)
    assert shapes == {
        "time_s": ((samples,), np.float64),
        "lithium_fraction": ((samples, 5), np.float64),
        "surface_lithium_fraction": ((samples, 5), np.float64),
        "current_A_m2": ((samples, 5), np.float64),
    }
    series, table = read_particle_series(folder), ParticleTable.read_csv(folder / "particles.csv")
    assert np.array_equal(series.time_s, rows["time_s"])
    mean = np.average(series.lithium_fraction, axis=1, weights=table.volume_um3)
    assert np.abs(mean - rows["lithium_fraction_mean"]).max() < 1e-12
    # Positive when lithium leaves the particle.
    first, charging = series.lithium_fraction, rows["step"] == CHARGE
    assert np.all(np.diff(first[charging], axis=0) < 0)
    assert np.all(series.current_A_m2[charging][1:] > 0)


def test_current_of_the_particles_is_that_of_the_cell(folder: Path) -> None:
    series, table = read_particle_series(folder), ParticleTable.read_csv(folder / "particles.csv")
    mesh = read_msh(FIVE_DISCS)
    total = series.current_A_m2 @ table.surface_um2 / np.prod(mesh.width_um)
    current = read_history(folder)["current_A_m2"]
    error = np.abs(total - current).max() / current.max()
    print(f"{error:.1e}")
    # The table's surfaces are measured more finely than the solver integrates curved edges.
    assert error < 2e-4


FIELDS = {
    "particles": ({"lithium_fraction"}, {"particle", "penalty"}),
    "electrolyte": ({"concentration", "potential"}, set()),
    "carbon": ({"potential"}, set()),
}


@pytest.mark.parametrize("domain", FIELDS)
def test_fields(domain: str, folder: Path) -> None:
    at_points, in_cells = FIELDS[domain]
    series, rows = read_fields(folder, domain), read_history(folder)
    assert np.array_equal(series.times_s, rows["time_s"])
    assert set(series.grid.cell_data) == in_cells
    for index in (0, len(rows) - 1):
        values = series.load(index)
        assert set(values) == at_points
        for array in values.values():
            assert array.shape == (len(series.grid.points_um),)
            assert array.dtype == np.float64
    if domain == "particles":
        table = ParticleTable.read_csv(folder / "particles.csv")
        particle = series.grid.cell_data["particle"]
        assert set(particle) == set(range(5))
        assert np.array_equal(series.grid.cell_data["penalty"], table.penalty[particle])


def test_manifest(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["status"], manifest["program"]) == ("completed", "heterode")
    assert "hold at 3.6 V for 1 min" in manifest["reason"]
    parameters = manifest["parameters"]
    # With a mesh file, lengths are the mesh's; those of the preset would say something else.
    assert parameters["geometry"]["coating_thickness"] is None
    assert parameters["geometry"]["mesh_file"] == str(FIVE_DISCS)
    assert parameters["protocol"]["steps"] == list(STEPS)
    assert parameters["active_material"]["diffusivity"] == 3e-15
    assert manifest["seeds"] == {"packing": 1, "penalty": 1, "conditioning": 1}
    assert manifest["versions"]["heterode"] == __version__
    assert {"python", "numpy", "h5py"} <= manifest["versions"].keys()
    assert manifest["mesh_hash"] == read_msh(FIVE_DISCS).hash
    assert (manifest["ranks"], manifest["particles"]) == (1, 5)
    assert manifest["steps"] == len(read_history(folder)) - 1
    for name in ("dofs", "newton_iterations", "peak_memory_bytes"):
        assert isinstance(manifest[name], int)
        assert manifest[name] > 0
    assert isinstance(manifest["krylov_iterations"], int)
    assert manifest["wall_s"].keys() == {"mesh", "setup", "solve", "output", "report"}
    assert all(seconds > 0 for seconds in manifest["wall_s"].values())
    assert manifest["balance"].keys() == {"charge", "lithium", "salt", "prescribed_charge"}
    print(manifest["balance"])
    for error in manifest["balance"].values():
        assert 0 <= error < 1e-9


# -- the protocol -----------------------------------------------------------------------------


def ends(folder: Path) -> pd.DataFrame:
    """The last row of each protocol step."""
    return read_history(folder).groupby("step").last()


def test_voltage_cutoffs_are_met(folder: Path) -> None:
    last = ends(folder)["voltage_V"]
    assert abs(last[CHARGE] - 3.9) < 1e-5
    assert abs(last[DISCHARGE] - 3.5) < 1e-5
    rows = read_history(folder)
    assert rows[rows["step"] == CHARGE]["voltage_V"].max() < 3.9 + 1e-5
    assert rows[rows["step"] == DISCHARGE]["voltage_V"].min() > 3.5 - 1e-5


def test_hold_keeps_the_voltage_until_the_current_has_fallen(folder: Path) -> None:
    rows = read_history(folder)
    hold, one_C = rows[rows["step"] == HOLD], one_C_of(folder)
    assert np.abs(hold["voltage_V"] - 3.9).max() < 1e-9
    assert np.all(np.diff(hold["current_A_m2"]) < 0)
    assert hold["current_A_m2"].iloc[-1] == pytest.approx(one_C / 4, rel=1e-5)
    timed = rows[rows["step"] == TIMED_HOLD]
    assert np.abs(timed["voltage_V"] - 3.6).max() < 1e-9


def one_C_of(folder: Path) -> float:
    """1C current density from the constant current of the first step, which is C/2."""
    rows = read_history(folder)
    current = rows[rows["step"] == CHARGE]["current_A_m2"].iloc[1:]
    assert np.ptp(current) < 1e-9 * current.iloc[0]
    return 2 * float(current.iloc[0])


def test_rest_and_discharge(folder: Path) -> None:
    rows = read_history(folder)
    rest = rows[rows["step"] == REST]
    assert np.abs(rest["current_A_m2"]).max() < 1e-9
    assert np.ptp(rest["lithium_fraction_mean"]) < 1e-9
    discharge = rows[rows["step"] == DISCHARGE]
    assert discharge["current_A_m2"].to_numpy() == pytest.approx(-one_C_of(folder) / 2, rel=1e-9)
    assert np.all(np.diff(discharge["lithium_fraction_mean"]) > 0)
    assert np.all(np.diff(discharge["capacity_Ah_m2"]) < 0)


def test_durations_are_met(folder: Path) -> None:
    last = ends(folder)["time_s"]
    assert last[REST] - last[HOLD] == pytest.approx(120, abs=1e-6)
    assert last[TIMED_HOLD] - last[DISCHARGE] == pytest.approx(60, abs=1e-6)


def test_output_can_be_thinned(tmp_path: Path) -> None:
    arguments = short_run("charge at C/2 for 2 min", output__fields_every="7")
    arguments += [*settings(output__particles_every="5"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--quiet"]) == 0
    rows = read_history(tmp_path / "out")
    count = len(rows)
    for times, every in (
        (read_fields(tmp_path / "out", "carbon").times_s, 7),
        (read_particle_series(tmp_path / "out").time_s, 5),
    ):
        # And the last, whatever its number.
        chosen = sorted({*range(0, count, every), count - 1})
        assert np.array_equal(times, rows["time_s"].iloc[chosen])


# -- seeds ------------------------------------------------------------------------------------


def test_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = {"first": {}, "again": {}, "penalty": {"penalty": "2"}, "packing": {"packing": "2"}}
    for name, seeds in runs.items():
        seed = {f"seeds__{key}": value for key, value in seeds.items()}
        arguments = packed_run("charge at C/2 for 1 s", **seed)
        # Each packs and meshes for itself.
        meshes = tmp_path / "caches" / name / "meshes"
        monkeypatch.setattr("heterode.geometry.cache.cache_folder", lambda place=meshes: place)
        assert main([*arguments, "--out", str(tmp_path / name), "--quiet"]) == 0
    content = {name: (tmp_path / name / "particles.csv").read_bytes() for name in runs}
    table = {name: ParticleTable.read_csv(tmp_path / name / "particles.csv") for name in runs}
    assert content["again"] == content["first"]
    assert table["penalty"].with_penalty(table["first"].penalty) == table["first"]
    assert not np.any(table["penalty"].penalty == table["first"].penalty)
    assert not np.array_equal(table["packing"].x_um, table["first"].x_um)
    hashes = {name: read_manifest(tmp_path / name / "manifest.json")["mesh_hash"] for name in runs}
    assert hashes["first"] == hashes["again"] == hashes["penalty"] != hashes["packing"]


# -- the command ------------------------------------------------------------------------------


def test_quiet_prints_nothing_and_otherwise_there_is_progress(
    tmp_path: Path, heterode: Callable
) -> None:
    arguments = short_run("charge at C/2 for 1 min")
    quiet = heterode(*arguments, "--out", "quiet", "--quiet", cwd=tmp_path)
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    loud = heterode(*arguments, "--out", "loud", cwd=tmp_path)
    assert loud.code == 0
    assert loud.out.startswith("Regimes\n")
    assert loud.out.endswith("results: loud\n")
    for part in ("100 %", "V = ", "x = ", "step ", "5 particles", "on 1 rank,"):
        assert part in loud.err


def test_folder_without_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [*short_run("charge at C/2 for 1 s"), "--quiet"]
    for _ in range(3):
        assert main(arguments) == 0
    assert main([*arguments, *settings(output__directory="named")]) == 0
    assert sorted(p.parent for p in Path().rglob("manifest.json")) == [
        Path("named"),
        Path("results/quickstart"),
        Path("results/quickstart-2"),
        Path("results/quickstart-3"),
    ]


def test_overwrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    long, short = short_run("charge at C/2 for 1 min"), short_run("charge at C/2 for 1 s")
    assert main([*long, "--out", str(out), "--quiet"]) == 0
    before = (out / "history.csv").read_bytes()
    (out / "notes.txt").write_text("mine")
    assert main([*short, "--out", str(out), "--quiet"]) == 2
    assert (out / "history.csv").read_bytes() == before
    assert main([*short, "--out", str(out), "--quiet", "--overwrite"]) == 0
    assert len((out / "history.csv").read_bytes()) < len(before)
    assert len(list((out / "fields" / "data").glob("0*.h5"))) == len(read_history(out))
    assert (out / "notes.txt").read_text() == "mine"
    assert capsys.readouterr().err.count("\n") == 1


def test_check(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check", str(PRESET), "--set", "geometry.particles=80"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert any(line.split() == ["geometry.coating_thickness", "46", "um"] for line in lines)
    assert any(line.split() == ["geometry.particles", "80"] for line in lines)
    for heading in ("What follows", "Regimes", "Size"):
        assert heading in lines
    assert "unknowns" in out
    assert list(tmp_path.iterdir()) == []


def test_mesh_can_be_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    packed = packed_run("charge at C/2 for 1 s")
    assert main(["mesh", *packed[1:], "-o", "twelve.msh"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("12 particles, ")
    assert all(word in out for word in ("SICN", "cells", "separator", "angle"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".heterode-written", "twelve.msh"]
    assert main([*packed, "--out", "packed", "--quiet"]) == 0
    again = short_run("charge at C/2 for 1 s", geometry__mesh_file="twelve.msh")
    assert main([*again, "--out", "meshed", "--quiet"]) == 0
    for name in ("particles.csv", "history.csv"):
        assert Path("packed", name).read_bytes() == Path("meshed", name).read_bytes()


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["run", "--help"]])
def test_version_and_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out == f"heterode {__version__}\n" if arguments == ["--version"] else "usage" in out


@pytest.mark.mpi
def test_version_is_printed_once_on_two_ranks(heterode: Callable, tmp_path: Path) -> None:
    ended = heterode("--version", ranks=2, cwd=tmp_path)
    assert (ended.code, ended.out) == (0, f"heterode {__version__}\n")
