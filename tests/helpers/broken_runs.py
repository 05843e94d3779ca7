"""Runs that are broken off by a signal at a chosen time step, and resumed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from heterode.cli import main
from heterode.results import read_manifest
from heterode.runs.prepared import Prepared

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
