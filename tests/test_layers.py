"""Layers under the particles' surfaces: valid cells, nothing else moved, as thick as asked for."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from helpers.commands import command, environment, short_run
from helpers.geometry_cases import geometry, mesh_settings
from helpers.mapped_grid import Blocks, mapped_grid, straight
from helpers.paths import FIVE_DISCS, MESHES
from helpers.surroundings import PATIENCE
from heterode.accuracy.spacing import radial_mesh
from heterode.base.errors import InputError
from heterode.geometry import tags
from heterode.geometry.label_image import mesh_labels
from heterode.geometry.label_stack import mesh_stack
from heterode.geometry.layer_guard import Guard
from heterode.geometry.layers import core_sizes, layer_counts, layered, spacing
from heterode.geometry.mesh_data import MeshData, facet_mates, facets_of
from heterode.geometry.meshing import build_mesh
from heterode.geometry.msh import msh_bytes, read_msh, write_msh
from heterode.geometry.orientation import oriented
from heterode.geometry.outline import MeshSizes
from heterode.geometry.packing import pack
from heterode.geometry.quality import worst_cells
from heterode.geometry.simplex import FACETS, integrate_cells, jacobian_range
from heterode.parameters.layering import Layers
from heterode.results import read_history, read_manifest
from heterode.validity.mesh import facts_of

SPHERES = MESHES / "spheres_3d.msh"
FEW = Layers(4, 0.05e-6, 2.0)
DEEP = Layers(12, 0.03e-6, 1.5)

# Boxes that touch: face to face, partly, at an edge alone; at walls, and at the separator.
TOUCHING_2D = Blocks(
    (8.0, 6.0),
    6.0,
    (
        ((1.0, 1.0), (3.0, 4.0)),
        ((3.0, 2.0), (5.0, 5.0)),
        ((1.0, 4.0), (2.0, 5.0)),
        ((5.0, 0.0), (6.0, 2.0)),
    ),
)
TOUCHING_3D = Blocks(
    (5.0, 5.0, 6.0),
    5.0,
    (
        ((1.0, 1.0, 1.0), (3.0, 3.0, 3.0)),
        ((3.0, 1.0, 1.0), (4.0, 4.0, 3.0)),
        ((2.0, 3.0, 3.0), (3.0, 4.0, 4.0)),
        ((0.0, 3.0, 0.0), (2.0, 5.0, 2.0)),
        ((1.0, 1.0, 3.0), (2.0, 2.0, 5.0)),
    ),
)


def bent(points: np.ndarray) -> np.ndarray:
    """A map that bends everything but the outer faces."""
    bump = np.prod(np.sin(np.pi * points / points.max(axis=0)), axis=1)
    moved = points.copy()
    moved[:, 0] += 0.35 * bump
    moved[:, 1] -= 0.25 * bump
    return moved


def straightened(mesh: MeshData) -> MeshData:
    corners = mesh.cells[:, : mesh.dimension + 1]
    return MeshData.from_cells(mesh.points_um, corners, mesh.cell_tags, 1)


def upside_down(mesh: MeshData) -> MeshData:
    """The mesh mirrored along y, as another program may number it."""
    points = mesh.points_um * np.where(np.arange(mesh.dimension) == 1, -1.0, 1.0)
    cells = oriented(points, mesh.cells, mesh.order)
    return MeshData.from_cells(points, cells, mesh.cell_tags, mesh.order)


def cut_discs(order: int) -> MeshData:
    settings = geometry(
        walls="cut", particles=12, active_fraction=0.4, mesh=mesh_settings(order=order)
    )
    return build_mesh(pack(settings, 1), settings)


def image_of_discs() -> MeshData:
    """Two discs that touch in the image, and one cut by its border."""
    y, x = np.mgrid[:150, :200] * 0.1 + 0.05
    discs = [(5.0, 8.0, 3.5), (11.6, 8.0, 3.2), (17.0, 1.0, 3.0)]
    depth = np.array([r - np.hypot(x - a, y - b) for a, b, r in discs])
    labels = np.where(depth.max(axis=0) < 0.0, 0, 1 + depth.argmax(axis=0)).astype(np.int32)
    return mesh_labels(labels, 0.1, 8.0, 0.3, MeshSizes(0.35, 0.25, 2.0, 0.1, 3.0, 1)).mesh


def stack_of_two() -> MeshData:
    """Two ellipsoids of a label stack that touch face to face."""
    z, y, x = np.mgrid[:16, :16, :26] * 0.5 + 0.25
    depth = np.array(
        [
            1.0 - np.sqrt(((x - a) / b) ** 2 + ((y - 4.0) / 3.0) ** 2 + ((z - 4.0) / 2.5) ** 2)
            for a, b in ((4.0, 3.0), (9.2, 2.6))
        ]
    )
    labels = np.where(depth.max(axis=0) < 0.0, 0, 1 + depth.argmax(axis=0)).astype(np.int32)
    return mesh_stack(labels, (0.5,) * 3, 5.0, 0.5, mesh_settings(order=1)).mesh


MESHES_BY_NAME: dict[str, Callable[[], MeshData]] = {
    "straight": lambda: straightened(read_msh(FIVE_DISCS)),
    "curved": lambda: read_msh(FIVE_DISCS),
    "mirrored": lambda: upside_down(read_msh(FIVE_DISCS)),
    "cut": lambda: cut_discs(1),
    "cut and curved": lambda: cut_discs(2),
    "image": image_of_discs,
    "spheres": lambda: read_msh(SPHERES),
    "mirrored spheres": lambda: upside_down(read_msh(SPHERES)),
    "stack": stack_of_two,
    "touching": lambda: mapped_grid(TOUCHING_2D, 2, 1).data,
    "touching, bent": lambda: mapped_grid(TOUCHING_2D, 2, 1, bent).data,
    "touching, curved": lambda: mapped_grid(TOUCHING_2D, 2, 2, bent).data,
    "touching in 3D": lambda: mapped_grid(TOUCHING_3D, 2, 1, straight).data,
    "touching in 3D, bent": lambda: mapped_grid(TOUCHING_3D, 2, 1, bent).data,
    "touching in 3D, curved": lambda: mapped_grid(TOUCHING_3D, 1, 2, bent).data,
}
KINDS = tuple(MESHES_BY_NAME)
PACKED = ("straight", "curved", "mirrored", "spheres", "mirrored spheres")


@cache
def mesh_of(kind: str) -> MeshData:
    return MESHES_BY_NAME[kind]()


def unmatched(mesh: MeshData) -> int:
    """Number of facets of a single cell that are not on the box; more cells are refused."""
    each = mesh.dimension + 1
    row = np.flatnonzero(facet_mates(mesh.cells, mesh.dimension) < 0)
    nodes = mesh.cells[row[:, None] // each, np.array(FACETS[mesh.dimension])[row % each]]
    places, top = mesh.points_um[nodes], mesh.points_um.max(axis=0)
    on_box = (places < 1e-9).all(axis=1) | (places > top - 1e-9).all(axis=1)
    return int(np.sum(~on_box.any(axis=1)))


def interface(mesh: MeshData) -> np.ndarray:
    """Sorted nodes of the facets between particles and carbon-binder domain, sorted."""
    facets, kinds = facets_of(mesh.points_um, mesh.cells, mesh.cell_tags, mesh.order)
    return np.unique(np.sort(facets[kinds == tags.INTERFACE], axis=1), axis=0)


def check_kept(base: MeshData, new: MeshData) -> None:
    """Check what layers must keep: surfaces, domains, sizes, validity of cells, conformity."""
    assert new.layer_cells > 0
    assert np.all(jacobian_range(new.points_um, new.cells, new.order)[0] > 0.0)
    outside = base.cell_tags < tags.PARTICLE_OFFSET
    np.testing.assert_array_equal(new.cells[: new.base_cells][outside], base.cells[outside])
    used = np.unique(base.cells[outside])
    np.testing.assert_array_equal(new.points_um[used], base.points_um[used])
    np.testing.assert_array_equal(new.cell_tags[: new.base_cells], base.cell_tags)
    assert np.all(new.cell_tags[new.base_cells :] >= tags.PARTICLE_OFFSET)
    np.testing.assert_array_equal(interface(new), interface(base))
    assert new.particles == base.particles
    measured = MeshData.from_cells(new.points_um, new.cells, new.cell_tags, new.order)
    for size in ("volume_um3", "surface_um2"):
        found, expected = (getattr(m.particles, size) for m in (measured, base))
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    centres = [np.column_stack([m.particles.x_um, m.particles.y_um]) for m in (measured, base)]
    np.testing.assert_allclose(*centres, atol=1e-9)
    assert measured.width_um == base.width_um
    assert unmatched(new) == 0
    assert len(np.unique(new.cells)) == len(new.points_um)


@pytest.mark.parametrize("layers", [FEW, DEEP], ids=["few", "deep"])
@pytest.mark.parametrize("kind", KINDS)
def test_layers_keep_all_but_the_inside(kind: str, layers: Layers) -> None:
    base = mesh_of(kind)
    new, report = layered(base, layers)
    check_kept(base, new)
    assert report.counts.max() >= (3 if kind in PACKED else 1)
    assert report.cells == new.layer_cells
    again, _ = layered(base, layers)
    assert msh_bytes(again) == msh_bytes(new)


def heights(base: MeshData, new: MeshData) -> tuple[np.ndarray, np.ndarray]:
    """Height in um of the layers' cell below each facet of the surface, and its particle."""
    each = new.dimension + 1
    mates = facet_mates(new.cells, new.dimension)
    own = np.repeat(new.cell_tags, each)
    rows = np.flatnonzero((own >= tags.PARTICLE_OFFSET) & (mates >= 0))
    rows = rows[new.cell_tags[mates[rows] // each] == tags.CBD]
    rows = rows[rows // each >= new.base_cells]
    corners = new.cells[:, :each]
    facets = corners[rows[:, None] // each, np.array(FACETS[new.dimension])[rows % each]]
    area, _ = integrate_cells(new.points_um, facets, 1)
    volume, _ = integrate_cells(new.points_um, corners[rows // each], 1)
    return new.dimension * volume / area, own[rows] - tags.PARTICLE_OFFSET


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_layer_is_as_thick_as_the_report_says(kind: str) -> None:
    base = mesh_of(kind)
    new, report = layered(base, DEEP)
    height, particle = heights(base, new)
    share = height / (1e6 * DEEP.first)
    # Bent boxes have no facets at right angles, and their corners a mean thickness.
    # So have the nodes of a stack on the rounded edges of its contacts.
    tolerance = 0.1 if "touching" in kind or kind == "stack" else 0.05
    for number in np.flatnonzero(report.counts):
        found = share[particle == number]
        if number in report.thinner:
            assert report.least[number] - 1e-12 < report.mean[number] < 1.0 - 1e-6
            assert found.max() < 1.0 + tolerance
            assert found.min() < 0.97 or report.least[number] == 0.0
        else:
            assert found == pytest.approx(1.0, abs=tolerance)
    assert report.counts.any()
    if kind in PACKED:
        assert len(report.thinner) == 0
    if kind.startswith("touching"):
        # Where particles touch, a surface ends at a corner that must stay.
        assert report.least[0] == 0.0 < report.mean[0]
        assert re.search(
            r"thinner somewhere on \d particles, most on .* 0 % where they are thinnest",
            report.text(),
        )


@pytest.mark.parametrize("kind", ["cut and curved", "image", "stack", "touching in 3D, bent"])
def test_without_the_guard_cells_turn_inside_out(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def content(guard: Guard, rings: object, depths: object, moved: np.ndarray, *_: object):
        return np.zeros_like(moved)

    thick = Layers(60, 0.03e-6, 1.0)
    check_kept(mesh_of(kind), layered(mesh_of(kind), thick)[0])
    # The thickness that is asked for, whatever becomes of the cells.
    monkeypatch.setattr(Guard, "corners_at_fault", content)
    new, _ = layered(mesh_of(kind), thick)
    assert np.any(jacobian_range(new.points_um, new.cells, new.order)[0] <= 0.0)


def test_a_missing_cell_and_a_moved_node_would_be_seen() -> None:
    base = mesh_of("spheres")
    new, _ = layered(base, FEW)
    less = MeshData.from_cells(new.points_um, new.cells[:-1], new.cell_tags[:-1], 1)
    assert unmatched(less) > 0
    points = new.points_um.copy()
    points[interface(base)[0, 0]] *= 1.0 + 1e-9
    moved = MeshData.from_cells(points, new.cells, new.cell_tags, 1).particles
    assert np.abs(moved.volume_um3 / base.particles.volume_um3 - 1.0).max() > 1e-12


@pytest.mark.parametrize("kind", ["curved", "spheres", "touching in 3D, curved"])
def test_a_mesh_with_layers_is_written_and_read(kind: str, tmp_path: Path) -> None:
    new, _ = layered(mesh_of(kind), FEW)
    path = tmp_path / "layered.msh"
    write_msh(path, new)
    again = read_msh(path)
    np.testing.assert_array_equal(again.points_um, new.points_um)
    np.testing.assert_array_equal(again.cells, new.cells)
    assert again.hash == new.hash
    assert again.layer_cells == new.layer_cells
    with pytest.raises(InputError, match="has layers under the particles' surfaces already"):
        layered(again, FEW)
    content = path.read_bytes().replace(b"\nlayers ", b"\nlayers 9")
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_msh(path)


def test_the_hash_tells_base_and_layers_apart() -> None:
    discs, spheres = mesh_of("curved"), mesh_of("spheres")
    choices = [FEW, Layers(5, 0.05e-6, 2.0), Layers(4, 0.06e-6, 2.0), Layers(4, 0.05e-6, 1.9)]
    names = [layered(mesh, layers)[0].hash for mesh in (discs, spheres) for layers in choices]
    assert len({*names, discs.hash, spheres.hash}) == 10
    same, report = layered(discs, Layers(4, 1.0, 2.0))
    assert same is discs
    assert report.text() == "no layers"


def test_layers_are_no_bad_elements() -> None:
    base = mesh_of("spheres")
    new, _ = layered(base, Layers(6, 0.005e-6, 2.0))
    assert not facts_of(new).warnings()
    assert facts_of(new).element_size == facts_of(base).element_size
    np.testing.assert_array_equal(core_sizes(new), core_sizes(base))
    judged = MeshData.from_cells(new.points_um, new.cells, new.cell_tags, 1)
    assert facts_of(judged).warnings()
    angles = [[d.angle_min_deg for d in worst_cells(mesh)] for mesh in (base, new)]
    assert angles[1][1:] == angles[0][1:]
    assert angles[1][0] > 0.5 * angles[0][0]


def test_layers_stop_at_the_core() -> None:
    layers = Layers(10, 0.02e-6, 2.0)
    radii, sizes = np.array([0.5e-6, 2.5e-6, 5e-6]), np.array([0.15e-6, 0.8e-6, 1.5e-6])
    counts = layer_counts(radii, sizes, layers)
    assert list(counts) == [3, 5, 6]
    for radius, core, count in zip(radii, sizes, counts, strict=True):
        nodes = spacing(radius, core, layers)
        steps = np.diff(nodes)
        assert (nodes[0], nodes[-1]) == (0.0, radius)
        np.testing.assert_allclose(steps[::-1][:count], layers.thicknesses[:count], rtol=1e-9)
        assert np.all(steps[:-count] >= steps[-count] * (1 - 1e-9))
        assert nodes[-1 - count] >= 0.4 * radius
    # Deep in small particles the radius is the limit, and not the core.
    thin = Layers(50, 0.02e-6, 1.0)
    assert list(layer_counts(radii, 1e3 * sizes, thin)[:1]) == [15]
    assert spacing(1.0, 0.3, None) == pytest.approx([0.0, 0.4, 0.7, 1.0])


@pytest.mark.parametrize("kind", ["touching", "touching in 3D, bent"])
def test_layers_that_end_at_contacts_are_measured_as_they_are(kind: str) -> None:
    new, report = layered(mesh_of(kind), FEW)
    assert report.ending[:2].all()
    radii = radial_mesh(new, report).ends[0]
    assert 1e6 * np.diff(radii)[-1] == pytest.approx(0.05 * report.mean[0])
    assert 1e6 * np.diff(radii)[0] > 0.15
    # By shells the core, which touches the surface, seems as fine as the first layer.
    assert len(radial_mesh(new).ends[0]) > 2 * len(radii)
    packed, whole = layered(mesh_of("curved"), FEW)
    assert not whole.ending.any()
    for one, other in zip(radial_mesh(packed, whole).ends, radial_mesh(packed).ends, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.mpi
def test_one_and_two_ranks_agree_on_layers(tmp_path: Path) -> None:
    case = short_run("charge at C/2 for 1 min", solver__layers="5", solver__linear_solver="direct")
    voltages, layers, hashes = [], [], []
    for ranks in (1, 2):
        folder = tmp_path / f"on_{ranks}"
        words = command(ranks, [*case, "--out", folder, "--quiet"])
        subprocess.run(words, env=environment(), check=True, timeout=PATIENCE)
        manifest = read_manifest(folder / "manifest.json")
        voltages.append(read_history(folder)["voltage_V"].to_numpy())
        layers.append(manifest["accuracy"]["layers"])
        hashes.append(manifest["mesh_hash"])
    np.testing.assert_allclose(voltages[1], voltages[0], atol=1e-8)
    assert layers[0] == layers[1]
    assert layers[0]["cells"] > 500
    assert hashes[0] == hashes[1] != mesh_of("curved").hash
