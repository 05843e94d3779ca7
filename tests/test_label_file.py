"""Label images are what they are: split, kept hollow, or refused, and what is assumed is said."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from helpers.paths import PRESET
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.geometry import tags
from heterode.geometry.label_image import mesh_labels
from heterode.geometry.label_stack import mesh_stack
from heterode.geometry.mesh_data import facets_of
from heterode.geometry.meshing import mesh_sizes
from heterode.optics.label_file import LabelImage, read_label_image, read_labels
from heterode.parameters import load_parameters

SHAPE = (60, 80)
PLACES = ((15, 15, 9), (15, 45, 11), (42, 25, 12), (42, 60, 8))


def discs(*, hollow: dict[int, int] | None = None) -> np.ndarray:
    """Four discs, labelled 1 to 4; radii of voids by label."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    labels = np.zeros(SHAPE, np.uint16)
    for number, (row, column, radius) in enumerate(PLACES, start=1):
        away = (y - row) ** 2 + (x - column) ** 2
        labels[away < radius**2] = number
        labels[away < (hollow or {}).get(number, 0) ** 2] = 0
    return labels


LABELS = discs()


def merged(first: int, second: int) -> np.ndarray:
    return np.where(second == LABELS, first, LABELS).astype(np.uint16)


def read(pixels: np.ndarray, folder: Path, **options: object) -> LabelImage:
    path = folder / "l.tif"
    tifffile.imwrite(path, pixels, **options)
    return read_label_image(path, (0.2,) * min(pixels.ndim, 3))


def same_particles(found: LabelImage) -> None:
    """The four discs, whatever their order."""
    for mask in (n == LABELS for n in range(1, 5)):
        (number,) = np.unique(found.labels[mask])
        assert np.array_equal(found.labels == number, mask)
    assert found.labels.max() == 4


# -- what is taken, and said -------------------------------------------------------------------


TAKEN: dict[str, tuple[np.ndarray, dict[str, object], str]] = {
    "as they are": (LABELS, {}, ""),
    "a number in two pieces": (merged(1, 4), {}, "numbers in several pieces (1)"),
    "-1 around them": (np.where(LABELS == 0, -1, LABELS.astype(np.int32)), {}, "-1 is taken"),
    "-1.0 around them": (np.where(LABELS == 0, -1.0, LABELS), {}, "-1 is taken"),
    "a mask": ((LABELS > 0).astype(np.uint8) * 255, {}, "a mask, and each of its 4"),
    "above 65535": (LABELS.astype(np.uint32) * 100_000, {}, ""),
    "real numbers": (LABELS.astype(np.float32), {}, ""),
    "big end first": (LABELS, {"byteorder": ">"}, ""),
    "tiles and ZIP": (LABELS, {"tile": (16, 16), "compression": "zlib"}, ""),
    "grey as RGB": (np.repeat(LABELS[..., None].astype(np.uint8), 3, 2), {}, ""),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken_and_said(name: str, tmp_path: Path) -> None:
    pixels, options, said = TAKEN[name]
    if pixels.ndim == 3:
        options = options | {"photometric": "rgb"}
    found = read(pixels, tmp_path, **options)
    same_particles(found)
    assert said in "; ".join(found.notes)
    assert bool(said) == bool(found.notes)


def test_a_split_number_keeps_its_name(tmp_path: Path) -> None:
    found = read(merged(1, 4), tmp_path)
    names = sorted(zip(found.numbers.tolist(), found.pieces.tolist(), strict=True))
    assert names == [(1, 1), (1, 2), (2, 1), (3, 1)]


def test_crumbs_are_left_out_and_counted(tmp_path: Path) -> None:
    pixels = LABELS.copy()
    pixels[0, 0], pixels[2:4, 70:72] = 1, 2
    pixels[24, 22] = 1  # touches disc 1 by a corner at most
    found = read(pixels, tmp_path)
    same_particles(found)
    assert "fewer than 12 pixels" in "; ".join(found.notes)


def test_pieces_that_touch_by_a_corner_are_two(tmp_path: Path) -> None:
    pixels = LABELS.copy()
    pixels[50:56, 0:6] = pixels[44:50, 6:12] = 7
    found = read(pixels, tmp_path)
    assert found.labels[52, 2] != found.labels[46, 8]
    assert found.labels.max() == 6


@pytest.mark.parametrize("name", ["l.png", "l.tif"])
def test_an_indexed_image_holds_the_indices(name: str, tmp_path: Path) -> None:
    image = Image.fromarray(LABELS.astype(np.uint8), "P")
    random = np.random.default_rng(0)
    image.putpalette([int(v) for v in random.integers(0, 255, 768)])
    image.save(tmp_path / name)
    same_particles(read_label_image(tmp_path / name, (0.2,)))
    same_particles(read_labels(tmp_path / name, SHAPE))


def test_transparency_that_is_even_changes_nothing(tmp_path: Path) -> None:
    grey = LABELS.astype(np.uint8)
    Image.fromarray(np.stack([grey, np.full_like(grey, 255)], 2), "LA").save(tmp_path / "l.png")
    same_particles(read_label_image(tmp_path / "l.png", (0.2,)))


# -- what is refused ---------------------------------------------------------------------------


def ring_around(number: int) -> np.ndarray:
    """Disc 3 within a ring of another number."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    row, column, radius = PLACES[2]
    away = (y - row) ** 2 + (x - column) ** 2
    ring = (away >= (radius + 1) ** 2) & (away < (radius + 4) ** 2) & (LABELS == 0)
    return np.where(ring, number, LABELS).astype(np.uint16)


STACK = np.repeat(LABELS[None], 40, axis=0)
STACK[:5] = STACK[-5:] = 0
COLOURS = np.random.default_rng(1).integers(0, 255, (5, 3), dtype=np.uint8)[LABELS]

REFUSED: dict[str, tuple[np.ndarray, dict[str, object], str]] = {
    "background -1 as 16 bits": (
        np.where(LABELS == 0, 65535, LABELS).astype(np.uint16),
        {},
        "65535 has 7",
    ),
    "-1 beside 0": (np.where(LABELS == 2, -1, LABELS.astype(np.int32)), {}, "holds -1 beside 0"),
    "other negative numbers": (
        np.where(LABELS == 0, -5, LABELS.astype(np.int32)),
        {},
        "holds -5 (allowed",
    ),
    "one number all over": (np.full(SHAPE, 3, np.uint8), {}, "3 has 100% of the pixels"),
    "nothing": (np.zeros(SHAPE, np.uint8), {}, "holds no particles"),
    "halves": (LABELS / 2.0, {}, "whole numbers"),
    "not a number": (np.where(LABELS == 0, np.nan, LABELS), {}, "whole numbers"),
    "infinity": (np.where(LABELS == 2, np.inf, LABELS), {}, "whole numbers"),
    "colours": (COLOURS, {"photometric": "rgb"}, "one number a pixel"),
    "bits, which tifffile writes from white": (LABELS > 0, {}, "counts from white"),
    "white is 0": (LABELS, {"photometric": "miniswhite"}, "counts from white"),
    "phases": (
        np.where(LABELS == 0, 0, 1 + LABELS % 2).astype(np.uint8),
        {},
        "holds only the numbers 1, 2, each in several pieces: phases",
    ),
    "phases in 3D": (
        np.where(STACK == 0, 0, 1 + STACK % 2).astype(np.uint8),
        {"photometric": "minisblack"},
        "phases, not particles",
    ),
    "phases, one of them in one piece": (
        np.where(np.indices(SHAPE)[0] > 56, 2, LABELS > 0).astype(np.uint8),
        {},
        "holds only the numbers 1, 2, one in many pieces: phases",
    ),
    "numbers beyond any count": (LABELS * 1e30, {}, "holds numbers of 4e+30"),
    "numbers beyond 64 bits": (LABELS.astype(np.uint64) << 61, {}, "holds numbers of 9.22e+18"),
    "boundaries between background and particles": (
        np.where(ring_around(99) == 99, 0, np.where(LABELS == 0, 1, LABELS + 1)),
        {},
        "particle 1 reaches every border",
    ),
    "a mask of particles that touch": (
        (np.pad(np.ones((56, 76), np.uint8), 2) | np.eye(60, 80, dtype=np.uint8))
        | np.pad(np.ones((60, 4), np.uint8), ((0, 0), (30, 46)))
        | np.pad(np.ones((4, 80), np.uint8), ((30, 26), (0, 0))),
        {},
        "reaches every border",
    ),
    "one within another": (ring_around(9), {}, "particle 9 encloses particle 3"),
    "channels": (
        np.stack([LABELS, LABELS]),
        {"imagej": True, "metadata": {"axes": "CYX"}},
        "one number a pixel",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    pixels, options, says = REFUSED[name]
    with pytest.raises(InputError) as caught:
        read(pixels, tmp_path, **options)
    assert str(caught.value).startswith(f"{tmp_path / 'l.tif'}: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def _save(**options: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        name = str(options.get("name", "l.tif"))
        rest = {k: v for k, v in options.items() if k != "name"}
        Image.fromarray(20 * LABELS.astype(np.uint8)).save(folder / name, **rest)
        return folder / name

    return write


def _two_images(folder: Path) -> Path:
    with tifffile.TiffWriter(folder / "l.tif") as writer:
        writer.write(LABELS)
        writer.write(LABELS[:20, :20])
    return folder / "l.tif"


def _cut(folder: Path) -> Path:
    tifffile.imwrite(folder / "l.tif", LABELS)
    content = (folder / "l.tif").read_bytes()
    (folder / "l.tif").write_bytes(content[: len(content) // 2])
    return folder / "l.tif"


def _bomb(folder: Path) -> Path:
    """A small file that says it is 10 gigapixels."""
    Image.fromarray(LABELS.astype(np.uint8)).save(folder / "l.png")
    content = bytearray((folder / "l.png").read_bytes())
    content[16:24] = struct.pack(">II", 100_000, 100_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (folder / "l.png").write_bytes(content)
    return folder / "l.png"


def _resaved(folder: Path) -> Path:
    """A PNG of what was a JPEG."""
    Image.fromarray(20 * LABELS.astype(np.uint8)).save(folder / "l.jpg", quality=95)
    Image.open(folder / "l.jpg").save(folder / "l.png")
    return folder / "l.png"


def _scaled(scale: float, how: Image.Resampling) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        image = Image.fromarray(LABELS.astype(np.uint8))
        rows, columns = (round(scale * n) for n in SHAPE)
        image.resize((columns, rows), how).resize(SHAPE[::-1], Image.Resampling.NEAREST).save(
            folder / "l.png"
        )
        return folder / "l.png"

    return write


FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "JPEG": (_save(name="l.jpg", quality=90), "compressed with loss (JPEG)"),
    "JPEG called PNG": (_save(name="l.png", format="JPEG"), "compressed with loss (JPEG)"),
    "JPEG in TIFF": (_save(compression="jpeg"), "compressed with loss (JPEG)"),
    "WebP called PNG": (_save(name="l.png", format="WEBP"), "is not readable as an image"),
    "WebP": (_save(name="l.webp"), "is not one of the formats read"),
    "a PNG of what was a JPEG": (_resaved, "compression with loss"),
    "scaled down": (_scaled(0.5, Image.Resampling.BILINEAR), "changed by interpolation"),
    "scaled down and smoothed": (
        _scaled(0.8, Image.Resampling.LANCZOS),
        "changed by interpolation",
    ),
    "turned": (_save(tiffinfo={274: 6}), "orientation 6"),
    "two images": (_two_images, "holds 2 images"),
    "cut": (_cut, "is not readable as an image"),
    "a bomb": (_bomb, "unpacked, it has 10 GB"),
}


def test_labels_scaled_to_the_nearest_number_are_taken(tmp_path: Path) -> None:
    """The negative control of those that were scaled with interpolation."""
    path = _scaled(0.5, Image.Resampling.NEAREST)(tmp_path)
    assert len(read_label_image(path, (0.2,)).numbers) == 4


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_few_bits_keeps_its_numbers(bits: int, tmp_path: Path) -> None:
    """Decoders stretch them to 0 to 255, by which label 1 would be 85 or 17."""
    labels = np.where(LABELS < 4, LABELS, 0).astype(np.uint8)
    per = 8 // bits
    packed = np.zeros((SHAPE[0], SHAPE[1] // per), np.uint8)
    for k in range(per):
        packed = (packed << bits) | labels[:, k::per]
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    header = struct.pack(">IIBBBBB", SHAPE[1], SHAPE[0], bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    (tmp_path / "l.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )
    )
    assert list(read_label_image(tmp_path / "l.png", (0.2,)).numbers) == [1, 2, 3]
    tags = ((256, SHAPE[1]), (257, SHAPE[0]), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1))
    tags += ((278, SHAPE[0]), (279, packed.size))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    (tmp_path / "l.tif").write_bytes(
        b"II*\0"
        + struct.pack("<I", 8 + packed.size)
        + packed.tobytes()
        + struct.pack("<H", len(tags))
        + entries
        + bytes(4)
    )
    assert list(read_label_image(tmp_path / "l.tif", (0.2,)).numbers) == [1, 2, 3]


def test_numbers_that_tables_count_anew_are_said(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "l.tif", 7 * LABELS)
    assert "not 1, 2, 3, ..." in read_labels(tmp_path / "l.tif", SHAPE).notes[0]
    tifffile.imwrite(tmp_path / "l.tif", LABELS)
    assert read_labels(tmp_path / "l.tif", SHAPE).notes == ()


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_refused(name: str, tmp_path: Path) -> None:
    make, says = FILES[name]
    path = make(tmp_path)
    for reading in (lambda: read_label_image(path, (0.2,)), lambda: read_labels(path, SHAPE)):
        with pytest.raises(InputError) as caught:
            reading()
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)


# -- meshes ------------------------------------------------------------------------------------


def test_a_hollow_particle_keeps_its_void() -> None:
    """Area and outer surface are those of the image: filled, it would shrink to a smaller disc."""
    sizes = mesh_sizes(load_parameters(PRESET).geometry.mesh)
    labels = discs(hollow={2: 5}).astype(np.int32)
    labels[PLACES[2][0], PLACES[2][1]] = 0
    solid = mesh_labels(discs().astype(np.int32), 0.2, 5.0, 0.2, sizes)
    made = mesh_labels(labels, 0.2, 5.0, 0.2, sizes)
    assert (made.hollow, made.filled) == ((2,), 1)
    assert (solid.hollow, solid.filled) == ((), 0)
    pixels = 0.04 * np.bincount(labels.ravel())[1:]
    pixels[2] += 0.04  # the speck
    np.testing.assert_allclose(made.mesh.particles.volume_um3, pixels, rtol=1e-6)
    surface, whole = made.mesh.particles.surface_um2, solid.mesh.particles.surface_um2
    np.testing.assert_allclose(surface, whole, rtol=0.01)
    # The disc of the same area has a tenth less.
    shrunk = 2.0 * np.sqrt(np.pi * pixels[1])
    assert surface[1] > 1.08 * shrunk
    mesh = made.mesh
    facets, kinds = facets_of(mesh.points_um, mesh.cells, mesh.cell_tags, 1)
    places = mesh.points_um[facets[kinds == tags.WALLS]].mean(axis=1)
    centre = made.offset_um + 0.2 * (np.array(PLACES[1][1::-1]) + 0.5)
    inner = np.hypot(*(places - centre).T) < 1.3
    assert inner.sum() >= 10


def test_a_hollow_particle_of_a_stack_keeps_its_void() -> None:
    z, y, x = np.mgrid[:24, :24, :24]
    away = (z - 12) ** 2 + (y - 12) ** 2 + (x - 12) ** 2
    settings = load_parameters(PRESET).geometry.mesh
    surfaces = []
    for inner in (0, 4):
        labels = ((away < 9**2) & (away >= inner**2)).astype(np.int32)
        made = mesh_stack(labels, (0.2, 0.2, 0.2), 4.0, 0.2, settings)
        assert made.hollow == ((1,) if inner else ())
        np.testing.assert_allclose(made.mesh.particles.volume_um3, 0.008 * labels.sum(), rtol=1e-6)
        surfaces.append(float(made.mesh.particles.surface_um2[0]))
    assert surfaces[1] == pytest.approx(surfaces[0], rel=0.01)


def test_the_command_says_what_was_assumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = merged(1, 4)
    row, column, _ = PLACES[1]
    pixels[row - 3 : row + 3, column - 3 : column + 3] = 0
    row, column, _ = PLACES[2]
    pixels[row - 3 : row + 3, column - 3 : column + 3] = 0
    tifffile.imwrite(tmp_path / "l.tif", pixels)
    words = ["mesh", str(PRESET), "--labels", str(tmp_path / "l.tif"), "--pixel", "0.2um"]
    assert main([*words, "-o", str(tmp_path / "m.msh")]) == 0
    out = capsys.readouterr().out
    assert "assumed: numbers in several pieces (1)" in out
    assert "hollow (labels 2, 3): closed voids" in out
    table = pd.read_csv(tmp_path / "m.csv")
    assert sorted(zip(table["label"], table["piece"], strict=True)) == [
        (1, 1),
        (1, 2),
        (2, 1),
        (3, 1),
    ]
    assert table.groupby("label")["hollow"].sum().to_dict() == {1: 0, 2: 1, 3: 1}


def test_a_particle_that_the_gap_cuts_keeps_its_largest_piece() -> None:
    """Grown to the area of both, the piece that is kept would be a particle that nobody saw."""
    sizes = mesh_sizes(load_parameters(PRESET).geometry.mesh)
    y, x = np.mgrid[:60, :90]
    large, small = (y - 30) ** 2 + (x - 25) ** 2 < 15**2, (y - 30) ** 2 + (x - 68) ** 2 < 10**2
    labels = np.zeros((60, 90), np.int32)
    labels[large | small] = 1
    labels[29:31, 25:68] = 1
    apart = mesh_labels(labels, 0.2, 5.0, 0.2, sizes)
    assert apart.cut == ()
    assert apart.image_volume[0] == pytest.approx(0.04 * (labels == 1).sum())
    # Neighbours squeeze the neck, so that half a gap from either side is all of it.
    labels[14:29, 42:56] = 2
    labels[31:46, 42:56] = 3
    made = mesh_labels(labels, 0.2, 5.0, 0.2, sizes)
    assert made.cut == (1,)
    volume = made.mesh.particles.volume_um3[0]
    assert volume == pytest.approx(made.image_volume[0], rel=1e-3)
    assert volume == pytest.approx(0.04 * large.sum(), rel=0.1)
    assert volume < 0.8 * 0.04 * (labels == 1).sum()


def test_moments_of_a_stack_are_slices_and_that_is_said(tmp_path: Path) -> None:
    about = {"axes": "TYX", "finterval": 1.0}
    found = read(STACK, tmp_path, imagej=True, metadata=about)
    assert found.labels.shape == STACK.shape
    assert found.notes == ("its pages, moments by the file, are taken for slices",)
    assert read(STACK, tmp_path, imagej=True, metadata={"axes": "ZYX"}).notes == ()


def test_optics_says_what_it_assumed_of_picture_and_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    grey = np.where(LABELS > 0, 0.6, 0.2) + random.normal(0, 0.01, SHAPE)
    counts = (4095 * grey[..., None] * [1.0, 0.95, 0.9]).astype(np.uint16)
    tifffile.imwrite("p.tif", counts, photometric="rgb")
    tifffile.imwrite("l.tif", merged(1, 4))
    words = ["optics", "p.tif", "--labels", "l.tif", "--pixel", "0.2um", "--focus", "off"]
    assert main([*words, "--out", "none"]) == 2
    assert "a camera of 12 bits" in capsys.readouterr().err
    assert main([*words, "--bits", "12", "--out", "out"]) == 0
    said = "l.tif: numbers in several pieces (1) are taken for as many particles: 4 particles"
    assert said in capsys.readouterr().out
    summary = pd.read_csv("out/summary.csv")
    assert said in summary["warnings"][0]
    assert summary["particles_found"][0] == 4
    assert summary["green"][0] == pytest.approx(0.57, abs=0.01)
