"""heterode figures: the figures of a results folder, and its page."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from heterode.base.errors import ArgumentError, InputError
from heterode.base.words import counted
from heterode.cli.endings import DONE
from heterode.cli.outputs import with_overwrite
from heterode.cli.results_folder import add_accept_altered, reading, with_results

if TYPE_CHECKING:
    from heterode.results.folder import ResultsFolder


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    figures = with_results(
        commands,
        "figures",
        _figures,
        "draw figures into RESULTS/report; without names all of them, and the page index.html",
    )
    figures.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="lithium_fraction, voltage, spread, particles, currents, profiles, potentials, "
        "penalties, dqdv",
    )
    with_overwrite(figures)
    figures.add_argument(
        "--particles",
        type=int,
        nargs="+",
        metavar="N",
        help="whose profiles are drawn, by their numbers in particles.csv (default: three that "
        "differ)",
    )
    add_accept_altered(figures)


def _figures(options: argparse.Namespace, comm: Any) -> int:
    from heterode.base.ranks import on_root

    def draw() -> None:
        with reading(options, [options.results]):
            _draw(options)

    on_root(comm, draw)
    return DONE


def _draw(options: argparse.Namespace) -> None:
    from heterode.reporting.page import page_files, write_page
    from heterode.results.folder import ResultsFolder
    from heterode.results.marks import leave_note
    from heterode.results.written import writing
    from heterode.viewing import chosen_drawings, draw_figures

    folder = ResultsFolder.open(options.results)
    drawings = chosen_drawings(options.names, options.particles)
    if options.particles is not None:
        _check_particles(folder, options.particles)
    outputs = [folder.report / f"{drawing.name}.png" for drawing in drawings]
    if not options.names:
        outputs += page_files(folder.path)
    with writing(outputs, overwrite=options.overwrite):
        drawn = draw_figures(folder.path, drawings)
        leave_note(folder.report)
        for one in drawn:
            if one.path is not None:
                print(one.path)
            elif not one.problem:
                print(f"{one.drawing.name}: nothing to show")
        problems = [f"{one.drawing.name}: {one.problem}" for one in drawn if one.problem]
        if not options.names:
            print(write_page(folder.path))
    if problems:
        raise InputError(
            f"{len(problems)} of {counted(len(drawn), 'figure')}: {'; '.join(problems)}"
        )


def _check_particles(folder: ResultsFolder, numbers: Sequence[int]) -> None:
    """Refuse particle numbers that the run does not have, before anything is drawn."""
    from heterode.particles.table import ParticleTable

    count = len(ParticleTable.read_csv(folder.particles))
    for number in numbers:
        if not 0 <= number < count:
            raise ArgumentError(
                f"{{particles}}: no such particle (allowed: 0 to {count - 1})", particles=number
            )
