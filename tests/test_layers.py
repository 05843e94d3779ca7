"""Layers under the particles' surfaces: valid cells, nothing else moved, as thick as asked for."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from helpers.paths import FIVE_DISCS, MESHES
from heterode.geometry import tags
from heterode.geometry.layers import Layers, layer_counts, layered, spacing
from heterode.geometry.mesh_data import MeshData, facet_mates, facets_of
from heterode.geometry.msh import read_msh, write_msh
from heterode.geometry.simplex import FACETS, jacobian_range

SPHERES = MESHES / "spheres_3d.msh"
FEW = Layers(4, 0.05e-6, 2.0)


@cache
def mesh_of(name: str) -> MeshData:
    """A base mesh by name; "straight" is the five discs with their curved edges straightened."""
    if name == "spheres":
        return read_msh(SPHERES)
    discs = read_msh(FIVE_DISCS)
    if name == "curved":
        return discs
    return MeshData.from_cells(discs.points_um, discs.cells[:, :3], discs.cell_tags, 1)


KINDS = ("straight", "curved", "spheres")


def check_kept(base: MeshData, new: MeshData) -> None:
    """All that layers must keep: surfaces, domains, sizes, validity of cells, conformity."""
    assert new.layer_cells > 0
    assert np.all(jacobian_range(new.points_um, new.cells, new.order)[0] > 0.0)
    outside = base.cell_tags < tags.PARTICLE_OFFSET
    cells = new.cells[: new.base_cells]
    np.testing.assert_array_equal(cells[outside], base.cells[outside])
    used = np.unique(base.cells[outside])
    np.testing.assert_array_equal(new.points_um[used], base.points_um[used])
    np.testing.assert_array_equal(new.cell_tags[: new.base_cells], base.cell_tags)
    measured = MeshData.from_cells(new.points_um, new.cells, new.cell_tags, new.order).particles
    for size in ("volume_um3", "surface_um2"):
        np.testing.assert_allclose(getattr(measured, size), getattr(base.particles, size), 1e-12)
    # The surface itself is the same set of facets, and the box is as it was.
    surfaces = [facets_of(m.points_um, m.cells, m.cell_tags, m.order) for m in (base, new)]
    rows = [
        np.unique(np.sort(facets[kinds == tags.INTERFACE], axis=1), axis=0)
        for facets, kinds in surfaces
    ]
    np.testing.assert_array_equal(rows[0], rows[1])
    # facet_mates refuses facets of three cells; one with a single cell must be on the box.
    each = new.dimension + 1
    row = np.flatnonzero(facet_mates(new.cells, new.dimension) < 0)
    nodes = new.cells[row[:, None] // each, np.array(FACETS[new.dimension])[row % each]]
    places, top = new.points_um[nodes], new.points_um.max(axis=0)
    on_box = (places < 1e-9).all(axis=1) | (places > top - 1e-9).all(axis=1)
    assert on_box.any(axis=1).all()
    assert len(np.unique(new.cells)) == len(new.points_um)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_keep_all_but_the_inside(kind: str) -> None:
    base = mesh_of(kind)
    new, report = layered(base, FEW)
    check_kept(base, new)
    assert report.counts.max() >= 3
    assert len(report.thinner) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_mesh_with_layers_is_written_and_read(kind: str, tmp_path) -> None:
    new, _ = layered(mesh_of(kind), FEW)
    path = tmp_path / "layered.msh"
    write_msh(path, new)
    again = read_msh(path)
    np.testing.assert_array_equal(again.points_um, new.points_um)
    np.testing.assert_array_equal(again.cells, new.cells)
    assert again.hash == new.hash != mesh_of(kind).hash


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
