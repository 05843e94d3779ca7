"""Whatever happens to a cached file, it is made again: no crash, no wrong number, no other file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers.commands import command, environment
from helpers.geometry_cases import parameters
from heterode.geometry import cache
from heterode.heterogeneity import compiled as loops
from heterode.solver.discretisation import compilation

PATIENCE = 300


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    replace(file, bytes(content))


def empty(file: Path) -> None:
    replace(file, b"")


def noise(file: Path) -> None:
    replace(file, np.random.default_rng(1).bytes(5000))


def folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "something").write_text("in the way")


def gone(file: Path) -> None:
    file.unlink()


def dangling(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.with_name("nowhere"))


def unreadable(file: Path) -> None:
    file.chmod(0)


def replace(file: Path, content: bytes) -> None:
    # A new file: one that is mapped into this process must not change under it.
    file.unlink()
    file.write_bytes(content)


DAMAGES = (cut, flip, empty, noise, folder_instead, gone, dangling, unreadable)

FORM = """
import sys
import numpy as np
import ufl
from dolfinx import fem, mesh
from mpi4py import MPI
from heterode.solver.discretisation.compilation import compiled

square = mesh.create_unit_square(MPI.COMM_WORLD, 2, 2)
mass = 3.0 * ufl.SpatialCoordinate(square)[0] * ufl.dx(square)
whole = MPI.COMM_WORLD.allreduce(fem.assemble_scalar(compiled(mass)))
assert abs(whole - 1.5) < 1e-12, whole
"""


def run_form(
    folder: Path, ranks: int = 0, before: str = "", text: str = FORM
) -> subprocess.CompletedProcess[str]:
    words = command(ranks, [])
    words[words.index("-m") :] = ["-c", before + text]
    own = environment(XDG_CACHE_HOME=str(folder), HOME=str(folder))
    return subprocess.run(words, env=own, capture_output=True, text=True, timeout=PATIENCE)


@pytest.fixture(scope="module")
def form_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds one form."""
    folder = tmp_path_factory.mktemp("forms")
    done = run_form(folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def library_in(folder: Path) -> Path:
    (library,) = folder.rglob("libffcx_forms_*.so")
    return library


# Compiled forms ------------------------------------------------------------------------------


def test_a_cut_library_ends_a_program_that_does_not_look(form_cache: Path, tmp_path: Path) -> None:
    """Negative control: what `compiled` prevents, and that it does not rebuild what is whole."""
    folder = shutil.copytree(form_cache, tmp_path / "cache", symlinks=True)
    library = library_in(folder)
    before = library.stat().st_mtime_ns
    assert run_form(folder).returncode == 0
    assert library.stat().st_mtime_ns == before
    cut(library)
    blind = "from heterode.solver import compilation as c\nc.remove_damaged = lambda *a, **k: 0\n"
    assert run_form(folder, before=blind).returncode != 0
    done = run_form(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert library.stat().st_mtime_ns != before


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [2, 3])
def test_a_cut_library_is_compiled_again_on_several_ranks(
    form_cache: Path, tmp_path: Path, ranks: int
) -> None:
    folder = shutil.copytree(form_cache, tmp_path / "cache", symlinks=True)
    cut(library_in(folder))
    done = run_form(folder, ranks=ranks)
    assert (done.returncode, done.stderr) == (0, "")


LOOPS = """
import numpy as np
import ufl
from dolfinx import fem, mesh
from mpi4py import MPI
from heterode.solver.discretisation.cell_loops import LinearForm

square = mesh.create_unit_square(MPI.COMM_WORLD, 2, 2)
load = LinearForm(3.0 * ufl.TestFunction(fem.functionspace(square, ("Lagrange", 1))) * ufl.dx)
assert load._loop is not None
vector = np.zeros(load._loop.dofs.max() + 1)
load.add_to(vector)
assert abs(MPI.COMM_WORLD.allreduce(vector.sum()) - 3.0) < 1e-12
"""


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [0, 2])
def test_cut_loops_are_compiled_again(tmp_path: Path, ranks: int) -> None:
    folder = tmp_path / "cache"
    done = run_form(folder, ranks=ranks, text=LOOPS)
    assert (done.returncode, done.stderr) == (0, "")
    (library,) = folder.rglob("cell_loops_*.so")
    before = library.stat().st_mtime_ns
    assert run_form(folder, ranks=ranks, text=LOOPS).returncode == 0
    assert library.stat().st_mtime_ns == before
    cut(library)
    done = run_form(folder, ranks=ranks, text=LOOPS)
    assert (done.returncode, done.stderr) == (0, "")
    assert library.stat().st_mtime_ns != before
    # What compiling needs is gone.
    assert {file.name.partition(".")[2] for file in library.parent.glob("cell_loops_*")} == {
        "c",
        "c.cached",
        "sha256",
        library.name.partition(".")[2],
    }


def test_two_runs_at_once_mend_one_cache(form_cache: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(form_cache, tmp_path / "cache", symlinks=True)
    cut(library_in(folder))
    own = environment(XDG_CACHE_HOME=str(folder), HOME=str(folder))
    both = [
        subprocess.Popen([sys.executable, "-c", FORM], env=own, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [(run.communicate(timeout=PATIENCE)[1], run.returncode) for run in both] == [("", 0)] * 2


@pytest.fixture
def entry(form_cache: Path, tmp_path: Path) -> Path:
    """A copy of the folder of a form."""
    (folder,) = {file.parent for file in form_cache.rglob("*.c.cached")}
    copy = tmp_path / "entry"
    shutil.copytree(folder, copy)
    return copy


def kinds(folder: Path) -> list[str]:
    return sorted(file.name.partition(".")[2] for file in folder.glob("libffcx*"))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("which", ["*.so", "*.c.cached", "*.sha256", "*.c"])
def test_damage_of_an_entry_is_seen_before_it_is_loaded(
    entry: Path, which: str, damage: Callable[[Path], None]
) -> None:
    compilation.remove_damaged(entry, locked=True)
    assert {"c", "c.cached", "sha256"} < set(kinds(entry)), "what is whole stays"
    (file,) = entry.glob(which)
    damage(file)
    compilation.remove_damaged(entry, locked=True)
    # The source and its mark are not read again; what they hold does not matter, their place does.
    harmless = which in ("*.c", "*.c.cached") and damage in (cut, flip, empty, noise, unreadable)
    root = os.geteuid() == 0 and damage is unreadable
    assert bool(kinds(entry)) == (harmless or root)


def test_what_is_in_the_making_is_left_alone_without_a_lock(entry: Path) -> None:
    (digest,) = entry.glob("*.sha256")
    digest.unlink()
    compilation.remove_damaged(entry, locked=False)
    assert "c" in kinds(entry)
    compilation.remove_damaged(entry, locked=True)
    assert not kinds(entry)


@pytest.mark.parametrize("place", ["entry", "lock"])
def test_what_lies_in_the_place_of_folder_or_lock_is_removed(
    form_cache: Path, tmp_path: Path, place: str
) -> None:
    folder = shutil.copytree(form_cache, tmp_path / "cache", symlinks=True)
    entry = library_in(folder).parent
    if place == "entry":
        shutil.rmtree(entry)
        entry.write_text("a file")
    else:
        folder_instead(entry / "lock")
    done = run_form(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert library_in(folder).is_file()


# Compiled loops ------------------------------------------------------------------------------

LOOP = '''
def triple(x):
    """Three times the sum, a loop that is worth compiling."""
    total = 0.0
    for value in x:
        total += 3.0 * value
    return total
'''


@pytest.fixture
def kept_loop(tmp_path: Path) -> Callable[[], tuple]:
    """Calls a function compiled afresh from its file; returns the result and the cache's hits."""
    file = tmp_path / "loops_of_a_test.py"
    file.write_text(LOOP)

    def call() -> tuple[float, int]:
        names: dict = {"__name__": "loops_of_a_test", "__file__": str(file)}
        exec(compile(LOOP, str(file), "exec"), names)
        function = loops.compiled(names["triple"])
        return function(np.arange(4.0)), sum(function.stats.cache_hits.values())

    return call


def kept_files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "__pycache__").glob("loops_of_a_test.triple*"))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_loop_is_compiled_again(
    kept_loop: Callable[[], tuple], tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    assert kept_loop() == (18.0, 0)
    assert kept_loop() == (18.0, 1), "what is whole is used"
    for file in kept_files(tmp_path):
        damage(file)
    root = os.geteuid() == 0 and damage is unreadable
    assert kept_loop() == (18.0, 1 if root else 0)
    assert kept_loop() == (18.0, 1), "and kept again"


def test_a_loop_that_others_can_write_is_not_loaded(kept_loop: Callable, tmp_path: Path) -> None:
    kept_loop()
    assert kept_loop() == (18.0, 1)
    for file in (tmp_path / "__pycache__").glob("*.loop"):
        file.chmod(0o666)
    assert kept_loop() == (18.0, 0)
    assert kept_loop() == (18.0, 1), "and kept again, for this user alone"


def test_a_loop_of_another_source_is_no_hit(kept_loop: Callable, tmp_path: Path) -> None:
    kept_loop()
    (tmp_path / "loops_of_a_test.py").write_text(LOOP + "\n# changed\n")
    assert kept_loop() == (18.0, 0)
    assert len(kept_files(tmp_path)) == 1, "what is stale is removed"


# Meshes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_mesh_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    monkeypatch.setenv("HETERODE_CACHE", str(tmp_path))
    chosen = parameters(particles=12)
    made = cache.mesh_for(chosen)
    path = tmp_path / "meshes" / f"{made.hash}.msh"
    damage(path)
    again = cache.mesh_for(chosen)
    assert np.array_equal(again.points_um, made.points_um)
    assert np.array_equal(again.cells, made.cells)
    monkeypatch.setattr(cache, "pack", lambda *_: pytest.fail("packed again"))
    assert cache.mesh_for(chosen).hash == made.hash, "and kept again"


def test_a_folder_in_the_place_of_a_mesh_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HETERODE_CACHE", str(tmp_path))
    chosen = parameters(particles=12)
    name = cache.mesh_hash(chosen)
    (tmp_path / "meshes" / f"{name}.lock").mkdir(parents=True)
    assert cache.mesh_for(chosen).hash == name
