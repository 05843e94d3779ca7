"""heterode report: heterogeneity of a run, of a table of particles, or of several side by side."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.cli.endings import DONE
from simulator.units import UnitError, quantity

if TYPE_CHECKING:
    from simulator.reporting.heterogeneity import Report
    from simulator.reporting.request import Request

FORMATS = ("png", "pdf", "svg")
UNITS = ("nm", "um", "mm", "cm", "m", "px")
_TEXT = (
    "heterogeneity statistics of a results folder or of any CSV table with x, y, value: "
    "maps, correlation by distance, cluster curve and its scale L*. Several inputs are compared"
)


def add(commands: Any) -> None:
    """Add the command to the parser's."""
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
    report.add_argument(
        "--pool", action="store_true", help="the inputs are fields of view of one sample"
    )
    _add_run_options(report.add_argument_group("results folders"))
    _add_table_options(report.add_argument_group("tables"))
    _add_choices(report.add_argument_group("statistics; lengths in um, or with a unit: 0.1mm"))
    report.set_defaults(command=_report)


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
        "--pixel-size", type=_positive_length, metavar="LENGTH", help="of a pixel, as in 0.1um"
    )
    group.add_argument(
        "--window",
        type=_numbers(4, 6),
        metavar="X0,X1,Y0,Y1[,Z0,Z1]",
        help="bounds of the field, um (default: a box around the particles)",
    )
    group.add_argument(
        "--drop-missing", action="store_true", help="leave out rows without a number"
    )


def _add_choices(group: Any) -> None:
    group.add_argument(
        "--range",
        type=_numbers(2),
        metavar="LOW,HIGH",
        help="of values, whose 2 %% is the band of L* (default: that of the particles)",
    )
    group.add_argument(
        "--weight",
        choices=("none", "area", "volume"),
        default="none",
        help="of a particle in the mean of a cluster (default: none)",
    )
    lengths = (
        ("--min-radius", _length, "leave out smaller particles"),
        ("--edge-margin", _length, "leave out particles closer to the edge of the field"),
        (
            "--bin",
            _positive_length,
            "of the distance bins (default: 10, less in small fields)",
        ),
        ("--max-distance", _positive_length, "of pairs (default: 100, or half the longest side)"),
        ("--bandwidth", _positive_length, "of the maps (default: twice the mean spacing)"),
    )
    for name, kind, text in lengths:
        group.add_argument(name, type=kind, metavar="LENGTH", help=text)
    group.add_argument(
        "--permutations",
        type=_count(0, 100_000),
        default=199,
        metavar="N",
        help="of the values over the particles, for what chance gives (default: 199)",
    )
    group.add_argument(
        "--seed", type=_count(0, 2**63 - 1), default=1, help="of clusters and permutations"
    )
    group.add_argument(
        "--format",
        type=_formats,
        default=("png",),
        metavar="FORMAT[,FORMAT]",
        help="of figures: png (default), pdf, svg",
    )


# -- values of options ------------------------------------------------------------------------


def _length(text: str) -> float:
    """A length in um; a bare number is one."""
    try:
        number = float(text)
    except ValueError:
        try:
            number = 1e6 * quantity(text, "m")
        except UnitError as error:
            raise argparse.ArgumentTypeError(f"'{text}' {error}") from error
    if not 0.0 <= number < 1e6:
        raise argparse.ArgumentTypeError(f"'{text}' is not a length from 0 to 1 m")
    return number


def _positive_length(text: str) -> float:
    number = _length(text)
    if number == 0.0:
        raise argparse.ArgumentTypeError(f"'{text}' is not above 0")
    return number


def _numbers(*counts: int) -> Callable[[str], tuple[float, ...]]:
    """Increasing pairs of numbers between commas."""

    def read(text: str) -> tuple[float, ...]:
        try:
            numbers = tuple(float(part) for part in text.split(","))
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"'{text}' is not numbers with commas") from error
        if len(numbers) not in counts:
            wanted = " or ".join(str(count) for count in counts)
            raise argparse.ArgumentTypeError(f"'{text}' has {len(numbers)} numbers, not {wanted}")
        if not all(low < high for low, high in zip(numbers[::2], numbers[1::2], strict=True)):
            raise argparse.ArgumentTypeError(f"'{text}': each second number is above the first")
        return numbers

    return read


def _count(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"'{text}' is no whole number from {low} to {high}")
        return int(text)

    return read


def _formats(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    if not set(found) <= set(FORMATS):
        raise argparse.ArgumentTypeError(f"'{text}': allowed are {', '.join(FORMATS)}")
    return found


# -- the command ------------------------------------------------------------------------------


def _report(options: argparse.Namespace, comm: Any) -> int:
    from simulator.ranks import on_root

    on_root(comm, lambda: _work(options))
    return DONE


def _work(options: argparse.Namespace) -> None:
    request = _request(options)
    from simulator.reporting.comparison import write_comparison
    from simulator.reporting.heterogeneity import write_evolution, write_report
    from simulator.reporting.sources import open_sources, pooled

    sources = open_sources(options.inputs, request)
    if len(sources) > 1 and not options.pool:
        folder = options.out or Path("comparison")
        reports, files, findings = write_comparison(sources, request, folder)
        for report in reports:
            _tell(report)
        _print([*findings, f"written: {_listed(files)}"])
        return
    source = sources[0] if len(sources) == 1 else pooled(sources)
    folder = options.out or source.folder
    report = write_report(source, request, folder)
    _tell(report)
    files = [*report.files]
    if request.evolution and source.run is not None:
        files += write_evolution(source, request, folder)
    _print([f"written: {_listed(files)}"])


def _request(options: argparse.Namespace) -> Request:
    import numpy as np

    from simulator.heterogeneity import Settings
    from simulator.heterogeneity.moments import parse_moment
    from simulator.heterogeneity.sections import Planes, parse_count, parse_plane
    from simulator.heterogeneity.tables import Reading
    from simulator.reporting.request import Request

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
    )
    window = None if options.window is None else np.reshape(options.window, (-1, 2))
    reading = Reading(options.value, options.unit, options.pixel_size, window, options.drop_missing)
    return Request(
        settings=settings,
        bin_um=options.bin,
        seed=options.seed,
        reading=reading,
        at=parse_moment(options.at),
        planes=planes,
        weighting=options.weight,
        min_radius_um=options.min_radius or 0.0,
        margin_um=options.edge_margin or 0.0,
        pool=options.pool,
        evolution=not options.no_evolution,
        formats=options.format,
    )


def _tell(report: Report) -> None:
    _print([*report.lines(), *(f"  note: {note}" for note in report.notes)])


def _listed(files: Sequence[Path]) -> str:
    """The folder once, then the names."""
    return f"{files[0].parent}: " + ", ".join(path.name for path in files)


def _print(lines: Sequence[str]) -> None:
    print("\n".join(lines), flush=True)
