"""heterode optics: particle tables from micrographs."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heterode.base.errors import InputError
from heterode.base.ranks import on_root
from heterode.cli.endings import DONE
from heterode.cli.outputs import with_overwrite
from heterode.cli.values import length, number_or, one_of

if TYPE_CHECKING:
    from heterode.optics.analysis import Options
    from heterode.reporting.micrographs import Job


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    text = "micrographs to the particle tables that heterode report reads"
    command = commands.add_parser("optics", help=text, description=text)
    command.set_defaults(command=_optics)
    command.add_argument(
        "images", type=Path, nargs="*", metavar="IMAGE", help="TIFF, PNG or JPEG, colour or grey"
    )
    command.add_argument(
        "--batch",
        type=Path,
        metavar="CSV",
        help="a row a picture: image and any of pristine, flat, labels, pixel, pristine_pixel,"
        " voltage_V, lithium_fraction, composition, direction, lens",
    )
    command.add_argument(
        "--out", type=Path, default=Path("results/optics"), metavar="DIR", help="folder"
    )
    command.add_argument(
        "--pristine", type=Path, metavar="IMAGE", help="the same place before: ratios are to it"
    )
    command.add_argument(
        "--flat", type=Path, metavar="IMAGE", help="an even surface: evens out the illumination"
    )
    command.add_argument(
        "--labels", type=Path, metavar="IMAGE", help="a segmentation made elsewhere (one IMAGE)"
    )
    command.add_argument(
        "--pixel", type=length, metavar="LENGTH", help="edge of a pixel, as in 0.1um"
    )
    command.add_argument(
        "--pristine-pixel",
        type=length,
        metavar="LENGTH",
        help="of --pristine, where another lens took it",
    )
    with_overwrite(command)
    _add_segmentation(command)
    _add_calibration(command)


def _add_segmentation(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("segmentation")
    group.add_argument(
        "--channel",
        help="red, green (default), blue, or grey (default of a grey picture): which becomes"
        " `value`",
    )
    group.add_argument(
        "--threshold",
        type=number_or("auto", "otsu", "local"),
        default="auto",
        help="otsu, local, 0 to 1, or auto (default): which of the first two suits the picture",
    )
    group.add_argument(
        "--polarity",
        type=one_of("auto", "bright", "dark"),
        default="auto",
        help="particles bright, dark, or auto (default): as which they are more compact",
    )
    group.add_argument(
        "--surroundings",
        type=length,
        metavar="LENGTH",
        help="width of the surroundings of a local threshold (default: twice the largest radius,"
        " or what suits the picture)",
    )
    group.add_argument(
        "--smallest",
        type=length,
        metavar="LENGTH",
        help="smallest radius (default: 0.6um, and above the dust that the sizes set apart)",
    )
    group.add_argument(
        "--largest",
        type=length,
        default="8um",
        metavar="LENGTH",
        help="largest radius (default: 8um)",
    )
    group.add_argument(
        "--focus",
        type=number_or("off"),
        default="4",
        metavar="PIXELS",
        help="largest blur (sigma) of an edge in focus, or off (default: 4)",
    )
    group.add_argument(
        "--bits",
        type=one_of("8", "10", "12", "14", "16"),
        metavar="BITS",
        help="of the camera, where files of 16 bit do not show or say it: 10, 12, 14 or 16",
    )
    group.add_argument(
        "--flatten",
        type=one_of("particles", "matrix"),
        metavar="BY",
        help="without a flat field: even out by the picture's own particles or matrix, which"
        " removes real slow changes too",
    )


def _add_calibration(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("calibration to lithium fractions")
    group.add_argument(
        "--calibration",
        type=Path,
        metavar="CSV",
        help="lithium_fraction and red, green or blue, or grey (ratios to pristine), of reference"
        " states",
    )
    group.add_argument(
        "--write-calibration",
        type=Path,
        metavar="CSV",
        help="make that file of the pictures of --batch, by their lithium_fraction",
    )
    for name in ("composition", "direction", "lens"):
        group.add_argument(f"--{name}", default="", help="picks the calibration's rows")


def _optics(options: argparse.Namespace, comm: Any) -> int:
    def make() -> None:
        from heterode.optics.calibration import read_calibration
        from heterode.reporting.micrographs import inputs_of, outputs_of, process
        from heterode.results.written import writing

        jobs = _jobs(options)
        chosen = _options(options)
        calibration = None if options.calibration is None else read_calibration(options.calibration)
        more = [path for path in (options.batch, options.calibration) if path is not None]
        with writing(
            outputs_of(jobs, options.out, options.write_calibration),
            inputs=[*inputs_of(jobs), *more],
            overwrite=options.overwrite,
            option="--out",
            named={options.write_calibration: "--write-calibration"},
        ):
            process(
                jobs,
                chosen,
                options.out,
                calibration=calibration,
                calibration_out=options.write_calibration,
                progress=lambda line: print(line, flush=True),
            )
        print(f"results: {options.out}")

    on_root(comm, make)
    return DONE


def _jobs(options: argparse.Namespace) -> list[Job]:
    from heterode.reporting.micrographs import Job, read_batch

    if bool(options.images) == (options.batch is not None):
        raise InputError("pass either pictures or --batch. See `heterode optics --help`")
    if options.labels is not None and len(options.images) != 1:
        raise InputError("--labels belongs to one picture: pass one, or name them in --batch")
    if options.pristine_pixel is not None and options.pristine is None and options.batch is None:
        raise InputError("--pristine-pixel needs --pristine")
    common = {
        "pristine": options.pristine,
        "flat": options.flat,
        "labels": options.labels,
        "pixel_um": options.pixel,
        "pristine_pixel_um": options.pristine_pixel,
        "composition": options.composition,
        "direction": options.direction,
        "lens": options.lens,
    }
    if options.batch is not None:
        return read_batch(options.batch, Job(image=options.batch, **common))
    return [Job(image=image, **common) for image in options.images]


def _options(options: argparse.Namespace) -> Options:
    from heterode.optics.analysis import Options
    from heterode.optics.segmentation import Segmentation

    segmentation = Segmentation(
        threshold=options.threshold,
        polarity=options.polarity,
        largest_um=options.largest,
        surroundings_um=options.surroundings,
    )
    if options.smallest is not None:
        segmentation = replace(segmentation, smallest_um=options.smallest)
    return Options(
        segmentation=segmentation,
        dust=options.smallest is None,
        channel=options.channel,
        focus_px=None if options.focus == "off" else options.focus,
        flatten=options.flatten,
        bits=None if options.bits is None else int(options.bits),
    )
