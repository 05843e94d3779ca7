"""Label stacks as the segmentation of a tomogram leaves them, and how they mesh."""

from __future__ import annotations

import csv
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from heterode.base.errors import InputError
from heterode.geometry.quality import mesh_quality
from heterode.parameters import load_parameters
from heterode.reporting.labels import mesh_image

PROJECT = Path(__file__).resolve().parent.parent.parent
PARAMETERS = PROJECT / "params" / "cube_50.toml"
VOXEL_UM = 0.2
FRACTION = 0.65
RADIUS = 5.0
VOXELS_A_LABEL = 2450.0
"""Mean volume of a label of such stacks."""

LEAST_VOXELS = 60

HEADING = [
    "draw",
    "labels",
    "fraction",
    "wall s",
    "cpu s",
    "cells",
    "unknowns",
    "least SICN",
    "volume, half within",
    "largest error",
    "left out",
    "reason",
]

Labels = npt.NDArray[np.uint16]


def drawn(seed: int, count: int, fraction: float = FRACTION) -> Labels:
    """Return a stack of about `count` labels.

    Ellipsoids that overlap are parted by a watershed of the distance to their outline with noise,
    so that contacts are jagged; all sides of the stack cut some. A label in twenty takes over the
    number of another one, so that it is in pieces, and one in ten has a hole or two.
    """
    rng = np.random.default_rng(seed)
    size = round((count * VOXELS_A_LABEL / fraction) ** (1 / 3))
    solid = np.zeros((size,) * 3, dtype=bool)
    while solid.mean() < fraction:
        _add_ellipsoid(solid, rng)
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(solid), 1)
    seeds = np.zeros(solid.shape, np.int32)
    peaks = peak_local_max(depth, min_distance=5, labels=solid.astype(int))
    seeds[tuple(peaks.T)] = 1 + np.arange(len(peaks))
    labels = watershed(-depth + rng.normal(0.0, 0.3, solid.shape), seeds, mask=solid)
    labels[np.isin(labels, np.flatnonzero(np.bincount(labels.ravel()) < LEAST_VOXELS))] = 0
    present = np.unique(labels)[1:]
    for label in rng.choice(present, len(present) // 20, replace=False):
        labels[labels == label] = rng.choice(present)
    inner = ndimage.distance_transform_edt(labels > 0)
    for label in rng.choice(present, len(present) // 10, replace=False):
        places = np.argwhere((labels == label) & (inner > 2.5))
        if len(places):
            centre = places[rng.integers(len(places))]
            reach = tuple(slice(max(c - 2, 0), c + 3) for c in centre)
            labels[reach] = 0
    return labels.astype(np.uint16)


def _add_ellipsoid(solid: npt.NDArray[np.bool_], rng: np.random.Generator) -> None:
    centre = rng.uniform(0, solid.shape[0], 3)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    axes = RADIUS * rng.uniform(0.6, 1.4, 3)
    low = np.maximum(np.floor(centre - 1.5 * RADIUS).astype(int), 0)
    high = np.minimum(np.ceil(centre + 1.5 * RADIUS).astype(int) + 1, solid.shape[0])
    part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    axes_ = [np.arange(s.start, s.stop) for s in part]
    grid = np.stack(np.meshgrid(*axes_, indexing="ij"), -1)
    solid[part] |= (((grid - centre) @ turn / axes) ** 2).sum(-1) < 1


@dataclass(frozen=True)
class Row:
    """How one draw meshed; seconds are of the whole command but for loading libraries."""

    draw: int
    labels: int
    fraction: float
    wall_s: float
    cpu_s: float
    cells: int
    unknowns: int
    least_sicn: float
    half_within: float
    largest_error: float
    left_out: int
    reason: str

    def cells_of_table(self) -> list[str]:
        """Return the row as it stands on the page."""
        return [
            str(self.draw),
            str(self.labels),
            f"{self.fraction:.3f}",
            f"{self.wall_s:.0f}",
            f"{self.cpu_s:.0f}",
            str(self.cells),
            str(self.unknowns),
            f"{self.least_sicn:.3f}",
            f"{self.half_within:.1e}",
            f"{self.largest_error:.3f}",
            str(self.left_out),
            self.reason,
        ]


def meshed(draw: int, count: int, fraction: float = FRACTION) -> Row:
    """Mesh one draw; where labels cannot be meshed, say which, and go on without them."""
    stack = drawn(draw, count, fraction)
    solid = float((stack > 0).mean())
    labels = len(np.unique(stack)) - 1
    parameters = load_parameters(PARAMETERS, packed=False)
    reason, made = "", None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stack.tif"
        tifffile.imwrite(file, stack, photometric="minisblack")
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            made, _ = mesh_image(file, (VOXEL_UM,), parameters)
        except InputError as error:
            reason = str(error).removeprefix(f"{file}: ")
            try:
                made, _ = mesh_image(file, (VOXEL_UM,), parameters, drop_unmeshable=True)
            except InputError as again:
                reason = f"{reason}; without them: {again}"
        spent = time.perf_counter() - wall, time.process_time() - cpu
    if made is None:
        return Row(draw, labels, solid, *spent, 0, 0, 0.0, 1.0, 1.0, labels, reason)
    quality = mesh_quality(made.mesh)
    error = np.abs(made.errors())
    return Row(
        draw,
        labels,
        solid,
        *spent,
        len(made.mesh.cells),
        quality.unknowns,
        min(domain.sicn_min for domain in quality.domains),
        float(np.median(error)),
        float(error.max()),
        len(made.unmeshable),
        reason,
    )


def kept_rows(file: Path) -> dict[int, Row]:
    """Return the rows of draws that were meshed before, by their numbers."""
    if not file.is_file():
        return {}
    with file.open(newline="") as stream:
        return {int(row["draw"]): _row(row) for row in csv.DictReader(stream)}


def _row(texts: dict[str, str]) -> Row:
    kinds: dict[str, Any] = {"int": int, "float": float, "str": str}
    return Row(**{f.name: kinds[str(f.type)](texts[f.name]) for f in fields(Row)})


def keep(file: Path, row: Row) -> None:
    """Append a row to the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = not file.is_file()
    with file.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, [f.name for f in fields(Row)])
        if fresh:
            writer.writeheader()
        writer.writerow(asdict(row))
