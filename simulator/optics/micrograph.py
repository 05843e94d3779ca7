"""Micrographs: RGB pictures of 8 to 16 bit from TIFF, PNG or JPEG, with the size of a pixel.

Cameras of 10, 12 or 14 bit leave the upper bits of a 16-bit file empty, and a dark picture of
16 bit looks the same. If counts stay below a quarter of full scale, the user must therefore give
the number of bits, unless the file does (TIFF's MaxSampleValue, OME's SignificantBits).

Brightness is the ratio of counts to full scale, whatever curve the camera or program applied; see
heterode.optics.encoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.errors import ArgumentError, InputError
from heterode.optics.encoding import said
from heterode.optics.image_file import ImageFile, read_image_file
from heterode.optics.pixel_size import LARGEST_PIXEL_UM, squareness

Floats32 = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

BITS = (8, 10, 12, 14, 16)
"""Numbers of bits that cameras have."""


@dataclass(frozen=True)
class Micrograph:
    """A picture of an electrode.

    Attributes:
        counts: (H, W, 3) red, green and blue in the camera's file, uint8 or uint16.
        pixel_um: edge of a pixel, um.
        name: name of the file without folder and suffix.
        bits: bits of the camera, with full scale 2^bits - 1; None for those of the counts' type.
        notes: assumptions that the user should read.
    """

    counts: npt.NDArray[np.unsignedinteger[Any]]
    pixel_um: float
    name: str = "micrograph"
    bits: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.counts.shape[0]), int(self.counts.shape[1])

    @property
    def area_um2(self) -> float:
        """Area of the field, um^2."""
        return self.shape[0] * self.shape[1] * self.pixel_um**2

    def intensity(self) -> Floats32:
        """Return (H, W, 3) counts as shares of full scale, 0 to 1."""
        bits = 8 * self.counts.dtype.itemsize if self.bits is None else self.bits
        return self.counts.astype(np.float32) / np.float32(2**bits - 1)


def read_micrograph(
    path: Path | str,
    pixel_um: float | None = None,
    *,
    coloured: bool = True,
    bits: int | None = None,
) -> Micrograph:
    """Read an RGB micrograph.

    Args:
        path: TIFF, PNG or JPEG file; an alpha channel is left out.
        pixel_um: edge of a pixel; None takes it from a TIFF's metadata.
        coloured: whether to refuse three equal channels, which a flat field may have.
        bits: bits of the camera in a 16-bit file; None takes what the file says.

    Raises:
        InputError: the file is missing or not an RGB image of 8 or 16 bit, or it leaves the pixel
            size or the camera's number of bits open.
    """
    image = read_image_file(path)
    file = image.path
    notes: list[str] = []
    if image.lossy:
        notes.append(f"compressed with loss ({image.lossy}): colours are off by a few counts")
    if image.encoding:
        notes.append(said(image.encoding))
    notes += squareness(file, image.aspect, given=pixel_um is not None)
    counts = _as_rgb(file, _direct(image, notes), coloured, notes)
    bits = _bits(image, counts, bits, notes)
    size = pixel_um if pixel_um is not None else image.pixel_um
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
    return Micrograph(counts, float(size), file.stem, bits, tuple(notes))


def _direct(image: ImageFile, notes: list[str]) -> npt.NDArray[Any]:
    """Return the colours that the indices of a palette stand for."""
    palette = image.palette
    if palette is None:
        return image.pixels
    if image.pixels.size and int(image.pixels.max()) >= len(palette):
        raise InputError(f"{image.path}: an index is beyond its palette of {len(palette)} colours")
    used = len(np.unique(image.pixels))
    notes.append(f"its colours are the {used} of a palette: brightness comes in steps")
    return palette[image.pixels]


def _bits(
    image: ImageFile, counts: npt.NDArray[Any], given: int | None, notes: list[str]
) -> int | None:
    """Return the number of bits of the camera; None for those of the type."""
    file, highest = image.path, int(counts.max())
    if counts.dtype == np.uint8:
        if given not in (None, 8):
            raise InputError(f"{file}: has 8 bits a colour, so --bits {given} cannot be. Leave it")
        return None
    if given is not None:
        if highest >= 2**given:
            raise InputError(
                f"{file}: its counts reach {highest}, above {2**given - 1}, full scale of"
                f" --bits {given}. Raise it"
            )
        return given
    if image.bits is not None and highest < 2**image.bits <= 2**16:
        if image.bits < 16:
            notes.append(f"full scale is {2**image.bits - 1}: the file says {image.bits} bits")
        return image.bits
    if highest < 2**14:
        likely = next(n for n in BITS if highest < 2**n)
        raise InputError(
            f"{file}: its counts reach {highest} of 65535: a camera of {likely} bits, or a dark"
            f" picture of 16? Pass --bits {likely}, or --bits 16 (allowed:"
            f" {', '.join(str(n) for n in BITS)})"
        )
    return None


def _as_rgb(
    file: Path, counts: npt.NDArray[Any], coloured: bool, notes: list[str]
) -> npt.NDArray[Any]:
    if counts.ndim == 2 or (counts.ndim == 3 and counts.shape[2] in (1, 2)):
        raise InputError(
            f"{file}: is a grey image. Red, green and blue are needed: pass an RGB one"
        )
    if counts.ndim != 3 or counts.shape[2] not in (3, 4):
        raise InputError(
            f"{file}: has the shape {counts.shape}: one RGB picture is needed, not a stack"
        )
    if counts.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"{file}: has pixels of type {counts.dtype} (allowed: 8 or 16 bit, whole)."
            " Save it as one of those"
        )
    if min(counts.shape[:2]) < 16:
        raise InputError(f"{file}: has {counts.shape[1]} x {counts.shape[0]} pixels: too few")
    rgb = counts[..., :3]
    if counts.shape[2] == 4 and np.ptp(counts[..., 3]):
        notes.append("its transparency is not even, and left out")
    if coloured and not np.ptp(rgb, axis=2).any():
        raise InputError(
            f"{file}: is a grey image (red, green and blue are the same in every pixel). Pass the"
            " camera's RGB picture"
        )
    return rgb
