"""Input files with a mistake in them, and the one line by which a mistake is refused."""

from __future__ import annotations

import re

import pytest

from helpers.paths import PARAMS
from heterode.base.errors import InputError
from heterode.parameters import load_parameters

BASE = (PARAMS / "nmc532.toml").read_text(encoding="utf-8")


def write(tmp_path, *edits):
    """The NMC532 preset with every (pattern, text) replaced exactly once."""
    text = BASE
    for pattern, replacement in edits:
        text, count = re.subn(pattern, lambda _, new=replacement: new, text, flags=re.MULTILINE)
        assert count == 1, f"{pattern!r} found {count} times"
    file = tmp_path / "demo.toml"
    file.write_text(text, encoding="utf-8")
    return file


def message(file, overrides=()):
    with pytest.raises(InputError) as caught:
        load_parameters(file, overrides)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 700
    for jargon in ("pydantic", "Traceback", "validation error", "ValueError", "NoneType"):
        assert jargon not in text
    return text


def line(key):
    return rf"^{key} = .*$"


def one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message
