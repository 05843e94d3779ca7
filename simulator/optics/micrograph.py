"""Reading micrographs: RGB of 8 or 16 bit from TIFF, PNG or JPEG, with the size of a pixel.

The size of a pixel comes from the caller, else from a TIFF's own metadata: OME-XML's
PhysicalSizeX, ImageJ's unit, or a resolution that a microscope could have (a screen's
72 per inch says nothing).
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import ArgumentError, InputError

Floats32 = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

FORMATS = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
LARGEST_PIXEL_UM = 5.0
"""A pixel wider than this is no micrograph's: the resolution is the screen's or the printer's."""

_MOST_COUNTED = 2**26

_MICRONS = {"um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "nm": 1e-3, "mm": 1e3}
_MICRONS |= {"cm": 1e4, "inch": 2.54e4, "\\u00B5m": 1.0}


@dataclass(frozen=True)
class Micrograph:
    """A picture of an electrode.

    Attributes:
        counts: (H, W, 3) red, green, blue as the camera's file has them, uint8 or uint16.
        pixel_um: edge of a pixel, um.
        name: of the file, without folder and suffix.
    """

    counts: npt.NDArray[np.unsignedinteger[Any]]
    pixel_um: float
    name: str = "micrograph"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.counts.shape[0]), int(self.counts.shape[1])

    @property
    def area_um2(self) -> float:
        """Of the field."""
        return self.shape[0] * self.shape[1] * self.pixel_um**2

    def intensity(self) -> Floats32:
        """(H, W, 3) counts as shares of full scale, 0 to 1."""
        return self.counts.astype(np.float32) / np.float32(np.iinfo(self.counts.dtype).max)


@dataclass(frozen=True, eq=False)
class LabelImage:
    """A segmented image, or a stack of them.

    Attributes:
        labels: (H, W) or (pages, H, W), 0 the matrix, particles 1 .. N.
        edges_um: of a pixel, along x, y (and z).
        numbers: (N,) what each particle is called in the file.
    """

    labels: Labels
    edges_um: tuple[float, ...]
    numbers: npt.NDArray[np.int64]


def read_micrograph(
    path: Path | str, pixel_um: float | None = None, *, coloured: bool = True
) -> Micrograph:
    """Read an RGB micrograph.

    Args:
        path: TIFF, PNG or JPEG; an alpha channel is left out.
        pixel_um: edge of a pixel; None takes it from a TIFF's metadata.
        coloured: refuse RGB with three equal channels; a flat field may have them.

    Raises:
        InputError: no such file, not an image, not RGB, not 8 or 16 bit, or no pixel size.
    """
    file = Path(path)
    counts, stored_um = read_pixels(file)
    counts = _as_rgb(file, counts, coloured)
    size = pixel_um if pixel_um is not None else stored_um
    if size is None:
        raise ArgumentError(
            f"{file}: its metadata does not say how large a pixel is. Pass {{pixel_um}}, its "
            "edge, such as 0.1um",
            pixel_um=...,
        )
    if not 0.0 < size <= LARGEST_PIXEL_UM:
        raise ArgumentError(
            f"{file}: a pixel of {size:g} um is not one of a micrograph (allowed: above 0, at most"
            f" {LARGEST_PIXEL_UM:g} um). Correct {{pixel_um}}",
            pixel_um=...,
        )
    return Micrograph(counts, float(size), file.stem)


def read_label_image(path: Path | str, edges_um: Sequence[float] | None = None) -> LabelImage:
    """A label image by itself, or a stack of them.

    Args:
        path: TIFF or PNG; pages of a TIFF are a stack.
        edges_um: of a pixel: one length, or those along x, y, z; None asks the file's metadata.

    Raises:
        InputError: as in `read_labels`; no size is known; or it is not square in an image.
    """
    file = Path(path)
    pixels, stored = read_pixels(file)
    labels, numbers = _as_labels(file, pixels, (2, 3))
    if edges_um is None and stored is not None:
        page = _page_um(file) if labels.ndim == 3 else stored
        edges_um = None if page is None else (stored, stored, page)
    if edges_um is None:
        what = "voxel" if labels.ndim == 3 else "pixel"
        raise InputError(
            f"{file}: its metadata does not say how large a {what} is. Pass --pixel, as in"
            " --pixel 0.1um" + (" or --pixel 0.1um,0.1um,0.2um" if labels.ndim == 3 else "")
        )
    edges = tuple(edges_um) if len(edges_um) == 3 else (edges_um[0],) * 3
    if labels.ndim == 2 and edges[0] != edges[1]:
        raise InputError(f"{file}: an image needs square pixels. Pass one length as --pixel")
    return LabelImage(labels, edges[: labels.ndim], numbers)


def read_labels(path: Path | str, shape: tuple[int, int]) -> Labels:
    """A label image made elsewhere (Cellpose, Fiji): 0 is background, each particle a number.

    Args:
        path: TIFF or PNG of whole numbers.
        shape: rows and columns of the micrograph.

    Raises:
        InputError: not readable, not of this shape, not whole numbers, or no particle in it.
    """
    file = Path(path)
    labels = np.squeeze(read_pixels(file)[0])
    if labels.ndim == 2 and labels.shape != shape:
        raise InputError(
            f"{file}: the label image has {labels.shape[0]} x {labels.shape[1]} pixels, the"
            f" micrograph {shape[0]} x {shape[1]}. Labels of the same picture are needed"
        )
    return _as_labels(file, labels, (2,))[0]


def _as_labels(
    file: Path, pixels: npt.NDArray[Any], dimensions: tuple[int, ...]
) -> tuple[Labels, npt.NDArray[np.int64]]:
    """Labels 1 .. N, and the numbers they have in the file."""
    labels = np.squeeze(pixels)
    if labels.ndim not in dimensions or (labels.ndim == 3 and labels.shape[2] in (3, 4)):
        raise InputError(
            f"{file}: a label image has one number a pixel; this one has the shape {labels.shape}"
        )
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.round(labels)):
        raise InputError(f"{file}: labels must be whole numbers")
    narrow = labels.dtype.kind in "iu" and labels.dtype.itemsize < 8
    whole = labels if narrow else labels.astype(np.int64)
    lowest, highest = int(whole.min()), int(whole.max())
    if lowest < 0 or highest == 0:
        raise InputError(f"{file}: holds no particles (0 is background, particles count from 1)")
    if highest < _MOST_COUNTED:
        # Stacks are large: sorting them takes long.
        numbers = np.flatnonzero(np.bincount(whole.ravel()))
        lookup = np.zeros(highest + 1, dtype=np.int32)
        lookup[numbers[numbers > 0]] = np.arange(1, np.count_nonzero(numbers) + 1)
        relabelled: Labels = lookup[whole]
    else:
        numbers, inverse = np.unique(whole, return_inverse=True)
        inverse = inverse.reshape(labels.shape)
        relabelled = (inverse if numbers[0] == 0 else inverse + 1).astype(np.int32)
    if relabelled.max() == 1:
        # A plain mask: each connected piece is a particle.
        from scipy.ndimage import label

        relabelled = np.asarray(label(relabelled)[0], dtype=np.int32)
        return relabelled, np.arange(1, int(relabelled.max()) + 1)
    return relabelled, numbers[numbers > 0].astype(np.int64)


def read_pixels(file: Path) -> tuple[npt.NDArray[Any], float | None]:
    """The array of an image file, and the edge of a pixel in um where it says so."""
    if file.suffix.lower() not in FORMATS:
        raise InputError(f"{file}: is not one of the formats read ({', '.join(FORMATS)})")
    if file.is_dir():
        raise InputError(f"{file}: is a directory, not an image")
    if not file.exists():
        raise InputError(f"{file}: no such file")
    try:
        if file.suffix.lower() in (".tif", ".tiff"):
            return _read_tiff(file)
        return _read_png_or_jpeg(file), None
    except InputError:
        raise
    except Exception as error:  # decoders raise many kinds on damaged files
        reason = " ".join(f"{error}".split()) or type(error).__name__
        raise InputError(f"{file}: is not readable as an image ({reason})") from None


def _read_tiff(file: Path) -> tuple[npt.NDArray[Any], float | None]:
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        series = tiff.series[0]
        axes = str(series.axes)
        try:
            array = np.asarray(series.asarray())
        except ValueError as error:
            # LZW and JPEG compression, which tifffile leaves to a package of its own.
            if "imagecodecs" not in str(error):
                raise
            page = tiff.pages.first
            if page.samplesperpixel > 1 and page.bitspersample > 8:
                compression = tifffile.COMPRESSION(page.compression).name
                raise InputError(
                    f"{file}: is compressed ({compression}) in 16 bit colour. Save it"
                    " uncompressed or as ZIP, or install imagecodecs: pip install imagecodecs"
                ) from None
            return _read_frames(file), _tiff_pixel_um(tiff)
        # Colour planes one after another, as ImageJ and OME write them.
        if array.ndim == 3 and axes[0] in "SC" and array.shape[0] in (3, 4):
            array = np.moveaxis(array, 0, 2)
        return array, _tiff_pixel_um(tiff)


def _page_um(file: Path) -> float | None:
    """Distance between the pages of a TIFF in um, where it says so."""
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        if tiff.is_ome:
            return _ome_pixel_um(tiff.ome_metadata, "Z")
        if not tiff.is_imagej:
            return None
        about = tiff.imagej_metadata or {}
        size = float(about.get("spacing", 0.0)) * _MICRONS.get(str(about.get("unit", "")), 0.0)
        return size if size > 0.0 else None


def _tiff_pixel_um(tiff: Any) -> float | None:
    if tiff.is_ome:
        return _ome_pixel_um(tiff.ome_metadata)
    tags = tiff.pages[0].tags
    if "XResolution" not in tags:
        return None
    count, length = tags["XResolution"].value
    if not count or not length:
        return None
    pixels_per_unit = count / length
    if tiff.is_imagej:
        unit = str((tiff.imagej_metadata or {}).get("unit", ""))
        size = _MICRONS.get(unit, 0.0) / pixels_per_unit
    else:
        kind = int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 1
        size = {2: 2.54e4, 3: 1e4}.get(kind, 0.0) / pixels_per_unit
    return size if 0.0 < size <= LARGEST_PIXEL_UM else None


def _ome_pixel_um(text: str | None, axis: str = "X") -> float | None:
    try:
        root = ElementTree.fromstring(text or "")
    except ElementTree.ParseError:
        return None
    for element in root.iter():
        if element.tag.endswith("}Pixels") and f"PhysicalSize{axis}" in element.attrib:
            unit = element.attrib.get(f"PhysicalSize{axis}Unit", "µm")
            size = float(element.attrib[f"PhysicalSize{axis}"]) * _MICRONS.get(unit, 0.0)
            return size if size > 0.0 else None
    return None


def _read_png_or_jpeg(file: Path) -> npt.NDArray[Any]:
    from PIL import Image

    # A field of 20X scans may have more pixels than Pillow trusts an unknown file with.
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(file) as image:
        if image.mode in ("P", "CMYK", "YCbCr"):
            return np.asarray(image.convert("RGB"))
        if file.suffix.lower() == ".png" and image.mode in ("RGB", "RGBA") and _is_16_bit(file):
            return _read_16_bit_png(file)
        return np.asarray(image)


def _is_16_bit(file: Path) -> bool:
    with file.open("rb") as stream:
        # Signature, length and name of the header chunk, width, height, then bits a sample.
        return stream.read(25)[24] == 16


def _read_frames(file: Path) -> npt.NDArray[Any]:
    """All pages of a TIFF by Pillow."""
    from PIL import Image, ImageSequence

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(file) as image:
        pages = np.stack([np.asarray(page) for page in ImageSequence.Iterator(image)])
    found: npt.NDArray[Any] = pages[0] if len(pages) == 1 else pages
    return found


def _read_16_bit_png(file: Path) -> npt.NDArray[Any]:
    """Pillow reads the upper byte only; VTK, which draws the pictures, reads both."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOImage import vtkPNGReader

    reader = vtkPNGReader()
    reader.SetFileName(str(file))
    reader.Update()
    data = reader.GetOutput()
    width, height, _ = data.GetDimensions()
    pixels = vtk_to_numpy(data.GetPointData().GetScalars())
    return np.array(pixels.reshape(height, width, -1)[::-1])


def _as_rgb(file: Path, counts: npt.NDArray[Any], coloured: bool) -> npt.NDArray[Any]:
    if counts.ndim == 2 or (counts.ndim == 3 and counts.shape[2] in (1, 2)):
        raise InputError(
            f"{file}: is a grey image. Red, green and blue are needed: pass an RGB one"
        )
    if counts.ndim != 3 or counts.shape[2] not in (3, 4):
        raise InputError(
            f"{file}: has the shape {counts.shape}: one RGB picture is needed, not a stack"
        )
    if counts.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{file}: has pixels of type {counts.dtype} (allowed: 8 or 16 bit, whole)")
    if min(counts.shape[:2]) < 16:
        raise InputError(f"{file}: has {counts.shape[1]} x {counts.shape[0]} pixels: too few")
    rgb = counts[..., :3]
    if coloured and not np.ptp(rgb, axis=2).any():
        raise InputError(
            f"{file}: is a grey image (red, green and blue are the same in every pixel). Pass the"
            " camera's RGB picture"
        )
    return rgb
