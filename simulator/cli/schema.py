"""heterode schema: the JSON Schema of the parameter file, for editors."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from heterode.base.ranks import on_root
from heterode.cli.endings import DONE
from heterode.cli.outputs import say_or_write, with_overwrite


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    text = "print the JSON Schema of the parameter file, with which editors complete and explain"
    command = commands.add_parser("schema", help=text, description=text)
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write it to this file instead"
    )
    with_overwrite(command)
    command.set_defaults(command=_schema)


def _schema(options: argparse.Namespace, comm: Any) -> int:
    on_root(comm, lambda: say_or_write(f"{json.dumps(_of_file(), indent=1)}\n", options))
    return DONE


def _of_file() -> dict[str, Any]:
    from heterode.parameters import Parameters

    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Parameter file of heterode",
        **Parameters.model_json_schema(),
    }
