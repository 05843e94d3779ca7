"""Kills a run at random moments and resumes it, until it is complete.

    python kill_run.py FOLDER KILLS SEED ROWS ARGUMENTS...

ARGUMENTS are those of `heterode`, with --out FOLDER --resume among them. Each of KILLS lives ends
by SIGKILL after it recorded some time steps, ROWS at most, so that a fast machine does not escape
its kills and a slow one is not killed before it began; the last life is left alone. Where in the
work on its last time step a life ends is left to chance. Prints one JSON object: kills; stages at
which the folder was found; steps that each piece went on from.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

from heterode.cli import main
from heterode.parameters import load_parameters
from heterode.results import read_history, read_manifest, read_particle_series
from heterode.results.checkpoint import list_checkpoints, read_checkpoint
from heterode.runs.prepared import Prepared
from heterode.runs.resuming import stage


def run(folder: Path, kills: int, seed: int, rows: int, arguments: list[str]) -> None:
    chance = random.Random(seed)
    overrides = [b for a, b in pairwise(arguments) if a == "--set"]
    parameters = load_parameters(arguments[1], overrides)
    stages = []
    for number in range(kills + 1):
        # Some early, where files come into being.
        life = int((rows + 1) * chance.random() ** 2)
        delay = chance.uniform(0.0, 0.03) if life else chance.uniform(0.0, 0.6)
        child = os.fork()
        if child == 0:
            if number < kills:
                die_after(life, delay)
            # Leaving by os._exit, as what is inherited is not the child's to close.
            os._exit(main(arguments))
        _, status = os.waitpid(child, 0)
        stages.append(stage(folder, parameters))
        check_readable(folder)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, status
            break
    pieces = read_manifest(folder / "manifest.json")["pieces"]
    report = {"kills": number, "stages": stages, "from": [p["from_step"] for p in pieces]}
    print(json.dumps(report))


def die_after(life: int, delay: float) -> None:
    """Have this process killed some seconds after `life` recorded time steps, 0: after this call.

    It does not come further than one time step meanwhile.
    """
    observed, recorded = Prepared._observed, [0]

    def die() -> None:
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGKILL)

    def observing(self, marched):
        if recorded[0] == life > 0:
            threading.Thread(target=die, daemon=True).start()
        if recorded[0] > life:
            signal.pause()
        recorded[0] += 1
        return observed(self, marched)

    Prepared._observed = observing
    if life == 0:
        threading.Thread(target=die, daemon=True).start()


def check_readable(folder: Path) -> None:
    """Every file that is there is whole, and so is every checkpoint."""
    if (folder / "history.csv").exists():
        rows = read_history(folder)
        assert rows["time_s"].is_monotonic_increasing
        assert len(read_particle_series(folder).time_s) <= len(rows) + 1
    for path in list_checkpoints(folder / "checkpoint"):
        read_checkpoint(path)


if __name__ == "__main__":
    place, kills, seed, rows, *rest = sys.argv[1:]
    run(Path(place), int(kills), int(seed), int(rows), rest)
