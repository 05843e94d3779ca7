"""Other programs in virtual environments of their own (heterode.base.own_python), asked in JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heterode.base import own_python


class NotRunError(Exception):
    """What another program is needed for cannot be measured here; the text says why."""


def python_with(name: str, lock: Path) -> Path:
    """The Python of a venv that holds these packages.

    Raises:
        NotRunError: they cannot be had here.
    """
    try:
        return own_python.python_with(
            name,
            lock,
            lambda text: print(f"verify: {text}", file=sys.stderr, flush=True),
        )
    except own_python.InstallError as error:
        raise NotRunError(str(error)) from error


def ask(python: Path, script: Path, question: Mapping[str, Any]) -> dict[str, Any]:
    """What a script answers, on the last line of its stdout, to a question on its stdin.

    Raises:
        RuntimeError: it failed; with the last line of what it said.
    """
    try:
        said = own_python.run_script([str(python), str(script)], json.dumps(question))
    except own_python.ScriptError as error:
        raise RuntimeError(f"{script.name} {error}") from error
    return dict(json.loads(said.strip().splitlines()[-1]))
