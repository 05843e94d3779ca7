"""pyproject.toml: it declares what is imported, and its wheel holds what it should."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import heterode
from helpers.paths import PARAMS, ROOT
from helpers.surroundings import PATIENCE

PACKAGE = ROOT / "simulator"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

DISTRIBUTION = {
    "PIL": "pillow",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "pydantic_core": "pydantic",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "vtkmodules": "vtk",
}
"""Packages that are imported by another name than they are installed by."""

FROM_THE_SYSTEM = {"dolfinx", "ufl", "basix", "ffcx", "petsc4py", "mpi4py", "cffi"}
"""DOLFINx and what it brings, which PyPI has not."""

NOT_NEEDED = {"pymatgen", "pybamm"}
"""Imported where somebody has them, or in an environment of their own."""

CALLED_BY_NAME = {"pyarrow": "to_parquet("}
"""What another library imports for us, and the call that makes it do so."""


def imports(folder: Path) -> set[str]:
    """What the modules of a folder import beside heterode and the standard library."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"heterode"}


def test_what_is_imported_is_declared_and_nothing_else() -> None:
    declared = {Requirement(text).name for text in PROJECT["project"]["dependencies"]}
    found = imports(PACKAGE)
    assert found >= FROM_THE_SYSTEM | NOT_NEEDED
    needed = {DISTRIBUTION.get(name, name) for name in found - FROM_THE_SYSTEM - NOT_NEEDED}
    sources = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    needed |= {name for name, call in CALLED_BY_NAME.items() if call in sources}
    assert needed == declared


def test_how_to_cite_it_says_what_the_package_says() -> None:
    project = PROJECT["project"]
    # The few forms of YAML that the file has are read as lines.
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    single = dict(re.findall(r'^([\w-]+): "?(.+?)"?$', citation, re.MULTILINE))
    lists = {
        name: re.findall(r"- (.+)", lines)
        for name, lines in re.findall(r"^([\w-]+):\n((?: +.+\n)+)", citation, re.MULTILINE)
    }
    meta = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))
    assert single["title"] == meta["name"] == project["name"] == "heterode"
    assert single["version"] == meta["version"] == heterode.__version__
    assert single["abstract"] == meta["description"] == project["description"]
    assert lists["keywords"] == meta["keywords"] == project["keywords"]
    (author,) = project["authors"]
    assert lists["authors"] == [f"name: {author['name']}"]
    assert [one["name"] for one in meta["author"]] == [author["name"]]
    licence = project["license"]["text"]
    assert single["license"] == licence
    assert meta["license"] == f"https://spdx.org/licenses/{licence}"
    assert meta["softwareRequirements"] == project["dependencies"]
    assert meta["runtimePlatform"] == f"Python {project['requires-python']}"
    paper = meta["referencePublication"]["name"]
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"    title: {paper}\n" in citation
    assert paper in readme
    assert "[CITATION.cff](CITATION.cff)" in readme


def test_every_room_is_packaged() -> None:
    folders = [path.parent.relative_to(PACKAGE) for path in PACKAGE.rglob("__init__.py")]
    names = sorted(".".join(["heterode", *folder.parts]) for folder in folders)
    assert PROJECT["tool"]["setuptools"]["packages"] == sorted([*names, "heterode.presets"])


def copied(folder: Path) -> Path:
    """The project where building leaves nothing in the clone."""
    source = folder / "source"
    shutil.copytree(PACKAGE, source / "simulator", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PARAMS, source / "params")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    return source


def pip(*words: str | Path, python: Path | None = None) -> None:
    """pip without a network, which changes nothing outside the folders it is given."""
    chosen = [] if python is None else ["--python", str(python)]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-m", "pip", *chosen, "--no-cache-dir", *map(str, words)],
        env=kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_NO_INPUT": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built offline."""
    pytest.importorskip("setuptools")
    pytest.importorskip("pip")
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--no-deps", "-w", folder, copied(folder))
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_heterode_with_its_data_and_no_simulator(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    kept = {name for name in names if ".dist-info/" not in name}
    sources = {
        f"heterode/{path.relative_to(PACKAGE).as_posix()}"
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    sources |= {
        f"heterode/presets/{path.relative_to(PARAMS).as_posix()}"
        for path in (*PARAMS.rglob("*.toml"), *PARAMS.glob("materials/*.csv"))
    }
    # What a lock file is made from, and nothing at run time reads.
    assert sources - kept == {"heterode/homogenised/pybamm.in"}
    assert kept <= sources
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"heterode", f"heterode-{heterode.__version__}.dist-info"}


def said(python: Path, *words: str) -> str:
    """What the command or the Python of an environment says, in a folder of no project."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        words, cwd=python.parents[1], env=kept, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_what_is_installed_can_be_imported_and_called(
    wheel: Path, kind: str, tmp_path: Path
) -> None:
    """The environment sees the system's packages, since PyPI cannot be asked."""
    venv.create(tmp_path / "venv", system_site_packages=True)
    python = tmp_path / "venv" / "bin" / "python3"
    if kind == "wheel":
        pip("install", "--no-deps", wheel, python=python)
        home = tmp_path / "venv"
    else:
        home = copied(tmp_path)
        pip("install", "--no-deps", "--no-build-isolation", "-e", home, python=python)
    assert said(python, str(python.parent / "heterode"), "--version").endswith(heterode.__version__)
    assert said(python, str(python), "-m", "heterode", "--version").endswith(heterode.__version__)
    assert said(python, str(python.parent / "heterode"), "preset", "nmc811") == (
        (PARAMS / "nmc811.toml").read_text(encoding="utf-8").strip()
    )
    file = said(python, str(python), "-c", "import heterode; print(heterode.__file__)")
    assert Path(file).is_relative_to(home)
    spec = "import importlib.util as u; print(u.find_spec('simulator'))"
    assert said(python, str(python), "-c", spec) == "None"
