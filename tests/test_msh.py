"""MSH files: round trip, other programs read them, foreign files are read, errors are one line."""

import numpy as np
import pytest

from helpers.paths import MESHES
from heterode.base.errors import InputError
from heterode.geometry import tags
from heterode.geometry.mesh_data import MeshData, facets_of
from heterode.geometry.msh import read_msh, write_msh
from heterode.geometry.msh_facets import check_facets

SINGLE = MESHES / "single_disc_2d.msh"
FIVE = MESHES / "five_discs_2d.msh"


def test_the_reference_meshes_are_what_they_say():
    single, five = read_msh(SINGLE), read_msh(FIVE)
    assert single.particles.radius_um == pytest.approx([2.5], rel=1e-5)
    assert single.particles.surface_um2 == pytest.approx([5.0 * np.pi], rel=1e-5)
    assert (single.coating_thickness_um, single.separator_thickness_um) == (10.0, 5.0)
    assert single.width_um == (10.0,)
    assert five.particles.radius_um == pytest.approx([2.3, 1.9, 2.6, 1.4, 1.2], rel=1e-4)
    assert five.particles.x_um == pytest.approx([2.6, 7.3, 4.4, 8.8, 9.1], abs=1e-4)
    assert single.order == five.order == 2


def test_a_written_mesh_reads_back_bit_for_bit(tmp_path):
    mesh = read_msh(FIVE)
    write_msh(tmp_path / "copy.msh", mesh)
    again = read_msh(tmp_path / "copy.msh")
    assert np.array_equal(again.points_um, mesh.points_um)
    assert np.array_equal(again.cells, mesh.cells)
    assert np.array_equal(again.cell_tags, mesh.cell_tags)
    assert again.particles == mesh.particles
    assert again.hash == mesh.hash
    assert list(tmp_path.iterdir()) == [tmp_path / "copy.msh"]


def straight(mesh: MeshData) -> MeshData:
    return MeshData.from_cells(mesh.points_um, mesh.cells[:, :3], mesh.cell_tags, 1)


def test_straight_meshes_are_read_too(tmp_path):
    write_msh(tmp_path / "straight.msh", straight(read_msh(FIVE)))
    mesh = read_msh(tmp_path / "straight.msh")
    assert mesh.order == 1
    assert mesh.cells.shape[1] == 3
    assert len(mesh.particles) == 5


def test_gmsh_reads_the_file_and_its_ascii_copy_is_the_same_mesh(tmp_path):
    import gmsh

    gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.open(str(FIVE))
        groups = {gmsh.model.getPhysicalName(*group) for group in gmsh.model.getPhysicalGroups()}
        gmsh.option.setNumber("Mesh.Binary", 0)
        gmsh.option.setNumber("Mesh.MshFileVersion", 4.1)
        gmsh.write(str(tmp_path / "ascii.msh"))
        gmsh.option.setNumber("Mesh.MshFileVersion", 2.2)
        gmsh.write(str(tmp_path / "old.msh"))
    finally:
        gmsh.finalize()
    particles = {tags.particle_name(i) for i in range(5)}
    assert groups == {*particles, "cbd", "separator", *tags.FACET_NAMES.values()}
    mesh, copy = read_msh(FIVE), read_msh(tmp_path / "ascii.msh")
    assert copy.particles.volume_um3 == pytest.approx(mesh.particles.volume_um3, rel=1e-12)
    assert copy.particles.surface_um2 == pytest.approx(mesh.particles.surface_um2, rel=1e-12)
    assert copy.cells.shape == mesh.cells.shape
    assert len(copy.hash) == 32
    with pytest.raises(InputError, match=r"MSH version 2\.2 .*allowed: 4\.1"):
        read_msh(tmp_path / "old.msh")


def test_meshio_reads_the_file():
    meshio = pytest.importorskip("meshio")
    mesh, other = read_msh(FIVE), meshio.read(FIVE)
    triangles = sum(len(block.data) for block in other.cells if block.type == "triangle6")
    assert triangles == len(mesh.cells)
    assert {"collector", "lithium", "walls", "interface", "particle_0004"} <= set(other.field_data)


def test_a_foreign_gmsh_model_with_the_same_groups_is_read(tmp_path):
    import gmsh

    gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        occ = gmsh.model.occ
        coating, separator = occ.addRectangle(2, 1, 0, 10, 10), occ.addRectangle(12, 1, 0, 4, 10)
        disc = occ.addDisk(7, 6, 0, 2, 2)
        occ.fragment([(2, coating), (2, separator)], [(2, disc)])
        occ.synchronize()
        add = gmsh.model.addPhysicalGroup
        area = {surface: occ.getMass(2, surface) for _, surface in gmsh.model.getEntities(2)}
        particle = min(area, key=area.get)
        middle = {s: occ.getCenterOfMass(2, s)[0] for s in area if s != particle}
        add(2, [particle], name="particle_0000")
        add(2, [min(middle, key=middle.get)], name="cbd")
        add(2, [max(middle, key=middle.get)], name="separator")
        ends = {c: occ.getCenterOfMass(1, c) for _, c in gmsh.model.getEntities(1)}
        add(1, [c for c, p in ends.items() if p[0] < 2.01], name="collector")
        add(1, [c for c, p in ends.items() if p[0] > 15.99], name="lithium")
        add(1, [c for c, p in ends.items() if p[1] < 1.01 or p[1] > 10.99], name="walls")
        add(1, [c for c, p in ends.items() if 4 < p[0] < 10 and 3 < p[1] < 9], name="interface")
        gmsh.option.setNumber("Mesh.MeshSizeMax", 0.8)
        gmsh.model.mesh.generate(2)
        gmsh.model.mesh.setOrder(2)
        gmsh.write(str(tmp_path / "foreign.msh"))
    finally:
        gmsh.finalize()
    mesh = read_msh(tmp_path / "foreign.msh")
    assert mesh.particles.x_um[0] == pytest.approx(5.0, abs=1e-4)
    assert mesh.particles.volume_um3[0] == pytest.approx(4.0 * np.pi, rel=1e-3)
    assert mesh.coating_thickness_um == pytest.approx(10.0)
    assert mesh.separator_thickness_um == pytest.approx(4.0)
    assert len(mesh.hash) == 32


def renamed(old: bytes, new: bytes):
    return lambda content: content.replace(b'"' + old + b'"', b'"' + new + b'"')


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda c: b"", "not a gmsh mesh"),
        (lambda c: b"PK\x03\x04 something else", "not a gmsh mesh"),
        (lambda c: c[: len(c) // 2], "cut short"),
        (lambda c: c[:-200], "cut short"),
        (lambda c: c.replace(b"$Nodes", b"$Noses"), "Nodes section"),
        (renamed(b"separator", b"spacer"), "no cells tagged 'separator'"),
        (renamed(b"particle_0000", b"grain"), "no cells tagged 'particle_0000'"),
        (renamed(b"particle_0003", b"grain"), "belong to none of the groups"),
        (renamed(b"particle_0003", b"particle_9"), "particle_0003"),
    ],
)
def test_a_bad_file_is_one_clear_line_with_a_remedy(tmp_path, change, named):
    path = tmp_path / "bad.msh"
    path.write_bytes(change(FIVE.read_bytes()))
    with pytest.raises(InputError, match=named) as caught:
        read_msh(path)
    assert str(path) in str(caught.value)
    assert "heterode mesh" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_truncation_and_random_damage_ends_in_an_input_error(tmp_path):
    content = FIVE.read_bytes()
    path = tmp_path / "bad.msh"
    random = np.random.default_rng(1)
    for length in random.integers(0, len(content) - 1, 40):
        path.write_bytes(content[:length])
        with pytest.raises(InputError):
            read_msh(path)
    for _ in range(60):
        damaged = bytearray(content)
        damaged[random.integers(400, len(content) - 20)] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        try:
            mesh = read_msh(path)
        except InputError:
            continue
        # Only what the mesh does not depend on (boxes, names' numbers, facets) may pass.
        assert np.array_equal(mesh.points_um, read_msh(FIVE).points_um)
        assert np.array_equal(mesh.cell_tags, read_msh(FIVE).cell_tags)


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_msh(tmp_path / "nowhere" / "mesh.msh", read_msh(SINGLE))


# -- facets follow from cells ------------------------------------------------------------------


def from_elsewhere(change=lambda content: content):
    """The five discs as another program would hand them on: without heterode's own section."""
    content = FIVE.read_bytes()
    begin, end = content.index(b"$Heterode"), content.index(b"$EndHeterode\n") + 13
    return change(content[:begin] + content[end:])


@pytest.mark.parametrize("group", tags.FACET_NAMES.values())
def test_facets_need_no_group(tmp_path, group):
    """Renamed, its facets are as good as absent."""
    path = tmp_path / "foreign.msh"
    path.write_bytes(from_elsewhere(renamed(group.encode(), b"x" * len(group))))
    mesh, whole = read_msh(path), read_msh(FIVE)
    assert np.array_equal(mesh.cells, whole.cells)
    assert mesh.particles == whole.particles
    for a, b in zip(
        *(facets_of(m.points_um, m.cells, m.cell_tags, m.order) for m in (mesh, whole)), strict=True
    ):
        assert np.array_equal(a, b)


def test_a_mesh_with_groups_of_cells_alone_is_the_same_electrode(tmp_path):
    whole = read_msh(FIVE)
    path = tmp_path / "cells.msh"
    names = [name.encode() for name in tags.FACET_NAMES.values()]

    def cut(content):
        for name in names:
            content = renamed(name, b"x" * len(name))(content)
        return content

    path.write_bytes(from_elsewhere(cut))
    write_msh(tmp_path / "again.msh", read_msh(path))
    again = read_msh(tmp_path / "again.msh")
    assert again.particles == whole.particles
    for name in names:
        assert b'"' + name + b'"' in (tmp_path / "again.msh").read_bytes()


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        (b"collector", b"interface", "its group 'collector' has .* facets that do not follow"),
        (b"lithium", b"natrium", None),
        (b"interface", b"particles", None),
    ],
)
def test_groups_of_facets_mean_what_follows_from_the_cells(tmp_path, first, second, named):
    """Two names that change places are refused; a name of no meaning is not."""
    path = tmp_path / "foreign.msh"
    marked = [(first, b"#" * len(first)), (second, first), (b"#" * len(first), second)]

    def swap(content):
        for old, new in marked:
            content = renamed(old, new)(content)
        return content

    path.write_bytes(from_elsewhere(swap))
    if named is None:
        assert len(read_msh(path).particles) == 5
        return
    with pytest.raises(InputError, match=named):
        read_msh(path)


def test_a_slab_the_wrong_way_round_is_refused(tmp_path):
    """With coating and separator exchanged, the collector would lie on the separator."""
    mesh = straight(read_msh(SINGLE))
    turned = mesh.points_um[:, :] * [-1.0, 1.0]
    back = MeshData.from_cells(turned, mesh.cells[:, ::-1], mesh.cell_tags, 1)
    with pytest.raises(InputError, match="Turn the mesh round"):
        check_facets(back, {})
    check_facets(mesh, {})


def test_ends_that_are_not_flat_are_refused():
    mesh = straight(read_msh(SINGLE))
    points = mesh.points_um.copy()
    low = points[:, 0] < 1e-6
    points[low, 0] = 0.05 * points[low, 1]
    bent = MeshData.from_cells(points, mesh.cells, mesh.cell_tags, 1)
    with pytest.raises(InputError, match="at the least x cover 0 of the slab's cross-section"):
        check_facets(bent, {})
