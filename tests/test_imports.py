"""The package keeps its shape: imports run downward, heavy libraries stay in their place."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PRESET, ROOT, environment
from surroundings import PATIENCE

PACKAGE = ROOT / "simulator"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 450

# Modules and packages of simulator/, lowest first: each may import from lower layers and itself.
LAYERS = (
    {
        "constants",
        "errors",
        "ranks",
        "signals",
        "accounting",
        "cores",
        "digests",
        "temporary",
        "words",
    },
    {"run_warnings", "reading"},
    {"csv_text"},
    {"csv_table"},
    {"interruption", "cache_folder"},
    {"other_python"},
    {"units", "random_field", "size_law"},
    {"materials", "protocol"},
    {"parameters"},
    {"particles"},
    {"geometry"},
    {"physics"},
    {"results", "penalties"},
    {"regimes", "heterogeneity", "optics", "measured", "resuming"},
    {"estimate"},
    {"validity"},
    {"solver", "viewing", "progress", "describe"},
    {"reporting", "notebook", "twin", "skipped"},
    {"run_entries"},
    {"simulation"},
    {"sweep"},
    {"cli", "__init__"},
)
LAYER = {unit: height for height, units in enumerate(LAYERS) for unit in units}

# library: the only units that may import it
CONFINED = {
    "dolfinx": {"solver"},
    "basix": {"solver"},
    "ffcx": {"solver"},
    "petsc4py": {"solver"},
    "mpi4py": {"solver", "interruption", "simulation", "sweep", "cli"},
    "gmsh": {"geometry"},
    "numba": {"heterogeneity"},
    "h5py": {"results", "optics"},
    "skimage": {"optics", "viewing", "geometry"},
    "tifffile": {"optics", "reporting"},
    "pymatgen": {"optics"},
    "matplotlib": {"viewing", "heterogeneity"},
    "pydantic": {"parameters", "describe", "sweep"},
    "argparse": {"cli"},
    "rich": {"progress"},
    "pyvista": {"viewing"},
    "vtk": {"viewing"},
    "vtkmodules": {"viewing", "optics"},
    "imageio_ffmpeg": {"viewing"},
    "jinja2": {"reporting"},
    "pybamm": {"twin"},
    "submitit": {"sweep"},
    "pyarrow": {"sweep"},
}

# physics/ is mathematics: no files, no processes.
NOT_IN_PHYSICS = {"pathlib", "os", "io", "csv", "json", "sys", "subprocess", "tempfile", "meshio"}


def violations(module: str, text: str) -> list[str]:
    """What a module of simulator/ must not do.

    Args:
        module: dotted name below simulator, such as "solver.march".
        text: its source.
    """
    unit = module.partition(".")[0]
    tree = ast.parse(text)
    found = [f"{module} is in no layer"] if unit not in LAYER and unit != "__init__" else []
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
    if len(text.splitlines()) > LONGEST:
        found.append(f"{module} has {len(text.splitlines())} lines")
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of everything imported anywhere in a module, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _wrong_import(unit: str, module: str, name: str) -> list[str]:
    top, _, inner = name.partition(".")
    if top != "simulator":
        allowed = unit in CONFINED.get(top, {unit})
        if unit == "physics" and top in NOT_IN_PHYSICS:
            allowed = False
        return [] if allowed else [f"{module} imports {top}"]
    target = inner.partition(".")[0]
    if target == "__version__" or target == unit:
        return []
    if LAYER.get(target, len(LAYERS)) >= LAYER.get(unit, -1):
        return [f"{module} imports simulator.{inner}, which is not below it"]
    if unit == "solver" and target == "results" and not inner.startswith("results.sample."):
        return [f"{module} imports simulator.{inner}: of the results it may know the samples"]
    return []


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_module(path: Path) -> None:
    assert violations(dotted(path), path.read_text(encoding="utf-8")) == []


WRONG = {
    "physics.solid": [
        "from dolfinx import fem",
        "import petsc4py.PETSc",
        "from pathlib import Path",
        "x = open('table.csv')",
        "from simulator.solver.model import CellModel",
    ],
    "geometry.meshing": ["from mpi4py import MPI", "import simulator.solver.march"],
    "parameters.model": ["import gmsh", "from simulator.geometry import tags"],
    "results.history": [
        "from simulator.solver.stepper import State",
        "def write():\n    import dolfinx",
    ],
    "solver.march": [
        "from simulator.results.history import History",
        "import simulator.simulation",
        "import gmsh",
        "print('step accepted')",
    ],
    "solver.endless": ["x = 1\n" * (LONGEST + 1)],
    "viewing.movie.space": ["import jinja2", "from simulator.reporting import page"],
    "reporting.page": ["import matplotlib.pyplot", "import simulator.simulation"],
    "viewing.style": ["import sys\nname = sys.argv[1]", "from mpi4py import MPI"],
    "heterogeneity.report": ["from dolfinx import mesh", "import gmsh"],
    "errors": ["from simulator.units import quantity"],
    "nowhere": ["x = 1"],
}


@pytest.mark.parametrize(("module", "text"), [(m, t) for m, texts in WRONG.items() for t in texts])
def test_violation_is_caught(module: str, text: str) -> None:
    assert len(violations(module, text)) == 1


RIGHT = {
    "solver.march": "from simulator.results.sample import Sample\nfrom dolfinx import fem",
    "cli": "from simulator import __version__\nimport sys\nprint(sys.argv)",
    "progress": "import sys\nprint('left 3 s', file=sys.stderr)",
    "physics.solid": "import ufl\nfrom simulator.constants import FARADAY",
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
    loading = f"from simulator.parameters import load_parameters\nload_parameters({str(PRESET)!r})"
    modules = loaded_after(loading)
    assert "pydantic" in modules
    assert not modules & HEAVY


def test_checking_loads_no_heavy_library_either() -> None:
    command = f"from simulator.cli import main\nassert main(['check', {str(PRESET)!r}]) == 0"
    silently = "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    {}"
    modules = loaded_after(silently.format(command.replace("\n", "; ")))
    assert not modules & HEAVY


def test_optics_loads_neither_solver_nor_mesher() -> None:
    modules = loaded_after(
        "import simulator.optics.analysis, simulator.optics.sections, simulator.optics.interband"
    )
    assert "skimage" in modules
    assert not modules & {"dolfinx", "gmsh", "petsc4py", "ufl", "matplotlib"}


def test_a_sweep_starts_its_workers_before_anything_heavy() -> None:
    modules = loaded_after("import simulator.sweep.pool")
    assert not modules & (HEAVY | {"pandas", "pydantic", "scipy", "rich"})


def test_workers_of_a_sweep_load_no_pictures() -> None:
    modules = loaded_after("import simulator.sweep.work")
    assert {"dolfinx", "numba", "pandas"} <= modules
    assert not modules & {"matplotlib", "jinja2", "rich", "gmsh", "pyvista"}


def test_heavy_libraries_would_be_noticed() -> None:
    assert {"dolfinx", "mpi4py"} <= loaded_after("import simulator.simulation") & HEAVY
