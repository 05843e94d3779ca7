"""Particles, tables and folders that the tests of reports share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import Delaunay

from heterode.particles.table import ParticleTable
from heterode.results import FieldGrid, ResultsFolder, Sample, SampleFiles

SIDE_UM = 200.0
BOX_UM = 48.0


def scattered(count: int = 150, seed: int = 3, side: float = SIDE_UM) -> np.ndarray:
    """(N, 2) places in a square, none closer than most of their mean spacing."""
    rng = np.random.default_rng(seed)
    apart = 0.55 * side / np.sqrt(count)
    places = [rng.uniform(0, side, 2)]
    while len(places) < count:
        trial = rng.uniform(0, side, 2)
        if np.min(np.linalg.norm(np.array(places) - trial, axis=1)) > apart:
            places.append(trial)
    return np.array(places)


def smooth_values(places: np.ndarray, seed: int = 4, length: float = 40.0) -> np.ndarray:
    """A value that neighbours share: exponential correlation, and a tenth of independent noise."""
    rng = np.random.default_rng(seed)
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    root = np.linalg.cholesky(np.exp(-apart / length) + 0.1 * np.eye(len(places)))
    return 0.6 + 0.05 * root @ rng.standard_normal(len(places))


def write_table(path: Path, **columns: object) -> Path:
    """A CSV table of columns of one length; returns its path."""
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(str(cell) for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def optical_table(path: Path, count: int = 150, seed: int = 3) -> Path:
    """A table as from a micrograph: x_um, y_um, radius_um, value."""
    places = scattered(count, seed)
    radius = np.random.default_rng(seed + 1).uniform(1.5, 4.0, count)
    value = smooth_values(places, seed + 2)
    x, y = places.T
    return write_table(path, x_um=x, y_um=y, radius_um=radius, value=value)


# -- spheres ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spheres:
    """N tetrahedralised spheres.

    Attributes:
        centres: (N, 3) um.
        radii: (N,) um.
        grid: of all, with the cell data "particle".
    """

    centres: np.ndarray
    radii: np.ndarray
    grid: FieldGrid


def ball(radius: float, surface_points: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and tetrahedra of a ball around the origin."""
    shells = [np.zeros((1, 3))]
    for part in (0.35, 0.7, 1.0):
        count = max(12, round(surface_points * part**2))
        k = np.arange(count) + 0.5
        polar, azimuth = np.arccos(1 - 2 * k / count), np.pi * (1 + 5**0.5) * k
        unit = [np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)]
        shells.append(part * radius * np.column_stack(unit))
    points = np.vstack(shells)
    return points, Delaunay(points).simplices


def spheres(centres: np.ndarray, radii: np.ndarray, surface_points: int = 120) -> Spheres:
    """Balls at places, each with points of its own."""
    points, cells, owner = [], [], []
    offset = 0
    for number, (centre, radius) in enumerate(zip(centres, radii, strict=True)):
        own, tetrahedra = ball(radius, surface_points)
        points.append(own + centre)
        cells.append(tetrahedra + offset)
        owner.append(np.full(len(tetrahedra), number))
        offset += len(own)
    grid = FieldGrid(
        "particles", np.vstack(points), np.vstack(cells), {"particle": np.concatenate(owner)}
    )
    return Spheres(np.asarray(centres), np.asarray(radii), grid)


def packed_spheres(seed: int = 5) -> Spheres:
    """64 spheres of different sizes in a cube, on a shaken lattice."""
    rng = np.random.default_rng(seed)
    steps = BOX_UM / 4 * (np.arange(4) + 0.5)
    lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    radii = rng.uniform(3.5, 5.2, len(lattice))
    return spheres(lattice + rng.uniform(-0.7, 0.7, lattice.shape), radii)


def write_spheres(path: Path, packing: Spheres, field: np.ndarray) -> ResultsFolder:
    """The results folder of a 3D run of two samples: without lithium gradients, then `field`."""
    folder = ResultsFolder.create(path)
    manifest = folder.start_manifest(particles=len(packing.radii), seeds={"packing": 5})
    volume = 4 / 3 * np.pi * packing.radii**3
    x, y, z = packing.centres.T
    surface = 4 * np.pi * packing.radii**2
    number = np.arange(len(volume))
    table = ParticleTable(number, x, y, z, packing.radii, volume, surface, np.ones(len(volume)))
    folder.write_particles(table)
    owner = np.zeros(len(field), dtype=int)
    owner[packing.grid.cells] = packing.grid.cell_data["particle"][:, None]
    means = np.bincount(owner, field) / np.bincount(owner)
    with SampleFiles(folder, len(volume), [packing.grid]) as recorder:
        for index, (values, fraction) in enumerate(
            [(np.full_like(field, 0.9), np.full_like(means, 0.9)), (field, means)]
        ):
            recorder.record(_sample(index, fraction), {"particles": {"lithium_fraction": values}})
    manifest.finish("completed", "end of the protocol", steps=1)
    return folder


def _sample(index: int, fraction: np.ndarray) -> Sample:
    return Sample(
        time_s=100.0 * index,
        voltage_V=3.6 + 0.4 * index,
        current_A_m2=1.0,
        capacity_Ah_m2=1.0 * index,
        lithium_fraction_mean=float(fraction.mean()),
        lithium_fraction_sd=float(fraction.std()),
        cycle=0,
        step=0,
        accepted=index,
        lithium_fraction=fraction,
        surface_lithium_fraction=fraction,
        particle_current_A_m2=np.zeros_like(fraction),
    )
