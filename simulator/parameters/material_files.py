"""Materials of their own files, which parameter files include by name.

    [active_material]
    material = "graphite_chen2020"        # shipped, or the path of a user's own file
    initial_lithium_fraction = 0.9        # what stands here counts, the rest is the material's

A material's file has a `title`, a `source`, and one section, [active_material] or [electrolyte],
with any keys of it; tables that it names are relative to it. Keys of the parameter file replace the
material's, and those that they leave without effect are left out with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heterode.base.errors import InputError
from heterode.base.words import nearest
from heterode.parameters.fields import MistakeError
from heterode.parameters.presets import preset_folder
from heterode.parameters.toml_file import read_toml

Key = tuple[str, ...]

SECTIONS = ("active_material", "electrolyte")
"""Sections that may include a material."""

OF_THE_RUN = {
    "initial_lithium_fraction",
    "initial_concentration",
    "double_layer_capacitance",
    "electronic_conduction_in_particles",
    "electronic_conductivity",
    "electronic_conductivity_table",
}
"""Keys of a parameter file that stay when another material is set."""

_HEADING = ("title", "source")


@dataclass(frozen=True)
class MaterialFile:
    """A material that was read from a file.

    Attributes:
        file: the file.
        title, source: what it says of itself.
        section: "active_material" or "electrolyte".
        values: the keys of that section, with absolute paths.
    """

    file: Path
    title: str
    source: str
    section: str
    values: dict[str, Any] = field(hash=False)

    @property
    def name(self) -> str:
        """Name by which a shipped material is included."""
        return self.file.stem


def is_path(name: str) -> bool:
    """Check whether the name of a material is that of a user's own file."""
    return name.endswith(".toml") or "/" in name


def shipped_materials() -> list[MaterialFile]:
    """Return the materials that are shipped, by name."""
    return [read_material(file) for file in sorted((preset_folder() / "materials").glob("*.toml"))]


def shipped_names() -> list[str]:
    """Return the names of the materials that are shipped."""
    return sorted(file.stem for file in (preset_folder() / "materials").glob("*.toml"))


def material_named(name: str) -> MaterialFile:
    """Return a shipped material by its name, or a user's own by its path.

    Raises:
        InputError: there is none, or its file is wrong.
    """
    if is_path(name):
        return read_material(Path(name))
    names = shipped_names()
    if name not in names:
        hint = nearest(name, names) or "`heterode materials` lists them."
        raise InputError(f"{name!r} is no known material, nor the path of a .toml file. {hint}")
    return read_material(preset_folder() / "materials" / f"{name}.toml")


def read_material(file: Path) -> MaterialFile:
    """Read the file of a material; its keys are validated where it is included.

    Raises:
        InputError: the file cannot be read or is none of a material.
    """
    tables = read_toml(file)
    present = [name for name in SECTIONS if isinstance(tables.get(name), dict)]
    unknown = [key for key in tables if key not in (*_HEADING, *SECTIONS)]
    if unknown:
        raise InputError(
            f"{file}: {unknown[0]} is not a key of a material (allowed: {', '.join(_HEADING)}, and "
            f"one of [{'], ['.join(SECTIONS)}]). Remove it, or put it into the section"
        )
    if len(present) != 1:
        raise InputError(
            f"{file}: has {'both sections' if present else 'no section'} (allowed: one of "
            f"[{'], ['.join(SECTIONS)}]). Write each material into a file of its own"
        )
    for key in _HEADING:
        if not isinstance(tables.get(key, ""), str):
            raise InputError(f"{file}: {key} = {tables[key]!r} is no text. Write it in quotes")
    (section,) = present
    values = {key: _absolute(key, v, file.parent) for key, v in tables[section].items()}
    if "material" in values:
        raise InputError(f"{file}: {section}.material: a material includes no other. Remove it")
    title, source = str(tables.get("title", file.stem)), str(tables.get("source", ""))
    return MaterialFile(file, title, source, section, values)


def _absolute(key: str, value: Any, folder: Path) -> Any:
    if key.endswith("_table") and isinstance(value, str):
        return str((folder / value).absolute())
    if isinstance(value, dict) and isinstance(value.get("table"), str):
        return value | {"table": str((folder / value["table"]).absolute())}
    return value


def include(
    tables: dict[str, Any],
    changed: Iterable[Key],
    alternatives: Callable[[Key], Iterable[Key]],
) -> dict[Key, Path]:
    """Put the keys of included materials into tables, which are changed in place.

    Args:
        tables: the tables of a parameter file after changes to them.
        changed: keys that were changed; another material replaces all of the file's own.
        alternatives: returns the keys in whose place a key may stand.

    Returns:
        The file from which each key was taken.

    Raises:
        MistakeError: there is no such material, or it is one of another section.
    """
    changes = set(changed)
    found: dict[Key, Path] = {}
    for section in SECTIONS:
        own = tables.get(section)
        name = own.get("material") if isinstance(own, dict) else None
        if not isinstance(own, dict) or not isinstance(name, str):
            continue
        material = _found(section, name)
        if (section, "material") in changes:
            mine = {key for key in own if any(c[:2] == (section, key) for c in changes)}
            for key in own.keys() - mine - OF_THE_RUN:
                del own[key]
        taken = dict(material.values)
        for key in own:
            for other in alternatives((section, key)):
                taken.pop(other[-1], None)
        for key in taken.keys() - own.keys():
            own[key] = taken[key]
            found[section, key] = material.file
    return found


def _found(section: str, name: str) -> MaterialFile:
    try:
        material = material_named(name)
    except InputError as error:
        if is_path(name):
            reason = str(error).rstrip(".")
            raise MistakeError(f"cannot be used: {reason}", key=(section, "material")) from None
        names = [each.name for each in shipped_materials() if each.section == section]
        raise MistakeError(
            "is no known material",
            allowed=f"{', '.join(names)}, or the path of a .toml file",
            remedy=nearest(name, names) or "Choose one; `heterode materials` lists them.",
            key=(section, "material"),
        ) from None
    if material.section != section:
        raise MistakeError(
            f"describes an {material.section}, not an {section}",
            allowed=f"a material with the section [{section}]",
            remedy=f"Include it in [{material.section}].",
            key=(section, "material"),
        )
    return material
