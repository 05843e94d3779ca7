"""The relation of counts to light that a file names: ICC profile, gamma, transfer function.

Counts are used as they are in the file, as shares of full scale. No curve is inverted, neither that
of sRGB, which most PNG and JPEG files follow whether they say so or not, nor any other. Ratios and
calibrations therefore only compare pictures with the same encoding, and a file that names another
encoding than sRGB is mentioned to the user.
Sources: PNG specification (third edition), gAMA, sRGB and iCCP; TIFF 6.0, TransferFunction; ICC.1,
profileDescriptionTag; Exif 2.32, ColorSpace.
"""

from __future__ import annotations

import io
from typing import Any

from heterode.base.csv_text import harmless

SRGB_GAMMA = 0.45455
"""PNG's gAMA in sRGB files that also serve programs without knowledge of sRGB."""

_ICC_TAG, _TRANSFER_TAG, _EXIF, _COLOUR_SPACE = 34675, 301, 0x8769, 0xA001


def png_or_jpeg_encoding(image: Any) -> str:
    """Return the encoding that an open Pillow image names, or "" for none or sRGB."""
    info = image.info
    if info.get("icc_profile"):
        return _profile(info["icc_profile"])
    gamma = info.get("gamma")
    if gamma is not None and "srgb" not in info and abs(gamma - SRGB_GAMMA) > 1e-3:
        return f"a gamma of {gamma:.5g}"
    # 65535 means uncalibrated, which is mostly Adobe RGB.
    space = image.getexif().get_ifd(_EXIF).get(_COLOUR_SPACE, 1)
    return "" if space == 1 else f"a colour space that is not sRGB (Exif: {harmless(str(space))})"


def tiff_encoding(page: Any) -> str:
    """Return the encoding that a page of a TIFF names, or "" for none or sRGB."""
    if _ICC_TAG in page.tags:
        return _profile(bytes(page.tags[_ICC_TAG].value))
    return "a transfer function" if _TRANSFER_TAG in page.tags else ""


def said(encoding: str) -> str:
    """Return a note for the user on an encoding."""
    return (
        f"names {encoding}, which is not applied: brightness is the file's counts as they are, so"
        " compare it only with pictures of the same encoding"
    )


def _profile(profile: bytes) -> str:
    from PIL import ImageCms

    try:
        name = ImageCms.getProfileDescription(io.BytesIO(profile)).strip()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return "an ICC profile that cannot be read"
    plain = name.lower()
    if "srgb" in plain and "linear" not in plain and "g10" not in plain:
        return ""
    return f"the ICC profile '{harmless(name)}'"
