"""The mesh cache: made once, reused when intact, keyed by everything that determines the mesh."""

from types import SimpleNamespace

import numpy as np
import pytest

from helpers.geometry_cases import mesh_settings, parameters
from helpers.paths import MESHES, PARAMS
from heterode.base.errors import InputError
from heterode.forecast.estimate import expected_unknowns
from heterode.forecast.regimes import expected_width
from heterode.geometry import cache
from heterode.geometry.quality import mesh_quality
from heterode.parameters import load_parameters


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HETERODE_CACHE", str(tmp_path))
    return tmp_path / "meshes"


def test_a_mesh_is_made_once_and_reused(folder, monkeypatch):
    chosen = parameters(particles=12)
    made = cache.mesh_for(chosen)
    assert [p.name for p in folder.iterdir()] == [f"{made.hash}.msh"]
    monkeypatch.setattr(cache, "pack", lambda *_: pytest.fail("packed again"))
    again = cache.mesh_for(chosen)
    assert again.hash == made.hash
    assert np.array_equal(again.points_um, made.points_um)
    assert np.array_equal(again.cells, made.cells)
    assert np.array_equal(again.cell_tags, made.cell_tags)
    assert again.particles == made.particles


@pytest.mark.parametrize("damage", ["cut short", "one bit"])
def test_a_damaged_cached_mesh_is_made_anew(folder, damage):
    chosen = parameters(particles=12)
    made = cache.mesh_for(chosen)
    path = folder / f"{made.hash}.msh"
    content = bytearray(path.read_bytes())
    if damage == "one bit":
        content[content.index(b"$EndNodes") - 12] ^= 1
    else:
        del content[len(content) // 2 :]
    path.write_bytes(content)
    again = cache.mesh_for(chosen)
    assert np.array_equal(again.points_um, made.points_um)
    assert path.read_bytes() != bytes(content)


def test_whatever_determines_the_mesh_changes_its_hash(tmp_path, monkeypatch):
    size = replace_size(tmp_path, "diameter_um,weight\n4,1\n")
    variants = [
        parameters(),
        parameters(seed=2),
        parameters(particles=41),
        parameters(walls="cut"),
        parameters(active_fraction=0.51),
        parameters(minimum_gap=0.11e-6),
        parameters(separator_thickness=20e-6),
        parameters(mesh=mesh_settings(surface_size_factor=0.3)),
        parameters(mesh=mesh_settings(order=1)),
        parameters(particle_size=size),
    ]
    hashes = [cache.mesh_hash(variant) for variant in variants]
    replace_size(tmp_path, "diameter_um,weight\n5,1\n")
    hashes.append(cache.mesh_hash(variants[-1]))
    monkeypatch.setattr(cache.packing, "PACKER_VERSION", -1)
    hashes.append(cache.mesh_hash(variants[0]))
    assert len(set(hashes)) == len(hashes)
    # What does not touch the mesh does not change it.
    other = parameters()
    other.seeds.penalty = 99
    monkeypatch.undo()
    assert cache.mesh_hash(other) == hashes[0]


def replace_size(folder, text):
    (folder / "sizes.csv").write_text(text)
    return SimpleNamespace(distribution="table", file=folder / "sizes.csv", weighting="number")


@pytest.mark.parametrize("preset", ["quickstart", "nmc532"])
def test_the_presets_mesh_well(preset, folder):
    chosen = load_parameters(PARAMS / f"{preset}.toml")
    packing = cache.packing_for(chosen)
    quality = mesh_quality(cache.mesh_for(chosen), packing.volumes_um3())
    assert expected_unknowns(chosen) == pytest.approx(quality.unknowns, rel=0.1)
    assert packing.active_fraction() == pytest.approx(chosen.geometry.active_fraction, rel=1e-12)
    assert quality.area_error_max < 1e-3
    assert min(domain.sicn_min for domain in quality.domains) > 0.2
    assert 10_000 < quality.unknowns < 40_000


def test_the_smallest_preset_in_3d_meshes_well(folder):
    chosen = load_parameters(PARAMS / "cube_50.toml")
    packing = cache.packing_for(chosen)
    mesh = cache.mesh_for(chosen)
    quality = mesh_quality(mesh, packing.volumes_um3())
    assert packing.whole == 50
    assert packing.active_fraction() == pytest.approx(chosen.geometry.active_fraction, rel=1e-9)
    assert quality.area_error_max < 1e-6
    assert min(domain.sicn_min for domain in quality.domains) > 0.1
    assert expected_unknowns(chosen) == pytest.approx(quality.unknowns, rel=0.1)
    assert expected_width(chosen) == pytest.approx(1e-6 * packing.width_um[0], rel=0.15)
    again = cache.mesh_for(chosen)
    assert np.array_equal(again.points_um, mesh.points_um)
    assert np.array_equal(again.cells, mesh.cells)
    assert again.particles == mesh.particles


def test_a_cache_that_cannot_be_written_does_not_stop_the_run(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HETERODE_CACHE", str(tmp_path / "file"))
    assert len(cache.mesh_for(parameters(particles=12)).particles) == 12


def test_a_mesh_file_of_another_dimension_is_refused():
    chosen = parameters(mesh_file=MESHES / "spheres_3d.msh")
    with pytest.raises(InputError, match=r"geometry\.dimension = 2, but .*3D"):
        cache.mesh_for(chosen)
    chosen = parameters(mesh_file=MESHES / "spheres_3d.msh", dimension=3)
    assert cache.mesh_for(chosen).dimension == 3


def test_errors_begin_with_the_parameter_file(folder, tmp_path):
    with pytest.raises(InputError, match=r"^demo\.toml: geometry\.active_fraction"):
        cache.mesh_for(parameters(active_fraction=0.65, minimum_gap=3e-6))
    with pytest.raises(InputError, match=r"^demo\.toml: geometry\.mesh_file: .*cannot be read"):
        cache.mesh_for(parameters(mesh_file=tmp_path / "none.msh"))
    assert not folder.exists()
