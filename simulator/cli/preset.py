"""heterode preset: the shipped parameter files, listed or printed with their comments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from heterode.base.errors import InputError
from heterode.base.ranks import on_root
from heterode.cli.endings import DONE
from heterode.cli.layout import two_columns
from heterode.cli.outputs import say_or_write, with_overwrite


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    text = "list the shipped parameter files, or print one with its comments"
    command = commands.add_parser("preset", help=text, description=text)
    command.add_argument("name", nargs="?", metavar="NAME", help="a preset; none lists them all")
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write it to this file instead"
    )
    with_overwrite(command)
    command.set_defaults(command=_preset)


def _preset(options: argparse.Namespace, comm: Any) -> int:
    on_root(comm, lambda: _tell(options))
    return DONE


def _tell(options: argparse.Namespace) -> None:
    from heterode.parameters.presets import preset_names, preset_text, preset_title

    if options.name is not None:
        say_or_write(preset_text(options.name), options)
        return
    if options.output is not None:
        raise InputError("--output: which preset is to be written? Name one, see `heterode preset`")
    print(two_columns([(name, preset_title(name)) for name in preset_names()], indent=0))
