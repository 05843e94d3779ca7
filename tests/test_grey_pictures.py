"""Grey pictures through the whole command: tables, ratios and calibrations of one channel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from helpers.pictures import truth
from heterode.cli.main import main

WORDS = ["--pixel", "0.25um"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two states in grey of one place, the second 0.8 times as bright, and one in colour."""
    monkeypatch.chdir(tmp_path)
    picture = truth().micrograph.counts
    grey = picture[..., 1]
    tifffile.imwrite("before.tif", grey)
    tifffile.imwrite("after.tif", np.round(0.8 * grey).astype(np.uint16))
    tifffile.imwrite("colour.tif", picture, photometric="rgb")
    return tmp_path


def run(*words: str) -> int:
    return main(["optics", *words, *WORDS])


def test_a_grey_picture_gives_the_values_of_its_channel(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("before.tif", "--out", "grey") == 0
    assert "read as grey: one channel" in capsys.readouterr().out
    assert run("colour.tif", "--out", "colour") == 0
    grey, colour = (pd.read_csv(f"{n}/{f}.csv") for n, f in (("grey", "before"), ("colour",) * 2))
    assert {"grey", "grey_mean", "grey_sd", "grey_ratio"} <= set(grey.columns)
    assert not {"red", "green", "blue"} & set(grey.columns)
    np.testing.assert_array_equal(grey["value"], grey["grey"])
    # The same particles of the same green channel, found in one channel and in the mean of three.
    assert grey["value"].mean() == pytest.approx(colour["green"].mean(), abs=0.002)
    assert abs(len(grey) - len(colour)) <= 2
    summary = json.loads(Path("grey/summary.json").read_text())[0]
    assert summary["value"] == "grey intensity"
    assert "green" not in summary
    assert Path("grey/before_overlay.png").exists()


def test_a_calibration_of_grey_pictures(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "before.tif,before.tif,1\nafter.tif,before.tif,0.4\n"
    Path("states.csv").write_text("image,pristine,lithium_fraction\n" + rows)
    assert (
        main(
            [
                "optics",
                "--batch",
                "states.csv",
                *WORDS,
                "--write-calibration",
                "cal.csv",
                "--out",
                "c",
            ]
        )
        == 0
    )
    table = pd.read_csv("cal.csv")
    assert "grey_sd" in table.columns
    assert "green" not in table.columns
    np.testing.assert_allclose(table["grey"], [1.0, 0.8], atol=2e-4)
    capsys.readouterr()
    words = ["after.tif", "--pristine", "before.tif", "--calibration", "cal.csv", "--out", "out"]
    assert run(*words) == 0
    assert "lithium fractions rest on one channel, grey" in capsys.readouterr().out
    np.testing.assert_allclose(pd.read_csv("out/after.csv")["value"], 0.4, atol=0.02)


MISTAKES = {
    "a calibration in colour": (
        ["after.tif", "--pristine", "before.tif", "--calibration", "green.csv"],
        ("green.csv", "no calibration of grey (there is: green)", "of grey pictures"),
    ),
    "a pristine picture in colour": (
        ["after.tif", "--pristine", "colour.tif"],
        ("after has the channels grey", "colour red, green, blue", "one camera"),
    ),
    "grey of a picture in colour": (
        ["colour.tif", "--channel", "grey"],
        ("colour: is in colour", "--channel grey", "allowed: red, green, blue"),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_colour_and_grey_are_not_mixed(
    name: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, fragments = MISTAKES[name]
    Path("green.csv").write_text("lithium_fraction,green\n0.4,0.8\n1,1\n")
    capsys.readouterr()
    assert run(*words, "--out", "out") == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert all(fragment in message for fragment in fragments)
    assert not Path("out/after.csv").exists()


def test_a_series_in_colour_and_grey_has_one_table(place: Path) -> None:
    assert run("colour.tif", "before.tif", "--out", "both") == 0
    table = pd.read_csv("both/summary.csv")
    assert np.isnan(table["grey"][0])
    assert np.isnan(table["green"][1])
    assert table["grey"][1] == pytest.approx(table["green"][0], abs=0.002)
    assert Path("both/series.png").stat().st_size > 5000


def test_a_grey_flat_field_evens_out_all_colours_alike(place: Path) -> None:
    even = np.full(truth().micrograph.shape, 40_000, np.uint16)
    even[:, 160:] = 32_000
    tifffile.imwrite("flat.tif", even)
    assert run("colour.tif", "--flat", "flat.tif", "--out", "out") == 0
    table = pd.read_csv("out/colour.csv")
    left = table["x_um"] < 35.0
    for channel in ("red", "green", "blue"):
        ratio = table[channel][table["x_um"] > 45.0].mean() / table[channel][left].mean()
        assert ratio == pytest.approx(1.25, rel=0.03)
