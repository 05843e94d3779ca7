"""PARAMS and --set, the arguments of the commands that take an input file."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heterode.base.ranks import together

if TYPE_CHECKING:
    from heterode.parameters import Parameters


def with_parameters(
    commands: Any, name: str, action: Callable[[argparse.Namespace, Any], int], text: str
) -> argparse.ArgumentParser:
    """Add a command that takes PARAMS and --set, and return its parser."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.add_argument("parameters", type=Path, metavar="PARAMS", help="input file, TOML")
    add_overrides(command)
    command.set_defaults(command=action)
    return command


def add_overrides(command: argparse.ArgumentParser) -> None:
    """Add --set to a command."""
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change a value of the file, as in --set geometry.coating_thickness='60 um'",
    )


def load(options: argparse.Namespace, comm: Any, *, packed: bool = True) -> Parameters:
    """Return the parameters that the options name; errors rise on all ranks. Collective.

    Args:
        packed: whether particles are to be packed; those of an image are not.
    """
    from heterode.parameters import load_parameters

    return together(
        comm, lambda: load_parameters(options.parameters, options.overrides, packed=packed)
    )
