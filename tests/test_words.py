"""Numbers of things read as English, one of them too."""

from __future__ import annotations

import re

import pytest

from helpers.paths import ROOT
from heterode.base.words import counted


@pytest.mark.parametrize(
    ("number", "noun", "verb", "text"),
    [
        (1, "particle", "", "1 particle"),
        (0, "particle", "", "0 particles"),
        (2, "lithium fraction", "", "2 lithium fractions"),
        (1, "entry", "is", "1 entry is"),
        (3, "entry", "is", "3 entries are"),
        (2, "day", "has", "2 days have"),
        (2, "box", "misses", "2 boxes miss"),
        (1, "particle", "misses", "1 particle misses"),
    ],
)
def test_one_and_many(number: int, noun: str, verb: str, text: str) -> None:
    assert counted(number, noun, verb) == text


COUNT = re.compile(r"\{len\([^{}]*\)\} (?:lithium fraction|particle|row|sample|run|file|table)s\b")
"""A length before a plural that is written out: wrong for one of them."""


def test_lengths_are_counted_by_one_function() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in ROOT.glob("simulator/**/*.py")}
    assert COUNT.search("f'at {len(lithium)} lithium fractions'")
    assert [str(path) for path, text in texts.items() if COUNT.search(text)] == []
