"""Every mistake at the command line: exit code 2, one line that names it, nothing written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.commands import packed_run, settings, short_run
from helpers.paths import FIVE_DISCS, PRESET
from heterode.cli import main

Arguments = list[str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a user about to err, with the files that the mistakes are made of."""
    monkeypatch.chdir(tmp_path)
    # A mesh made on the way to a later mistake goes to the cache: not where it could be missed.
    monkeypatch.setenv("HETERODE_CACHE", str(tmp_path.parent / f"{tmp_path.name}-cache"))
    shutil.copy(PRESET, "demo.toml")
    Path("bad.toml").write_text("[geometry\ndimension = 2\n")
    Path("latin.toml").write_bytes("title = 'Elektrode für später'".encode("latin-1"))
    Path("empty.toml").write_text("")
    Path("plain").write_text("a regular file\n")
    Path("sizes.csv").write_text("diameter_um,weight\nfive,1\n")
    Path("four.csv").write_text("particle,penalty\n" + "".join(f"{i},0.5\n" for i in range(4)))
    Path("no.msh").write_text("not a mesh\n")
    Path("truncated.msh").write_bytes(FIVE_DISCS.read_bytes()[:20000])
    Path("ungrouped.msh").write_bytes(_without_group(FIVE_DISCS.read_bytes()))
    (tmp_path / "in_use").mkdir()
    (tmp_path / "in_use" / "thesis.tex").write_text("years of work\n")
    return tmp_path


def _without_group(mesh: bytes) -> bytes:
    """The mesh file with its separator under another name of the same length."""
    assert mesh.count(b'"separator"') == 1
    return mesh.replace(b'"separator"', b'"spacerium"')


def listing(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, with content."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def a_set(**values: str) -> Arguments:
    return ["run", "demo.toml", "--out", "out", *settings(**values)]


def run_to(out: str, *more: str) -> Arguments:
    return [*short_run(), "--out", out, *more]


def tables(**values: str) -> Arguments:
    return [*short_run(**values), "--out", "out"]


MISTAKES: dict[str, tuple[Arguments, tuple[str, ...]]] = {
    # name: (arguments, what the line must hold)
    # -- the command itself
    "no command": ([], ("COMMAND", "heterode --help")),
    "unknown command": (["rnu", "demo.toml"], ("rnu", "run")),
    "no parameter file": (["run"], ("PARAMS",)),
    "unknown option": (
        ["run", "demo.toml", "--speed", "9"],
        ("--speed 9", "`heterode run --help`"),
    ),
    "unknown option of another command": (
        ["report", "results", "--nosuch"],
        ("--nosuch", "`heterode report --help`"),
    ),
    "unknown option before the command": (
        ["--nosuch", "report", "results"],
        ("--nosuch", "`heterode --help`"),
    ),
    "option without its value": (["run", "demo.toml", "--out"], ("--out",)),
    "two parameter files": (["run", "demo.toml", "bad.toml"], ("bad.toml",)),
    "mesh without an output": (["mesh", "demo.toml"], ("-o",)),
    # -- the parameter file
    "missing file": (["run", "none.toml"], ("none.toml", "no such file")),
    "missing file, check": (["check", "none.toml"], ("none.toml", "no such file")),
    "missing file, mesh": (["mesh", "none.toml", "-o", "a.msh"], ("none.toml", "no such file")),
    "directory for a file": (["run", "."], ("is a directory",)),
    "file below a file": (["run", "plain/demo.toml"], ("plain/demo.toml",)),
    "bad TOML": (["run", "bad.toml"], ("bad.toml", "not valid TOML", "line 1")),
    "not UTF-8": (["run", "latin.toml"], ("latin.toml", "UTF-8")),
    "empty file": (["run", "empty.toml"], ("empty.toml", "is missing")),
    # -- values
    "unknown unit": (a_set(geometry__coating_thickness="46 umm"), ("coating_thickness", "'umm'")),
    "wrong dimension": (a_set(geometry__coating_thickness="46 s"), ("coating_thickness", "time")),
    "no unit": (a_set(active_material__diffusivity="3e-15"), ("active_material.diffusivity",)),
    "out of range": (
        a_set(separator__porosity="1.4"),
        ("separator.porosity = 1.4", "out of range"),
    ),
    "not a number": (a_set(separator__porosity="half"), ("separator.porosity",)),
    "unknown key": (a_set(geometry__widht="80 um"), ("geometry.widht", "'width'")),
    "unknown section": (a_set(geometri__width="80 um"), ("geometri", "'geometry'")),
    "unknown material": (
        a_set(active_material__open_circuit_potential="NMC523"),
        ("active_material.open_circuit_potential", "NMC532"),
    ),
    "unknown electrolyte": (a_set(electrolyte__model="water"), ("electrolyte.model",)),
    "unknown solver": (a_set(solver__linear_solver="magic"), ("solver.linear_solver",)),
    "aa + ac": (a_set(active_material__anodic_transfer="0.6"), ("transfer",)),
    "four dimensions": (a_set(geometry__dimension="4"), ("geometry.dimension",)),
    "negative seed": (a_set(seeds__packing="-1"), ("seeds.packing",)),
    "width and particles": (
        a_set(geometry__width="80 um", geometry__particles="60"),
        ("geometry.", "exactly one"),
    ),
    # -- --set
    "set without =": (["run", "demo.toml", "--set", "seeds.packing"], ("--set", "section.key")),
    "set without a key": (["run", "demo.toml", "--set", "=3"], ("--set", "section.key")),
    "set below a value": (["run", "demo.toml", "--set", "temperature.x=3"], ("temperature.x",)),
    # -- protocol
    "no steps": (a_set(protocol__steps="[]"), ("protocol.steps", "empty")),
    "a step nobody understands": (a_set(protocol__steps='["chrage at C/2"]'), ("protocol.steps",)),
    "cut-off above the curve": (
        a_set(protocol__steps='["charge at C/2 until 6 V"]'),
        ("protocol.steps", "6 V", "outside the range"),
    ),
    "cut-off below the curve": (
        a_set(protocol__steps='["discharge at C/2 until 1 V"]'),
        ("protocol.steps", "1 V", "outside the range"),
    ),
    "cut-off behind the start": (
        a_set(protocol__steps='["charge at C/2 until 3.0 V"]'),
        ("protocol.steps", "at once"),
    ),
    # -- packing and mesh
    "impossible packing fraction": (
        a_set(geometry__active_fraction="0.8"),
        ("geometry.active_fraction = 0.8", "0.65"),
    ),
    "packing that cannot be reached": (
        [*packed_run(geometry__minimum_gap="1.5 um"), "--out", "out"],
        ("quickstart.toml", "geometry."),
    ),
    "mesh file missing": (
        a_set(geometry__mesh_file="none.msh"),
        ("geometry.mesh_file", "none.msh"),
    ),
    "mesh file is none": (a_set(geometry__mesh_file="no.msh"), ("geometry.mesh_file", "no.msh")),
    "mesh file truncated": (a_set(geometry__mesh_file="truncated.msh"), ("truncated.msh",)),
    "mesh file without a group": (a_set(geometry__mesh_file="ungrouped.msh"), ("separator",)),
    "mesh file is a directory": (a_set(geometry__mesh_file="in_use"), ("geometry.mesh_file",)),
    # -- tables
    "size table missing": (
        a_set(geometry__particle_size='{distribution = "table", file = "none.csv"}'),
        ("geometry.particle_size.file", "none.csv"),
    ),
    "size table with a text": (
        a_set(geometry__particle_size='{distribution = "table", file = "sizes.csv"}'),
        ("geometry.particle_size.file", "sizes.csv", "line 2"),
    ),
    "penalty table missing": (
        a_set(penalty='{distribution = "table", file = "none.csv"}'),
        ("penalty.file", "none.csv"),
    ),
    "penalty table for another electrode": (
        tables(penalty='{distribution = "table", file = "four.csv"}'),
        ("penalty.file", "4 rows", "5 particles"),
    ),
    # -- output
    "output folder in use": (
        run_to("in_use"),
        ("in_use", "not empty", "not a results folder", "another --out"),
    ),
    "output folder not ours": (run_to("in_use", "--overwrite"), ("in_use", "not a results folder")),
    "output is a file": (run_to("plain"), ("plain", "not a folder")),
    "output below a file": (run_to("plain/deep/er"), ("plain/deep/er",)),
    "mesh into a missing folder": (
        ["mesh", "demo.toml", "-o", "none/a.msh"],
        ("none/a.msh", "no such folder"),
    ),
    "mesh with another suffix": (["mesh", "demo.toml", "-o", "a.vtk"], ("a.vtk", ".msh")),
    "mesh onto a folder": (
        ["mesh", "demo.toml", "-o", "folder.msh", *settings(geometry__mesh_file=str(FIVE_DISCS))],
        ("folder.msh",),
    ),
}


def check_line(err: str, fragments: tuple[str, ...]) -> None:
    """Exactly one line, in the form of an error, that names what is wrong."""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("heterode: error: ")
    for fragment in fragments:
        assert fragment in lines[0]
    for jargon in ("Traceback", "pydantic", "Error:", "Errno", "None "):
        assert jargon not in lines[0]


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "mesh onto a folder":
        Path("folder.msh").mkdir()
    before = listing(place)
    arguments, fragments = MISTAKES[name]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    check_line(err, fragments)
    assert listing(place) == before


def test_there_are_enough() -> None:
    assert len(MISTAKES) >= 25


def test_without_the_mistake_the_same_arguments_work(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The negative control of "nothing is written": the listing does notice a run.
    before = listing(place)
    assert main([*short_run("charge at C/2 for 1 min"), "--out", "out", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert listing(place) != before


@pytest.mark.parametrize(
    ("electrode", "particles"),
    [({"geometry__mesh_file": str(FIVE_DISCS)}, 5), ({"geometry__particles": "12"}, 12)],
)
def test_check_finds_a_penalty_table_for_another_electrode(
    electrode: dict[str, str], particles: int, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = {"penalty": '{distribution = "table", file = "own.csv"}'}
    command = ["check", "demo.toml", *settings(**electrode, **table)]
    for rows, code in ((particles - 1, 2), (particles, 0)):
        text = "".join(f"{i},0.5\n" for i in range(rows))
        Path("own.csv").write_text("particle,penalty\n" + text, encoding="utf-8")
        assert main(command) == code
        err = capsys.readouterr().err
        # Negative control: the table of that many rows is accepted.
        assert (f"{rows} rows, but the electrode has {particles} particles" in err) == (code == 2)


# -- real processes ---------------------------------------------------------------------------


PROCESSES = (
    "no command",
    "missing file",
    "unknown unit",
    "packing that cannot be reached",
    "penalty table for another electrode",
    "output below a file",
)


@pytest.mark.parametrize("name", PROCESSES)
def test_mistake_as_a_process(name: str, place: Path, heterode: Callable) -> None:
    before = listing(place)
    arguments, fragments = MISTAKES[name]
    ended = heterode(*arguments, cwd=place)
    assert (ended.code, ended.out) == (2, "")
    check_line(ended.err, fragments)
    assert listing(place) == before


@pytest.mark.mpi
@pytest.mark.parametrize("name", ["unknown option", *PROCESSES[2:]])
def test_mistake_on_two_ranks(name: str, place: Path, heterode: Callable) -> None:
    before = listing(place)
    arguments, fragments = MISTAKES[name]
    ended = heterode(*arguments, cwd=place, ranks=2)
    assert (ended.code, ended.out) == (2, "")
    # The launcher adds its own remarks about ranks that left.
    lines = [line for line in ended.err.splitlines() if "heterode: " in line]
    check_line("\n".join(lines), fragments)
    assert "Traceback" not in ended.err
    assert listing(place) == before


def _become_nobody() -> None:
    os.setgid(65534)
    os.setuid(65534)


@pytest.fixture
def as_user() -> Callable[[], None] | None:
    """For preexec_fn: permissions mean nothing to root, so root becomes nobody."""
    if os.geteuid() != 0:
        return None
    try:
        subprocess.run(["ls", str(PRESET), sys.executable], check=True, preexec_fn=_become_nobody)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("this root cannot become another user who can read the project")
    return _become_nobody


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A working folder that other users may enter, unlike pytest's own, in one they may write."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "work"
        for folder in (place.parent, place):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o777)
        yield place


def test_no_permission_to_write(
    open_place: Path, heterode: Callable, as_user: Callable[[], None] | None
) -> None:
    (open_place / "locked").mkdir(mode=0o555)
    before = listing(open_place)
    for arguments, name in (
        ([*short_run(), "--out", "locked/out"], "locked/out"),
        ([*short_run(), "--out", "locked"], "locked"),
        (["mesh", *short_run()[1:], "-o", "locked/a.msh"], "locked/a.msh"),
    ):
        # matplotlib keeps a list of fonts at home.
        home = {"HOME": str(open_place.parent)}
        ended = heterode(*arguments, cwd=open_place, preexec_fn=as_user, env=home)
        assert (ended.code, ended.out) == (2, "")
        check_line(ended.err, (name, "cannot be written"))
        assert listing(open_place) == before


def test_no_permission_to_read(
    open_place: Path, heterode: Callable, as_user: Callable[[], None] | None
) -> None:
    shutil.copy(PRESET, open_place / "secret.toml")
    (open_place / "secret.toml").chmod(0o000)
    ended = heterode("check", "secret.toml", cwd=open_place, preexec_fn=as_user)
    assert (ended.code, ended.out) == (2, "")
    check_line(ended.err, ("secret.toml", "cannot be read"))


@pytest.mark.parametrize("command", ["twin", "animate", "figures"])
def test_a_file_in_place_of_results_is_not_in_the_way_of_anything(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert main([command, str(tmp_path / "notes.txt")]) == 2
    line = capsys.readouterr().err
    assert "is not a folder. Give the results folder of a run" in line
    assert "in the way" not in line
