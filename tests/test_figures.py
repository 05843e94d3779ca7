"""Figures of particles, currents, penalties, profiles and potentials: the numbers behind them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from helpers.synthetic import SyntheticRun, synthetic_run, write_run
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.distributions.penalty_law import RestrictedWeibull, draw_weibull
from heterode.particles.table import ParticleTable
from heterode.results import ResultsFolder, read_fields, read_history
from heterode.viewing import NAMES, chosen_drawings, draw_figures
from heterode.viewing.half_cycles import first_half_cycle
from heterode.viewing.particle_currents import (
    currents_figure,
    order_of_reaction,
    over_their_mean,
    participation,
    stretch_of,
)
from heterode.viewing.particle_lines import particles_figure
from heterode.viewing.particle_run import read_particle_run
from heterode.viewing.penalty_histogram import PenaltyLaw, penalties_figure
from heterode.viewing.potential_maps import moment_under_current
from heterode.viewing.radial_profiles import radial_profile, representative_particles
from heterode.viewing.spread import plot_spread, spread_curves, weighted_quantiles
from heterode.viewing.style import new_figure


@pytest.fixture(scope="module")
def run() -> SyntheticRun:
    return synthetic_run(samples=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, run: SyntheticRun) -> ResultsFolder:
    return write_run(tmp_path_factory.mktemp("figures") / "out", run)


# Drawing


def test_every_figure_is_drawn_from_the_folder_alone(
    folder: ResultsFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["figures", str(folder.path)]) == 0
    out, err = capsys.readouterr()
    names = [*(f"{name}.png" for name in NAMES), "index.html"]
    assert (out.splitlines(), err) == ([str(folder.report / name) for name in names], "")
    for name in NAMES:
        picture = imread(folder.report / f"{name}.png")
        assert picture.shape[1] > 800
        assert np.ptp(picture[..., :3]) > 0.5


def test_one_that_fails_does_not_keep_the_others(folder: ResultsFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.path, tmp_path / "out", ignore=shutil.ignore_patterns("fields"))
    failing, working = ("lithium_fraction", "profiles"), ("voltage", "penalties")
    chosen = chosen_drawings([*failing, *working])
    drawn = {one.drawing.name: one for one in draw_figures(tmp_path / "out", chosen)}
    for name in failing:
        assert drawn[name].path is None
        assert "xdmf" in drawn[name].problem
        assert "\n" not in drawn[name].problem
    for name in working:
        assert drawn[name].path is not None


def test_figures_are_chosen_by_name() -> None:
    assert [d.name for d in chosen_drawings(["dqdv", "voltage"])] == ["voltage", "dqdv"]
    assert len(chosen_drawings()) == len(NAMES)
    with pytest.raises(InputError, match=r"'volts' \(allowed: lithium_fraction, voltage"):
        chosen_drawings(["volts"])


def test_the_command(folder: ResultsFolder, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(folder.path)
    assert main(["figures", path, "penalties", "profiles", "--particles", "3", "5"]) == 0
    out, err = capsys.readouterr()
    names = [Path(line).name for line in out.splitlines()]
    assert (names, err) == (["profiles.png", "penalties.png"], "")
    for wrong in ([path, "volts"], [path, "profiles", "--particles", "999"], [path + "-none"]):
        assert main(["figures", *wrong]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("heterode: error: ")
        assert err.count("\n") == 1


# Particles and their currents


def test_a_line_per_particle_in_its_colour(folder: ResultsFolder, run: SyntheticRun) -> None:
    figure = particles_figure(read_particle_run(folder.path))
    by_penalty, by_radius = figure.axes[0].collections[0], figure.axes[1].collections[0]
    assert len(by_penalty.get_segments()) == len(run.discs)
    np.testing.assert_allclose(by_penalty.get_array(), run.discs.penalty, atol=1e-6)
    np.testing.assert_allclose(by_radius.get_array(), run.discs.radii, atol=1e-6)
    last = [segment[-1, 1] for segment in by_penalty.get_segments()]
    np.testing.assert_allclose(last, run.samples[-1][0].lithium_fraction)


def test_mean_and_spread_are_those_of_the_history(folder: ResultsFolder) -> None:
    particles, history = read_particle_run(folder.path), read_history(folder.path)
    np.testing.assert_allclose(particles.mean, history["lithium_fraction_mean"], atol=1e-6)
    np.testing.assert_allclose(particles.spread, history["lithium_fraction_sd"], atol=1e-6)


def test_participation_counts_those_that_work() -> None:
    volume = np.ones(8)
    for working in (1, 2, 8):
        current = np.zeros((1, 8))
        current[0, :working] = 3.0
        assert participation(volume, current)[0] == pytest.approx(working / 8)
    # A particle of twice the volume counts twice.
    assert participation(np.array([2.0, 1.0]), np.array([[1.0, 0.0]]))[0] == pytest.approx(2 / 3)
    assert np.isnan(participation(volume, np.zeros((1, 8)))[0])


def test_those_that_react_first_are_known() -> None:
    mean = np.linspace(0.9, 0.3, 61)
    when = np.array([0.4, 0.8, 0.6])
    one_by_one = np.exp(-(((mean[:, None] - when) / 0.04) ** 2))
    np.testing.assert_allclose(order_of_reaction(mean, one_by_one), when, atol=1e-3)
    share = over_their_mean(np.ones(3), one_by_one)
    at = int(np.abs(mean - 0.8).argmin())
    assert share[at] == pytest.approx([0.0, 3.0, 0.0], abs=1e-6)
    # The negative control: particles that react together cannot be told apart.
    together = np.ones((61, 3)) * [1.0, 2.0, 3.0]
    assert np.ptp(order_of_reaction(mean, together)) < 1e-12
    assert participation(np.ones(3), np.ones((61, 3))).min() == pytest.approx(1.0)


def test_asynchronous_particles_cross_the_panel_as_a_band(folder: ResultsFolder) -> None:
    stretch = stretch_of(read_particle_run(folder.path))
    assert stretch is not None
    assert np.all(np.diff(stretch.mean) < 0)
    figure = currents_figure(stretch)
    left, _, below = figure.axes[:3]
    assert left.get_xlim() == (stretch.mean[0], stretch.mean[-1])
    shown = np.asarray(below.images[0].get_array())
    early, late = shown[: len(shown) // 4], shown[-len(shown) // 4 :]
    columns = shown.shape[1]
    assert early[:, : columns // 4].mean() > late[:, : columns // 4].mean()
    assert early[:, -columns // 4 :].mean() < late[:, -columns // 4 :].mean()


def test_the_first_whole_half_cycle_is_found(folder: ResultsFolder) -> None:
    history = read_history(folder.path)
    step = first_half_cycle(history)
    assert step is not None
    assert step.kind == "charge"
    # A charge that is cut short is passed over for the discharge after it.
    short = history[(history["step"] == 1) | (history.index < 4)]
    later = first_half_cycle(short)
    assert later is not None
    assert later.kind == "discharge"
    assert first_half_cycle(history.iloc[:1]) is None


def test_weighted_quantiles_count_weights() -> None:
    values = np.array([[3.0, 1.0, 2.0, 10.0]])
    weight = np.array([1.0, 1.0, 1.0, 0.001])
    median = weighted_quantiles(values, weight, (0.5,))
    assert median.shape == (1, 1)
    assert median[0, 0] == pytest.approx(2.0, abs=1e-2)
    # The negative control: without weights the outlier draws it up.
    assert weighted_quantiles(values, np.ones(4), (0.5,))[0, 0] == pytest.approx(2.5)


def test_the_spread_is_drawn_in_both_directions(folder: ResultsFolder) -> None:
    axes = new_figure(4, 3).subplots()
    plot_spread(axes, spread_curves(read_history(folder.path)))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["charge", "discharge"]
    assert axes.xaxis_inverted()


# Penalties


@pytest.mark.parametrize("restriction", ["truncate", "clip", "rescale"])
@pytest.mark.parametrize("scale", [0.4, 1.1])
def test_the_law_is_that_of_the_draws(restriction: str, scale: float) -> None:
    count, runs, minimum = 400, 40, 0.05
    rng = np.random.default_rng(5)
    law = RestrictedWeibull(1.5, scale, minimum, restriction)
    drawn = np.concatenate([draw_weibull(count, rng, law) for _ in range(runs)])
    at = np.linspace(0.0, 1.0, 201)
    share = (drawn[:, None] <= at).mean(axis=0)
    gap = np.abs(share - law.cumulative(at, count)).max()
    print(f"{gap:.4f}")
    # Kolmogorov's bound at 0.1 %. Factors of one run share their largest value, which scatters by
    # 1.28/(k ln N) = 14 %: a seventh of that is left over 40 runs.
    assert gap < 1.95 / np.sqrt(drawn.size) + (0.02 if restriction == "rescale" else 0.0)
    # The negative control: another shape is noticed.
    wrong = RestrictedWeibull(2.5, scale, minimum, restriction).cumulative(at, count)
    assert np.abs(share - wrong).max() > 0.08


def test_expected_counts_add_up_to_the_particles() -> None:
    drawn = np.random.default_rng(1).uniform(0.1, 1.0, 60)
    figure = penalties_figure(drawn, PenaltyLaw(RestrictedWeibull(1.5, 0.4, 1e-3, "truncate")))
    left = figure.axes[0]
    expected = left.patches[-1].get_data().values
    assert expected.sum() == pytest.approx(60)
    assert sum(bar.get_height() for bar in left.patches[:-1]) == 60


# Profiles and maps


def test_a_profile_is_the_field_over_the_distance() -> None:
    points = np.random.default_rng(3).uniform(-1, 1, (4000, 3))
    distance = 4.0 * np.linalg.norm(points[np.linalg.norm(points, axis=1) < 1], axis=1)
    profile = radial_profile(distance, 0.2 + 0.03 * distance**2)
    np.testing.assert_allclose(profile.mean, 0.2 + 0.03 * profile.radius_um**2, atol=3e-3)
    assert np.all(profile.largest - profile.least < 0.08)
    # The negative control: values that do not go with the distance have a wide band, no slope.
    shuffled = np.random.default_rng(4).permutation(0.2 + 0.03 * distance**2)
    flat = radial_profile(distance, shuffled)
    assert np.all((flat.largest - flat.least)[2:] > 0.3)


def test_telling_particles_differ_and_are_not_the_tiniest() -> None:
    radius = np.r_[0.1, np.full(19, 2.0)]
    table = ParticleTable(np.arange(20), *(np.ones(20),) * 3, radius, *(np.ones(20),) * 3)
    values = np.linspace(0.3, 0.9, 20)
    least, median, most = representative_particles(table, values)
    assert (least, most) == (1, 19)
    assert values[least] < values[median] < values[most]
    # Those that a wall cuts reach further than their radius.
    reach = np.where(np.arange(20) > 15, 1.9, 1.0) * radius
    assert representative_particles(table, values, reach)[2] == 15


def test_potentials_are_shown_under_current(folder: ResultsFolder) -> None:
    history = read_history(folder.path)
    times = read_fields(folder.path, "electrolyte").times_s
    index = moment_under_current(history, times)
    assert history["current_A_m2"].iloc[index] != 0
    resting = history.assign(current_A_m2=np.where(history.index == index, 0.0, 1.0))
    assert moment_under_current(resting, times) != index
