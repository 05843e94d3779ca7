"""The state that every test starts in."""

from __future__ import annotations

import pytest

from helpers.surroundings import settle


def pytest_configure(config: pytest.Config) -> None:
    """No test may notice how the suite was started."""
    settle()
