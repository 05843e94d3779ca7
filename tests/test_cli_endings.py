"""However a run ends (signal, kill, failed solve, full disk, fault), its results can be read."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.commands import command, environment, settings, short_run
from helpers.endings import (
    ENDLESS,
    FAILING,
    SMALL_DISK,
    check_readable,
    run_script,
    start_endless,
    the_line,
)
from helpers.paths import PRESET
from helpers.surroundings import PATIENCE
from heterode.results import read_manifest


@pytest.mark.parametrize(
    ("number", "report"),
    [(signal.SIGINT, "true"), (signal.SIGTERM, "false"), (signal.SIGUSR1, "false")],
)
def test_signal_stops_the_run(number: signal.Signals, report: str, tmp_path: Path) -> None:
    process = start_endless(tmp_path, report=report)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    assert f"stopped by signal {int(number)}" in out
    check_stopped(tmp_path / "out", number, report=report == "true")


# Packing 5,000 particles takes many seconds anywhere; it is known when that has begun.
SAID_PACKING = """
import sys
from heterode import cli
from heterode.geometry import cache

packing_for = cache.packing_for

def said(*words):
    print("packing", file=sys.stderr, flush=True)
    return packing_for(*words)

cache.packing_for = said
sys.exit(cli.main(sys.argv[1:]))
"""


def test_interrupted_before_the_run(tmp_path: Path) -> None:
    many = settings(geometry__particles="5000")
    words = command(0, ["mesh", PRESET, "-o", "many.msh", *many])
    at = words.index("-m")
    words[at : at + 2] = ["-c", SAID_PACKING]
    process = subprocess.Popen(
        words,
        cwd=tmp_path,
        env=environment(HETERODE_CACHE=str(tmp_path / "cache")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "packing\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    # It may have begun more than once by then: the packing is asked for its size as well.
    assert (out, err.replace("packing\n", "")) == ("", "heterode: interrupted\n")
    assert process.returncode == 128 + signal.SIGINT
    assert list(tmp_path.iterdir()) == []


def check_stopped(folder: Path, number: signal.Signals, *, report: bool) -> None:
    manifest = read_manifest(folder / "manifest.json")
    assert (manifest["status"], manifest["reason"]) == ("stopped", f"stopped by signal {number}")
    assert check_readable(folder, whole=True) == manifest["steps"] + 1
    for name in ("voltage.png", "lithium_fraction.png"):
        assert (folder / "report" / name).exists() == report
    assert not list(folder.rglob("*.partial"))


@pytest.mark.mpi
def test_forwarded_signal_stops_two_ranks(tmp_path: Path) -> None:
    process = start_endless(tmp_path, ranks=2)
    process.send_signal(signal.SIGUSR1)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGUSR1
    assert "Traceback" not in err
    check_stopped(tmp_path / "out", signal.SIGUSR1, report=True)


@pytest.mark.mpi
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_that_ends_mpirun_leaves_readable_files(
    number: signal.Signals, tmp_path: Path
) -> None:
    # The launcher passes SIGTERM on and kills half a second later: figures may be missing, the
    # exit code is its own.
    process = start_endless(tmp_path, ranks=2)
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert "Traceback" not in err
    assert read_manifest(tmp_path / "out" / "manifest.json")["status"] in ("stopped", "running")
    assert check_readable(tmp_path / "out", whole=False) >= 5


def test_killed_run_leaves_readable_files(tmp_path: Path) -> None:
    process = start_endless(tmp_path)
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL
    assert check_readable(tmp_path / "out", whole=False) >= 5
    # Nobody was left to say so.
    assert read_manifest(tmp_path / "out" / "manifest.json")["status"] == "running"


@pytest.mark.parametrize(
    ("about", "ranks", "report"),
    [
        ("filled with lithium", 0, "true"),
        ("depleted of salt", 0, "false"),
        pytest.param("depleted of salt", 2, "true", marks=pytest.mark.mpi),
    ],
)
def test_failed_solve(
    about: str, ranks: int, report: str, tmp_path: Path, heterode: Callable
) -> None:
    arguments = [*FAILING[about], *settings(output__report=report), "--out", "out", "--quiet"]
    ended = heterode(*arguments, cwd=tmp_path, ranks=ranks)
    assert (ended.code, ended.out) == (3, "")
    line = the_line(ended.err)
    manifest = read_manifest(tmp_path / "out" / "manifest.json")
    assert manifest["status"] == "failed"
    assert line == f"heterode: failed: {manifest['reason']}. Results so far: out"
    for part in ("at t = ", "V = ", "time step ", about):
        assert part in line
    assert check_readable(tmp_path / "out", whole=True) == manifest["steps"] + 1
    assert (tmp_path / "out" / "report" / "voltage.png").exists() == (report == "true")


@pytest.mark.parametrize("ranks", [0, pytest.param(2, marks=pytest.mark.mpi)])
def test_disk_that_fills_up(ranks: int, tmp_path: Path) -> None:
    # Enough for the mesh, too little for the list of samples that grows.
    script = SMALL_DISK.replace("{limit}", "45_000")
    steps = short_run("charge at C/2 until 4.5 V")
    ended = run_script(script, tmp_path, [*steps, "--out", "out", "--quiet"], ranks)
    assert (ended.returncode, ended.stdout) == (3, "")
    line = the_line(ended.stderr)
    assert line.startswith("heterode: failed: the results cannot be written: out/")
    manifest = read_manifest(tmp_path / "out" / "manifest.json")
    assert manifest["status"] == "failed"
    assert manifest["reason"] in line
    assert check_readable(tmp_path / "out", whole=False) >= 5
    assert not list(tmp_path.rglob("*.partial"))


def test_disk_that_is_full_from_the_start(tmp_path: Path) -> None:
    script = SMALL_DISK.replace("{limit}", "0")
    ended = run_script(script, tmp_path, [*short_run(), "--out", "out", "--quiet"], 0)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert the_line(ended.stderr).startswith("heterode: error: out: cannot be written")
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


FAULT = """
import sys
from mpi4py import MPI
from heterode import cli
from heterode.solver.model import CellModel

sample = CellModel.sample

def faulty(self, state, **which):
    if which["accepted"] == 3 and MPI.COMM_WORLD.rank in {ranks}:
        raise ZeroDivisionError("a fault nobody foresaw")
    return sample(self, state, **which)

CellModel.sample = faulty
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("ranks", "faulty"),
    [
        (0, [0]),
        pytest.param(2, [1], marks=pytest.mark.mpi),
        pytest.param(2, [0], marks=pytest.mark.mpi),
    ],
)
def test_fault_in_the_program(ranks: int, faulty: list[int], tmp_path: Path) -> None:
    script = FAULT.replace("{ranks}", str(faulty))
    done = run_script(script, tmp_path, [*short_run(ENDLESS), "--out", "out", "--quiet"], ranks)
    assert done.returncode == 3
    # The places are in the line; whoever wants all of them asks for the traceback.
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("heterode: ")]
    where = f"on rank {faulty[0]} of 2: " if ranks else ""
    for part in (
        f"heterode: failed: {where}a fault of the program (ZeroDivisionError: a fault nobody "
        "foresaw, at runs/prepared.py:",
        "HETERODE_TRACEBACK=1",
        "Results so far: out; --resume goes on from the last checkpoint",
    ):
        assert part in line
    assert check_readable(tmp_path / "out", whole=0 in faulty) == 3
    manifest = read_manifest(tmp_path / "out" / "manifest.json")
    if 0 in faulty:
        assert manifest["status"] == "failed"
        assert manifest["reason"] == "ZeroDivisionError: a fault nobody foresaw"


COMPILE = """
import sys
import ufl
from dolfinx import fem, mesh
from mpi4py import MPI
from heterode.base.errors import CompileError
from heterode.solver.discretisation.compilation import FLAGS, compiled, folder_of

square = mesh.create_unit_square(MPI.COMM_WORLD, 2, 2)
space = fem.functionspace(square, ("Lagrange", 1))
mass = ufl.TrialFunction(space) * ufl.TestFunction(space) * ufl.dx
if "plainly" in sys.argv:
    options = {"cache_dir": folder_of(mass), "cffi_extra_compile_args": [*FLAGS], "timeout": 1}
    fem.form(mass, jit_options=options)
else:
    try:
        compiled(mass)
    except CompileError as error:
        sys.exit(f"CompileError: {error}")
"""


def compile_form(cache: Path, *how: str, ranks: int = 0) -> subprocess.CompletedProcess[str]:
    """Compile one small form into a cache folder of its own."""
    words = command(ranks, [])
    words[words.index("-m") :] = ["-c", COMPILE, *how]
    own = environment(XDG_CACHE_HOME=str(cache), HOME=str(cache))
    return subprocess.run(words, env=own, capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize("ranks", [0, pytest.param(2, marks=pytest.mark.mpi)])
def test_killed_compilation_is_repeated(ranks: int, tmp_path: Path) -> None:
    assert compile_form(tmp_path, ranks=ranks).returncode == 0
    (mark,) = tmp_path.rglob("*.c.cached")
    mark.unlink()
    # The negative control: DOLFINx alone waits for a result that will never come.
    plain = compile_form(tmp_path, "plainly", ranks=ranks)
    assert plain.returncode != 0
    assert "JIT compilation timed out" in plain.stderr
    assert not mark.exists()
    done = compile_form(tmp_path, ranks=ranks)
    assert (done.returncode, done.stderr) == (0, "")
    assert mark.exists()


def test_compilation_that_fails_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "heterode").mkdir(mode=0o700)
    (tmp_path / "heterode" / "equations").write_text("a file where the cache should be\n")
    done = compile_form(tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("CompileError: the equations cannot be compiled")
    assert str(tmp_path / "heterode" / "equations") in done.stderr


def test_run_without_a_compiler_cache(tmp_path: Path, heterode: Callable) -> None:
    (tmp_path / "home" / "heterode").mkdir(mode=0o700, parents=True)
    place = tmp_path / "home" / "heterode" / "equations"
    place.write_text("a file where the cache should be\n")
    ended = heterode(
        *short_run(),
        *settings(electrolyte__initial_concentration="1001 mol/m^3"),
        "--out",
        "out",
        "--quiet",
        cwd=tmp_path,
        env={"XDG_CACHE_HOME": str(tmp_path / "home")},
    )
    assert (ended.code, ended.out) == (3, "")
    assert "the equations cannot be compiled" in the_line(ended.err)
    assert read_manifest(tmp_path / "out" / "manifest.json")["status"] == "failed"
