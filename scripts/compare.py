"""Compares runs with those of another checkout: scripts/compare [COMMIT|FOLDER] [OPTION ...].

There are six small runs on the meshes of meshes/, with one rank each. The script checks whether
times, voltages, currents and mean lithium fractions are equal in all bits, and whether the numbers
of steps and of Newton and linear iterations are equal. A change that keeps the order of operations
changes none of them. Without a name, the other side is the commit before. With --pairs the runs are
repeated, this side and the other in turn, and the median ratio of their processor times is shown.
The exit code is 1 if a run differs.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PROJECT = Path(__file__).resolve().parent.parent

SAME_MESH = ("solver.layers=none",)
"""Changes for checkouts that know layers: without them, runs are on the meshes of the files."""

SAME_STEPS = ("solver.initial_step=0.5 s",)
"""Changes for every checkout: the first time step is given, not chosen."""

COLUMNS = ("time_s", "voltage_V", "current_A_m2", "lithium_fraction_mean")
COUNTS = ("steps", "rejected_steps", "linearisations", "newton_iterations", "krylov_iterations")


@dataclass(frozen=True)
class Case:
    """A run: its mesh, its protocol, and further changes to params/quickstart.toml."""

    mesh: str
    steps: tuple[str, ...]
    changes: tuple[str, ...] = ()


CYCLE = (
    "charge at 1C until 4.4 V",
    "hold at 4.4 V until C/5",
    "rest for 10 min",
    "discharge at 1C until 3.3 V",
)
CASES = {
    "a charge": Case("five_discs_2d", ("charge at C/10 until 4.5 V",)),
    "charge, hold, rest, discharge": Case("five_discs_2d", CYCLE),
    "double layer": Case(
        "five_discs_2d",
        ("charge at 1C for 10 min", "rest for 5 min"),
        ("active_material.double_layer_capacitance=0.2 F/m^2",),
    ),
    "conducting particles": Case(
        "five_discs_2d",
        ("charge at 1C until 4.3 V",),
        ("active_material.electronic_conduction_in_particles=true",),
    ),
    "uniform flux, degree 2": Case(
        "five_discs_2d",
        ("charge at C/2 until 4.3 V",),
        ("collector.connection=uniform_flux", "solver.degree=2"),
    ),
    "spheres, fieldsplit": Case(
        "spheres_3d",
        ("charge at C/2 for 20 min",),
        ("geometry.dimension=3", "solver.linear_solver=fieldsplit"),
    ),
}


@dataclass(frozen=True)
class Ran:
    """The results of a run of one side: columns as text, counts, and processor seconds."""

    columns: dict[str, list[str]]
    counts: dict[str, int]
    seconds: float


def ran(checkout: Path, case: Case, folder: Path) -> Ran:
    """Run a case with the heterode of a checkout."""
    path = checkout / "scripts" / "setup" / "path"
    own_name = path.is_dir()  # otherwise from a time when the package had the name of its folder
    words = [sys.executable, "-P", "-m", "heterode" if own_name else "simulator.cli", "run"]
    words += [str(PROJECT / "params" / "quickstart.toml"), "--quiet", "--out", str(folder)]
    steps = json.dumps(case.steps)
    mesh = PROJECT / "meshes" / f"{case.mesh}.msh"
    changes = (f"geometry.mesh_file={mesh}", f"protocol.steps={steps}", "output.report=false")
    for change in (*changes, *SAME_STEPS, *_known(checkout, SAME_MESH), *case.changes):
        words += ["--set", change]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"PYTHONPATH": str(path if own_name else checkout)}
    subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    seconds = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    return Ran(columns, {name: manifest[name] for name in COUNTS}, seconds)


def _known(checkout: Path, changes: Sequence[str]) -> list[str]:
    """Return the changes of keys of [solver] that a checkout has."""
    section = (checkout / "simulator" / "parameters" / "operation.py").read_text(encoding="utf-8")
    names = [change.partition("=")[0].removeprefix("solver.") for change in changes]
    return [c for c, name in zip(changes, names, strict=True) if f"\n    {name}: " in section]


def difference(ours: Ran, theirs: Ran) -> str:
    """Return where two runs differ; empty if they do not."""
    found = []
    for name in COLUMNS:
        mine, other = ours.columns[name], theirs.columns[name]
        if mine != other:
            pairs = zip(mine, other, strict=False)
            most = max(abs(float(a) - float(b)) for a, b in pairs)
            found.append(f"{name} by {most:.2g} ({len(mine)} rows, were {len(other)})")
    for name in COUNTS:
        if ours.counts[name] != theirs.counts[name]:
            found.append(f"{name} {ours.counts[name]}, were {theirs.counts[name]}")
    return "; ".join(found)


def compare_case(name: str, case: Case, other: Path, pairs: int) -> bool:
    """Print a row for a case; returns whether the two sides are equal."""
    ratios, text = [], ""
    with tempfile.TemporaryDirectory() as folder:
        # One more run comes first, since the first run may have to compile the equations.
        for pair in range(pairs + 1 if pairs else 1):
            ours = ran(PROJECT, case, Path(folder) / f"ours{pair}")
            theirs = ran(other, case, Path(folder) / f"theirs{pair}")
            text = text or difference(ours, theirs)
            if pair:
                ratios.append(ours.seconds / theirs.seconds)
    time = f", processor time x {median(ratios):.3f}" if ratios else ""
    counts = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in ours.counts.items())
    print(f"{name}: {text or 'equal in all bits'} ({counts}){time}", flush=True)
    return not text


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare all cases, or one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("other", type=Path, help="the folder of the other checkout")
    parser.add_argument("--pairs", type=int, default=0, help="repeat, and compare the times")
    parser.add_argument("--only", choices=CASES, action="append", help="this case alone")
    options = parser.parse_args(arguments)
    other = options.other.resolve()
    names = options.only or CASES
    equal = [compare_case(name, CASES[name], other, options.pairs) for name in names]
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main())
