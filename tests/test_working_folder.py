"""Files that libraries read in the working folder lead no run astray, and run no programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

from helpers.commands import environment
from helpers.surroundings import PATIENCE
from heterode.viewing.style import style

OPTIONS = "\nfrom petsc4py import PETSc\nprint(PETSc.Options().hasName('foreign'))\n"

FORM = """
import heterode.solver
import ufl
from dolfinx import fem, mesh
from mpi4py import MPI
from heterode.base.errors import CompileError
from heterode.solver.discretisation.compilation import cache_folder, compiled

square = mesh.create_unit_square(MPI.COMM_WORLD, 2, 2)
form = ufl.SpatialCoordinate(square)[0] * ufl.dx(square)
try:
    print(round(fem.assemble_scalar(compiled(form)), 12), cache_folder())
except CompileError as error:
    print(error)
"""


def said(text: str, folder: Path, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", text],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("name", [".petscrc", "petscrc"])
def test_petsc_takes_no_options_from_there(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("-foreign\n")
    assert said("import heterode.solver" + OPTIONS, tmp_path) == "False"
    # What the user asks for in the environment counts, and PETSC by itself reads the file.
    own = {"PETSC_OPTIONS": "-foreign"}
    assert said("import heterode.solver" + OPTIONS, tmp_path, **own) == "True"
    assert said(OPTIONS, tmp_path) == "True"


def test_equations_are_compiled_by_no_options_from_there(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    place = tmp_path / "place"
    place.mkdir()
    (place / "dolfinx_jit_options.json").write_text(
        '{"cache_dir": "foreign", "cffi_libraries": ["no_such_library"]}'
    )
    (place / "ffcx_options.json").write_text('{"scalar_type": "float32", "table_rtol": 0.9}')
    answer = said(FORM, place, XDG_CACHE_HOME=str(cache))
    assert answer == f"0.5 {cache / 'heterode' / 'equations'}"
    assert not (place / "foreign").exists()


@pytest.mark.parametrize("name", ["dolfinx_jit_options.json", "ffcx_options.json"])
@pytest.mark.parametrize("content", ["{", "[1]"])
def test_option_files_that_are_none_are_named(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    answer = said(FORM, tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert answer.startswith(f"{name}: DOLFINx reads this file of the working folder and cannot")


def test_loops_are_kept_in_no_folder_named_there(tmp_path: Path) -> None:
    (tmp_path / ".numba_config.yaml").write_text("cache_dir: foreign\n")
    # Where PyYAML is installed; this one stands for it.
    (tmp_path / "lib").mkdir()
    reader = "def safe_load(file):\n    return dict([file.read().strip().split(': ')])\n"
    (tmp_path / "lib" / "yaml.py").write_text(reader)
    see = f"import sys; sys.path.insert(0, {str(tmp_path / 'lib')!r})\n"
    shown = "\nimport numba\nprint(numba.config.CACHE_DIR)"
    ours = see + "import heterode.heterogeneity.compiled" + shown
    assert said(ours, tmp_path) == ""
    assert said(ours, tmp_path, NUMBA_CACHE_DIR="own") == "own"
    assert said(see + shown, tmp_path) == "foreign"


def test_figures_have_one_look_whatever_matplotlibrc_says() -> None:
    foreign = {"axes.grid": True, "text.usetex": True, "axes.facecolor": "black"}
    with mpl.rc_context(foreign):
        with style():
            assert not mpl.rcParams["axes.grid"]
            assert not mpl.rcParams["text.usetex"]
            assert mpl.rcParams["axes.facecolor"] == "white"
            assert mpl.rcParams["font.size"] == 7.5
        assert all(mpl.rcParams[key] == value for key, value in foreign.items())
