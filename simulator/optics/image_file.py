"""Image files (TIFF, PNG, JPEG) as arrays of their numbers, and what the files say about them.

Nothing is converted here except the order of colour planes. Files that would be misread are
refused: printing colours (CMYK), camera raw and other colour spaces than red, green and blue,
colours multiplied by a transparency, images that their orientation tag turns, several images in one
file, truncated files, and images that would fill the memory. The size of a pixel is found in
heterode.optics.pixel_size.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.base.reading import check_regular
from heterode.optics.encoding import png_or_jpeg_encoding, tiff_encoding
from heterode.optics.pixel_size import (
    ome_attribute,
    png_or_jpeg_aspect,
    tiff_aspect,
    tiff_page_um,
    tiff_pixel_um,
)

Array = npt.NDArray[Any]

FORMATS = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
MOST_BYTES = 4_000_000_000
"""Bytes of the largest image when unpacked: a small file can hold very many equal pixels."""

_COLOURS = {0, 1, 2, 3}
"""TIFF's photometric interpretations that are read: white is 0, black is 0, RGB, palette."""

_LOSSY = {6, 7, 99, 33003, 33004, 33005, 33007, 34712, 34887, 34892, 34927, 34934, 50001, 50002}
"""TIFF's compressions that may change pixels: JPEG, JPEG 2000, JPEG XR, JPEG XL, WebP, LERC."""

_WHITE_IS_ZERO, _YCBCR = 0, 6


@dataclass(frozen=True, eq=False)
class ImageFile:
    """The pixels of a file.

    Attributes:
        path: path of the file.
        pixels: (H, W), (H, W, samples), or with pages first; the numbers that the file holds.
        palette: (K, 3) red, green, blue of each index, uint8; None if pixels are not indices.
        pixel_um, page_um: edge of a pixel along x and distance of pages; None where the file does
            not give them.
        aspect: ratio of a pixel's height to its width; 1 where the file does not give it.
        bits: bits of a count; None where the file does not give fewer than the type has.
        lossy: name of the compression that may have changed pixels, or "".
        white_is_zero: whether small numbers are bright.
        encoding: encoding other than sRGB that the file names (ICC profile, gamma), or "".
        axes: letters of the dimensions as tifffile gives them, such as "ZYX"; "" for other formats.
    """

    path: Path
    pixels: Array
    palette: npt.NDArray[np.uint8] | None = None
    pixel_um: float | None = None
    page_um: float | None = None
    bits: int | None = None
    lossy: str = ""
    white_is_zero: bool = False
    axes: str = ""
    encoding: str = ""
    aspect: float = 1.0


def read_image_file(path: Path | str) -> ImageFile:
    """Read a TIFF, PNG or JPEG.

    Raises:
        InputError: the file is missing, damaged, of another format, or refused (see the module).
    """
    file = Path(path)
    if file.suffix.lower() not in FORMATS:
        raise InputError(
            f"{file}: is not one of the formats read ({', '.join(FORMATS)}). Save it as TIFF or PNG"
        )
    if file.is_dir():
        raise InputError(f"{file}: is a directory, not an image")
    if not file.exists():
        raise InputError(f"{file}: no such file")
    try:
        check_regular(file)
        with _quiet():
            if file.suffix.lower() in (".tif", ".tiff"):
                return _read_tiff(file)
            return _read_png_or_jpeg(file)
    except InputError:
        raise
    except OSError as error:
        reason = error.strerror or " ".join(f"{error}".split())
        raise InputError(f"{file}: is not readable as an image ({reason})") from None
    except Exception as error:  # decoders raise many kinds on damaged files
        reason = " ".join(f"{error}".split()) or type(error).__name__
        raise InputError(f"{file}: is not readable as an image ({reason})") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress what decoders print about a damaged file: it is either refused or read in full."""
    log = logging.getLogger("tifffile")
    before = log.disabled
    log.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = before


def _require_size(file: Path, size: int) -> None:
    if size > MOST_BYTES:
        raise InputError(
            f"{file}: unpacked, it has {size / 1e9:.3g} GB (allowed: {MOST_BYTES / 1e9:g} GB). Cut"
            " out a part of it"
        )


def _require_upright(file: Path, orientation: int) -> None:
    if orientation not in (0, 1):
        raise InputError(
            f"{file}: is to be turned or mirrored by those who show it (orientation {orientation}),"
            " so that its rows are not those that one sees. Save it upright, without that tag"
        )


# -- TIFF -------------------------------------------------------------------------------------


def _read_tiff(file: Path) -> ImageFile:
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        series = tiff.series[0]
        if len(tiff.series) > 1:
            raise InputError(
                f"{file}: holds {len(tiff.series)} images of different sizes or kinds (allowed:"
                " one, or a stack of pages of one size). Save the one that is meant by itself"
            )
        page = tiff.pages.first
        photometric, compression = int(page.photometric), int(page.compression)
        _require_colours(file, photometric, compression)
        tags = page.tags
        _require_upright(file, int(tags["Orientation"].value) if "Orientation" in tags else 1)
        _require_size(file, int(series.nbytes))
        pixels, axes = _tiff_pixels(file, tiff, series)
        _require_own_colours(file, page, pixels)
        return ImageFile(
            file,
            pixels,
            _tiff_palette(page) if photometric == 3 else None,
            tiff_pixel_um(tiff),
            tiff_page_um(tiff),
            _tiff_bits(tiff, page),
            tifffile.COMPRESSION(compression).name if compression in _LOSSY else "",
            photometric == _WHITE_IS_ZERO,
            axes,
            tiff_encoding(page),
            tiff_aspect(tiff),
        )


def _require_colours(file: Path, photometric: int, compression: int) -> None:
    # JPEG stores colours as YCbCr, and decoders return red, green and blue.
    if photometric in _COLOURS or (photometric == _YCBCR and compression in _LOSSY):
        return
    names = {5: "printing colours (CMYK)", _YCBCR: "YCbCr", 8: "CIELab", 32803: "camera raw"}
    kind = names.get(photometric, f"a colour space of its own (photometric {photometric})")
    raise InputError(
        f"{file}: is in {kind}, not in red, green and blue as the camera saw them (allowed: RGB,"
        " grey, palette). Export the camera's picture as RGB"
    )


def _require_own_colours(file: Path, page: Any, pixels: Array) -> None:
    """Refuse colours that are multiplied by a transparency (TIFF 6.0, ExtraSamples 1)."""
    if 1 not in page.extrasamples or pixels.ndim < 3 or pixels.shape[-1] not in (2, 4):
        return
    opaque = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1.0
    if (pixels[..., -1] != opaque).any():
        raise InputError(
            f"{file}: its colours are multiplied by its transparency, which is not full (associated"
            " alpha): they are darker than the camera saw them. Save it without transparency"
        )


def _tiff_pixels(file: Path, tiff: Any, series: Any) -> tuple[Array, str]:
    import tifffile

    axes = str(series.axes)
    try:
        array = np.asarray(series.asarray())
    except (ValueError, NotImplementedError) as error:
        # tifffile leaves LZW and JPEG compression and 2 or 4 bits to a separate package.
        if "imagecodecs" not in str(error):
            raise
        page = tiff.pages.first
        if page.samplesperpixel > 1 and page.bitspersample > 8:
            compression = tifffile.COMPRESSION(page.compression).name
            raise InputError(
                f"{file}: is compressed ({compression}) in 16 bit colour. Save it"
                " uncompressed or as ZIP, or install imagecodecs: pip install imagecodecs"
            ) from None
        return _frames(file, page.bitspersample), axes
    # ImageJ and OME write colour planes one after another: C, of which three may be red, green
    # and blue. Samples of one pixel (S) may have a transparency too.
    samples = {"S": (2, 3, 4), "C": (3,)}.get(axes[:1], ())
    if array.ndim == 3 and array.shape[0] in samples:
        return np.moveaxis(array, 0, 2), axes[1:] + axes[0]
    return array, axes


def _frames(file: Path, bits: int) -> Array:
    """Read all pages of a TIFF by Pillow, with the given number of bits in a sample."""
    from PIL import Image, ImageSequence

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(file) as image:
        pages = np.stack(
            [
                _numbers(page.convert("RGB") if page.mode == "YCbCr" else page, bits)
                for page in ImageSequence.Iterator(image)
            ]
        )
    found: Array = pages[0] if len(pages) == 1 else pages
    return found


def _numbers(image: Any, bits: int) -> Array:
    """Return the pixels as they are in the file, with `bits` in a sample."""
    pixels = np.asarray(image)
    # Pillow stretches grey of 2 and 4 bits to 0 to 255.
    return pixels // (255 // (2**bits - 1)) if image.mode == "L" and bits < 8 else pixels


def _tiff_palette(page: Any) -> npt.NDArray[np.uint8]:
    # The file has 16 bits, whatever type the pixels have.
    colours: npt.NDArray[np.uint8] = (np.asarray(page.colormap).T >> 8).astype(np.uint8)
    return colours


def _tiff_bits(tiff: Any, page: Any) -> int | None:
    """Return the number of bits that the camera used, where the file gives it."""
    if tiff.is_ome:
        text = ome_attribute(tiff.ome_metadata, "SignificantBits")
        bits = int(text) if text and text.isdecimal() and len(text) < 4 else 0
    elif "MaxSampleValue" in page.tags:
        found = int(np.max(page.tags["MaxSampleValue"].value))
        bits = found.bit_length() if found == 2 ** found.bit_length() - 1 else 0
    else:
        bits = 0
    # Programs that know nothing about the camera write all bits of the type.
    if 0 < bits < page.bitspersample:
        return bits
    return int(page.bitspersample) if page.bitspersample not in (8, 16, 32, 64) else None


# -- PNG and JPEG -----------------------------------------------------------------------------


def _read_png_or_jpeg(file: Path) -> ImageFile:
    from PIL import Image

    # A field of 20X scans may have more pixels than Pillow accepts from an unknown file.
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(file, formats=("PNG", "JPEG")) as image:
        mode, kind = image.mode, str(image.format)
        _require_size(file, image.width * image.height * len(image.getbands()))
        if mode == "CMYK":
            _require_colours(file, 5, 0)
        if kind == "PNG" and getattr(image, "n_frames", 1) > 1:
            raise InputError(f"{file}: holds several images. Save the one that is meant by itself")
        _require_upright(file, int(image.getexif().get(274, 1)))
        palette = None
        if mode == "P" and image.palette is not None:
            colours = np.array(image.getpalette("RGB"), dtype=np.uint8)
            palette = colours.reshape(-1, 3)
        depth = _png_bits(file) if kind == "PNG" else 8
        if mode in ("RGB", "RGBA", "LA") and depth == 16:
            pixels = _read_16_bit_png(file)
        else:
            pixels = _numbers(image, depth)
        lossy = "" if kind == "PNG" else "JPEG"
        return ImageFile(
            file,
            pixels,
            palette,
            bits=depth if depth < 8 and palette is None else None,
            lossy=lossy,
            encoding=png_or_jpeg_encoding(image),
            aspect=png_or_jpeg_aspect(image),
        )


def _png_bits(file: Path) -> int:
    with file.open("rb") as stream:
        # Signature, length and name of the header chunk, width, height, then bits in a sample.
        return stream.read(25)[24]


def _read_16_bit_png(file: Path) -> Array:
    """Read a 16-bit PNG by VTK, which draws the pictures; Pillow reads the upper byte only."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOImage import vtkPNGReader

    reader = vtkPNGReader()
    reader.SetFileName(str(file))
    reader.Update()
    data = reader.GetOutput()
    width, height, _ = data.GetDimensions()
    pixels = vtk_to_numpy(data.GetPointData().GetScalars())
    return np.array(pixels.reshape(height, width, -1)[::-1])
