"""Inputs that nobody foresaw: generated ones, and those that once went wrong."""

from __future__ import annotations

from pathlib import Path

from helpers.attacks.attack import Attack, Result
from helpers.attacks.suites import by_pytest
from helpers.paths import TESTS


def generated(place: Path, thorough: bool) -> list[Result]:
    """Property-based tests of everything that reads something; see helpers/any_input.py."""
    files = sorted(str(path) for path in TESTS.glob("test_any_input*.py"))
    settings = {"HETERODE_THOROUGH": "4"} if thorough else {}
    what = "generated inputs: keys, options, protocols, tables, units, files"
    known = "inputs that once went wrong"
    mistakes = [str(TESTS / f"test_{name}.py") for name in ("input_mistakes", "cli_mistakes")]
    return [
        by_pytest(what, place, files, settings=settings, per_example=True),
        by_pytest(known, place, mistakes),
    ]


INPUTS = Attack("inputs", generated)
