"""Tags of cells from the named groups in a mesh file, whatever program wrote it.

Every cell belongs to one of the groups `cbd`, `separator` and `particle_0000`, `particle_0001`,
..., which have the dimension of the cells. Zeros before a particle's number may be left out.
An error names the groups that keep a file from being read: missing ones, those of the right name
with another dimension or without cells, and those whose name is nearly right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.geometry import tags

Ints = npt.NDArray[np.int64]

CELLS = {0: "points", 1: "lines", 2: "triangles", 3: "tetrahedra"}
ENTITIES = {0: "points", 1: "curves", 2: "surfaces", 3: "volumes"}

_LISTED = 6
_TAGS = {name: tag for tag, name in tags.CELL_NAMES.items()}


def particle_number(name: str) -> int | None:
    """Return the number of the particle in a group's name, or None for another name."""
    suffix = name.removeprefix(tags.PARTICLE_PREFIX)
    if suffix == name or not (suffix.isascii() and suffix.isdecimal()) or len(suffix) > 9:
        return None
    return int(suffix)


def is_known(name: str, cells: bool) -> bool:
    """Check whether the name of a group of cells, or of facets, has a meaning here."""
    if not cells:
        return name in tags.FACET_NAMES.values()
    return name in _TAGS or particle_number(name) is not None


def cell_tags_of(
    names: Mapping[int, Mapping[str, int]], groups: Ints, dimension: int, remedy: str
) -> npt.NDArray[np.int32]:
    """Find the tag of each cell.

    Args:
        names: number of each named group, by dimension.
        groups: (M,) number of the group of each cell, 0 for cells without a group.
        dimension: dimension of the cells.
        remedy: sentence that closes each error message.

    Raises:
        InputError: a group is missing, two groups name the same particle, or some cells are in no
            group that has a meaning.
    """
    numbers, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    cells = {int(n): int(count) for n, count in zip(numbers, counts, strict=True)}
    present = [name for name, number in names[dimension].items() if cells.get(number)]
    found = _particles(present, remedy)
    unnamed = [n for n in cells if n and n not in names[dimension].values()]
    first = [*_TAGS, tags.particle_name(0)]
    lacking = [n for n in first if n not in present and particle_number(n) not in found]
    holes = [n for n in range(min(max(found, default=0), len(found) + _LISTED)) if n not in found]
    gaps = [tags.particle_name(n) for n in holes if n][:_LISTED]
    said = (
        f" (found: {_listed(present) or 'none'}"
        + (f", and groups without a name: {_listed(unnamed)}" if unnamed else "")
        + f"; needed: {_wanted()}, numbered from 0 up, each a physical group of"
        f" {CELLS[dimension]}). {remedy}"
    )
    if lacking:
        raise InputError(_missing([*lacking, *gaps], names, dimension) + said)
    named = {number: name for name, number in names[dimension].items()}
    translated = [_tag(named.get(number, "")) for number in cells]
    lost = sum(n for n, tag in zip(cells.values(), translated, strict=True) if tag < 0)
    if lost:
        raise InputError(
            f"{lost} cells belong to none of the groups {_wanted()}"
            + (f"; {_missing(gaps, names, dimension)}" if gaps else "")
            + said
        )
    if gaps:
        raise InputError(_missing(gaps, names, dimension) + said)
    result: npt.NDArray[np.int32] = np.array(translated, dtype=np.int32)[inverse.ravel()]
    return result


def _tag(name: str) -> int:
    number = particle_number(name)
    return _TAGS.get(name, -1) if number is None else tags.PARTICLE_OFFSET + number


def _particles(present: list[str], remedy: str) -> set[int]:
    """Return the numbers of the particles that have a group."""
    found: dict[int, str] = {}
    for name in present:
        number = particle_number(name)
        if number in found:
            raise InputError(
                f"two groups name particle {number}: {found[number]} and {name} (allowed: a group a"
                f" particle). {remedy}"
            )
        if number is not None:
            found[number] = name
    return set(found)


def _missing(lacking: list[str], names: Mapping[int, Mapping[str, int]], dimension: int) -> str:
    listed = ", ".join(repr(name) for name in lacking)
    return f"no cells tagged {listed}" + "".join(_why(n, names, dimension) for n in lacking)


def _why(name: str, names: Mapping[int, Mapping[str, int]], dimension: int) -> str:
    """Say what the file holds instead of a group."""
    number = particle_number(name)
    for level, group in sorted(names.items()):
        same = [
            g for g in group if g == name or (number is not None and number == particle_number(g))
        ]
        if same and level == dimension:
            return f"; the group '{same[0]}' is empty"
        if same:
            return (
                f"; the group '{same[0]}' is one of {ENTITIES[level]} (dimension {level}), not of"
                f" {ENTITIES[dimension]}"
            )
    strange = {g.lower(): g for g in names[dimension] if not is_known(g, cells=True)}
    near = get_close_matches(name, strange, 1, 0.75)
    return f"; is '{strange[near[0]]}' meant?" if near else ""


def _wanted() -> str:
    first = [tags.particle_name(n) for n in range(2)]
    return ", ".join([*_TAGS, *first, "..."])


def _listed(items: Iterable[object]) -> str:
    texts = sorted(str(item) for item in items)
    return ", ".join(texts[:_LISTED]) + (", ..." if len(texts) > _LISTED else "")
