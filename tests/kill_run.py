"""Kills a run at random moments and resumes it, until it is complete.

    python kill_run.py FOLDER KILLS SEED LONGEST ARGUMENTS...

ARGUMENTS are those of `heterode`, with --out FOLDER --resume among them. After KILLS kills at
moments up to LONGEST seconds after each start, it is left alone. Prints one JSON object: kills;
stages at which the folder was found; steps that the last piece went on from.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path

from simulator import simulation  # noqa: F401  imported once, for all children
from simulator.cli import main
from simulator.parameters import load_parameters
from simulator.results import read_history, read_manifest, read_particle_series
from simulator.results.checkpoint import list_checkpoints, read_checkpoint
from simulator.resuming import stage


def run(folder: Path, kills: int, seed: int, longest: float, arguments: list[str]) -> None:
    chance = random.Random(seed)
    overrides = [b for a, b in pairwise(arguments) if a == "--set"]
    parameters = load_parameters(arguments[1], overrides)
    stages = []
    for number in range(kills + 1):
        child = os.fork()
        if child == 0:
            # Leaving by os._exit, as what is inherited is not the child's to close.
            os._exit(main(arguments))
        if number < kills:
            # Some early, where files come into being.
            time.sleep(longest * chance.random() ** 2)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        stages.append(stage(folder, parameters))
        check_readable(folder)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, status
            break
    pieces = read_manifest(folder / "manifest.json")["pieces"]
    report = {"kills": number, "stages": stages, "from": [p["from_step"] for p in pieces]}
    print(json.dumps(report))


def check_readable(folder: Path) -> None:
    """Every file that is there is whole, and so is every checkpoint."""
    if (folder / "history.csv").exists():
        rows = read_history(folder)
        assert rows["time_s"].is_monotonic_increasing
        assert len(read_particle_series(folder).time_s) <= len(rows) + 1
    for path in list_checkpoints(folder / "checkpoint"):
        read_checkpoint(path)


if __name__ == "__main__":
    place, kills, seed, longest, *rest = sys.argv[1:]
    run(Path(place), int(kills), int(seed), float(longest), rest)
