"""heterode twin: the homogenised counterpart of a run, a half-cell in PyBaMM, beside the run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from heterode.base.errors import InputError
from heterode.cli.endings import DONE, SOLVE_FAILED
from heterode.cli.outputs import with_overwrite
from heterode.cli.results_folder import add_accept_altered, reading, with_results


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    twin = with_results(
        commands,
        "twin",
        _twin,
        "write a run's homogenised counterpart, a half-cell DFN in PyBaMM, run it and compare",
    )
    twin.add_argument(
        "--out", type=Path, metavar="DIR", help="where the files go (default: RESULTS/report)"
    )
    with_overwrite(twin)
    twin.add_argument(
        "--penalty",
        choices=("mean", "harmonic", "none"),
        default="mean",
        help="the DFN's one penalty factor: the particles' mean, weighted by surface (default), "
        "their harmonic mean, or 1",
    )
    twin.add_argument(
        "--write-only", action="store_true", help="write twin.json and twin.py, run nothing"
    )
    twin.add_argument(
        "--python", type=Path, metavar="PATH", help="a Python that has PyBaMM (default: this one)"
    )
    add_accept_altered(twin)
    twin.add_argument(
        "--install",
        action="store_true",
        help="where PyBaMM is missing, install it into a virtual environment of its own (0.7 GB)",
    )


def _twin(options: argparse.Namespace, comm: Any) -> int:
    from heterode.base.own_python import ScriptError
    from heterode.base.ranks import on_root

    def work() -> None:
        from heterode.results.folder import ResultsFolder

        with reading(options, [options.results]):
            # A path that is not a folder is an input mistake; it must not be reported as in the
            # output's way.
            ResultsFolder.open(options.results)
            _work(options)

    try:
        on_root(comm, work)
    except ScriptError as error:
        if comm.rank == 0:
            print(f"heterode: error: PyBaMM: {error}", file=sys.stderr, flush=True)
        return SOLVE_FAILED
    return DONE


def _work(options: argparse.Namespace) -> None:
    from heterode.homogenised import make_counterpart, pybamm_python
    from heterode.homogenised.making import outputs_of
    from heterode.results import ResultsFolder
    from heterode.results.marks import leave_note
    from heterode.results.written import writing

    ResultsFolder.open(options.results)
    place = options.out or options.results / "report"
    # This is checked before PyBaMM is installed, which takes minutes.
    with writing(
        outputs_of(place, run=not options.write_only), overwrite=options.overwrite, option="--out"
    ):
        python = None
        if not options.write_only:
            python = pybamm_python(options.python, options.install, _say)
        comparison = make_counterpart(options.results, options.out, options.penalty, python, _say)
        leave_note(place)
    if comparison is not None:
        print("\n".join(comparison.lines()))
        print(f"written: {place}: twin.json, twin.py, twin.csv, twin.png")
        return
    print(f"written: {place}: twin.json, twin.py")
    if not options.write_only:
        raise InputError(
            "PyBaMM is not installed here, so the twin was written and not run. Call again with "
            "--install, or with --python PATH of a Python that has it; or run twin.py there"
        )


def _say(text: str) -> None:
    print(f"heterode: {text}", file=sys.stderr, flush=True)
