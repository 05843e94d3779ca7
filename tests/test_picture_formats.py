"""Pictures of other programs: what is assumed of each is said, or it is refused with a remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from heterode.base.errors import InputError
from heterode.optics.image_file import read_image_file
from heterode.optics.micrograph import Micrograph, read_micrograph

COLOUR = np.random.default_rng(2).integers(0, 2**16, (40, 50, 3), dtype=np.uint16)
COLOUR8 = (COLOUR >> 8).astype(np.uint8)
GREY, GREY8 = COLOUR[..., 0], COLOUR8[..., 0]
REAL = (GREY / 65535.0).astype(np.float32)
OME = {"photometric": "minisblack", "ome": True}


def read(folder: Path, pixels: np.ndarray, **options: object) -> Micrograph:
    tifffile.imwrite(folder / "a.tif", pixels, **options)
    return read_micrograph(folder / "a.tif", 0.1)


def png(folder: Path, pixels: np.ndarray, mode: str) -> Micrograph:
    Image.fromarray(pixels, mode).save(folder / "a.png")
    return read_micrograph(folder / "a.png", 0.1)


def four_bits(folder: Path) -> Micrograph:
    """Write a grey PNG of 4 bits by hand, which Pillow reads but does not write."""
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        check = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)

    counts = GREY8 >> 4
    rows = b"".join(b"\0" + bytes(row[::2] << 4 | row[1::2]) for row in counts)
    header = struct.pack(">IIBBBBB", 50, 40, 4, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return read_micrograph(folder / "a.png", 0.1)


def scan(folder: Path, pixels: np.ndarray, **metadata: object) -> Micrograph:
    tifffile.imwrite(folder / "a.ome.tif", pixels, metadata=metadata, **OME)
    return read_micrograph(folder / "a.ome.tif", 0.1)


def equal(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(pixels[..., None], 3, axis=2)


def with_alpha(pixels: np.ndarray, alpha: np.ndarray | int) -> np.ndarray:
    planes = pixels if pixels.ndim == 3 else pixels[..., None]
    more = np.broadcast_to(np.asarray(alpha, pixels.dtype), pixels.shape[:2])[..., None]
    return np.concatenate([planes, more], axis=2)


GREYS: dict[str, tuple[Callable[[Path], Micrograph], np.ndarray, str]] = {
    "8 bit": (lambda p: read(p, GREY8), GREY8 / 255, "read as grey"),
    "16 bit": (lambda p: read(p, GREY), GREY / 65535, "read as grey"),
    "png": (lambda p: png(p, GREY8, "L"), GREY8 / 255, "read as grey"),
    "png of 4 bits": (four_bits, (GREY8 >> 4) / 15, "full scale is 15: the file has 4 bits"),
    "three equal channels": (
        lambda p: read(p, equal(GREY8), photometric="rgb"),
        GREY8 / 255,
        "the same in every pixel",
    ),
    "grey with transparency": (
        lambda p: png(p, with_alpha(GREY8, 255), "LA"),
        GREY8 / 255,
        "transparency is even, and left out",
    ),
    "white is 0": (
        lambda p: read(p, GREY8, photometric="miniswhite"),
        1.0 - GREY8 / 255,
        "scale is turned round",
    ),
    "12 bit that the file tells": (
        lambda p: read(p, GREY >> 4, extratags=[(281, 3, 1, 4095, False)]),
        (GREY >> 4) / 4095,
        "full scale is 4095: the file says 12 bits",
    ),
    "a dim picture of 16 bit": (
        lambda p: read(p, GREY // 3),
        (GREY // 3) / 65535,
        "full scale is taken for 65535",
    ),
    "real numbers": (lambda p: read(p, REAL), REAL, "shares of full scale"),
    "double precision": (lambda p: read(p, REAL.astype(float)), REAL, "shares of full scale"),
    "BigTIFF": (lambda p: read(p, GREY, bigtiff=True), GREY / 65535, "read as grey"),
    "OME": (lambda p: scan(p, GREY, axes="YX"), GREY / 65535, "read as grey"),
    "OME with bits": (
        lambda p: scan(p, GREY >> 4, axes="YX", SignificantBits=12),
        (GREY >> 4) / 4095,
        "the file says 12 bits",
    ),
    "tiles": (lambda p: read(p, GREY8, tile=(16, 16)), GREY8 / 255, "read as grey"),
}


@pytest.mark.parametrize("name", GREYS)
def test_grey_pictures_have_one_channel_and_say_so(name: str, tmp_path: Path) -> None:
    make, brightness, note = GREYS[name]
    found = make(tmp_path)
    assert found.channels == ("grey",)
    assert found.intensity().dtype == np.float32
    np.testing.assert_allclose(found.intensity()[..., 0], brightness, atol=1e-6)
    text = "; ".join(found.notes)
    assert note in text
    assert "one channel, without colours" in text


COLOURS: dict[str, tuple[Callable[[Path], Micrograph], np.ndarray, str]] = {
    "pixel by pixel": (lambda p: read(p, COLOUR, photometric="rgb"), COLOUR / 65535, ""),
    "plane by plane": (
        lambda p: read(p, np.moveaxis(COLOUR8, 2, 0), photometric="rgb", planarconfig="separate"),
        COLOUR8 / 255,
        "",
    ),
    "plane by plane with transparency": (
        lambda p: read(
            p,
            np.moveaxis(with_alpha(COLOUR8, GREY8), 2, 0),
            photometric="rgb",
            planarconfig="separate",
            extrasamples=[2],
        ),
        COLOUR8 / 255,
        "transparency is not even, and left out",
    ),
    "three channels of a fluorescence microscope": (
        lambda p: scan(p, np.moveaxis(COLOUR, 2, 0), axes="CYX"),
        COLOUR / 65535,
        "three planes are taken for red, green and blue",
    ),
    "even transparency": (
        lambda p: png(p, with_alpha(COLOUR8, 128), "RGBA"),
        COLOUR8 / 255,
        "transparency is even, and left out",
    ),
    "real numbers": (
        lambda p: read(p, COLOUR / np.float32(65535), photometric="rgb"),
        COLOUR / 65535,
        "shares of full scale",
    ),
    "BigTIFF": (
        lambda p: read(p, COLOUR, photometric="rgb", bigtiff=True),
        COLOUR / 65535,
        "",
    ),
}


@pytest.mark.parametrize("name", COLOURS)
def test_pictures_in_colour_say_what_is_assumed(name: str, tmp_path: Path) -> None:
    make, brightness, note = COLOURS[name]
    found = make(tmp_path)
    assert found.channels == ("red", "green", "blue")
    np.testing.assert_allclose(found.intensity(), brightness, atol=1e-6)
    # Where nothing is assumed, nothing is said.
    assert note in "; ".join(found.notes) if note else found.notes == ()


def test_a_palette_of_greys_is_grey(tmp_path: Path) -> None:
    Image.fromarray(GREY8).convert("P").save(tmp_path / "a.png")
    found = read_micrograph(tmp_path / "a.png", 0.1)
    assert found.channels == ("grey",)
    np.testing.assert_array_equal(found.counts[..., 0], GREY8)
    assert "of a palette" in found.notes[0]


def test_grey_with_transparency_of_16_bits_keeps_its_lower_byte(tmp_path: Path) -> None:
    """Pillow would keep the upper byte alone, and full scale would be another."""
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkIOImage import vtkPNGWriter

    pixels = with_alpha(GREY, 65535)
    image = vtkImageData()
    image.SetDimensions(50, 40, 1)
    image.GetPointData().SetScalars(numpy_to_vtk(pixels[::-1].reshape(-1, 2), deep=True))
    writer = vtkPNGWriter()
    writer.SetFileName(str(tmp_path / "a.png"))
    writer.SetInputData(image)
    writer.Write()
    np.testing.assert_array_equal(read_image_file(tmp_path / "a.png").pixels, pixels)
    np.testing.assert_array_equal(read_micrograph(tmp_path / "a.png", 0.1).counts[..., 0], GREY)


def scenes(folder: Path) -> Micrograph:
    with tifffile.TiffWriter(folder / "a.tif") as file:
        file.write(GREY)
        file.write(GREY[:20])
    return read_micrograph(folder / "a.tif", 0.1)


def ome_scenes(folder: Path) -> Micrograph:
    with tifffile.TiffWriter(folder / "a.ome.tif") as file:
        for name in ("first", "second"):
            file.write(GREY, photometric="minisblack", metadata={"axes": "YX", "Name": name})
    return read_micrograph(folder / "a.ome.tif", 0.1)


REFUSED: dict[str, tuple[Callable[[Path], Micrograph], str]] = {
    "printing colours": (
        lambda p: read(p, with_alpha(COLOUR8, GREY8), photometric="separated"),
        r"printing colours \(CMYK\).*Export the camera's picture as RGB",
    ),
    "real numbers above 1": (
        lambda p: read(p, REAL * np.float32(4000)),
        r"real numbers lie from .* to 3999.*allowed: 0 to 1\). Divide them by full scale",
    ),
    "real numbers below 0": (lambda p: read(p, REAL - np.float32(0.5)), r"lie from -0.5.*0 to 1"),
    "no numbers": (
        lambda p: read(p, np.where(REAL > 0.99, np.float32("nan"), REAL)),
        "not numbers .NaN or infinite.. Save it as 8 or 16 bit",
    ),
    "signed numbers": (lambda p: read(p, GREY.astype(np.int32)), r"type int32 \(allowed: 8 or 16"),
    "32 bits": (lambda p: read(p, GREY.astype(np.uint32)), "type uint32 .*Save it as one"),
    "two channels": (
        lambda p: scan(p, np.moveaxis(COLOUR, 2, 0)[:2], axes="CYX"),
        r"holds 2 channels as planes \(axes CYX\).*Save one of them as a grey picture",
    ),
    "four channels": (
        lambda p: scan(p, np.stack([GREY] * 4), axes="CYX"),
        r"holds 4 channels as planes.*Save one of them",
    ),
    "pages": (lambda p: read(p, np.stack([GREY] * 5)), "not a stack. Save the page"),
    "moments": (lambda p: scan(p, np.stack([GREY] * 3), axes="TYX"), "axes TYX.*not a stack"),
    "scenes of other sizes": (scenes, "holds 2 images.*Save the one that is meant by itself"),
    "scenes": (ome_scenes, "holds 2 images.*Save the one that is meant by itself"),
    "12 or 16 bits": (lambda p: read(p, GREY >> 4), "a camera of 12 bits, or a dark.*--bits 12"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_open_is_refused_with_a_remedy(name: str, tmp_path: Path) -> None:
    make, words = REFUSED[name]
    with pytest.raises(InputError, match=words) as caught:
        make(tmp_path)
    assert "\n" not in str(caught.value)
    assert "a.tif" in str(caught.value) or "a.ome.tif" in str(caught.value)


def test_bits_cannot_be_given_for_real_numbers(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", REAL)
    with pytest.raises(InputError, match="real numbers, so --bits 12 cannot be"):
        read_micrograph(tmp_path / "a.tif", 0.1, bits=12)
