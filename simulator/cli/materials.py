"""heterode materials: what a parameter file can name, its range, its source, and a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from heterode.base.errors import InputError
from heterode.base.ranks import on_root
from heterode.cli.endings import DONE
from heterode.cli.layout import two_columns
from heterode.cli.outputs import with_overwrite


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    text = "list materials with their ranges and sources, show one, or draw its functions"
    command = commands.add_parser("materials", help=text, description=text)
    command.add_argument(
        "name", nargs="?", metavar="NAME", help="a material, or a .toml file; none lists them all"
    )
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="draw its functions into this .png file"
    )
    with_overwrite(command)
    command.set_defaults(command=_materials)


def _materials(options: argparse.Namespace, comm: Any) -> int:
    on_root(comm, lambda: _tell(options))
    return DONE


def _tell(options: argparse.Namespace) -> None:
    if options.output is not None:
        _draw(options)
        return
    if options.overwrite:
        raise InputError("--overwrite belongs to --output FILE: pass both, or neither")
    from heterode.parameters.described_materials import described, every_material, named
    from heterode.parameters.material_files import MaterialFile

    if options.name is None:
        every = every_material()
        for kind in dict.fromkeys(one.kind for one in every):
            rows = [
                (one.name, f"{one.title}; {one.range}; {one.source}")
                for one in every
                if one.kind == kind
            ]
            print(f"{kind}:\n{two_columns(rows)}\n")
        return
    found = named(options.name)
    if isinstance(found, MaterialFile):
        one = described(found)
        rows = [("title", one.title), ("range", one.range), ("source", one.source)]
        print(f"{two_columns(rows, indent=0)}\nfile     {found.file}\n")
        print(found.file.read_text(encoding="utf-8"), end="")
        return
    (one,) = (each for each in every_material() if each.name == options.name)
    rows = [("title", one.title), ("range", one.range), ("source", one.source)]
    print(two_columns(rows, indent=0))


def _draw(options: argparse.Namespace) -> None:
    from heterode.parameters.described_materials import named
    from heterode.results.written import writing
    from heterode.viewing.materials import material_figure
    from heterode.viewing.style import save

    file = options.output
    if options.name is None:
        raise InputError(
            "--output: which material is to be drawn? Name one of `heterode materials`"
        )
    if file.suffix.lower() != ".png":
        raise InputError(f"--output {file}: is no .png file. Name one like {file.stem}.png")
    if not file.absolute().parent.is_dir():
        raise InputError(f"--output {file}: no such folder. Make it first")
    figure = material_figure(named(options.name), options.name)
    with writing([file], overwrite=options.overwrite, option="--output"):
        save(figure, file)
    print(file)
