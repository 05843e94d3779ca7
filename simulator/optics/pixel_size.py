"""Finds the size of a pixel in a file's metadata, and whether the pixel is square.

The size comes from OME-XML's PhysicalSizeX, from ImageJ's unit, or from a TIFF's resolution if a
microscope could have it (a screen's 72 per inch means nothing). Any resolution shows whether the
pixel is square.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from heterode.base.errors import InputError

LARGEST_PIXEL_UM = 5.0
"""Width above which a pixel's resolution is that of a screen or printer, not of a microscope."""

NOT_SQUARE = 0.01
"""Relative difference between height and width from which a pixel is not square."""

_MICRONS = {"um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "nm": 1e-3, "mm": 1e3}
_MICRONS |= {"cm": 1e4, "inch": 2.54e4, "\\u00B5m": 1.0}


def squareness(path: Path, aspect: float, given: bool) -> list[str]:
    """Return a note if an image's pixels are not square according to its file.

    Args:
        path: file of the image.
        aspect: ratio of a pixel's height to its width.
        given: whether the user gave the pixel size, which overrides the file.

    Raises:
        InputError: pixels are not square, and the user gave no size.
    """
    if abs(aspect - 1.0) <= NOT_SQUARE:
        return []
    said = f"by the file pixels are {aspect:.3g} times as high as wide"
    if given:
        return [f"{said}: taken for square ones of the given size"]
    raise InputError(
        f"{path}: {said}, and an image needs square pixels. Scale it to square ones, or"
        " correct or override what the file says of its pixels"
    )


def tiff_pixel_um(tiff: Any) -> float | None:
    """Return the width of a pixel in um, where the file gives it."""
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


def tiff_page_um(tiff: Any) -> float | None:
    """Return the distance between the pages in um, where the file gives it."""
    if tiff.is_ome:
        return _ome_pixel_um(tiff.ome_metadata, "Z")
    if not tiff.is_imagej:
        return None
    about = tiff.imagej_metadata or {}
    size = float(about.get("spacing", 0.0)) * _MICRONS.get(str(about.get("unit", "")), 0.0)
    return size if size > 0.0 else None


def tiff_aspect(tiff: Any) -> float:
    """Return the ratio of a pixel's height to its width."""
    if tiff.is_ome:
        width, height = (_ome_pixel_um(tiff.ome_metadata, axis) for axis in "XY")
        return height / width if width and height else 1.0
    tags = tiff.pages[0].tags
    if "XResolution" not in tags or "YResolution" not in tags:
        return 1.0
    (count, length), (rows, along) = (tags[f"{axis}Resolution"].value for axis in "XY")
    return count * along / (length * rows) if count and length and rows and along else 1.0


def png_or_jpeg_aspect(image: Any) -> float:
    """Return the ratio of a pixel's height to its width from PNG's pHYs or JPEG's density."""
    across, down = image.info.get("dpi") or image.info.get("aspect") or (1.0, 1.0)
    if image.format == "JPEG" and "jfif_density" in image.info:
        across, down = image.info["jfif_density"]
    return float(across) / float(down) if across > 0 and down > 0 else 1.0


def ome_attribute(text: str | None, name: str, default: str | None = None) -> str | None:
    """Return an attribute of OME-XML's first Pixels element that has it."""
    try:
        root = ElementTree.fromstring(text or "")
    except ElementTree.ParseError:
        return default
    pixels = (element for element in root.iter() if element.tag.endswith("}Pixels"))
    return next((e.attrib[name] for e in pixels if name in e.attrib), default)


def _ome_pixel_um(text: str | None, axis: str = "X") -> float | None:
    length = ome_attribute(text, f"PhysicalSize{axis}")
    unit = ome_attribute(text, f"PhysicalSize{axis}Unit", "µm")
    size = float(length or 0.0) * _MICRONS.get(str(unit), 0.0)
    return size if size > 0.0 else None
