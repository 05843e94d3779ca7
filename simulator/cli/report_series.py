"""heterode report --series: the same particles in several states."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from heterode.cli.values import share, times_in_h

_UNUSED = (
    *("pool", "section", "sections", "no_evolution", "unit", "pixel_size", "window", "range"),
    *("weight", "min_radius", "edge_margin", "bin", "max_distance", "bandwidth", "map"),
    *("robust_range", "depth", "detrend"),
)
"""Options of a report that mean nothing for a series."""

_OWN = ("simulated", "times", "inactive")


def add_series_options(group: Any) -> None:
    """Add the options of a series."""
    group.add_argument(
        "--series",
        action="store_true",
        help="the inputs are states of the same particles, in the order of time: tables with a "
        "column 'particle', one results folder with its samples, or moments such as "
        "results/run@2h",
    )
    group.add_argument(
        "--times",
        type=times_in_h,
        metavar="T0,T1,...",
        help="of states whose tables have no column of times, as in 0h,30min,2h",
    )
    group.add_argument(
        "--inactive",
        type=share,
        metavar="SHARE",
        help="of the mean rate below which a particle counts as inactive (default: 0.1)",
    )
    group.add_argument(
        "--simulated",
        type=Path,
        metavar="RESULTS",
        help="a run that is laid over the states, at the same mean lithium fractions",
    )


def check_series_options(options: argparse.Namespace, default: Callable[[str], Any]) -> None:
    """Refuse options that would have no effect.

    Args:
        options: the parsed options.
        default: returns the default of an option.

    Raises:
        InputError: an option does not go with the others.
    """
    from heterode.base.errors import InputError

    for name in _UNUSED if options.series else _OWN:
        if getattr(options, name) != default(name):
            option = f"--{name.replace('_', '-')}"
            joined = "does not go with" if options.series else "needs"
            raise InputError(f"{option} {joined} --series. Leave it out")


def report_series(
    options: argparse.Namespace, look: Any, tell: Callable[[Sequence[str]], None]
) -> None:
    """Analyse the states, write the files and print the findings.

    Args:
        options: the parsed options.
        look: the choices that all reports share.
        tell: prints lines.
    """
    from dataclasses import replace

    from heterode.base.errors import InputError
    from heterode.heterogeneity.series import INACTIVE
    from heterode.points.states import find_place
    from heterode.reporting.series import SeriesRequest, series_outputs, write_series
    from heterode.results.folder import ResultsFolder
    from heterode.results.marks import leave_note
    from heterode.results.written import writing

    places = [find_place(text) for text in options.inputs]
    if len(places) > 1:
        # One run alone gives all its samples; several give the moment of --at.
        places = [
            replace(place, moment=options.at)
            if place.path.is_dir() and place.moment is None
            else place
            for place in places
        ]
    if options.at != "spread" and all(place.moment != options.at for place in places):
        raise InputError(
            f"--at {options.at} has no effect on these inputs. Write the moment behind the folder, "
            f"as in results/run@{options.at}"
        )
    seen = [(place.path.resolve(), place.moment) for place in places]
    if len(set(seen)) < len(seen):
        raise InputError("the same state is given twice. Give each once")
    single = places[0].path.is_dir() and len(places) == 1
    folder = options.out or (ResultsFolder(places[0].path).report if single else Path("series"))
    request = SeriesRequest(
        tuple(places),
        options.value,
        options.times,
        options.drop_missing,
        INACTIVE if options.inactive is None else options.inactive,
        options.simulated,
        options.permutations,
        options.seed,
    )
    inputs = [place.path for place in places]
    inputs += [] if options.simulated is None else [options.simulated]
    outputs = series_outputs(folder, options.format)
    with writing(outputs, inputs=inputs, overwrite=options.overwrite, option="--out"):
        files, lines = write_series(request, look, folder)
        leave_note(folder)
    tell([*lines, f"written: {folder}: " + ", ".join(path.name for path in files)])


def read_from(options: argparse.Namespace) -> list[Path]:
    """Return the files and folders that a series is read from, for the check of their digests."""
    from heterode.points.states import find_place

    places = [find_place(text).path for text in options.inputs]
    return places + ([] if options.simulated is None else [options.simulated])
