"""heterode micrograph: the picture a microscope would take of a simulated or random electrode."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from heterode.base.ranks import on_root
from heterode.base.words import counted
from heterode.cli.endings import DONE
from heterode.cli.outputs import with_overwrite
from heterode.cli.results_folder import add_accept_altered, reading
from heterode.cli.values import length, number, whole


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    text = "synthetic micrographs, from a results folder or a random packing, with the truth beside"
    command = commands.add_parser("micrograph", help=text, description=text)
    command.set_defaults(command=_micrograph)
    command.add_argument(
        "results", type=Path, nargs="?", metavar="RESULTS", help="results folder (else random)"
    )
    command.add_argument(
        "--out", type=Path, default=Path("results/micrograph"), metavar="DIR", help="folder"
    )
    with_overwrite(command)
    command.add_argument(
        "--colours",
        type=Path,
        metavar="CSV",
        help="lithium_fraction, red, green, blue, from heterode dielectric (else made up)",
    )
    command.add_argument(
        "--sample",
        type=whole(-1_000_000, 1_000_000),
        default=-1,
        help="of the results (default: last)",
    )
    command.add_argument(
        "--section", metavar="PLANE", help="of a 3D run, as in z=10um (default: the middle, y)"
    )
    command.add_argument(
        "--pixel", type=length, default="0.1um", metavar="LENGTH", help="edge of a pixel"
    )
    command.add_argument(
        "--size", type=whole(64, 20000), default=1024, help="edge of a random field, pixels"
    )
    command.add_argument(
        "--lithium", type=number(0.0, 1.0), default=0.5, metavar="X", help="mean of a random field"
    )
    command.add_argument("--seed", type=whole(0, 2**63 - 1), default=1, help="of all that is drawn")
    command.add_argument(
        "--blur", type=number(0.1, 50.0), default=0.8, metavar="PIXELS", help="sigma"
    )
    command.add_argument(
        "--overlap", type=number(0.0, 0.5), default=0.0, help="of neighbours, share of the radius"
    )
    command.add_argument(
        "--defocus",
        type=length,
        metavar="LENGTH",
        help="particles are blurred by a sigma of their own, from 0 to this (default: none)",
    )
    command.add_argument("--bits", type=int, choices=(8, 16), default=16, help="of the camera")
    command.add_argument("--noise", type=number(0.0, 0.5), default=0.02, help="share of full scale")
    command.add_argument(
        "--fall-off", type=number(0.0, 0.9), default=0.0, help="of the light, to the corners"
    )

    add_accept_altered(command)


def _micrograph(options: argparse.Namespace, comm: Any) -> int:
    def make() -> None:
        from heterode.optics.sections import ILLUSTRATIVE, read_colours
        from heterode.points.sections import parse_plane
        from heterode.reporting.synthetic import FILES, PictureSettings, take_pictures
        from heterode.results.marks import leave_note
        from heterode.results.written import writing

        colours = ILLUSTRATIVE if options.colours is None else read_colours(options.colours)
        settings = PictureSettings(
            results=options.results,
            sample=options.sample,
            plane=None if options.section is None else parse_plane(options.section),
            pixel_um=options.pixel,
            size=options.size,
            lithium_fraction=options.lithium,
            overlap=options.overlap,
            defocus_um=options.defocus or 0.0,
            bits=options.bits,
            blur_px=options.blur,
            noise=options.noise,
            fall_off=options.fall_off,
        )
        places = [] if options.results is None else [options.results]
        with (
            reading(options, places),
            writing(
                [options.out / name for name in FILES],
                inputs=[] if options.colours is None else [options.colours],
                overwrite=options.overwrite,
                option="--out",
            ),
        ):
            count = take_pictures(settings, colours, options.seed, options.out)
            leave_note(options.out)
        print(f"{counted(count, 'particle')}\nresults: {options.out}")

    on_root(comm, make)
    return DONE
