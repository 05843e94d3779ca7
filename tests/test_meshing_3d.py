"""Tetrahedra: exact volumes (uncorrected hulls must fail), surfaces, closed interfaces, cuts."""

from math import pi

import numpy as np
import pytest

from helpers.geometry_cases import geometry, mesh_settings
from helpers.paths import MESHES
from heterode.geometry import tags
from heterode.geometry.mesh_data import facets_of
from heterode.geometry.meshing import build_mesh
from heterode.geometry.msh import read_msh
from heterode.geometry.packing import Packing, pack
from heterode.geometry.polishing import polish
from heterode.geometry.quality import mesh_quality
from heterode.geometry.simplex import integrate_cells, tetrahedron_sicn
from heterode.geometry.spheres import ROOM, SphereSurfaces

VOLUME_TOLERANCE = 2e-3
SURFACE_TOLERANCE = 1e-2
SETTINGS = mesh_settings(maximum_size=1.5e-6)


@pytest.fixture(scope="module", params=["inside", "cut"])
def meshed(request):
    fraction = {"inside": 0.35, "cut": 0.55}[request.param]
    chosen = geometry(
        dimension=3,
        particles=30,
        active_fraction=fraction,
        walls=request.param,
        coating_thickness=20e-6,
        separator_thickness=8e-6,
        mesh=SETTINGS,
    )
    packing = pack(chosen, 1)
    return packing, build_mesh(packing, chosen)


def is_whole(packing):
    return packing.volumes_um3() > (1.0 - 1e-9) * 4.0 / 3.0 * pi * packing.radii_um**3


def test_every_particle_is_tagged_and_has_its_volume_and_surface(meshed):
    packing, mesh = meshed
    count = len(packing.radii_um)
    assert list(np.unique(mesh.cell_tags)) == [1, 2, *range(1000, 1000 + count)]
    error = mesh.particles.volume_um3 / packing.volumes_um3() - 1.0
    assert np.abs(error).max() < 1e-6
    whole = is_whole(packing)
    surface = mesh.particles.surface_um2[whole] / (4.0 * pi * packing.radii_um[whole] ** 2)
    assert np.abs(surface - 1.0).max() < SURFACE_TOLERANCE
    centres = np.column_stack([mesh.particles.x_um, mesh.particles.y_um, mesh.particles.z_um])
    assert np.abs(centres - packing.centres_um)[whole].max() < 0.02
    assert np.all(centres > 0.0)


def hull_errors(packing, raise_nodes):
    maker = SphereSurfaces(packing, 0.35, 1.5, 0.15)
    errors = []
    for index in np.flatnonzero(is_whole(packing)):
        surface = maker.make(int(index), raise_nodes)
        a, b, c = (surface.points[surface.triangles[:, k]] for k in range(3))
        volume = np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0
        errors.append(volume / packing.volumes_um3()[index] - 1.0)
    return np.array(errors)


def test_hulls_without_correction_fail_the_volume_check(meshed):
    packing, _ = meshed
    assert np.abs(hull_errors(packing, True)).max() < VOLUME_TOLERANCE
    assert hull_errors(packing, False).max() < -VOLUME_TOLERANCE


def test_raised_nodes_leave_half_of_a_narrow_gap():
    centres = np.array([[5.0, 5.0, 3.0], [5.0, 5.0, 8.02]])
    packing = Packing(centres, np.array([2.5, 2.5]), (10.0, 10.0), 12.0, 0.02, "inside", 2)
    maker = SphereSurfaces(packing, 0.35, 1.5, 0.15)
    heights = [
        np.linalg.norm(maker.make(index).points - centres[index], axis=1) - 2.5 for index in (0, 1)
    ]
    others = [
        np.linalg.norm(maker.make(index).points - centres[1 - index], axis=1) - 2.5
        for index in (0, 1)
    ]
    for height, other in zip(heights, others, strict=True):
        assert height.max() > 0.01
        assert np.all(other > 0.5 * (0.02 + height.min()) * (1.0 - ROOM))
        assert height[np.argmin(other)] < 0.5 * height.max()


def test_domains_fill_the_box(meshed):
    packing, mesh = meshed
    measure, _ = integrate_cells(mesh.points_um, mesh.cells, 1)
    face = packing.width_um[0] ** 2
    assert mesh.coating_thickness_um == pytest.approx(20.0, rel=1e-12)
    assert mesh.separator_thickness_um == pytest.approx(8.0, rel=1e-12)
    assert mesh.width_um == pytest.approx(packing.width_um, rel=1e-12)
    assert measure.sum() == pytest.approx(28.0 * face, rel=1e-10)
    assert measure[mesh.cell_tags == tags.SEPARATOR].sum() == pytest.approx(8.0 * face, rel=1e-10)


def test_the_boundary_of_every_particle_is_watertight(meshed):
    packing, mesh = meshed
    facets, kinds = facets_of(mesh.points_um, mesh.cells, mesh.cell_tags, 1)
    faces = np.sort(facets[kinds == tags.INTERFACE], axis=1)
    # Edges of the interface belong to two facets, but to one on the border of a cut.
    edges = np.sort(faces[:, [[0, 1], [1, 2], [0, 2]]].reshape(-1, 2), axis=1)
    found, count = np.unique(edges, axis=0, return_counts=True)
    assert set(count) <= {1, 2}
    rim = mesh.points_um[found[count == 1]]
    width = mesh.width_um[0]
    on_wall = ((rim[:, :, :2] < 1e-9) | (rim[:, :, :2] > width - 1e-9)).any(axis=2)
    assert np.all(on_wall)
    assert (packing.walls == "cut") == bool(len(rim))
    area, _ = integrate_cells(mesh.points_um, facets, 1)
    for tag, expected in (
        (tags.COLLECTOR, width**2),
        (tags.LITHIUM, width**2),
        (tags.WALLS, 4.0 * 28.0 * width),
        (tags.INTERFACE, mesh.particles.surface_um2.sum()),
    ):
        assert area[kinds == tag].sum() == pytest.approx(expected, rel=1e-10)


def test_pieces_of_a_sphere_add_up(meshed):
    packing, mesh = meshed
    whole = 4.0 / 3.0 * pi * packing.radii_um[: packing.whole] ** 3
    assert mesh.particles.volume_um3.sum() == pytest.approx(whole.sum(), rel=1e-6)


def test_every_cell_is_well_shaped(meshed):
    packing, mesh = meshed
    quality = mesh_quality(mesh, packing.volumes_um3())
    for domain in quality.domains:
        assert domain.sicn_min > 0.1
        assert domain.gamma_min > 0.02
    assert "largest error of a particle's volume" in quality.text()


def test_polishing_betters_a_sliver_and_keeps_what_is_fixed():
    mesh = read_msh(MESHES / "spheres_3d.msh")
    table = mesh.particles
    centres = np.column_stack([table.x_um, table.y_um, table.z_um])
    points = mesh.points_um.copy()
    inner = np.linalg.norm(points - centres[0], axis=1) < 0.5 * table.radius_um[0]
    node = int(np.flatnonzero(inner)[0])
    star = mesh.cells[(mesh.cells == node).any(axis=1)]
    other = points[np.setdiff1d(star, [node])[0]]
    points[node] += 0.9 * (other - points[node])
    before = tetrahedron_sicn(points[mesh.cells]).min()
    after = polish(points, mesh.cells, mesh.cell_tags, centres, 0.2)
    assert before < 0.1
    assert tetrahedron_sicn(after[mesh.cells]).min() > 2.0 * max(before, 0.0)
    on_box = (points < 1e-9).any(axis=1)
    assert np.array_equal(after[on_box], points[on_box])


def test_quality_of_an_equilateral_tetrahedron_is_one():
    corners = np.array([[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]], dtype=float)[None]
    assert abs(tetrahedron_sicn(corners)[0]) == pytest.approx(1.0, rel=1e-12)
    assert tetrahedron_sicn(corners)[0] == -tetrahedron_sicn(corners[:, [0, 2, 1, 3]])[0]


def test_the_reference_mesh_holds_a_whole_sphere_and_cut_ones():
    mesh = read_msh(MESHES / "spheres_3d.msh")
    assert mesh.dimension == 3
    assert mesh.order == 1
    assert len(mesh.particles) == 5
    assert mesh.particles.volume_um3[0] == pytest.approx(4.0 / 3.0 * pi * 2.0**3, rel=1e-6)
    assert mesh.particles.volume_um3[3:].sum() == pytest.approx(4.0 / 3.0 * pi * 1.5**3, rel=1e-6)
    assert min(domain.sicn_min for domain in mesh_quality(mesh).domains) > 0.15


@pytest.mark.slow
@pytest.mark.parametrize(("fraction", "walls"), [(0.53, "inside"), (0.60, "cut")])
def test_a_thousand_spheres(fraction, walls):
    chosen = geometry(
        dimension=3,
        particles=1000,
        active_fraction=fraction,
        walls=walls,
        coating_thickness=60e-6,
        mesh=SETTINGS,
    )
    packing = pack(chosen, 1)
    quality = mesh_quality(build_mesh(packing, chosen), packing.volumes_um3())
    assert min(domain.sicn_min for domain in quality.domains) > 0.1
    assert quality.area_error_max < 1e-6
