"""A commented parameter file for a case: the values of a preset, changed to what is asked for.

The file has the values of the preset of its material, and of cube_50 for what differs in 3D, with
their sources. Above each key stands its meaning, from the reference of all keys.
"""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heterode.base.toml_text import toml_value
from heterode.base.units import UnitError, quantity
from heterode.parameters.loading import parameters_in
from heterode.parameters.presets import preset_text
from heterode.parameters.reference import Row, rows
from heterode.parameters.toml_file import parse_toml

MATERIALS = {"NMC532": "nmc532", "NMC622": "nmc622", "NMC811": "nmc811"}
"""Materials with a preset, by the names of their open-circuit curves."""

_LINE, _BESIDE = 100, 40
"""Longest line, and the column from which a source stands beside a value."""

_KEY = re.compile(r"(\w+) = (.*?)(?: +# (.*))?")
_OF_THE_CUBE = ("geometry.coating_thickness", "geometry.walls", "composition.areal_mass")
_OF_A_PACKING = (
    "geometry.separator_thickness",
    "geometry.particles",
    "geometry.minimum_gap",
    "geometry.walls",
    "geometry.particle_size",
    "geometry.mesh",
    "seeds.packing",
)
_MARKS = (
    "Marks: [F] read in the source named, [D] derived from other numbers here, [R] recalled from "
    "the literature and not re-read, [G] a guess or an engineering choice."
)


@dataclass(frozen=True)
class Case:
    """What a file is made for; None leaves a value to the preset.

    Attributes:
        material: a key of `MATERIALS`.
        dimension: 2 or 3.
        particles: their number.
        rate: current of the charge, as a protocol has it.
        until: end of the charge.
        thickness: of the coating, with its unit.
        temperature: with its unit.
        mesh: path of a mesh that replaces the packing, relative to the file.
        picture: path of a label image from which a mesh is to be made.
        pixel: edge of its pixels, as `heterode mesh --pixel` takes it.
        name: of the file, for the commands in its heading.
        overrides: other values, as texts "section.key=value"; keys without effect are left out.
    """

    material: str = "NMC532"
    dimension: int = 2
    particles: int | None = None
    rate: str = "C/10"
    until: str = "4.5 V"
    thickness: str | None = None
    temperature: str | None = None
    mesh: str | None = None
    picture: str | None = None
    pixel: str | None = None
    name: str = "params.toml"
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """A key of a file: its dotted key, its value as TOML has it, and the source beside it."""

    key: str
    value: str
    comment: str


def starting_file(case: Case, *, everything: bool = False) -> str:
    """Return the text of a parameter file for a case.

    Args:
        case: what is asked for.
        everything: whether keys that may be left out stand there as comments.

    Raises:
        InputError: an override is wrong, in one line.
    """
    told = {(row.key, row.variant): row for row in rows()}
    entries = _sorted(_changed(_entries_of(case), case))
    lines = _heading(case)
    section = ""
    for entry in entries:
        above = entry.key.rpartition(".")[0]
        if above != section:
            if everything:
                lines += _left_out(section, entries)
            section = above
            lines += ["", *_commented(told[section, ""].description), f"[{section}]"]
        row = told.get((entry.key, "")) or _of_variant(entry.key, entries)
        lines += [*_commented(_meaning(row)), *_written(entry)]
    if everything:
        lines += _left_out(section, entries)
        present = {entry.key.rpartition(".")[0] for entry in entries}
        for row in rows():
            if row.is_section and row.key not in present and _left_out(row.key, entries):
                lines += ["", *_commented(row.description), f"# [{row.key}]"]
                lines += _left_out(row.key, entries)
    return "\n".join(lines) + "\n"


# -- values ---------------------------------------------------------------------------------------


def _entries_of(case: Case) -> dict[str, _Entry]:
    """Return the keys of the file without overrides."""
    found = {entry.key: entry for entry in _read(preset_text(MATERIALS[case.material]))}
    if case.dimension == 3:
        cube = {entry.key: entry for entry in _read(preset_text("cube_50"))}
        found |= {key: cube[key] for key in _OF_THE_CUBE}
        found["geometry.mesh.maximum_size"] = cube["geometry.mesh.maximum_size"]
        found["geometry.particles"] = cube["geometry.particles"]
    else:
        entry = found["geometry.coating_thickness"]
        told = "[D] 60 um of the paper's electrode less 14 um of foil"
        found[entry.key] = replace(entry, comment=told)
    _ask(found, "title", f"{case.material} at {case.rate}", "")
    _ask(found, "geometry.dimension", case.dimension, "")
    _ask(found, "protocol.steps", [f"charge at {case.rate} until {case.until}"], "")
    if case.particles is not None:
        _ask(found, "geometry.particles", case.particles, "as asked for")
    if case.temperature is not None:
        _ask(found, "temperature", case.temperature, "as asked for")
    if case.thickness is not None:
        _as_thick_as(case.thickness, found)
    if case.mesh is not None:
        _ask(found, "geometry.mesh_file", case.mesh, "as asked for")
        found = {key: one for key, one in found.items() if not _below(key, _OF_A_PACKING)}
    return found


def _changed(found: dict[str, _Entry], case: Case) -> dict[str, _Entry]:
    """Return the keys with the values of overrides, without those that have no effect then."""
    if not case.overrides:
        return found
    tables: dict[str, Any] = {}
    for entry in found.values():
        inner = tables
        *above, name = entry.key.split(".")
        for part in above:
            inner = inner.setdefault(part, {})
        inner[name] = parse_toml(f"value = {entry.value}")["value"]
    given = parameters_in(tables, Path(case.name), Path.cwd(), case.overrides).given
    asked = [text.partition("=")[0].strip() for text in case.overrides]
    sections = {row.key for row in rows() if row.is_section} - set(found)
    changed: dict[str, _Entry] = {}
    for key, value in _flat(given, sections):
        if key in found and not any(_below(one, (key,)) or _below(key, (one,)) for one in asked):
            changed[key] = found[key]
        else:
            _ask(changed, key, value, "as asked for")
    return changed


def _flat(
    tables: dict[str, Any], sections: AbstractSet[str], above: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yield the keys of tables, those of inner sections too; tables on one line stay whole."""
    for name, value in tables.items():
        key = f"{above}{name}"
        if key in sections and isinstance(value, dict):
            yield from _flat(value, sections, f"{key}.")
        else:
            yield key, value


def _sorted(found: dict[str, _Entry]) -> list[_Entry]:
    """Return the keys in the order of the schema, those of a section before its inner sections."""
    order: dict[str, int] = {}
    for place, row in enumerate(rows()):
        order.setdefault(row.key, place)
    return sorted(found.values(), key=lambda e: (_place(e.key, order), order[e.key]))


def _as_thick_as(thickness: str, found: dict[str, _Entry]) -> None:
    """Change the thickness of the coating, and its mass with it."""
    text, mass = (
        json.loads(found[key].value)
        for key in ("geometry.coating_thickness", "composition.areal_mass")
    )
    _ask(found, "geometry.coating_thickness", thickness, "as asked for")
    try:
        times = quantity(thickness, "m") / quantity(text, "m")
    except UnitError:
        return  # The check of the whole file says what is wrong with it.
    scaled = f"{times * quantity(mass, 'mg/cm^2'):.4g} mg/cm^2"
    _ask(found, "composition.areal_mass", scaled, "[D] with the density of the preset's coating")


def _place(key: str, order: dict[str, int]) -> int:
    above = key.rpartition(".")[0]
    return order[above] if above else -1


def _ask(found: dict[str, _Entry], key: str, value: Any, why: str) -> None:
    found[key] = _Entry(key, toml_value(value), why)


def _below(key: str, sections: tuple[str, ...]) -> bool:
    return any(key == section or key.startswith(f"{section}.") for section in sections)


def _read(text: str) -> Iterator[_Entry]:
    """Yield the keys of a preset, each with the comment beside it and on the lines below it."""
    section, entry = "", None
    for line in text.splitlines():
        key = _KEY.fullmatch(line)
        further = re.fullmatch(r" +# (.*)", line)
        if further and entry is not None:
            entry = replace(entry, comment=f"{entry.comment} {further[1]}")
            continue
        if entry is not None:
            yield entry
        entry = _Entry(section + key[1], key[2], key[3] or "") if key else None
        if line.startswith("["):
            section = f"{line.strip('[]')}."
    if entry is not None:
        yield entry


# -- text -----------------------------------------------------------------------------------------


def _heading(case: Case) -> list[str]:
    name = shlex.quote(case.name)
    told = [
        (f"heterode check {name}", "shows all values, the regime numbers and the size"),
        (f"heterode run {name}", "packs, meshes, charges, and draws the particle maps"),
        ("heterode explain KEY", "says more of a key"),
    ]
    widest = max(len(command) for command, _ in told)
    told_of = f"{case.material} in {case.dimension}D, charged at {case.rate} to {case.until}"
    if case.overrides:
        told_of += f", changed by --set {' --set '.join(map(shlex.quote, case.overrides))}"
    lines = [*_commented(told_of), "#"]
    lines += [f"# {command.ljust(widest)}   {text}" for command, text in told]
    if case.picture is not None:
        pixel = "" if case.pixel is None else f" --pixel {case.pixel}"
        lines += [
            "#",
            "# The keys of the packing stand in for the picture until its mesh is made:",
            "#",
            f"#   heterode mesh {name} --labels {shlex.quote(case.picture)}{pixel} -o cells.msh",
            f"#   heterode run {name} --set geometry.mesh_file=cells.msh",
        ]
    return [*lines, "#", *_commented(_MARKS), ""]


def _meaning(row: Row) -> str:
    return f"{row.description} Allowed: {row.kind.allowed}."


def _of_variant(key: str, entries: Sequence[_Entry]) -> Row:
    """Return the row of a key of a section that can be one of several tables."""
    above = key.rpartition(".")[0]
    beside = [entry for entry in entries if entry.key.rpartition(".")[0] == above]
    chosen = {f"{entry.key.rpartition('.')[2]} = {entry.value}" for entry in beside}
    return next(row for row in rows() if row.key == key and row.variant in chosen)


def _left_out(section: str, entries: Sequence[_Entry]) -> list[str]:
    """Return the keys of a section that have a default and are not in the file, as comments."""
    present = {entry.key for entry in entries}
    lines = []
    for row in rows():
        mine = row.key.rpartition(".")[0] == section and not row.variant and not row.is_section
        if mine and row.default and row.key not in present:
            lines += [*_commented(_meaning(row)), f"# {row.default_line}"]
    return lines


def _commented(text: str) -> list[str]:
    return textwrap.wrap(text, _LINE, initial_indent="# ", subsequent_indent="# ")


def _written(entry: _Entry) -> list[str]:
    line = f"{entry.key.rpartition('.')[2]} = {entry.value}"
    if not entry.comment:
        return [line]
    left = f"{line.ljust(_BESIDE)} # "
    if len(left) > _LINE - _BESIDE:
        return [*_commented(entry.comment), line]
    return textwrap.wrap(
        entry.comment, _LINE, initial_indent=left, subsequent_indent=" " * (len(left) - 2) + "# "
    )
