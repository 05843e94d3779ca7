"""Pictures with known particles that public packages ship, and recipes to find them by.

    scikit-image    the coins of its data folder; 24 circles, marked by hand here
    stardist        fluorescent nuclei with labels (2018 Data Science Bowl)

Nothing of them is kept in the repository: `fetch` asks pip for the wheel of stardist by its name
and version, without what it depends on, and unpacks its pictures into a folder.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage import data
from skimage.draw import disk
from skimage.feature import peak_local_max
from skimage.filters import threshold_multiotsu
from skimage.segmentation import watershed

STARDIST = "stardist==0.9.2"
IMAGES = "stardist/data/images"

COINS = (
    (45, 55, 22), (101, 56, 19), (157, 51, 23), (216, 50, 23), (275, 52, 20), (334, 44, 30),
    (46, 125, 20), (103, 126, 19), (153, 127, 20), (205, 124, 20), (271, 119, 25), (337, 124, 19),
    (44, 197, 18), (101, 195, 21), (154, 197, 19), (212, 192, 22), (273, 194, 22), (345, 187, 31),
    (46, 259, 28), (114, 266, 22), (172, 262, 27), (244, 263, 25), (301, 263, 26), (356, 268, 22),
)  # fmt: skip
"""Column, row and radius of the coins in pixels, by eye."""

Floats32 = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Public:
    """A picture with its truth.

    Attributes:
        name: name in the table.
        grey: (H, W) brightness as shares of full scale.
        labels: (H, W) true particles.
        pixel_um: edge that makes its particles some um large.
    """

    name: str
    grey: Floats32
    labels: Labels
    pixel_um: float


def fetch(folder: Path) -> Path:
    """Return a folder with stardist's pictures, downloaded by pip unless they are there.

    Raises:
        RuntimeError: pip cannot get the wheel.
    """
    images = folder / IMAGES
    if not (images / "img2d.tif").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", STARDIST]
        # Any wheel will do, since only its pictures are used.
        only = ["--only-binary", ":all:", "--python-version", "3.11"]
        done = subprocess.run(
            [*command, *only, "-d", str(folder)], capture_output=True, text=True, check=False
        )
        wheels = sorted(folder.glob("stardist-*.whl"))
        if done.returncode or not wheels:
            raise RuntimeError(f"pip cannot get {STARDIST}: {done.stderr.strip()[-200:]}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            wheel.extractall(folder, [n for n in wheel.namelist() if n.startswith(IMAGES)])
    return images


def pictures(folder: Path) -> list[Public]:
    """Return all pictures."""
    import tifffile

    images = fetch(folder)
    found = [coins()]
    # The counts have no full scale; the brightest nuclei are clipped, as a camera would.
    nuclei = tifffile.imread(images / "img2d.tif").astype(np.float32) / 255.0
    labels = tifffile.imread(images / "mask2d.tif").astype(np.int32)
    found.append(Public("nuclei (stardist)", nuclei, labels, 0.3))
    return found


def coins() -> Public:
    """Return the coins of scikit-image with their circles."""
    grey = (data.coins() / 255.0).astype(np.float32)
    labels = np.zeros(grey.shape, dtype=np.int32)
    for number, (column, row, radius) in enumerate(COINS, start=1):
        labels[disk((row, column), radius + 0.5, shape=labels.shape)] = number
    return Public("coins (scikit-image)", grey, labels, 0.2)


def recipe(grey: Floats32) -> Labels:
    """Find particles as scikit-image's example of human cells does.

    Three classes by Otsu, the darkest is background; watershed of the distance from its maxima at
    least 7 pixels apart (gallery, "Segment human cells (in mitosis)").
    """
    mask = grey > threshold_multiotsu(grey, classes=3)[0]
    distance = ndimage.distance_transform_edt(mask)
    peaks = peak_local_max(distance, min_distance=7, exclude_border=False)
    markers = np.zeros(grey.shape, dtype=np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    found: Labels = watershed(-distance, markers, mask=mask).astype(np.int32)
    return found


def spots(grey: Floats32, diameter_px: int) -> npt.NDArray[np.float64]:
    """Return (N, 2) rows and columns that trackpy's locate finds, given the typical diameter."""
    import trackpy

    trackpy.quiet()
    table = trackpy.locate(grey, diameter_px)
    found: npt.NDArray[np.float64] = table[["y", "x"]].to_numpy()
    return found
