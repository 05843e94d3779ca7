"""Micrographs: pictures in colour or grey from TIFF, PNG or JPEG, with the size of a pixel.

A picture has the channels red, green and blue, or grey alone: from a scanning electron microscope,
a monochrome camera, one fluorescence. Three equal channels are grey as well. Counts are those of
the file, of 8 to 16 bit, or real numbers from 0 to 1.

Cameras of 10, 12 or 14 bit leave the upper bits of a 16-bit file empty, and a dark picture of
16 bit looks the same. If counts stay below a quarter of full scale, the user must therefore give
the number of bits, unless the file does (TIFF's MaxSampleValue, OME's SignificantBits).

Brightness is the ratio of counts to full scale, whatever curve the camera or program applied; see
heterode.optics.encoding. Whatever is assumed about a file is said in the picture's notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.errors import ArgumentError, InputError
from heterode.optics.channels import channels_of
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
        counts: (H, W, C) in the camera's file: red, green and blue, or grey alone; uint8, uint16,
            or float32 shares of full scale.
        pixel_um: edge of a pixel, um.
        name: name of the file without folder and suffix.
        bits: bits of the camera, with full scale 2^bits - 1; None for those of the counts' type.
        notes: assumptions that the user should read.
    """

    counts: npt.NDArray[np.unsignedinteger[Any]] | Floats32
    pixel_um: float
    name: str = "micrograph"
    bits: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.counts.shape[0]), int(self.counts.shape[1])

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of its channels."""
        return channels_of(self.counts.shape[2])

    @property
    def area_um2(self) -> float:
        """Area of the field, um^2."""
        return self.shape[0] * self.shape[1] * self.pixel_um**2

    def intensity(self) -> Floats32:
        """Return (H, W, C) counts as shares of full scale, 0 to 1."""
        if self.counts.dtype.kind == "f":
            return self.counts.astype(np.float32)
        bits = 8 * self.counts.dtype.itemsize if self.bits is None else self.bits
        return self.counts.astype(np.float32) / np.float32(2**bits - 1)


def read_micrograph(
    path: Path | str,
    pixel_um: float | None = None,
    *,
    bits: int | None = None,
) -> Micrograph:
    """Read a micrograph in colour or grey.

    Args:
        path: TIFF, PNG or JPEG file; an alpha channel is left out.
        pixel_um: edge of a pixel; None takes it from a TIFF's metadata.
        bits: bits of the camera in a 16-bit file; None takes what the file says.

    Raises:
        InputError: the file is missing or not one picture of 8 or 16 bit or of real numbers from
            0 to 1, or it leaves the pixel size or the camera's number of bits open.
    """
    image = read_image_file(path)
    file = image.path
    notes: list[str] = []
    if image.lossy:
        notes.append(f"compressed with loss ({image.lossy}): colours are off by a few counts")
    if image.encoding:
        notes.append(said(image.encoding))
    notes += squareness(file, image.aspect, given=pixel_um is not None)
    planes = _planes(image, _direct(image, notes), notes)
    counts, bits = _full_scale(image, planes, bits, notes)
    counts = _one_if_equal(_upright_scale(image, counts, bits, notes), notes)
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


def _planes(image: ImageFile, counts: npt.NDArray[Any], notes: list[str]) -> npt.NDArray[Any]:
    """Return (H, W, 1 or 3) the channels of one picture, without transparency."""
    file = image.path
    if counts.ndim == 2:
        counts = counts[..., None]
    planes = image.axes[:1] == "C" or image.axes[-1:] == "C"
    if planes and counts.ndim == 3 and counts.shape[-1] != 3:
        raise InputError(
            f"{file}: holds {min(counts.shape)} channels as planes (axes {image.axes}), and which"
            " is meant is open (allowed: one, or three for red, green and blue). Save one of them"
            " as a grey picture"
        )
    if counts.ndim != 3 or counts.shape[2] not in (1, 2, 3, 4):
        axes = f", axes {image.axes}" if image.axes else ""
        raise InputError(
            f"{file}: has the shape {counts.shape}{axes}: one picture is needed, not a stack. Save"
            " the page that is meant by itself"
        )
    if min(counts.shape[:2]) < 16:
        raise InputError(f"{file}: has {counts.shape[1]} x {counts.shape[0]} pixels: too few")
    if planes:
        notes.append("its three planes are taken for red, green and blue, in this order")
    if counts.shape[2] in (2, 4):
        even = not np.ptp(counts[..., -1])
        notes.append(f"its transparency is {'even' if even else 'not even'}, and left out")
        counts = counts[..., :-1]
    return counts


def _full_scale(
    image: ImageFile, counts: npt.NDArray[Any], given: int | None, notes: list[str]
) -> tuple[npt.NDArray[Any], int | None]:
    """Return the counts and the number of bits of full scale; None for those of the type."""
    file = image.path
    if counts.dtype.kind == "f":
        return _real_numbers(file, counts, given, notes), None
    if counts.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"{file}: has pixels of type {counts.dtype} (allowed: 8 or 16 bit, whole and unsigned,"
            " or real numbers from 0 to 1). Save it as one of those"
        )
    return counts, _bits(image, counts, given, notes)


def _real_numbers(
    file: Path, counts: npt.NDArray[Any], given: int | None, notes: list[str]
) -> Floats32:
    if given is not None:
        raise InputError(f"{file}: has real numbers, so --bits {given} cannot be. Leave it")
    if not np.isfinite(counts).all():
        raise InputError(
            f"{file}: holds pixels that are not numbers (NaN or infinite). Save it as 8 or 16 bit"
        )
    low, high = float(counts.min()), float(counts.max())
    if low < 0.0 or high > 1.0:
        raise InputError(
            f"{file}: its real numbers lie from {low:.4g} to {high:.4g}, and what full scale is,"
            " is open (allowed: 0 to 1). Divide them by full scale, or save it as 16 bit"
        )
    notes.append("its real numbers are taken for shares of full scale")
    return counts.astype(np.float32)


def _upright_scale(
    image: ImageFile, counts: npt.NDArray[Any], bits: int | None, notes: list[str]
) -> npt.NDArray[Any]:
    """Return counts of which large ones are bright."""
    if not image.white_is_zero:
        return counts
    notes.append("small numbers are bright in it (white is 0): its scale is turned round")
    if counts.dtype.kind == "f":
        return np.float32(1.0) - counts
    full = 2 ** (8 * counts.dtype.itemsize if bits is None else bits) - 1
    turned: npt.NDArray[Any] = (full - counts).astype(counts.dtype)
    return turned


def _one_if_equal(counts: npt.NDArray[Any], notes: list[str]) -> npt.NDArray[Any]:
    """Return three equal channels as one."""
    if counts.shape[2] == 3:
        if np.ptp(counts, axis=2).any():
            return counts
        notes.append("red, green and blue are the same in every pixel")
    notes.append("read as grey: one channel, without colours")
    return counts[..., :1]


def _bits(
    image: ImageFile, counts: npt.NDArray[Any], given: int | None, notes: list[str]
) -> int | None:
    """Return the number of bits of the camera; None for those of the type."""
    file, highest = image.path, int(counts.max())
    if counts.dtype == np.uint8:
        if image.bits is not None and image.palette is None and given is None:
            notes.append(f"full scale is {2**image.bits - 1}: the file has {image.bits} bits")
            return image.bits
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
    if highest < 2**15:
        notes.append("full scale is taken for 65535, that of 16 bits: the file says no other")
    return None
