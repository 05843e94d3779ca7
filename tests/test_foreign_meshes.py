"""Meshes from other programs: cells numbered in any sense, groups that are missing or misnamed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.paths import FIVE_DISCS, MESHES
from heterode.base.errors import InputError
from heterode.geometry import tags
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.msh import msh_bytes, read_msh
from heterode.geometry.orientation import folded_facets, oriented
from heterode.geometry.simplex import EDGES, node_count

FIVE = FIVE_DISCS
SPHERES = MESHES / "spheres_3d.msh"


def mirrored(cells: np.ndarray, dimension: int) -> np.ndarray:
    """The same cells with two corners exchanged, and the edge nodes that go with them."""
    corners = {2: (1, 0, 2), 3: (1, 0, 2, 3)}[dimension]
    if cells.shape[1] == dimension + 1:
        return cells[:, corners]
    pairs = [tuple(sorted(pair)) for pair in EDGES[dimension]]
    edges = [pairs.index(tuple(sorted((corners[a], corners[b])))) for a, b in EDGES[dimension]]
    return cells[:, [*corners, *(dimension + 1 + edge for edge in edges)]]


def of_order(source: Path, order: int) -> MeshData:
    """The mesh in `source`, its edges straight; of order 2 with nodes amid the edges."""
    mesh = read_msh(source)
    corners = mesh.cells[:, : mesh.dimension + 1]
    if order == 1:
        return MeshData.from_cells(mesh.points_um, corners, mesh.cell_tags, 1)
    pairs = np.sort(np.stack([corners[:, pair] for pair in EDGES[mesh.dimension]], axis=1), axis=2)
    edges, where = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
    points = np.concatenate([mesh.points_um, mesh.points_um[edges].mean(axis=1)])
    middle = len(mesh.points_um) + where.reshape(len(corners), -1)
    cells = np.concatenate([corners, middle], axis=1)
    assert cells.shape[1] == node_count(mesh.dimension, 2)
    return MeshData.from_cells(points, cells, mesh.cell_tags, 2)


def from_elsewhere(mesh: MeshData) -> bytes:
    content = msh_bytes(mesh)
    begin, end = content.index(b"$Heterode"), content.index(b"$EndHeterode\n") + 13
    return content[:begin] + content[end:]


@pytest.mark.parametrize("every", [1, 3], ids=["all", "a third"])
@pytest.mark.parametrize(
    ("source", "order"), [(FIVE, 1), (FIVE, 2), (SPHERES, 1), (SPHERES, 2)], ids=str
)
def test_cells_numbered_the_other_way_round_are_the_same_mesh(tmp_path, source, order, every):
    mesh = of_order(source, order) if (source, order) != (FIVE, 2) else read_msh(FIVE)
    cells = mesh.cells.copy()
    cells[::every] = mirrored(cells[::every], mesh.dimension)
    path = tmp_path / "clockwise.msh"
    path.write_bytes(from_elsewhere(replace(mesh, cells=cells)))
    with pytest.raises(InputError, match="turned inside out"):
        MeshData.from_cells(mesh.points_um, cells, mesh.cell_tags, order)
    found = read_msh(path)
    assert found.particles.volume_um3 == pytest.approx(mesh.particles.volume_um3, rel=1e-12)
    assert found.particles.surface_um2 == pytest.approx(mesh.particles.surface_um2, rel=1e-12)
    assert np.array_equal(np.sort(found.cells), np.sort(mesh.cells))


def test_cells_that_lie_over_each_other_are_refused(tmp_path):
    """A node pulled over the far side of its neighbours: turning the cell would hide it."""
    mesh = of_order(FIVE, 1)
    assert folded_facets(mesh.cells, 2) == 0
    points = mesh.points_um.copy()
    inner = np.setdiff1d(
        np.flatnonzero((points[:, 0] > 1.0) & (points[:, 0] < 9.0)),
        mesh.cells[mesh.cell_tags != tags.CBD].ravel(),
    )
    points[inner[0]] += 1.5
    assert folded_facets(oriented(points, mesh.cells, 1), 2) > 0
    path = tmp_path / "folded.msh"
    path.write_bytes(from_elsewhere(replace(mesh, points_um=points)))
    with pytest.raises(InputError, match=r"lie over each other at \d+ facets.*Mesh it again"):
        read_msh(path)


def test_folded_tetrahedra_are_seen():
    mesh = of_order(SPHERES, 1)
    assert folded_facets(mesh.cells, 3) == 0
    points = mesh.points_um.copy()
    inner = np.setdiff1d(np.unique(mesh.cells), np.unique(mesh.cells[mesh.cell_tags != tags.CBD]))
    points[inner[0]] += 5.0
    assert folded_facets(oriented(points, mesh.cells, 1), 3) > 0


def test_a_mesh_in_another_plane_is_refused(tmp_path):
    content = ascii_square(z=lambda x, y: x)
    path = tmp_path / "upright.msh"
    path.write_text(content)
    with pytest.raises(InputError, match=r"reach over 3 um along z .*plane of x and y"):
        read_msh(path)
    path.write_text(ascii_square(z=lambda x, y: 7.0))
    assert read_msh(path).points_um.shape[1] == 2


# A slab of 3 x 1 um: a particle between two pieces of carbon-binder domain, and a separator.
PARTS = {1: "cbd", 2: "particle_0000", 3: "cbd", 4: "separator"}


def ascii_square(names=None, z=lambda x, y: 0.0, groups=None, nodes=None, kind=2) -> str:
    """Four squares in a row, cut to triangles, as gmsh writes it in MSH 4.1.

    Args:
        names: by physical number, (dimension, name).
        z: of a point.
        groups: by entity, its physical numbers.
        nodes: the header's number of nodes.
        kind: element type: 2 triangles, 3 the squares as they are.
    """
    names = names or {1: (2, "cbd"), 2: (2, "particle_0000"), 3: (2, "separator")}
    groups = groups or {1: [1], 2: [2], 3: [1], 4: [3]}
    edges = [0.0, 1.0, 2.0, 2.5, 3.0]
    points = [(x, y) for x in edges for y in (0.0, 1.0)]
    lines = ["$MeshFormat", "4.1 0 8", "$EndMeshFormat", "$PhysicalNames", str(len(names))]
    lines += [f'{level} {number} "{name}"' for number, (level, name) in names.items()]
    lines += ["$EndPhysicalNames", "$Entities", "0 0 4 0"]
    for entity, physical in groups.items():
        lines.append(f"{entity} 0 0 0 3 1 0 {len(physical)} {' '.join(map(str, physical))} 0")
    count = len(points)
    lines += ["$EndEntities", "$Nodes", f"1 {nodes or count} 1 {count}", f"2 1 0 {count}"]
    lines += [str(n + 1) for n in range(count)]
    lines += [f"{x} {y} {z(x, y)}" for x, y in points]
    lines += ["$EndNodes", "$Elements", f"4 {8 if kind == 2 else 4} 1 8"]
    number = 0
    for entity in range(1, 5):
        a, b, c, d = (2 * entity - 1 + k for k in (0, 2, 3, 1))
        cells = [(a, b, c), (a, c, d)] if kind == 2 else [(a, b, c, d)]
        lines.append(f"2 {entity} {kind} {len(cells)}")
        for cell in cells:
            number += 1
            lines.append(f"{number} {' '.join(map(str, cell))}")
    return "\n".join([*lines, "$EndElements", ""])


NAMES = {1: (2, "cbd"), 2: (2, "particle_0000"), 3: (2, "separator")}
WRONG = {
    "cbd removed": ({2: NAMES[2], 3: NAMES[3]}, "no cells tagged 'cbd' .*without a name: 1"),
    "separator removed": ({1: NAMES[1], 2: NAMES[2]}, "no cells tagged 'separator' "),
    "particle removed": ({1: NAMES[1], 3: NAMES[3]}, "no cells tagged 'particle_0000' "),
    "all removed": ({9: (1, "walls")}, "no cells tagged 'cbd', 'separator', 'particle_0000'"),
    "cbd misspelt": (NAMES | {1: (2, "CBD")}, "'cbd'; is 'CBD' meant"),
    "separator misspelt": (NAMES | {3: (2, "seperator")}, "'separator'; is 'seperator' meant"),
    "particle misspelt": (
        NAMES | {2: (2, "Particle_0000")},
        "'particle_0000'; is 'Particle_0000' meant",
    ),
    "particle from 1": (NAMES | {2: (2, "particle_0001")}, "'particle_0000' .*from 0 up"),
    "cbd of curves": (NAMES | {1: (1, "cbd")}, r"'cbd' is one of curves \(dimension 1\)"),
    "separator of volumes": (NAMES | {3: (3, "separator")}, "'separator' is one of volumes"),
    "particle of curves": (NAMES | {2: (1, "particle_0000")}, "'particle_0000' is one of curves"),
    "cbd empty": (NAMES | {1: (2, "x"), 7: (2, "cbd")}, "the group 'cbd' is empty"),
    "separator empty": (NAMES | {3: (2, "x"), 7: (2, "separator")}, "'separator' is empty"),
    "particle empty": (NAMES | {2: (2, "x"), 7: (2, "particle_0")}, "'particle_0' is empty"),
    "particle of a huge number": (
        NAMES | {2: (2, "particle_99999999999999")},
        "no cells tagged 'particle_0000'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_the_groups_is_said(tmp_path, name):
    names, said = WRONG[name]
    path = tmp_path / "groups.msh"
    path.write_text(ascii_square(names))
    with pytest.raises(InputError, match=said) as caught:
        read_msh(path)
    message = str(caught.value)
    assert "needed: cbd, separator, particle_0000, particle_0001, ..." in message
    assert "triangles" in message
    assert "damaged" not in message
    assert "\n" not in message


def test_the_same_file_with_its_groups_is_read(tmp_path):
    path = tmp_path / "groups.msh"
    for number in ("particle_0000", "particle_0", "particle_00"):
        path.write_text(ascii_square(NAMES | {2: (2, number)}))
        mesh = read_msh(path)
        assert mesh.particles.volume_um3 == pytest.approx([1.0])
        assert mesh.separator_thickness_um == pytest.approx(0.5)


def test_numbers_of_groups_may_be_large(tmp_path):
    """The largest that gmsh has: a table by number would fill the memory."""
    most = 2**31 - 1
    names = {most: (2, "cbd"), 2: NAMES[2], 3: NAMES[3]}
    path = tmp_path / "groups.msh"
    path.write_text(ascii_square(names, groups={1: [most], 2: [2], 3: [most], 4: [3]}))
    assert read_msh(path).particles.volume_um3 == pytest.approx([1.0])


def test_a_cell_may_be_in_a_group_of_another_meaning_too(tmp_path):
    names = NAMES | {4: (2, "electrode")}
    groups = {1: [4, 1], 2: [2, 4], 3: [1, 4], 4: [3]}
    path = tmp_path / "groups.msh"
    path.write_text(ascii_square(names, groups=groups))
    assert read_msh(path).particles.volume_um3 == pytest.approx([1.0])
    path.write_text(ascii_square(names, groups=groups | {1: [1, 3]}))
    with pytest.raises(InputError, match="is in two groups, cbd and separator"):
        read_msh(path)
    path.write_text(ascii_square(NAMES | {4: (2, "particle_0")}, groups=groups))
    with pytest.raises(InputError, match="is in two groups, particle_0"):
        read_msh(path)


def test_two_names_of_one_particle_are_refused(tmp_path):
    path = tmp_path / "groups.msh"
    names, groups = NAMES | {4: (2, "particle_0")}, {1: [1], 2: [2], 3: [4], 4: [3]}
    path.write_text(ascii_square(names, groups=groups))
    with pytest.raises(InputError, match="two groups name particle 0: particle_0"):
        read_msh(path)


def test_quadrangles_are_named(tmp_path):
    path = tmp_path / "squares.msh"
    path.write_text(ascii_square(kind=3))
    with pytest.raises(InputError, match=r"holds quadrangles .*without recombining") as caught:
        read_msh(path)
    assert "damaged" not in str(caught.value)


def test_a_header_that_counts_other_nodes_hides_no_missing_group(tmp_path):
    """gmsh counts the nodes of a removed group twice, and the user is to learn of the group."""
    path = tmp_path / "groups.msh"
    path.write_text(ascii_square({2: NAMES[2], 3: NAMES[3]}, nodes=20))
    with pytest.raises(InputError, match="no cells tagged 'cbd'"):
        read_msh(path)
    path.write_text(ascii_square(nodes=20))
    with pytest.raises(InputError, match=r"damaged or cut short \(10 nodes instead of 20"):
        read_msh(path)
