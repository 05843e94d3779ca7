"""Unusual images: the right answer, or one line that says what is wrong and what to do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from heterode.base.errors import InputError
from heterode.optics.image_file import read_image_file
from heterode.optics.label_file import read_label_image, read_labels
from heterode.optics.micrograph import read_micrograph

COLOURS = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
LABELS = np.zeros((40, 50), np.uint16)
LABELS[5:15, 5:15], LABELS[5:15, 25:40], LABELS[22:35, 8:20] = 1, 2, 3


def rectangular(folder: Path, pixels: np.ndarray, kind: str) -> Path:
    """Pixels of 0.25 um by 0.5 um, as TIFF's tags, ImageJ or OME say it; without size as PNG."""
    path = folder / {"OME": "a.ome.tif", "PNG": "a.png", "JPEG": "a.jpg"}.get(kind, "a.tif")
    look = {"photometric": "rgb" if pixels.ndim == 3 else "minisblack"}
    if kind == "TIFF":
        tifffile.imwrite(path, pixels, resolution=(4e4, 2e4), resolutionunit="CENTIMETER", **look)
    elif kind == "ImageJ":
        tifffile.imwrite(path, pixels, imagej=True, resolution=(4, 2), metadata={"unit": "um"})
    elif kind == "OME":
        sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
        tifffile.imwrite(path, pixels, metadata=sizes, **look)
    else:
        Image.fromarray(pixels).save(path, dpi=(300, 150))
    return path


@pytest.mark.parametrize("kind", ["TIFF", "ImageJ", "OME", "PNG", "JPEG"])
def test_a_picture_of_pixels_that_are_not_square(kind: str, tmp_path: Path) -> None:
    """By width alone, particles would have half their height and area."""
    path = rectangular(tmp_path, COLOURS, kind)
    assert read_image_file(path).aspect == pytest.approx(2.0, rel=1e-3)
    with pytest.raises(InputError, match=r"2 times as high as wide.*Scale it to square ones"):
        read_micrograph(path)
    notes = read_micrograph(path, 0.25).notes
    assert any("taken for square ones of the given size" in note for note in notes)


@pytest.mark.parametrize("kind", ["TIFF", "ImageJ", "OME"])
def test_labels_of_pixels_that_are_not_square(kind: str, tmp_path: Path) -> None:
    path = rectangular(tmp_path, LABELS, kind)
    with pytest.raises(InputError, match="2 times as high as wide"):
        read_label_image(path)
    assert "taken for square" in read_label_image(path, (0.25,)).notes[0]


def test_a_stack_has_the_height_that_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    sizes = {"axes": "ZYX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 1.0}
    tifffile.imwrite(path, np.stack([LABELS] * 5), metadata=sizes)
    assert read_label_image(path).edges_um == pytest.approx((0.25, 0.5, 1.0))


@pytest.mark.parametrize("kind", ["TIFF", "OME"])
def test_square_pixels_are_not_remarked_on(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.ome.tif" if kind == "OME" else "a.tif")
    if kind == "OME":
        tifffile.imwrite(path, LABELS, metadata={"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25})
    else:
        # A third of a um has no end as a fraction: rounding is no difference.
        rest = {"resolution": (3e4 + 1e-3, 3e4), "resolutionunit": "CENTIMETER"}
        tifffile.imwrite(path, LABELS, **rest)
    assert read_label_image(path).notes == ()


def with_alpha(kind: int, alpha: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "a.tif"
        even = np.full((*COLOURS.shape[:2], 1), alpha, np.uint8)
        pixels = np.concatenate([COLOURS // (255 // alpha), even], axis=2)
        tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=[kind])
        return path

    return make


def test_colours_multiplied_by_a_transparency_are_refused(tmp_path: Path) -> None:
    """At half transparency brightness would be half of what the camera saw."""
    with pytest.raises(InputError, match=r"multiplied by its transparency.*Save it without"):
        read_micrograph(with_alpha(1, 127)(tmp_path), 0.1)
    # Where it is full, or the colours were left alone, they are those of the camera.
    assert np.array_equal(read_micrograph(with_alpha(1, 255)(tmp_path), 0.1).counts, COLOURS)
    found = read_micrograph(with_alpha(2, 127)(tmp_path), 0.1).counts
    assert np.array_equal(found, COLOURS // 2)


def written(pixels: np.ndarray, **options: object) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "a.tif"
        tifffile.imwrite(path, pixels, **options)
        return path

    return make


def animation(folder: Path) -> Path:
    frames = [Image.fromarray(LABELS.astype(np.uint8) * k) for k in (1, 2)]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:])
    return folder / "a.gif"


def transparent(folder: Path) -> Path:
    grey = LABELS.astype(np.uint8)
    Image.fromarray(np.dstack([grey, 255 * (grey > 0)]).astype(np.uint8), "LA").save(
        folder / "a.png"
    )
    return folder / "a.png"


def slice_of_another_size(folder: Path) -> Path:
    with tifffile.TiffWriter(folder / "a.tif") as file:
        for page in (LABELS, LABELS, LABELS[:30]):
            file.write(page)
    return folder / "a.tif"


REFUSED = {
    "a pixel": (written(np.ones((1, 1), np.uint8)), "too few pixels to show particles"),
    "a row": (written(np.ones((1, 20000), np.uint8)), "too few pixels to show particles"),
    "a column": (written(np.ones((20000, 1), np.uint8)), "too few pixels to show particles"),
    "complex numbers": (
        written(LABELS + 1j * LABELS),
        "pixels of type complex128 (allowed: whole numbers)",
    ),
    "an animation": (animation, "Save it as TIFF or PNG"),
    "a background that is transparent": (transparent, "without colours, transparency"),
    "a slice of another size": (slice_of_another_size, "or a stack of pages of one size"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_labels_that_are_refused(name: str, tmp_path: Path) -> None:
    make, says = REFUSED[name]
    path = make(tmp_path)
    with pytest.raises(InputError) as caught:
        read_label_image(path, (0.2,))
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def pyramid(folder: Path) -> Path:
    with tifffile.TiffWriter(folder / "a.tif") as file:
        file.write(LABELS, tile=(16, 16), subifds=1)
        file.write(LABELS[::2, ::2], tile=(16, 16), subfiletype=1)
    return folder / "a.tif"


def lzw(folder: Path) -> Path:
    Image.fromarray(LABELS).save(folder / "a.tif", compression="tiff_lzw", tiffinfo={317: 2})
    return folder / "a.tif"


TAKEN = {
    "a pyramid": pyramid,
    "LZW with a predictor": lzw,
    "ZIP with a predictor": written(LABELS, compression="zlib", predictor=True),
    "big end first, BigTIFF": written(LABELS, byteorder=">", bigtiff=True),
    "half precision": written(LABELS.astype(np.float16)),
    "beyond 32 bits": written(np.where(LABELS > 0, LABELS.astype(np.int64) + 2**40, 0)),
}


@pytest.mark.parametrize("name", TAKEN)
def test_labels_that_are_read(name: str, tmp_path: Path) -> None:
    found = read_labels(TAKEN[name](tmp_path), LABELS.shape)
    assert np.array_equal(found.labels, LABELS)
