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


LONGEST = ("test_readme", "test_resume", "test_ranks", "test_resume_protocols", "test_python_ranks")
"""Modules that take minutes. Processes get modules in this order: one of these as the last would
keep a single core busy long after all others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take longest; the order is kept otherwise."""
    last = len(LONGEST)
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, last))


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
