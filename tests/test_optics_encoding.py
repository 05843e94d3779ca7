"""Colour profiles and gammas in pictures: not applied, and said."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from helpers.pictures import truth
from heterode.cli import main
from heterode.optics.micrograph import Micrograph, read_micrograph

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
OTHER = SRGB.replace("sRGB built-in".encode("utf-16-be"), "Adobe RGB 98 ".encode("utf-16-be"))
LINEAR = SRGB.replace("sRGB built-in".encode("utf-16-be"), "linear sRGB  ".encode("utf-16-be"))
COLOURS = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)


def chunks(*kinds: tuple[bytes, bytes]) -> PngInfo:
    info = PngInfo()
    for name, content in kinds:
        info.add(name, content)
    return info


def exif(space: int) -> Image.Exif:
    found = Image.Exif()
    found.get_ifd(0x8769)[0xA001] = space
    return found


def gamma(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(value * 1e5))


NAMED = {
    "PNG, profile": ("p.png", {"icc_profile": OTHER}, "the ICC profile 'Adobe RGB 98'"),
    "PNG, linear": ("p.png", {"icc_profile": LINEAR}, "the ICC profile 'linear sRGB'"),
    "PNG, broken profile": ("p.png", {"icc_profile": b"no profile"}, "profile that cannot be read"),
    "PNG, linear gamma": ("p.png", {"pnginfo": chunks(gamma(1.0))}, "a gamma of 1,"),
    "PNG, Macintosh's gamma": ("p.png", {"pnginfo": chunks(gamma(0.55556))}, "a gamma of 0.55556"),
    "JPEG, profile": ("p.jpg", {"icc_profile": OTHER}, "the ICC profile 'Adobe RGB 98'"),
    "JPEG, Exif": ("p.jpg", {"exif": exif(65535)}, "not sRGB (Exif: 65535)"),
    "TIFF, profile": ("p.tif", {"iccprofile": OTHER}, "the ICC profile 'Adobe RGB 98'"),
    "TIFF, transfer function": (
        "p.tif",
        {"extratags": [(301, "H", 256, tuple(range(0, 65536, 256)), True)]},
        "a transfer function",
    ),
}

PLAIN = {
    "PNG": ("p.png", {}),
    "PNG, sRGB": ("p.png", {"icc_profile": SRGB}),
    "PNG, sRGB's gamma": ("p.png", {"pnginfo": chunks(gamma(0.45455))}),
    "PNG, sRGB and a gamma": ("p.png", {"pnginfo": chunks((b"sRGB", b"\x00"), gamma(0.5))}),
    "JPEG": ("p.jpg", {"quality": 95}),
    "JPEG, Exif": ("p.jpg", {"exif": exif(1)}),
    "TIFF": ("p.tif", {}),
    "TIFF, sRGB": ("p.tif", {"iccprofile": SRGB}),
}


def read(path: Path, options: dict[str, object]) -> Micrograph:
    if path.suffix == ".tif":
        tifffile.imwrite(path, COLOURS, photometric="rgb", **options)
    else:
        Image.fromarray(COLOURS).save(path, **options)
    return read_micrograph(path, 0.1)


@pytest.mark.parametrize("case", NAMED)
def test_another_encoding_is_named_and_not_applied(case: str, tmp_path: Path) -> None:
    name, options, says = NAMED[case]
    made = read(tmp_path / name, options)
    (note,) = (note for note in made.notes if "encoding" in note)
    assert note.startswith("names ")
    assert says in note
    assert "not applied" in note
    if name != "p.jpg":
        assert np.array_equal(made.counts, COLOURS)


@pytest.mark.parametrize("case", PLAIN)
def test_no_encoding_or_that_of_srgb_is_not_named(case: str, tmp_path: Path) -> None:
    name, options = PLAIN[case]
    assert not any("encoding" in note for note in read(tmp_path / name, options).notes)


def test_the_command_names_those_of_both_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = (255 * truth().micrograph.intensity()).astype(np.uint8)
    Image.fromarray(counts).save(tmp_path / "now.png", icc_profile=OTHER)
    Image.fromarray(counts).save(tmp_path / "before.png", pnginfo=chunks(gamma(1.0)))
    words = ["optics", str(tmp_path / "now.png"), "--pixel", "0.25um"]
    words += ["--pristine", str(tmp_path / "before.png"), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "warning: names the ICC profile 'Adobe RGB 98', which is not applied" in out
    assert "warning: pristine picture: names a gamma of 1, which is not applied" in out
    (summary,) = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert sum("not applied" in warning for warning in summary["warnings"]) == 2
