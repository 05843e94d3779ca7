"""Meshes with a piece that electrons, ions or lithium do not reach are refused, in one line."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.commands import PATIENCE, command, environment, settings, short_run
from helpers.mapped_grid import Blocks, Box, mapped_grid
from helpers.paths import FIVE_DISCS, MESHES, PRESET
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.geometry import cache
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.msh import read_msh, write_msh
from heterode.geometry.parting import ImageMesh
from heterode.geometry.pieces import require_reached
from heterode.parameters import load_parameters
from heterode.reporting import labels
from heterode.solver.discretisation.electrode_mesh import distribute
from heterode.solver.model import CellModel
from heterode.solver.time.march import march

RING: tuple[Box, ...] = (
    ((1.0, 1.0), (4.0, 2.0)),
    ((1.0, 2.0), (2.0, 4.0)),
    ((2.0, 3.0), (4.0, 4.0)),
    ((3.0, 2.0), (4.0, 3.0)),
)
"""Boxes around a pocket from (2, 2) to (3, 3)."""

CORNERS: tuple[Box, ...] = (
    ((1.0, 2.0), (2.0, 3.0)),
    ((3.0, 2.0), (4.0, 3.0)),
    ((2.0, 1.0), (3.0, 2.0)),
    ((2.0, 3.0), (3.0, 4.0)),
)
"""Boxes around the same pocket that meet at its corners alone."""

SHELL: tuple[Box, ...] = (
    ((1.0, 1.0, 1.0), (4.0, 4.0, 2.0)),
    ((1.0, 1.0, 3.0), (4.0, 4.0, 4.0)),
    ((1.0, 1.0, 2.0), (2.0, 4.0, 3.0)),
    ((3.0, 1.0, 2.0), (4.0, 4.0, 3.0)),
    ((2.0, 1.0, 2.0), (3.0, 2.0, 3.0)),
    ((2.0, 3.0, 2.0), (3.0, 4.0, 3.0)),
)
"""Boxes around a pocket in 3D."""

WALL: tuple[Box, ...] = (((2.0, 0.0), (3.0, 6.0)),)
"""A box from side to side."""

APART: Box = ((0.5, 1.0), (1.5, 2.0))

NEITHER = "neither electrons from the collector nor ions from the lithium metal reach a piece"


def blocks(*particles: Box, lengths: Sequence[float] = (8.0, 6.0), per_um: int = 2) -> MeshData:
    """Boxes in a slab whose separator begins 2 um before its end."""
    along = 0 if len(lengths) == 2 else 2
    return mapped_grid(Blocks(tuple(lengths), lengths[along] - 2.0, particles), per_um, 1).data


def refusal(mesh: MeshData, *, particles_conduct: bool = False) -> str:
    with pytest.raises(InputError) as caught:
        require_reached(mesh, particles_conduct=particles_conduct)
    return str(caught.value)


def test_a_pocket_between_particles_is_refused() -> None:
    text = refusal(blocks(*RING))
    assert text.startswith(f"{NEITHER} of the mesh at x = 2.")
    assert "(8 cells of carbon-binder domain, beside particle_0000, " in text
    assert "particle_0002 and particle_0003). Part the particles around it" in text
    # Negative controls: without one of the boxes the pocket is open; shipped meshes have none.
    require_reached(blocks(*RING[:3]))
    for file in (FIVE_DISCS, MESHES / "single_disc_2d.msh", MESHES / "spheres_3d.msh"):
        require_reached(read_msh(file))


def test_a_pocket_in_3d_is_refused() -> None:
    text = refusal(blocks(*SHELL, lengths=(5.0, 5.0, 7.0), per_um=1))
    assert text.startswith(NEITHER)
    assert ", z = 2." in text
    assert "and 2 more)" in text
    require_reached(blocks(*SHELL[1:], lengths=(5.0, 5.0, 7.0), per_um=1))


def test_nothing_flows_through_a_corner() -> None:
    assert refusal(blocks(*CORNERS)).startswith(NEITHER)
    require_reached(blocks(*CORNERS[:3]))


def test_pieces_are_counted_and_the_largest_is_named() -> None:
    wider: tuple[Box, ...] = (
        ((6.0, 5.0), (11.0, 6.0)),
        ((6.0, 6.0), (7.0, 9.0)),
        ((7.0, 8.0), (11.0, 9.0)),
        ((10.0, 6.0), (11.0, 8.0)),
    )
    text = refusal(blocks(*RING, *wider, lengths=(14.0, 12.0)))
    assert "reach 2 pieces of the mesh, the largest at x = 8." in text
    assert "beside particle_0004, " in text


def test_a_wall_of_particles_cuts_off_electrons_behind_and_ions_before_it() -> None:
    text = refusal(blocks(*WALL))
    assert text.startswith("no electrons from the collector reach a piece of the mesh at x = 4.")
    # Electrons pass particles that conduct; ions never do.
    text = refusal(blocks(*WALL), particles_conduct=True)
    assert text.startswith("no ions from the lithium metal reach a piece of the mesh at x = 0.")
    text = refusal(blocks(*RING), particles_conduct=True)
    assert text.startswith("no ions from the lithium metal reach a piece of the mesh at x = 2.")


def test_a_particle_without_binder_is_refused() -> None:
    lost = ((6.5, 2.0), (7.5, 3.0))
    text = refusal(blocks(RING[0], lost))
    assert text.startswith("no carbon-binder domain touches a piece of the mesh at x = 6.")
    assert "(8 cells of particle_0001). Put some around it, or leave the particle out." in text
    # Lithium passes from particle to particle through facets that they share.
    require_reached(blocks(((1.0, 1.0), (6.0, 3.0)), ((6.0, 1.0), (7.0, 3.0))))
    assert refusal(blocks(((1.0, 1.0), (7.0, 3.0)), ((7.0, 3.0), (7.5, 4.0))))


def test_a_piece_of_a_particle_counts_by_itself() -> None:
    mesh = blocks(RING[0], ((6.5, 2.0), (7.5, 3.0)))
    cell_tags = np.where(mesh.cell_tags == 1001, 1000, mesh.cell_tags)
    one = MeshData.from_cells(mesh.points_um, mesh.cells, cell_tags, 1)
    assert "of particle_0000). Put some" in refusal(one)


def test_nothing_fixes_the_potential_of_a_pocket() -> None:
    from mpi4py import MPI

    largest = []
    for particles in (RING, RING[:3]):
        given = load_parameters(PRESET, ['protocol.steps=["charge at 2C for 1 s"]'])
        electrode = distribute(MPI.COMM_SELF, blocks(*particles))
        model = CellModel(electrode, given, np.ones(len(particles)))
        for _ in march(model.stepper(model.start()), given.protocol.steps, model.pace):
            pass
        largest.append(float(np.abs(model.layout.functions["phi_s"].x.array).max()))
    # In the binder it falls by some 0.03 mV; that of a pocket ends wherever iterations take it.
    assert largest[0] > 1e-2
    assert largest[1] < 1e-4


@pytest.fixture
def enclosed(tmp_path: Path) -> Path:
    write_msh(tmp_path / "enclosed.msh", blocks(*RING))
    return tmp_path / "enclosed.msh"


@pytest.mark.parametrize("words", [["check"], ["check", "--mesh"], ["run"], ["mesh"]], ids=str)
def test_every_command_refuses_it_in_one_line(
    words: list[str], enclosed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / ("new.msh" if words == ["mesh"] else "out")
    option = {"run": ["--out", str(out)], "mesh": ["-o", str(out)]}.get(words[0], [])
    own = settings(geometry__mesh_file=str(enclosed))
    assert main([words[0], str(PRESET), *words[1:], *own, *option]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert said.err.count("\n") == 1
    assert f"geometry.mesh_file = {enclosed}: {NEITHER}" in said.err
    assert not out.exists()


@pytest.mark.mpi
def test_every_number_of_ranks_says_the_same(
    enclosed: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    case = short_run("charge at C/2 for 1 s", geometry__mesh_file=str(enclosed))
    words = [*case, "--out", str(tmp_path / "out"), "--quiet"]
    assert main(words) == 2
    alone = capfd.readouterr().err
    assert NEITHER in alone
    for ranks in (2, 3):
        ended = subprocess.run(
            command(ranks, words),
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert ended.returncode == 2
        said = [line for line in ended.stderr.splitlines() if line.startswith("heterode")]
        assert said == [alone.strip()]
        assert not (tmp_path / "out").exists()


def test_what_electrons_pass_is_that_of_the_parameters(tmp_path: Path) -> None:
    write_msh(tmp_path / "wall.msh", blocks(*WALL))
    texts = []
    for own in ([], ["active_material.electronic_conduction_in_particles=true"]):
        given = load_parameters(PRESET, [f"geometry.mesh_file={tmp_path / 'wall.msh'}", *own])
        with pytest.raises(InputError) as caught:
            cache.mesh_for(given)
        texts.append(str(caught.value))
    assert "no electrons" in texts[0]
    assert "no ions" in texts[1]


def test_a_packed_mesh_with_a_pocket_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HETERODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache.meshing, "build_mesh", lambda *of: blocks(*RING))
    given = load_parameters(PRESET, ["geometry.particles=12"])
    with pytest.raises(InputError, match=rf"^{PRESET}: the particles .*{NEITHER}.*seeds\.packing"):
        cache.mesh_for(given)
    assert not list(tmp_path.rglob("*.msh"))


def test_an_image_with_a_pocket_is_refused_by_its_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skimage.io import imsave

    y, x = np.mgrid[:80, :120]
    discs = [np.hypot(x - at, y - 40) < 17 for at in (30, 85)]
    cells = np.select(discs, [7, 9], 0).astype(np.uint8)
    imsave(tmp_path / "cells.png", cells, check_contrast=False)
    given = load_parameters(PRESET)
    edges = (0.1, 0.1)
    made, _ = labels.mesh_image(tmp_path / "cells.png", edges, given)
    enclosed: ImageMesh = replace(made, mesh=blocks(APART, *WALL), labels=(1, 2))
    monkeypatch.setattr(labels, "mesh_labels", lambda *of: enclosed)
    with pytest.raises(InputError) as caught:
        labels.mesh_image(tmp_path / "cells.png", edges, given)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'cells.png'}: no electrons from the collector")
    assert "beside label 9). Raise geometry.minimum_gap" in text
