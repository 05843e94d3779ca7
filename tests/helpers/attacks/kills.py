"""Runs that are killed, again and again: by SIGKILL at any moment, on one rank and on several."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from helpers.attacks.attack import Attack, Result
from helpers.attacks.runs import arguments
from helpers.commands import environment
from helpers.paths import HELPERS
from helpers.same_run import TOLERANCE, check_completed, difference
from helpers.surroundings import PATIENCE
from heterode.cli import main
from heterode.results import read_history

SCRIPT = HELPERS / "kill_run.py"
LIVES = 20
"""Kills of one run before it is left alone."""


def kill_runs(place: Path, thorough: bool) -> list[Result]:
    """Kill runs of their own until there are as many kills as wanted; compare with an unbroken one.

    Args:
        place: an empty folder.
        thorough: 200 kills and more instead of 20.
    """
    whole = place / "unbroken"
    assert main([*arguments(), "--out", str(whole)]) == 0
    rows = len(read_history(whole)) // LIVES
    result = Result("a run killed by SIGKILL at any moment, resumed, compared with an unbroken one")
    for seed in range(11 if thorough else 1):
        out = place / f"killed-{seed}"
        words = arguments(output__checkpoint_every="1 us")
        program = [sys.executable, str(SCRIPT), str(out), str(LIVES), str(seed), str(max(rows, 2))]
        try:
            done = subprocess.run(
                [*program, *words, "--out", str(out), "--resume"],
                env=environment(),
                capture_output=True,
                text=True,
                timeout=6 * PATIENCE,
            )
        except subprocess.TimeoutExpired:
            result.hangs += 1
            continue
        if done.returncode != 0:
            result.lost += 1
            result.tracebacks += "heterode: error" not in done.stderr
            result.notes.append(f"seed {seed}: {done.stderr.strip().splitlines()[-1:]}")
            continue
        result.tried += json.loads(done.stdout.splitlines()[-1])["kills"]
        found = difference(whole, out)
        try:
            check_completed(out)
        except AssertionError:
            found = float("inf")
        if not found <= TOLERANCE:
            result.lost += 1
            result.notes.append(f"seed {seed}: differs by {found:.1e}")
    return [result]


KILLS = Attack("kills", kill_runs)
