"""heterode report: the heterogeneity of a run, of a particle table, or of several side by side."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heterode.cli.endings import DONE
from heterode.cli.outputs import with_overwrite
from heterode.cli.report_series import (
    add_series_options,
    check_series_options,
    read_from,
    report_series,
)
from heterode.cli.results_folder import add_accept_altered, reading
from heterode.cli.values import intervals, length_in_um, positive_length_in_um, some_of, whole

if TYPE_CHECKING:
    from heterode.reporting.heterogeneity import Report
    from heterode.reporting.request import Request

FORMATS = ("png", "pdf", "svg")
MAPS = ("local-mean", "published")
UNITS = ("nm", "um", "mm", "cm", "m", "px")
_TEXT = (
    "heterogeneity statistics of a results folder or of any CSV table with x, y, value: "
    "maps, correlation by distance, cluster curve and its scale L*. Several inputs are compared"
)


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    report = commands.add_parser("report", help=_TEXT.partition(":")[0], description=_TEXT)
    report.add_argument(
        "inputs", type=Path, nargs="+", metavar="RESULTS_OR_TABLE", help="folder or CSV table"
    )
    report.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where the files go (default: report/ of a results folder, a folder beside a table "
        "with its name, comparison/ for several inputs)",
    )
    with_overwrite(report)
    report.add_argument(
        "--pool", action="store_true", help="the inputs are fields of view of one sample"
    )
    add_accept_altered(report)
    _add_run_options(report.add_argument_group("results folders"))
    _add_table_options(report.add_argument_group("tables"))
    add_series_options(report.add_argument_group("series of states"))
    _add_choices(report.add_argument_group("statistics; lengths in um, or with a unit: 0.1mm"))
    report.set_defaults(
        command=_report,
        default_of=report.get_default,
        option_names={
            "pixel_um": "--pixel-size",
            "weighting": "--weight",
            "robust": "--robust-range",
            "value_range": "--range",
        },
    )


def _add_run_options(group: Any) -> None:
    group.add_argument(
        "--at",
        default="spread",
        metavar="MOMENT",
        help="spread (default: the largest standard deviation over particles), end, start, a time "
        "'2 h', a voltage '4.2 V' when it is first passed, a mean lithium fraction 'x=0.6'",
    )
    group.add_argument(
        "--section",
        action="append",
        default=[],
        metavar="PLANE",
        help="polish a 3D run in a plane such as z=10um, and take what it shows; may be repeated",
    )
    group.add_argument(
        "--sections", metavar="N[,AXIS]", help="polish it in N planes across AXIS (default: y)"
    )
    group.add_argument(
        "--no-evolution", action="store_true", help="leave out evolution.csv and its figure"
    )


def _add_table_options(group: Any) -> None:
    group.add_argument("--value", metavar="COLUMN", help="which column holds the values")
    group.add_argument(
        "--unit", choices=UNITS, help="of lengths whose column does not say it (default: um)"
    )
    group.add_argument(
        "--pixel-size", type=positive_length_in_um, metavar="LENGTH", help="of a pixel, as in 0.1um"
    )
    group.add_argument(
        "--window",
        type=intervals(4, 6),
        metavar="X0,X1,Y0,Y1[,Z0,Z1]",
        help="bounds of the field, um (default: a box around the particles)",
    )
    group.add_argument(
        "--drop-missing", action="store_true", help="leave out rows without a number"
    )


def _add_choices(group: Any) -> None:
    group.add_argument(
        "--range",
        type=intervals(2),
        metavar="LOW,HIGH",
        help="of values, whose 2 %% is the band of L* (default: that of the particles)",
    )
    group.add_argument(
        "--robust-range",
        action="store_true",
        help="the band of L* is 2 %% of the range from the 1 to the 99 %% quantile, which a few "
        "outliers do not widen",
    )
    group.add_argument(
        "--depth",
        choices=("x", "y", "z", "none"),
        default="x",
        help="coordinate that runs from the collector to the separator (default: x); none: it is "
        "not in the table",
    )
    group.add_argument(
        "--detrend",
        choices=("none", "depth", "all"),
        default="none",
        help="remove the linear trend with the depth, or in all directions, before all else",
    )
    group.add_argument(
        "--weight",
        choices=("none", "area", "volume"),
        default="none",
        help="of a particle in the mean of a cluster (default: none)",
    )
    lengths = (
        ("--min-radius", length_in_um, "leave out smaller particles"),
        ("--edge-margin", length_in_um, "leave out particles closer to the edge of the field"),
        (
            "--bin",
            positive_length_in_um,
            "of the distance bins (default: 10, less in small fields)",
        ),
        (
            "--max-distance",
            positive_length_in_um,
            "of pairs (default: 100, or half the longest side)",
        ),
        (
            "--bandwidth",
            positive_length_in_um,
            "of the maps (default: local means of an eighth of the particles, 4 to 50)",
        ),
    )
    for name, kind, text in lengths:
        group.add_argument(name, type=kind, metavar="LENGTH", help=text)
    group.add_argument(
        "--map",
        choices=MAPS,
        default="local-mean",
        help="left map of the figure: local mean (default), or the published density, which falls "
        "off at edges",
    )
    group.add_argument(
        "--permutations",
        type=whole(0, 100_000),
        default=199,
        metavar="N",
        help="of the values over the particles, for what chance gives (default: 199)",
    )
    group.add_argument(
        "--seed", type=whole(0, 2**63 - 1), default=1, help="of clusters and permutations"
    )
    group.add_argument(
        "--format",
        type=some_of(FORMATS),
        default=("png",),
        metavar="FORMAT[,FORMAT]",
        help="of figures: png (default), pdf, svg",
    )


def _report(options: argparse.Namespace, comm: Any) -> int:
    from heterode.base.ranks import on_root

    def work() -> None:
        check_series_options(options, options.default_of)
        if options.series:
            with reading(options, read_from(options)):
                report_series(options, _request(options), _print)
            return
        with reading(options, options.inputs):
            _work(options)

    on_root(comm, work)
    return DONE


def _work(options: argparse.Namespace) -> None:
    request = _request(options)
    from heterode.reporting.comparison import outputs_of, write_comparison
    from heterode.reporting.heterogeneity import report_outputs, write_evolution, write_report
    from heterode.reporting.page import page_files, refresh_page
    from heterode.reporting.sources import open_sources, pooled
    from heterode.results.marks import leave_note
    from heterode.results.written import writing

    sources = open_sources(options.inputs, request)
    asked = {"inputs": options.inputs, "overwrite": options.overwrite, "option": "--out"}
    if len(sources) > 1 and not options.pool:
        folder = options.out or Path("comparison")
        with writing(outputs_of(sources, request, folder), **asked):
            reports, files, findings = write_comparison(sources, request, folder)
            leave_note(folder)
        for report in reports:
            _tell(report)
        _print([*findings, f"written: {_listed(files)}"])
        return
    source = sources[0] if len(sources) == 1 else pooled(sources)
    folder = options.out or source.folder
    evolution = request.evolution and source.run is not None
    outputs = report_outputs(folder, request, evolution=evolution)
    # The page of the run shows the newest statistics.
    paged = source.run is not None and folder.resolve() == source.folder.resolve()
    if paged and page_files(source.path)[-1].exists():
        outputs += page_files(source.path)
    with writing(outputs, **asked):
        report = write_report(source, request, folder)
        _tell(report)
        files = [*report.files]
        if evolution:
            files += write_evolution(source, request, folder)
        leave_note(folder)
        if paged:
            refresh_page(source.path)
    _print([f"written: {_listed(files)}"])


def _request(options: argparse.Namespace) -> Request:
    import numpy as np

    from heterode.heterogeneity import Settings
    from heterode.points.csv_points import Reading
    from heterode.points.run import parse_instant
    from heterode.points.sections import Planes, parse_count, parse_plane
    from heterode.reporting.request import Request

    planes = None
    if options.section or options.sections is not None:
        count, axis = (0, 1) if options.sections is None else parse_count(options.sections)
        planes = Planes(tuple(parse_plane(text) for text in options.section), count, axis)
    settings = Settings(
        permutations=options.permutations,
        weighted=options.weight != "none",
        max_um=options.max_distance,
        bandwidth_um=options.bandwidth,
        value_range=None if options.range is None else options.range[1] - options.range[0],
        robust=options.robust_range,
        detrend=options.detrend,
    )
    window = None if options.window is None else np.reshape(options.window, (-1, 2))
    reading = Reading(options.value, options.unit, options.pixel_size, window, options.drop_missing)
    return Request(
        settings=settings,
        bin_um=options.bin,
        seed=options.seed,
        reading=reading,
        at=parse_instant(options.at),
        planes=planes,
        weighting=options.weight,
        min_radius_um=options.min_radius or 0.0,
        margin_um=options.edge_margin or 0.0,
        pool=options.pool,
        evolution=not options.no_evolution,
        map=options.map,
        formats=options.format,
        depth=options.depth,
    )


def _tell(report: Report) -> None:
    _print([*report.lines(), *(f"  note: {note}" for note in report.notes)])


def _listed(files: Sequence[Path]) -> str:
    """Return the folder followed by the names of the files in it."""
    return f"{files[0].parent}: " + ", ".join(path.name for path in files)


def _print(lines: Sequence[str]) -> None:
    print("\n".join(lines), flush=True)
