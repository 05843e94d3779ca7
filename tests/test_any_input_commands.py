"""Every command with odd options and odd files: it ends well or in one line, at once."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.any_input import (
    PATHS,
    check_line,
    examples,
    heterode_here,
    odd_options,
    returns_or_refuses,
    toml,
)
from helpers.paths import PRESET, ROOT
from heterode.base.errors import InputError
from heterode.cli.main import command_parser
from heterode.heterogeneity import MarkedPoints, Settings, analyse
from heterode.optics.dielectric_tables import read_dielectric_table
from heterode.optics.spectrum import from_absorption
from heterode.points.csv_points import read_table

# Long texts are among the examples, and what shows them says so.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")

SWEEP = ROOT / "params" / "sweeps" / "first.toml"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with a file of every kind that nobody can read."""
    folder, before = tmp_path_factory.mktemp("odd"), Path.cwd()
    os.chdir(folder)
    for name in ("pipe", "p.tif", "p.png", "p.npz", "p.h5", "p.msh", "OUTCAR", "vasprun.xml"):
        os.mkfifo(name)
    for name in ("z.tif", "z.png", "z.npz", "z.h5", "z.msh", "z.csv", "z_OUTCAR"):
        Path(name).symlink_to("/dev/zero")
    Path("loop").symlink_to("loop")
    Path("folder").mkdir()
    Path("plain").write_text("text\n")
    Path("empty").write_bytes(b"")
    Path("bytes").write_bytes(bytes(range(256)) * 9)
    Path("b.tif").write_bytes(b"II*\0" + bytes(500))
    for name, target in (("results_pipe", None), ("results_zero", "/dev/zero")):
        Path(name).mkdir()
        if target is None:
            os.mkfifo(f"{name}/manifest.json")
        else:
            Path(name, "manifest.json").symlink_to(target)
    few = "x_um,y_um,value\n" + "".join(f"{n},{n % 3},{n * 0.1:.2f}\n" for n in range(1, 9))
    Path("few.csv").write_text(few)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        yield folder
    os.chdir(before)


ODD = (
    *(path for path in PATHS if "\0" not in path),
    "socket", "p.tif", "p.png", "p.npz", "p.h5", "p.msh", "OUTCAR", "vasprun.xml", "z.tif", "z.png",
    "z.npz", "z.h5", "z.msh", "z.csv", "z_OUTCAR", "b.tif", "results_pipe", "results_zero",
)  # fmt: skip

INPUTS = {
    "check": ["check", "{}"],
    "run": ["run", "{}"],
    "mesh": ["mesh", "{}", "-o", "x.msh"],
    "mesh --labels": ["mesh", str(PRESET), "-o", "x.msh", "--pixel=0.1um", "--labels={}"],
    "sweep": ["sweep", "{}", "--list"],
    "report": ["report", "{}"],
    "figures": ["figures", "{}"],
    "twin": ["twin", "{}", "--write-only"],
    "animate": ["animate", "{}"],
    "optics": ["optics", "{}", "--pixel=0.1um"],
    "optics --batch": ["optics", "--batch={}", "--pixel=0.1um"],
    "optics --labels": ["optics", "b.tif", "--pixel=0.1um", "--labels={}"],
    "optics --flat": ["optics", "b.tif", "--pixel=0.1um", "--flat={}"],
    "optics --calibration": ["optics", "b.tif", "--pixel=0.1um", "--calibration={}"],
    "micrograph": ["micrograph", "{}", "--out=made"],
    "micrograph --colours": ["micrograph", "--size=64", "--out=made", "--colours={}"],
    "dielectric": ["dielectric", "{}"],
    "dielectric --lamp": ["dielectric", "few.csv", "--lamp={}"],
    "mesh_file": ["check", str(PRESET), "--set", "geometry.mesh_file={}"],
    "size table": [
        "check", str(PRESET), "--set", "geometry.particle_size.distribution=table",
        "--set", "geometry.particle_size.file={}",
    ],
    "penalty table": [
        "check", str(PRESET), "--set", "penalty.distribution=table", "--set", "penalty.file={}",
    ],
    "diffusivity table": ["check", str(PRESET), "--set", "active_material.diffusivity_table={}"],
    "current table": ["check", str(PRESET), "--set", "protocol.steps=[{follow}]"],
}  # fmt: skip


@pytest.mark.parametrize("kind", INPUTS)
def test_odd_files_as_input(kind: str, place: Path) -> None:
    for path in ODD:
        if path.startswith("-") and INPUTS[kind][1] == "{}":
            continue  # an option
        follow = toml(f"follow {path}")
        words = [w.replace("{follow}", follow).replace("{}", path) for w in INPUTS[kind]]
        ended = heterode_here(words)
        assert ended.code == 2, (path, ended)


@pytest.mark.parametrize("path", ["n" * 300, "plain/below", "loop/x", "/dev/full/x"])
@pytest.mark.parametrize(
    "words",
    [
        ["run", str(PRESET), "--out={}"],
        ["run", str(PRESET), "--resume", "--out={}"],
        ["report", "few.csv", "--out={}"],
        ["mesh", str(PRESET), "--output={}"],
        ["sweep", str(SWEEP), "--list", "--out={}"],
        ["micrograph", "--size=64", "--out={}"],
        ["dielectric", "few.csv", "--out={}"],
        ["optics", "b.tif", "--pixel=0.1um", "--out={}"],
    ],
    ids=lambda words: " ".join(words[:1]),
)
def test_odd_places_for_output(words: list[str], path: str, place: Path) -> None:
    before = sorted(place.iterdir())
    ended = heterode_here([word.replace("{}", path) for word in words])
    assert ended.code == 2, ended
    assert sorted(place.iterdir()) == before


BASE = {
    "check": [str(PRESET)],
    "run": ["none.toml"],
    "mesh": ["none.toml"],
    "sweep": ["none.toml"],
    "report": ["few.csv"],
    "figures": ["results_pipe"],
    "twin": ["results_pipe"],
    "animate": ["results_pipe"],
    "optics": ["b.tif"],
    "micrograph": ["results_pipe"],
    "dielectric": ["few.csv"],
    "init": ["--particles=0"],
    "preset": [],
    "materials": ["none.toml"],
    "schema": ["nothing"],
}
"""What the options stand behind: inputs that a command gives up on when it has read its options,
so that no example takes long."""


@pytest.mark.parametrize("name", BASE)
def test_odd_options(name: str, place: Path) -> None:
    @given(odd_options(name))
    @examples(25)
    def ends(words: list[str]) -> None:
        heterode_here([name, *BASE[name], *words])

    ends()


def test_every_command_is_tried() -> None:
    commands = {name for named in command_parser().commands.values() for name in named}
    without_values = {"verify", "explain", "help", "completion"}
    assert commands == set(BASE) | without_values


KNOWN = [
    ["report", "many.csv", "--bin=1e-9"],
    ["report", "many.csv", "--bin=0.001"],
    ["report", "many.csv", "--bandwidth=1e-12"],
    ["report", "many.csv", "--bandwidth=0.001"],
    ["report", "many.csv", "--window=0,1e308,0,1e308"],
    ["report", "many.csv", "--range=0,inf"],
    ["report", "many.csv", "--range=0,1e-300"],
    ["report", "many.csv", "--range=-1e308,1e308"],
    ["micrograph", "--size=64", "--defocus=1m"],
    ["micrograph", "--size=20000", "--pixel=1m"],
    ["micrograph", "--size=20000", "--pixel=5um"],
    ["dielectric", "eps2.csv", "--medium=1e308"],
    ["dielectric", "eps2.csv", "--drude=1e308,1e308"],
    ["dielectric", "eps2.csv", "--volume=inf"],
    ["dielectric", "huge.csv"],
    ["sweep", str(SWEEP), "--jobs=0"],
    ["sweep", str(SWEEP), "--ranks=1e9"],
]


@pytest.mark.parametrize("words", KNOWN, ids=lambda words: f"{words[0]} {words[-1][:30]}")
def test_options_that_hung_or_failed_once(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_points(Path("many.csv"), np.linspace(0.1, 0.9, 40))
    write_spectrum(Path("eps2.csv"), 1.0)
    write_spectrum(Path("huge.csv"), 1e308)
    before = sorted(tmp_path.iterdir())
    ended = heterode_here([*words, "--out=out"])
    assert ended.code == 2, ended
    assert sorted(tmp_path.iterdir()) == before


def write_points(path: Path, values: object, scale: float = 1.0, radius: float = 1.0) -> None:
    rng = np.random.default_rng(1)
    rows = zip(*(scale * rng.random((2, 40)) * [[40.0], [60.0]]), values, strict=True)  # type: ignore[call-overload]
    lines = [f"{x!r},{y!r},{value!r},{radius!r}" for x, y, value in rows]
    text = "x_um,y_um,value,radius_um\n" + "\n".join(lines) + "\n"
    path.write_text(text.replace("np.float64(", "").replace(")", ""))


def write_spectrum(path: Path, scale: float, unit: float = 1.0) -> None:
    rows = (
        (float(unit * e), float(scale * np.exp(-((e - 4) ** 2)))) for e in np.linspace(1, 9, 30)
    )
    path.write_text("energy_eV,eps2\n" + "".join(f"{e!r},{value!r}\n" for e, value in rows))


magnitudes = st.one_of(
    st.sampled_from((5e-324, 1e-300, 1e-160, 1e-40, 1e-12, 1.0, 1e12, 1e40, 1e155, 1e300, 1e308)),
    st.floats(1e-320, 1e308),
)


@given(magnitudes, magnitudes, magnitudes, st.booleans(), magnitudes)
@examples(25)
def test_points_of_any_size(
    scale: float, extent: float, radius: float, alone: bool, other: float
) -> None:
    rng = np.random.default_rng(2)
    value = scale * rng.random(24)
    if alone:
        value[3] = other
    places = extent * rng.random((24, 2))

    def statistics() -> object:
        points = MarkedPoints("points", places, value, radius_um=np.full(24, radius))
        longest = float(points.sides_um.max())
        chosen = Settings(permutations=0, seeds=1, bin_um=longest / 20, max_um=longest / 2)
        return analyse([points], chosen, np.random.default_rng(3))

    returns_or_refuses(statistics)


@given(magnitudes, magnitudes)
@examples(40)
def test_spectra_of_any_size(scale: float, unit: float) -> None:
    path = Path(f"{os.getpid()}.csv")
    try:
        with np.errstate(over="ignore"):
            write_spectrum(path, scale, unit)

        def spectrum() -> object:
            table = read_dielectric_table(path)
            return from_absorption(table.energy_eV, table.eps2_ab)

        returns_or_refuses(spectrum)
    finally:
        path.unlink()


cells = st.one_of(st.sampled_from(("", "1", "0.5", "1e308", "-1", "nan", "x", "1,5", '"', "٣")))


@given(st.lists(st.lists(cells, min_size=1, max_size=5), max_size=14), st.sampled_from(",;\t|"))
@examples(60)
def test_any_table(rows: list[list[str]], separator: str) -> None:
    path = Path(f"{os.getpid()}-table.csv")
    lines = [separator.join(row) for row in [["x", "y", "value"], *rows]]
    path.write_text("\n".join(lines), encoding="utf-8")
    try:
        returns_or_refuses(lambda: read_table(path))
        returns_or_refuses(lambda: read_dielectric_table(path))
    finally:
        path.unlink()


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)

entries_of_manifests = st.sampled_from(
    ("status", "parameters", "pieces", "warnings", "balance", "input", "title", "particles",
     "wall_s", "versions", "seeds", "started", "reason", "digests")
)  # fmt: skip


@given(st.dictionaries(entries_of_manifests, json_values, max_size=4))
@examples(20)
def test_any_manifest(entries: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps({"program": "heterode", **entries})
        Path(folder, "manifest.json").write_text(text)
        for command in ("figures", "animate", "report"):
            heterode_here([command, folder])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '{"program": 1}', "[" * 100_000, '{"program":' * 50_000]
)
def test_broken_manifests(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    for command in ("figures", "animate", "report", "twin"):
        assert heterode_here([command, str(tmp_path)]).code == 2


def test_a_mistake_is_refused_and_seen() -> None:
    # The negative control: the property is not one that everything has.
    def faulty() -> None:
        raise InputError("")

    with pytest.raises(AssertionError):
        returns_or_refuses(faulty)
    with pytest.raises(ZeroDivisionError):
        returns_or_refuses(lambda: 1 / 0)
    with pytest.raises(AssertionError):
        check_line("heterode: error: a fault of the program (KeyError: 'x')")
