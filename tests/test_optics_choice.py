"""Polarity, threshold and dust are chosen by evidence, and said; each beside the other choice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from skimage import data
from skimage.draw import disk, polygon

from helpers.pictures import truth
from heterode.base.errors import InputError
from heterode.cli.main import main
from heterode.optics.analysis import AUTOMATIC, Options, analyse
from heterode.optics.choice import choose, compactness
from heterode.optics.dust import dust_radius
from heterode.optics.micrograph import Micrograph
from heterode.optics.scoring import score
from heterode.optics.segmentation import Segmentation, segment

PIXEL_UM = 0.25


def chosen(grey: np.ndarray, **wanted: object) -> Segmentation:
    return choose(grey, PIXEL_UM, replace(AUTOMATIC, **wanted)).settings


def grey_of(picture: Micrograph) -> np.ndarray:
    return picture.intensity().mean(axis=2)


def dusty(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of 0.25 um pixels with 30 powder particles and 180 specks, and its truth."""
    random = np.random.default_rng(seed)
    grey, labels = np.full((500, 500), 0.2), np.zeros((500, 500), np.int32)
    placed: list[tuple[float, float, float]] = []
    while len(placed) < 210:
        radius = random.uniform(16, 24) if len(placed) < 30 else random.uniform(3, 3.8)
        y, x = random.uniform(radius + 2, 498 - radius, 2)
        if all(np.hypot(y - b, x - a) > radius + r + 4 for a, b, r in placed):
            placed.append((x, y, radius))
            rows, columns = disk((y, x), radius)
            grey[rows, columns] = 0.6
            if len(placed) <= 30:
                labels[rows, columns] = len(placed)
    return (grey + random.normal(0, 0.02, grey.shape)).astype(np.float32), labels


class TestPolarity:
    @pytest.mark.parametrize("polarity", ["bright", "dark"])
    def test_it_is_that_in_which_particles_are_compact(self, polarity: str) -> None:
        grey = grey_of(truth().micrograph)
        grey = grey if polarity == "bright" else 1.0 - grey
        choice = choose(grey, PIXEL_UM, AUTOMATIC)
        assert choice.settings.polarity == polarity
        assert f"taken for {polarity}" in choice.said[0]
        assert choice.warnings == ()
        found = segment(grey, PIXEL_UM, choice.settings)
        assert score(truth().labels, found).recall > 0.95

    def test_the_wrong_one_finds_what_lies_between(self) -> None:
        dark = 1.0 - grey_of(truth().micrograph)
        assert score(truth().labels, segment(dark, PIXEL_UM, Segmentation())).recall < 0.2

    def test_sparse_dark_particles(self) -> None:
        grey, labels = dusty()
        sparse = np.where(labels > 0, grey, 0.2).astype(np.float32)
        assert chosen(1.0 - sparse).polarity == "dark"
        assert chosen(sparse).polarity == "bright"

    def test_what_is_written_is_taken(self) -> None:
        dark = 1.0 - grey_of(truth().micrograph)
        assert chosen(dark, polarity="bright").polarity == "bright"

    def test_stripes_have_no_polarity_and_that_is_a_warning(self) -> None:
        x = np.arange(240)
        stripes = np.tile(0.4 + 0.2 * (x // 20 % 2), (240, 1)).astype(np.float32)
        choice = choose(stripes, PIXEL_UM, AUTOMATIC)
        assert "not certain" in choice.warnings[0]
        assert "write --polarity" in choice.warnings[0]

    def test_compactness_of_known_shapes(self) -> None:
        labels = np.zeros((200, 400), np.int32)
        labels[disk((100, 80), 60)] = 1
        labels[disk((100, 80), 40)] = 0
        labels[polygon([20, 20, 150], [180, 330, 255])] = 2
        labels[disk((170, 370), 25)] = 3
        shape, area = compactness(labels)
        # A ring of radii a < b fills (b^2 - a^2) / (b^2 + a^2) of its disc of equal moments.
        ring = (60**2 - 40**2) / (60**2 + 40**2)
        # The same for all triangles, since any is an affine image of any other.
        triangle = 3.0 * np.sqrt(3.0) / (2.0 * np.pi)
        np.testing.assert_allclose(shape, [ring, triangle, 1.0], atol=0.01)
        np.testing.assert_array_equal(area, np.bincount(labels.ravel())[1:])


class TestThreshold:
    def test_otsu_in_even_light(self) -> None:
        choice = choose(grey_of(truth().micrograph), PIXEL_UM, AUTOMATIC)
        assert choice.settings.threshold == "otsu"
        assert "threshold: Otsu's" in choice.said[1]

    def test_local_under_a_slope_of_light(self) -> None:
        grey = grey_of(truth(tilt=1.4).micrograph)
        choice = choose(grey, PIXEL_UM, AUTOMATIC)
        assert choice.settings.threshold == "local"
        assert choice.record["misfit_wide"] < 0.9 * choice.record["misfit_otsu"]
        recall = score(truth().labels, segment(grey, PIXEL_UM, choice.settings)).recall
        assert recall > score(truth().labels, segment(grey, PIXEL_UM, Segmentation())).recall

    def test_coins(self) -> None:
        """A public picture: 24 coins in uneven light, of which Otsu's merges a row."""
        coins = (data.coins() / 255).astype(np.float32)
        settings = choose(coins, 0.2, replace(AUTOMATIC, smallest_um=2.0)).settings
        assert (settings.polarity, settings.threshold) == ("bright", "local")
        large = np.bincount(segment(coins, 0.2, settings).ravel())[1:] > 900
        assert 23 <= large.sum() <= 25

    def test_a_large_picture_is_judged_by_a_smaller_one(self) -> None:
        grey = np.tile(grey_of(truth().micrograph), (4, 4))
        assert chosen(1.0 - grey).polarity == "dark"

    def test_auto_is_no_threshold_of_a_segmentation(self) -> None:
        with pytest.raises(ValueError, match="'auto'"):
            segment(np.ones((20, 20), np.float32), 0.1, AUTOMATIC)

    def test_surroundings_of_another_threshold(self) -> None:
        with pytest.raises(InputError, match="belongs to the local threshold"):
            Segmentation(threshold="otsu", surroundings_um=4.0)


class TestDust:
    @pytest.mark.parametrize("spread", [0.2, 0.4, 0.8, 1.2])
    def test_lognormal_sizes_have_none(self, spread: float) -> None:
        for seed in range(20):
            random = np.random.default_rng(seed)
            assert dust_radius(np.exp(spread * random.standard_normal(400))) == 0.0

    def test_a_second_hump_of_small_sizes_is_dust(self) -> None:
        random = np.random.default_rng(3)
        particles = 5.0 * np.exp(0.2 * random.standard_normal(100))
        specks = 0.8 * np.exp(0.2 * random.standard_normal(500))
        assert 1.2 < dust_radius(np.concatenate([particles, specks])) < 3.0

    def test_a_tail_of_ever_more_and_smaller_specks_is_dust(self) -> None:
        random = np.random.default_rng(4)
        particles = 5.0 * np.exp(0.3 * random.standard_normal(100))
        specks = 0.6 * (1.0 - random.random(150)) ** (-1.0 / 3.0)
        limit = dust_radius(np.concatenate([particles, specks]))
        assert 1.2 < limit < 3.0

    def test_two_kinds_of_particles_are_not(self) -> None:
        """Small ones that fill a third of the area are no dust."""
        random = np.random.default_rng(5)
        large = 5.0 * np.exp(0.15 * random.standard_normal(60))
        small = 1.0 * np.exp(0.15 * random.standard_normal(750))
        assert dust_radius(np.concatenate([large, small])) == 0.0

    def test_a_dusty_powder(self) -> None:
        grey, labels = dusty()
        picture = analyse(Micrograph(grey[..., None], PIXEL_UM, "powder"), Options())
        count = int((picture.refused == "dust").sum())
        assert count > 150
        with_dust = score(labels, picture.labels)
        without = score(labels, picture.labels, picture.refused == "")
        assert with_dust.precision < 0.2
        assert without.precision > 0.95
        assert without.recall > 0.95


class TestCommand:
    @pytest.fixture
    def place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.chdir(tmp_path)
        tifffile.imwrite("dark.tif", (65535 - truth().micrograph.counts), photometric="rgb")
        grey, _ = dusty()
        tifffile.imwrite("powder.tif", np.round(255 * np.clip(grey, 0, 1)).astype(np.uint8))
        return tmp_path

    def test_dark_particles_are_found_and_it_is_said(
        self, place: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["optics", "dark.tif", "--pixel", "0.25um", "--out", "out"]) == 0
        text = capsys.readouterr().out
        assert "particles are taken for dark" in text
        assert "threshold: Otsu's" in text
        summary = json.loads(Path("out/summary.json").read_text())[0]
        assert (summary["polarity"], summary["threshold"]) == ("dark", "otsu")
        assert summary["compactness_dark"] > summary["compactness_bright"] + 0.05
        assert "taken for dark" in pd.read_csv("out/summary.csv")["chosen"][0]
        labels = tifffile.imread("out/dark_labels.tif").astype(np.int32)
        assert score(truth().labels, labels).recall > 0.95

    def test_dust_is_refused_and_kept_in_the_table_of_the_refused(
        self, place: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = ["optics", "powder.tif", "--pixel", "0.25um", "--polarity", "bright"]
        assert main([*words, "--out", "out"]) == 0
        text = capsys.readouterr().out
        refused = pd.read_csv("out/powder_refused.csv")
        count = int((refused["refused"] == "dust").sum())
        assert f"{count} particles below a radius of" in text
        assert "--smallest" in text
        assert len(pd.read_csv("out/powder.csv")) <= 30
        # What is written is taken: with a smallest radius nothing else is dust.
        assert main([*words, "--smallest", "0.6um", "--out", "all"]) == 0
        assert len(pd.read_csv("all/powder.csv")) > 150
        assert "dust" not in capsys.readouterr().out

    def test_surroundings_are_written(
        self, place: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = ["optics", "powder.tif", "--pixel", "0.25um", "--surroundings", "6um"]
        assert main([*words, "--threshold", "local", "--polarity", "bright", "--out", "o"]) == 0
        assert json.loads(Path("o/summary.json").read_text())[0]["surroundings_um"] == 6.0
        capsys.readouterr()
        assert main([*words, "--threshold", "otsu", "--out", "p"]) == 2
        assert "--surroundings 6" in capsys.readouterr().err
