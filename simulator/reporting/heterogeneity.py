"""A heterogeneity report: numbers as JSON, curves as CSV, panels as figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from heterode.base.words import counted, spoken
from heterode.heterogeneity import Correlogram, Heterogeneity, analyse, correlogram
from heterode.heterogeneity.envelope import EnvelopeTest
from heterode.heterogeneity.marks import Floats, MarkedPoints
from heterode.points.evolution import evolution
from heterode.reporting.request import COUNTED, NAME, Request, with_bins, with_depth
from heterode.reporting.sources import Source
from heterode.reporting.trend_text import range_line, trend_lines
from heterode.results.manifest import PROGRAM, collect_versions, write_json
from heterode.results.written import make_folder, write_output
from heterode.viewing import style
from heterode.viewing.directions import directions_figure
from heterode.viewing.evolution import evolution_figure
from heterode.viewing.heterogeneity import Captions, heterogeneity_figure, model_text, scale_text


@dataclass(frozen=True)
class Report:
    """What was found and written.

    Attributes:
        source: where the particles come from.
        result: the statistics.
        files: the files that were written, the JSON first.
    """

    source: Source
    result: Heterogeneity
    files: tuple[Path, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that a reader has to see."""
        return (*self.source.notes, *self.result.warnings)

    def lines(self) -> list[str]:
        """Return the findings as lines of text."""
        result, scale = self.result, self.result.scale
        count = len(result.fields)
        views = "" if count == 1 else f" in {counted(count, 'field')}"
        low, middle, high = scale.null_quantiles_um
        chance = ""
        if low == high:
            chance = "; exchanged values do not converge either"
        elif np.isfinite(middle):
            chance = f"; of exchanged values {spoken(low)} to {spoken(high)} um"
        fit = result.variogram
        length = f"none identified ({fit.reason})"
        if fit.identified:
            length = f"{spoken(fit.length_um)} um ({fit.model})"
        return [
            f"{self.source.title}: {counted(self.source.particles, 'particle')}{views}",
            f"  scale of heterogeneity {scale_text(scale).replace('µ', 'u')}{chance}",
            f"  by the fitted covariance L* = {model_text(scale).replace('µ', 'u')}",
            f"  field {spoken(scale.field_um)} um, correlation length {length}"
            f", pairs against chance: {result.correlogram.chance}",
            f"  {random_text(result.envelope)}",
            *(f"  {line}" for line in range_line(result)),
            *(f"  {line}" for line in trend_lines(result, self.source.directions)),
        ]


def random_text(test: EnvelopeTest) -> str:
    """Return in words whether the values differ from randomly exchanged ones."""
    if not test.permutations:
        return "not compared with randomly exchanged values, as none were exchanged"
    differ = test.p_value <= 1 - test.level + 1e-9
    verdict = "differ from" if differ else "cannot be told from"
    where = ""
    if differ and test.outside_um.size:
        where = f", at cluster sizes of {spanned_um(test.outside_um)}"
    return (
        f"values {verdict} randomly exchanged values (cluster curve and nearest pairs,"
        f" p = {test.p_value:.2g}{where})"
    )


def spanned_um(sizes_um: Floats) -> str:
    """Return the smallest and the largest of some sizes in words."""
    low, high = sizes_um.min(), sizes_um.max()
    return f"{low:.3g} um" if low == high else f"{low:.3g} to {high:.3g} um"


_CURVES = ("correlogram", "variogram", "directions", "clusters", "cluster_means", "particles")
"""Tables of a report: those of `Heterogeneity.tables`, and the particles."""

_DIRECTIONS = f"{NAME}_directions"
"""Name of the figure that goes with the table of this name."""


def report_outputs(folder: Path, request: Request, *, evolution: bool = False) -> list[Path]:
    """Return the files of `write_report` and, if `evolution`, those of `write_evolution`."""
    paths = [folder / f"{NAME}.{ending}" for ending in ("json", *request.formats)]
    paths += [folder / f"{NAME}_{name}.csv" for name in _CURVES]
    paths += [folder / f"{_DIRECTIONS}.{ending}" for ending in request.formats]
    if evolution:
        paths += [folder / f"evolution.{ending}" for ending in ("csv", *request.formats)]
    return paths


def write_report(source: Source, request: Request, folder: Path, *, tables: bool = True) -> Report:
    """Analyse the fields of a source and write the findings.

    Args:
        source: the fields.
        request: the choices for the report.
        folder: where the files go, created if missing. Only files of an earlier report are
            replaced.
        tables: whether the curves are also written as CSV, and the figure of the directions.

    Raises:
        InputError: the fields cannot be analysed.
        OutputError: the folder cannot be written.
    """
    request = with_depth(with_bins(request, source.fields), source.directions)
    result = analyse(source.fields, request.settings, np.random.default_rng(request.seed))
    alone = correlograms_alone(result)
    make_folder(folder)
    files = [folder / f"{NAME}.json"]
    write_json(files[0], content(source, result, alone, request))
    removed = "" if request.settings.detrend == "none" else ", less their linear trend"
    captions = Captions(
        f"{source.title}; {counted(source.particles, 'particle')}{removed}",
        source.value,
        source.axes,
        COUNTED[request.weighting],
        request.map,
    )
    files += save_figure(heterogeneity_figure(result, captions, alone), folder, NAME, request)
    if tables:
        frames = {**result.tables(), "particles": particles_table(source.fields)}
        files += [write_csv(folder / f"{NAME}_{name}.csv", frame) for name, frame in frames.items()]
        axis = source.directions[result.trend.depth] if result.trend.depth is not None else ""
        by_direction = directions_figure(result, captions.title, source.value, axis)
        files += save_figure(by_direction, folder, _DIRECTIONS, request)
    return Report(source, result, tuple(files))


def write_evolution(source: Source, request: Request, folder: Path) -> tuple[Path, ...]:
    """Follow a run from its first to its last moment; write evolution.csv and its figure.

    Args:
        source: the source, read from a results folder.
        request: the choices for the report.
        folder: where the files go; it exists.
    """
    assert source.run is not None
    axes = ("x", "y", "z")[: source.run.dimension]
    request = with_depth(with_bins(request, source.fields), axes)
    rows = evolution(source.run, request.settings, request.seed)
    files = [write_csv(folder / "evolution.csv", rows)]
    sides = np.diff(source.run.window_um, axis=1)
    field_um = float(np.prod(sides) ** (1 / source.run.dimension))
    figure = evolution_figure(rows, field_um, f"{source.name}, {counted(len(rows), 'moment')}")
    return (*files, *save_figure(figure, folder, "evolution", request))


def correlograms_alone(result: Heterogeneity) -> list[Correlogram]:
    """Return the correlogram of each field alone, without permutations; empty for one field."""
    if len(result.fields) < 2:
        return []
    rng = np.random.default_rng(0)  # below the cap of pairs nothing is drawn
    settings, edges = result.settings, result.correlogram.edges_um
    return [
        correlogram(
            [field],
            edges,
            permutations=0,
            rng=rng,
            min_pairs=settings.min_pairs,
            rank_pairs_cap=settings.rank_pairs_cap,
        )
        for field in result.fields
    ]


def content(
    source: Source, result: Heterogeneity, alone: Sequence[Correlogram], request: Request
) -> dict[str, Any]:
    """Return the content of heterogeneity.json."""
    return {
        "program": PROGRAM,
        "versions": collect_versions(),
        "seed": request.seed,
        "source": {"name": source.name, "value": source.value, **source.about},
        "options": {key: item for key, item in asdict(request).items() if key != "settings"},
        "counted": {
            **({} if source.run is None else {"mean and s.d. of the moment": "by volume"}),
            "global mean, cluster means": COUNTED[request.weighting],
            "correlations, variogram, local means, value_sd": COUNTED["none"],
        },
        "notes": [*source.notes, *result.warnings],
        "particles": source.particles,
        "by_field": [
            {
                "name": field.name,
                "distance_um": found.distance_um,
                "pairs": found.pairs,
                "spearman": found.spearman.value,
                "kendall": found.kendall.value,
                "pearson": found.pearson.value,
            }
            for field, found in zip(result.fields, alone, strict=False)
        ],
        "directions": list(source.directions),
        **result.as_dict(),
    }


def particles_table(fields: Sequence[MarkedPoints]) -> pd.DataFrame:
    """Return the particles analysed, one in each row, in a form that can be read again."""
    parts = []
    for field in fields:
        columns: dict[str, Any] = {"field": field.name}
        for name, values in zip(("x_um", "y_um", "z_um"), field.positions_um.T, strict=False):
            columns[name] = values
        if field.radius_um is not None:
            columns["radius_um"] = field.radius_um
        parts.append(pd.DataFrame({**columns, "value": field.value, "weight": field.weight}))
    return pd.concat(parts, ignore_index=True)


# -- files ------------------------------------------------------------------------------------


def write_csv(path: Path, frame: pd.DataFrame) -> Path:
    """Write a table with exact floats and return its path."""
    write_output(path, frame.to_csv(index=False, lineterminator="\n").encode())
    return path


def save_figure(figure: Any, folder: Path, name: str, request: Request) -> list[Path]:
    """Write a figure in each of the requested formats and return the paths."""
    paths = [folder / f"{name}.{ending}" for ending in request.formats]
    with style.style():
        for path in paths:
            style.save(figure, path)
    return paths
