"""RESULTS, the argument of the commands that read a results folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any


def with_results(
    commands: Any, name: str, action: Callable[[argparse.Namespace, Any], int], text: str
) -> argparse.ArgumentParser:
    """Add a command that takes RESULTS, and return its parser."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.add_argument(
        "results",
        type=Path,
        metavar="RESULTS",
        help="results folder, also of a run that goes on or was broken off",
    )
    command.set_defaults(command=action)
    return command


def add_accept_altered(command: argparse.ArgumentParser) -> None:
    """Add --accept-altered, the option of all commands that read the files of a run."""
    command.add_argument(
        "--accept-altered",
        action="store_true",
        help="go on with files that are not as their run wrote them; all that is written says so",
    )


def reading(
    options: argparse.Namespace, places: Sequence[Path]
) -> AbstractContextManager[tuple[str, ...]]:
    """Return a context in which altered results are refused, unless the user accepts them.

    Args:
        options: the parsed options, including those of `add_accept_altered`.
        places: results folders, or files in them.
    """
    from heterode.results.trust import trusted

    return trusted(places, mind, accept_altered=options.accept_altered)


def mind(line: str) -> None:
    """Print a caution for the reader of the results."""
    print(f"heterode: warning: {line}", file=sys.stderr, flush=True)
