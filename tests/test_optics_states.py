"""The same particles in two pictures, ratios, and their calibration to lithium fractions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from helpers.pictures import SMALL, truth
from heterode.base.errors import InputError
from heterode.optics.analysis import Options, Picture, analyse
from heterode.optics.calibration import Curve, calibration_table, read_calibration
from heterode.optics.evaluation import evaluate
from heterode.optics.registration import match_particles
from heterode.optics.scoring import score
from heterode.optics.sections import ILLUSTRATIVE, disc_scene, read_colours
from heterode.optics.synthetic import Camera, Truth, draw, random_scene

RANDOM = 11


def states(camera: Camera = SMALL, seed: int = RANDOM) -> tuple[Truth, Truth]:
    """Pristine and charged: each particle keeps its own share of 60 to 95 % of its light."""
    scene = random_scene(camera, np.random.default_rng(seed))
    share = np.random.default_rng(seed + 1).uniform(0.6, 0.95, len(scene))
    after = replace(scene, colour=scene.colour * share[:, None], mark=share)
    shapes = np.random.default_rng(seed + 2).integers(2**62)
    return (
        draw(scene, camera, np.random.default_rng(shapes)),
        draw(after, camera, np.random.default_rng(shapes), noise_stream=1),
    )


def moved(t: Truth, dx: float, dy: float, degrees: float, camera: Camera) -> Truth:
    return draw(t.scene.shifted(dx, dy, degrees), camera, np.random.default_rng(3))


def picture(t: Truth, **options: object) -> Picture:
    return analyse(t.micrograph, Options(**options))


class TestMatching:
    @pytest.mark.parametrize(
        ("dx", "dy", "degrees"), [(0.0, 0.0, 0.0), (7.3, -4.1, 0.0), (-22.0, 15.0, 0.8)]
    )
    def test_shift_and_turn_are_recovered(self, dx: float, dy: float, degrees: float) -> None:
        before, after = states()
        other = moved(after, dx, dy, degrees, SMALL)
        match = match_particles(picture(other).field(), picture(before).field())
        assert match.shift_um == pytest.approx((dx, dy), abs=0.4)
        assert match.rotation_deg == pytest.approx(degrees, abs=0.25)
        assert match.scale == pytest.approx(1.0, abs=5e-3)
        assert match.share > 0.8
        assert match.residual_um < 0.4

    def test_pairs_are_the_same_particles(self) -> None:
        before, after = states()
        other = moved(after, 5.0, 3.0, 0.5, SMALL)
        first, second = picture(other), picture(before)
        match = match_particles(first.field(), second.field())
        of_first = dict(zip(*_pairs(other, first), strict=True))
        of_second = dict(zip(*_pairs(before, second), strict=True))
        known = [
            (of_first[i], of_second[j])
            for i, j in zip(match.first, match.second, strict=True)
            if i in of_first and j in of_second
        ]
        assert len(known) > 30
        assert np.mean([a == b for a, b in known]) > 0.98

    def test_between_lenses(self) -> None:
        before, _ = states()
        fine = replace(SMALL, shape=(400, 400), pixel_um=0.1)
        close = moved(before, -20.0, -18.0, 0.0, fine)
        match = match_particles(picture(close).field(), picture(before).field())
        assert match.scale == pytest.approx(1.0, abs=0.01)
        assert match.shift_um == pytest.approx((-20.0, -18.0), abs=0.5)
        assert match.share > 0.8
        # A wrong pixel size shows as a scale.
        wrong = replace(picture(close), pixel_um=0.104)
        scaled = match_particles(wrong.field(), picture(before).field())
        assert scaled.scale == pytest.approx(1.04, abs=0.01)

    def test_another_place_is_refused(self) -> None:
        before, _ = states()
        with pytest.raises(InputError, match=r"same place|too few"):
            match_particles(picture(truth(seed=77)).field(), picture(before).field())


def _pairs(t: Truth, p: Picture) -> tuple[list[int], list[int]]:
    pairs = score(t.labels, p.labels)
    return pairs.found.tolist(), pairs.truth.tolist()


class TestRatios:
    def test_ratios_are_those_drawn(self) -> None:
        before, after = states()
        state = picture(after)
        result = evaluate(state, Options(), pristine=picture(before))
        pairs = score(after.labels, state.labels)
        share = np.full(len(state.measured), np.nan)
        share[pairs.found] = after.scene.mark[pairs.truth]
        mine = share[np.asarray(result.table["label"]) - 1]
        known = np.isfinite(mine)
        error = np.asarray(result.table["value"])[known] - mine[known]
        assert known.sum() > 40
        assert np.sqrt(np.mean(error**2)) < 0.02
        # The ratio also cancels what a particle's own shade adds, which its brightness keeps.
        plain = np.asarray(result.table["green"])[known] / 0.62 - mine[known]
        assert np.std(plain) > 2.0 * np.std(error)
        # The error counts the texture within particles, which cancels where both states show it.
        sd = np.asarray(result.table["value_sd"])[known]
        assert np.sqrt(np.mean((error / sd) ** 2)) < 1.0

    def test_uncertainty_of_the_brightness(self) -> None:
        t = truth()
        p = picture(t)
        result = evaluate(p, Options())
        pairs = score(t.labels, p.labels)
        true = np.full(len(p.measured), np.nan)
        true[pairs.found] = t.scene.colour[pairs.truth, 1]
        mine = true[np.asarray(result.table["label"]) - 1]
        known = np.isfinite(mine)
        error = np.asarray(result.table["value"])[known] - mine[known]
        sd = np.asarray(result.table["value_sd"])[known]
        assert 0.5 < np.sqrt(np.mean((error / sd) ** 2)) < 2.0

    def test_every_particle_is_somewhere_once(self) -> None:
        before, after = states()
        state = picture(after)
        result = evaluate(state, Options(), pristine=picture(before))
        labels = np.concatenate([result.table["label"], result.refused["label"]])
        np.testing.assert_array_equal(np.sort(labels), np.arange(1, len(state.measured) + 1))
        assert all(result.refused["refused"])
        assert np.isfinite(np.asarray(result.table["value"])).all()
        assert result.summary["particles"] == len(result.table["value"])
        assert result.summary["green_ratio"] == pytest.approx(0.775, abs=0.03)

    def test_without_a_pristine_state_brightness_is_the_value(self) -> None:
        _, after = states()
        result = evaluate(picture(after), Options(channel="red"))
        assert result.summary["value"] == "red intensity"
        np.testing.assert_array_equal(result.table["value"], result.table["red"])

    def test_calibration_needs_the_pristine_state(self) -> None:
        curve = Curve.fit(np.array([0.3, 1.0]), np.array([0.5, 1.0]))
        with pytest.raises(InputError, match="--pristine"):
            evaluate(picture(truth()), Options(), curve=curve)

    def test_nothing_left(self) -> None:
        with pytest.raises(InputError, match="out_of_focus"):
            evaluate(picture(truth(blur_px=3.0), focus_px=0.5), Options())

    def test_lithium_fractions(self, tmp_path: Path) -> None:
        before, after = states()
        path = tmp_path / "cal.csv"
        lithium = np.linspace(0.2, 1.0, 9)
        # Ratio 0.6 at 0.2, 1 at 1.
        path.write_bytes(calibration_table(lithium, np.repeat(0.5 + 0.5 * lithium[:, None], 3, 1)))
        curve = read_calibration(path).curve("green")
        state = picture(after)
        result = evaluate(state, Options(), pristine=picture(before), curve=curve)
        assert result.summary["value"] == "lithium fraction"
        expected = 2.0 * np.asarray(result.table["green_ratio"]) - 1.0
        inside = np.array(["outside" not in flag for flag in result.table["flags"]])
        np.testing.assert_allclose(np.asarray(result.table["value"])[inside], expected[inside])
        assert 0.05 < np.median(result.table["value_sd"]) * 10 < 1.0


class TestCalibration:
    def test_isotonic_and_its_inverse(self) -> None:
        lithium = np.array([0.2, 0.4, 0.6, 0.8, 1.0])
        curve = Curve.fit(lithium, np.array([0.60, 0.72, 0.70, 0.90, 1.00]))
        assert np.all(np.diff(curve.ratio) > 0)
        # The two out of order count as one, half-way between.
        assert curve.ratio_of(np.array([0.5]))[0] == pytest.approx(0.71)
        x, error, outside = curve.lithium_of(np.array([0.655, 0.5, 1.1]), np.full(3, 0.01))
        assert x[0] == pytest.approx(0.35)
        assert (x[1], x[2]) == (0.2, 1.0)
        np.testing.assert_array_equal(outside, [False, True, True])
        slope = (0.71 - 0.60) / 0.3
        assert error[0] == pytest.approx(np.hypot(0.01, curve.error) / slope)

    def test_falling_brightness(self) -> None:
        lithium = np.linspace(0.0, 1.0, 6)
        curve = Curve.fit(lithium, 1.5 - 0.5 * lithium)
        x, _, outside = curve.lithium_of(np.array([1.2, 1.6]), np.zeros(2))
        assert x[0] == pytest.approx(0.6)
        np.testing.assert_array_equal(outside, [False, True])

    def test_uncertainty_is_that_of_repeated_measurements(self) -> None:
        random = np.random.default_rng(5)
        lithium = np.linspace(0.2, 1.0, 9)
        curve = Curve.fit(lithium, 0.5 + 0.5 * lithium**2)
        noisy = curve.ratio_of(np.full(4000, 0.65)) + 0.004 * random.standard_normal(4000)
        x, error, _ = curve.lithium_of(noisy, np.full(4000, 0.004))
        assert x.std() == pytest.approx(np.median(error), rel=0.1)

    def test_ranks_survive_any_monotone_map(self) -> None:
        random = np.random.default_rng(6)
        ratio, other = random.uniform(0.6, 1.0, 300), random.random(300)
        curve = Curve.fit(np.linspace(0.0, 1.0, 5), np.linspace(0.5, 1.0, 5) ** 3 + 0.2)
        lithium, _, _ = curve.lithium_of(ratio, np.zeros(300))
        assert spearmanr(lithium, other)[0] == pytest.approx(spearmanr(ratio, other)[0], abs=1e-12)
        assert kendalltau(lithium, other)[0] == pytest.approx(kendalltau(ratio, other)[0], abs=1e-9)

    def test_weights(self) -> None:
        lithium, ratio = np.array([0.2, 0.5, 0.6, 1.0]), np.array([0.6, 0.8, 0.7, 1.0])
        sure_of_first = Curve.fit(lithium, ratio, np.array([0.01, 0.001, 0.1, 0.01]))
        assert sure_of_first.ratio_of(np.array([0.5]))[0] == pytest.approx(0.8, abs=2e-3)

    def test_series_are_kept_apart(self, tmp_path: Path) -> None:
        path = tmp_path / "cal.csv"
        path.write_text(
            "composition,direction,lens,lithium_fraction,green\n"
            "NMC532,charge,50X,0.4,0.7\nNMC532,charge,50X,1,1\n"
            "NMC532,discharge,50X,0.4,0.8\nNMC532,discharge,50X,1,1\n"
            "NMC811,,50X,0.2,0.5\nNMC811,,50X,1,1\n"
        )
        calibration = read_calibration(path)
        charge = calibration.curve("green", "NMC532", "charge")
        assert charge.ratio_of(np.array([0.4]))[0] == 0.7
        assert calibration.curve("green", "NMC811", "charge", "50X").ratio[0] == 0.5
        with pytest.raises(InputError, match="several calibrations"):
            calibration.curve("green", "NMC532")
        with pytest.raises(InputError, match="no calibration for composition NMC622"):
            calibration.curve("green", "NMC622")
        with pytest.raises(InputError, match="no calibration"):
            calibration.curve("red", "NMC811")

    def test_a_channel_that_says_nothing_leaves_the_others(self, tmp_path: Path) -> None:
        path = tmp_path / "cal.csv"
        path.write_text("lithium_fraction,green,blue\n0.4,0.7,1\n1,1,1\n")
        calibration = read_calibration(path)
        assert calibration.curve("green").ratio[0] == 0.7
        with pytest.raises(InputError, match="blue: its reference states do not brighten"):
            calibration.curve("blue")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("lithium_fraction\n0.5\n1\n", "has one column"),
            ("lithium_fraction,green\n0.5,1\n", "two lithium fractions"),
            ("lithium_fraction,green\n0.5,1\n1,1\n", "do not brighten"),
            ("lithium_fraction,green\n0.5,1\n1.5,2\n", "1.5 is outside"),
            ("lithium_fraction,green\n0.5,bright\n1,2\n", "green = bright is not a number"),
            ("lithium_fraction,green,green_sd\n0.5,1,0\n1,2,1\n", "green_sd must be above 0"),
            ("lithium_fraction,green\n0.5\n", "has 1 cell in line 2, but 2"),
            ("", "is empty"),
        ],
    )
    def test_mistakes(self, text: str, words: str, tmp_path: Path) -> None:
        path = tmp_path / "cal.csv"
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            read_calibration(path)


class TestSections:
    def test_discs_in_their_colours(self) -> None:
        x, lithium = 10.0 + 8.0 * np.arange(4.0), np.array([0.3, 0.5, 0.7, 0.9])
        radius = np.array([3.0, 3.0, 3.0, 0.1])
        scene = disc_scene(x, x + 1.0, radius, lithium, ILLUSTRATIVE)
        np.testing.assert_array_equal(scene.radius_um, 3.0)
        np.testing.assert_array_equal(scene.mark, [0.3, 0.5, 0.7])
        # Half-way between the rows of the table.
        half = ILLUSTRATIVE.of(np.array([0.5]))[0]
        np.testing.assert_allclose(half, ILLUSTRATIVE.colour.mean(axis=0))
        with pytest.raises(InputError, match="cuts no particle"):
            disc_scene(x, x, np.full(4, 0.1), lithium, ILLUSTRATIVE)

    def test_colours(self, tmp_path: Path) -> None:
        path = tmp_path / "colours.csv"
        path.write_text("lithium_fraction,red,green,blue\n1,.2,.2,.2\n0.5,.4,.4,.3\n")
        colours = read_colours(path)
        np.testing.assert_allclose(colours.of(np.array([0.75]))[0], [0.3, 0.3, 0.25])
        with pytest.raises(InputError, match="Add rows"):
            colours.of(np.array([0.4]))
        for text, words in (
            ("lithium_fraction,red,green\n1,.2,.2\n", "blue is missing"),
            ("lithium_fraction,red,green,blue\n1,.2,.2,2\n0,.2,.2,.2\n", "brightness"),
            ("lithium_fraction,red,green,blue\n1,.2,.2,.2\n1,.2,.2,.2\n", "each lithium_frac"),
        ):
            path.write_text(text)
            with pytest.raises(InputError, match=words):
                read_colours(path)
