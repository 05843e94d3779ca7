"""Runs that end before their time: how to have one, and what must be readable afterwards."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from helpers.commands import command, environment, short_run
from helpers.surroundings import PATIENCE
from heterode.results import read_fields, read_history, read_particle_series

ENDLESS = "charge at C/500 until 4.5 V"


def check_readable(folder: Path, *, whole: bool) -> int:
    """Every reader works, and a row of the history promises all the rest; returns the rows.

    Args:
        whole: the series ends with the history, as after any orderly end.
    """
    rows = read_history(folder)
    series = read_particle_series(folder)
    assert series.lithium_fraction.shape == (len(series.time_s), 5)
    assert np.all(np.isfinite(series.lithium_fraction))
    for domain in ("particles", "electrolyte", "carbon"):
        fields = read_fields(folder, domain)
        assert len(fields.times_s) >= len(rows)
        for index in (0, len(fields.times_s) - 1):
            assert all(np.all(np.isfinite(values)) for values in fields.load(index).values())
    if whole:
        assert np.array_equal(series.time_s, rows["time_s"])
    return len(rows)


def start_endless(place: Path, ranks: int = 0, report: str = "true") -> subprocess.Popen[str]:
    """An endless run in `place`/out, some rows into its history."""
    arguments = [
        *short_run(ENDLESS, solver__initial_step="1 s", output__report=report),
        "--out",
        "out",
    ]
    process = subprocess.Popen(
        command(ranks, arguments),
        cwd=place,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    history, deadline = place / "out" / "history.csv", time.monotonic() + PATIENCE
    while not history.exists() or history.read_bytes().count(b"\n") < 6:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"the run did not get going: {process.communicate()}")
        time.sleep(0.05)
    return process


FAILING = {
    # what it is about: the run
    "filled with lithium": short_run(
        "charge at 2C for 1 min",
        "discharge at 300C for 1 h",
        active_material__rate_constant="1e-7 m/s",
        output__report="true",
    ),
    "depleted of salt": short_run(
        "charge at 100C until 4.5 V",
        active_material__rate_constant="1e-6 m/s",
        separator__porosity="0.05",
        penalty__distribution="none",
        output__report="true",
    ),
}


def the_line(err: str) -> str:
    """The one line of ours among a launcher's remarks."""
    assert "Traceback" not in err
    (line,) = [line for line in err.splitlines() if line.startswith("heterode: ")]
    return line


def run_script(
    script: str, place: Path, arguments: list[str], ranks: int
) -> subprocess.CompletedProcess[str]:
    """A program of its own around the command line, on ranks of its own."""
    (place / "script.py").write_text(script)
    words = command(ranks, arguments)
    at = words.index("-m")
    words[at : at + 2] = ["script.py"]
    return subprocess.run(
        words, cwd=place, env=environment(), capture_output=True, text=True, timeout=PATIENCE
    )


# The limit is set when MPI has the files it shares memory by.
SMALL_DISK = """
import resource
import sys
from mpi4py import MPI
from heterode import cli

resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
sys.exit(cli.main(sys.argv[1:]))
"""
