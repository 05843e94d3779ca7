"""What a mesh that does not serve its run is warned of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.paths import FIVE_DISCS, ROOT
from helpers.validity_cases import AUTOCATALYTIC, codes, given
from heterode.geometry import quality
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.msh import read_msh
from heterode.geometry.quality import mesh_quality, worst_cells
from heterode.validity import before_run, facts_of, valid_ranges


@pytest.fixture(scope="module")
def mesh() -> MeshData:
    return read_msh(FIVE_DISCS)


def squeezed(mesh: MeshData, height: float) -> MeshData:
    """The mesh with the most inward node of a cell in the separator moved near the cell's base."""
    points = mesh.points_um.copy()
    cells = mesh.cells[mesh.cell_tags == 2]
    count = np.bincount(mesh.cells[:, :3].ravel(), minlength=len(points))
    boundary = np.isclose(points, points.max(axis=0)) | np.isclose(points, 0.0)
    for cell in cells:
        a, b, c = cell[:3]
        if (
            count[a] > 4
            and not boundary[a].any()
            and points[a, 0] > mesh.coating_thickness_um + 0.5
        ):
            foot = 0.5 * (points[b] + points[c])
            points[a] = foot + height * (points[a] - foot)
            return MeshData.from_cells(points, mesh.cells[:, :3], mesh.cell_tags, 1)
    raise AssertionError("no such cell")


def test_the_worst_element_is_named_below_its_bound(mesh: MeshData) -> None:
    assert facts_of(mesh).warnings() == []
    straight = MeshData.from_cells(mesh.points_um, mesh.cells[:, :3], mesh.cell_tags, 1)
    assert facts_of(straight).warnings() == []
    (warning,) = facts_of(squeezed(mesh, 0.05)).warnings()
    assert warning.code == "mesh_quality"
    assert warning.value is not None
    assert warning.value < 10.0
    assert "angle" in warning.message
    assert "separator" in warning.message


def test_the_worst_cells_are_those_of_the_quality_table(
    mesh: MeshData, monkeypatch: pytest.MonkeyPatch
) -> None:
    solid = read_msh(ROOT / "meshes" / "spheres_3d.msh")
    for each in (mesh, solid):
        table = mesh_quality(each).domains
        expected = [(d.name, d.angle_min_deg, d.scaled_jacobian_min) for d in table]
        for at_once in (50, 10**6):
            monkeypatch.setattr(quality, "CELLS_AT_ONCE", at_once)
            found = worst_cells(each)
            assert [(w.name, w.angle_min_deg, w.scaled_jacobian_min) for w in found] == expected


def test_elements_are_as_large_as_they_are(mesh: MeshData) -> None:
    fine = facts_of(mesh)
    twice = facts_of(
        MeshData.from_cells(2.0 * mesh.points_um, mesh.cells, mesh.cell_tags, mesh.order)
    )
    assert 0.2e-6 < fine.element_size < 1.0e-6
    assert twice.element_size == pytest.approx(2 * fine.element_size)


def test_a_mesh_is_judged_by_its_own_lengths(mesh: MeshData) -> None:
    facts = facts_of(mesh)
    thin = replace(facts, summary=replace(facts.summary, separator_thickness=1e-9))
    codes = [warning.code for warning in before_run(given(), thin).holding]
    assert codes == ["separator_thickness"]
    assert before_run(given(), facts_of(mesh)).holding == ()


def test_remedies_name_keys_that_have_an_effect() -> None:
    slow = ("active_material.diffusivity=1e-18 m^2/s", "separator.porosity=1e-30")
    p = given(*slow, f"geometry.mesh_file={FIVE_DISCS}")
    found = {w.code: w for w in before_run(p, facts_of(read_msh(FIVE_DISCS))).holding}
    packed = codes(given(*slow))
    for code in ("coarse_elements", "loss_separator"):
        assert "geometry.mesh_file" in found[code].message
        assert "geometry.mesh_file" in found[code].key
        # Negative control: without a mesh file it is what meshes that counts.
        assert "geometry.mesh_file" not in packed[code].message
    assert "surface_size_factor" not in found["coarse_elements"].message
    (unphysical,) = (v for v in valid_ranges(p) if "unphysical" in v.code)
    assert unphysical.key == "geometry.mesh_file"


def test_a_slow_double_layer_names_the_exchange_current_in_force() -> None:
    slow = "active_material.double_layer_capacitance=1000 F/m^2"
    small = "active_material.exchange_current_prefactor=1e-9 A/m^2"
    warning = codes(given(*AUTOCATALYTIC, small, slow))["double_layer_time"]
    assert "active_material.exchange_current_prefactor" in warning.message
    assert "rate_constant" not in warning.message
