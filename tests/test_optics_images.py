"""Reading pictures: formats, depths, pixel sizes, and what is none."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from heterode.base.errors import InputError
from heterode.optics.label_file import read_label_image, read_labels
from heterode.optics.micrograph import read_micrograph

RGB = np.random.default_rng(1).integers(0, 2**16, (40, 50, 3), dtype=np.uint16)
RGB8 = (RGB >> 8).astype(np.uint8)


def write(path: Path, pixels: np.ndarray, **options: object) -> Path:
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, **options)
    else:
        Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("pixels", [RGB, RGB8], ids=["16 bit", "8 bit"])
def test_tiff_with_a_resolution(pixels: np.ndarray, tmp_path: Path) -> None:
    options = {"photometric": "rgb", "resolution": (1e4 / 0.125,) * 2}
    path = write(tmp_path / "a.tif", pixels, resolutionunit="CENTIMETER", **options)
    found = read_micrograph(path)
    np.testing.assert_array_equal(found.counts, pixels)
    assert found.pixel_um == pytest.approx(0.125)
    assert found.intensity().max() <= 1.0
    assert read_micrograph(path, 0.2).pixel_um == 0.2


def test_imagej_and_ome(tmp_path: Path) -> None:
    imagej = tmp_path / "imagej.tif"
    tifffile.imwrite(
        imagej,
        RGB8,
        imagej=True,
        resolution=(1.0 / 0.11, 1.0 / 0.11),
        metadata={"unit": "um", "axes": "YXS"},
    )
    assert read_micrograph(imagej).pixel_um == pytest.approx(0.11, rel=1e-5)
    ome = tmp_path / "scan.ome.tif"
    tifffile.imwrite(
        ome,
        np.moveaxis(RGB, 2, 0),
        ome=True,
        photometric="minisblack",
        metadata={"axes": "CYX", "PhysicalSizeX": 90.0, "PhysicalSizeXUnit": "nm"},
    )
    found = read_micrograph(ome)
    assert found.pixel_um == pytest.approx(0.09)
    np.testing.assert_array_equal(found.counts, RGB)


def test_a_screen_resolution_is_no_pixel_size(tmp_path: Path) -> None:
    options = {"photometric": "rgb", "resolution": (72, 72), "resolutionunit": "INCH"}
    path = write(tmp_path / "a.tif", RGB8, **options)
    with pytest.raises(InputError, match="pixel_um"):
        read_micrograph(path)


def test_png_of_16_bit_keeps_both_bytes(tmp_path: Path) -> None:
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkIOImage import vtkPNGWriter

    data = vtkImageData()
    data.SetDimensions(50, 40, 1)
    flat = np.ascontiguousarray(RGB[::-1]).reshape(-1, 3)
    data.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True))
    writer = vtkPNGWriter()
    writer.SetFileName(str(tmp_path / "a.png"))
    writer.SetInputData(data)
    writer.Write()
    found = read_micrograph(tmp_path / "a.png", 0.1)
    np.testing.assert_array_equal(found.counts, RGB)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits"])
def test_compressed_tiff(compression: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(RGB8).save(path, compression=compression)
    np.testing.assert_array_equal(read_micrograph(path, 0.1).counts, RGB8)


def test_compression_of_16_bit_colour_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RGB, photometric="rgb")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["Compression"].overwrite(5)
    with pytest.raises(InputError, match=r"a\.tif.*LZW.*imagecodecs"):
        read_micrograph(path, 0.1)


def test_stack_of_labels_with_lzw_compression(tmp_path: Path) -> None:
    pages = np.zeros((5, 40, 50), dtype=np.uint8)
    pages[1:4, 5:20, 5:20], pages[2:5, 25:35, 5:45] = 3, 8
    first, *others = (Image.fromarray(page) for page in pages)
    path = tmp_path / "stack.tif"
    first.save(path, compression="tiff_lzw", save_all=True, append_images=others)
    found = read_label_image(path, (0.1, 0.1, 0.2))
    np.testing.assert_array_equal(np.array([0, 3, 8])[found.labels], pages)


def test_png_with_transparency_and_jpeg(tmp_path: Path) -> None:
    with_alpha = np.concatenate([RGB8, np.full((40, 50, 1), 255, np.uint8)], axis=2)
    found = read_micrograph(write(tmp_path / "a.png", with_alpha), 0.1)
    np.testing.assert_array_equal(found.counts, RGB8)
    smooth = np.tile(np.linspace(20, 200, 50).astype(np.uint8), (40, 1))
    picture = np.stack([smooth, smooth // 2, smooth // 4], axis=2)
    jpeg = read_micrograph(write(tmp_path / "a.jpg", picture, quality=95), 0.1)
    assert np.abs(jpeg.counts.astype(int) - picture).mean() < 4


MISTAKES = {
    "no such file": (lambda p: p / "none.tif", "no such file"),
    "a folder": (lambda p: (p / "f.tif").mkdir() or p / "f.tif", "directory"),
    "another format": (lambda p: (p / "a.csv").write_text("x") and p / "a.csv", "formats read"),
    "no image": (lambda p: (p / "a.tif").write_text("x") and p / "a.tif", "not readable"),
    "a damaged png": (lambda p: (p / "a.png").write_bytes(b"\x89PNG") and p / "a.png", "not reada"),
    "a stack": (lambda p: write(p / "a.tif", np.stack([RGB8] * 5), photometric="rgb"), "stack"),
    "tiny": (lambda p: write(p / "a.png", RGB8[:9]), "too few"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name: str, tmp_path: Path) -> None:
    make, words = MISTAKES[name]
    with pytest.raises(InputError, match=words) as caught:
        read_micrograph(make(tmp_path), 0.1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [0.0, -1.0, 100.0])
def test_pixel_out_of_range(size: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pixel"):
        read_micrograph(write(tmp_path / "a.png", RGB8), size)


class TestLabels:
    def test_numbers_are_closed_up(self, tmp_path: Path) -> None:
        labels = np.zeros((20, 30), np.uint16)
        labels[2:5, 2:5], labels[10:14, 10:14] = 7, 300
        found = read_labels(write(tmp_path / "l.tif", labels), (20, 30)).labels
        assert found.max() == 2
        assert (found == 2).sum() == 16

    def test_a_mask_is_split_into_pieces(self, tmp_path: Path) -> None:
        mask = np.zeros((20, 30), np.uint8)
        mask[2:5, 2:5] = mask[10:14, 10:14] = 255
        assert read_labels(write(tmp_path / "m.png", mask), (20, 30)).labels.max() == 2

    @pytest.mark.parametrize("kind", ["uint8", "int32", "uint32", "uint64", "float32", "float64"])
    def test_any_kind_of_number(self, kind: str, tmp_path: Path) -> None:
        labels = np.zeros((20, 30), kind)
        labels[2:5, 2:5], labels[10:14, 10:14] = 3, 200
        found = read_label_image(write(tmp_path / "l.tif", labels), (0.1,))
        assert found.numbers.tolist() == [3, 200]
        np.testing.assert_array_equal(found.labels, np.where(labels == 200, 2, labels // 3))

    def test_large_numbers(self, tmp_path: Path) -> None:
        labels = np.zeros((20, 30), np.uint32)
        labels[2:5, 2:5], labels[10:14, 10:14] = 5, 4_000_000_000
        found = read_label_image(write(tmp_path / "l.tif", labels), (0.1,))
        assert found.numbers.tolist() == [5, 4_000_000_000]
        assert found.labels.max() == 2

    @pytest.mark.parametrize(
        ("labels", "words"),
        [
            (np.ones((9, 9), np.uint8), "20 x 30"),
            (np.zeros((20, 30), np.uint8), "no particles"),
            (np.full((20, 30), 0.5, np.float32), "whole numbers"),
            (RGB8[:20, :30], "one number a pixel"),
        ],
    )
    def test_mistakes(self, labels: np.ndarray, words: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=words):
            read_labels(write(tmp_path / "l.tif", labels), (20, 30))


# -- pictures are what they are ----------------------------------------------------------------

RGB12 = (RGB >> 4).astype(np.uint16)


def test_bits_of_the_camera_are_given_or_said_by_the_file(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.tif", RGB12, photometric="rgb")
    with pytest.raises(InputError, match=r"counts reach \d+ of 65535: a camera of 12 bits.*--bits"):
        read_micrograph(plain, 0.1)
    given = read_micrograph(plain, 0.1, bits=12)
    np.testing.assert_allclose(given.intensity(), RGB12 / 4095.0, rtol=1e-6)
    dark = read_micrograph(plain, 0.1, bits=16)
    np.testing.assert_allclose(dark.intensity(), RGB12 / 65535.0, rtol=1e-6)
    tag = (281, "H", 3, (4095, 4095, 4095), True)
    said = write(tmp_path / "b.tif", RGB12, photometric="rgb", extratags=[tag])
    found = read_micrograph(said, 0.1)
    assert found.bits == 12
    assert "full scale is 4095" in found.notes[0]
    ome = tmp_path / "c.ome.tif"
    about = {"axes": "CYX", "SignificantBits": 12}
    tifffile.imwrite(
        ome, np.moveaxis(RGB12, 2, 0), ome=True, photometric="minisblack", metadata=about
    )
    assert read_micrograph(ome, 0.1).bits == 12


def test_all_bits_of_the_type_say_nothing_of_the_camera(tmp_path: Path) -> None:
    """Programs that do not know the camera write them, with 12 bits of counts as well."""
    tag = (281, "H", 3, (65535, 65535, 65535), True)
    plain = write(tmp_path / "a.tif", RGB12, photometric="rgb", extratags=[tag])
    with pytest.raises(InputError, match=r"a camera of 12 bits.*--bits"):
        read_micrograph(plain, 0.1)
    ome = tmp_path / "c.ome.tif"
    about = {"axes": "CYX", "SignificantBits": 16}
    tifffile.imwrite(
        ome, np.moveaxis(RGB12, 2, 0), ome=True, photometric="minisblack", metadata=about
    )
    with pytest.raises(InputError, match=r"a camera of 12 bits.*--bits"):
        read_micrograph(ome, 0.1)
    assert read_micrograph(ome, 0.1, bits=16).bits == 16


def test_full_scale_is_that_of_the_type_where_counts_show_it(tmp_path: Path) -> None:
    """The negative control: nothing is asked of pictures that use their bits."""
    found = read_micrograph(write(tmp_path / "a.tif", RGB, photometric="rgb"), 0.1)
    assert (found.bits, found.notes) == (None, ())
    np.testing.assert_allclose(found.intensity(), RGB / 65535.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("pixels", "bits", "says"),
    [(RGB8, 12, "has 8 bits a colour"), (RGB, 12, r"above 4095, full scale of --bits 12")],
)
def test_bits_that_cannot_be(pixels: np.ndarray, bits: int, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        read_micrograph(write(tmp_path / "a.tif", pixels, photometric="rgb"), 0.1, bits=bits)


@pytest.mark.parametrize("name", ["a.tif", "a.jpg"])
def test_printing_colours_are_refused(name: str, tmp_path: Path) -> None:
    Image.fromarray(RGB8).convert("CMYK").save(tmp_path / name)
    with pytest.raises(InputError, match=r"printing colours \(CMYK\)"):
        read_micrograph(tmp_path / name, 0.1)


@pytest.mark.parametrize("photometric", ["ycbcr", "cielab"])
def test_other_colour_spaces_are_refused(photometric: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", RGB8, photometric="rgb")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        number = {"ycbcr": 6, "cielab": 8}[photometric]
        tiff.pages[0].tags["PhotometricInterpretation"].overwrite(number)
    with pytest.raises(InputError, match="not in red, green and blue"):
        read_micrograph(path, 0.1)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_palettes_become_colours(name: str, tmp_path: Path) -> None:
    image = Image.fromarray(RGB8).quantize(64)
    image.save(tmp_path / name)
    found = read_micrograph(tmp_path / name, 0.1)
    np.testing.assert_array_equal(found.counts, np.asarray(image.convert("RGB")))
    assert "of a palette" in found.notes[0]


def test_jpeg_in_tiff_keeps_its_colours(tmp_path: Path) -> None:
    smooth = np.tile(np.linspace(20, 200, 64).astype(np.uint8), (48, 1))
    picture = np.stack([smooth, smooth // 2, smooth // 4], axis=2)
    Image.fromarray(picture).save(tmp_path / "a.tif", compression="jpeg", quality=95)
    found = read_micrograph(tmp_path / "a.tif", 0.1)
    assert np.abs(found.counts.astype(int) - picture).mean() < 4


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg"])
def test_a_turned_picture_is_refused(name: str, tmp_path: Path) -> None:
    image, about = Image.fromarray(RGB8), Image.Exif()
    about[274] = 6
    image.save(tmp_path / name, **({"tiffinfo": about} if name == "a.tif" else {"exif": about}))
    with pytest.raises(InputError, match="orientation 6"):
        read_micrograph(tmp_path / name, 0.1)
    image.save(tmp_path / name)
    assert read_micrograph(tmp_path / name, 0.1).shape == (40, 50)


def test_transparency_that_varies_is_said(tmp_path: Path) -> None:
    alpha = np.full((40, 50, 1), 255, np.uint8)
    alpha[:5] = 0
    Image.fromarray(np.concatenate([RGB8, alpha], axis=2)).save(tmp_path / "a.png")
    assert "transparency" in read_micrograph(tmp_path / "a.png", 0.1).notes[0]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tif")
    with pytest.raises(InputError, match="pipe"):
        read_micrograph(tmp_path / "a.tif", 0.1)
