"""What a sweep costs over its runs: 100 runs of about two seconds, on all cores of this machine.

    scripts/run -- python3 scripts/benchmark_sweep.py [RUNS]

Prints the table of docs/study.md. Overhead is what the cores were there for and no run used: wall
time times runs at once, less the wall time of the runs, over the latter. A run's own time begins
with its mesh and ends with its results; its heterogeneity is measured in the next column's time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from simulator.cores import usable_cores

ROOT = Path(__file__).resolve().parents[1]
SWEEP = """
title = "Two-second runs"
parameters = "{base}"
[set]
geometry.particles = 20
geometry.mesh.surface_size_factor = 0.8
protocol.steps = ["charge at C/2 until x = {end}"]
[vary]
penalty.scale = {{ from = 0.2, to = 0.8, points = {points} }}
[seeds]
packing = {packings}
"""


def main(runs: int) -> None:
    """Run the sweep once for the caches, which a second sweep finds, and once for the clock."""
    packings = 5 if runs % 5 == 0 else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "two_seconds.toml"
        base = ROOT / "params" / "quickstart.toml"
        points = runs // packings
        file.write_text(
            SWEEP.format(base=base, end=0.86, points=points, packings=packings), encoding="utf-8"
        )
        seconds = sweep(file, folder / "swept")
        table = pd.read_csv(folder / "swept" / "sweep.csv")
    assert (table["status"] == "completed").all()
    cores = min(usable_cores(), len(table))
    work = float(table["wall_s"].sum())
    statistics = float(table["measure_s"].sum())
    print("| runs | at once | s a run | statistics s a run | wall s | overhead |")
    print("|------|---------|---------|--------------------|--------|----------|")
    mean, own = work / len(table), statistics / len(table)
    overhead = seconds * cores / (work + statistics) - 1
    print(
        f"| {len(table)} | {cores} | {mean:.2f} | {own:.2f} | {seconds:.1f} | {overhead:.1%} |",
        flush=True,
    )


def sweep(file: Path, folder: Path) -> float:
    """Wall time of a whole `heterode sweep`, from its start to its table, s."""
    words = [sys.executable, "-m", "simulator.cli", "sweep", file, "--out", folder]
    begin = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(words, check=True, env=environment, stderr=sys.stderr)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
