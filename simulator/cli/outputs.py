"""--overwrite and --output, the options of the commands that write files."""

from __future__ import annotations

import argparse

from heterode.base.errors import InputError
from heterode.results.written import OVERWRITE_HELP, write_output, writing


def with_overwrite(command: argparse.ArgumentParser) -> None:
    """Add --overwrite to a command."""
    command.add_argument("--overwrite", action="store_true", help=OVERWRITE_HELP)


def say_or_write(text: str, options: argparse.Namespace) -> None:
    """Print a text, or write it to the file of `--output`; a user's file is never replaced unasked.

    Raises:
        InputError: the file is in the way, or its folder is missing.
    """
    file = options.output
    if file is None:
        if options.overwrite:
            raise InputError("--overwrite belongs to --output FILE: pass both, or neither")
        print(text, end="")
        return
    if not file.absolute().parent.is_dir():
        raise InputError(f"--output {file}: no such folder. Make it first")
    with writing([file], overwrite=options.overwrite, option="--output"):
        write_output(file, text.encode())
    print(file)
