"""heterode help: all commands by what they are for, or the options of one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heterode.base.errors import InputError
from heterode.base.ranks import on_root
from heterode.base.words import nearest
from heterode.cli.endings import DONE
from heterode.cli.layout import paragraph, two_columns

_CODES = [
    ("0", "done; a run that its protocol ends is done"),
    ("2", "the input is wrong, or a library is missing: one line on stderr says which"),
    ("3", "the solve failed, or the disk or memory is full: what was computed is on disk"),
    ("128+n", "stopped by signal n, with a checkpoint"),
]


@dataclass(frozen=True)
class Command:
    """A command: the parser of its options, and what it does in a few words."""

    parser: argparse.ArgumentParser
    text: str


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    text = "list the commands, or the options of one"
    command = commands.add_parser("help", help=text, description=text)
    command.add_argument("name", nargs="?", metavar="COMMAND", help="a command; none lists all")
    command.set_defaults(command=_help)


def text(description: str, commands: Mapping[str, Mapping[str, Command]]) -> str:
    """Return the list of commands.

    Args:
        description: what the program is.
        commands: the commands by name, in groups.
    """
    usage = "usage: heterode COMMAND [options]; `heterode help COMMAND` lists its options"
    parts = [paragraph(usage), paragraph(description)]
    widest = max(len(name) for named in commands.values() for name in named)
    for group, named in commands.items():
        told = [(name.ljust(widest), one.text) for name, one in named.items()]
        parts.append(f"{group}:\n{two_columns(told)}")
    options = [("-h, --help", "print this"), ("-V, --version", "print the version")]
    parts += [f"Options:\n{two_columns(options)}", f"Exit codes:\n{two_columns(_CODES)}"]
    return "\n\n".join(parts) + "\n"


def _help(options: argparse.Namespace, comm: Any) -> int:
    on_root(comm, lambda: print(_of(options.name), end=""))
    return DONE


def _of(name: str | None) -> str:
    from heterode.cli.main import command_parser

    parser = command_parser()
    if name is None:
        return parser.format_help()
    commands = {key: one for named in parser.commands.values() for key, one in named.items()}
    if name not in commands:
        hint = nearest(name, commands) or "`heterode help` lists them."
        raise InputError(f"{name!r} is no command. {hint}")
    return commands[name].parser.format_help()
