"""RESULTS, as the commands have it that look at a results folder."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def with_results(
    commands: Any, name: str, action: Callable[[argparse.Namespace, Any], int], text: str
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.add_argument(
        "results",
        type=Path,
        metavar="RESULTS",
        help="results folder, also of a run that goes on or was broken off",
    )
    command.set_defaults(command=action)
    return command
