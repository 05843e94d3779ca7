"""heterode completion: the script with which a shell completes commands, options, keys, presets."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heterode.base.ranks import on_root
from heterode.cli.endings import DONE

SHELLS = ("bash", "zsh", "fish")


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    text = "print the script with which bash, zsh or fish completes commands, options and keys"
    command = commands.add_parser("completion", help=text, description=text)
    command.add_argument("shell", choices=SHELLS, help="the shell")
    command.set_defaults(command=_completion)


def _completion(options: argparse.Namespace, comm: Any) -> int:
    on_root(comm, lambda: print(script(options.shell)))
    return DONE


def script(shell: str) -> str:
    """Return the completion script of a shell, made from the parsers of the commands."""
    import shtab

    from heterode.cli.main import command_parser

    parser = command_parser()
    words = _words(parser.commands)
    # This parser parses nothing, so that choices may be put in which the command checks itself.
    for commands in parser.commands.values():
        for name, command in commands.items():
            for action in command.parser._actions:
                if (name, action.dest) in words:
                    action.choices = words[name, action.dest]
                elif action.type is Path:
                    _complete_files(action)
    return str(shtab.complete(parser, shell))


def _words(groups: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], list[str]]:
    """Return what arguments may be that argparse does not know, by command and argument."""
    from heterode.parameters.presets import preset_names
    from heterode.parameters.reference import rows

    return {
        ("explain", "words"): list(dict.fromkeys(row.key for row in rows())),
        ("preset", "name"): preset_names(),
        ("help", "name"): [name for named in groups.values() for name in named],
    }


def _complete_files(action: Any) -> None:
    import shtab

    toml = action.dest in ("parameters", "sweep") and not action.option_strings
    action.complete = shtab.glob("*.toml") if toml else shtab.FILE
