"""A mesh in other units than micrometres is refused; a small or a large electrode is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.paths import FIVE_DISCS, PRESET, ROOT
from heterode.base.errors import InputError
from heterode.geometry.cache import mesh_for
from heterode.geometry.extent import refuse_pixels
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.msh import read_msh, write_msh
from heterode.parameters import load_parameters


def scaled(folder: Path, factor: float, source: Path = FIVE_DISCS) -> Path:
    """A mesh file with all coordinates multiplied."""
    mesh = read_msh(source)
    points = factor * mesh.points_um
    path = folder / "scaled.msh"
    write_msh(path, MeshData.from_cells(points, mesh.cells, mesh.cell_tags, mesh.order))
    return path


def mesh_of(path: Path, preset: Path = PRESET) -> MeshData:
    return mesh_for(load_parameters(preset, [f"geometry.mesh_file={path}"]))


@pytest.mark.parametrize(
    ("factor", "unit", "remedy"),
    [
        (1e-6, "metres", "1e+06"),
        (1e-4, "centimetres", "10000"),
        (1e-3, "millimetres", "1000"),
        (1e3, "nanometres", "0.001"),
    ],
)
def test_other_units_are_refused_by_name(
    tmp_path: Path, factor: float, unit: str, remedy: str
) -> None:
    path = scaled(tmp_path, factor)
    with pytest.raises(InputError) as refusal:
        mesh_of(path)
    text = str(refusal.value)
    assert text.startswith(f"{PRESET}: geometry.mesh_file = {path}: ")
    assert "\n" not in text
    assert f"likely {unit}" in text
    assert f"ScalingFactor = {remedy}" in text
    assert "0.5 to 5000 um" in text or "0.005 to 250 um" in text


def test_a_mesh_in_3d_in_metres_is_refused_too(tmp_path: Path) -> None:
    path = scaled(tmp_path, 1e-6, ROOT / "meshes" / "spheres_3d.msh")
    with pytest.raises(InputError, match="likely metres"):
        mesh_of(path, ROOT / "params" / "cube_50.toml")


def test_a_thin_film_in_nanometres_is_known_by_its_particles(tmp_path: Path) -> None:
    # 11 um thick, shrunk to 3.3 um: 3300 by itself would pass for a coating.
    path = scaled(tmp_path, 300.0)
    with pytest.raises(InputError, match=r"median radius of .* likely nanometres"):
        mesh_of(path)


@pytest.mark.parametrize("factor", [0.1, 1.0, 10.0, 50.0])
def test_electrodes_of_other_sizes_are_taken(tmp_path: Path, factor: float) -> None:
    mesh = mesh_of(scaled(tmp_path, factor))
    assert mesh.coating_thickness_um == pytest.approx(11.0 * factor)


def test_pixels_that_make_no_electrode_are_refused() -> None:
    image = Path("labels.tif")
    for edge in (1e5, 1e-4):
        with pytest.raises(InputError, match=r"labels.tif: pixels of .* um make its coating"):
            refuse_pixels((edge, edge), 500, image)
    refuse_pixels((0.1, 0.1), 500, image)
    refuse_pixels((1e5, 1e5, 0.1), 500, image)
