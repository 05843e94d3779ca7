"""The making of a movie from a results folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np

from heterode.base.errors import ArgumentError
from heterode.results.fields import FieldSeries, read_fields
from heterode.results.folder import ResultsFolder
from heterode.results.heading import heading
from heterode.results.history import read_history
from heterode.results.json_record import content_of
from heterode.results.manifest import read_manifest
from heterode.results.marks import short_mark
from heterode.results.particle_series import read_particle_series
from heterode.results.sample import Floats
from heterode.results.written import require
from heterode.viewing.movie.plane import PlaneScene
from heterode.viewing.movie.stage import Extend, Stage
from heterode.viewing.movie.timeline import Fields, Timeline
from heterode.viewing.movie.video import Picture, write_gif, write_mp4
from heterode.viewing.movie.view import View
from heterode.viewing.section import mid_section
from heterode.viewing.slab import layout_of

MOVIE = "movie"
"""Name of the files in report/, without their endings."""

_SAMPLES = 60


class Scene(Protocol):
    """Paints the cell into a page."""

    def paint(self, page: Picture, shown: Floats, share: float) -> None:
        """Paint the particles into a page, at an elapsed share of the movie."""

    def close(self) -> None:
        """Release the resources that the scene holds."""


@dataclass(frozen=True)
class Movie:
    """A movie that was made.

    Attributes:
        paths: the files.
        frames: the number of frames.
        cells: the number of cells of the particles' mesh.
        size: width and height, pixels.
        prepare_s: wall time until the first frame, s.
        per_frame_s: wall time of a frame including its encoding, s.
        gif_s: wall time of the GIF, s.
    """

    paths: tuple[Path, ...]
    frames: int
    cells: int
    size: tuple[int, int]
    prepare_s: float
    per_frame_s: float
    gif_s: float


def outputs_of(folder: Path | str, view: View) -> list[Path]:
    """Return the files that `animate` makes."""
    report = ResultsFolder(folder).report
    return [report / f"{MOVIE}.{ending}" for ending in ("mp4", "gif") if ending in view.formats]


def animate(
    folder: Path | str, view: View | None = None, tell: Callable[[int, int], None] | None = None
) -> Movie:
    """Make the movie of a results folder.

    Args:
        folder: the results folder.
        view: how the movie looks; None takes the default.
        tell: called after each frame with the number of frames done and that of all frames.

    Raises:
        InputError: the folder has no readable results or no samples yet, the view does not fit
            them, or a file that is not heterode's own is in the way.
        OutputError: the files cannot be written.
    """
    view = View() if view is None else view
    results = ResultsFolder.open(folder)
    begin = time.perf_counter()
    series = read_fields(results.path, "particles")
    stage, timeline = _stage(results, series, view)
    scene = _scene(results.path, stage, series, view)
    fields = Fields(series)
    ready = time.perf_counter()

    def frames() -> Iterator[Picture]:
        for number in range(len(timeline)):
            frame = timeline.frame(number)
            page = stage.draw(frame)
            scene.paint(page, view.shown(fields.lithium_fraction(frame)), frame.share)
            yield page
            if tell is not None:
                tell(number + 1, len(timeline))

    report, paths = results.make_report(), outputs_of(folder, view)
    require(paths)
    with ExitStack() as ending:
        ending.callback(scene.close)
        written = report / f"{MOVIE}.mp4"
        if written not in paths:
            # A GIF is made from the MP4, which is removed afterwards.
            made = TemporaryDirectory(prefix=f".{MOVIE}-", dir=report)
            written = Path(ending.enter_context(made)) / written.name
        count = write_mp4(written, frames(), view.size, view.fps)
        done = time.perf_counter()
        if "gif" in view.formats:
            write_gif(paths[-1], written)
    return Movie(
        tuple(paths),
        count,
        len(series.grid.cells),
        view.size,
        ready - begin,
        (done - ready) / max(count, 1),
        time.perf_counter() - done,
    )


def _stage(results: ResultsFolder, series: FieldSeries, view: View) -> tuple[Stage, Timeline]:
    history = read_history(results.path)
    particles = read_particle_series(results.path)
    timeline = Timeline(history, particles, series.times_s, frames=view.frames, steps=view.steps)
    samples = _looked_at(len(series.times_s))
    fields = [series.load(sample)["lithium_fraction"] for sample in samples]
    limits = view.range(particles.lithium_fraction, particles.surface_lithium_fraction, *fields)
    # If only some of the fields were read, the others may exceed the range of the colours.
    extend: Extend = "neither" if len(samples) == len(series.times_s) else "both"
    with content_of(results.manifest):
        title = heading(read_manifest(results.manifest), results.path)
    title = " | ".join(part for part in (title, short_mark()) if part)
    return Stage(view, timeline, history, limits, title, extend), timeline


def _looked_at(count: int) -> list[int]:
    """Return the samples whose fields set the range of the colours: all, or some spaced evenly."""
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, _SAMPLES))})


def _scene(folder: Path, stage: Stage, series: FieldSeries, view: View) -> Scene:
    if series.grid.dimension == 2 and view.section:
        raise ArgumentError(
            "{section} is for cells in 3D; this one is a plane already. Leave it out", section=...
        )
    section = mid_section(series.grid, view.section_um)
    if series.grid.dimension == 3 and not view.section:
        # VTK takes a second to load, and a plane does not need it.
        from heterode.viewing.movie.space import SpaceScene

        coating = layout_of(folder, section).coating_um
        return SpaceScene(stage, series.grid, coating, view)
    if len(section.grid.cells) == 0:
        raise ArgumentError(
            f"{{section_um}}: no particle lies in the plane y = {section.across_um:g} um",
            section_um=...,
        )
    layout = layout_of(folder, section)
    width, height = stage.map.get_window_extent().size
    # The layers lie in the direction that allows them to be drawn larger.
    flat = min(width / layout.aspect, height) > min(width, height / layout.aspect)
    return PlaneScene(stage, section, replace(layout, flat=bool(flat)))
