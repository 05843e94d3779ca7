"""A segmented image becomes a mesh that runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from helpers.commands import settings
from helpers.paths import PRESET
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.geometry.label_image import mesh_labels, outlines_of
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.msh import read_msh
from heterode.geometry.outline import MeshSizes
from heterode.geometry.quality import mesh_quality

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

CUT = [(1.0, 10.0, 4.0), (14.0, 10.0, 4.0)]


def mesh(labels: np.ndarray, gap: float = GAP) -> MeshData:
    return mesh_labels(labels, PIXEL, 10.0, gap, SIZES).mesh


@pytest.mark.parametrize("case", ["APART", "TOUCHING", "CUT"])
def test_each_keeps_its_area(case: str) -> None:
    made = mesh_labels(image(globals()[case]), PIXEL, 10.0, GAP, SIZES)
    labels, counts = np.unique(image(globals()[case]), return_counts=True)
    assert made.labels == tuple(labels[1:])
    area = made.mesh.particles.volume_um3
    np.testing.assert_allclose(area, counts[1:] * PIXEL**2, rtol=0.01)
    np.testing.assert_allclose(made.errors(), 0.0, atol=0.01)
    assert made.deviation_um.max() < (PIXEL if case == "APART" else PIXEL + GAP)


def test_parting_alone_would_cost_area() -> None:
    found = outlines_of(image(TOUCHING), PIXEL, GAP)
    left = []
    for ring, area in zip(found.rings, found.areas, strict=True):
        x, y = ring.T
        left.append(0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / area)
    assert min(left) < 0.98


def test_no_room_is_said() -> None:
    """A wall of particles without any matrix between them cannot keep both gap and area."""
    labels = 1 + np.add.outer(np.arange(60) // 12 * 5, np.arange(60) // 12).astype(np.int32)
    made = mesh_labels(labels, PIXEL, 10.0, GAP, SIZES)
    assert made.errors().min() < -0.05
    inner = made.errors().reshape(5, 5)[1:-1, 1:-1]
    assert inner.max() < -0.05


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
        assert table.radius_um[index] == pytest.approx(radius, rel=0.01)


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
    assert made.particles.volume_um3[0] == pytest.approx(star.sum() * PIXEL**2, rel=0.01)
    longer = made.particles.surface_um2[0] / (2.0 * np.pi * made.particles.radius_um[0])
    assert longer > 1.1


def test_room_is_added_where_the_border_cuts_a_particle() -> None:
    made = mesh_labels(image(CUT), PIXEL, 10.0, GAP, SIZES)
    assert made.mesh.coating_thickness_um == pytest.approx(24.0 + GAP + PIXEL, abs=0.02)
    assert made.mesh.width_um[0] == pytest.approx(20.0)
    np.testing.assert_allclose(made.offset_um, [GAP + PIXEL, 0.0], atol=0.02)
    # All of it reacts: round the cut as well.
    assert made.mesh.particles.surface_um2[0] > 0.9 * (2.0 * 4.0 * np.arccos(-0.25) + 7.7)


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
    said = capsys.readouterr().out
    assert said.startswith("3 particles, 0.2")
    assert "warning" not in said
    table = pd.read_csv("image.csv")
    assert table["label"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(table["area_um2"], table["image_area_um2"], rtol=0.01)
    assert len(read_msh(Path("image.msh")).particles) == 3
    steps = '["charge at C/2 for 2 min"]'
    more = settings(geometry__mesh_file="image.msh", protocol__steps=steps)
    assert main(["run", str(PRESET), *more, "--out", "out", "--quiet"]) == 0
    assert main(["mesh", str(PRESET), "--pixel", "0.1um", "-o", "b.msh"]) == 2
    assert "--labels" in capsys.readouterr().err


def test_microstructure_in_lithium_map_out_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Picture -> particles and mesh -> simulation -> against the picture's own map."""
    monkeypatch.chdir(tmp_path)
    words = ["micrograph", "--size", "200", "--pixel", "0.2um", "--out", "field"]
    assert main(words) == 0
    words = ["optics", "field/state.tif", "--pristine", "field/pristine.tif"]
    assert main([*words, "--out", "seen"]) == 0
    words = ["--labels", "seen/state_labels.tif", "--pixel", "0.2um", "-o", "cells.msh"]
    assert main(["mesh", str(PRESET), *words]) == 0
    steps = settings(protocol__steps='["charge at C/2 for 2 min"]', output__report="false")
    own = settings(geometry__mesh_file="cells.msh")
    assert main(["run", str(PRESET), *own, *steps, "--out", "run", "--quiet"]) == 0
    capsys.readouterr()
    words = ["report", "run", "seen/state.csv", "--permutations", "39", "--out", "both"]
    assert main(words) == 0
    assert "run and state show the same particles" in capsys.readouterr().out
    seen = pd.read_csv("seen/state.csv").set_index("label")
    shared = pd.read_csv("both/comparison_particles.csv")
    assert len(shared) > 0.9 * len(seen)
    # By the numbers in the image the pairs are the same as by their places.
    label = pd.read_csv("cells.csv").set_index("particle")["label"]
    mesh = read_msh(Path("cells.msh")).particles
    for row in shared.itertuples():
        particle = int(np.hypot(mesh.x_um - row.x_um, mesh.y_um - row.y_um).argmin())
        assert seen.loc[label[particle], "value"] == pytest.approx(row.second_value)
