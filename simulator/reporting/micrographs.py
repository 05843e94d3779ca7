"""Particle tables from micrographs: one picture or a series, with all results as files.

<name>.csv            the particles that count; `heterode report` reads it
<name>_refused.csv    the others, with the reason
<name>_overlay.png    their outlines over the picture
<name>_labels.tif     the segmentation, with particle numbers as pixels
<name>_histograms.npz histograms of red, green and blue, a row for each particle
summary.csv, .json    a row for each picture
series.png            brightness over the states
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from heterode.base.csv_table import read_csv_table
from heterode.base.csv_text import harmless
from heterode.base.errors import InputError
from heterode.base.units import UnitError, quantity
from heterode.base.words import counted
from heterode.optics.analysis import Options, Picture, analyse
from heterode.optics.calibration import Calibration, calibration_table
from heterode.optics.channels import ALL_CHANNELS, chosen_channel
from heterode.optics.csv_columns import write_csv
from heterode.optics.evaluation import Columns, Result, evaluate
from heterode.optics.label_file import read_labels
from heterode.optics.micrograph import read_micrograph
from heterode.reporting.names import unique_names
from heterode.results.written import make_folder, write_output
from heterode.viewing.micrographs import State, draw_series
from heterode.viewing.overlay import draw_overlay

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """A picture and what belongs to it.

    Attributes:
        image, pristine, flat, labels: the files.
        pixel_um, pristine_pixel_um: edges of pixels, um; None takes them from the files' metadata.
        voltage_V, lithium_fraction: of the state, if known.
        composition, direction, lens: which calibration applies; "" accepts any.
    """

    image: Path
    pristine: Path | None = None
    flat: Path | None = None
    labels: Path | None = None
    pixel_um: float | None = None
    pristine_pixel_um: float | None = None
    voltage_V: float | None = None
    lithium_fraction: float | None = None
    composition: str = ""
    direction: str = ""
    lens: str = ""


_FILES = ("image", "pristine", "flat", "labels")
_PIXELS = ("pixel", "pristine_pixel")
_NUMBERS = ("voltage_V", "lithium_fraction")
_WORDS = ("composition", "direction", "lens")


def pixel_um(text: str, option: str = "--pixel") -> float:
    """Convert a length such as "0.1um" to um.

    Raises:
        InputError: the text is not a length above 0.
    """
    try:
        size = 1e6 * quantity(text, "m")
    except UnitError as error:
        raise InputError(
            f"{option} {text} {error}. Give the edge of a pixel, as in 0.1um"
        ) from None
    if size <= 0.0:
        raise InputError(f"{option} {text} must be above 0")
    return size


def read_batch(path: Path, defaults: Job) -> list[Job]:
    """Read jobs from a CSV file, one in each row; paths are relative to the file.

    Args:
        path: a table with the column image and any of pristine, flat, labels, pixel,
            pristine_pixel, voltage_V, lithium_fraction, composition, direction, lens; empty entries
            take the default.
        defaults: the job that supplies what a row leaves out.

    Raises:
        InputError: the file is not such a table.
    """
    table = read_csv_table(path)
    known = (*_FILES, *_PIXELS, *_NUMBERS, *_WORDS)
    unknown = [name for name in table.columns if name not in known]
    if unknown or "image" not in table.columns:
        raise InputError(
            f"{path}: {table.described}; column {harmless(', '.join(unknown)) or 'image'} is"
            f" {'unknown' if unknown else 'missing'} (allowed: {', '.join(known)})"
        )
    jobs = []
    numbers = {n: table.numbers_or_nan(n) for n in _NUMBERS if n in table.columns}
    for index, (number, cells) in enumerate(zip(table.lines, table.rows, strict=True)):
        values: dict[str, Any] = {}
        row = {name: cell for name, cell in zip(table.columns, cells, strict=True) if cell}
        for name in row:
            if name in _FILES:
                values[name] = path.parent / row[name]
            elif name in _PIXELS:
                values[f"{name}_um"] = pixel_um(row[name], f"{path}: {name} in line {number}")
            elif name in _NUMBERS:
                values[name] = float(numbers[name][index])
                _check_number(path, number, name, row[name], values[name])
            else:
                values[name] = row[name]
        if "image" not in values:
            raise InputError(f"{path}: line {number} names no image")
        jobs.append(replace(defaults, **values))
    return jobs


def _check_number(path: Path, line: int, name: str, text: str, value: float) -> None:
    if not np.isfinite(value) or (name == "lithium_fraction" and not 0.0 <= value <= 1.0):
        allowed = "a number in [0, 1]" if name == "lithium_fraction" else "a number"
        raise InputError(f"{path}: {name} = '{text}' in line {line} is not {allowed}")


def outputs_of(jobs: Sequence[Job], out: Path, calibration_out: Path | None = None) -> list[Path]:
    """Return the files that `process` writes."""
    ends = (".csv", "_refused.csv", "_overlay.png", "_labels.tif", "_histograms.npz")
    paths = [out / f"{name}{end}" for name in _names(jobs) for end in ends]
    paths += [out / name for name in ("summary.json", "summary.csv", "series.png")]
    return paths if calibration_out is None else [*paths, calibration_out]


def inputs_of(jobs: Sequence[Job]) -> list[Path]:
    """Return the files that `process` reads."""
    paths = (getattr(job, name) for job in jobs for name in _FILES)
    return [path for path in paths if path is not None]


def process(
    jobs: Sequence[Job],
    options: Options,
    out: Path,
    *,
    calibration: Calibration | None = None,
    calibration_out: Path | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Convert pictures to tables.

    Args:
        jobs: at least one.
        options: the options for all of them.
        out: the folder, created if missing. Only files of an earlier call are replaced.
        calibration: converts ratios of brightness to lithium fractions.
        calibration_out: a file for the calibration made from these pictures, whose lithium
            fractions have to be known.
        progress: called with a line for each picture.

    Returns:
        a summary for each picture; that of a picture that failed has the key "failed".

    Raises:
        InputError: a file is missing, or no picture could be read. One failure in a series does not
            stop the others.
    """
    _require_files(jobs)
    if calibration_out is not None:
        _require_states(jobs)
    make_folder(out)
    names = _names(jobs)
    pristine: dict[tuple[Any, ...], Picture] = {}
    summaries: list[dict[str, Any]] = []
    states: list[State] = []
    for job, name in zip(jobs, names, strict=True):
        try:
            result = _one(job, name, options, out, calibration, pristine)
        except InputError as error:
            if len(jobs) == 1:
                raise
            summaries.append({"image": name, "failed": str(error)})
            _tell(progress, f"{name}: failed: {error}")
            continue
        summary = _with_state(job, name, result.summary)
        summaries.append(summary)
        states.append(_state(job, name, result))
        _tell(progress, _line(summary))
    if not states:
        raise InputError(
            f"none of {counted(len(jobs), 'picture')} could be used: {summaries[0]['failed']}"
        )
    _write_summaries(out, summaries)
    _draw(out, jobs, summaries, states)
    if calibration_out is not None:
        _write_calibration(calibration_out, summaries)
    return summaries


def _tell(progress: Progress | None, line: str) -> None:
    if progress is not None:
        progress(line)


def _one(
    job: Job,
    name: str,
    options: Options,
    out: Path,
    calibration: Calibration | None,
    cache: dict[tuple[Any, ...], Picture],
) -> Result:
    picture = _picture(job.image, job.pixel_um, job.flat, job.labels, options)
    before = None
    if job.pristine is not None:
        size = job.pristine_pixel_um or job.pixel_um
        key = (job.pristine, size, job.flat)
        if key not in cache:
            # The segmentation is kept for the next state of the series; of several places only the
            # last one.
            cache.clear()
            cache[key] = _picture(job.pristine, size, job.flat, None, options)
        before = cache[key]
    curve = None
    if calibration is not None:
        channel = chosen_channel(name, picture.channels, options.channel)
        curve = calibration.curve(channel, job.composition, job.direction, job.lens)
    result = evaluate(picture, options, pristine=before, curve=curve)
    _write(out, name, picture, result)
    return result


def _picture(
    path: Path, size: float | None, flat: Path | None, labels: Path | None, options: Options
) -> Picture:
    micrograph = read_micrograph(path, size, bits=options.bits)
    even = given = None
    notes = list(micrograph.notes)
    if flat is not None:
        even = read_micrograph(flat, micrograph.pixel_um, bits=options.bits)
        notes += [f"{flat.name}: {note}" for note in even.notes]
    if labels is not None:
        image = read_labels(labels, micrograph.shape)
        given = image.labels
        notes += [f"{labels.name}: {note}" for note in image.notes]
    picture = analyse(micrograph, options, flat=even, labels=given)
    return replace(picture, notes=tuple(notes))


def _write(out: Path, name: str, picture: Picture, result: Result) -> None:
    import tifffile

    write_output(out / f"{name}.csv", write_csv(result.table))
    write_output(out / f"{name}_refused.csv", write_csv(result.refused))
    why = picture.refused.copy()
    reasons = result.refused["refused"]
    why[~result.accepted] = reasons
    draw_overlay(out / f"{name}_overlay.png", picture.intensity, picture.labels, why)
    buffer = io.BytesIO()
    kind = np.uint16 if int(picture.labels.max()) < 2**16 else np.int32
    tifffile.imwrite(buffer, picture.labels.astype(kind), compression="zlib")
    write_output(out / f"{name}_labels.tif", buffer.getvalue())
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        label=1 + np.flatnonzero(result.accepted),
        counts=picture.measured.histogram[result.accepted],
        channels=np.array(picture.channels),
    )
    write_output(out / f"{name}_histograms.npz", buffer.getvalue())


def _with_state(job: Job, name: str, summary: dict[str, Any]) -> dict[str, Any]:
    state = {
        "voltage_V": job.voltage_V,
        "lithium_fraction": job.lithium_fraction,
        "composition": job.composition,
        "direction": job.direction,
        "lens": job.lens,
    }
    return (
        {"image": name}
        | {k: v for k, v in state.items() if v not in (None, "")}
        | summary
        | {"image": name}
    )


def _state(job: Job, name: str, result: Result) -> State:
    suffix = "_ratio" if result.match is not None else ""
    channels = tuple(c for c in ALL_CHANNELS if c in result.summary)
    mean = tuple(float(result.summary[f"{c}{suffix}"]) for c in channels)
    sd = tuple(float(result.summary[f"{c}{suffix}_sd"]) for c in channels)
    place = job.voltage_V if job.voltage_V is not None else job.lithium_fraction
    values = np.asarray(result.table["value"], dtype=np.float64)
    colours = np.column_stack(
        [np.asarray(result.table[f"{c}{suffix}"], dtype=np.float64) for c in channels]
    )
    return State(
        name,
        np.nan if place is None else place,
        mean,
        sd,
        values,
        colours,
        channels,
    )


def _line(summary: dict[str, Any]) -> str:
    """Return a line for a picture, and a line for each choice and each warning."""
    text = (
        f"{summary['image']}: {summary['particles']} of "
        f"{counted(summary['particles_found'], 'particle')},"
        f" area {summary['area_fraction']:.2f}, in focus {summary['in_focus']:.0%},"
        f" {summary['value']} {summary['value_mean']:.4f} +- {summary['value_sd']:.4f}"
    )
    chosen = (f"  {choice}" for choice in summary.get("chosen", ()))
    return "\n".join([text, *chosen, *(f"  warning: {w}" for w in summary["warnings"])])


def _write_summaries(out: Path, summaries: Sequence[dict[str, Any]]) -> None:
    text = json.dumps(summaries, indent=2, ensure_ascii=False) + "\n"
    write_output(out / "summary.json", text.encode("utf-8"))
    names = list(dict.fromkeys(name for summary in summaries for name in summary))
    columns: Columns = {
        name: [
            "; ".join(s[name]) if isinstance(s.get(name), list) else s.get(name) for s in summaries
        ]
        for name in names
    }
    write_output(out / "summary.csv", write_csv(columns))


def _draw(
    out: Path, jobs: Sequence[Job], summaries: Sequence[dict[str, Any]], states: Sequence[State]
) -> None:
    along = ""
    if all(np.isfinite(state.place) for state in states) and len({s.place for s in states}) > 1:
        by_voltage = all(job.voltage_V is not None for job in jobs)
        along = "voltage / V" if by_voltage else "lithium fraction"
    used = [summary for summary in summaries if "failed" not in summary]
    ratios = all("residual_um" in summary for summary in used)
    kinds = {str(summary["value"]) for summary in used}
    draw_series(
        out / "series.png",
        states,
        along,
        "ratio to the pristine state" if ratios else "brightness / full scale",
        kinds.pop() if len(kinds) == 1 else "value",
    )


def _write_calibration(path: Path, summaries: Sequence[dict[str, Any]]) -> None:
    used = [s for s in summaries if "residual_um" in s]
    if len(used) < 2:
        raise InputError(f"{path}: a calibration needs at least two pictures with ratios")
    kinds = {tuple(c for c in ALL_CHANNELS if f"{c}_ratio" in s) for s in used}
    if len(kinds) > 1:
        raise InputError(
            f"{path}: some pictures are in colour and some in grey. Make a calibration of each"
        )
    channels = kinds.pop()
    count = np.sqrt([[s["particles"]] for s in used])
    table = calibration_table(
        np.array([s["lithium_fraction"] for s in used]),
        np.array([[s[f"{c}_ratio"] for c in channels] for s in used]),
        # This is the error of the mean; a pristine state compared with itself has none, hence the
        # floor.
        np.maximum(np.array([[s[f"{c}_ratio_sd"] for c in channels] for s in used]) / count, 1e-4),
        [(s.get("composition", ""), s.get("direction", ""), s.get("lens", "")) for s in used],
        channels,
    )
    make_folder(path.absolute().parent)
    write_output(path, table)


def _require_files(jobs: Sequence[Job]) -> None:
    for job in jobs:
        for name in _FILES:
            path = getattr(job, name)
            if path is not None and not Path(path).exists():
                raise InputError(f"{path}: no such file ({name})")


def _require_states(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.lithium_fraction is None or job.pristine is None:
            raise InputError(
                f"{job.image}: a calibration needs the lithium fraction and the pristine picture of"
                " each state: give both as columns of --batch"
            )


def _names(jobs: Sequence[Job]) -> list[str]:
    """Return a name for each picture: that of its file, numbered if it occurs twice."""
    return unique_names([job.image.stem for job in jobs])
