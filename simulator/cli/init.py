"""heterode init: a commented parameter file for the case asked for."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from heterode.base.errors import InputError
from heterode.base.ranks import on_root
from heterode.cli.endings import DONE
from heterode.cli.input_file import add_overrides
from heterode.cli.outputs import say_or_write, with_overwrite
from heterode.cli.values import voxel

MOST_PARTICLES = 1_000_000


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    text = "make a commented parameter file for a case, which `heterode check` accepts"
    command = commands.add_parser("init", help=text, description=text)
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write it to this file (default: print)"
    )
    with_overwrite(command)
    command.add_argument(
        "--material",
        choices=("NMC532", "NMC622", "NMC811"),
        default="NMC532",
        help="active material, with its preset's values (default: %(default)s)",
    )
    command.add_argument(
        "--dimension",
        type=int,
        choices=(2, 3),
        default=2,
        help="2 for discs, 3 for spheres (default: %(default)s)",
    )
    command.add_argument("--particles", type=int, metavar="N", help="number of particles")
    command.add_argument(
        "--rate", default="C/10", help="current of the charge: C/10, 2C, '3 A/m^2' (default: C/10)"
    )
    command.add_argument(
        "--until", default="4.5 V", metavar="END", help="end of the charge (default: 4.5 V)"
    )
    command.add_argument(
        "--thickness", metavar="LENGTH", help="of the coating, as '60 um'; its density is kept"
    )
    command.add_argument("--temperature", metavar="T", help="as '298.15 K' or '40 degC'")
    command.add_argument(
        "--mesh", type=Path, metavar="FILE", help="a .msh file in place of a packing"
    )
    command.add_argument(
        "--picture", type=Path, metavar="IMAGE", help="label image whose particles are to be meshed"
    )
    command.add_argument(
        "--pixel", metavar="LENGTH", help="edge of a pixel of --picture, as for heterode mesh"
    )
    add_overrides(command)
    command.add_argument(
        "--all", action="store_true", help="also the keys that may be left out, as comments"
    )
    command.set_defaults(command=_init)


def _init(options: argparse.Namespace, comm: Any) -> int:
    on_root(comm, lambda: say_or_write(_text(options), options))
    return DONE


def _text(options: argparse.Namespace) -> str:
    """Return the file that is asked for, after checking it as `heterode check` would.

    Raises:
        InputError: a value is out of range; the line names key, value and range.
    """
    from heterode.parameters.starting import Case, starting_file

    _refuse_odd(options)
    folder = options.output.absolute().parent if options.output else Path.cwd()
    case = Case(
        material=options.material,
        dimension=options.dimension,
        particles=options.particles,
        rate=options.rate,
        until=options.until,
        thickness=options.thickness,
        temperature=options.temperature,
        mesh=None if options.mesh is None else os.path.relpath(options.mesh, folder),
        picture=None if options.picture is None else os.path.relpath(options.picture, folder),
        pixel=options.pixel,
        overrides=tuple(options.overrides),
        name="params.toml" if options.output is None else options.output.name,
    )
    text = starting_file(case, everything=options.all)
    _check(text, folder, case.name)
    return text


def _refuse_odd(options: argparse.Namespace) -> None:
    """Refuse what does not go together, and texts that would not stay on their line."""
    for name in ("rate", "until", "thickness", "temperature", "mesh", "picture", "pixel", "output"):
        value = getattr(options, name)
        if value is not None and not str(value).isprintable():
            raise InputError(f"--{name} {str(value)!r} has characters that cannot be printed")
    for text in options.overrides:
        if not text.isprintable():
            raise InputError(f"--set {text!r} has characters that cannot be printed")
    if options.mesh is not None:
        for name in ("picture", "particles"):
            if getattr(options, name) is not None:
                raise InputError(f"--{name} and --mesh: the mesh has its own particles. Pass one")
    if options.pixel is not None:
        if options.picture is None:
            raise InputError("--pixel belongs to --picture: pass both, or neither")
        try:
            voxel(options.pixel)
        except argparse.ArgumentTypeError as error:
            raise InputError(f"--pixel: {error}") from None
    for name in ("mesh", "picture"):
        path = getattr(options, name)
        if path is not None and not path.is_file():
            raise InputError(f"--{name} {path}: no such file")


def _check(text: str, folder: Path, name: str) -> None:
    from heterode.parameters.loading import parameters_in
    from heterode.parameters.toml_file import parse_toml

    parameters = parameters_in(parse_toml(text), Path(name), folder)
    if parameters.geometry.mesh_file is not None:
        from heterode.geometry.cache import mesh_for

        mesh_for(parameters)
