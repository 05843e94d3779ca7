"""heterode optics, micrograph and dielectric as commands: what they write, and every mistake."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import spearmanr

from helpers.dielectric_cases import GOLD, OSCILLATORS
from helpers.synthetic import synthetic_run, write_run
from heterode.cli import main
from heterode.optics.oscillators import Drude, Lorentz, lorentz_dielectric
from heterode.reporting.dielectric import Settings, material
from heterode.results.particle_series import read_particle_series


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """state.tif, pristine.tif, flat.tif, truth.tif, truth.csv of a small random field."""
    folder = tmp_path_factory.mktemp("optics") / "demo"
    words = ["micrograph", "--size", "320", "--pixel", "0.25um", "--fall-off", "0.3"]
    assert main([*words, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def place(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(pictures, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def true_values(table: pd.DataFrame) -> pd.DataFrame:
    """The drawn particle under each found one's centroid."""
    truth = pd.read_csv("truth.csv")
    labels = np.asarray(Image.open("truth.tif")).astype(int)
    rows, columns = ((table[c] / 0.25).astype(int) for c in ("y_um", "x_um"))
    index = labels[rows, columns] - 1
    return truth.iloc[index[index >= 0]].set_index(table.index[index >= 0])


class TestOptics:
    def test_files_of_a_picture(self, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code = main(["optics", "state.tif", "--pristine", "pristine.tif", "--flat", "flat.tif"])
        out = capsys.readouterr().out
        assert code == 0
        assert "state: " in out
        folder = Path("results/optics")
        table = pd.read_csv(folder / "state.csv")
        for column in ("particle", "x_um", "y_um", "radius_um", "area_um2", "value", "red_ratio"):
            assert np.isfinite(table[column]).all(), column
        np.testing.assert_array_equal(table["particle"], np.arange(len(table)))
        assert len(table) > 30
        refused = pd.read_csv(folder / "state_refused.csv")
        assert "border" in set(refused["refused"])
        overlay = np.asarray(Image.open(folder / "state_overlay.png"))
        assert overlay.shape == (320, 320, 3)
        labels = np.asarray(Image.open(folder / "state_labels.tif"))
        assert labels.max() == len(table) + len(refused)
        summary = json.loads((folder / "summary.json").read_text())[0]
        assert summary["particles"] == len(table)
        assert summary["matched"] > 0.9
        assert summary["green_ratio"] == pytest.approx(table["green_ratio"].mean())
        assert len(pd.read_csv(folder / "summary.csv")) == 1
        histograms = np.load(folder / "state_histograms.npz")
        assert histograms["counts"].shape == (len(table), 3, 32)
        pixels = table["area_um2"] / 0.25**2
        np.testing.assert_allclose(histograms["counts"].sum(axis=2)[:, 1], pixels)
        assert (folder / "series.png").stat().st_size > 10_000

    def test_the_loop_closes(self, place: Path) -> None:
        """Lithium by particle, through colours, picture, segmentation and calibration."""
        # ILLUSTRATIVE in green: 0.74 at 0, 0.42 at 1.
        Path("cal.csv").write_text(f"lithium_fraction,green\n0,{0.74 / 0.42}\n1,1\n")
        words = ["optics", "state.tif", "--pristine", "pristine.tif", "--flat", "flat.tif"]
        assert main([*words, "--calibration", "cal.csv", "--out", "out"]) == 0
        table = pd.read_csv("out/state.csv")
        true = true_values(table)["value"]
        found = table.loc[true.index, "value"]
        assert np.sqrt(((found - true) ** 2).mean()) < 0.02
        assert found.mean() == pytest.approx(true.mean(), abs=0.005)
        assert found.std() == pytest.approx(true.std(), rel=0.15)
        assert spearmanr(found, true)[0] > 0.93
        shuffled = true.sample(frac=1.0, random_state=1).to_numpy()
        assert abs(spearmanr(found, shuffled)[0]) < 0.4

    def test_labels_from_elsewhere(self, place: Path) -> None:
        assert main(["optics", "state.tif", "--labels", "truth.tif", "--out", "out"]) == 0
        labels = np.asarray(Image.open("truth.tif"))
        summary = json.loads(Path("out/summary.json").read_text())[0]
        assert summary["particles_found"] == np.unique(labels).size - 1
        assert summary["area_fraction"] == pytest.approx((labels > 0).mean())

    def test_series_and_the_calibration_it_makes(
        self, place: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for lithium in (0.3, 0.6, 0.9):
            words = ["micrograph", "--size", "256", "--pixel", "0.25um", "--lithium", str(lithium)]
            assert main([*words, "--out", f"s{lithium}"]) == 0
        rows = [
            f"s{x}/state.tif,s{x}/pristine.tif,0.25um,{v},{x},charge"
            for x, v in ((0.6, 3.8), (0.9, 3.6), (0.3, 4.2))
        ]
        heading = "image,pristine,pixel,voltage_V,lithium_fraction,direction"
        Path("states.csv").write_text("\n".join([heading, *rows]))
        words = ["optics", "--batch", "states.csv", "--out", "out"]
        Path("mine.csv").write_text("mine")
        assert main([*words, "--write-calibration", "mine.csv"]) == 2
        said = capsys.readouterr().err
        assert "mine.csv: was not written by heterode" in said
        assert "Choose another --write-calibration, or" in said
        assert main([*words, "--write-calibration", "cal.csv"]) == 0
        summary = pd.read_csv("out/summary.csv")
        assert summary["image"].tolist() == ["state", "state-2", "state-3"]
        ratio = summary.set_index("voltage_V")["green_ratio"].sort_index()
        assert (ratio.diff().dropna() > 0).all()
        table = pd.read_csv("cal.csv")
        assert set(table["direction"]) == {"charge"}
        words = ["optics", "s0.6/state.tif", "--pristine", "s0.6/pristine.tif"]
        assert main([*words, "--calibration", "cal.csv", "--out", "again"]) == 0
        assert pd.read_csv("again/state.csv")["value"].mean() == pytest.approx(0.6, abs=0.02)

    def test_a_series_goes_on_past_a_bad_picture(
        self, place: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Image.fromarray(np.full((64, 64, 3), (90, 80, 70), np.uint8)).save("empty.png")
        assert main(["optics", "empty.png", "state.tif", "--pixel", "0.25um", "--out", "out"]) == 0
        assert "empty: failed: " in capsys.readouterr().out
        summary = pd.read_csv("out/summary.csv")
        assert summary["failed"].notna().tolist() == [True, False]

    def test_out_of_focus_and_overlapping(self, place: Path) -> None:
        words = ["micrograph", "--size", "256", "--pixel", "0.2um", "--overlap", "0.2"]
        more = ["--defocus", "1.4um", "--bits", "8", "--noise", "0.01"]
        assert main([*words, *more, "--out", "soft"]) == 0
        truth = pd.read_csv("soft/truth.csv")
        assert 1.2 < truth["defocus_um"].max() <= 1.4
        gaps = [
            np.delete(np.hypot(truth["x_um"] - x, truth["y_um"] - y) - truth["radius_um"] - r, i)
            for i, x, y, r in truth[["x_um", "y_um", "radius_um"]].itertuples()
        ]
        assert min(gap.min() for gap in gaps) < -0.3
        assert np.asarray(Image.open("soft/state.tif")).dtype == np.uint8
        assert main(["optics", "soft/state.tif", "--out", "out"]) == 0
        refused = pd.read_csv("out/state_refused.csv")
        assert "out_of_focus" in set(refused["refused"])
        summary = json.loads(Path("out/summary.json").read_text())[0]
        assert 0.2 < summary["in_focus"] < 0.95

    def test_a_results_folder_becomes_a_picture(self, place: Path) -> None:
        write_run(place / "run", synthetic_run(samples=6))
        assert main(["micrograph", "run", "--pixel", "0.2um", "--out", "seen"]) == 0
        Path("cal.csv").write_text(f"lithium_fraction,green\n0,{0.74 / 0.42}\n1,1\n")
        words = ["optics", "seen/state.tif", "--pristine", "seen/pristine.tif"]
        assert main([*words, "--calibration", "cal.csv", "--out", "out"]) == 0
        seen = pd.read_csv("out/state.csv")["value"]
        own = read_particle_series(place / "run").lithium_fraction[-1]
        assert 0.7 * own.size < seen.size <= own.size
        assert seen.mean() == pytest.approx(own.mean(), abs=0.01)
        assert seen.std() == pytest.approx(own.std(), abs=0.01)


MISTAKES: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "no picture": (["optics"], ("pictures or --batch",)),
    "missing picture": (["optics", "none.tif"], ("none.tif", "no such file")),
    "not an image": (["optics", "text.png", "--pixel", "0.1um"], ("text.png", "not readable")),
    "not a format": (["optics", "truth.csv"], ("truth.csv", ".tif")),
    "a colour of a grey picture": (
        ["optics", "grey.png", "--pixel", "0.1um", "--channel", "red"],
        ("grey: is in grey", "--channel red", "allowed: grey"),
    ),
    "a flat field in colour for a grey picture": (
        ["optics", "grey.png", "--pixel", "0.1um", "--flat", "colour.png"],
        ("flat field colour is in colour", "grey in grey", "one camera"),
    ),
    "no pixel size": (["optics", "colour.png"], ("colour.png", "--pixel", "0.1um")),
    "pixel without unit": (["optics", "state.tif", "--pixel", "0.1"], ("--pixel", "no unit")),
    "pixel in seconds": (["optics", "state.tif", "--pixel", "1 s"], ("--pixel", "time")),
    "pixel of zero": (["optics", "state.tif", "--pixel", "0um"], ("--pixel", "0.1 nm to 1 m")),
    "flat field of another size": (
        ["optics", "state.tif", "--flat", "colour.png"],
        ("flat field colour", "100 x 120", "320 x 320"),
    ),
    "labels of another size": (
        ["optics", "state.tif", "--labels", "grey.png"],
        ("grey.png", "100 x 120", "320 x 320"),
    ),
    "labels for two": (["optics", "state.tif", "flat.tif", "--labels", "truth.tif"], ("--labels",)),
    "another place": (
        ["optics", "state.tif", "--pristine", "other/pristine.tif"],
        ("same place",),
    ),
    "nothing to see": (["optics", "flat.tif"], ("flat",)),
    "channel": (["optics", "state.tif", "--channel", "cyan"], ("--channel cyan", "red, green")),
    "threshold": (
        ["optics", "state.tif", "--threshold", "high"],
        ("--threshold", "'high'", "otsu"),
    ),
    "threshold of 3": (["optics", "state.tif", "--threshold", "3"], ("--threshold 3", "(0, 1)")),
    "polarity": (["optics", "state.tif", "--polarity", "up"], ("--polarity", "'up'", "dark")),
    "flatten": (["optics", "state.tif", "--flatten", "all"], ("--flatten", "'all'", "matrix")),
    "focus": (["optics", "state.tif", "--focus", "-1"], ("--focus",)),
    "focus in words": (["optics", "state.tif", "--focus", "sharp"], ("--focus", "'sharp'", "off")),
    "sizes": (["optics", "state.tif", "--smallest", "9um"], ("smallest",)),
    "calibration alone": (
        ["optics", "state.tif", "--calibration", "cal.csv"],
        ("--calibration", "--pristine"),
    ),
    "calibration missing": (["optics", "state.tif", "--calibration", "no.csv"], ("no.csv",)),
    "calibration is none": (
        ["optics", "state.tif", "--calibration", "truth.csv"],
        ("truth.csv", "lithium_fraction"),
    ),
    "batch and pictures": (["optics", "state.tif", "--batch", "batch.csv"], ("--batch",)),
    "batch missing": (["optics", "--batch", "none.csv"], ("none.csv", "no such file")),
    "batch column": (["optics", "--batch", "truth.csv"], ("truth.csv", "unknown", "voltage_V")),
    "batch entry": (["optics", "--batch", "batch.csv"], ("batch.csv", "voltage_V", "line 2")),
    "batch names a missing file": (["optics", "--batch", "lost.csv"], ("gone.tif", "no such")),
    "calibration without states": (
        ["optics", "state.tif", "--write-calibration", "new.csv"],
        ("lithium fraction", "pristine"),
    ),
    "micrograph of no results": (["micrograph", "none"], ("none",)),
    "micrograph out of range": (["micrograph", "--lithium", "1.2"], ("--lithium", "1.2", "0 to 1")),
    "micrograph colours": (["micrograph", "--colours", "none.csv"], ("none.csv",)),
    "no table": (["dielectric"], ("TABLE",)),
    "missing table": (["dielectric", "none.csv"], ("none.csv", "no such file")),
    "table is none": (["dielectric", "truth.csv"], ("truth.csv", "energy_eV", "eps2_ab")),
    "negative eps2": (["dielectric", "negative.csv"], ("negative.csv", "-5", "3 eV", "below 0")),
    "energies twice": (["dielectric", "twice.csv"], ("twice.csv", "two rows")),
    "rule": (["dielectric", "eps.csv", "--rule", "simpson"], ("rule", "maclaurin")),
    "lithium for other tables": (
        ["dielectric", "eps.csv", "--lithium", "0.5", "1"],
        ("2 lithium fractions", "1 table:"),
    ),
    "lithium out of range": (["dielectric", "eps.csv", "--lithium", "2"], ("--lithium 2",)),
    "drude": (["dielectric", "eps.csv", "--drude", "9"], ("--drude", "'9'", "plasma energy")),
    "drude negative": (["dielectric", "eps.csv", "--drude", "9,-1"], ("--drude", "above 0")),
    "drude in table alone": (["dielectric", "eps.csv", "--drude-in-table"], ("--drude",)),
    "medium": (["dielectric", "eps.csv", "--medium", "0.2"], ("0.2", "refractive")),
    "lamp": (["dielectric", "eps.csv", "--lamp", "sun"], ("--lamp sun", "3200 K")),
    "bands without arrays": (["dielectric", "bands.npz"], ("bands.npz", "momentum")),
    "bands are none": (["dielectric", "bands.h5"], ("bands.h5", "not readable")),
}


@pytest.fixture(scope="module")
def erring(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("erring")
    shutil.copytree(pictures, folder, dirs_exist_ok=True)
    random = np.random.default_rng(1)
    Image.fromarray(random.integers(0, 255, (100, 120, 3), np.uint8)).save(folder / "colour.png")
    Image.fromarray(random.integers(0, 255, (100, 120), np.uint8)).save(folder / "grey.png")
    (folder / "text.png").write_text("not a picture")
    (folder / "cal.csv").write_text("lithium_fraction,green\n0,2\n1,1\n")
    (folder / "batch.csv").write_text("image,voltage_V\nstate.tif,high\n")
    (folder / "lost.csv").write_text("image,voltage_V\ngone.tif,4\n")
    (folder / "eps.csv").write_text("energy_eV,eps2\n" + "".join(f"{e},1\n" for e in range(6)))
    (folder / "negative.csv").write_text("energy_eV,eps2\n1,1\n2,1\n3,-5\n4,1\n")
    (folder / "twice.csv").write_text("energy_eV,eps2\n1,1\n2,1\n2,5\n4,1\n")
    np.savez(folder / "bands.npz", energy_eV=np.zeros((2, 2)))
    (folder / "bands.h5").write_text("no HDF5")
    words = ["micrograph", "--size", "320", "--pixel", "0.25um", "--seed", "9"]
    assert main([*words, "--out", str(folder / "other")]) == 0
    return folder


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(
    name: str, erring: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(erring)
    capsys.readouterr()
    arguments, fragments = MISTAKES[name]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("heterode: error: ")
    for fragment in fragments:
        assert fragment in lines[0]
    for jargon in ("Traceback", "Errno", "None "):
        assert jargon not in lines[0]


class TestDielectric:
    def write(self, path: Path, *, shift: float = 0.0) -> None:
        energy = np.arange(0.0, 30.01, 0.05)
        first = Lorentz(2.6 + shift, 3.5, 0.6)
        ab = lorentz_dielectric(energy, [first, OSCILLATORS[1]]).imag
        c = lorentz_dielectric(energy, [OSCILLATORS[1]]).imag
        table = pd.DataFrame({"energy_eV": energy, "eps2_ab": ab, "eps2_c": c})
        table.to_csv(path, index=False)

    def test_files(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.write(tmp_path / "nmc.csv")
        out = tmp_path / "out"
        words = ["dielectric", str(tmp_path / "nmc.csv"), "--out", str(out)]
        assert main([*words, "--volume", "33", "--electrons", "16"]) == 0
        said = capsys.readouterr().out
        assert "Penn gap" in said
        assert "electrons per cell" in said
        table = pd.read_csv(out / "optical_constants.csv")
        at = (table["energy_eV"] - 2.6).abs().argmin()
        row = table.iloc[at]
        assert row["n_ab"] == pytest.approx(2.52399, abs=1e-3)
        assert row["k_ab"] == pytest.approx(1.627501, abs=1e-3)
        mean = (2 * row["eps1_ab"] + row["eps1_c"]) / 3
        assert row["eps1"] == pytest.approx(mean, abs=1e-9)
        index = row["n"] + 1j * row["k"]
        assert row["R"] == pytest.approx(abs((index - 1) / (index + 1)) ** 2)
        assert row["wavelength_um"] == pytest.approx(1.239842 / 2.6, rel=1e-6)
        summary = json.loads((out / "summary.json").read_text())
        assert summary["static"] == pytest.approx((2 * 5.062130 + 3.25) / 3, abs=1e-3)
        for name in ("dielectric.png", "optical_constants.png"):
            assert (out / name).stat().st_size > 20_000

    def test_the_rule_and_the_tail_are_passed_on(self, tmp_path: Path) -> None:
        path = tmp_path / "nmc.csv"
        self.write(path)
        chosen = (Settings(), Settings(rule="subtracted"), Settings(tail=False))
        static = [material(path, settings).character.static for settings in chosen]
        assert static[1] == pytest.approx(static[0], abs=2e-3)
        assert static[2] < static[0] - 1e-3

    def test_measured_table_is_compared(self, tmp_path: Path) -> None:
        path = tmp_path / "gold.csv"
        lines = [",".join(line.split()) for line in GOLD.split("\n") if line]
        path.write_text("wavelength_um,n,k\n" + "\n".join(lines))
        found = material(path, Settings(drude=Drude(8.9, 0.07), drude_in_table=True))
        without = material(path, Settings())
        assert found.deviation is not None
        assert without.deviation is not None
        assert found.deviation < 0.2 * without.deviation

    def test_colours_make_a_calibration(self, tmp_path: Path) -> None:
        names = []
        for lithium in (0.4, 1.0):
            names.append(str(tmp_path / f"x{lithium}.csv"))
            self.write(Path(names[-1]), shift=1.5 * (1.0 - lithium))
        out = tmp_path / "out"
        words = ["dielectric", *names, "--lithium", "0.4", "1.0", "--out", str(out)]
        assert main([*words, "--medium", "1.42"]) == 0
        colours = pd.read_csv(out / "colours.csv")
        ratios = pd.read_csv(out / "calibration.csv")
        assert colours["lithium_fraction"].tolist() == [0.4, 1.0]
        np.testing.assert_allclose(ratios["green"], colours["green"] / colours["green"].iloc[-1])
        assert (out / "x0.4" / "optical_constants.csv").is_file()
        from heterode.optics.calibration import read_calibration

        curve = read_calibration(out / "calibration.csv").curve("red")
        assert curve.lithium_of(np.ones(1), np.zeros(1))[0][0] == pytest.approx(1.0)

    def test_electronic_structure(self, tmp_path: Path) -> None:
        momentum = np.zeros((1, 2, 2, 3), dtype=complex)
        momentum[0, 1, 0, :], momentum[0, 0, 1, :] = 0.3, 0.3
        np.savez(
            tmp_path / "bands.npz",
            energy_eV=np.array([[0.0, 3.0]]),
            momentum=momentum,
            weight=np.ones(1),
            volume_A3=40.0,
        )
        words = ["dielectric", str(tmp_path / "bands.npz"), "--fermi", "1"]
        out = tmp_path / "out"
        assert main([*words, "--broadening", "0.1", "--out", str(out)]) == 0
        table = pd.read_csv(out / "optical_constants.csv")
        assert table["energy_eV"][table["eps2"].argmax()] == pytest.approx(3.0, abs=0.03)


def test_as_a_process(pictures: Path, heterode: Callable, tmp_path: Path) -> None:
    ended = heterode("optics", pictures / "state.tif", "--out", tmp_path / "out", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert (tmp_path / "out" / "state.csv").is_file()


def test_from_theory_to_lithium_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """eps2 -> colours -> picture -> particles -> the lithium fractions that were drawn."""
    monkeypatch.chdir(tmp_path)
    lithium = ("0.3", "1.0")
    for x in lithium:
        # Made up: as lithium leaves, the first oscillator moves to the red and gains strength.
        energy = np.arange(0.0, 30.01, 0.05)
        first = Lorentz(1.2 + 1.6 * float(x), 6.0 - 2.5 * float(x), 0.8)
        eps2 = lorentz_dielectric(energy, [first, OSCILLATORS[1]]).imag
        pd.DataFrame({"energy_eV": energy, "eps2": eps2}).to_csv(f"x{x}.csv", index=False)
    tables = [f"x{x}.csv" for x in lithium]
    assert main(["dielectric", *tables, "--lithium", *lithium, "--out", "theory"]) == 0
    words = ["micrograph", "--colours", "theory/colours.csv", "--size", "320", "--pixel", "0.25um"]
    assert main([*words, "--out", "seen"]) == 0
    words = ["optics", "seen/state.tif", "--pristine", "seen/pristine.tif", "--channel", "red"]
    assert main([*words, "--calibration", "theory/calibration.csv", "--out", "out"]) == 0
    table = pd.read_csv("out/state.csv")
    monkeypatch.chdir(tmp_path / "seen")
    true = true_values(table)["value"]
    found = table.loc[true.index, "value"]
    assert found.mean() == pytest.approx(true.mean(), abs=0.01)
    assert spearmanr(found, true)[0] > 0.9
