"""report/index.html: a run on one page, which needs no other file and no network.

The page shows parameters with units, regime numbers, balances, figures, the movie and the
heterogeneity statistics if they exist, and how to repeat the run. Everything comes from the results
folder; what a folder lacks is left out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from heterode.base.errors import InputError
from heterode.base.reading import read_regular
from heterode.base.run_warnings import RunWarning
from heterode.base.toml_text import toml_text
from heterode.base.words import counted, spoken
from heterode.reporting.accuracy import accuracy_rows
from heterode.results.folder import ResultsFolder
from heterode.results.heading import facts
from heterode.results.history import read_history
from heterode.results.json_record import content_of
from heterode.results.manifest import read_manifest
from heterode.results.marks import alterations
from heterode.results.trust import earlier_alterations
from heterode.results.written import write_output
from heterode.viewing import DRAWINGS
from heterode.viewing.half_cycles import PER_AH_M2
from heterode.viewing.style import DPI, spoken_time

PAGE = "index.html"
INPUT = "parameters.toml"

_LARGEST_MOVIE = 24_000_000
"""Largest movie that the page embeds, bytes; a larger one is only named."""

_KINDS = {".png": "image/png", ".mp4": "video/mp4", ".gif": "image/gif"}


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Attributes:
        name: the name used in links.
        title, caption: texts.
        source: the picture itself, as a data URL.
        width: smallest width at which its text can be read, CSS pixels.
    """

    name: str
    title: str
    caption: str
    source: str
    width: int


def page_files(folder: Path | str) -> list[Path]:
    """Return the files that `write_page` writes."""
    report = ResultsFolder(folder).report
    return [report / INPUT, report / PAGE]


def write_page(folder: Path | str) -> Path:
    """Write report/index.html, and report/parameters.toml from which the run can be repeated.

    Args:
        folder: the results folder, possibly of a run that is going on or was killed.

    Returns:
        the path of the page.

    Raises:
        InputError: there is no results folder, or a file that is not heterode's own is in the way.
        OutputError: the page cannot be written.
    """
    results = ResultsFolder.open(folder)
    report = results.make_report()
    manifest = read_manifest(results.manifest)
    with content_of(results.manifest):
        again = input_text(manifest)
        content = page_content(results, manifest)
    if again:
        write_output(report / INPUT, again.encode())
    template = (files("heterode.reporting") / "templates" / "page.html.j2").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    html = environment.from_string(template).render(**content)
    write_output(report / PAGE, html.encode())
    return report / PAGE


def refresh_page(folder: Path | str) -> None:
    """Write an existing page again, after something was added to the report."""
    if (ResultsFolder(folder).report / PAGE).exists():
        write_page(folder)


def page_content(results: ResultsFolder, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that the page shows, by the names of the template."""
    described = manifest.get("described") or {}
    return {
        "title": manifest.get("title") or facts(manifest) or results.path.absolute().name,
        "facts": facts(manifest),
        "folder": results.path.absolute().name,
        "status": manifest.get("status", ""),
        "reason": manifest.get("reason", ""),
        "started": manifest.get("started", ""),
        "tiles": [*_run_tiles(_history(results)), *_cost_tiles(manifest)],
        "pictures": pictures(results.report),
        "movie": movie(results.report),
        "heterogeneity": heterogeneity(results.report),
        "warnings": [*warning_rows(manifest), *altered_rows(manifest)],
        "regimes": described.get("regimes", []),
        "derived": described.get("derived", []),
        "protocol": described.get("protocol", []),
        "parameters": grouped(described.get("parameters") or {}),
        "skipped": skipped_rows(manifest),
        "left_out": left_out_rows(manifest),
        "balance": {k: v for k, v in manifest.get("balance", {}).items() if v is not None},
        "accuracy": accuracy_rows(manifest),
        "wall_s": manifest.get("wall_s", {}),
        "seeds": manifest.get("seeds", {}),
        "versions": manifest.get("versions", {}),
        "mesh_hash": manifest.get("mesh_hash") or "",
        "ranks": manifest.get("ranks") or 1,
        "input": input_text(manifest),
    }


def _history(results: ResultsFolder) -> pd.DataFrame:
    try:
        return read_history(results.path)
    except InputError:
        # A run that failed before its first step has no history.
        return pd.DataFrame()


def _run_tiles(history: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (name, value) of what happened in the cell."""
    if history.empty:
        return []
    last = history.iloc[-1]
    capacity = PER_AH_M2 * float(np.ptp(history["capacity_Ah_m2"]))
    widest = history.iloc[int(history["lithium_fraction_sd"].to_numpy().argmax())]
    return [
        ("simulated time", spoken_time(float(last["time_s"]))),
        ("last voltage", f"{last['voltage_V']:.4f} V"),
        ("capacity passed", f"{capacity:.3f} mA h cm⁻²"),
        (
            "largest spread of particles: s.d. of x, by volume",
            f"{widest['lithium_fraction_sd']:.3f} at mean x = "
            f"{widest['lithium_fraction_mean']:.2f}",
        ),
    ]


def _cost_tiles(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, value) of what the run cost."""
    tiles = []
    for name, key in (("particles", "particles"), ("unknowns", "dofs"), ("time steps", "steps")):
        if manifest.get(key):
            tiles.append((name, f"{manifest[key]:,}".replace(",", " ")))
    wall = sum(manifest.get("wall_s", {}).values())
    if wall > 0:
        ranks = manifest.get("ranks") or 1
        tiles.append(("wall time", f"{spoken_time(wall)} on {ranks} rank{'s' * (ranks > 1)}"))
    if manifest.get("peak_memory_bytes"):
        tiles.append(("memory", f"{manifest['peak_memory_bytes'] / 1e9:.2g} GB"))
    return tiles


def pictures(report: Path) -> list[Picture]:
    """Return the existing figures, in the order of a report."""
    found = []
    for drawing in DRAWINGS:
        source = data_address(report / f"{drawing.name}.png")
        if source:
            width = legible_width(report / f"{drawing.name}.png")
            found.append(Picture(drawing.name, drawing.title, drawing.caption, source, width))
    return found


def movie(report: Path) -> dict[str, str] | None:
    """Return the movie, if there is one: `mp4` and `gif`; the page embeds the first that fits."""
    for ending in ("mp4", "gif"):
        path = report / f"movie.{ending}"
        if path.is_file():
            small = path.stat().st_size <= _LARGEST_MOVIE
            return {
                "kind": ending,
                "name": path.name,
                "source": data_address(path) if small else "",
            }
    return None


def heterogeneity(report: Path) -> dict[str, Any] | None:
    """Return the statistics, if there are any: figure, findings, and cautions."""
    picture = data_address(report / "heterogeneity.png")
    try:
        content = json.loads((report / "heterogeneity.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = {}
    if not picture and not content:
        return None
    pairs = (content.get("correlogram") or {}).get("chance")
    return {
        "picture": picture,
        "width": legible_width(report / "heterogeneity.png"),
        "evolution": data_address(report / "evolution.png"),
        "evolution_width": legible_width(report / "evolution.png"),
        "rows": [
            *_scale_rows(content.get("scale") or {}),
            *([("correlation of pairs against chance", str(pairs))] if pairs else []),
            *_trend_rows(content),
            *_drawn_rows(content),
        ],
        "notes": [str(note) for note in content.get("notes") or []],
    }


def _scale_rows(scale: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, value) of the scale of heterogeneity, as far as it is known."""
    rows = []
    length, flag = scale.get("scale_um"), scale.get("flag")
    if length is not None:
        sign = {"below": "at most ", "above": "more than "}.get(str(flag), "")
        note = " (not converged: larger than the field allows)" if flag == "above" else ""
        if flag == "ok" and scale.get("high_um") is not None:
            note = f" ({spoken(scale['low_um'])} to {spoken(scale['high_um'])})"
        rows.append(("scale of heterogeneity L*", f"{sign}{spoken(length)} µm{note}"))
    if scale.get("model_um") is not None:
        interval = f"{spoken(scale['model_low_um'])} to {spoken(scale['model_high_um'])}"
        rows.append(("L* by the fitted covariance", f"{spoken(scale['model_um'])} µm ({interval})"))
    chance = scale.get("null_quantiles_um") or []
    if (scale.get("null_above") or 0.0) > 0.5:
        rows.append(("L* of the same values shuffled", "not converged either"))
    elif len(chance) == 3 and all(value is not None for value in chance):
        between = f"{spoken(chance[0])} to {spoken(chance[2])} µm"
        rows.append(("L* of the same values shuffled", between))
    named = (
        ("p_value", "p against randomly exchanged values", ""),
        ("field_um", "size of the field", " µm"),
    )
    for key, name, unit in named:
        if scale.get(key) is not None:
            rows.append((name, f"{spoken(scale[key])}{unit}"))
    return rows


def _trend_rows(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, value) of the trends of the values over the field."""
    trend = content.get("trend") or {}
    depth = trend.get("depth")
    found = []
    if depth is not None:
        keys = ("difference", "difference_in_sd", "p_value")
        found.append(("trend with the depth", *(trend[key][depth] for key in keys)))
    if trend:
        keys = ("total", "total_in_sd", "total_p_value")
        found.append(("trend in all directions", *(trend[key] for key in keys)))
    removed = (content.get("settings") or {}).get("detrend", "none") != "none"
    rows = []
    for name, size, in_sd, p_value in found:
        chance = "" if p_value is None else f", p = {p_value:.2g}"
        rows.append((name, f"{size:+.3g} over the field, {in_sd:+.2g} s.d.{chance}"))
    return [*rows, *([("linear trend", "removed from all else")] if removed else [])]


def _drawn_rows(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, value) of the random draws that the p values rest on."""
    settings = content.get("settings") or {}
    rows = []
    if settings.get("permutations") is not None:
        seed = f", seed {content['seed']}" if content.get("seed") is not None else ""
        rows.append(("values shuffled", f"{counted(settings['permutations'], 'time')}{seed}"))
    return rows


def legible_width(path: Path) -> int:
    """Return the width at which a PNG's smallest text, 6.5 pt, is 9 CSS pixels high, or 0."""
    try:
        with path.open("rb") as file:
            head = file.read(24)
    except OSError:
        return 0
    if head[12:16] != b"IHDR":
        return 0
    pixels = int.from_bytes(head[16:20], "big")
    return round(pixels * 9.0 / (6.5 * DPI / 72))


def warning_rows(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (what, where) for each warning of the run."""
    rows = []
    for entry in manifest.get("warnings") or []:
        warning = RunWarning.from_dict({"code": "", "message": "", **entry})
        places = (f"{name.replace('_', ' ')} {_place(at)}" for name, at in warning.where.items())
        rows.append((warning.text, ", ".join(places)))
    return rows


def altered_rows(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the altered files, except those that the manifest's own warnings name."""
    known = earlier_alterations(manifest)
    return [(f"altered: {line}", "") for line in alterations() if line not in known]


def skipped_rows(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (step, reason) for protocol steps that took no time, and a count of further ones."""
    entries = [e for e in manifest.get("skipped_steps") or [] if isinstance(e, Mapping)]
    rows = []
    for entry in entries:
        others = int(entry.get("steps") or 1) - 1
        more = f", and {counted(others, 'step')} of the passes after it" if others > 0 else ""
        what = f"step {entry.get('step')}: {entry.get('text')}{more}"
        rows.append((what, f"{entry.get('reason')}, {spoken_time(entry.get('time_s') or 0.0)}"))
    left = int(manifest.get("skipped_step_count") or 0)
    left -= sum(int(entry.get("steps") or 1) for entry in entries)
    if left > 0:
        rows.append((f"{counted(left, 'step')} more", ""))
    return rows


def left_out_rows(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (stop, reason) for the stops that a jump of the current passed over."""
    entries = [e for e in manifest.get("left_out_stops") or [] if isinstance(e, Mapping)]
    rows = []
    for entry in entries:
        jump = f"{entry.get('before_V') or 0.0:.4f} V to {entry.get('after_V') or 0.0:.4f} V"
        rows.append(
            (
                f"stop at {entry.get('stop_V'):g} V in step {entry.get('step')}: "
                f"{entry.get('text')}",
                f"the jump of the current led across it, from {jump}, "
                f"{spoken_time(entry.get('time_s') or 0.0)}",
            )
        )
    left = int(manifest.get("left_out_stop_count") or 0) - len(entries)
    return [*rows, (f"{counted(left, 'stop')} more", "")] if left > 0 else rows


def _place(at: object) -> str:
    if isinstance(at, list | tuple):
        return "(" + ", ".join(_place(part) for part in at) + ")"
    return f"{at:.5g}" if isinstance(at, float) else str(at)


def grouped(parameters: Mapping[str, str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the parameters by section: (section, [(key within it, value)])."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, value in parameters.items():
        section, _, key = name.partition(".")
        groups.setdefault(section if key else "general", []).append((key or section, str(value)))
    return list(groups.items())


def input_text(manifest: Mapping[str, Any]) -> str:
    """Return the input file of the run with its overrides; "" if it is not known."""
    given = dict(manifest.get("input") or {})
    if not given:
        return ""
    # The next run has a folder of its own.
    output = {k: v for k, v in given.pop("output", {}).items() if k != "directory"}
    head = f"# What was run: {manifest.get('parameter_file') or 'an input file'}, --set included\n"
    return head + toml_text({**given, **({"output": output} if output else {})})


def data_address(path: Path) -> str:
    """Return a file as a data URL; "" if the file does not exist."""
    try:
        content = read_regular(path)
    except OSError:
        return ""
    return f"data:{_KINDS[path.suffix]};base64,{base64.b64encode(content).decode()}"
