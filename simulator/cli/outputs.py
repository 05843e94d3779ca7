"""--overwrite, the option of the commands that write files."""

from __future__ import annotations

import argparse

from heterode.results.written import OVERWRITE_HELP


def with_overwrite(command: argparse.ArgumentParser) -> None:
    """Add --overwrite to a command."""
    command.add_argument("--overwrite", action="store_true", help=OVERWRITE_HELP)
