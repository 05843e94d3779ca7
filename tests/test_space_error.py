"""The mesh's error of the voltage: estimated within bounds of the true one, and reported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

import heterode
from helpers.cells import parameters
from helpers.mapped_grid import Blocks, mapped_grid
from helpers.paths import FIVE_DISCS, MESHES
from heterode import Observer, Recorder, prepare
from heterode.accuracy.estimate import Interface, SpaceErrors
from heterode.accuracy.radial_particles import RadialParticles
from heterode.accuracy.record import SETTLED, ErrorRecord, Reached, sentence
from heterode.accuracy.series import surface_response
from heterode.accuracy.spacing import RadialMesh, mean_particle, radial_mesh, refined
from heterode.forecast.planned import planned
from heterode.geometry.layers import LayerReport, layered
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.msh import read_msh, write_msh
from heterode.parameters import Parameters
from heterode.parameters.layering import Layers
from heterode.physics.active_material import ActivePhase
from heterode.reporting.accuracy import accuracy_rows
from heterode.results.history import COLUMNS, History, read_history
from heterode.results.manifest import _DEFAULTS, read_manifest
from heterode.runs import followed_errors
from heterode.runs.setting import set_out
from heterode.solver.discretisation import electrode_mesh
from heterode.sweep.run_numbers import cost
from heterode.validity import space_bound

SPHERES = MESHES / "spheres_3d.msh"
DEEP = Layers(25, 1.5e-9, 1.3)
WITHIN = (0.8, 3.0)
"""Ratios of the estimated to the true error that are allowed."""


# -- radial problems --------------------------------------------------------------------------


def lead(nodes: np.ndarray, dimension: int, degree: int = 1, steps: int = 100) -> float:
    """Surface value at D t/R^2 = 0.05 after a unit inward flux from rest, with R = D = 1."""
    particle = RadialParticles([nodes], dimension, 1.0, degree)
    s = np.zeros((particle.size, 1))
    # Steps that grow from the jump of the flux on, where the surface changes as a root of time.
    times = 0.05 * np.linspace(0.0, 1.0, steps + 1) ** 2
    for step in np.diff(times):
        s = particle.advance(step, s[:, 0], s, np.array([[-1.0]]))
    return float(s[particle.surface[0], 0])


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize(("degree", "order"), [(1, 2), (2, 4)])
def test_radial_elements_converge_to_the_series(dimension: int, degree: int, order: int) -> None:
    exact = float(surface_response(np.array([0.05]), dimension)[0])
    errors = [
        abs(lead(np.linspace(0.0, 1.0, n + 1), dimension, degree, 3000) - exact) for n in (8, 16)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.4)


def test_particles_of_one_matrix_do_not_feel_each_other() -> None:
    ends = [np.linspace(0.0, 1.0, 5), np.linspace(0.0, 2.0, 9), np.array([0.0, 0.5])]
    fluxes = np.array([[-1.0], [0.0], [2.0]])
    together = RadialParticles(ends, 3, 1.0)
    s = together.advance(0.1, np.zeros(together.size), np.zeros((together.size, 1)), fluxes)
    for number, nodes in enumerate(ends):
        alone = RadialParticles([nodes], 3, 1.0)
        zeros = np.zeros((alone.size, 1))
        own = alone.advance(0.1, zeros[:, 0], zeros, fluxes[number : number + 1])
        np.testing.assert_allclose(
            s[together.surface[number]], own[alone.surface[0]], rtol=1e-12, atol=1e-15
        )
    assert np.all(s[together.surface[0] + 1 : together.surface[1] + 1] == 0.0)


def test_a_refined_spacing_leaves_next_to_nothing_of_the_error() -> None:
    coarse = np.linspace(0.0, 1.0, 5)
    exact = float(surface_response(np.array([0.05]), 3)[0])
    error = lead(coarse, 3, steps=1000) - exact
    assert abs(lead(refined(coarse), 3, steps=1000) - exact) < 0.08 * abs(error)


# -- the spacing of a mesh --------------------------------------------------------------------


@pytest.mark.parametrize("file", [FIVE_DISCS, SPHERES])
def test_layers_are_found_in_a_mesh(file: Path) -> None:
    base = read_msh(file)
    mesh, report = layered(base, Layers(4, 0.05e-6, 2.0))
    plain, found = radial_mesh(base), radial_mesh(mesh)
    assert report.counts.all()
    for particle, (before, nodes) in enumerate(zip(plain.ends, found.ends, strict=True)):
        count = report.counts[particle]
        depths = nodes[-1] - nodes[::-1][1 : count + 1]
        # Flat facets in place of a curved surface make layers a little thicker than asked for.
        expected = np.cumsum(Layers(int(count), 0.05e-6, 2.0).thicknesses)
        np.testing.assert_allclose(depths, expected * report.mean[particle], rtol=0.12)
        # Negative control: the base mesh has no such nodes.
        assert before[-1] - before[-2] > 3.0 * depths[0]


def test_the_radius_is_that_of_the_reacting_surface() -> None:
    mesh = read_msh(FIVE_DISCS)
    table = mesh.particles
    half = replace(table, surface_um2=0.5 * table.surface_um2)
    whole, cut = radial_mesh(mesh), radial_mesh(replace(mesh, particles=half))
    np.testing.assert_allclose(whole.radii, 1e-6 * table.radius_um, rtol=1e-3)
    np.testing.assert_allclose(cut.radii, 2.0 * whole.radii, rtol=1e-12)


def test_particles_that_do_not_react_are_left_out() -> None:
    mesh = read_msh(FIVE_DISCS)
    surfaces = mesh.particles.surface_um2.copy()
    surfaces[2] = 0.0
    bare = replace(mesh, particles=replace(mesh.particles, surface_um2=surfaces))
    assert radial_mesh(bare).particles.tolist() == [0, 1, 3, 4]


def test_a_run_measures_its_mesh_once_with_what_became_of_the_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touching = Blocks((8.0, 6.0), 6.0, (((1.0, 1.0), (3.0, 4.0)), ((3.0, 2.0), (5.0, 5.0))))
    write_msh(tmp_path / "touching.msh", mapped_grid(touching, 2, 1).data)
    measured: list[tuple[MeshData, RadialMesh]] = []

    def counted(mesh: MeshData, report: LayerReport | None) -> RadialMesh:
        measured.append((mesh, radial_mesh(mesh, report)))
        return measured[-1][1]

    monkeypatch.setattr(electrode_mesh, "radial_mesh", counted)
    setting = set_out(discs(tmp_path / "touching.msh", "solver.layers=5"), MPI.COMM_SELF)
    ((mesh, found),) = measured
    np.testing.assert_array_equal(setting.mesh.radial.radii, found.radii)
    report = setting.layering.report
    assert report is not None
    assert report.ending.all()
    # The particle that is followed for the time error has the run's layers.
    followed, _ = mean_particle(setting.mesh.radial)
    first = report.layers.first * float(report.mean.max())
    assert np.diff(followed)[-1] == pytest.approx(first, rel=0.05)
    assert len(followed) < len(mean_particle(radial_mesh(mesh))[0]) / 2


# -- the estimate -----------------------------------------------------------------------------

PROTOCOL = 'protocol.steps=["charge at 1C for 60 s", "rest for 60 s"]'


def discs(mesh: Path, *changes: str) -> Parameters:
    """Parameters of a run on five discs, without layers of its own."""
    common = (
        f"geometry.mesh_file={mesh}",
        "solver.layers=none",
        "active_material.diffusivity=3e-15 m^2/s",
        "active_material.initial_lithium_fraction=0.9",
    )
    return parameters([*common, *(changes or (PROTOCOL,))])


def followed(p: Parameters) -> dict[str, np.ndarray]:
    """Times, voltages, estimated errors, and whether they count, of a run."""
    rows = []
    with prepare(p) as cell:
        for step in cell:
            sample, jump = step.sample, cell.cell.stepper.memory.jump
            since = sample.time_s - jump
            error = sample.voltage_space_error_V
            rows.append((sample.time_s, sample.voltage_V, error, jump, since))
    names = ("time", "voltage", "error", "jump", "since")
    return dict(zip(names, np.array(rows).T, strict=True))


def true_errors(run: dict[str, np.ndarray], exact: dict[str, np.ndarray]) -> np.ndarray:
    """Voltages less those of a run without the error, interpolated; NaN where it does not count."""
    found = np.full(run["time"].shape, np.nan)
    for jump in np.unique(run["jump"]):
        own = (run["jump"] == jump) & (run["since"] >= SETTLED)
        other = (exact["jump"] == jump) & (exact["since"] > 0.0)
        # After a jump the voltage is smooth in the root of the time since.
        at = np.sqrt(exact["since"][other])
        found[own] = run["voltage"][own] - np.interp(
            np.sqrt(run["since"][own]), at, exact["voltage"][other], np.nan, np.nan
        )
    return found


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The run on the five discs with 25 layers."""
    file = tmp_path_factory.mktemp("deep") / "deep.msh"
    write_msh(file, layered(read_msh(FIVE_DISCS), DEEP)[0])
    return followed(discs(file, PROTOCOL, "solver.voltage_tolerance=0.01 mV"))


def ratios(run: dict[str, np.ndarray], exact: dict[str, np.ndarray]) -> tuple[float, float]:
    """Estimated over true error: of the largest, and of the mean over time."""
    true = true_errors(run, exact)
    counts = np.isfinite(true)
    weights = np.diff(run["time"], prepend=0.0)[counts]
    estimate, true = run["error"][counts], true[counts]
    rms = np.sqrt((weights @ estimate**2) / (weights @ true**2))
    return float(np.abs(estimate).max() / np.abs(true).max()), float(rms)


@pytest.mark.parametrize("count", [0, 3])
def test_the_estimate_bounds_the_true_error(
    count: int, exact: dict[str, np.ndarray], tmp_path: Path
) -> None:
    file = tmp_path / "mesh.msh"
    mesh = read_msh(FIVE_DISCS)
    write_msh(file, layered(mesh, Layers(count, 0.1e-6, 2.0))[0] if count else mesh)
    run = followed(discs(file))
    largest, rms = ratios(run, exact)
    assert WITHIN[0] < largest < WITHIN[1]
    assert WITHIN[0] < rms < WITHIN[1]
    true = true_errors(run, exact)
    felt = np.abs(true) > 0.3 * np.nanmax(np.abs(true))
    assert np.all(run["error"][felt] * true[felt] > 0.0)


def test_an_estimate_on_a_finer_spacing_than_the_mesh_has_falls_by_half_and_misses(
    exact: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = ratios(followed(discs(FIVE_DISCS)), exact)

    def halved(mesh: RadialMesh, *others: Any) -> SpaceErrors:
        finer = [np.union1d(r, 0.5 * (r[1:] + r[:-1])) for r in mesh.ends]
        return SpaceErrors(replace(mesh, ends=tuple(finer)), *others)

    monkeypatch.setattr(followed_errors, "SpaceErrors", halved)
    wrong = ratios(followed(discs(FIVE_DISCS)), exact)
    assert wrong[0] / measured[0] == pytest.approx(0.6, abs=0.2)
    assert min(wrong) < WITHIN[0]


def test_the_estimate_takes_no_part_in_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = followed(discs(FIVE_DISCS))
    monkeypatch.setattr(followed_errors, "_estimate", lambda setting, material: None)
    without = followed(discs(FIVE_DISCS))
    np.testing.assert_array_equal(plain["voltage"], without["voltage"])
    assert np.abs(plain["error"]).max() > 1e-4
    assert np.all(np.isnan(without["error"]))


def equal_particles() -> tuple[SpaceErrors, Interface]:
    """Two equal discs, and their state after a time step that took lithium out."""
    p = parameters()
    material = ActivePhase(p)
    radii = np.linspace(0.0, 3e-6, 4)
    mesh = RadialMesh(np.arange(2), (radii, radii), np.full(2, 2e-5), 2)
    D = float(material.diffusivity(0.6, p.temperature))
    law = material.insertion(np.ones(1))
    errors = SpaceErrors(mesh, D, material.maximum_concentration, law, np.full(2, 0.6))
    full = np.ones(2)
    return errors, Interface(0.599 * full, 0.58 * full, 1.0 * full, 1e-3 * full)


def test_what_is_prescribed_decides_what_errs() -> None:
    found = {}
    for held in ("current", "power", "voltage"):
        errors, at = equal_particles()
        found[held] = errors.advance(1.0, at, held, 3.8, 0.02)
    by_current, by_power, held = found["current"], found["power"], found["voltage"]
    assert by_current.current_A == 0.0
    assert by_power.current_A * 3.8 == pytest.approx(-0.02 * by_power.voltage_V)
    # Lithium is taken out, and the coarse surface lags behind: U, and V with it, are too low.
    assert by_current.surface[0] > 0.0
    assert by_current.voltage_V < 0.0
    # A voltage that is held takes out too much, and equal particles differ by no current otherwise.
    assert held.current_A > 0.0
    assert np.all(held.lithium < 0.0)
    np.testing.assert_allclose(by_current.lithium, 0.0, atol=1e-15)


def test_a_checkpoint_holds_all_on_which_the_next_estimates_depend() -> None:
    one, at = equal_particles()
    one.advance(1.0, at, "current", 3.8, 0.02)
    resumed, _ = equal_particles()
    fresh, _ = equal_particles()
    resumed.recall(one.memory)
    later = replace(at, mean=at.mean - 1e-3, surface=at.surface - 5e-3)
    found = [e.advance(2.0, later, "current", 3.8, 0.02) for e in (one, resumed, fresh)]
    assert found[0].voltage_V == found[1].voltage_V
    np.testing.assert_array_equal(found[0].lithium, found[1].lithium)
    # Negative control: without its memory an estimate begins with a jump.
    assert abs(found[2].voltage_V / found[0].voltage_V - 1.0) > 0.1


# -- what is reported -------------------------------------------------------------------------


def test_errors_count_from_a_tenth_of_a_second_on() -> None:
    record = ErrorRecord()
    assert record.summary is None
    assert not record.add(0.05, 0.05, 0.05, 1.0)
    assert record.summary is None
    assert not record.add(0.5, 0.45, 0.5, float("nan"))
    assert record.add(1.0, 0.95, 1.0, -3.0)
    assert record.add(4.0, 3.0, 4.0, 1.0)
    summary = record.summary
    assert summary is not None
    assert (summary.largest, summary.at_s) == (3.0, 1.0)
    assert summary.rms == pytest.approx(np.sqrt((0.95 * 9.0 + 3.0) / 3.95))
    other = ErrorRecord()
    other.recall(record.memory)
    assert other.summary == summary


def test_what_is_not_known_is_left_out() -> None:
    assert Reached(1e-3).entries == {"asked_V": 1e-3}
    assert sentence(Reached(1e-3).entries) == ""
    assert sentence({}) == ""
    told = sentence(
        Reached(1e-3, particle_mean_error=2e-4, largest_clip={"lithium_fraction": 1e-5}).entries
    )
    assert "1 mV" in told
    assert "0.0002" in told
    assert "1e-05" in told


@pytest.mark.parametrize(
    ("changes", "warned"),
    [(("solver.accuracy=0.1 mV",), True), (("solver.accuracy=100 mV",), False)],
)
def test_a_run_reports_its_errors(changes: tuple[str, ...], warned: bool, tmp_path: Path) -> None:
    steps = 'protocol.steps=["charge at 1C for 20 s", "hold at 3.9 V for 5 s"]'
    p = discs(FIVE_DISCS, steps, "output.report=false", *changes)
    lines: list[str] = []
    with prepare(p, [Recorder(tmp_path / "run"), _Listener(lines)]) as cell:
        for _ in cell:
            pass
    history = read_history(tmp_path / "run")
    manifest = read_manifest(tmp_path / "run" / "manifest.json")
    error, reached = history["voltage_space_error_V"], manifest["accuracy"]
    counting = history["time_s"] >= SETTLED
    assert reached["voltage_space_error_V"]["largest"] == error[counting].abs().max()
    assert reached["voltage_space_error_V"]["at_s"] == history["time_s"][error.abs().idxmax()]
    assert reached["current_space_error_A_m2"]["largest"] > 0.0
    assert 0.0 < reached["particle_mean_error"] < 0.01
    assert reached["asked_V"] == p.solver.accuracy
    assert any(line.startswith("estimated errors (asked for:") for line in lines)
    assert heterode.load(tmp_path / "run").accuracy == reached
    found = [entry for entry in manifest["warnings"] if entry["code"] == "space_error"]
    assert bool(found) is warned
    if warned:
        (entry,) = found
        assert entry["value"] == pytest.approx(1e3 * error.abs().max())
        assert 'solver.layers = "auto"' in entry["message"]
        assert any(line.startswith("warning: at t =") and "mesh's error" in line for line in lines)


class _Listener(Observer):
    """Keeps the lines that a user sees."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def say(self, line: str) -> None:
        self._lines.append(line)


@pytest.mark.parametrize(
    ("layers", "remedy"),
    [
        ("auto", "Lower"),
        ("none", '"auto"'),
        ("2", "above 2"),
        ("40", '"auto" in place of 40'),
        ("6 from 20 nm, ratio 2", '"auto" in place of 6 from 20 nm, ratio 2'),
    ],
)
def test_the_warning_names_the_remedy(layers: str, remedy: str) -> None:
    bound = space_bound(parameters([f"solver.layers={layers}"]))
    assert remedy in bound.message(3.0)
    assert bound.excess(0.99) == 0.0
    assert bound.excess(1.01) > 0.0


@pytest.mark.parametrize(
    ("values", "remedy"),
    [
        ({"bound": 4e-4, "plunge": 4e-4}, "Lower"),
        ({"bound": 7e-4, "plunge": 7e-4}, "ask for 1.4 mV"),
        ({"bound": 4e-4, "plunge": 4e-3}, "gain little"),
    ],
)
def test_the_remedy_is_one_that_helps(values: dict[str, float], remedy: str) -> None:
    """Finer layers are no remedy where the plan knows that they do not do."""
    p = parameters()
    plan = replace(planned(p), accuracy=1e-3, **values)
    assert remedy in space_bound(p, plan).message(3.0)
    assert ("Lower" in space_bound(p, plan).message(3.0)) is (remedy == "Lower")


def test_histories_of_earlier_versions_are_read_and_continued(tmp_path: Path) -> None:
    old = tmp_path / "history.csv"
    rows = [",".join(COLUMNS[:-1]), "0.0,3.5,0.0,0.0,0.9,0.0,0,0", "1.0,3.6,1.0,0.1,0.9,0.0,0,0"]
    old.write_text("\n".join(rows) + "\n")
    table = read_history(old)
    assert tuple(table.columns) == COLUMNS
    assert table["voltage_space_error_V"].isna().all()
    with prepare(discs(FIVE_DISCS, 'protocol.steps=["rest for 1 s"]')) as cell:
        sample = next(cell).sample
    History(old, keep=2).append(sample)
    assert len(read_history(old)) == 3
    assert old.read_text().splitlines()[0] == rows[0]


def test_the_page_shows_what_is_known_of_the_errors() -> None:
    error = {"largest": 3.6e-4, "rms": 1.7e-4, "at_s": 90.0}
    layers = {"count": 6, "first_um": 0.0156, "ratio": 2.0, "particles_with_thinner": 0}
    section = {"asked_V": 1e-3, "layers": layers, "voltage_space_error_V": error}
    rows = dict(accuracy_rows({"accuracy": section}))
    assert "6 layers, from 15.6 nm, ratio 2" in rows.values()
    uneven = {**section, "layers": {**layers, "particles_with_thinner": 2}}
    said = dict(accuracy_rows({"accuracy": uneven})).values()
    assert "6 layers, from 15.6 nm, ratio 2, thinner somewhere on 2 particles" in said
    (shown,) = (value for name, value in rows.items() if "by the mesh" in name)
    assert "0.36 mV" in shown
    assert "0.17 mV" in shown
    assert not any("time steps" in name for name in rows)
    assert accuracy_rows({"accuracy": {"asked_V": 1e-3}}) == []
    assert accuracy_rows({}) == []


def test_tables_of_sweeps_have_the_largest_error() -> None:
    manifest = json.loads(json.dumps(_DEFAULTS))
    assert cost(manifest)["voltage_space_error_V"] is None
    manifest["accuracy"] = {"voltage_space_error_V": {"largest": 2e-3, "rms": 1e-3, "at_s": 1.0}}
    assert cost(manifest)["voltage_space_error_V"] == 2e-3
    assert cost(manifest)["voltage_time_error_V"] is None
    manifest["accuracy"] = {"voltage_time_error_V": {"largest": 3e-4, "rms": 1e-4, "at_s": 1.0}}
    assert cost(manifest)["voltage_time_error_V"] == 3e-4
