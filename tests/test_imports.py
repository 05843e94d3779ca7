"""The package keeps its shape: imports run downward, heavy libraries stay in their place."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import environment, short_run
from helpers.paths import PRESET, ROOT
from helpers.rooms import LAYER, LAYERS, MODULES, TOP, dotted, imported, room_of
from helpers.surroundings import PATIENCE

LONGEST = 450

# library: the only rooms that may import it
CONFINED = {
    "dolfinx": {"solver"},
    "basix": {"solver"},
    "ffcx": {"solver"},
    "petsc4py": {"solver"},
    "mpi4py": {"solver", "base", "runs", "sweep", "cli"},
    "gmsh": {"geometry"},
    "numba": {"heterogeneity"},
    "h5py": {"results"},
    "skimage": {"optics", "viewing", "geometry"},
    "tifffile": {"optics", "reporting"},
    "pymatgen": {"optics"},
    "matplotlib": {"viewing"},
    "pydantic": {"parameters", "sweep"},
    "argparse": {"cli"},
    "rich": {"progress"},
    "pyvista": {"viewing"},
    "vtk": {"viewing"},
    "vtkmodules": {"viewing", "optics"},
    "imageio_ffmpeg": {"viewing"},
    "jinja2": {"reporting"},
    "pybamm": {"homogenised"},
    "submitit": {"sweep"},
    "pyarrow": {"sweep"},
    "shtab": {"cli"},
    "helpers": set(),
    "verification": set(),
}

# Rooms whose signatures say what they take: parameter sections and arrays, never Any.
TYPED = {"geometry", "particles", "accuracy", "forecast", "validity", "progress", "distributions"}

# physics/ is mathematics: no files, no processes.
NOT_IN_PHYSICS = {"pathlib", "os", "io", "csv", "json", "sys", "subprocess", "tempfile", "meshio"}


def violations(module: str, text: str) -> list[str]:
    """What a module of simulator/ must not do.

    Args:
        module: dotted name below simulator, such as "solver.march".
        text: its source.
    """
    unit = room_of(module)
    tree = ast.parse(text)
    found = [f"{module} is in no layer"] if unit not in LAYER else []
    if "." not in module and unit not in TOP:
        found = [f"{module} lies in no room"]
    for name in imported(tree):
        found += _wrong_import(unit, module, name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "argv" and unit != "cli":
            found.append(f"{module} touches argv")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            streams = [keyword for keyword in node.keywords if keyword.arg == "file"]
            if node.func.id == "print" and unit != "cli" and not streams:
                found.append(f"{module} prints to stdout")
            if node.func.id == "open" and unit == "physics":
                found.append(f"{module} opens a file")
        if isinstance(node, ast.FunctionDef) and unit in TYPED:
            found += [f"{module}: {node.name} takes Any" for _ in _of_any_type(node)]
    if len(text.splitlines()) > LONGEST:
        found.append(f"{module} has {len(text.splitlines())} lines")
    return found


def _of_any_type(function: ast.FunctionDef) -> list[ast.expr]:
    """The annotations of a signature that say nothing."""
    every = function.args
    arguments = [*every.posonlyargs, *every.args, *every.kwonlyargs]
    given = [argument.annotation for argument in arguments] + [function.returns]
    return [note for note in given if isinstance(note, ast.Name) and note.id == "Any"]


def _wrong_import(unit: str, module: str, name: str) -> list[str]:
    top, _, inner = name.partition(".")
    if top != "heterode":
        allowed = unit.partition(".")[0] in CONFINED.get(top, {unit.partition(".")[0]})
        if unit == "physics" and top in NOT_IN_PHYSICS:
            allowed = False
        return [] if allowed else [f"{module} imports {top}"]
    target = room_of(inner)
    if target == "__version__" or target == unit:
        return []
    if LAYER.get(target, len(LAYERS)) >= LAYER.get(unit, -1):
        return [f"{module} imports heterode.{inner}, which is not below it"]
    if (
        unit.startswith("solver")
        and target == "results"
        and not inner.startswith("results.sample.")
    ):
        return [f"{module} imports heterode.{inner}: of the results it may know the samples"]
    return []


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_module(path: Path) -> None:
    assert violations(dotted(path), path.read_text(encoding="utf-8")) == []


WRONG = {
    "physics.solid": [
        "from dolfinx import fem",
        "import petsc4py.PETSc",
        "from pathlib import Path",
        "x = open('table.csv')",
        "from heterode.solver.model import CellModel",
    ],
    "geometry.meshing": [
        "from mpi4py import MPI",
        "import heterode.solver.time.march",
        "def build(packing: int, geometry: Any) -> int:\n    return 1",
        "def build(packing: int) -> Any:\n    return 1",
    ],
    "parameters.model": ["import gmsh", "from heterode.geometry import tags"],
    "results.history": [
        "from heterode.solver.time.state import State",
        "def write():\n    import dolfinx",
    ],
    "solver.time.march": [
        "from heterode.results.history import History",
        "import heterode.runs.prepared",
        "from heterode.solver.model import CellModel",
        "import gmsh",
        "print('step accepted')",
    ],
    "solver.discretisation.spaces": ["from heterode.solver.equations import forms"],
    "solver.equations.system": ["from heterode.solver.algebra.linear import LinearSolver"],
    "solver.algebra.linear": ["from heterode.solver.time import newton"],
    "solver.endless": ["x = 1\n" * (LONGEST + 1)],
    "heterogeneity.analysis": ["from heterode.points.run import PointsOfRun", "import gmsh"],
    "base.errors": ["from heterode.materials import arrhenius"],
    "viewing.movie.space": ["import jinja2", "from heterode.reporting import page"],
    "reporting.page": ["import matplotlib.pyplot", "import heterode.runs.prepared"],
    "viewing.style": ["import sys\nname = sys.argv[1]", "from mpi4py import MPI"],
    "nowhere.at_all": ["x = 1"],
    "loose": ["x = 1"],
}


@pytest.mark.parametrize(("module", "text"), [(m, t) for m, texts in WRONG.items() for t in texts])
def test_violation_is_caught(module: str, text: str) -> None:
    assert len(violations(module, text)) == 1


RIGHT = {
    "solver.time.march": "from heterode.results.sample import Sample\nfrom dolfinx import fem",
    "cli.main": "from heterode import __version__\nimport sys\nprint(sys.argv)",
    "progress.lines": "import sys\nprint('left 3 s', file=sys.stderr)",
    "physics.solid": "import ufl\nfrom heterode.base.constants import FARADAY",
}


@pytest.mark.parametrize("module", RIGHT)
def test_what_is_allowed_passes(module: str) -> None:
    assert violations(module, RIGHT[module]) == []


def loaded_after(statements: str) -> set[str]:
    """Top-level modules in memory after some statements in a fresh interpreter."""
    script = f"import sys\n{statements}\nimport json\nprint(json.dumps(sorted(sys.modules)))"
    words = [sys.executable, "-c", script]
    done = subprocess.run(
        words, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


HEAVY = {"dolfinx", "gmsh", "mpi4py", "petsc4py", "basix", "ffcx", "ufl", "matplotlib", "h5py"}
HEAVY |= {"pyvista", "vtk", "imageio_ffmpeg", "jinja2"}


def test_parameters_load_without_the_heavy_libraries() -> None:
    loading = f"from heterode.parameters import load_parameters\nload_parameters({str(PRESET)!r})"
    modules = loaded_after(loading)
    assert "pydantic" in modules
    assert not modules & HEAVY


def test_checking_loads_no_heavy_library_either() -> None:
    command = f"from heterode.cli import main\nassert main(['check', {str(PRESET)!r}]) == 0"
    silently = "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    {}"
    modules = loaded_after(silently.format(command.replace("\n", "; ")))
    assert not modules & HEAVY


def test_optics_loads_neither_solver_nor_mesher() -> None:
    modules = loaded_after(
        "import heterode.optics.analysis, heterode.optics.sections, heterode.optics.interband"
    )
    assert "skimage" in modules
    assert not modules & {"dolfinx", "gmsh", "petsc4py", "ufl", "matplotlib"}


def test_a_sweep_starts_its_workers_before_anything_heavy() -> None:
    modules = loaded_after("import heterode.sweep.pool")
    assert not modules & (HEAVY | {"pandas", "pydantic", "scipy", "rich"})


def test_workers_of_a_sweep_load_no_pictures() -> None:
    modules = loaded_after("import heterode.sweep.work")
    assert {"dolfinx", "numba", "pandas"} <= modules
    assert not modules & {"matplotlib", "jinja2", "rich", "gmsh", "pyvista"}


def test_a_run_loads_neither_tables_nor_pictures(tmp_path: Path) -> None:
    """Each rank loads everything for itself: pandas alone would take a quarter of its start."""
    words = [*short_run("charge at C/2 for 1 s"), "--quiet", "--out", str(tmp_path / "out")]
    modules = loaded_after(f"from heterode.cli import main\nassert main({words!r}) == 0")
    assert {"dolfinx", "h5py"} <= modules
    assert not modules & {"pandas", "pyarrow", "sklearn", "matplotlib", "jinja2", "rich", "gmsh"}


def test_heavy_libraries_would_be_noticed() -> None:
    assert {"dolfinx", "mpi4py"} <= loaded_after("import heterode.runs.prepared") & HEAVY


# -- tests and scripts ------------------------------------------------------------------------

# Of our own modules outside the package: who may import whom. `helpers` lies lowest; neither do
# claims know tests, nor tests claims. The tests of the claims lie beside them.
MAY_IMPORT = {
    "tests/helpers": {"helpers"},
    "tests": {"helpers"},
    "scripts/verification": {"helpers", "verification"},
    "scripts": {"helpers", "verification"},
}
OUTSIDE = [path for folder in MAY_IMPORT for path in sorted((ROOT / folder).glob("*.py"))]
OUTSIDE += sorted((ROOT / "tests" / "helpers" / "attacks").glob("*.py"))
OURS = {"helpers", "verification", "attacks"} | {path.stem for path in OUTSIDE}


def strays(file: str, text: str) -> list[str]:
    """Imports of our own modules that a module of tests/ or scripts/ must not make.

    Args:
        file: its path in the project.
        text: its source.
    """
    place = next(folder for folder in MAY_IMPORT if file.startswith(f"{folder}/"))
    found = []
    for name in imported(ast.parse(text)):
        top = name.partition(".")[0]
        if top in OURS - MAY_IMPORT[place] or ".test_" in name:
            found.append(f"{file} imports {name}")
    return found


def in_project(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", OUTSIDE, ids=in_project)
def test_module_of_tests_or_scripts(path: Path) -> None:
    assert strays(in_project(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tests/helpers/cells.py", "from verification.claim import Claim"),
        ("tests/helpers/cells.py", "from test_run import short"),
        ("tests/helpers/attacks/kills.py", "from conftest import heterode"),
        ("tests/test_physics.py", "from verification.limits import disc"),
        ("tests/test_physics.py", "def test_one():\n    import verification.limits"),
        ("tests/test_physics.py", "from test_march import at_c_over_ten"),
        ("tests/test_physics.py", "from conftest import ROOT"),
        ("tests/test_physics.py", "from cells import cell"),
        ("scripts/verification/limits.py", "from test_physics import disc"),
        ("scripts/verification/limits.py", "from verification.test_claims import cases"),
        ("scripts/verification/limits.py", "from manufactured import cell"),
        ("scripts/compare.py", "import test_run"),
    ],
)
def test_stray_import_is_caught(file: str, text: str) -> None:
    assert len(strays(file, text)) == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tests/test_physics.py", "from helpers.cells import cell\nimport heterode.physics"),
        ("tests/helpers/cells.py", "from helpers.paths import ROOT\nimport numpy"),
        ("scripts/verification/limits.py", "from helpers.cells import cell"),
        ("scripts/verification/test_claims.py", "from verification.all_claims import CLAIMS"),
        ("scripts/verify.py", "from verification.all_claims import CLAIMS"),
    ],
)
def test_import_downwards_passes(file: str, text: str) -> None:
    assert strays(file, text) == []


@pytest.mark.parametrize("name", ["helpers.cells", "verification.claim"])
def test_the_package_knows_neither_helpers_nor_claims(name: str) -> None:
    assert len(violations("solver.model", f"import {name}")) == 1
