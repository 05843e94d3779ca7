"""The particles of a report, from a results folder, its sections, or a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.heterogeneity.marks import MarkedPoints
from heterode.particles.table import ParticleTable
from heterode.points.csv_points import Table, read_table
from heterode.points.run import Instant, RunParticles, find_instant, read_run_particles
from heterode.points.sections import AXES, polish
from heterode.reporting.request import Request
from heterode.results.folder import ResultsFolder
from heterode.results.heading import heading
from heterode.results.manifest import read_manifest
from heterode.results.slab_box import slab_box
from heterode.viewing.style import spoken_time


@dataclass(frozen=True)
class Source:
    """Fields of view of one sample.

    Attributes:
        name: the name of the sample.
        path: results folder or table.
        fields: one or more fields of view.
        title: what is shown and at which moment, for people.
        value: the quantity that the particles carry.
        axes: names of the map's directions; None leaves them to the map.
        about: where the fields come from, for programs.
        notes: sentences that a reader has to see.
        run: whether the source is a results folder.
        folder: the folder of the report, unless another is chosen.
    """

    name: str
    path: Path
    fields: tuple[MarkedPoints, ...]
    title: str
    value: str
    about: Mapping[str, Any]
    folder: Path
    axes: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()
    run: RunParticles | None = None

    @property
    def particles(self) -> int:
        """The number of particles in all fields."""
        return sum(len(field) for field in self.fields)

    @property
    def directions(self) -> tuple[str, ...]:
        """Names of the fields' coordinates; none where the fields differ in them."""
        return tuple(AXES) if self.fields[0].dimension == 3 else self.axes or ()


def open_source(path: Path, request: Request) -> Source:
    """Open a results folder or a table.

    Raises:
        InputError: the path is neither, or cannot be used; the message says why.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder. Give a results folder or a CSV table")
    if path.is_dir():
        return _from_run(path, request)
    if path.name == "particles.csv" and request.reading.value is None and _is_run(path.parent):
        # The values of this table lie beside it, in particles.h5.
        return _from_run(path.parent, request)
    return _from_table(path, request)


def open_sources(paths: Sequence[Path], request: Request) -> list[Source]:
    """Open all sources; if sections are requested, runs are cut and compared with the tables.

    Raises:
        InputError: a source cannot be used or is given twice, or there is no run to cut.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("the same input is given twice. Give each once")
    sources = [open_source(path, request) for path in paths]
    if request.planes is not None and all(source.run is None for source in sources):
        raise InputError(
            f"{sources[0].path}: a table cannot be cut. Give a results folder for --section(s)"
        )
    return sources


def pooled(sources: Sequence[Source]) -> Source:
    """Combine several sources as fields of view of one sample.

    Raises:
        InputError: some are 2D and others 3D.
    """
    if len({field.dimension for source in sources for field in source.fields}) > 1:
        raise InputError("--pool: some inputs are 2D and others 3D. Pass --sections 20 to cut them")
    fields = tuple(
        replace(
            field, name=source.name if len(source.fields) == 1 else f"{source.name} {field.name}"
        )
        for source in sources
        for field in source.fields
    )
    first = sources[0]
    return replace(
        first,
        name=f"{counted(len(sources), 'input')} pooled",
        fields=fields,
        title=f"{counted(len(sources), 'input')} pooled: "
        + ", ".join(source.name for source in sources),
        about={"kind": "pooled", "inputs": [dict(source.about) for source in sources]},
        notes=tuple(note for source in sources for note in source.notes),
        folder=Path("pooled"),
        axes=first.axes if len({source.axes for source in sources}) == 1 else None,
        run=None,
    )


def _is_run(folder: Path) -> bool:
    try:
        read_manifest(ResultsFolder(folder).manifest)
    except InputError:
        return False
    return True


# -- a run ------------------------------------------------------------------------------------


def _from_run(path: Path, request: Request) -> Source:
    run = read_run_particles(path)
    manifest = read_manifest(ResultsFolder(path).manifest)
    moment = find_instant(run, request.at)
    name = path.resolve().name
    notes = []
    if manifest["status"] != "completed":
        notes.append(
            f"{path}: the run is not complete ({manifest['status']}): "
            f"its samples end at {spoken_time(float(run.series.time_s[-1]))}"
        )
    about = {
        "kind": "results",
        "path": str(path),
        "title": heading(manifest, path),
        "status": manifest["status"],
        "mesh_hash": manifest["mesh_hash"],
        "seeds": manifest["seeds"],
        "moment": {"chosen_by": request.at.kind, **asdict(moment)},
    }
    folder = ResultsFolder(path).report
    if request.planes is None:
        fields = [run.points(moment.index)]
        axes = ("x", "y") if run.dimension == 2 else None
        title = f"{name}, {_spoken(moment)}"
    else:
        fields, time_s, remarks = polish(path, moment.time_s, request.planes, run.window_um)
        notes += remarks
        if time_s != moment.time_s:
            notes.append(
                f"fields are written at {spoken_time(time_s)}, "
                f"the moment is {spoken_time(moment.time_s)}"
            )
        about |= {"sections": [field.name for field in fields], "fields_time_s": time_s}
        normals = {field.name[0] for field in fields}
        axes = _in_plane(fields[0].name) if len(normals) == 1 else None
        count = len(fields)
        what = f"section {fields[0].name}" if count == 1 else f"{count} sections"
        title = f"{name}, {what}, {_spoken(moment)}"
    chosen = tuple(_selected(field, request, str(path), run=True) for field in fields)
    return Source(
        name, path, chosen, title, "lithium fraction", about, folder, axes, tuple(notes), run
    )


def _in_plane(plane: str) -> tuple[str, str]:
    first, second = (axis for axis in AXES if axis != plane[0])
    return first, second


def _spoken(moment: Instant) -> str:
    return (
        f"{spoken_time(moment.time_s)}, {moment.voltage_V:.3f} V, by volume: mean lithium fraction "
        f"{moment.lithium_fraction_mean:.3f}, s.d. {moment.lithium_fraction_sd:.2g}"
    )


# -- a table ----------------------------------------------------------------------------------


def _from_table(path: Path, request: Request) -> Source:
    reading = request.reading
    folder = path.with_suffix("") if path.suffix else path.with_name(f"{path.name}-report")
    home = path.resolve().parent.parent
    if path.resolve().parent.name == "stops" and _is_run(home):
        # The slab of a table at a voltage stop is known, and stops/ belongs to the run.
        folder = path.parent.parent / "report" / path.stem
        if reading.window_um is None:
            particles = ParticleTable.read_csv(ResultsFolder(home).particles)
            reading = replace(reading, window_um=slab_box(home, particles).coating)
    table = read_table(path, reading)
    fields = tuple(_selected(field, request, str(path), run=False) for field in table.fields)
    value = table.columns["value"].replace("_", " ")
    return Source(
        path.stem,
        path,
        fields,
        path.stem,
        value,
        _about(table),
        folder,
        ("x", "y") if fields[0].dimension == 2 else None,
        _table_notes(table),
    )


def _about(table: Table) -> dict[str, Any]:
    return {
        "kind": "table",
        "path": str(table.path),
        "columns": dict(table.columns),
        "length_units": dict(table.units),
        "rows": table.rows,
        "rows_dropped": table.dropped,
    }


def _table_notes(table: Table) -> tuple[str, ...]:
    if not table.dropped:
        return ()
    return (
        f"{table.path}: {table.dropped} of {counted(table.rows, 'row', 'is')} incomplete "
        f"and left out",
    )


# -- selection --------------------------------------------------------------------------------


def _selected(points: MarkedPoints, request: Request, where: str, *, run: bool) -> MarkedPoints:
    """Weight the particles and select those that the request keeps."""
    sized = request.weighting != "none" or request.min_radius_um > 0.0
    if sized and points.radius_um is None:
        option = "--weight" if request.weighting != "none" else "--min-radius"
        raise InputError(f"{where}: no column of sizes (radius, diameter, area) for {option}")
    if request.weighting != "none" and points.radius_um is not None:
        given = run and (request.weighting == "volume") == (request.planes is None)
        if not given:
            area = request.weighting == "area"
            # Radii are raised to a power, which stays finite for radii up to 1e15 um.
            if not 1e-15 <= points.radius_um.min() <= points.radius_um.max() <= 1e15:
                raise InputError(
                    f"{where}: radii from {points.radius_um.min():g} to {points.radius_um.max():g}"
                    " um are no particles' (allowed with --weight: 1e-15 to 1e15 um)"
                )
            weight = points.radius_um**2 if area else points.radius_um**3
            points = replace(points, weight=np.asarray(np.pi * weight * (1 if area else 4 / 3)))
    if request.min_radius_um > 0.0:
        points = points.larger_than(request.min_radius_um)
    if request.margin_um > 0.0:
        points = points.without_margin(request.margin_um)
    return points
