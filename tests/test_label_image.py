"""A segmented image becomes a mesh that runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from conftest import PRESET, settings

from simulator.cli import main
from simulator.errors import InputError
from simulator.geometry.label_image import mesh_labels, outlines_of
from simulator.geometry.mesh_data import MeshData
from simulator.geometry.msh import read_msh
from simulator.geometry.outline import MeshSizes
from simulator.geometry.quality import mesh_quality

SIZES = MeshSizes(0.35, 0.25, 2.0, 0.1, 3.0, 1)
PIXEL = 0.1
GAP = 0.3


def image(
    discs: list[tuple[float, float, float]], shape: tuple[int, int] = (200, 240)
) -> np.ndarray:
    """Labels of discs (x, y, radius in um); where two overlap the nearer centre has the pixel."""
    y, x = np.mgrid[: shape[0], : shape[1]] * PIXEL + PIXEL / 2
    depth = np.array([r - np.hypot(x - a, y - b) for a, b, r in discs])
    labels = 1 + depth.argmax(axis=0)
    labels[depth.max(axis=0) < 0] = 0
    return labels.astype(np.int32)


APART = [(6.0, 6.0, 3.0), (15.0, 8.0, 4.0), (8.0, 15.0, 3.5)]
TOUCHING = [(6.0, 10.0, 4.0), (13.4, 10.0, 3.6), (18.5, 14.0, 3.1)]


def mesh(labels: np.ndarray, gap: float = GAP) -> MeshData:
    return mesh_labels(labels, PIXEL, 10.0, gap, SIZES)[0]


def test_discs_keep_place_and_area() -> None:
    made = mesh(image(APART))
    assert (made.coating_thickness_um, made.width_um[0]) == pytest.approx((24.0, 20.0))
    assert made.separator_thickness_um == pytest.approx(10.0)
    table = made.particles
    order = np.argsort(table.x_um)
    expected = sorted(APART)
    for index, (x, y, radius) in zip(order, expected, strict=True):
        assert table.x_um[index] == pytest.approx(x, abs=0.1)
        assert table.y_um[index] == pytest.approx(y, abs=0.1)
        assert table.radius_um[index] == pytest.approx(radius, rel=0.03)


def test_touching_particles_are_parted_by_the_gap() -> None:
    labels = image(TOUCHING)
    rings = outlines_of(labels, PIXEL, GAP).rings
    apart = [
        np.hypot(*(rings[i][:, None] - rings[j]).transpose(2, 0, 1)).min()
        for i, j in ((0, 1), (1, 2))
    ]
    assert min(apart) >= 0.9 * GAP
    made = mesh(labels)
    assert len(made.particles) == 3
    assert mesh_quality(made).text()
    # All of a particle's outline reacts: nothing touches another particle.
    round_it = 2.0 * np.pi * made.particles.radius_um
    assert (made.particles.surface_um2 > 0.95 * round_it).all()


def test_unparted_outlines_would_meet() -> None:
    labels = image(TOUCHING)
    rings = [outlines_of(np.where(labels == k, 1, 0), PIXEL, GAP).rings[0] for k in (1, 2)]
    assert np.hypot(*(rings[0][:, None] - rings[1]).transpose(2, 0, 1)).min() < 0.5 * GAP


def test_any_outline() -> None:
    y, x = np.mgrid[:200, :240] * PIXEL
    radius = 6.0 * (1.0 + 0.35 * np.cos(3.0 * np.arctan2(y - 10.0, x - 12.0)))
    star = (np.hypot(x - 12.0, y - 10.0) < radius).astype(np.int32)
    made = mesh(star)
    assert made.particles.volume_um3[0] == pytest.approx(star.sum() * PIXEL**2, rel=0.03)
    longer = made.particles.surface_um2[0] / (2.0 * np.pi * made.particles.radius_um[0])
    assert longer > 1.1


def test_particles_at_the_border_are_drawn_in() -> None:
    made = mesh(image([(1.0, 10.0, 4.0), (14.0, 10.0, 4.0)]))
    assert len(made.particles) == 2
    assert made.particles.volume_um3.min() < 0.7 * np.pi * 16.0


def test_what_cannot_be_meshed() -> None:
    with pytest.raises(InputError, match="less than a pixel"):
        mesh(image(APART), gap=0.05)
    speck = np.zeros((60, 60), np.int32)
    speck[30:32, 30:32] = 1
    with pytest.raises(InputError, match="no particle"):
        mesh(speck)


def test_command_and_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("labels.tif", image(TOUCHING).astype(np.uint16))
    own = settings(geometry__minimum_gap="0.3 um", geometry__separator_thickness="10 um")
    words = ["mesh", str(PRESET), *own, "--labels", "labels.tif", "-o", "image.msh"]
    assert main(words) == 2
    assert "--pixel 0.1um" in capsys.readouterr().err
    assert main([*words, "--pixel", "0.1um"]) == 0
    assert capsys.readouterr().out.startswith("3 particles, 0.2")
    assert len(read_msh(Path("image.msh")).particles) == 3
    steps = '["charge at C/2 for 2 min"]'
    more = settings(geometry__mesh_file="image.msh", protocol__steps=steps)
    assert main(["run", str(PRESET), *more, "--out", "out", "--quiet"]) == 0
    assert main(["mesh", str(PRESET), "--pixel", "0.1um", "-o", "b.msh"]) == 2
    assert "--labels" in capsys.readouterr().err
