"""Meshing: areas (straight edges must fail), tags, closed interfaces, valid curved cells."""

from math import pi

import numpy as np
import pytest

from helpers.geometry_cases import geometry, mesh_settings
from heterode.base.errors import InputError
from heterode.geometry import tags
from heterode.geometry.mesh_data import MeshData, facets_of
from heterode.geometry.meshing import MeshSizes, Slab, build_mesh, mesh_slab
from heterode.geometry.packing import pack
from heterode.geometry.quality import mesh_quality
from heterode.geometry.simplex import integrate_cells, jacobian_range

AREA_TOLERANCE = 1e-3


@pytest.fixture(scope="module", params=["inside", "cut"])
def meshed(request):
    chosen = geometry(walls=request.param, active_fraction=0.6, minimum_gap=0.05e-6)
    packing = pack(chosen, 2)
    return packing, build_mesh(packing, chosen)


def test_every_particle_is_tagged_and_has_its_area(meshed):
    packing, mesh = meshed
    count = len(packing.radii_um)
    present = np.unique(mesh.cell_tags)
    assert list(present) == [1, 2, *range(1000, 1000 + count)]
    assert len(mesh.particles) == count
    error = mesh.particles.volume_um3 / packing.volumes_um3() - 1.0
    assert np.abs(error).max() < AREA_TOLERANCE


def test_straight_edges_fail_the_area_check():
    chosen = geometry(mesh=mesh_settings(order=1))
    packing = pack(chosen, 2)
    mesh = build_mesh(packing, chosen)
    error = mesh.particles.volume_um3 / packing.volumes_um3() - 1.0
    assert error.max() < -AREA_TOLERANCE


def test_domains_fill_the_slab(meshed):
    packing, mesh = meshed
    measure, _ = integrate_cells(mesh.points_um, mesh.cells, mesh.order)
    assert mesh.coating_thickness_um == pytest.approx(46.0, rel=1e-12)
    assert mesh.separator_thickness_um == pytest.approx(25.0, rel=1e-12)
    assert mesh.width_um[0] == pytest.approx(packing.width_um[0], rel=1e-12)
    assert measure.sum() == pytest.approx(71.0 * mesh.width_um[0], rel=1e-12)
    separator = measure[mesh.cell_tags == tags.SEPARATOR].sum()
    assert separator == pytest.approx(25.0 * mesh.width_um[0], rel=1e-12)


def test_interfaces_are_closed_round_every_particle(meshed):
    packing, mesh = meshed
    facets, kinds = facets_of(mesh.points_um, mesh.cells, mesh.cell_tags, mesh.order)
    ends = facets[np.isin(kinds, [tags.INTERFACE])][:, :2].ravel()
    touching = np.bincount(ends, minlength=len(mesh.points_um))
    y = mesh.points_um[:, 1]
    on_wall = (y < 1e-9) | (y > mesh.width_um[0] - 1e-9)
    assert set(touching[~on_wall]) == {0, 2}
    assert set(touching[on_wall]) <= {0, 1}
    whole = packing.volumes_um3() > 0.999 * pi * packing.radii_um**2
    surface = mesh.particles.surface_um2[whole] / (2.0 * pi * packing.radii_um[whole])
    assert np.abs(surface - 1.0).max() < AREA_TOLERANCE
    # Half-moons: the arc counts, the cut does not.
    assert np.all(mesh.particles.surface_um2[~whole] < 2.0 * pi * packing.radii_um[~whole])


def test_outer_facets_carry_their_names(meshed):
    _, mesh = meshed
    facets, kinds = facets_of(mesh.points_um, mesh.cells, mesh.cell_tags, mesh.order)
    length, _ = integrate_cells(mesh.points_um, facets, mesh.order)
    for tag, expected in (
        (tags.COLLECTOR, mesh.width_um[0]),
        (tags.LITHIUM, mesh.width_um[0]),
        (tags.WALLS, 2.0 * 71.0),
        (tags.INTERFACE, mesh.particles.surface_um2.sum()),
    ):
        assert length[kinds == tag].sum() == pytest.approx(expected, rel=1e-12)


def test_centroids_are_those_of_the_pieces(meshed):
    packing, mesh = meshed
    whole = packing.volumes_um3() > 0.999 * pi * packing.radii_um**2
    centres = np.column_stack([mesh.particles.x_um, mesh.particles.y_um])
    assert np.abs(centres - packing.centres_um)[whole].max() < 1e-3
    assert centres[:, 1].min() > 0.0
    assert centres[:, 1].max() < mesh.width_um[0]
    assert np.all(mesh.particles.z_um == 0.0)


def test_every_curved_cell_is_valid_and_well_shaped(meshed):
    packing, mesh = meshed
    quality = mesh_quality(mesh, packing.volumes_um3())
    for domain in quality.domains:
        assert domain.scaled_jacobian_min > 0.1
        assert domain.sicn_min > 0.1
        assert domain.angle_min_deg > 3.0
    assert sum(domain.cells for domain in quality.domains) == len(mesh.cells)
    assert quality.area_error_max < AREA_TOLERANCE
    assert f"{len(mesh.particles)} particles" in quality.text()


def test_a_narrow_gap_anywhere_along_a_wide_slab_is_refined():
    # A gap that falls between two samples of the collector's line would leave needles there.
    centres = np.array([[2.55, 301.3], [2.55, 777.7], [2.55, 1444.1]])
    slab = Slab(centres, np.full(3, 2.5), 10.0, 5.0, 2000.0)
    quality = mesh_quality(mesh_slab(slab, MeshSizes(0.35, 0.5, 3.0, 0.15, 4.0, 2)))
    assert quality.domains[1].sicn_min > 0.25


def test_quality_of_an_equilateral_triangle_is_one_and_a_folded_cell_is_seen():
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
    middle = 0.5 * (corners + np.roll(corners, -1, axis=0))
    points = np.concatenate([corners, middle])
    cell = np.arange(6)[None]
    low, high = jacobian_range(points, cell, 2)
    assert low[0] == pytest.approx(np.sqrt(0.75))
    assert high[0] == pytest.approx(np.sqrt(0.75))
    points[3, 1] += 0.6
    assert jacobian_range(points, cell, 2)[0][0] < 0.0


def test_quadrature_integrates_a_curved_area_exactly():
    # The unit square under the map (u, v) -> (u, v + u (1 - u) / 2) of its lower triangle.
    points = np.array([[0, 0], [1, 0], [0, 1], [0.5, 0], [0.5, 0.5], [0, 0.5]], dtype=float)
    points[3, 1] = -0.25
    area, moment = integrate_cells(points, np.arange(6)[None], 2)
    assert area[0] == pytest.approx(0.5 + 2.0 / 3.0 * 0.25, rel=1e-14)
    assert moment[0, 0] / area[0] < 0.5


def test_a_mesh_may_start_anywhere_and_may_hold_unused_points():
    slab = Slab(np.array([[5.0, 5.0]]), np.array([2.5]), 10.0, 5.0, 10.0)
    mesh = mesh_slab(slab, MeshSizes(0.5, 0.5, 3.0, 0.1, 3.0, 2))
    moved = np.concatenate([[[50.0, 50.0]], mesh.points_um + np.array([-7.0, 3.0])])
    again = MeshData.from_cells(moved, mesh.cells + 1, mesh.cell_tags, 2)
    assert np.abs(again.points_um - mesh.points_um).max() < 1e-12
    assert again.particles.x_um[0] == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (lambda t: np.where(t == 1000, 1001, t), "particle_0000"),
        (lambda t: np.where(t == tags.SEPARATOR, tags.CBD, t), "separator"),
        (lambda t: np.where(t >= 1000, tags.CBD, t), "no particles"),
        (lambda t: np.where(t >= 1000, 7, t), "unknown tag 7"),
    ],
)
def test_a_mesh_without_a_domain_is_refused(changed, named):
    slab = Slab(np.array([[5.0, 5.0]]), np.array([2.5]), 10.0, 5.0, 10.0)
    mesh = mesh_slab(slab, MeshSizes(0.5, 0.5, 3.0, 0.1, 3.0, 2))
    with pytest.raises(InputError, match=named):
        MeshData.from_cells(mesh.points_um, mesh.cells, changed(mesh.cell_tags), 2)


def test_gmsh_is_left_as_it_was_found():
    import gmsh

    slab = Slab(np.array([[5.0, 5.0]]), np.array([2.5]), 10.0, 5.0, 10.0)
    mesh_slab(slab, MeshSizes(0.5, 0.5, 3.0, 0.1, 3.0, 2))
    assert not gmsh.isInitialized()
    gmsh.initialize(interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.option.setNumber("Mesh.Algorithm", 5)
        gmsh.model.add("mine")
        mesh_slab(slab, MeshSizes(0.5, 0.5, 3.0, 0.1, 3.0, 2))
        assert gmsh.isInitialized()
        assert gmsh.model.getCurrent() == "mine"
        assert gmsh.option.getNumber("Mesh.Algorithm") == 5
    finally:
        gmsh.finalize()
