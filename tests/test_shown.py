"""Pictures and words say what is shown: titles, labels, colours, units, legends."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

import heterode
from helpers.colour_vision import CONES, distance, least_distance
from helpers.commands import short_run
from helpers.paths import PRESET, ROOT
from helpers.report_cases import optical_table
from helpers.synthetic import SyntheticRun, synthetic_run, write_run
from heterode.base.errors import ArgumentError, InputError, option_of
from heterode.cli import main
from heterode.distributions.penalty_law import RestrictedWeibull
from heterode.heterogeneity import Settings, analyse
from heterode.heterogeneity.comparison import with_rank_statistics
from heterode.heterogeneity.density import MapKind
from heterode.heterogeneity.marks import MarkedPoints
from heterode.homogenised.making import Comparison
from heterode.parameters import load_parameters
from heterode.points.csv_points import Reading, read_table
from heterode.reporting.ended import brief_heterogeneity
from heterode.reporting.page import legible_width, write_page
from heterode.results import ResultsFolder, read_fields, read_history
from heterode.results.heading import facts, heading
from heterode.results.manifest import Manifest, read_manifest
from heterode.results.particle_series import read_particle_series
from heterode.viewing import style
from heterode.viewing.comparison import comparison_figure
from heterode.viewing.evolution import evolution_figure
from heterode.viewing.heterogeneity import Captions, heterogeneity_figure
from heterode.viewing.homogenised import counterpart_figure
from heterode.viewing.legends import lay_out
from heterode.viewing.micrographs import CHANNEL_LOOKS, State, series_figure
from heterode.viewing.movie import View
from heterode.viewing.movie.stage import Stage
from heterode.viewing.movie.timeline import Timeline
from heterode.viewing.overlay import COLOURS, overlay
from heterode.viewing.particle_currents import currents_figure, stretch_of
from heterode.viewing.particle_lines import particles_figure
from heterode.viewing.particle_map import chosen_samples, draw_particle_map
from heterode.viewing.particle_run import read_particle_run
from heterode.viewing.penalty_histogram import PenaltyLaw, penalties_figure
from heterode.viewing.radial_profiles import looks, profiles_figure
from heterode.viewing.spread import spread_figure
from heterode.viewing.voltage import voltage_figure


@pytest.fixture(scope="module")
def run() -> SyntheticRun:
    return synthetic_run(samples=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, run: SyntheticRun) -> ResultsFolder:
    return write_run(tmp_path_factory.mktemp("shown") / "out", run)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def texts(figure: Figure) -> list[str]:
    """All words of a figure."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


# Titles


PRESETS = sorted((ROOT / "params").glob("*.toml"))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_presets_title_says_nothing_that_set_can_falsify(path: Path) -> None:
    title = load_parameters(path).title
    assert title in ("Quickstart", f"Preset {path.stem}")


def test_a_title_goes_with_what_it_was_written_for() -> None:
    assert load_parameters(PRESET).title == "Quickstart"
    kept = ["output.fields_every=3", "geometry.particles=60"]
    assert load_parameters(PRESET, kept).title == "Quickstart"
    for change in ("geometry.particles=20", "seeds.penalty=9", "penalty.shape=2"):
        changed = load_parameters(PRESET, [change])
        assert changed.title == ""
        assert changed.dropped_title == "Quickstart"
        # Nor does the file that runs it again bring the title back.
        assert "title" not in changed.given
    own = load_parameters(PRESET, ["geometry.particles=20", "title=Twenty"])
    assert (own.title, own.given["title"], own.dropped_title) == ("Twenty", "Twenty", "")


def test_check_says_that_a_title_was_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(PRESET), "--set", "geometry.particles=20"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert "title 'Quickstart' left out" in first
    assert main(["check", str(PRESET)]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(": Quickstart")


def manifest_of(*overrides: str, particles: int, preset: str = "quickstart") -> dict:
    parameters = load_parameters(ROOT / "params" / f"{preset}.toml", overrides)
    return {
        "title": parameters.title,
        "parameters": parameters.to_si_dict(),
        "particles": particles,
    }


def test_a_run_is_called_by_its_facts(tmp_path: Path) -> None:
    default = manifest_of(particles=60)
    assert facts(default) == "NMC532, 60 particles in 2D, charge at C/10 until 4.5 V"
    assert heading(default, tmp_path) == f"Quickstart: {facts(default)}"
    changed = manifest_of(
        "geometry.particles=20",
        "active_material.open_circuit_potential=NMC811",
        'protocol.steps=["charge at C/2 until 4.2 V", "rest for 1 h", "discharge at 1C for 1 h"]',
        "protocol.repeat=2",
        particles=20,
    )
    found = heading(changed, tmp_path)
    assert found == (
        "NMC811, 20 particles in 2D, charge at C/2 until 4.2 V and 2 more steps, 2 times"
    )
    cut = manifest_of(particles=70, preset="cube_50")
    assert "50 particles in 3D (70 pieces, cut at the walls)" in facts(cut)
    assert heading({}, tmp_path / "old") == "old"


def test_repeated_steps_are_named_by_their_first() -> None:
    steps = 'protocol.steps=[{ repeat = 3, steps = ["rest for 1 h", "charge at 1C for 1 min"] }]'
    assert facts(manifest_of(steps, particles=5)).endswith("rest for 1 h, repeated")


def test_page_and_movie_carry_the_heading(tmp_path: Path, run: SyntheticRun) -> None:
    made = write_run(tmp_path / "out", run)
    manifest = Manifest(made.manifest, read_manifest(made.manifest))
    manifest.update(**manifest_of("geometry.particles=20", particles=20))
    text = write_page(made.path).read_text(encoding="utf-8")
    wanted = "NMC532, 20 particles in 2D, charge at C/10 until 4.5 V"
    assert f"<h1>{wanted}</h1>" in text
    assert "60 particles" not in text
    from heterode.viewing.movie.animate import _stage

    stage, _ = _stage(made, read_fields(made.path, "particles"), View(frames=2, height=240))
    assert wanted in texts(stage.figure)


# Lithium: one symbol, one direction of colour


def test_every_colour_bar_of_lithium_says_its_direction(
    folder: ResultsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(style, "save", lambda figure, path: drawn.append(figure))
    draw_particle_map(folder.path)
    series, history = read_fields(folder.path, "particles"), read_history(folder.path)
    drawn.append(profiles_figure(series, history, read_particle_run(folder.path).table))
    drawn.append(stage_of(folder, View(frames=2, height=240)).figure)
    drawn.append(stage_of(folder, View(quantity="extracted", frames=2, height=240)).figure)
    for figure in drawn:
        assert any(style.DIRECTION in text for text in texts(figure))
    words = "".join(texts(drawn[-2]))
    assert "lithium fraction $x$" in words
    assert "1-x" not in words.replace(" ", "")
    assert "1 - x" in "".join(texts(drawn[-1]))


def test_the_macro_for_paraview_says_it_too() -> None:
    text = (ROOT / "scripts" / "paraview" / "heterode.py").read_text(encoding="utf-8")
    assert f"lithium fraction ({style.DIRECTION})" in text
    assert '"Viridis (matplotlib)"' in text


def test_profiles_have_the_colours_of_maps() -> None:
    look = looks([0.95, 0.5, 0.3, 0.6])
    full, _, empty, _ = look.colours
    # Yellow has little blue, and much red.
    assert full[0] > full[2]
    assert empty[2] > empty[0]
    assert look.dashes[:3] == ["-", "-", "-"]
    # The electrode fills again: the colour does not tell, the dashes do.
    assert look.dashes[3] != "-"


def stage_of(folder: ResultsFolder, view: View) -> Stage:
    history, series = read_history(folder.path), read_fields(folder.path, "particles")
    at = Timeline(history, read_particle_series(folder.path), series.times_s, frames=view.frames)
    return Stage(view, at, history, (0.0, 1.0), "title")


# Means by volume and by number


def test_means_say_what_they_count(folder: ResultsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(style, "save", lambda figure, path: drawn.append(figure))
    draw_particle_map(folder.path)
    particles = read_particle_run(folder.path)
    drawn += [spread_figure(particles), voltage_figure(particles.history)]
    for figure in drawn:
        for text in texts(figure):
            if "mean" in text or "s.d." in text:
                assert "by volume" in text, text
    stage = stage_of(folder, View(frames=2, height=240))
    words = texts(stage.figure)
    assert "share of particles, by number" in words
    assert "s.d. of particles, by volume" in words
    assert any("dashes: mean by volume" in text for text in words)


def some_table(tmp_path: Path, count: int = 60) -> Path:
    return optical_table(tmp_path / "particles.csv", count)


@pytest.mark.parametrize(("weight", "counted"), [("none", "by number"), ("area", "by area")])
def test_a_report_says_what_its_means_count(tmp_path: Path, weight: str, counted: str) -> None:
    out = tmp_path / "out"
    table = str(some_table(tmp_path))
    arguments = ["report", table, "--out", str(out), "--weight", weight, "--permutations", "0"]
    assert main(arguments) == 0
    content = json.loads((out / "heterogeneity.json").read_text())
    assert content["counted"]["global mean, cluster means"] == counted


def test_the_figure_of_a_report_says_it_too(tmp_path: Path) -> None:
    fields = read_table(some_table(tmp_path), Reading()).fields
    result = analyse(fields, Settings(permutations=39), rng())
    words = texts(heterogeneity_figure(result, Captions("title", "value", None, "by area")))
    assert "mean value of a cluster, by area" in words
    assert "global mean, by area" in words
    assert any("value, mean by number" in text for text in words)
    # The published map is no number density: its integral is 1, and particles count by their value.
    captions = Captions("title", "value", None, "by area", "published")
    published = texts(heterogeneity_figure(result, captions))
    assert any(text.startswith("share of the summed value per") for text in published)
    assert not any(text.startswith("share of the summed value per") for text in words)


@pytest.mark.parametrize("height", [46.0, 58.0])
@pytest.mark.parametrize(
    ("kind", "left"),
    [("local-mean", ", mean by number"), ("published", "share of the summed value")],
)
def test_no_words_of_the_maps_are_cut_off_or_cross(height: float, kind: MapKind, left: str) -> None:
    """A field that is narrow for its height has narrow maps, and their bars long labels."""
    points = MarkedPoints("a", rng().uniform(0.0, [46.0, height], (40, 2)), rng().uniform(size=40))
    result = analyse([points], Settings(permutations=0), rng())
    captions = Captions("t", "lithium fraction", None, "by number", kind)
    figure = heterogeneity_figure(result, captions)
    figure.canvas.draw()
    inside = figure.bbox
    boxes = {
        text.get_text(): text.get_window_extent()
        for text in figure.findobj(Text)
        # Ticks beyond an axis have texts that are not drawn.
        if " " in text.get_text().strip() and text.get_visible()
    }
    for words, box in boxes.items():
        assert inside.x0 - 1 <= box.x0, words
        assert box.x1 <= inside.x1 + 1, words
    mean, particles = (
        next(box for words, box in boxes.items() if part in words)
        for part in (left, "of each particle")
    )
    assert not mean.overlaps(particles)


# The same numbers from a run and from the command


def test_report_of_a_run_and_page_are_those_of_the_command(
    tmp_path: Path, run: SyntheticRun
) -> None:
    made = write_run(tmp_path / "out", run)
    brief_heterogeneity(made.path)
    page = write_page(made.path)
    assert "199 times, seed 1" in page.read_text(encoding="utf-8")
    own = json.loads((made.report / "heterogeneity.json").read_text())
    # A report elsewhere leaves the page alone, and has the same numbers.
    plain = ["report", str(made.path), "--no-evolution"]
    assert main([*plain, "--out", str(tmp_path / "again")]) == 0
    again = json.loads((tmp_path / "again" / "heterogeneity.json").read_text())
    for part in ("correlogram", "variogram", "clusters", "scale", "seed", "settings"):
        assert own[part] == again[part], part
    assert "199 times, seed 1" in page.read_text(encoding="utf-8")
    # The negative control: with another seed it is another report, and the page shows it.
    assert main([*plain, "--permutations", "39", "--seed", "4"]) == 0
    other = json.loads((made.report / "heterogeneity.json").read_text())
    assert other["clusters"]["mean"] != own["clusters"]["mean"]
    text = page.read_text(encoding="utf-8")
    assert "39 times, seed 4" in text
    assert "199 times" not in text


def test_the_page_shows_the_course_over_the_run(folder: ResultsFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.path, tmp_path / "out")
    made = ResultsFolder(tmp_path / "out")
    style.save(style.new_figure(3.0, 2.0), made.make_report() / "evolution.png")
    assert "Heterogeneity over the run" not in write_page(made.path).read_text(encoding="utf-8")
    style.save(style.new_figure(3.0, 2.0), made.report / "heterogeneity.png")
    assert "Heterogeneity over the run" in write_page(made.path).read_text(encoding="utf-8")


def test_without_a_p_value_the_reason_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = str(some_table(tmp_path, 10))
    out = tmp_path / "out"
    assert main(["report", table, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "nan" not in said
    assert "no p value, as no distance bin holds 30 pairs of particles" in said
    content = json.loads((out / "heterogeneity.json").read_text())
    assert content["correlogram"]["spearman"]["p_value"] is None
    assert content["correlogram"]["chance"].startswith("no p value")
    result = analyse(read_table(Path(table), Reading()).fields, Settings(), rng())
    words = texts(heterogeneity_figure(result, Captions("title")))
    assert "no distance bin holds 30 pairs of particles" in words
    assert not any("nan" in text for text in words)
    assert main(["report", table, "--out", str(out), "--permutations", "0"]) == 0
    assert "no values were shuffled" in capsys.readouterr().out
    # The negative control: with more particles there is one.
    more = ["report", str(some_table(tmp_path)), "--out", str(out), "--permutations", "39"]
    assert main(more) == 0
    assert "pairs against chance: p = 0" in capsys.readouterr().out


# What the numbers support


def test_a_series_of_pictures_says_what_its_bars_are() -> None:
    values = rng().uniform(size=40)
    colours = np.repeat(values[:, None], 3, axis=1)
    states = [State(f"s{k}", 3.6 + k, (0.5,) * 3, (0.1,) * 3, values, colours) for k in range(2)]
    words = texts(series_figure(states, "voltage / V", "brightness", "value"))
    assert "mean ± s.d. of the particles, by number" in words
    assert "5, 25, 50, 75 and 95 % of the particles, by number" in words


def test_a_legend_names_no_curve_that_is_not_there() -> None:
    rows = evolution_rows()
    name = next(column for column in rows.columns if column.startswith("moran_"))
    low, high = name.split("_")[1:3]
    assert f"{low}–{high} µm" in texts(evolution_figure(rows, 50.0, "title"))
    rows[name] = np.nan
    words = texts(evolution_figure(rows, 50.0, "title"))
    assert f"{low}–{high} µm" not in words


def test_growth_of_the_spread_is_called_just_that() -> None:
    words = texts(evolution_figure(evolution_rows(), 50.0, "title"))
    assert "spread grows" in words
    assert not any("one after another" in text for text in words)


def evolution_rows() -> pd.DataFrame:
    """Two particles that lose lithium at different rates, at the same time: the spread grows."""
    mean = np.linspace(0.9, 0.5, 9)
    return pd.DataFrame(
        {
            "current_A_m2": 1.0,
            "lithium_fraction_mean": mean,
            "lithium_fraction_sd": 0.2 * (0.9 - mean),
            "scale_um": 20.0,
            "scale_flag": "ok",
            "correlation_length_um": np.nan,
            "moran_0_10_um": 0.1,
            "moran_10_20_um": 0.05,
            "moran_20_30_um": 0.0,
            "moran_0_10_um_sd": 0.03,
        }
    )


# Colours that all eyes tell apart


@pytest.mark.parametrize("eyes", CONES)
def test_outlines_and_channels_differ_for_all_eyes(eyes: str) -> None:
    ink = [tuple(channel / 255 for channel in colour) for colour in COLOURS.values()]
    assert least_distance(ink)[eyes] > 20.0
    channels = [to_rgb(look["color"]) for look in CHANNEL_LOOKS.values()]
    assert least_distance(channels)[eyes] > 10.0
    assert len({str(look["linestyle"]) for look in CHANNEL_LOOKS.values()}) == 3
    assert distance(to_rgb(style.CHARGE), to_rgb(style.DISCHARGE), eyes) > 20.0
    lines = [style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY]
    assert least_distance([to_rgb(line) for line in lines])[eyes] > 10.0


def test_green_and_orange_are_one_colour_to_some() -> None:
    """The negative control: what the outlines were."""
    green, orange = (0.0, 220 / 255, 70 / 255), (1.0, 150 / 255, 40 / 255)
    assert distance(green, orange, "deuteranopia") < 5.0 < distance(green, orange, "all")


def test_only_particles_that_count_have_unbroken_outlines() -> None:
    labels = np.zeros((120, 240), dtype=np.int32)
    y, x = np.mgrid[:120, :240]
    labels[(x - 60) ** 2 + (y - 60) ** 2 < 45**2] = 1
    labels[(x - 180) ** 2 + (y - 60) ** 2 < 45**2] = 2
    picture = overlay(np.full((120, 240, 3), 0.5, np.float32), labels, np.array(["", "border"]))
    count = [int((picture == colour).all(axis=2).sum()) for colour in COLOURS.values()]
    assert count[0] > 200
    # Six pixels in ten.
    assert 0.5 * count[0] < count[1] < 0.7 * count[0]


# Colour bars and legends


def test_a_colour_bar_that_saturates_has_an_arrow(folder: ResultsFolder) -> None:
    values = np.linspace(0.0, 1.0, 11)
    found = [style.beyond(values, *ends) for ends in ((0, 1), (0.1, 1), (0, 0.9), (0.1, 0.9))]
    assert found == ["neither", "min", "max", "both"]
    stretch = stretch_of(read_particle_run(folder.path))
    assert stretch is not None
    figure = currents_figure(stretch)
    image = figure.axes[2].images[0]
    values = np.asarray(image.get_array())
    wanted = style.beyond(values, *image.get_clim())
    assert wanted != "neither"
    assert image.colorbar.extend == wanted


def test_the_movies_colours_reach_over_the_fields(tmp_path: Path, run: SyntheticRun) -> None:
    from heterode.viewing.movie.animate import _looked_at, _stage

    made = write_run(tmp_path / "out", run)
    series = read_fields(made.path, "particles")
    stage, _ = _stage(made, series, View(frames=2, height=240))
    fields = [series.load(k)["lithium_fraction"] for k in range(len(series.times_s))]
    assert stage.limits[0] <= min(field.min() for field in fields)
    assert stage.limits[1] >= max(field.max() for field in fields)
    assert _looked_at(5) == [0, 1, 2, 3, 4]
    assert (len(_looked_at(500)), _looked_at(500)[0], _looked_at(500)[-1]) == (60, 0, 499)


def covered(figure: Figure) -> int:
    """Pixels of ink under the legends, which are hidden to see what lies there."""
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend() is not None]
    assert legends
    for legend in legends:
        legend.set_visible(False)
    for axes in figure.axes:
        axes.tick_params(which="both", length=0)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    ink = 0
    for legend in legends:
        box = legend.get_window_extent()
        rows = slice(len(pixels) - int(box.y1) + 1, len(pixels) - int(box.y0) - 1)
        ink += int((pixels[rows, int(box.x0) + 1 : int(box.x1) - 1].min(axis=2) < 250).sum())
    return ink


def samples_to_compare(tmp_path: Path) -> list:
    tables = [optical_table(tmp_path / f"{k}.csv", 60, seed=k) for k in (3, 11)]
    settings = Settings(permutations=39)
    found = [analyse(read_table(table, Reading()).fields, settings, rng()) for table in tables]
    return with_rank_statistics(found, ["one", "two"], settings, 1)


def twin_table() -> pd.DataFrame:
    time = np.linspace(0.0, 36_000.0, 50)
    mean = np.linspace(1.0, 0.3, 50)
    return pd.DataFrame(
        {
            "time_s": time,
            "voltage_V": 4.5 - time / 36_000,
            "twin_voltage_V": 4.48 - time / 36_000,
            "difference_V": 0.02,
            "lithium_fraction_mean": mean,
            "twin_lithium_fraction_mean": mean,
            "lithium_fraction_sd": 0.1,
        }
    )


def test_legends_lie_on_nothing(folder: ResultsFolder, tmp_path: Path) -> None:
    particles = read_particle_run(folder.path)
    stretch = stretch_of(particles)
    assert stretch is not None
    drawn = np.r_[np.full(30, 0.55), np.linspace(0.6, 1.0, 40)]
    state = State("s", np.nan, (0.3, 0.4, 0.5), (0.1,) * 3, drawn, np.stack([drawn] * 3, axis=1))
    for figure in (
        penalties_figure(drawn, PenaltyLaw(RestrictedWeibull(1.5, 0.4, 1e-3, "truncate"))),
        comparison_figure(samples_to_compare(tmp_path)),
        particles_figure(particles),
        currents_figure(stretch),
        voltage_figure(particles.history),
        counterpart_figure(twin_table(), "title", "finding"),
        series_figure([state], "", "brightness", "value"),
    ):
        assert covered(figure) == 0


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_legend_on_a_curve_is_noticed_and_moved(scale: str) -> None:
    """The negative control, and the mend."""
    for mended in (False, True):
        figure = style.new_figure(3.0, 2.4)
        axes = figure.subplots()
        x = np.linspace(0.0, 1.0, 400)
        axes.plot(x, 1.5 + np.sin(200 * x), label="everywhere")
        axes.set_yscale(scale)
        axes.legend(loc="center")
        if mended:
            lay_out(figure)
        else:
            figure.draw_without_rendering()
        assert (covered(figure) == 0) is mended


# Units and names


def test_one_picture_has_one_unit_of_time() -> None:
    unit = style.time_unit(19_049.9)
    assert (unit.name, unit.said(19_049.9), unit.said(60.0)) == ("h", "5.29 h", "0.0167 h")
    assert style.time_unit(100.0).said(19.5) == "19.5 s"
    table = twin_table()
    found = Comparison(table, 10.0, 25.0, 19_049.9, 36_000.0, "", "26.1")
    assert found.lines()[0].endswith("25.00 mV at most (5.29 h)")
    assert " s)" not in "".join(found.lines())


def test_maps_of_one_run_have_one_unit(
    folder: ResultsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(style, "save", lambda figure, path: drawn.append(figure))
    draw_particle_map(folder.path)
    times = read_fields(folder.path, "particles").times_s
    count = len(chosen_samples(read_history(folder.path), times))
    titles = [axes.get_title() for axes in drawn[0].axes[:count]]
    assert all(" h, " in title.splitlines()[0] for title in titles), titles


def test_python_names_what_python_has(folder: ResultsFolder) -> None:
    results = heterode.load(folder.path)
    for plot in (results.plot_particles, results.plot_currents):
        with pytest.raises(ArgumentError, match=r"by = 'foo' .*penalty, radius"):
            plot(by="foo")
    with pytest.raises(ArgumentError, match=r"domain = 'air'.*particles, electrolyte, carbon"):
        results.fields("air")
    with pytest.raises(InputError, match="particles = 999: no such particle") as caught:
        results.plot_profile(999)
    assert "--" not in str(caught.value)


def test_a_command_names_its_option(
    folder: ResultsFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["figures", str(folder.path), "profiles", "--particles", "999"]) == 2
    assert "--particles 999: no such particle" in capsys.readouterr().err
    assert main(["animate", str(folder.path), "--orbit", "1e9"]) == 2
    assert "--orbit 1000000000.0 lies outside" in capsys.readouterr().err
    assert option_of("pixel_um") == "--pixel"
    assert option_of("drop_missing") == "--drop-missing"


def test_fields_are_no_tuple(folder: ResultsFolder) -> None:
    series = heterode.load(folder.path).fields("carbon")
    assert not hasattr(series, "count")
    assert not hasattr(series, "index")
    assert [field.name for field in dataclasses.fields(series)] == ["grid", "times_s", "load"]
    grid, times, load = series
    assert load(len(times) - 1)["potential"].shape == (len(grid.points_um),)


# The page


def test_figures_on_a_phone_are_wide_enough_to_read(folder: ResultsFolder) -> None:
    path = draw_particle_map(folder.path)
    # 7.2 inches, whose 6.5 pt are 9 pixels.
    assert legible_width(path) == pytest.approx(7.2 * 72 * 9 / 6.5, abs=1)
    assert legible_width(folder.history) == 0
    text = write_page(folder.path).read_text(encoding="utf-8")
    assert f"--legible: {legible_width(path)}px" in text
    assert "overflow-wrap: break-word" in text


# The end of a run


def test_a_run_says_where_to_look_and_where_it_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results" / "quickstart").mkdir(parents=True)
    assert main(short_run("charge at 1C for 2 s", output__report="true")) == 0
    out, err = capsys.readouterr()
    page = Path("results/quickstart-2/report/index.html")
    assert page.is_file()
    assert out.rstrip().endswith(f"results: results/quickstart-2\npage: {page}")
    assert "results/quickstart is there already: this run goes to results/quickstart-2" in err
    # Nothing to say where a folder is named, and no page where none is asked for.
    assert main([*short_run("charge at 1C for 2 s"), "--out", "own"]) == 0
    out, err = capsys.readouterr()
    assert "page:" not in out
    assert "there already" not in err
