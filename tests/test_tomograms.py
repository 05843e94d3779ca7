"""Label stacks with jagged contacts, pieces, holes and cuts mesh; phases are split or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy.spatial import cKDTree

from helpers.commands import settings
from helpers.geometry_cases import mesh_settings
from helpers.paths import PRESET, ROOT
from helpers.tomograms import touching_ellipsoids, watershed_stack
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.geometry import label_stack, tags
from heterode.geometry.label_grid import grid_labels
from heterode.geometry.label_levels import levels_of
from heterode.geometry.label_loops import sicn
from heterode.geometry.label_stack import UnmeshableError, mesh_stack
from heterode.geometry.parting import ImageMesh
from heterode.geometry.pieces import require_reached
from heterode.geometry.quality import mesh_quality
from heterode.geometry.simplex import integrate_cells, tetrahedron_sicn
from heterode.optics.label_file import read_label_image
from heterode.optics.phases import Split

CUBE = ROOT / "params" / "cube_50.toml"
VOXEL = 0.2
COARSE = mesh_settings(order=1, surface_size_factor=0.5)


@pytest.fixture(scope="module")
def tomogram(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("stacks") / "watershed.tif"
    tifffile.imwrite(file, watershed_stack(11, 42, 0.62, 4.2), photometric="minisblack")
    return file


@pytest.fixture(scope="module")
def labels(tomogram: Path) -> np.ndarray:
    return read_label_image(tomogram, (VOXEL,)).labels


@pytest.fixture(scope="module")
def meshed(labels: np.ndarray) -> ImageMesh:
    return mesh_stack(labels, (VOXEL,) * 3, 4.0, VOXEL, COARSE)


def owners_of_nodes(made: ImageMesh) -> np.ndarray:
    """For each node the particle that has it, -1 for none; none may belong to two."""
    mesh = made.mesh
    solid = mesh.cell_tags >= tags.PARTICLE_OFFSET
    pairs = np.column_stack([mesh.cells[solid].ravel(), np.repeat(mesh.cell_tags[solid], 4)])
    nodes, tag = np.unique(pairs, axis=0).T
    if len(np.unique(nodes)) < len(nodes):
        raise AssertionError("two particles share a node")
    owner = np.full(len(mesh.points_um), -1)
    owner[nodes] = tag - tags.PARTICLE_OFFSET
    return owner


def test_a_watershed_meshes_with_good_cells(labels: np.ndarray, meshed: ImageMesh) -> None:
    assert labels.max() >= 20
    assert (labels > 0).mean() > 0.58
    assert meshed.labels == tuple(range(1, labels.max() + 1))
    assert min(d.sicn_min for d in mesh_quality(meshed.mesh).domains) > 0.1
    require_reached(meshed.mesh)


def test_cells_fill_the_box_once(meshed: ImageMesh) -> None:
    mesh = meshed.mesh
    volume, _ = integrate_cells(mesh.points_um, mesh.cells, 1)
    assert volume.min() > 0.0
    box = np.prod(mesh.width_um) * (mesh.coating_thickness_um + mesh.separator_thickness_um)
    assert volume.sum() == pytest.approx(box, rel=1e-9)


def test_particles_with_room_have_exactly_their_volumes(
    labels: np.ndarray, meshed: ImageMesh
) -> None:
    voxels = VOXEL**3 * np.bincount(labels.ravel())[1:]
    np.testing.assert_allclose(meshed.image_volume, voxels, rtol=0.02)  # small voids are filled
    error = np.abs(meshed.errors())
    assert np.median(error) < 1e-6
    assert np.percentile(error, 75) < 0.05
    # A particle that others enclose all round has no room beyond the gaps that it loses to them.
    assert error.max() < 0.35
    assert (meshed.errors()[error > 0.01] < 0.0).all()


def test_a_gap_lies_between_particles(
    labels: np.ndarray, meshed: ImageMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = owners_of_nodes(meshed)
    points = meshed.mesh.points_um
    pairs = cKDTree(points[owner >= 0]).query_pairs(0.2 * VOXEL, output_type="ndarray")
    own = owner[owner >= 0]
    assert (own[pairs[:, 0]] == own[pairs[:, 1]]).all()
    # The control: without the layer at contacts, particles share nodes.
    monkeypatch.setattr(label_stack, "parted_at_contacts", lambda mesh, *_: (mesh, []))
    touching = mesh_stack(labels, (VOXEL,) * 3, 4.0, VOXEL, COARSE)
    with pytest.raises(AssertionError, match="share a node"):
        owners_of_nodes(touching)


def test_a_run_on_it_balances_with_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("stack.tif", watershed_stack(3, 26, 0.62, 4.2), photometric="minisblack")
    own = settings(geometry__separator_thickness="4 um", geometry__mesh__surface_size_factor="0.7")
    words = ["mesh", str(CUBE), *own, "--labels", "stack.tif", "--pixel", "0.2um"]
    assert main([*words, "-o", "stack.msh"]) == 0
    said = capsys.readouterr().out
    assert "cut by the border of the stack" in said
    table = pd.read_csv("stack.csv")
    present = np.unique(tifffile.imread("stack.tif"))
    assert set(table["label"]) == set(present[1:])
    more = settings(
        geometry__mesh_file="stack.msh",
        protocol__steps='["charge at C/2 for 20 s"]',
        output__report="false",
        solver__layers="3 from 20 nm, ratio 2",
    )
    assert main(["run", str(CUBE), *more, "--out", "out", "--quiet"]) == 0
    manifest = json.loads(Path("out/manifest.json").read_text(encoding="utf-8"))
    assert max(abs(error) for error in manifest["balance"].values()) < 1e-6
    particles = pd.read_csv("out/particles.csv")
    np.testing.assert_allclose(particles["volume_um3"], table["volume_um3"])


# -- parts ---------------------------------------------------------------------------------------


def test_the_compiled_quality_is_that_of_all_meshes() -> None:
    random = np.random.default_rng(1)
    points = random.normal(size=(40, 3))
    cells = np.array([random.choice(40, 4, replace=False) for _ in range(30)])
    found = [sicn(points, cells, k) for k in range(30)]
    np.testing.assert_allclose(found, tetrahedron_sicn(points[cells]), rtol=1e-12)
    assert min(found) < 0.0 < max(found)


def test_no_particle_touches_itself_by_an_edge_alone(labels: np.ndarray) -> None:
    """On the grid: two nodes across a face are never joined by nothing else."""

    def diagonal(grid: np.ndarray) -> int:
        found = 0
        for axis in range(3):
            flat = np.moveaxis(grid, axis, 0)
            a, b, c, d = flat[:, :-1, :-1], flat[:, 1:, 1:], flat[:, 1:, :-1], flat[:, :-1, 1:]
            found += int(((a == b) & (a > 0) & (c != a) & (d != a)).sum())
            found += int(((c == d) & (c > 0) & (a != c) & (b != c)).sum())
        return found

    turned = np.ascontiguousarray(labels.transpose(2, 1, 0))
    spacing = np.full(3, VOXEL)
    volumes = np.bincount(turned.ravel())[1:] * VOXEL**3
    levels = levels_of(turned, spacing, volumes, len(volumes), VOXEL, 0.6)
    low = np.full(3, 2 * VOXEL)
    extent = np.array(turned.shape) * VOXEL + 2 * low
    number = np.ceil(extent / 0.45).astype(np.int64)
    centres = np.array([np.argwhere(turned == k + 1).mean(axis=0) for k in range(len(volumes))])
    none = np.zeros(0, dtype=np.int64)
    grid = grid_labels(levels, extent, number, low, centres * VOXEL + low, none).labels
    assert diagonal(grid) == 0
    assert set(np.unique(grid)) == set(range(len(volumes) + 1))
    # The control: labels of the voxels themselves do so.
    assert diagonal(turned[::2, ::2, ::2]) > 0


# -- what cannot be meshed -----------------------------------------------------------------------


def ball_between_plates() -> np.ndarray:
    """A ball of 5 voxels across between two plates that leave it no room."""
    z, y, x = np.mgrid[:26, :22, :22]
    labels = np.zeros(z.shape, np.uint16)
    labels[(z >= 2) & (z < 11) & (abs(y - 10.5) < 9) & (abs(x - 10.5) < 9)] = 3
    labels[(z >= 15) & (z < 24) & (abs(y - 10.5) < 9) & (abs(x - 10.5) < 9)] = 7
    labels[(abs(z - 12.5) < 2) & (abs(y - 10.5) < 3) & (abs(x - 10.5) < 3)] = 5
    return labels


def test_what_vanishes_in_the_gap_is_named_and_left_out_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("stack.tif", ball_between_plates(), photometric="minisblack")
    wide = settings(geometry__minimum_gap="1 um", geometry__separator_thickness="4 um")
    words = ["mesh", str(CUBE), *wide, "--labels", "stack.tif", "--pixel", "0.2um", "-o", "a.msh"]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    for fragment in ("stack.tif", "label 5 cannot", "1 um", "minimum_gap", "--drop-unmeshable"):
        assert fragment in line
    assert not Path("a.msh").exists()
    assert main([*words, "--drop-unmeshable"]) == 0
    assert "left out, since they cannot be meshed: label 5" in capsys.readouterr().out
    assert pd.read_csv("a.csv")["label"].tolist() == [3, 7]


def test_bad_cells_name_the_labels_beside_them(
    labels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_stack, "LEAST_SICN", 0.17)
    with pytest.raises(UnmeshableError, match="bad") as caught:
        mesh_stack(labels, (VOXEL,) * 3, 4.0, VOXEL, COARSE)
    assert caught.value.labels
    assert set(caught.value.labels) < set(range(1, labels.max() + 1))


def test_the_gap_of_an_image_is_not_that_of_a_packing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A gap too wide for a packing of this fraction is refused there, and there alone."""
    wide = settings(geometry__minimum_gap="1 um", geometry__active_fraction="0.5")
    assert main(["mesh", str(CUBE), *wide, "-o", str(tmp_path / "a.msh")]) == 2
    assert "leaves no room" in capsys.readouterr().err
    missing = str(tmp_path / "none.tif")
    assert main(["mesh", str(CUBE), *wide, "--labels", missing, "-o", str(tmp_path / "a.msh")]) == 2
    assert "none.tif" in capsys.readouterr().err


# -- phases --------------------------------------------------------------------------------------

ELLIPSOIDS = touching_ellipsoids(5, 36, 27, 0.6)


def saved(folder: Path, stack: np.ndarray) -> Path:
    file = folder / "phases.tif"
    tifffile.imwrite(file, stack, photometric="minisblack")
    return file


PHASES: dict[str, Callable[[], np.ndarray]] = {
    "one of two": lambda: np.where(ELLIPSOIDS == 0, 0, 1 + ELLIPSOIDS % 2).astype(np.uint8),
    "binary": lambda: ((ELLIPSOIDS > 0) * 255).astype(np.uint8),
    "binary of 1": lambda: (ELLIPSOIDS > 0).astype(np.uint8),
}


@pytest.mark.parametrize("kind", PHASES)
def test_phases_are_refused_with_a_way_to_split_them(kind: str, tmp_path: Path) -> None:
    file = saved(tmp_path, PHASES[kind]())
    with pytest.raises(InputError, match=r"phase.*--split") as caught:
        read_label_image(file, (VOXEL,))
    assert ("--phase" in str(caught.value)) == (kind == "one of two")
    assert "\n" not in str(caught.value)


def test_a_split_phase_gives_the_particles_back(tmp_path: Path) -> None:
    file = saved(tmp_path, PHASES["binary"]())
    found = read_label_image(file, (VOXEL,), Split(1.8))
    assert len(found.numbers) == 27
    np.testing.assert_array_equal(found.labels > 0, ELLIPSOIDS > 0)
    whole = np.bincount(ELLIPSOIDS.ravel())[1:]
    for label in range(1, 28):
        true = np.bincount(ELLIPSOIDS[found.labels == label], minlength=28)[1:]
        most = int(true.argmax())
        assert true[most] > 0.85 * whole[most]
    assert "split into 27 particles" in found.notes[0]
    # The control: a diameter of three particles joins some of them.
    assert len(read_label_image(file, (VOXEL,), Split(5.5)).numbers) < 20


def test_only_the_wanted_phase_is_split(tmp_path: Path) -> None:
    file = saved(tmp_path, PHASES["one of two"]())
    found = read_label_image(file, (VOXEL,), Split(1.8, 2))
    np.testing.assert_array_equal(found.labels > 0, ELLIPSOIDS % 2 == 1)


def test_a_mask_of_separate_particles_is_no_phase(tmp_path: Path) -> None:
    z, y, x = np.mgrid[:30, :30, :30]
    stack = np.zeros(z.shape, np.uint8)
    for a, b, c in ((7, 7, 7), (22, 8, 20), (10, 22, 20), (22, 22, 8)):
        stack[(z - a) ** 2 + (y - b) ** 2 + ((x - c) / 0.6) ** 2 < 36] = 255
    found = read_label_image(saved(tmp_path, stack), (VOXEL,))
    assert len(found.numbers) == 4


@pytest.mark.parametrize(
    ("split", "fragments"),
    [
        (Split(1.8), ("0, 1, 2", "--phase")),
        (Split(1.8, 7), ("--phase 7", "0, 1, 2")),
        (Split(0.3, 1), ("--split 0.3um", "0.4um", "7.2um")),
        (Split(9.0, 1), ("--split 9um", "0.4um", "7.2um")),
    ],
)
def test_mistakes_of_a_split(split: Split, fragments: tuple[str, ...], tmp_path: Path) -> None:
    file = saved(tmp_path, PHASES["one of two"]())
    with pytest.raises(InputError) as caught:
        read_label_image(file, (VOXEL,), split)
    for fragment in ("phases.tif", *fragments):
        assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (["--split", "2um"], ("--split", "--labels")),
        (["--drop-unmeshable"], ("--drop-unmeshable", "--labels")),
        (["--labels", "phases.tif", "--phase", "1"], ("--phase", "--split 5um")),
        (["--labels", "phases.tif", "--split", "2"], ("--split", "no unit")),
    ],
)
def test_options_that_would_change_nothing(
    words: list[str],
    fragments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path, PHASES["binary"]())
    assert main(["mesh", str(CUBE), *words, "-o", "a.msh"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    for fragment in fragments:
        assert fragment in line
    assert not Path("a.msh").exists()


def test_a_flat_image_has_nothing_to_leave_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    y, x = np.mgrid[:60, :60]
    labels = np.where((y - 30) ** 2 + (x - 30) ** 2 < 200, 1, 0).astype(np.uint8)
    labels[5:15, 5:15] = 2
    tifffile.imwrite(tmp_path / "flat.tif", labels)
    words = ["mesh", str(PRESET), "--labels", str(tmp_path / "flat.tif"), "--pixel", "0.2um"]
    assert main([*words, "--drop-unmeshable", "-o", str(tmp_path / "a.msh")]) == 2
    assert "--drop-unmeshable is for stacks" in capsys.readouterr().err
