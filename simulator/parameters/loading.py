"""Makes `Parameters` from a TOML file or tables, and changes to them; errors take one line."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from heterode.base.errors import InputError, MistakesError, one_line
from heterode.parameters.electrolyte import ELECTROLYTE_NUMBERS
from heterode.parameters.fields import MistakeError
from heterode.parameters.idle import idle_keys, leave_out, mistake_of, switched_off
from heterode.parameters.material_files import SECTIONS, include, is_path
from heterode.parameters.messages import first_line, mistake_line
from heterode.parameters.model import Parameters
from heterode.parameters.toml_file import MOST_PARTS, parse_toml, read_toml
from heterode.parameters.written_values import as_written
from heterode.protocol import resolved

Key = tuple[str, ...]

_PATH_KEYS: tuple[Key, ...] = (
    ("geometry", "mesh_file"),
    ("geometry", "particle_size", "file"),
    ("penalty", "file"),
    ("active_material", "diffusivity_table"),
    ("active_material", "exchange_current_table"),
    ("active_material", "electronic_conductivity_table"),
    *(
        ("active_material", key, "table")
        for key in (
            "open_circuit_potential",
            "entropic_coefficient",
            "diffusivity",
            "exchange_current",
            "electronic_conductivity",
        )
    ),
    *(("electrolyte", key, "table") for key in ELECTROLYTE_NUMBERS),
    *((section, "material") for section in SECTIONS),
)

_ALTERNATIVES: dict[Key, tuple[Key, ...]] = {
    ("geometry", "width"): (("geometry", "particles"),),
    ("geometry", "particles"): (("geometry", "width"),),
    ("active_material", "rate_constant"): (
        ("active_material", "rate_constant_cathodic"),
        ("active_material", "rate_constant_anodic"),
    ),
    ("active_material", "diffusivity"): (("active_material", "diffusivity_table"),),
    ("active_material", "diffusivity_table"): (("active_material", "diffusivity"),),
    ("active_material", "electronic_conductivity"): (
        ("active_material", "electronic_conductivity_table"),
    ),
    ("active_material", "voltage_window"): (("active_material", "stoichiometry_window"),),
    ("active_material", "stoichiometry_window"): (("active_material", "voltage_window"),),
    ("active_material", "electronic_conductivity_table"): (
        ("active_material", "electronic_conductivity"),
    ),
}
"""Alternative keys: a `--set` of the first removes the others from those in the file."""

_WHOLE: dict[Key, tuple[Key, ...]] = {
    ("active_material", name): (("active_material", "rate_constant"),)
    for name in ("rate_constant_cathodic", "rate_constant_anodic")
}
"""Keys of a file that stand in the place of a material's."""


def load_parameters(
    path: str | Path, overrides: Sequence[str] = (), *, packed: bool = True
) -> Parameters:
    """Read, override, validate and convert an input file.

    Args:
        path: the TOML file. Paths in it (particle sizes, penalties, currents, a mesh) are relative
            to its folder; those in an override are relative to the working folder.
        overrides: texts "section.key=value", of which later ones win. The value is read as TOML, or
            as plain text if it is not TOML, so that quotes may be left out: "geometry.width=80 um".
            If they change what is run, the file's title is no longer right and is left out, unless
            they give one.
        packed: whether particles are to be packed, so that lengths, gap and fraction must leave
            room for them; those of an image are not.

    Raises:
        InputError: the error gives file, key, value, allowed values and remedy in one line.
    """
    file = Path(path)
    return parameters_in(read_toml(file), file, file.parent, overrides, packed=packed)


def parameters_of(tables: Mapping[str, Any], source: str | Path) -> Parameters:
    """Make parameters from tables like those of a file; see `Parameters.from_dict`.

    Args:
        tables: values as in a file, plain SI numbers or pint quantities. Paths are relative to the
            working folder.
        source: where the tables come from, for messages.

    Raises:
        InputError: as in `load_parameters`.
    """
    if not isinstance(tables, Mapping):
        raise InputError(
            f"{source}: is a {type(tables).__name__}, not a dict of sections. Give the tables of a "
            "parameter file, such as {'geometry': {'particles': 10, ...}, ...}"
        )
    return _made(as_written((), tables), Path(source), Path.cwd(), [], "values")


def with_values(parameters: Parameters, values: Mapping[str, Any]) -> Parameters:
    """Return parameters with other values of some dotted keys; see `Parameters.with_values`."""
    file = parameters.source_file
    changes: list[tuple[Key, Any]] = []
    for name, value in values.items():
        key = tuple(name.split(".")) if isinstance(name, str) else ()
        if not key or not all(key) or len(key) > MOST_PARTS:
            raise InputError(
                f"{file} with values: {one_line(repr(name), 80)} is no key. Write one like "
                "'geometry.particles'"
            )
        changes.append((key, as_written(key, value)))
    folder = Path.cwd()
    resolved_ = with_paths({".".join(key): value for key, value in changes}, folder)
    changes = [(key, resolved_[".".join(key)]) for key, _ in changes]
    return _made(parameters.given, file, folder, changes, "values")


def parameters_in(
    tables: dict[str, Any],
    file: Path,
    folder: Path,
    overrides: Sequence[str] = (),
    *,
    packed: bool = True,
) -> Parameters:
    """Make parameters from the tables of a file that need not be on disk yet.

    Args:
        tables: the tables, which are changed in place.
        file: the name of the file, for messages.
        folder: folder to which paths in it are relative.
        overrides, packed: as for `load_parameters`.

    Raises:
        InputError: as in `load_parameters`.
    """
    changes = [_parse_override(text) for text in overrides]
    return _made(tables, file, folder, changes, "--set", packed)


def _made(
    data: dict[str, Any],
    file: Path,
    folder: Path,
    changes: Sequence[tuple[Key, Any]],
    how: str,
    packed: bool = True,
) -> Parameters:
    """Make parameters from the tables of a file and changes to them.

    Args:
        data: the tables, which are changed in place.
        file: the file they come from, for messages.
        folder: folder to which paths in them are relative.
        changes: keys with their new values; later ones win, and None removes a key.
        how: source of the changes for messages, "--set" or "values".
        packed: as in `load_parameters`.
    """
    given = copy.deepcopy(data)
    _resolve_paths(data, folder)
    written = copy.deepcopy(data)
    own = {(section, key) for section in SECTIONS for key in _table(data, (section,)) or {}}
    source = how if how == "--set" else f"{file} with {how}:"
    changed = _apply(data, changes, source)
    # The absolute path is kept, since another run may be started from another folder.
    _resolve_paths(given, folder.absolute())
    _apply(given, changes, source)
    included = _included(data, changed, file, how)
    _included(given, changed, file, how)
    for key in switched_off(data, changed):
        leave_out(data, key)
        leave_out(given, key)
    # What the file chooses counts for the material's keys as what --set chooses does for its own.
    for key in switched_off(data, changed | own) if included else ():
        if key in included:
            leave_out(data, key)
            leave_out(given, key)
    dropped = ""
    if ("title",) not in changed and _is_other(written, data, file, how):
        dropped = str(data.pop("title", ""))
        given.pop("title", None)
    parameters = _validated(data, file, given, changed, dropped, how, included, packed)
    idle = list(idle_keys(parameters, data))
    for key, rule in idle:
        if key not in included and not rule.makes_idle(key, changed):
            by_set = any(key[: len(c)] == c for c in changed)
            where = f"{file} with {how}" if by_set else str(file)
            raise InputError(mistake_line(mistake_of(key, rule, data), key, data, where))
    if not idle:
        return parameters
    for key, _ in idle:
        leave_out(data, key)
        leave_out(given, key)
    return _validated(data, file, given, changed, dropped, how, included, packed)


def _included(
    data: dict[str, Any], changed: set[Key], file: Path, how: str = "--set"
) -> dict[Key, Path]:
    """Put the keys of included materials into tables, and return the file of each."""
    try:
        return include(
            data, changed, lambda key: (*_ALTERNATIVES.get(key, ()), *_WHOLE.get(key, ()))
        )
    except MistakeError as mistake:
        by_set = any(c[: len(mistake.key)] == mistake.key for c in changed)
        source = f"{file} with {how}" if by_set else str(file)
        raise InputError(mistake_line(mistake, mistake.key, data, source)) from None


def _is_other(written: dict[str, Any], data: dict[str, Any], file: Path, how: str) -> bool:
    """Check whether changes made another run of what was written."""
    if _titled(written) == _titled(data):
        return False
    before = copy.deepcopy(written)
    _included(before, set(), file, how)
    return _titled(before) != _titled(data)


def _validated(
    data: dict[str, Any],
    file: Path,
    given: dict[str, Any],
    changed: set[Key],
    dropped_title: str = "",
    how: str = "--set",
    origins: Mapping[Key, Path] = MappingProxyType({}),
    packed: bool = True,
) -> Parameters:
    try:
        return Parameters.of_file(data, file, given, dropped_title=dropped_title, packed=packed)
    except ValidationError as error:
        line = first_line(error, data, file, changed, how=how, origins=origins)
        raise MistakesError(line) from None


def _titled(data: dict[str, Any]) -> dict[str, Any]:
    """Return all that a title may describe: everything but itself and how results are written."""
    return {key: value for key, value in data.items() if key not in ("title", "output")}


def parameters_from(tables: dict[str, Any], file: Path) -> Parameters:
    """Make parameters from tables that were read before, such as those in a manifest.

    Args:
        tables: the tables, in which paths are absolute.
        file: the file they come from, for messages.

    Raises:
        InputError: as in `load_parameters`.
    """
    return _validated(tables, file, tables, set())


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _resolve_paths(data: dict[str, Any], folder: Path) -> None:
    for key in _PATH_KEYS:
        table = _table(data, key[:-1])
        if table is not None and _is_path(key, table.get(key[-1])):
            table[key[-1]] = str(folder / table[key[-1]])
    protocol = _table(data, ("protocol",))
    if protocol is not None and "steps" in protocol:
        protocol["steps"] = _resolve_steps(protocol["steps"], folder)


def with_paths(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return values of dotted keys, with paths among them made relative to `folder`."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        parts = tuple(key.split("."))
        if parts in _PATH_KEYS and _is_path(parts, value):
            value = str(folder / value)
        elif parts == ("protocol", "steps"):
            value = _resolve_steps(value, folder)
        found[key] = value
    return found


def _is_path(key: Key, value: Any) -> bool:
    """Check whether the value of a key for paths is one, and not the name of a material."""
    return isinstance(value, str) and (key[-1] != "material" or is_path(value))


def _resolve_steps(steps: Any, folder: Path) -> Any:
    """Return steps with the paths of their current tables made relative to `folder`."""
    if isinstance(steps, str):
        return resolved(steps, folder)
    if isinstance(steps, list):
        return [_resolve_steps(step, folder) for step in steps]
    if isinstance(steps, dict) and "steps" in steps:
        return steps | {"steps": _resolve_steps(steps["steps"], folder)}
    return steps


def _table(data: dict[str, Any], key: Key) -> dict[str, Any] | None:
    """Return the table at `key`, or None if there is none."""
    found: Any = data
    for part in key:
        found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _apply(data: dict[str, Any], changes: Sequence[tuple[Key, Any]], source: str) -> set[Key]:
    """Change `data` in place and return the keys that were set."""
    changed = {key for key, _ in changes}
    for key, value in changes:
        for other in _ALTERNATIVES.get(key, ()):
            table = _table(data, other[:-1])
            if table is not None and other not in changed:
                table.pop(other[-1], None)
        if value is None:
            leave_out(data, key)
        else:
            _set(data, key, value, source)
    return changed


def _parse_override(text: str) -> tuple[Key, Any]:
    name, equals, value = text.partition("=")
    key = tuple(part.strip() for part in name.split("."))
    if not equals or not all(key) or len(key) > MOST_PARTS:
        raise InputError(
            f"--set {_one_line(text)!r}: is not of the form section.key=value. "
            "Write for example --set 'geometry.coating_thickness=60 um'."
        )
    return key, _parse_value(value.strip())


def _parse_value(text: str) -> Any:
    """Parse a text as TOML, or return it as it is if it is not TOML ("60 um", weibull, C/20)."""
    try:
        parsed = parse_toml(f"value = {text}")
    except ValueError:
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _set(data: dict[str, Any], key: Key, value: Any, source: str) -> None:
    table = data
    for depth, part in enumerate(key[:-1]):
        below = table.setdefault(part, {})
        if not isinstance(below, dict):
            raise InputError(
                f"{source} {'.'.join(key)}: {'.'.join(key[: depth + 1])} is a value, not a "
                f"section. Set {'.'.join(key[: depth + 1])} itself."
            )
        table = below
    table[key[-1]] = value
