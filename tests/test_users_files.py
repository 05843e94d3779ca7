"""Every command that writes: its own files give way to newer ones, a user's never do.

Each case is a command as a user would call it, the folder of its files, and all of their names.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers.dielectric_cases import OSCILLATORS
from helpers.paths import FIVE_DISCS, PRESET
from helpers.report_cases import optical_table
from helpers.sweeps import swept
from helpers.synthetic import synthetic_run, write_run
from heterode.cli import main
from heterode.results.written import RECORD, is_own

CHART = ["report", "a.csv", "--permutations", "0", "--out", "out"]
CURVES = ("correlogram", "variogram", "clusters", "cluster_means", "particles")
FIGURES = ("heterogeneity.png", "heterogeneity_directions.png")
REPORT = ("heterogeneity.json", *FIGURES, *(f"heterogeneity_{c}.csv" for c in CURVES))
OF_PICTURE = (".csv", "_refused.csv", "_overlay.png", "_labels.tif", "_histograms.npz")


@dataclass(frozen=True)
class Case:
    """A command, in a folder that has its inputs.

    Attributes:
        words: of the command.
        folder: where it writes.
        files: names of all it writes.
        foreign: those of them for which a user's file is tried in its place.
    """

    words: tuple[str, ...]
    folder: str
    files: tuple[str, ...]
    foreign: tuple[str, ...] = ()

    @property
    def tried(self) -> tuple[str, ...]:
        return self.foreign or self.files


CASES = {
    "micrograph": Case(
        ("micrograph", "--size", "64", "--pixel", "0.3um", "--out", "out"),
        "out",
        ("state.tif", "pristine.tif", "flat.tif", "truth.tif", "truth.csv"),
    ),
    "optics": Case(
        ("optics", "state.tif", "--labels", "truth.tif", "--out", "out"),
        "out",
        (*(f"state{end}" for end in OF_PICTURE), "summary.json", "summary.csv", "series.png"),
    ),
    "dielectric": Case(
        ("dielectric", "eps.csv", "--out", "out"),
        "out",
        ("optical_constants.csv", "summary.json", "dielectric.png", "optical_constants.png"),
        ("optical_constants.csv", "dielectric.png"),
    ),
    "colours": Case(
        ("dielectric", "eps.csv", "eps2.csv", "--lithium", "0.2", "0.9", "--out", "out"),
        "out",
        ("colours.csv", "calibration.csv", "colours.png", "eps/summary.json", "eps2/summary.json"),
        ("colours.csv", "colours.png", "eps2/summary.json"),
    ),
    "report": Case(tuple(CHART), "out", REPORT, ("heterogeneity.json", "heterogeneity.png")),
    "comparison": Case(
        (*CHART[:2], "b.csv", *CHART[2:]),
        "out",
        ("comparison.json", "comparison.csv", "comparison.png", "a/heterogeneity.json"),
        ("comparison.csv", "comparison_particles.csv", "b/heterogeneity.png"),
    ),
    "mesh": Case(
        ("mesh", str(PRESET), "--set", f"geometry.mesh_file={str(FIVE_DISCS)!r}", "-o", "out.msh"),
        ".",
        ("out.msh",),
    ),
    "figures": Case(
        ("figures", "run"),
        "run/report",
        ("voltage.png", "particles.png", "index.html"),
        ("spread.png", "index.html"),
    ),
    "one figure": Case(("figures", "run", "voltage"), "run/report", ("voltage.png",)),
    "animate": Case(
        ("animate", "run", "--frames", "2", "--height", "240", "--quiet"),
        "run/report",
        ("movie.mp4", "movie.gif"),
    ),
    "gif": Case(
        ("animate", "run", "--frames", "2", "--height", "240", "--quiet", "--format", "gif"),
        "run/report",
        ("movie.gif",),
    ),
    "sweep": Case(
        ("sweep", "small.toml", "--out", "out", "--collect", "--quiet"),
        "out",
        ("sweep.json", "sweep.csv", "sweep.parquet"),
        ("sweep.csv", "sweep.parquet", "points.csv", "statistics.json", "figures/variance.png"),
    ),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an input for every command."""
    folder = tmp_path_factory.mktemp("inputs")
    assert main([*CASES["micrograph"].words[:-1], str(folder / "made")]) == 0
    for name in ("state.tif", "pristine.tif", "truth.tif"):
        shutil.copy(folder / "made" / name, folder)
    shutil.rmtree(folder / "made")
    for name in ("eps.csv", "eps2.csv"):
        shutil.copy(oscillator_table(folder / "made.csv"), folder / name)
    (folder / "made.csv").unlink()
    optical_table(folder / "a.csv", 20)
    optical_table(folder / "b.csv", 20, seed=9)
    write_run(folder / "run", synthetic_run(8))
    swept(folder, "[vary]\npenalty.scale = [0.4, 0.5]\n")
    return folder


def oscillator_table(path: Path) -> Path:
    import numpy as np

    from heterode.optics.oscillators import lorentz_dielectric

    energy = np.arange(0.0, 8.0, 0.1)
    eps2 = lorentz_dielectric(energy, OSCILLATORS).imag
    rows = [f"{e:.3f},{v:.6f}" for e, v in zip(energy, eps2, strict=True)]
    path.write_text("\n".join(["energy_eV,eps2", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def place(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def refused(
    words: Sequence[str], named: str, capsys: pytest.CaptureFixture[str], *parts: str
) -> None:
    """Expect code 2, one line that names a file, and that nothing changed."""
    capsys.readouterr()
    before, folders = contents(Path()), sorted(Path().rglob("*"))
    assert main(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    for part in (named, *parts):
        assert part in err
    assert contents(Path()) == before
    assert sorted(Path().rglob("*")) == folders


SLOW = {"figures", "comparison"}
"""Cases whose files others of the list write as well, one by one: they are only refused."""


@pytest.mark.parametrize("name", [name for name in CASES if name not in SLOW])
def test_own_files_give_way_and_edited_ones_do_not(
    name: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    folder = place / case.folder
    for _ in range(2):
        assert main(list(case.words)) == 0
        assert capsys.readouterr().err == ""
    for file in case.files:
        assert (folder / file).is_file(), file
        assert ((folder / file).parent / RECORD).is_file()
    edited = case.tried[0] if case.tried[0] in case.files else case.files[-1]
    mine = (folder / edited).read_bytes() + b"\n# mine\n"
    (folder / edited).write_bytes(mine)
    refused(case.words, edited, capsys, "changed since heterode wrote it", "--overwrite")
    assert main([*case.words, "--overwrite"]) == 0
    said = capsys.readouterr().err
    kept = (folder / edited).with_name(f"{Path(edited).stem}.yours{Path(edited).suffix}")
    assert kept.read_bytes() == mine
    assert kept.name in said
    assert said.count("\n") == 1
    assert (folder / edited).read_bytes() != mine
    assert is_own(folder / edited)


@pytest.mark.parametrize(
    ("name", "file"), [(name, file) for name, case in CASES.items() for file in case.tried]
)
def test_a_users_file_in_the_place_of_each(
    name: str, file: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    path = place / case.folder / file
    if name == "sweep":
        assert main(["sweep", "small.toml", "--out", "out", "--list"]) == 0
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"mine")
    refused(case.words, file, capsys, "not written by heterode", "--overwrite")


@pytest.mark.parametrize("kind", ["folder", "link", "read-only"])
@pytest.mark.parametrize("name", ["micrograph", "mesh", "one figure", "sweep"])
def test_what_is_never_replaced(
    name: str, kind: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    file = case.tried[0]
    path = place / case.folder / file
    assert main(list(case.words)) == 0
    if kind == "read-only":
        path.chmod(0o444)
    else:
        path.rename(place / "precious")
        if kind == "link":
            path.symlink_to(place / "precious")
        else:
            path.mkdir()
    for more in ([], ["--overwrite"]):
        refused([*case.words, *more], file, capsys, "read-only" if kind == "read-only" else kind)


@pytest.mark.parametrize("sweep", ["small.toml", "out"])
def test_a_sweep_looks_before_it_runs(
    sweep: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--out", "out") if sweep != "out" else ()
    assert main(["sweep", "small.toml", "--out", "out", "--list"]) == 0
    (place / "out" / "points.csv").write_text("mine")
    refused(("sweep", sweep, *where), "points.csv", capsys, "not written by heterode")
    assert list((place / "out" / "runs").iterdir()) == []


# -- an output that is an input -----------------------------------------------------------------

Prepare = Callable[[Path], None]


def copied(source: str, target: str) -> Prepare:
    return lambda place: shutil.copy(place / source, place / target) and None


def linked(source: str, target: str) -> Prepare:
    return lambda place: (place / target).symlink_to(place / source)


def hard_linked(source: str, target: str) -> Prepare:
    return lambda place: os.link(place / source, place / target)


OPTICS = ("optics", "state.tif", "--out", ".")
SAME = {
    "labels": (copied("truth.tif", "state_labels.tif"), (*OPTICS, "--labels", "state_labels.tif")),
    "labels, another spelling": (
        copied("truth.tif", "state_labels.tif"),
        (*OPTICS, "--labels", "run/../state_labels.tif"),
    ),
    "labels through a hard link": (
        hard_linked("truth.tif", "state_labels.tif"),
        (*OPTICS, "--labels", "truth.tif"),
    ),
    "labels through a link": (
        linked("truth.tif", "state_labels.tif"),
        (*OPTICS, "--labels", "truth.tif"),
    ),
    "batch": (
        lambda place: (place / "summary.csv").write_text("image\nstate.tif\n") and None,
        ("optics", "--batch", "summary.csv", "--out", "."),
    ),
    "calibration": (
        lambda place: (
            (place / "c.csv").write_text("lithium_fraction,green\n0,0.9\n1,0.5\n") and None
        ),
        (*OPTICS, "--calibration", "c.csv", "--write-calibration", "c.csv"),
    ),
    "optical constants": (
        copied("eps.csv", "optical_constants.csv"),
        ("dielectric", "optical_constants.csv", "--out", "."),
    ),
    "particles": (
        copied("a.csv", "heterogeneity_particles.csv"),
        ("report", "heterogeneity_particles.csv", "--out", "."),
    ),
    "colours": (
        lambda place: (
            (place / "run" / "truth.csv").write_text(
                "lithium_fraction,red,green,blue\n0,.2,.3,.2\n1,.5,.4,.3\n"
            )
            and None
        ),
        ("micrograph", "--size", "64", "--colours", "run/truth.csv", "--out", "run"),
    ),
    "mesh": (
        lambda place: shutil.copy(FIVE_DISCS, place / "m.msh") and None,
        ("mesh", str(PRESET), "--set", "geometry.mesh_file='m.msh'", "-o", "m.msh"),
    ),
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("more", [(), ("--overwrite",)], ids=["plain", "overwrite"])
def test_no_output_is_an_input(
    name: str, more: tuple[str, ...], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare, words = SAME[name]
    if name == "mesh":
        # Paths in the parameter file are beside it.
        shutil.copy(PRESET, place / "p.toml")
        words = (words[0], "p.toml", *words[2:])
    prepare(place)
    refused((*words, *more), "is read by this command", capsys)


def test_two_pictures_write_no_file_twice(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """summary.tif has a table summary.csv, where the summary of all pictures goes."""
    shutil.copy("state.tif", "summary.tif")
    words = ["optics", "summary.tif", "--labels", "truth.tif", "--out", "out"]
    refused(words, "summary.csv", capsys, "written twice")
    # x-2.tif takes the name that the second x.tif would have.
    for folder, name in (("p", "x.tif"), ("q", "x.tif"), ("p", "x-2.tif")):
        Path(folder).mkdir(exist_ok=True)
        shutil.copy("state.tif", Path(folder) / name)
    assert main(["optics", "p/x.tif", "p/x-2.tif", "q/x.tif", "--out", "out"]) == 0
    assert len(list(Path("out").glob("*_labels.tif"))) == 3


# -- nothing is left behind -----------------------------------------------------------------------


IN_VAIN = {
    "optics": ("optics", "black.png", "--pixel", "0.3um", "--out", "deep/out"),
    "optics without pixel": ("optics", "black.png", "--out", "deep/out"),
    "optics series": ("optics", "black.png", "text.png", "--out", "deep/out"),
    "calibration": (
        *("optics", "--batch", "batch.csv", "--out", "deep/out"),
        *("--write-calibration", "deep/other/c.csv"),
    ),
    "micrograph": ("micrograph", "run", "--pixel", "0.00001um", "--out", "deep/out"),
    "dielectric": ("dielectric", "eps.csv", "a.csv", "--out", "deep/out"),
    "dielectric colours": ("dielectric", "eps.csv", "--lithium", "2", "--out", "deep/out"),
    "report": ("report", "a.csv", "two.csv", "--permutations", "0", "--out", "deep/out"),
    "twin": ("twin", "run", "--write-only", "--out", "deep/out"),
    "sweep slurm": ("sweep", "small.toml", "--slurm", "--out", "deep/out"),
    "sweep run": ("sweep", "small.toml", "--run", "nosuchrun", "--out", "deep/out"),
    "sweep jobs": ("sweep", "small.toml", "--jobs", "9999", "--out", "deep/out"),
    "sweep file": ("sweep", "a.csv", "--out", "deep/out"),
}


@pytest.fixture
def in_vain(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Inputs that lead nowhere, and no Slurm."""
    from PIL import Image

    Image.new("RGB", (64, 64)).save("black.png")
    Path("text.png").write_text("no picture")
    Path("two.csv").write_text("x,y,value\n1,1,1\n")
    rows = ["state.tif,pristine.tif,0.3um,0.2", "text.png,pristine.tif,0.3um,0.9"]
    Path("batch.csv").write_text("\n".join(["image,pristine,pixel,lithium_fraction", *rows]))
    monkeypatch.setattr(shutil, "which", lambda name, **more: None)
    return place


@pytest.mark.parametrize("name", IN_VAIN)
def test_code_2_leaves_no_folder(
    name: str, in_vain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(in_vain)
    assert main(list(IN_VAIN[name])) == 2
    err = capsys.readouterr().err
    assert err.count("heterode: error: ") == 1
    assert not (in_vain / "deep").exists()
    assert contents(in_vain) == before


@pytest.mark.parametrize("command", ["twin", "animate", "figures", "verify"])
def test_a_file_is_no_results_folder(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file named in the place of a folder is not to be moved out of the way."""
    path = tmp_path / "precious"
    path.write_text("mine")
    assert main([command, str(path)]) == 2
    answer = capsys.readouterr().err
    assert answer == (
        f"heterode: error: {path}: is not a folder. Give the results folder of a run\n"
    )
