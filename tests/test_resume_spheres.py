"""Runs in 3D by fieldsplit that are broken off and resumed, on one rank and on others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.broken_runs import (
    broken_on,
    forget_the_past,
    resumed_at,
)
from helpers.commands import Ended, settings
from helpers.paths import ROOT
from helpers.same_run import TOLERANCE, check_completed, difference
from heterode.cli import main
from heterode.results import read_manifest

SPHERES = [
    "run",
    str(ROOT / "params" / "cube_50.toml"),
    *settings(
        geometry__mesh_file=str(ROOT / "meshes" / "spheres_3d.msh"),
        protocol__steps='["charge at C/2 for 20 s", "hold at 3.8 V for 2 s"]',
        solver__linear_solver="fieldsplit",
        solver__layers="none",
        output__report="false",
        output__fields_every="7",
        output__particles_every="3",
    ),
]

# On other ranks an iterative solve differs by as much as it may leave.
TIGHT = settings(solver__newton_tolerance="1e-7", solver__krylov_tolerance="1e-3")


@pytest.fixture(scope="module")
def spheres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unbroken run in 3D."""
    out = tmp_path_factory.mktemp("spheres") / "out"
    assert main([*SPHERES, "--quiet", "--out", str(out)]) == 0
    return out


def test_spheres_by_fieldsplit(spheres: Path, tmp_path: Path) -> None:
    words = [*SPHERES, "--quiet"]
    assert difference(spheres, resumed_at(5, tmp_path / "broken", words)) <= TOLERANCE
    control = resumed_at(5, tmp_path / "control", words, forget_the_past)
    print(f"{difference(spheres, control):.1e}")
    assert difference(spheres, control) > TOLERANCE


@pytest.mark.mpi
def test_spheres_by_fieldsplit_on_other_ranks(
    spheres: Path, tmp_path: Path, heterode: Callable[..., Ended]
) -> None:
    words, out, unbroken = [*SPHERES, *TIGHT, "--quiet"], tmp_path / "out", tmp_path / "unbroken"
    assert main([*words, "--out", str(unbroken)]) == 0
    broken_on(2, 5, words, out)
    ended = heterode(*words, "--out", out, "--resume", ranks=3)
    assert ended.code == 0, ended.err
    check_completed(out)
    assert [piece["ranks"] for piece in read_manifest(out / "manifest.json")["pieces"]] == [2, 3]
    found = difference(unbroken, out)
    print(f"{found:.1e}")
    assert found <= TOLERANCE
    # Without them it differs by more, but by less than a hundredth of the time steps' tolerances.
    loose = difference(spheres, unbroken)
    print(f"{loose:.1e}")
    assert loose > TOLERANCE
