"""--overwrite, as the commands have it that write files."""

from __future__ import annotations

import argparse

from heterode.results.written import OVERWRITE_HELP


def with_overwrite(command: argparse.ArgumentParser) -> None:
    """Add the option to a command's."""
    command.add_argument("--overwrite", action="store_true", help=OVERWRITE_HELP)
