"""Synthetic micrographs as files, together with the truth behind them.

state.tif       the picture
pristine.tif    the same place with every particle full of lithium
flat.tif        an even surface under the same light
truth.csv       the particles drawn: particle, x_um, y_um, radius_um, value (lithium fraction),
                defocus_um (sigma of the particle's own blur)
truth.tif       labels, 0 for the matrix

For a 3D run the picture shows a plane: discs with the radius of the cut and the mean lithium
fraction over it (points/sections.py), the same numbers that `heterode report --section` uses.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.optics.csv_columns import write_csv
from heterode.optics.pixel_size import LARGEST_PIXEL_UM
from heterode.optics.sections import Colours, disc_scene
from heterode.optics.synthetic import Camera, Scene, correlated_marks, draw, random_positions
from heterode.particles.table import ParticleTable
from heterode.points.sections import ACROSS, Plane, Planes, section_discs
from heterode.results.fields import read_fields
from heterode.results.particle_series import read_particle_series
from heterode.results.written import make_folder, write_output

_MARGIN_UM = 3.0
_SPREAD = 0.05
_CORRELATION_UM = 15.0
_LARGEST = 20_000
MOST_DEFOCUS_PX = 100
"""Largest sigma of a particle's own blur, pixels; a particle with more cannot be seen."""

_EXPOSED = 0.75
"""Share of full scale at which the brightest colour is shown; ratios are unaffected."""


@dataclass(frozen=True)
class PictureSettings:
    """What is photographed, and how.

    Attributes:
        results: results folder; None for a random packing.
        sample: index of the sample of the results.
        plane: plane of a 3D run; None for the middle across y.
        pixel_um: edge of a pixel, um.
        size: edge of a random field, pixels.
        lithium_fraction: mean of a random field, whose particles vary by 0.05 over 15 um.
        overlap: overlap of neighbours in a random field, as a share of the median radius.
        defocus_um: largest sigma of the particles' own blur, um.
        bits, blur_px, noise, fall_off: see `Camera`.
    """

    results: Path | None
    sample: int
    plane: Plane | None
    pixel_um: float
    size: int
    lithium_fraction: float
    overlap: float
    defocus_um: float
    bits: int
    blur_px: float
    noise: float
    fall_off: float


FILES = ("state.tif", "pristine.tif", "flat.tif", "truth.tif", "truth.csv")
"""The files that `take_pictures` writes."""


def take_pictures(settings: PictureSettings, colours: Colours, seed: int, out: Path) -> int:
    """Draw the scene before and after, and write all files.

    Args:
        settings: see `PictureSettings`.
        colours: brightness by lithium fraction.
        seed: seed of packing, lithium, outlines and noise.
        out: the folder, created if missing.

    Returns:
        the number of particles drawn.

    Raises:
        InputError: the results cannot be read, or the picture would be too large.
    """
    if not 0.0 < settings.pixel_um <= LARGEST_PIXEL_UM:
        raise InputError(
            f"a pixel of {settings.pixel_um:g} um is no micrograph's (allowed: up to "
            f"{LARGEST_PIXEL_UM:g} um). Correct --pixel"
        )
    if settings.defocus_um > MOST_DEFOCUS_PX * settings.pixel_um:
        blur_px = settings.defocus_um / settings.pixel_um
        raise InputError(
            f"a defocus of {settings.defocus_um:g} um blurs by {blur_px:.3g} pixels (allowed: up"
            f" to {MOST_DEFOCUS_PX}). Lower --defocus or raise --pixel"
        )
    placing, drawing, focusing = np.random.default_rng(seed).spawn(3)
    colours = replace(colours, colour=colours.colour * (_EXPOSED / float(colours.colour.max())))
    camera = Camera(
        shape=(settings.size, settings.size),
        pixel_um=settings.pixel_um,
        bits=settings.bits,
        blur_px=settings.blur_px,
        noise=settings.noise,
        fall_off=settings.fall_off,
    )
    if settings.results is None:
        scene = _random(camera, colours, settings, placing)
    else:
        scene = scene_of_results(settings.results, colours, settings.sample, settings.plane)
        scene, camera = _framed(scene, camera)
    blur = focusing.uniform(0.0, settings.defocus_um, len(scene))
    scene = replace(scene, defocus_um=blur)
    full = np.full(len(scene), float(colours.lithium[-1]))
    before = replace(scene, colour=colours.of(full), mark=full)
    # One seed serves both: outlines and texture are equal, as of the same particles; noise differs.
    shapes = int(drawing.integers(2**63))
    after = draw(scene, camera, np.random.default_rng(shapes))
    pristine = draw(before, camera, np.random.default_rng(shapes), noise_stream=1)
    make_folder(out)
    for name, picture in (("state", after), ("pristine", pristine)):
        _write_tiff(out / f"{name}.tif", picture.micrograph.counts, camera.pixel_um)
    _write_tiff(out / "flat.tif", after.flat.counts, camera.pixel_um)
    _write_tiff(out / "truth.tif", after.labels, camera.pixel_um)
    table = {
        "particle": np.arange(len(scene)),
        "x_um": scene.x_um,
        "y_um": scene.y_um,
        "radius_um": scene.radius_um,
        "value": scene.mark,
        "defocus_um": scene.defocus_um,
    }
    write_output(out / "truth.csv", write_csv(dict(table)))
    return len(scene)


def scene_of_results(
    folder: Path, colours: Colours, sample: int = -1, plane: Plane | None = None
) -> Scene:
    """Return the scene of one sample of a results folder: the particles, or in 3D their sections.

    The thickness runs along the picture's columns, with the collector on the left, if the plane
    contains that direction.

    Raises:
        InputError: the folder or sample does not exist, a plane is given for a 2D run, or a 3D run
            has no fields.
    """
    if not (folder / "particles.csv").is_file():
        raise InputError(f"{folder}: is no results folder (there is no particles.csv in it)")
    series = read_particle_series(folder)
    count = len(series.time_s)
    if not -count <= sample < count:
        raise InputError(f"{folder}: has {counted(count, 'sample')}, not one of number {sample}")
    table = ParticleTable.read_csv(folder / "particles.csv")
    if np.ptp(table.z_um) == 0.0:
        if plane is not None:
            raise InputError(f"{folder}: a 2D run is a section already. Leave --section out")
        lithium_fraction = series.lithium_fraction[sample]
        return disc_scene(table.x_um, table.y_um, table.radius_um, lithium_fraction, colours)
    fields = read_fields(folder, "particles")
    points = fields.grid.points_um
    window = np.column_stack([points.min(axis=0), points.max(axis=0)])
    if plane is None:
        plane = Plane(ACROSS, float(window[ACROSS].mean()))
    planes = Planes((plane,)).within(window)
    index = int(np.abs(fields.times_s - series.time_s[sample]).argmin())
    discs = section_discs(fields.grid, fields.load(index)["lithium_fraction"], planes[0])
    # Columns are z, unless the plane is parallel to the collector.
    row, column = plane.within if plane.axis < 2 else (1, 0)
    x, y = discs.centre_um[:, column], discs.centre_um[:, row]
    return disc_scene(x, y, discs.radius_um, discs.value, colours)


def _random(
    camera: Camera, colours: Colours, settings: PictureSettings, random: np.random.Generator
) -> Scene:
    placing, marking = random.spawn(2)
    x, y, radius = random_positions(camera.size_um, placing, overlap=settings.overlap)
    marks = correlated_marks(x, y, marking, length_um=_CORRELATION_UM)
    fraction = np.clip(
        settings.lithium_fraction + _SPREAD * marks,
        float(colours.lithium[0]),
        float(colours.lithium[-1]),
    )
    return Scene(x, y, radius, colours.of(fraction), fraction, np.zeros(x.size))


def _framed(scene: Scene, camera: Camera) -> tuple[Scene, Camera]:
    """Return the scene within a margin, and a camera whose picture holds all of it."""
    left = float((scene.x_um - scene.radius_um).min()) - _MARGIN_UM
    top = float((scene.y_um - scene.radius_um).min()) - _MARGIN_UM
    moved = scene.shifted(-left, -top)
    width = float((moved.x_um + moved.radius_um).max()) + _MARGIN_UM
    height = float((moved.y_um + moved.radius_um).max()) + _MARGIN_UM
    columns, rows = (int(np.ceil(extent / camera.pixel_um)) for extent in (width, height))
    if max(columns, rows) > _LARGEST:
        raise InputError(
            f"a picture of {columns} x {rows} pixels is too large (at most {_LARGEST} along an"
            " edge). Raise --pixel"
        )
    return moved, replace(camera, shape=(rows, columns))


def _write_tiff(path: Path, pixels: npt.NDArray[np.generic], pixel_um: float) -> None:
    """Write a TIFF with the size of a pixel in the form that ImageJ and other programs read."""
    import tifffile

    buffer = io.BytesIO()
    per_cm = 1e4 / pixel_um
    tifffile.imwrite(
        buffer,
        pixels,
        photometric="rgb" if pixels.ndim == 3 else "minisblack",
        resolution=(per_cm, per_cm),
        resolutionunit="CENTIMETER",
        compression="zlib",
    )
    write_output(path, buffer.getvalue())
