"""Parser of MSH 4.1 files, ASCII and binary, without gmsh: arrays by element type, group names.

Why not meshio 5.3, which reads a binary file of 1.0 million tetrahedra in 0.15 s, where this takes
0.35 s of the 2.3 s until the mesh is ready:

- It drops the numbers of the elements. They keep the cells in the order in which they were meshed,
  on which the checksum, the parts of the ranks and the last digits of every run rest.
- It drops sections that it does not know, with them $Heterode and its checksum, and prints a line
  to the terminal for each. A second parser of ours would have to find them.
- Damage ends in a ValueError, IndexError, OverflowError or MemoryError, or in no error at all: of
  208 damaged copies of a mesh it read 80, and this parser, before any checksum, 73.
- An element that belongs to two groups silently gets one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.base.reading import read_regular
from heterode.geometry.msh_groups import is_known

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ELEMENT_NODES = {15: 1, 1: 2, 2: 3, 4: 4, 8: 3, 9: 6, 11: 10}
"""Nodes of the element types a simplex mesh of order 1 or 2 may contain."""

ELEMENT_DIMENSION = {15: 0, 1: 1, 8: 1, 2: 2, 9: 2, 4: 3, 11: 3}

OTHER_ELEMENTS = {3: "quadrangles", 5: "hexahedra", 6: "prisms", 7: "pyramids", 10: "quadrangles"}
OTHER_ELEMENTS |= {16: "quadrangles", 12: "hexahedra", 17: "hexahedra", 13: "prisms", 18: "prisms"}
OTHER_ELEMENTS |= {14: "pyramids", 19: "pyramids", 21: "triangles of order 3"}
OTHER_ELEMENTS |= {23: "triangles of order 4", 26: "lines of order 3", 27: "lines of order 4"}
OTHER_ELEMENTS |= {29: "tetrahedra of order 3", 30: "tetrahedra of order 4"}
"""Further types that gmsh and other programs write. Source: gmsh reference manual."""


@dataclass
class MshContent:
    """The content of a file.

    Attributes:
        points: (P, 3) coordinates.
        size: size of the file in bytes.
        elements: element type -> (connectivity (M, nodes) into points, physical number (M,) or 0),
            in the order of the element numbers.
        names: by dimension, the physical number of each group name.
        fault: a contradiction in the file that does not keep it from being read, or "".
        notes: `key value` lines of a $Heterode section, which other programs skip (gmsh copies it).
    """

    points: Floats
    size: int
    elements: dict[int, tuple[Ints, Ints]] = field(default_factory=dict)
    names: dict[int, dict[str, int]] = field(default_factory=lambda: {d: {} for d in range(4)})
    notes: dict[str, str] = field(default_factory=dict)
    fault: str = ""

    def elements_of(self, dimension: int) -> Iterator[tuple[Ints, Ints]]:
        """Yield the connectivity and the groups of each element type of a dimension."""
        for kind, content in self.elements.items():
            if ELEMENT_DIMENSION[kind] == dimension:
                yield content


class _Reader(Protocol):
    def integers(self, count: int) -> Ints: ...
    def sizes(self, count: int) -> Ints: ...
    def doubles(self, count: int) -> Floats: ...
    def rows(self, count: int, width: int) -> Ints: ...


class _Binary:
    """Reads numbers from a binary section: int32 `integers`, uint64 `sizes` and `rows`."""

    def __init__(self, data: bytes, order: str) -> None:
        self.data, self.order, self.at = data, order, 0

    def _take(self, count: int, kind: str) -> npt.NDArray[np.generic]:
        if count < 0 or count > len(self.data):
            raise ValueError("a count is out of range")
        values = np.frombuffer(self.data, self.order + kind, count, self.at)
        self.at += values.nbytes
        return values

    def integers(self, count: int) -> Ints:
        return self._take(count, "i4").astype(np.int64)

    def sizes(self, count: int) -> Ints:
        return self._take(count, "u8").astype(np.int64)

    def doubles(self, count: int) -> Floats:
        return self._take(count, "f8").astype(np.float64)

    def rows(self, count: int, width: int) -> Ints:
        return self.sizes(count * width).reshape(count, width)


class _Ascii:
    """Reads the same numbers from text."""

    def __init__(self, data: bytes) -> None:
        self.words, self.at = data.split(), 0

    def _take(self, count: int) -> list[bytes]:
        words = self.words[self.at : self.at + count]
        if count < 0 or len(words) < count:
            raise ValueError("the section ends early")
        self.at += count
        return words

    def integers(self, count: int) -> Ints:
        return np.array(self._take(count), dtype=np.int64)

    sizes = integers

    def doubles(self, count: int) -> Floats:
        return np.array(self._take(count), dtype=np.float64)

    def rows(self, count: int, width: int) -> Ints:
        return self.integers(count * width).reshape(count, width)


def parse_msh(path: Path | str) -> MshContent:
    """Read an MSH 4.1 file.

    Raises:
        InputError: the file is missing, truncated, or not a supported MSH 4.1 file.
    """
    try:
        data = read_regular(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None
    head = data[:64].split()
    if not data.startswith(b"$MeshFormat") or len(head) < 4:
        raise InputError(
            f"{path}: not a gmsh mesh file (allowed: MSH 4.1). Write it with `heterode mesh`."
        )
    if head[1] != b"4.1":
        version = head[1].decode("ascii", "replace")
        raise InputError(
            f"{path}: MSH version {version} (allowed: 4.1)."
            " Convert it: gmsh FILE -save -format msh41 -o NEW"
        )
    try:
        return _parse(data, binary=head[2] == b"1")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError) as error:
        raise InputError(
            f"{path}: damaged or cut short ({error}). Rebuild it with `heterode mesh`."
        ) from None


def _parse(data: bytes, binary: bool) -> MshContent:
    order = "<"
    if binary:
        mark = data.index(b"\n", data.index(b"\n") + 1) + 1
        order = "<" if int.from_bytes(data[mark : mark + 4], "little") == 1 else ">"
    nodes = _section(data, b"Nodes")
    elements = _section(data, b"Elements")
    entities = _section(data, b"Entities")

    def reader(part: bytes) -> _Reader:
        return _Binary(part, order) if binary else _Ascii(part)

    points, number, fault = _read_nodes(reader(nodes))
    content = MshContent(points, len(data), fault=fault)
    for line in _section(data, b"PhysicalNames", required=False).splitlines()[1:]:
        level, tag, name = line.decode("utf-8").split(maxsplit=2)
        content.names[int(level)][name.strip().strip('"')] = int(tag)
    for line in _section(data, b"Heterode", required=False).splitlines():
        key, _, value = line.decode("utf-8", "replace").partition(" ")
        content.notes[key] = value.strip()
    groups = _read_entities(reader(entities), content.names)
    content.elements = _read_elements(reader(elements), number, groups)
    return content


def _section(data: bytes, name: bytes, required: bool = True) -> bytes:
    """Return the bytes between $name and $Endname, without the line breaks beside these marks."""
    start = data.find(b"$" + name + b"\n")
    skip = 1
    if start < 0:
        start, skip = data.find(b"$" + name + b"\r\n"), 2
    end = data.rfind(b"$End" + name)
    if start < 0 or end < start:
        if required:
            raise ValueError(f"no complete ${name.decode()} section")
        return b""
    return data[start + len(name) + 1 + skip : end]


def _read_nodes(reader: _Reader) -> tuple[Floats, Ints, str]:
    """Return points (P, 3), each node number's position (-1 if none), and any contradiction."""
    blocks, count, _, largest = reader.sizes(4)
    points, numbers = [], []
    for _ in range(int(blocks)):
        dimension, _, parametric = reader.integers(3)
        size = int(reader.sizes(1)[0])
        numbers.append(reader.sizes(size))
        width = 3 + (int(dimension) if parametric else 0)
        points.append(reader.doubles(size * width).reshape(size, width)[:, :3])
    tags = np.concatenate(numbers) if numbers else np.zeros(0, np.int64)
    said = f"{len(tags)} nodes instead of {count}, largest number {largest}"
    if tags.size and tags.max() > 100 * (len(tags) + 1000):
        raise ValueError(said)
    lookup = np.full(int(tags.max(initial=0)) + 1, -1, dtype=np.int64)
    lookup[tags] = np.arange(len(tags))
    # Where a group was removed, gmsh still counts the nodes of the cells that it leaves out.
    fault = "" if len(tags) == count else said
    return np.concatenate(points) if points else np.zeros((0, 3)), lookup, fault


def _read_entities(reader: _Reader, names: dict[int, dict[str, int]]) -> dict[tuple[int, int], int]:
    """Map (dimension, entity) to the physical number, which is 0 where there is no group."""
    groups: dict[tuple[int, int], int] = {}
    for dimension, count in enumerate(reader.sizes(4)):
        for _ in range(int(count)):
            entity = int(reader.integers(1)[0])
            reader.doubles(3 if dimension == 0 else 6)
            physical = np.abs(reader.integers(int(reader.sizes(1)[0])))
            if dimension:
                reader.integers(int(reader.sizes(1)[0]))
            groups[dimension, entity] = _chosen([int(n) for n in physical], names, dimension)
    return groups


def _chosen(physical: list[int], names: dict[int, dict[str, int]], dimension: int) -> int:
    """Choose the one of an entity's groups that has a meaning here."""
    cells = max((level for level, group in names.items() if group), default=dimension)
    if len(physical) < 2 or dimension < cells - 1:
        return physical[0] if physical else 0
    named = {number: name for name, number in names[dimension].items()}
    known = [n for n in physical if is_known(named.get(n, ""), cells=dimension == cells)]
    if len(known) > 1:
        raise InputError(
            f"a part of dimension {dimension} is in two groups, {named[known[0]]} and"
            f" {named[known[1]]} (allowed: one). Take it out of one of them."
        )
    return (known or physical)[0]


def _read_elements(
    reader: _Reader, lookup: Ints, groups: dict[tuple[int, int], int]
) -> dict[int, tuple[Ints, Ints]]:
    blocks, _, _, _ = reader.sizes(4)
    parts: dict[int, list[tuple[Ints, Ints]]] = {}
    for _ in range(int(blocks)):
        dimension, entity, kind = (int(v) for v in reader.integers(3))
        size = int(reader.sizes(1)[0])
        if kind not in ELEMENT_NODES:
            if kind not in OTHER_ELEMENTS:
                raise ValueError(f"element type {kind} is not a simplex of order 1 or 2")
            raise InputError(
                f"holds {OTHER_ELEMENTS[kind]} (allowed: triangles or tetrahedra of order 1 or 2)."
                " Mesh it with those, without recombining."
            )
        rows = reader.rows(size, 1 + ELEMENT_NODES[kind])
        parts.setdefault(kind, []).append((rows, np.full(size, groups.get((dimension, entity), 0))))
    elements = {}
    for kind, chunks in parts.items():
        rows = np.concatenate([chunk for chunk, _ in chunks])
        group = np.concatenate([chunk for _, chunk in chunks])
        rank = np.argsort(rows[:, 0], kind="stable")
        connectivity = lookup[rows[rank, 1:]]
        if connectivity.min(initial=0) < 0:
            raise ValueError("an element names a node that does not exist")
        elements[kind] = (connectivity, group[rank])
    return elements
