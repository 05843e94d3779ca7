"""The state that every test starts in, and the fixture that starts whole commands."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from helpers.commands import Ended, command, environment
from helpers.surroundings import PATIENCE, settle


def pytest_configure(config: pytest.Config) -> None:
    """No test may notice how the suite was started."""
    settle()


@pytest.fixture
def heterode() -> Callable[..., Ended]:
    """heterode(*arguments, ranks=0, cwd=None, env={}, ...) as a real process."""

    def run(
        *arguments: str | Path,
        ranks: int = 0,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = PATIENCE,
        preexec_fn: Callable[[], None] | None = None,
    ) -> Ended:
        done = subprocess.run(
            command(ranks, arguments),
            cwd=cwd,
            env=environment(**(env or {})),
            capture_output=True,
            text=True,
            timeout=timeout,
            preexec_fn=preexec_fn,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run
