"""heterode animate: the movie of a results folder."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from heterode.base.words import counted
from heterode.cli.endings import DONE
from heterode.cli.outputs import with_overwrite
from heterode.cli.results_folder import add_accept_altered, reading, with_results

if TYPE_CHECKING:
    from heterode.viewing.movie import View


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    animate = with_results(
        commands,
        "animate",
        _animate,
        "make the movie of a run: RESULTS/report/movie.mp4 and movie.gif",
    )
    animate.add_argument(
        "--show",
        choices=("lithium_fraction", "extracted"),
        default="lithium_fraction",
        help="what colours the particles: the lithium fraction x (default), or what was extracted, "
        "1 - x",
    )
    animate.add_argument(
        "--steps",
        choices=("charge", "time"),
        default="charge",
        help="what is equal between frames: the charge passed (default; rests take no frames) or "
        "time",
    )
    animate.add_argument("--frames", type=int, default=240, metavar="N", help="default 240")
    animate.add_argument("--fps", type=float, default=24.0, help="frames per second, default 24")
    animate.add_argument(
        "--height", type=int, default=1080, metavar="PIXELS", help="default 1080 (1920 x 1080)"
    )
    animate.add_argument(
        "--format", nargs="+", choices=("mp4", "gif"), default=["mp4", "gif"], help="default both"
    )
    animate.add_argument(
        "--cut",
        default="corner",
        metavar="CUT",
        help="3D: what is taken away to see inside: corner (default), none, or a plane like y=11.5 "
        "(um; y alone: in the middle)",
    )
    animate.add_argument(
        "--orbit",
        type=float,
        default=50.0,
        metavar="DEGREES",
        help="3D: how far the camera goes round the cell, default 50",
    )
    animate.add_argument(
        "--section",
        nargs="?",
        type=float,
        const=float("nan"),
        metavar="UM",
        help="3D: show the plane y = UM (without a number: in the middle) instead",
    )
    add_accept_altered(animate)
    animate.set_defaults(option_names={"quantity": "--show", "formats": "--format"})
    with_overwrite(animate)
    animate.add_argument("--quiet", action="store_true", help="print nothing but errors")


def _animate(options: argparse.Namespace, comm: Any) -> int:
    from heterode.base.ranks import on_root

    def make() -> None:
        from heterode.results.folder import ResultsFolder

        with reading(options, [options.results]):
            # A path that is not a folder is an input mistake; it must not be reported as in the
            # output's way.
            ResultsFolder.open(options.results)
            _make(options)

    on_root(comm, make)
    return DONE


def _make(options: argparse.Namespace) -> None:
    from heterode.reporting.page import page_files, refresh_page
    from heterode.results import ResultsFolder
    from heterode.results.marks import leave_note
    from heterode.results.written import writing
    from heterode.viewing.movie import animate, outputs_of

    view = _view(options)
    ResultsFolder.open(options.results)
    outputs = outputs_of(options.results, view)
    page = page_files(options.results)
    if page[-1].exists():
        outputs += page
    with writing(outputs, overwrite=options.overwrite):
        movie = animate(options.results, view, None if options.quiet else _Counter())
        leave_note(movie.paths[0].parent)
        refresh_page(options.results)
    if options.quiet:
        return
    width, height = movie.size
    print(
        f"{counted(movie.frames, 'frame')} of {width} x {height} from {movie.cells} cells: "
        f"{movie.prepare_s:.1f} s to prepare, {movie.per_frame_s:.2f} s a frame"
        + (f", {movie.gif_s:.1f} s for the GIF" if "gif" in options.format else "")
    )
    for path in movie.paths:
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


def _view(options: argparse.Namespace) -> View:
    from heterode.viewing.movie import View, read_cut

    section = options.section
    return View(
        quantity=options.show,
        steps=options.steps,
        frames=options.frames,
        fps=options.fps,
        height=options.height,
        cut=read_cut(options.cut),
        orbit_deg=options.orbit,
        section=section is not None,
        # NaN stands for --section without a number.
        section_um=None if section is None or section != section else section,
        formats=tuple(dict.fromkeys(options.format)),
    )


class _Counter:
    """Counts frames on a terminal; writes nothing elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()

    def __call__(self, done: int, count: int) -> None:
        if self._live:
            end = "\n" if done == count else ""
            print(f"\rframe {done} of {count}", end=end, file=sys.stderr, flush=True)
