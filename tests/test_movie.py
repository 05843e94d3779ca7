"""The movie: equal steps, the right colours in the right pixels, files that players take."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps

from helpers.paths import MESHES
from helpers.synthetic import SyntheticRun, synthetic_run, write_run
from heterode.base.errors import ArgumentError, InputError
from heterode.cli import main
from heterode.geometry.msh import read_msh
from heterode.geometry.tags import PARTICLE_OFFSET
from heterode.results import FieldGrid, ResultsFolder, read_fields, read_history
from heterode.results.particle_series import ParticleHistory, read_particle_series
from heterode.results.written import RECORD
from heterode.viewing.movie import Cut, View, animate, read_cut
from heterode.viewing.movie.plane import PlaneScene
from heterode.viewing.movie.raster import rasterise
from heterode.viewing.movie.stage import Stage
from heterode.viewing.movie.timeline import Fields, Timeline, bracket
from heterode.viewing.section import mid_section
from heterode.viewing.slab import layout_of

SMALL = View(frames=5, height=240, fps=10)


@pytest.fixture(scope="module")
def run() -> SyntheticRun:
    return synthetic_run(samples=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, run: SyntheticRun) -> ResultsFolder:
    return write_run(tmp_path_factory.mktemp("movie") / "out", run)


# When the frames are


def history_of(capacities: list[float], hours: list[float]) -> pd.DataFrame:
    count = len(hours)
    return pd.DataFrame(
        {
            "time_s": 3600 * np.array(hours),
            "voltage_V": np.linspace(3.5, 4.5, count),
            "current_A_m2": np.ones(count),
            "capacity_Ah_m2": capacities,
            "lithium_fraction_mean": np.linspace(0.9, 0.3, count),
            "lithium_fraction_sd": np.zeros(count),
            "cycle": 0,
            "step": 0,
        }
    )


def series_of(hours: list[float]) -> ParticleHistory:
    values = np.linspace(0.9, 0.3, len(hours))[:, None] * np.ones((1, 3))
    return ParticleHistory(3600 * np.array(hours), values, values, values)


# A slow hour, a rest, a fast hour, and half of it back.
CAPACITY, HOURS = [0.0, 1.0, 1.0, 5.0, 3.0], [0.0, 1.0, 4.0, 5.0, 6.0]


def timeline(steps: str, frames: int = 15) -> Timeline:
    history, series = history_of(CAPACITY, HOURS), series_of(HOURS)
    return Timeline(history, series, series.time_s, frames=frames, steps=steps)


def test_steps_are_equal_in_charge_whichever_way_it_flows() -> None:
    times = timeline("charge").times_s
    passed = np.interp(times, 3600 * np.array(HOURS), [0.0, 1.0, 1.0, 5.0, 7.0])
    np.testing.assert_allclose(np.diff(passed), 0.5, rtol=1e-9)
    # None of them within the rest.
    assert not np.any((times > 3600.1) & (times < 4 * 3600 - 0.1))
    assert np.ptp(np.diff(times)) > 1000


def test_steps_are_equal_in_time_if_wanted() -> None:
    times = timeline("time").times_s
    np.testing.assert_allclose(np.diff(times), 6 * 3600 / 14, rtol=1e-9)
    passed = np.interp(times, 3600 * np.array(HOURS), [0.0, 1.0, 1.0, 5.0, 7.0])
    assert np.ptp(np.diff(passed)) > 1


def test_moments_lie_between_samples() -> None:
    at = timeline("time", frames=7)
    frame = at.frame(3)
    assert (frame.time_s, frame.share) == (3 * 3600, 0.5)
    assert (frame.sample, frame.weight) == (1, pytest.approx(2 / 3))
    assert frame.capacity_Ah_m2 == 1.0
    expected = 0.75 + (2 / 3) * (0.6 - 0.75)
    np.testing.assert_allclose(frame.lithium_fraction, expected)
    assert at.frame(6).weight == 0.0


def test_a_run_without_charge_goes_by_time() -> None:
    history, series = history_of([2.0] * 5, HOURS), series_of(HOURS)
    times = Timeline(history, series, series.time_s, frames=4, steps="charge").times_s
    np.testing.assert_allclose(times, 3600 * np.array([0, 2, 4, 6]))


def test_a_run_that_goes_on_ends_at_its_last_fields() -> None:
    history, series = history_of(CAPACITY, HOURS), series_of(HOURS[:2])
    at = Timeline(history, series, 3600 * np.array(HOURS[:4]), frames=9, steps="charge")
    assert at.times_s[-1] == 5 * 3600
    # The particles' file lags behind: its last sample stands.
    np.testing.assert_allclose(at.frame(8).lithium_fraction, 0.3)
    alone = Timeline(history, series, np.array([0.0]), frames=9)
    assert len(alone) == 1
    with pytest.raises(InputError, match="no samples yet"):
        Timeline(history.iloc[:0], series, np.array([0.0]), frames=9)


def test_bracket_keeps_to_the_ends() -> None:
    times = np.array([0.0, 1.0, 3.0])
    assert [bracket(times, t) for t in (-1.0, 0.0, 2.0, 3.0, 9.0)] == [
        (0, 0.0),
        (0, 0.0),
        (1, 0.5),
        (2, 0.0),
        (2, 0.0),
    ]


# Pixels


def test_pixels_carry_the_linear_field_and_the_area() -> None:
    points = np.random.default_rng(2).uniform([3, 2], [77, 58], (40, 2))
    from scipy.spatial import Delaunay

    cells = np.asarray(Delaunay(points).simplices, dtype=np.int64)
    raster = rasterise(points, cells, 60, 80)
    x, y = raster.column + 0.5, raster.row + 0.5
    np.testing.assert_allclose(raster.values(2 * points[:, 0] - points[:, 1]), 2 * x - y)
    a, b, c = (points[cells[:, k]] for k in range(3))
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    assert len(x) == pytest.approx(0.5 * np.abs(ux * vy - uy * vx).sum(), rel=0.01)
    assert len(np.unique(raster.row * 80 + raster.column)) == len(x)


def test_what_lies_outside_or_has_no_area_has_no_pixels() -> None:
    points = np.array([[-9.0, -9], [-2, -9], [-2, -2], [1, 1], [5, 5], [9, 9], [0.2, 0.2]])
    raster = rasterise(points, np.array([[0, 1, 2], [3, 4, 5], [6, 6, 6]]), 10, 10)
    assert np.all(raster.weight > -1e-6)
    assert len(raster.row) == 0 or np.all(raster.row == raster.column)
    assert len(rasterise(points, np.array([[0, 1, 2]]), 10, 10).row) == 0


def test_particles_have_their_colour_in_their_place(folder: ResultsFolder, run) -> None:
    view = replace(SMALL, quantity="lithium_fraction", height=480, frames=3)
    history, series = read_history(folder.path), read_fields(folder.path, "particles")
    at = Timeline(history, read_particle_series(folder.path), series.times_s, frames=3)
    stage = Stage(view, at, history, (0.0, 1.0), "title")
    section = mid_section(series.grid)
    layout = layout_of(folder.path, section)
    scene = PlaneScene(stage, section, layout)
    frame = at.frame(1)
    page = stage.draw(frame)
    before = page.copy()
    field = Fields(series).lithium_fraction(frame)
    scene.paint(page, view.shown(field), frame.share)
    assert page.shape == (480, 854, 3)
    for particle, centre in enumerate(run.discs.centres):
        column, row = stage.to_pixels(layout.placed(centre[None]), scene._place)[0]
        pixel = page[scene._place.top + int(row), scene._place.left + int(column)]
        nearest = np.linalg.norm(series.grid.points_um - centre, axis=1).argmin()
        expected = 255 * np.array(colormaps["viridis"](field[nearest])[:3])
        assert np.abs(pixel - expected).max() < 12, particle
    # Outside the map's axes nothing is painted.
    changed = np.argwhere((page != before).any(axis=2))
    place = scene._place
    assert changed[:, 0].min() >= place.top
    assert changed[:, 0].max() < place.bottom
    assert changed[:, 1].min() >= place.left
    assert changed[:, 1].max() < place.right


# Files


def frames_of(path: Path) -> tuple[str, list[np.ndarray]]:
    """What ffmpeg says of a file, and its frames."""
    words = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo"]
    words += ["-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(words, capture_output=True, check=True)
    about = done.stderr.decode()
    size = re.search(r" (\d{3,5})x(\d{3,5})", about)
    width, height = int(size[1]), int(size[2])
    return about, list(np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3))


def test_both_files_play(folder: ResultsFolder) -> None:
    told: list[tuple[int, int]] = []
    movie = animate(folder.path, SMALL, lambda done, count: told.append((done, count)))
    assert [path.name for path in movie.paths] == ["movie.mp4", "movie.gif"]
    assert told == [(k, 5) for k in range(1, 6)]
    assert movie.frames == 5
    assert movie.per_frame_s > 0
    about, pictures = frames_of(movie.paths[0])
    for part in ("h264", "yuv420p", "426x240", "10 fps"):
        assert part in about
    assert len(pictures) == 5
    for first, second in pairwise(pictures):
        assert np.abs(first.astype(int) - second).max() > 60
    gif, again = frames_of(movie.paths[1])
    assert "426x240" in gif
    assert len(again) >= 5
    assert not list(folder.report.glob("*partial*"))


def test_a_gif_alone_leaves_no_mp4(folder: ResultsFolder, tmp_path: Path, run) -> None:
    out = write_run(tmp_path / "out", run)
    movie = animate(out.path, replace(SMALL, frames=2, formats=("gif",)))
    assert [path.name for path in movie.paths] == ["movie.gif"]
    assert {path.name for path in out.report.iterdir()} == {RECORD, "movie.gif"}


def test_an_interrupted_folder_is_enough(tmp_path: Path, run: SyntheticRun) -> None:
    out = write_run(tmp_path / "out", run)
    manifest = json.loads(out.manifest.read_text())
    out.manifest.write_text(json.dumps(manifest | {"status": "running"}))
    # A row cut off while being written, and a particle series that lags behind.
    with out.history.open("a") as file:
        file.write("12345.0,3.9")
    movie = animate(out.path, replace(SMALL, frames=2, formats=("mp4",)))
    assert movie.paths[0].stat().st_size > 1000


# The command


def test_the_command(folder: ResultsFolder, capsys: pytest.CaptureFixture[str]) -> None:
    short = ["--frames", "2", "--height", "240", "--format", "mp4"]
    arguments = ["animate", str(folder.path), *short, "--show", "lithium_fraction"]
    assert main([*arguments, "--steps", "time"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 frames of 426 x 240 from ")
    assert " s a frame" in out
    assert out.splitlines()[1].startswith(str(folder.report / "movie.mp4"))
    assert err == ""
    assert main([*arguments, "--quiet"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "about"),
    [
        (["--height", "241"], "even number of pixels"),
        (["--frames", "0"], "--frames 0"),
        (["--fps", "0"], "--fps 0"),
        (["--cut", "sideways"], "--cut sideways"),
        (["--section", "3"], "plane already"),
        (["--show", "voltage"], "invalid choice"),
    ],
)
def test_mistakes_are_one_line(
    folder: ResultsFolder, capsys: pytest.CaptureFixture[str], options: list[str], about: str
) -> None:
    assert main(["animate", str(folder.path), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert about in err
    assert err.count("\n") == 1


def test_cuts_are_read() -> None:
    assert read_cut("none") == Cut("none")
    assert read_cut("corner") == Cut("corner")
    assert read_cut("z") == Cut("plane", 2, None)
    assert read_cut("x = 3.5 um") == Cut("plane", 0, 3.5)
    assert View(height=1080).size == (1920, 1080)


def test_lithium_is_shown_or_what_has_left_in_the_same_colours() -> None:
    values = np.array([0.3, 0.951])
    left = View(quantity="extracted")
    assert View().shown(values) == pytest.approx(values)
    assert View().range(values) == pytest.approx((0.30, 0.96))
    assert left.shown(values) == pytest.approx([0.7, 0.049])
    assert left.range(values) == pytest.approx((0.04, 0.70))
    assert (View().symbol, left.symbol) == ("x", "1 - x")
    # A particle has one colour, whichever of the two numbers stands at the bar: full is yellow.
    for x in (0.0, 0.3, 1.0):
        assert left.colours(1.0 - x) == pytest.approx(View().colours(x), abs=0.02)
    red, green, blue, _ = View().colours(1.0)
    assert min(red, green) > 0.85 > 0.3 > blue
    # The negative control: the map is not the same backwards.
    assert View().colours(0.9) != pytest.approx(left.colours(0.9), abs=0.2)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"quantity": "composition"}, r"quantity = 'composition' .*lithium_fraction, extracted\)"),
        ({"steps": "voltage"}, r"steps = 'voltage' .*charge, time\)"),
        ({"formats": ("avi",)}, r"formats = 'avi' .*mp4, gif\)"),
        ({"height": 241}, "height = 241 is not an even number"),
        ({"orbit_deg": 1e4}, "orbit_deg = 10000.0 lies outside"),
    ],
)
def test_python_reads_the_names_of_arguments(wrong: dict, said: str) -> None:
    with pytest.raises(ArgumentError, match=said) as caught:
        View(**wrong)
    assert "--" not in str(caught.value)


# In 3D


@pytest.fixture(scope="module")
def spheres() -> FieldGrid:
    mesh = read_msh(MESHES / "spheres_3d.msh")
    solid = mesh.cell_tags >= PARTICLE_OFFSET
    used, cells = np.unique(mesh.cells[solid], return_inverse=True)
    particle = mesh.cell_tags[solid] - PARTICLE_OFFSET
    return FieldGrid(
        "particles", mesh.points_um[used], cells.reshape(-1, 4), {"particle": particle}
    )


@pytest.mark.parametrize("cut", [Cut("corner"), Cut("plane", 1, None), Cut("none")])
def test_a_cut_surface_has_the_field_of_the_solid(spheres: FieldGrid, cut: Cut) -> None:
    from heterode.viewing.movie.space import cut_surface

    surface = cut_surface(spheres, cut)
    points = np.asarray(surface.mesh.points)
    x, y, z = spheres.points_um.T
    expected = 2 * points[:, 0] - points[:, 1] + 0.5 * points[:, 2]
    drawn = surface.values(2 * x - y + 0.5 * z)
    np.testing.assert_allclose(drawn, expected, atol=1e-4)
    # The negative control: with the weights in another order it is another field.
    twisted = replace(surface, weight=surface.weight[:, ::-1])
    assert np.abs(twisted.values(2 * x - y + 0.5 * z) - expected).max() > 0.1


def test_the_corner_is_gone(spheres: FieldGrid) -> None:
    from heterode.viewing.movie.space import cut_surface

    middle = (spheres.points_um.min(axis=0) + spheres.points_um.max(axis=0)) / 2
    whole = np.asarray(cut_surface(spheres, Cut("none")).mesh.points)
    left = np.asarray(cut_surface(spheres, Cut("corner")).mesh.points)

    def inside(points: np.ndarray) -> int:
        return int(((points[:, 0] > middle[0] + 0.1) & (points[:, 1] < middle[1] - 0.1)).sum())

    assert inside(left) == 0 < inside(whole)
    with pytest.raises(InputError, match="leaves nothing"):
        cut_surface(spheres, Cut("plane", 0, -50.0))


@pytest.fixture(scope="module")
def solid_folder(
    tmp_path_factory: pytest.TempPathFactory, spheres: FieldGrid, run: SyntheticRun
) -> ResultsFolder:
    """A run in 3D: the spheres lose lithium one after the other, the inside last."""
    first = run.samples[:4]
    grids = (spheres, replace(spheres, name="electrolyte"), replace(spheres, name="carbon"))
    zeros = np.zeros(len(spheres.points_um))
    samples = []
    for k, (sample, _) in enumerate(first):
        field = 0.9 - 0.1 * k * spheres.points_um[:, 2] / spheres.points_um[:, 2].max()
        fields = {
            "particles": {"lithium_fraction": field},
            "electrolyte": {"concentration": zeros, "potential": zeros},
            "carbon": {"potential": zeros},
        }
        samples.append((sample, fields))
    made = SyntheticRun(run.discs, grids, tuple(samples))
    return write_run(tmp_path_factory.mktemp("solid") / "out", made)


def test_a_cell_in_3d_is_rendered_without_a_display(
    solid_folder: ResultsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    view = replace(SMALL, frames=2, formats=("mp4",))
    _, pictures = frames_of(animate(solid_folder.path, view).paths[0])
    left = [picture[30:215, 26:255].astype(int) for picture in pictures]
    for picture in left:
        coloured = np.ptp(picture, axis=2) > 40
        assert coloured.mean() > 0.02
    # Both the camera and the lithium have moved on.
    assert np.abs(left[1] - left[0]).max() > 60


def test_a_plane_of_a_cell_in_3d(solid_folder: ResultsFolder) -> None:
    view = replace(SMALL, frames=2, formats=("mp4",), section=True)
    assert animate(solid_folder.path, view).frames == 2
    with pytest.raises(InputError, match="no particle lies in the plane"):
        animate(solid_folder.path, replace(view, section_um=-40.0))
