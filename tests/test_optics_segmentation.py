"""Particles are found, measured and told apart; each claim beside what would fail without it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.filters import threshold_otsu

from helpers.pictures import SMALL, truth
from heterode.base.errors import InputError
from heterode.optics.analysis import Options, analyse
from heterode.optics.grouping import Groups
from heterode.optics.illumination import flat_gain
from heterode.optics.measurement import edge_width, measure_particles
from heterode.optics.micrograph import Micrograph
from heterode.optics.scoring import score
from heterode.optics.segmentation import Segmentation, noise_of, segment
from heterode.optics.synthetic import Scene, draw, random_scene

FIND = Segmentation()


def grey(picture: Micrograph) -> np.ndarray:
    return picture.intensity().mean(axis=2)


def found(picture: Micrograph, **settings: object) -> np.ndarray:
    return segment(grey(picture), picture.pixel_um, replace(FIND, **settings))


class TestFinding:
    def test_known_particles(self) -> None:
        t = truth()
        result = score(t.labels, found(t.micrograph))
        assert result.recall > 0.95
        assert result.precision > 0.97
        assert np.median(result.iou) > 0.85

    def test_without_the_split_touching_particles_are_lost(self) -> None:
        t = truth()
        merged = score(t.labels, found(t.micrograph, neck=5.0))
        assert merged.recall < 0.6

    def test_noise_is_smoothed_as_it_needs(self) -> None:
        t = truth(noise=0.2)
        assert score(t.labels, found(t.micrograph)).recall > 0.9

    def test_dark_particles(self) -> None:
        t = truth()
        negative = replace(t.micrograph, counts=(2**16 - 1 - t.micrograph.counts).astype(np.uint16))
        assert score(t.labels, found(negative, polarity="dark")).recall > 0.95
        assert score(t.labels, found(negative)).recall < 0.2

    def test_local_threshold_holds_under_a_slope_of_light(self) -> None:
        t = truth(tilt=1.4)
        uneven = score(t.labels, found(t.micrograph, threshold="local"))
        plain = score(t.labels, found(t.micrograph))
        assert uneven.recall > 0.8
        assert plain.recall < uneven.recall

    def test_tiles_find_what_the_whole_does(self) -> None:
        picture = truth().micrograph
        whole, tiled = found(picture), found(picture, tile=110, largest_um=5.0)
        same = score(whole, tiled, least=0.8)
        assert same.recall == 1.0
        assert tiled.max() == whole.max()
        # Without a margin around the tiles particles would be cut.
        assert abs(int((tiled > 0).sum()) - int((whole > 0).sum())) < 0.01 * (whole > 0).sum()

    def test_numbers_run_without_gaps(self) -> None:
        labels = found(truth().micrograph)
        np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))

    def test_nothing_to_find(self) -> None:
        with pytest.raises(InputError, match="one brightness"):
            segment(np.full((64, 64), 0.3, np.float32), 0.1, FIND)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"threshold": "magic"}, "otsu, local"),
            ({"threshold": 1.5}, "outside"),
            ({"smallest_um": 9.0}, "smallest"),
        ],
    )
    def test_settings(self, changes: dict, words: str) -> None:
        with pytest.raises(InputError, match=words):
            replace(FIND, **changes)

    def test_noise_is_measured(self) -> None:
        noise = np.random.default_rng(2).normal(0.5, 0.07, (300, 300)).astype(np.float32)
        assert noise_of(noise) == pytest.approx(0.07, rel=0.03)
        assert noise_of(gaussian_filter(noise, 3.0)) < 0.01


class TestRealPictures:
    """What ships with scikit-image: no particles of a battery, but real lenses and light."""

    def test_coins(self) -> None:
        coins = (data.coins() / 255).astype(np.float32)
        # A pixel of 0.2 um makes the 24 coins particles of 4 to 6 um.
        labels = segment(coins, 0.2, Segmentation(threshold="local", smallest_um=2.0))
        large = np.bincount(labels.ravel())[1:] > 900
        assert 22 <= large.sum() <= 27

    def test_coins_in_a_row_and_the_light_from_above(self) -> None:
        coins = (data.coins() / 255).astype(np.float32)
        plain = segment(coins, 0.2, Segmentation(smallest_um=2.0))
        assert (np.bincount(plain.ravel())[1:] > 900).sum() != 24

    def test_stained_tissue(self) -> None:
        """Brown regions in a light ground, through the whole chain in colour."""
        dark = Segmentation(polarity="dark", smallest_um=0.8)
        picture = Micrograph(data.immunohistochemistry(), 0.2, "tissue")
        found = analyse(picture, Options(segmentation=dark))
        red, green, blue = found.measured.colour.T
        # Each of them is darker than the ground, and most are brown to the eye.
        ground = np.median(found.intensity[found.labels == 0], axis=0)
        assert (found.measured.colour < ground).all()
        assert np.mean((red > green) & (green > blue)) > 0.75
        grey = found.intensity.mean(axis=2)
        stained = (grey < threshold_otsu(grey)).mean()
        assert (found.labels > 0).mean() == pytest.approx(stained, abs=0.06)

    def test_galaxies(self) -> None:
        """Few bright spots on black: the brightest are among those found, the sky is not."""
        sky = Micrograph(data.hubble_deep_field(), 0.2, "sky")
        found = analyse(sky, Options())
        assert 100 < len(found.measured) < 400
        assert 0.01 < (found.labels > 0).mean() < 0.06
        grey = gaussian_filter(found.intensity.mean(axis=2), 3.0)
        assert (found.labels[grey > 0.8 * grey.max()] > 0).all()


class TestMeasuring:
    def test_brightness_and_place(self) -> None:
        t = truth()
        labels = found(t.micrograph)
        m = measure_particles(t.micrograph.intensity(), labels)
        pairs = score(t.labels, labels)
        scene = t.scene
        error = m.colour[pairs.found] - scene.colour[pairs.truth]
        assert np.sqrt((error[:, 1] ** 2).mean()) < 0.0125
        assert abs(error.mean(axis=0)).max() < 0.005
        x = (m.column[pairs.found] + 0.5) * t.micrograph.pixel_um
        hidden = pairs.iou < 0.85
        assert np.abs(x - scene.x_um[pairs.truth])[~hidden].max() < 0.5
        ratio = (m.radius()[pairs.found] * 0.25 / scene.radius_um[pairs.truth])[~hidden]
        assert np.median(ratio) == pytest.approx(1.0, abs=0.03)

    def test_the_whole_particle_would_be_too_dark(self) -> None:
        t = truth(blur_px=2.5)
        labels = found(t.micrograph)
        pairs = score(t.labels, labels)
        plane = t.micrograph.intensity()[..., 1]
        groups = Groups(labels, labels.max())
        whole = groups.mean(groups.take(plane))
        core = measure_particles(t.micrograph.intensity(), labels).colour[:, 1]
        true = t.scene.colour[pairs.truth, 1]
        assert abs(np.mean(core[pairs.found] - true)) < 0.01
        assert np.mean(whole[pairs.found] - true) < -0.03

    @pytest.mark.parametrize("sigma", [1.5, 2.0, 2.5, 3.5])
    def test_width_of_the_edge(self, sigma: float) -> None:
        y, x = np.mgrid[:160, :160]
        disc = np.hypot(x - 80, y - 80) < 30.3
        picture = gaussian_filter(0.2 + 0.4 * disc, sigma).astype(np.float32)
        width = edge_width(picture, disc.astype(np.int32), np.array([0.6]))
        assert width[0] == pytest.approx(sigma, rel=0.12)

    def test_width_grows_with_defocus(self) -> None:
        widths = []
        for defocus in (0.0, 0.4, 0.8):
            random = np.random.default_rng(3)
            scene = random_scene(SMALL, random, area_fraction=0.2)
            scene = replace(scene, defocus_um=np.full(len(scene), defocus))
            t = draw(scene, SMALL, random)
            labels = found(t.micrograph)
            widths.append(np.nanmedian(measure_particles(t.micrograph.intensity(), labels).focus))
        assert (np.diff(widths) > 0.5).all()

    def test_a_particle_among_others_has_no_free_edge(self) -> None:
        labels = np.ones((60, 60), np.int32)
        labels[20:40, 20:40] = 2
        width = edge_width(np.full((60, 60), 0.5, np.float32), labels, np.array([0.5, 0.5]))
        assert np.isnan(width).all()

    def test_groups_are_numpys(self) -> None:
        random = np.random.default_rng(4)
        labels = random.integers(0, 9, (50, 40)).astype(np.int32)
        labels[labels == 5] = 0
        values = random.random((50, 40))
        groups = Groups(labels, 8)
        taken = groups.take(values)
        for n in range(1, 9):
            mine = values[labels == n]
            if n == 5:
                assert np.isnan(groups.median(taken)[4])
                continue
            assert groups.median(taken)[n - 1] == pytest.approx(np.median(mine), abs=1e-7)
            assert groups.quantile(taken, 0.8)[n - 1] == pytest.approx(np.quantile(mine, 0.8))
            assert groups.deviation(taken)[n - 1] == pytest.approx(mine.std())
            np.testing.assert_array_equal(
                groups.histogram(taken, 10)[n - 1], np.histogram(mine, 10, (0, 1))[0]
            )


class TestFocusFilter:
    def test_what_is_left_is_more_accurate(self) -> None:
        random = np.random.default_rng(7)
        scene = random_scene(
            SMALL, random, defocus_um=lambda r, n: r.uniform(0.0, 2.0, n), area_fraction=0.4
        )
        t = draw(scene, SMALL, random)
        picture = analyse(t.micrograph, Options())
        true = t.scene.defocus_um / SMALL.pixel_um
        pairs = score(t.labels, picture.labels, picture.refused == "")
        every = score(t.labels, picture.labels)
        assert true[pairs.truth].max() < 5.0
        assert np.mean(true[pairs.truth]) < np.mean(true[every.truth]) - 0.5
        assert every.recall > pairs.recall


class TestIllumination:
    def uneven(self) -> tuple:
        t = truth(fall_off=0.4)
        true = t.scene.colour[:, 1]
        return t, true

    def error(self, t: object, options: Options, flat: Micrograph | None) -> float:
        picture = analyse(t.micrograph, options, flat=flat)
        pairs = score(t.labels, picture.labels)
        value = picture.measured.colour[pairs.found, 1]
        true = t.scene.colour[pairs.truth, 1]
        # A gain's mean is a convention.
        return float(np.std(value / true * true.mean()))

    def test_a_flat_field_corrects_it(self) -> None:
        t, true = self.uneven()
        plain = self.error(t, Options(), None)
        flat = self.error(t, Options(), t.flat)
        assert flat < 0.013
        assert plain > true.std() > flat

    def test_uneven_light_is_noticed(self) -> None:
        t, _ = self.uneven()
        assert any("varies" in w for w in analyse(t.micrograph, Options()).warnings)
        assert not any(
            "varies" in w for w in analyse(t.micrograph, Options(), flat=t.flat).warnings
        )

    @pytest.mark.parametrize(("by", "kept"), [("particles", 0.0), ("matrix", 1.0)])
    def test_correcting_by_the_picture_itself(self, by: str, kept: float) -> None:
        """A true gradient from 0.56 to 0.68 across the field is erased, or kept."""
        random = np.random.default_rng(8)
        scene = random_scene(SMALL, random, brightness_sd=0.0)
        across = scene.x_um / SMALL.size_um[0]
        green = 0.56 + 0.12 * np.clip(across, 0.0, 1.0)
        scene = replace(scene, colour=green[:, None] * np.array([1.05, 1.0, 0.9]))
        t = draw(scene, replace(SMALL, fall_off=0.3), random)
        picture = analyse(t.micrograph, Options(flatten=by))
        m = picture.measured
        inside = picture.refused == ""
        slope = np.polyfit(m.column[inside] / 320, m.colour[inside, 1], 1)[0]
        level = m.colour[inside, 1].mean()
        assert slope / level * 0.62 / 0.12 == pytest.approx(kept, abs=0.2)
        assert any("is removed with" in w for w in picture.warnings)

    def test_it_is_not_done_unasked(self) -> None:
        t = truth()
        picture = analyse(t.micrograph, Options())
        np.testing.assert_array_equal(picture.intensity, t.micrograph.intensity())

    def test_flat_fields_that_are_none(self) -> None:
        t = truth()
        other = Micrograph(t.flat.counts[:100], 0.25, "flat")
        with pytest.raises(InputError, match="100 x 320"):
            flat_gain(other, t.micrograph)
        black = Micrograph(np.zeros_like(t.flat.counts), 0.25, "flat")
        with pytest.raises(InputError, match="black"):
            flat_gain(black, t.micrograph)
        white = Micrograph(np.full_like(t.flat.counts, 2**16 - 1), 0.25, "flat")
        with pytest.raises(InputError, match="saturated"):
            flat_gain(white, t.micrograph)


class TestSynthetic:
    def test_a_disc_is_where_it_was_drawn(self) -> None:
        one = Scene(
            *(np.array([v]) for v in (40.0, 30.0, 5.0)), np.full((1, 3), 0.6), *np.zeros((2, 1))
        )
        t = draw(
            one, replace(SMALL, roughness=0.0, noise=0.0, texture=0.0), np.random.default_rng(1)
        )
        rows, columns = np.nonzero(t.labels)
        assert (columns.mean() + 0.5) * 0.25 == pytest.approx(40.0, abs=0.05)
        assert (rows.mean() + 0.5) * 0.25 == pytest.approx(30.0, abs=0.05)
        assert np.sqrt(rows.size / np.pi) * 0.25 == pytest.approx(5.0, abs=0.02)
        light = t.micrograph.intensity()
        assert light[120, 160, 1] == pytest.approx(0.6, abs=1e-3)
        assert light[5, 5, 1] == pytest.approx(0.2, abs=1e-3)

    def test_seeds(self) -> None:
        def picture(seed: int, **options: int) -> np.ndarray:
            scene = random_scene(SMALL, np.random.default_rng(1))
            return draw(scene, SMALL, np.random.default_rng(seed), **options).micrograph.counts

        np.testing.assert_array_equal(picture(2), picture(2))
        assert (picture(2) != picture(3)).any()
        other = picture(2, noise_stream=1).astype(float) - picture(2)
        assert other.std() / 65535 == pytest.approx(0.03 * np.sqrt(2.0), rel=0.02)

    def test_marks_are_correlated_over_their_length(self) -> None:
        from heterode.optics.synthetic import correlated_marks

        x = np.repeat(np.arange(40.0) * 1000.0, 2)
        y = np.tile([0.0, 10.0], 40)
        pairs = [
            correlated_marks(x, y, np.random.default_rng(s), length_um=10.0).reshape(-1, 2)
            for s in range(50)
        ]
        assert np.corrcoef(np.concatenate(pairs).T)[0, 1] == pytest.approx(np.exp(-1.0), abs=0.05)

    def test_score_of_itself_and_of_nothing(self) -> None:
        labels = truth().labels
        perfect = score(labels, labels)
        assert (perfect.recall, perfect.precision) == (1.0, 1.0)
        nothing = score(labels, np.zeros_like(labels))
        assert nothing.recall == 0.0
        shifted = score(labels, np.roll(labels, 15, axis=1))
        assert shifted.recall < 0.2
        assert shifted.precision < 0.3
