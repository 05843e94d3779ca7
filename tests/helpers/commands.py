"""Whole commands: the words of small runs, and how to start them as real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.paths import FIVE_DISCS, PACKAGE_PATH, PRESET, ROOT
from helpers.surroundings import PATIENCE

# More ranks than cores, also as root in a container: harmless where the launcher knows them not.
_LAUNCHER_SETTINGS = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    # Ranks that wait make room for those that work: they sleep, as a yield alone takes most of a
    # core while another process has work.
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMPI_MCA_threads_pthreads_yield_strategy": "nanosleep",
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: str
    err: str


def command(ranks: int, arguments: Sequence[str | Path]) -> list[str]:
    """The words that start `heterode ARGUMENTS`, on ranks of its own if `ranks` is above 0."""
    launcher = ["mpirun", "-n", str(ranks)] if ranks else []
    return [*launcher, sys.executable, "-m", "heterode", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    """For `command`: as here, with the package to be found from any folder.

    Where a place for all caches is named, that of heterode alone, which would go before it, is not
    taken from here.
    """
    here = dict(os.environ)
    if "XDG_CACHE_HOME" in more:
        here.pop("HETERODE_CACHE", None)
    return here | _LAUNCHER_SETTINGS | {"PYTHONPATH": str(PACKAGE_PATH)} | more


def run_script_of_project(name: str, *arguments: str | Path) -> Ended:
    """Run scripts/NAME.py with this Python."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / f"{name}.py", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


_ONE_AFTER_ANOTHER = """
import json
import sys

from heterode.cli import main
from mpi4py import MPI

codes = [main(words) for words in json.loads(sys.argv[1])]
if MPI.COMM_WORLD.rank == 0:
    print(json.dumps(codes))
"""


def run_in_turn(ranks: int, commands: Sequence[Sequence[str | Path]]) -> Ended:
    """Run several commands one after another on the same ranks.

    To start a rank takes longer than a small run: tests that are not about the start share one.
    Standard output ends with the list of the commands' exit codes.
    """
    words = json.dumps([[str(word) for word in arguments] for arguments in commands])
    done = subprocess.run(
        ["mpirun", "-n", str(ranks), sys.executable, "-c", _ONE_AFTER_ANOTHER, words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def settings(**values: str) -> list[str]:
    """--set options; a double underscore stands for the dot: settings(seeds__packing="2")."""
    return [
        part
        for key, value in values.items()
        for part in ("--set", f"{key.replace('__', '.')}={value}")
    ]


def short_run(*steps: str, **values: str) -> list[str]:
    """Arguments after `heterode`, without --out: five particles, seconds of wall time.

    The particles have no layers, which cost time, unless `solver__layers` is given.
    """
    texts = ", ".join(f'"{step}"' for step in steps or ("charge at C/2 for 10 min",))
    own = {"geometry__mesh_file": str(FIVE_DISCS), "protocol__steps": f"[{texts}]"}
    # Figures and page take longer than such a run itself: those who look at them ask for them.
    own |= {"output__report": "false", "solver__layers": "none"}
    return ["run", str(PRESET), *settings(**(own | values))]


def packed_run(*steps: str, **values: str) -> list[str]:
    """As `short_run`, with a dozen particles packed and meshed."""
    own = {"geometry__particles": "12", "geometry__mesh__surface_size_factor": "0.6"}
    arguments = short_run(*steps, **(own | values))
    return [a for i, a in enumerate(arguments) if not _sets_mesh_file(arguments, i)]


def _sets_mesh_file(arguments: Sequence[str], index: int) -> bool:
    pair = arguments[index : index + 2] if arguments[index] == "--set" else [arguments[index]]
    return any(text.startswith("geometry.mesh_file=") for text in pair)
