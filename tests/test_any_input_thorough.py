"""The property-based tests once more with fifty times as many examples, new ones in every call."""

from __future__ import annotations

import subprocess
import sys

import pytest

from helpers.commands import environment
from helpers.paths import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("module", ["parameters", "commands"])
def test_many_more_examples(module: str) -> None:
    words = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-n0"]
    done = subprocess.run(
        [sys.executable, *words, ROOT / "tests" / f"test_any_input_{module}.py"],
        cwd=ROOT,
        env=environment(HETERODE_THOROUGH="50"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-20_000:]
