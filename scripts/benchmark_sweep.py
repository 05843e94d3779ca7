"""The overhead of a sweep over its runs: 100 runs of about two seconds, on all cores of a machine.

    scripts/run -- python3 scripts/benchmark_sweep.py [RUNS]

Prints the table of docs/study.md. After a few runs that fill the caches, the same runs are done by
`heterode sweep` and by plain loops: a process for each core, which does its share of the runs and
nothing else. There are two overheads, both from the start of the first process to the end of the
last:

    over the loops   wall time relative to that of the loops: what the sweep does besides the runs
    over the runs    core time that no run used, relative to what they used, for loops and sweep
                     alike. A run's time begins with its mesh and ends with its heterogeneity, so
                     that the loading of libraries, once for each worker, is in the overhead
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from heterode.base.cores import usable_cores

ROOT = Path(__file__).resolve().parents[1]
PRESET = ROOT / "params" / "quickstart.toml"
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
    """Do the runs in each way and print the table."""
    packings = 5 if runs % 5 == 0 else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "two_seconds.toml"
        text = SWEEP.format(base=PRESET, end=0.86, points=runs // packings, packings=packings)
        file.write_text(text, encoding="utf-8")
        few = folder / "few.toml"
        few.write_text(text.replace(f"points = {runs // packings}", "points = 2"), encoding="utf-8")
        swept(few, folder / "few")
        sweep = swept(file, folder / "swept")
        times = {
            "plain loops": looped(folder / "swept", folder / "looped"),
            "heterode sweep": sweep,
        }
        print("| by | runs | at once | s a run | wall s | over the loops | over the runs |")
        print("|----|------|---------|---------|--------|----------------|---------------|")
        works = {
            "plain loops": seconds_of_loops(folder / "looped"),
            "heterode sweep": seconds_of_sweep(folder / "swept"),
        }
        for by, work in works.items():
            over = times[by] / times["plain loops"] - 1
            idle = times[by] * usable_cores() / work - 1
            print(
                f"| {by} | {runs} | {usable_cores()} | {work / runs:.2f} | {times[by]:.1f} "
                f"| {over:.1%} | {idle:.1%} |",
                flush=True,
            )


def seconds_of_loops(folder: Path) -> float:
    """Return the seconds that the runs of the loops took, including their heterogeneity."""
    return sum(float(path.read_text(encoding="utf-8")) for path in folder.glob("*.seconds"))


def seconds_of_sweep(folder: Path) -> float:
    """Return the seconds that the runs of the sweep took, including their heterogeneity."""
    table = pd.read_csv(folder / "sweep.csv")
    assert (table["status"] == "completed").all()
    return float((table["wall_s"] + table["measure_s"]).sum())


def swept(file: Path, folder: Path) -> float:
    """Return the wall time of a whole `heterode sweep`, from its start to its table, s."""
    return at_once([["-m", "heterode", "sweep", str(file), "--out", str(folder)]])


def looped(sweep: Path, folder: Path) -> float:
    """Return the wall time of loops over a sweep's runs, one for each core, s."""
    folder.mkdir()
    count = usable_cores()
    words = [str(Path(__file__)), "loop", str(sweep), str(folder), str(count)]
    return at_once([[*words, str(first)] for first in range(count)])


def at_once(commands: list[list[str]]) -> float:
    """Return the wall time of some simultaneous Python commands, s."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts" / "setup" / "path")}
    begin = time.perf_counter()
    started = [
        subprocess.Popen([sys.executable, *words], env=environment, stdout=subprocess.DEVNULL)
        for words in commands
    ]
    codes = [process.wait() for process in started]
    seconds = time.perf_counter() - begin
    if any(codes):
        raise SystemExit(f"benchmark_sweep: ended with {codes}")
    return seconds


def loop(sweep: Path, folder: Path, count: int, first: int) -> None:
    """Do every `count`-th run, one after another, as one would without `heterode sweep`."""
    from mpi4py import MPI

    from heterode.heterogeneity.compiled import limit_threads
    from heterode.parameters import load_parameters
    from heterode.runs.recorder import Recorder
    from heterode.runs.whole import lay_out, observed_by, run_through
    from heterode.sweep.folder import SweepFolder
    from heterode.sweep.run_numbers import numbers_of_run

    limit_threads(1)
    plan = SweepFolder(sweep).read()
    asked = plan.file.measure
    for run in plan.unique()[first::count]:
        place = folder / run.id
        parameters = load_parameters(plan.base, run.overrides)
        observers = observed_by(Recorder(place), parameters, quiet=True)
        run_through(*lay_out(parameters, observers, MPI.COMM_SELF))
        numbers = numbers_of_run(place, asked.wanted, asked.settings, asked.voltage_at)
        seconds = float(str(numbers["wall_s"])) + float(str(numbers["measure_s"]))
        (folder / f"{run.id}.seconds").write_text(f"{seconds}", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["loop"]:
        loop(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
