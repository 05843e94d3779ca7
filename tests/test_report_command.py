"""`heterode report` from a results folder, a table or several: its files, and what they say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from helpers.report_cases import (
    optical_table,
    packed_spheres,
    scattered,
    smooth_values,
    write_spheres,
    write_table,
)
from helpers.synthetic import COATING_UM, WIDTH_UM, SyntheticRun, synthetic_run, write_run
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.heterogeneity import Settings, analyse
from heterode.heterogeneity.comparison import normalised_ranks
from heterode.points.csv_points import read_table
from heterode.points.evolution import evenly_charged, evolution
from heterode.points.run import find_instant, parse_instant, read_run_particles
from heterode.reporting.ended import brief_heterogeneity, finish_report
from heterode.reporting.heterogeneity import report_outputs
from heterode.reporting.request import Request
from heterode.results.manifest import Manifest
from heterode.results.written import RECORD
from heterode.viewing.evolution import evolution_figure
from heterode.viewing.heterogeneity import Captions, heterogeneity_figure
from heterode.viewing.style import new_figure

TABLES = ("correlogram", "variogram", "directions", "clusters", "cluster_means", "particles")


@pytest.fixture(scope="module")
def run() -> SyntheticRun:
    return synthetic_run(samples=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, run: SyntheticRun) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "discs", run).path


def report(*arguments: object) -> int:
    quick = () if "--permutations" in arguments else ("--permutations", "39")
    return main(["report", *map(str, arguments), *quick])


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty ones in place of the panels, where numbers are looked at: drawing is slow."""

    def empty(*_: object) -> Figure:
        return new_figure(1.0, 1.0)

    for name in ("heterogeneity_figure", "directions_figure"):
        monkeypatch.setattr(f"heterode.reporting.heterogeneity.{name}", empty)


def strict(path: Path) -> dict[str, Any]:
    """A JSON file without NaN or Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{path} holds {name}")

    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    return found


# -- moments ----------------------------------------------------------------------------------


def index_of(folder: Path, text: str) -> int:
    return find_instant(read_run_particles(folder), parse_instant(text)).index


def test_moments_of_a_run(folder: Path, run: SyntheticRun) -> None:
    samples = [sample for sample, _ in run.samples]
    spread = np.array([sample.lithium_fraction_sd for sample in samples])
    assert index_of(folder, "spread") == spread.argmax()
    assert spread.argmax() not in (0, len(samples) - 1)
    assert (index_of(folder, "start"), index_of(folder, "END")) == (0, len(samples) - 1)
    times = np.array([sample.time_s for sample in samples])
    assert index_of(folder, f"{times[3] / 3600 + 0.001} h") == 3
    assert index_of(folder, f"time = {times[4]} s") == 4
    # A fraction is passed on charge and again on discharge: the first time counts.
    mean = [sample.lithium_fraction_mean for sample in samples]
    assert index_of(folder, f"x={mean[2] + 1e-6}") == 2
    voltage = samples[3].voltage_V
    assert index_of(folder, f"{voltage + 1e-6} V") == 3
    moment = find_instant(read_run_particles(folder), parse_instant("end"))
    assert moment.lithium_fraction_sd == pytest.approx(spread[-1], rel=1e-8)
    assert moment.step == 1


@pytest.mark.parametrize("text", ["later", "x=1.4", "3 A", "soc=0.5", "4.2", "x=half", ""])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(InputError, match="at = "):
        parse_instant(text)


def test_a_run_reaches_the_value_that_ends_it(folder: Path) -> None:
    """A charge until x = 0.7 ends at 0.70000000002."""
    read = read_run_particles(folder)
    lowest = int(read.mean.argmin())
    assert index_of(folder, f"x={read.mean[lowest] - 1e-8:.12f}") == lowest
    with pytest.raises(InputError, match="is not in the run"):
        index_of(folder, f"x={read.mean[lowest] - 1e-4:.12f}")


@pytest.mark.parametrize("text", ["900 h", "9 V", "x=0.01"])
def test_a_moment_that_is_not_in_the_run(text: str, folder: Path) -> None:
    with pytest.raises(InputError, match=r"is not in the run \(from "):
        index_of(folder, text)


def test_the_window_is_the_coating(folder: Path) -> None:
    # The separator belongs to the cell, not to the field of particles.
    assert read_run_particles(folder).window_um == pytest.approx(
        np.array([[0, COATING_UM], [0, WIDTH_UM]]), abs=0.5
    )


# -- one report -------------------------------------------------------------------------------


def test_a_results_folder(
    folder: Path, run: SyntheticRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(folder, "--seed", 7) == 0
    out, err = capsys.readouterr()
    assert err == ""
    place = folder / "report"
    files = {path.name for path in place.iterdir()}
    assert files == {
        RECORD,
        "heterogeneity.json",
        "heterogeneity.png",
        "evolution.csv",
        "evolution.png",
        "heterogeneity_directions.png",
        *(f"heterogeneity_{name}.csv" for name in TABLES),
    }
    # Looked at for a user's files before anything is computed.
    assert {
        path.name for path in report_outputs(place, Request(Settings()), evolution=True)
    } == files - {RECORD}
    assert out.startswith("discs, ")
    assert "L*" in out
    assert all(name in out for name in files - {RECORD})
    found = strict(place / "heterogeneity.json")
    samples = [sample for sample, _ in run.samples]
    widest = max(samples, key=lambda sample: sample.lithium_fraction_sd)
    assert found["source"]["moment"]["time_s"] == widest.time_s
    assert found["source"]["moment"]["chosen_by"] == "spread"
    assert (found["program"], found["seed"], found["particles"]) == ("heterode", 7, len(run.discs))
    assert {"heterode", "numpy", "scipy"} <= found["versions"].keys()
    assert found["settings"]["permutations"] == 39
    assert found["options"]["weighting"] == "none"
    assert found["fields"][0]["value_mean"] == pytest.approx(widest.lithium_fraction.mean())
    for name in ("correlogram", "variogram", "clusters", "scale", "density", "warnings"):
        assert found[name] is not None
    rows = pd.read_csv(place / "heterogeneity_clusters.csv")
    assert rows["sd"].to_numpy() == pytest.approx(found["clusters"]["sd"], rel=1e-12)
    rows = pd.read_csv(place / "heterogeneity_correlogram.csv")
    assert rows["pairs"].tolist() == found["correlogram"]["pairs"]
    for name in ("heterogeneity", "evolution"):
        picture = imread(place / f"{name}.png")
        assert picture.shape[1] > 1200
        assert np.ptp(picture[..., :3]) > 0.5


@pytest.mark.usefixtures("without_figures")
def test_the_same_seed_gives_the_same_numbers(tmp_path: Path) -> None:
    table = optical_table(tmp_path / "t.csv", 60)
    texts = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert report(table, "--out", tmp_path / name, "--seed", seed) == 0
        texts[name] = (tmp_path / name / "heterogeneity_clusters.csv").read_bytes()
    assert texts["a"] == texts["b"] != texts["c"]


def test_a_table_and_its_round_trip(tmp_path: Path) -> None:
    table = optical_table(tmp_path / "grains.csv", 80)
    assert report(table, "--format", "pdf,svg", "--weight", "area", "--bin", "0.02mm") == 0
    place = tmp_path / "grains"
    assert (place / "heterogeneity.pdf").read_bytes().startswith(b"%PDF")
    assert "<svg" in (place / "heterogeneity.svg").read_text(encoding="utf-8")
    assert not (place / "heterogeneity.png").exists()
    first = strict(place / "heterogeneity.json")
    assert first["source"]["columns"]["value"] == "value"
    assert first["settings"]["bin_um"] == 20.0
    assert first["clusters"]["weighted"] is True
    # The table of the particles analysed can be read again, and is the same.
    (field,), (again,) = (
        read_table(path).fields for path in (table, place / "heterogeneity_particles.csv")
    )
    assert np.array_equal(again.positions_um, field.positions_um)
    assert np.array_equal(again.value, field.value)
    assert np.array_equal(again.radius_um, field.radius_um)


@pytest.mark.usefixtures("without_figures")
def test_weights_change_the_clusters(tmp_path: Path) -> None:
    table = optical_table(tmp_path / "t.csv", 60)
    means = {}
    for weight in ("none", "area", "volume"):
        assert report(table, "--weight", weight, "--out", tmp_path / weight) == 0
        means[weight] = strict(tmp_path / weight / "heterogeneity.json")["clusters"]["mean"]
    assert means["none"] != means["area"] != means["volume"] != means["none"]


@pytest.mark.usefixtures("without_figures")
def test_small_particles_and_the_edge_can_be_left_out(tmp_path: Path) -> None:
    table = optical_table(tmp_path / "t.csv", 150)
    frame = pd.read_csv(table)
    assert report(table, "--min-radius", "2.5um", "--edge-margin", 20, "--window",
                  "0,200,0,200") == 0  # fmt: skip
    found = strict(tmp_path / "t" / "heterogeneity.json")
    inside = frame[["x_um", "y_um"]].sub(100).abs().max(axis=1) <= 80
    assert found["particles"] == int((inside & (frame["radius_um"] >= 2.5)).sum())
    assert found["fields"][0]["window_um"] == [[20.0, 180.0], [20.0, 180.0]]


@pytest.mark.usefixtures("without_figures")
def test_a_fixed_range_moves_the_band(tmp_path: Path) -> None:
    table = optical_table(tmp_path / "t.csv", 150)
    scales = {}
    for name, more in (("own", ()), ("wide", ("--range", "0,4"))):
        assert report(table, "--out", tmp_path / name, *more) == 0
        scales[name] = strict(tmp_path / name / "heterogeneity.json")["scale"]
    assert scales["wide"]["half_band"] == pytest.approx(0.08)
    assert scales["wide"]["half_band"] > scales["own"]["half_band"]
    assert scales["wide"]["scale_um"] < scales["own"]["scale_um"]


@pytest.mark.usefixtures("without_figures")
def test_a_table_of_a_stop_lies_in_the_coating(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "stops").mkdir()
    rows = pd.read_csv(copy / "particles.csv")
    rows["lithium_fraction"] = read_run_particles(folder).series.lithium_fraction[3]
    rows.to_csv(copy / "stops" / "01_3.90V.csv", index=False)
    assert report(copy / "stops" / "01_3.90V.csv") == 0
    assert [path.name for path in (copy / "stops").iterdir()] == ["01_3.90V.csv"]
    found = strict(copy / "report" / "01_3.90V" / "heterogeneity.json")
    window = np.array(found["fields"][0]["window_um"])
    assert window == pytest.approx(np.array([[0, COATING_UM], [0, WIDTH_UM]]), abs=0.5)


# -- several ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("without_figures")
def test_inputs_are_pooled_or_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, seed in (("left", 3), ("right", 13)):
        optical_table(Path(f"{name}.csv"), 80, seed)
    assert report("left.csv", "right.csv", "--pool") == 0
    pooled = strict(Path("pooled", "heterogeneity.json"))
    assert pooled["particles"] == 160
    assert [field["name"] for field in pooled["fields"]] == ["left", "right"]
    assert [field["name"] for field in pooled["by_field"]] == ["left", "right"]
    assert report("left.csv", "right.csv") == 0
    out = capsys.readouterr().out
    assert "left against right, by ranks" in out
    found = strict(Path("comparison", "comparison.json"))
    (pair,) = found["pairs"]
    assert pair["samples"] == ["left", "right"]
    assert pair["spearman_rms_difference"] > 0
    assert imread("comparison/comparison.png").shape[1] > 1200
    rows = pd.read_csv("comparison/comparison.csv")
    assert set(rows["view"]) == {"ranks", "values"}
    assert set(rows["sample"]) == {"left", "right"}
    for name in ("left", "right"):
        assert Path("comparison", name, "heterogeneity.json").is_file()


@pytest.mark.usefixtures("without_figures")
def test_ranks_are_blind_to_a_monotone_reading_and_values_are_not(tmp_path: Path) -> None:
    places = scattered(120)
    value = smooth_values(places)
    x, y = places.T
    write_table(tmp_path / "lithium.csv", x=x, y=y, value=value)
    write_table(tmp_path / "grey.csv", x=x, y=y, value=np.exp(25 * value))
    tables = (tmp_path / "lithium.csv", tmp_path / "grey.csv")
    assert report(*tables, "--out", tmp_path / "both") == 0
    rows = pd.read_csv(tmp_path / "both" / "comparison.csv")
    by = {key: part["y"].to_numpy() for key, part in rows.groupby(["sample", "view", "curve"])}
    for curve in ("spearman", "kendall", "pearson", "cluster_mean", "cluster_excursion"):
        one, other = by["lithium", "ranks", curve], by["grey", "ranks", curve]
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)
    for curve in ("pearson", "cluster_excursion"):
        gap = by["grey", "values", curve] - by["lithium", "values", curve]
        assert np.nanmax(np.abs(gap)) > 0.01


def test_ranks_run_over_all_fields_of_a_sample(tmp_path: Path) -> None:
    fields = [read_table(optical_table(tmp_path / f"{k}.csv", 40, k)).fields[0] for k in (3, 13)]
    ranked = normalised_ranks(fields)
    together = np.sort(np.concatenate([field.value for field in ranked]))
    assert together == pytest.approx((np.arange(80) + 0.5) / 80)


@pytest.mark.usefixtures("without_figures")
def test_a_solid_is_not_compared_with_a_section(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packing = packed_spheres()
    points = packing.grid.points_um
    field = 0.7 + 0.05 * np.sin(points[:, 0] / 9) + 0.002 * points[:, 2]
    cube = write_spheres(tmp_path / "cube", packing, field).path
    table = optical_table(tmp_path / "t.csv", 60)
    out = tmp_path / "both"
    assert report(cube, table, "--out", out) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "Pass --sections 20" in err
    assert not out.exists()
    assert report(cube, "--at", "end", "--sections", 12, "--no-evolution") == 0
    found = strict(cube / "report" / "heterogeneity.json")
    cut = found["source"]["sections"]
    assert 4 <= len(cut) <= 12
    assert all(name.startswith("y = ") for name in cut)
    assert len(found["by_field"]) == len(found["fields"]) == len(cut)
    assert all(len(row["window_um"]) == 2 for row in found["fields"])
    # Cut, it is compared with the table; a table alone cannot be cut.
    assert report(cube, table, "--at", "end", "--section", "y=6um", "--out", out) == 0
    assert len(strict(out / "comparison.json")["pairs"]) == 1
    assert report(table, "--sections", 3) == 2
    assert "a table cannot be cut" in capsys.readouterr().err
    # The run itself is 3D.
    assert report(cube, "--at", "end", "--out", tmp_path / "solid", "--no-evolution") == 0
    assert strict(tmp_path / "solid" / "heterogeneity.json")["fields"][0]["dimension"] == 3


# -- runs that are not complete ---------------------------------------------------------------


@pytest.mark.usefixtures("without_figures")
def test_an_interrupted_run_is_reported_up_to_its_last_sample(
    tmp_path: Path, run: SyntheticRun, capsys: pytest.CaptureFixture[str]
) -> None:
    place = write_run(tmp_path / "killed", run).path
    Manifest(place / "manifest.json", strict(place / "manifest.json")).seal("prefix", {})
    with (place / "history.csv").open("a") as file:
        file.write("123.0,3.9")
    assert report(place, "--at", "end", "--no-evolution") == 0
    assert "the run is not complete (running)" in capsys.readouterr().out
    found = strict(place / "report" / "heterogeneity.json")
    assert found["source"]["status"] == "running"
    assert any("not complete" in note for note in found["notes"])


def test_folders_that_cannot_be_reported(
    tmp_path: Path, run: SyntheticRun, capsys: pytest.CaptureFixture[str]
) -> None:
    place = write_run(tmp_path / "out", run).path
    (tmp_path / "empty").mkdir()
    wrong = {
        (tmp_path / "empty",): "not readable as a manifest",
        (tmp_path / "missing",): "no such file or folder",
        (place, "--at", "start"): "all particles hold the same lithium within 1e-09. Choose",
        (place, "--section", "z=10um"): "a 2D run is a section already",
        (place, place): "the same input is given twice",
        (place, "--permutations", "3"): "at least",
    }
    for arguments, expected in wrong.items():
        assert report(*arguments) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert expected in err, err
    (place / "particles.h5").unlink()
    assert report(place) == 2
    assert "particles.h5: is missing" in capsys.readouterr().err


def test_after_a_run_the_report_is_there_or_one_line_says_why(
    tmp_path: Path, run: SyntheticRun
) -> None:
    place = write_run(tmp_path / "out", run).path
    line = brief_heterogeneity(place)
    assert "L*" in line
    assert "\n" not in line
    files = {path.name for path in (place / "report").iterdir()}
    assert files == {RECORD, "heterogeneity.json", "heterogeneity.png"}
    # Particles that nothing tells apart, and a folder without its particles.
    rows = (place / "particles.csv").read_text().splitlines()
    (place / "particles.csv").write_text("\n".join(rows[:6]) + "\n")
    assert finish_report(place).finding.startswith("no heterogeneity report: ")
    shutil.rmtree(place / "report")
    (place / "report").write_text("in the way")
    (place / "particles.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(InputError, match="a file is in the way"):
        brief_heterogeneity(place)


def test_a_fault_of_the_report_is_told_and_does_no_harm(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a clever mistake")

    monkeypatch.setattr("heterode.reporting.heterogeneity.write_report", broken)
    problem = "report/heterogeneity.json: ZeroDivisionError: a clever mistake"
    assert problem in finish_report(folder).problems


# -- over a run -------------------------------------------------------------------------------


def test_evolution_follows_the_charge_passed(folder: Path, run: SyntheticRun) -> None:
    read = read_run_particles(folder)
    rows = evolution(read, Settings(), 1, count=7)
    assert len(rows) <= 9
    assert rows["time_s"].iloc[[0, -1]].tolist() == read.series.time_s[[0, -1]].tolist()
    # All particles start equal: nothing can be said then.
    first, later = rows.iloc[0], rows.iloc[1:]
    assert first["scale_flag"] == ""
    assert np.isnan(first["scale_um"])
    assert (later["scale_um"] > 0).all()
    assert later["moran_10_20_um"].between(-1, 1).all()
    assert np.array_equal(
        rows["lithium_fraction_sd"], read.spread[np.searchsorted(read.series.time_s, rows.time_s)]
    )
    chosen = evenly_charged(read, 5)
    passed = np.cumsum(np.abs(np.diff(read.mean, prepend=read.mean[0])))
    assert np.ptp(np.diff(passed[chosen])) < 0.45 * passed[-1]


def test_evolution_has_the_trend_of_every_moment(folder: Path) -> None:
    read = read_run_particles(folder)
    given = evolution(read, Settings(), 1, count=4).iloc[1:]
    last = read.points(len(read.series.time_s) - 1)
    away = last.positions_um - last.positions_um.mean(axis=0)
    slope = np.linalg.lstsq(away, last.value - last.value.mean(), rcond=None)[0]
    row = given.iloc[-1]
    assert row["trend_depth"] == pytest.approx(slope[0] * last.sides_um[0])
    assert row["trend_depth_in_sd"] == pytest.approx(row["trend_depth"] / last.value.std(ddof=1))
    towards = row[["trend_direction_x", "trend_direction_y"]].to_numpy(dtype=np.float64)
    assert towards == pytest.approx(slope / np.linalg.norm(slope))
    assert row["trend_total"] == pytest.approx(np.abs(slope) @ last.sides_um)
    p_values = given[["trend_depth_p_value", "trend_p_value"]].to_numpy()
    assert ((p_values >= 0.005) & (p_values <= 1)).all()
    # Removed, it is still what is written, and pairs are those of the values that are left.
    removed = evolution(read, Settings(detrend="all"), 1, count=4).iloc[1:]
    assert removed["trend_total"].tolist() == given["trend_total"].tolist()
    assert not np.allclose(removed["moran_10_20_um"], given["moran_10_20_um"])
    nowhere = evolution(read, Settings(depth=None, permutations=0), 1, count=2)
    assert nowhere[["trend_depth", "trend_depth_p_value", "trend_p_value"]].isna().all(axis=None)


def test_axes_are_labelled_with_units(folder: Path, tmp_path: Path) -> None:
    source = read_run_particles(folder)
    points = source.points(find_instant(source, parse_instant("spread")).index)
    settings = Settings(permutations=39, seeds=2)
    result = analyse([points], settings, np.random.default_rng(1))
    figure = heterogeneity_figure(result, Captions("discs", "lithium fraction", ("x", "y")))
    labels = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
    panels = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left")[5] for axes in panels] == ["A", "B", "C", "D"]
    assert ("distance of the pair / µm", "correlation coefficient") in labels
    assert ("cluster size $L$ / µm", "mean lithium fraction of a cluster, by number") in labels
    assert ("particles per cluster", "mean lithium fraction of a cluster, by number") in labels
    assert ("$x$ / µm", "$y$ / µm") in labels
    assert all(x or y for x, y in labels)
    _, legend = panels[2].get_legend_handles_labels()
    assert "$L$*" in legend
    assert panels[2].get_title(loc="left").endswith("not converged")
    assert "mean ± s.d. of clusters" in legend
    assert "global mean ± 2 % of the range" in legend
    figure = evolution_figure(evolution(source, settings, 1, count=5), 52.5, "discs")
    assert all(axes.get_xlabel() == "mean lithium fraction, by volume" for axes in figure.axes)
    assert all(axes.get_ylabel() for axes in figure.axes)
