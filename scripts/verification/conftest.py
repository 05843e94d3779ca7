"""The state in which every test starts."""

from __future__ import annotations

import pytest

from helpers.surroundings import settle


def pytest_configure(config: pytest.Config) -> None:
    """Ensure that the tests do not depend on how the suite was started."""
    settle()
