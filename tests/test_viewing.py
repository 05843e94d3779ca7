"""Figures: the numbers behind them, and that they are drawn from the results folder alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from helpers.paths import MESHES, ROOT
from helpers.surroundings import PATIENCE
from helpers.synthetic import SyntheticRun, synthetic_run, write_run
from heterode.base.errors import InputError
from heterode.geometry.msh import read_msh
from heterode.geometry.tags import PARTICLE_OFFSET
from heterode.results import FieldGrid, History, ResultsFolder
from heterode.viewing import draw_differential, draw_particle_map, draw_voltage
from heterode.viewing.differential import (
    FINEST_V,
    differential_curve,
    differential_curves,
    differential_figure,
)
from heterode.viewing.half_cycles import half_cycles
from heterode.viewing.particle_map import Layout, Panel, chosen_samples, map_figure, rims
from heterode.viewing.section import mid_section
from heterode.viewing.style import spoken_time
from heterode.viewing.voltage import voltage_figure


@pytest.fixture(scope="module")
def run() -> SyntheticRun:
    return synthetic_run(samples=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, run: SyntheticRun) -> ResultsFolder:
    return write_run(tmp_path_factory.mktemp("run") / "out", run)


def history_of(steps: list[tuple[float, list[float]]]) -> pd.DataFrame:
    """A history of (current, voltages) per protocol step, an hour a row."""
    rows = []
    charge, time = 0.0, 0.0
    for step, (current, voltages) in enumerate(steps):
        for voltage in voltages:
            rows.append((time, voltage, current, charge, 0.9 - charge / 50, 0.0, 0, step))
            time += 3600.0
            charge += current
    columns = ["time_s", "voltage_V", "current_A_m2", "capacity_Ah_m2"]
    columns += ["lithium_fraction_mean", "lithium_fraction_sd", "cycle", "step"]
    return pd.DataFrame(rows, columns=columns)


# dQ/dV


def peak(voltage: np.ndarray) -> np.ndarray:
    """Capacity of one logistic gallery at 3.8 V, 2 mA h cm^-2."""
    return 2 / (1 + np.exp(-(voltage - 3.8) / 0.02))


def peak_slope(voltage: np.ndarray) -> np.ndarray:
    q = peak(voltage) / 2
    return 2 * q * (1 - q) / 0.02


def test_straight_line_has_its_slope() -> None:
    voltage = np.sort(np.random.default_rng(0).uniform(3.0, 4.5, 400))
    for V, sign in ((voltage, 1), (voltage[::-1], -1)):
        curve = differential_curve([(V, 3 * V + 1)], sign=sign)
        assert curve is not None
        np.testing.assert_allclose(curve.slope, 3 * sign, rtol=1e-9)
        assert np.all(np.diff(curve.voltage) > 0)


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_too_little_voltage_gives_nothing(count: int) -> None:
    assert differential_curve([(np.full(count, 4.0), np.arange(float(count)))]) is None
    assert differential_curve([]) is None


def test_protocol_steps_are_told_apart() -> None:
    history = history_of(
        [(1.0, [3.6, 3.8, 4.2]), (0.5, [4.2, 4.2, 4.2]), (0.0, [4.15, 4.1]), (-1.0, [4.0, 3.5])]
    )
    # The current decays while the voltage is held.
    history.loc[3:5, "current_A_m2"] = [0.5, 0.3, 0.2]
    kinds = [step.kind for step in half_cycles(history)]
    assert kinds == ["charge", "hold", "rest", "discharge"]
    figure = voltage_figure(history)
    left, right = figure.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == kinds
    # Three rows are too few for dQ/dV; below the words is the line at zero.
    assert len(right.lines) == 1
    assert [text.get_text() for text in right.texts] == ["no half-cycle covers enough voltage"]


def test_both_figures_show_the_same_differential_capacity() -> None:
    history = both_ways(2)
    curves = differential_curves(history)
    for axes in (voltage_figure(history).axes[1], differential_figure(curves).axes[0]):
        shown = [line.get_xydata() for line in axes.lines[: len(curves)]]
        for line, curve in zip(shown, curves, strict=True):
            np.testing.assert_array_equal(line, np.column_stack([curve.voltage, curve.slope]))
        assert "averaged over 10 mV" in axes.get_title()


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_run_that_ended_at_once_still_draws(tmp_path: Path, rows: int) -> None:
    figure = voltage_figure(history_of([(1.0, [3.6, 3.7, 3.8][:rows])]))
    figure.savefig(tmp_path / "voltage.png")


def test_an_empty_history_is_refused(tmp_path: Path) -> None:
    History(tmp_path / "history.csv")
    with pytest.raises(InputError, match="no samples"):
        draw_voltage(tmp_path)


# dQ/dV per half-cycle


def both_ways(cycles: int, count: int = 400) -> pd.DataFrame:
    """Charges and discharges through the peak at 3.8 V; rests and a hold between them."""
    rows, time = [], 0.0
    for cycle in range(cycles):
        up = np.linspace(3.6, 4.0, count)
        for step, (V, I) in enumerate(
            [(up, 1.0), (np.full(5, 4.0), 0.5), (np.full(5, 3.99), 0.0), (up[::-1], -1.0)]
        ):
            # In A h/m^2; the hold passes nothing here.
            Q = peak(V) / 0.1 if abs(I) == 1.0 else np.full(len(V), 20.0)
            for v, q in zip(V, Q, strict=True):
                current = I if I != 0.5 else 0.5 + 1e-3 * len(rows)
                rows.append((time, v, current, q, 0.5, 0.0, cycle, 4 * cycle + step))
                time += 1.0
    names = ["time_s", "voltage_V", "current_A_m2", "capacity_Ah_m2"]
    names += ["lithium_fraction_mean", "lithium_fraction_sd", "cycle", "step"]
    return pd.DataFrame(rows, columns=names)


def test_half_cycles_have_a_curve_each() -> None:
    curves = differential_curves(both_ways(2))
    assert [(curve.cycle, curve.sign) for curve in curves] == [(0, 1), (0, -1), (1, 1), (1, -1)]
    for curve in curves:
        assert curve.width == FINEST_V
        # What averaging over w does to a peak: w^2/24 of its second derivative.
        bound = 0.05 * peak_slope(np.array([3.8]))
        assert np.abs(curve.slope - curve.sign * peak_slope(curve.voltage)).max() < bound
    figure = differential_figure(curves)
    lines = figure.axes[0].lines[:4]
    assert [line.get_color() for line in lines[:2]] == [lines[0].get_color()] * 2
    assert lines[0].get_color() != lines[2].get_color()
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "cycle 0",
        "cycle 1",
    ]


def test_the_area_is_the_charge_passed_and_needs_no_monotone_voltage() -> None:
    V = np.linspace(3.5, 4.1, 2000) + np.random.default_rng(2).normal(0, 5e-4, 2000)
    Q = peak(np.linspace(3.5, 4.1, 2000))
    curve = differential_curve([(V, Q)])
    area = np.sum(np.diff(curve.voltage) * (curve.slope[1:] + curve.slope[:-1]) / 2)
    assert area == pytest.approx(2.0, rel=1e-4)
    assert np.abs(curve.slope - peak_slope(curve.voltage)).max() < 0.08 * peak_slope(3.8)
    # The negative control: difference quotients of neighbouring rows are useless here.
    naive = np.diff(Q) / np.diff(V)
    assert np.abs(naive - peak_slope(V[:-1])).max() > peak_slope(3.8)


def test_steps_in_one_direction_are_one_half_cycle() -> None:
    history = both_ways(1)
    first = history["step"] == 0
    history.loc[first & (history["voltage_V"] > 3.8), "step"] = -1
    up, _ = differential_curves(history)
    whole, _ = differential_curves(both_ways(1))
    assert up.voltage[-1] == whole.voltage[-1]
    np.testing.assert_allclose(up.slope, whole.slope, atol=0.2 * peak_slope(3.8))


def test_a_titration_counts_where_it_is_relaxed() -> None:
    rows, time = [], 0.0
    relaxed = np.linspace(3.6, 4.0, 81)
    for pulse, V in enumerate(relaxed):
        Q = peak(V) / 0.1
        # The pulse lies 50 mV above what it relaxes to.
        for step, (v, I) in enumerate([(V + 0.05, 1.0), (V + 0.05, 1.0), (V, 0.0)]):
            rows.append((time, v, I, Q, 0.5, 0.0, 0, 2 * pulse + (step == 2)))
            time += 1.0
    names = ["time_s", "voltage_V", "current_A_m2", "capacity_Ah_m2"]
    names += ["lithium_fraction_mean", "lithium_fraction_sd", "cycle", "step"]
    (curve,) = differential_curves(pd.DataFrame(rows, columns=names))
    assert curve.voltage[np.argmax(curve.slope)] == pytest.approx(3.8, abs=0.005)


def test_a_drive_cycle_and_a_short_step_have_no_curve(tmp_path: Path) -> None:
    history = both_ways(1)
    history["step"] = 0
    assert differential_curves(history) == []
    short = history_of([(1.0, [3.6, 3.61, 3.62])])
    assert differential_curves(short) == []
    writer = History(tmp_path / "history.csv")
    assert draw_differential(tmp_path) is None
    assert writer.rows == 0
    assert not (tmp_path / "report").exists()


# Maps


def test_start_middle_and_end_are_chosen_by_charge_passed() -> None:
    # Ten quick rows with little charge, then few with much: the middle is not the middle row.
    history = history_of([(1.0, list(np.linspace(3.5, 4.3, 17)))])
    history["capacity_Ah_m2"] = [*np.linspace(0, 1, 11), 2, 3, 4, 5, 6, 10]
    assert chosen_samples(history, history["time_s"].to_numpy()) == [0, 14, 16]
    assert chosen_samples(history, history["time_s"].to_numpy()[[0, 11, 16]]) == [0, 1, 2]
    assert chosen_samples(history, history["time_s"].to_numpy()[:2]) == [0, 1]
    assert chosen_samples(history, history["time_s"].to_numpy()[:1]) == [0]


def test_charge_and_discharge_both_count_as_passed() -> None:
    history = history_of([(1.0, [3.5] * 5), (-1.0, [4.0] * 5)])
    assert chosen_samples(history, history["time_s"].to_numpy())[1] in (4, 5)


def test_rims_follow_the_particles(run: SyntheticRun) -> None:
    grid = next(grid for grid in run.grids if grid.name == "particles")
    edges = grid.points_um[rims(grid)]
    length = np.linalg.norm(edges[:, 1] - edges[:, 0], axis=1).sum()
    assert length == pytest.approx(2 * np.pi * run.discs.radii.sum(), rel=0.02)


def test_both_pictures_come_from_the_folder_alone(folder: ResultsFolder) -> None:
    script = (
        "import sys\n"
        "from heterode.viewing import draw_particle_map, draw_voltage\n"
        f"draw_voltage({str(folder.path)!r}); draw_particle_map({str(folder.path)!r})\n"
        "wrong = {'matplotlib.pyplot', 'dolfinx', 'petsc4py', 'mpi4py', 'gmsh'}\n"
        "wrong &= set(sys.modules)\n"
        "assert not wrong, wrong\n"
    )
    subprocess.run(
        [sys.executable, "-W", "error", "-c", script], cwd=ROOT, check=True, timeout=PATIENCE
    )
    for name in ("voltage.png", "lithium_fraction.png"):
        picture = imread(folder.report / name)
        assert picture.shape[1] > 1200
        assert np.ptp(picture[..., :3]) > 0.5


def test_panels_share_one_range_of_colour(run: SyntheticRun) -> None:
    grid = next(grid for grid in run.grids if grid.name == "particles")
    values = [run.samples[i][1]["particles"]["lithium_fraction"] for i in (0, 6, 12)]
    figure = map_figure(grid, [Panel("", v) for v in values], Layout(46.0, 61.0, 0.0, 60.0))
    maps = [axes.collections[0] for axes in figure.axes[:3]]
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    assert {drawn.get_clim() for drawn in maps} == {(low, high)}
    assert all(axes.get_aspect() == 1 for axes in figure.axes[:3])


@pytest.mark.parametrize(("width", "lying"), [(60.0, False), (300.0, True)])
def test_wide_cells_lie_down(run: SyntheticRun, width: float, lying: bool) -> None:
    grid = next(grid for grid in run.grids if grid.name == "particles")
    panels = [Panel("", np.full(len(grid.points_um), 0.5))] * 3
    figure = map_figure(grid, panels, Layout(46.0, 61.0, 0.0, width))
    expected = (-0.025 * 61, 1.025 * 61) if lying else (0.0, width)
    assert figure.axes[0].get_ylim() == pytest.approx(expected)
    assert ("$x$" in figure.axes[0].get_ylabel()) == lying


def test_a_cut_through_tetrahedra_has_the_area_and_the_values_of_the_plane() -> None:
    mesh = read_msh(MESHES / "spheres_3d.msh")
    solid = mesh.cell_tags >= PARTICLE_OFFSET
    particle = mesh.cell_tags[solid] - PARTICLE_OFFSET
    whole = FieldGrid("particles", mesh.points_um, mesh.cells, {"tag": mesh.cell_tags})
    grid = FieldGrid("particles", mesh.points_um, mesh.cells[solid], {"particle": particle})
    for place in (None, 3.0):
        section = mid_section(whole, place)
        assert triangle_areas(section.grid).sum() == pytest.approx(13.0 * 8.5, rel=1e-9)
        x, y, z = mesh.points_um.T
        drawn = section.values(2.0 * x - 0.5 * y + z)
        expected = 2.0 * section.grid.points_um[:, 1] + section.grid.points_um[:, 0]
        assert drawn == pytest.approx(expected - 0.5 * section.across_um, abs=1e-9)
    section = mid_section(grid, 3.1)
    area = np.bincount(section.grid.cell_data["particle"], triangle_areas(section.grid))
    assert area[0] == pytest.approx(np.pi * 2.0**2, rel=0.05)
    # The outline of a section is closed: each of its points ends two edges.
    ends = np.bincount(rims(section.grid).ravel(), minlength=len(section.grid.points_um))
    assert set(ends) <= {0, 2}


def triangle_areas(grid: FieldGrid) -> np.ndarray:
    a, b, c = (grid.points_um[grid.cells[:, k]] for k in range(3))
    return 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])


def test_a_planar_grid_is_its_own_section(run: SyntheticRun) -> None:
    grid = next(grid for grid in run.grids if grid.name == "particles")
    section = mid_section(grid)
    assert section.grid is grid
    values = np.arange(len(grid.points_um), dtype=float)
    assert np.array_equal(section.values(values), values)


def test_missing_results_are_named(tmp_path: Path) -> None:
    for draw in (draw_voltage, draw_particle_map):
        with pytest.raises(InputError, match=r"history\.csv"):
            draw(tmp_path)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (45, "45 s"), (750, "12.5 min"), (25308, "7.03 h")]
)
def test_times_read_naturally(seconds: float, text: str) -> None:
    assert spoken_time(seconds) == text
