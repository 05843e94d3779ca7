"""Runs that are broken off by a signal at a chosen time step, and resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.commands import command, environment
from helpers.surroundings import PATIENCE
from heterode.accuracy.record import ErrorRecord
from heterode.cli import main
from heterode.results import read_manifest
from heterode.results.checkpoint import list_checkpoints
from heterode.runs.followed_errors import FollowedErrors
from heterode.runs.prepared import Prepared
from heterode.solver.time.stepper import Stepper

Patch = Callable[[pytest.MonkeyPatch], None]


def steps_of(folder: Path) -> int:
    return int(read_manifest(folder / "manifest.json")["steps"])


def signal_at(step: int, patch: pytest.MonkeyPatch, number: int = signal.SIGUSR1) -> None:
    """Have the signal arrive while the given accepted time step is recorded."""
    observed = Prepared._observed

    def observing(self, marched):
        if self.cell.stepper.steps == step:
            os.kill(os.getpid(), number)
        return observed(self, marched)

    patch.setattr(Prepared, "_observed", observing)


def broken_at(step: int, out: Path, words: list[str]) -> None:
    """Start or resume, and break off by a signal at or just after an accepted time step."""
    with pytest.MonkeyPatch.context() as patch:
        signal_at(step, patch)
        assert main([*words, "--out", str(out), "--resume"]) == 128 + signal.SIGUSR1
    assert steps_of(out) >= step


def resumed_at(step: int, out: Path, words: list[str], *patches: Patch) -> Path:
    """A run broken at an accepted step, and gone on with under some patches."""
    broken_at(step, out, words)
    with pytest.MonkeyPatch.context() as patch:
        for change in patches:
            change(patch)
        assert main([*words, "--out", str(out), "--resume"]) == 0
    return out


def forget_the_past(patch: pytest.MonkeyPatch) -> None:
    """Have a resumed run forget all but the last of its earlier time steps."""
    recall = Stepper.recall

    def recalling(self, memory):
        recall(self, memory)
        self._past = self._past[:1]

    patch.setattr(Stepper, "recall", recalling)


def start(program: list[str], out: Path, rows: int, **more: str) -> subprocess.Popen[str]:
    """A run, some rows into its history."""
    process = subprocess.Popen(
        program,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    history, deadline = out / "history.csv", time.monotonic() + PATIENCE
    while not history.exists() or history.read_bytes().count(b"\n") <= rows:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"the run did not get there: {process.communicate()}")
        time.sleep(0.02)
    return process


def broken_on(ranks: int, rows: int, words: list[str], out: Path) -> None:
    """Start or resume on ranks of its own, and break off by a signal after some rows."""
    process = start(command(ranks, [*words, "--out", out, "--resume"]), out, rows)
    process.send_signal(signal.SIGUSR1)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGUSR1, err
    assert list_checkpoints(out / "checkpoint")


def forget_the_errors(patch: pytest.MonkeyPatch) -> None:
    """Have a resumed run follow its errors further, but forget how large they have been."""
    recall = FollowedErrors.recall

    def recalling(self, memory, arrays):
        recall(self, memory, arrays)
        self._voltage, self._time, self._mean = ErrorRecord(), ErrorRecord(), 0.0

    patch.setattr(FollowedErrors, "recall", recalling)
