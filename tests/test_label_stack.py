"""A stack of label images becomes a mesh that runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy.spatial.transform import Rotation

from helpers.commands import settings
from helpers.geometry_cases import MONODISPERSE, geometry, mesh_settings
from helpers.paths import ROOT
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.geometry.label_stack import mesh_stack
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.msh import read_msh
from heterode.geometry.packing import pack
from heterode.geometry.parting import ImageMesh
from heterode.geometry.quality import mesh_quality
from heterode.optics.label_file import read_label_image
from heterode.results.history import read_history

CUBE = ROOT / "params" / "cube_50.toml"
VOXEL = 0.25
GAP = 0.3
SETTINGS = mesh_settings(order=1)

Part = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


def stack(parts: list[Part], extent: tuple[float, ...], voxel: tuple[float, ...]) -> np.ndarray:
    """Labels (Z, Y, X) of ellipsoids: centre and half-axes (um) and turns (degrees) of each."""
    axes = [v * (np.arange(round(e / v)) + 0.5) for e, v in zip(extent, voxel, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    depths = []
    for centre, half, turns in parts:
        turn = Rotation.from_euler("xyz", turns, degrees=True).as_matrix()
        away = np.stack([x - centre[0], y - centre[1], z - centre[2]], axis=-1) @ turn
        depths.append(1.0 - np.linalg.norm(away / np.array(half), axis=-1))
    depth = np.array(depths)
    labels = 1 + depth.argmax(axis=0)
    labels[depth.max(axis=0) < 0.0] = 0
    return labels.transpose(2, 1, 0).astype(np.int32)


EXTENT = (16.0, 12.0, 10.0)
ELLIPSOIDS: list[Part] = [
    ((4.0, 4.0, 4.0), (3.0, 3.0, 3.0), (0, 0, 0)),
    ((9.7, 4.2, 4.0), (3.0, 3.0, 3.0), (0, 0, 0)),  # touches the first
    ((8.0, 8.4, 5.5), (3.6, 2.0, 1.6), (20, 30, 40)),
    ((13.5, 8.0, 6.0), (1.5, 3.0, 2.2), (50, 0, 10)),
    ((15.0, 3.0, 8.0), (2.2, 2.2, 2.2), (0, 0, 0)),  # cut by two borders
]


def made(labels: np.ndarray, voxel: tuple[float, ...], gap: float = GAP) -> ImageMesh:
    return mesh_stack(labels, voxel, 8.0, gap, SETTINGS)


def check(found: ImageMesh, labels: np.ndarray, voxel: tuple[float, ...]) -> None:
    numbers, counts = np.unique(labels[labels > 0], return_counts=True)
    assert found.labels == tuple(numbers)
    expected = counts * np.prod(voxel)
    np.testing.assert_allclose(found.mesh.particles.volume_um3, expected, rtol=0.02)
    assert np.abs(found.errors()).max() < 0.02
    assert min(d.sicn_min for d in mesh_quality(found.mesh).domains) > 0.1


def own_centres(labels: np.ndarray, voxel: tuple[float, ...]) -> np.ndarray:
    places = np.argwhere(labels > 0)
    values = labels[labels > 0]
    total = np.bincount(values)[1:, None]
    sums = np.column_stack([np.bincount(values, places[:, k])[1:] for k in (2, 1, 0)])
    return (sums / total + 0.5) * np.array(voxel)


def centres(mesh: MeshData) -> np.ndarray:
    table = mesh.particles
    return np.column_stack([table.x_um, table.y_um, table.z_um])


@pytest.mark.parametrize("voxel", [(VOXEL,) * 3, (0.2, 0.2, 0.4)], ids=["cubic", "flat"])
def test_ellipsoids_touching_and_cut(voxel: tuple[float, ...]) -> None:
    labels = stack(ELLIPSOIDS, EXTENT, voxel)
    found = made(labels, voxel, max(GAP, *voxel))
    check(found, labels, voxel)
    expected = own_centres(labels, voxel) + found.offset_um
    np.testing.assert_allclose(centres(found.mesh), expected, atol=0.15)
    # Wider than the stack only where the border cuts a particle.
    wider = np.array([*found.mesh.width_um, found.mesh.coating_thickness_um]) - EXTENT
    assert wider[0] == pytest.approx(max(GAP, *voxel) + max(voxel), abs=0.1)
    assert wider[1] == pytest.approx(0.0, abs=1e-6)
    assert found.deviation_um.max() < 0.5 * max(GAP, *voxel) + 1.5 * max(voxel)


def test_all_round_each_particle_reacts() -> None:
    found = made(stack(ELLIPSOIDS[:2], EXTENT, (VOXEL,) * 3), (VOXEL,) * 3)
    ball = 4.0 * np.pi * found.mesh.particles.radius_um**2
    # Two touching balls: were they not parted, their contact would be missing.
    assert (found.mesh.particles.surface_um2 > 0.98 * ball).all()


def test_a_packing_comes_back() -> None:
    """Spheres of a packing, drawn as voxels and meshed: volumes, places, numbers."""
    wanted = {"particles": 12, "coating_thickness": 14e-6, "active_fraction": 0.3}
    spheres = pack(geometry(dimension=3, particle_size=MONODISPERSE, **wanted), 3)
    voxel = (0.2,) * 3
    extent = (*spheres.width_um, spheres.coating_thickness_um)
    parts = [
        (tuple(c), (r,) * 3, (0.0,) * 3)
        for c, r in zip(spheres.centres_um, spheres.radii_um, strict=True)
    ]
    labels = stack(parts, tuple(0.2 * np.ceil(np.array(extent) / 0.2)), voxel)
    found = made(labels, voxel, 0.2)
    check(found, labels, voxel)
    np.testing.assert_allclose(found.mesh.particles.volume_um3, spheres.volumes_um3(), rtol=0.02)
    assert np.abs(centres(found.mesh) - spheres.centres_um - found.offset_um).max() < 0.1


class TestFiles:
    LABELS = (7 * stack(ELLIPSOIDS, EXTENT, (0.5, 0.5, 1.0))).astype(np.uint16)

    def test_spacing_from_the_file(self, tmp_path: Path) -> None:
        imagej, ome = tmp_path / "imagej.tif", tmp_path / "stack.ome.tif"
        about = {"unit": "um", "spacing": 1.0, "axes": "ZYX"}
        tifffile.imwrite(imagej, self.LABELS, imagej=True, resolution=(2.0, 2.0), metadata=about)
        sizes = {f"PhysicalSize{a}": s for a, s in zip("XYZ", (500.0, 500.0, 1000.0), strict=True)}
        units = {f"PhysicalSize{a}Unit": "nm" for a in "XYZ"}
        tifffile.imwrite(ome, self.LABELS, ome=True, metadata={"axes": "ZYX"} | sizes | units)
        for file in (imagej, ome):
            found = read_label_image(file)
            assert found.edges_um == pytest.approx((0.5, 0.5, 1.0))
            assert found.numbers.tolist() == [7, 14, 21, 28, 35]
            np.testing.assert_array_equal(7 * found.labels, self.LABELS)
        plain = tmp_path / "plain.tif"
        tifffile.imwrite(plain, self.LABELS, photometric="minisblack")
        assert read_label_image(plain, (0.5,)).edges_um == (0.5, 0.5, 0.5)
        assert read_label_image(plain, (0.5, 0.5, 1.0)).edges_um == (0.5, 0.5, 1.0)
        with pytest.raises(InputError, match=r"how large a voxel.*0\.1um,0\.1um,0\.2um"):
            read_label_image(plain)

    def test_command_and_run(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        tifffile.imwrite("stack.tif", self.LABELS, photometric="minisblack")
        own = settings(geometry__separator_thickness="5 um")
        words = ["mesh", str(CUBE), *own, "--labels", "stack.tif"]
        assert main([*words, "--pixel", "0.5um,0.5um,1um", "-o", "stack.msh"]) == 0
        said = capsys.readouterr().out
        assert said.startswith("5 particles, 0.1")
        assert "parted by 1 um" in said  # a voxel: more than the file's 0.1 um
        assert "warning" not in said
        table = pd.read_csv("stack.csv")
        assert table["label"].tolist() == [7, 14, 21, 28, 35]
        np.testing.assert_allclose(table["volume_um3"], table["image_volume_um3"], rtol=0.02)
        mesh = read_msh(Path("stack.msh"))
        np.testing.assert_allclose(mesh.particles.volume_um3, table["volume_um3"])
        steps = {"protocol__steps": '["charge at C/2 for 2 min"]', "output__report": "false"}
        more = settings(geometry__mesh_file="stack.msh", **steps)
        assert main(["run", str(CUBE), *more, "--out", "out", "--quiet"]) == 0
        particles = pd.read_csv("out/particles.csv")
        np.testing.assert_allclose(particles["volume_um3"], table["volume_um3"])
        assert read_history(Path("out"))["time_s"].iloc[-1] == pytest.approx(120.0)

    @pytest.mark.parametrize(
        ("words", "fragments"),
        [
            (["--pixel", "0.5"], ("--pixel", "no unit")),
            (["--pixel", "1um,2um"], ("2 lengths", "three")),
            (["--pixel", "0.5um", "--set", "geometry.dimension=2"], ("dimension = 2", "has 3")),
            ([], ("stack.tif", "--pixel")),
        ],
    )
    def test_mistakes(
        self,
        words: list[str],
        fragments: tuple[str, ...],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        tifffile.imwrite("stack.tif", self.LABELS, photometric="minisblack")
        assert main(["mesh", str(CUBE), "--labels", "stack.tif", *words, "-o", "a.msh"]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        for fragment in fragments:
            assert fragment in lines[0]
        assert not Path("a.msh").exists()

    def test_nothing_but_specks(self) -> None:
        labels = np.zeros((20, 20, 20), np.int32)
        labels[5:7, 5:7, 5:7] = 1
        with pytest.raises(InputError, match="no particle"):
            made(labels, (VOXEL,) * 3)
