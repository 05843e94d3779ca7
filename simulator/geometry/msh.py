"""Electrode meshes as gmsh's MSH 4.1 files, with a named group for every part.

Groups: `cbd`, `separator`, `particle_0000`, ... of cells; `collector`, `lithium`, `walls`,
`interface` of facets. gmsh and meshio read the files; reading here needs neither (see heterode.geometry.msh_parser).
Format: gmsh reference manual, "MSH file format" (version 4.1).
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.geometry import tags
from heterode.geometry.mesh_data import MeshData, content_hash, facets_of
from heterode.geometry.msh_facets import check_facets
from heterode.geometry.msh_parser import MshContent, parse_msh

Ints = npt.NDArray[np.int64]

CELL_TYPES = {(2, 1): 2, (2, 2): 9, (3, 1): 4, (3, 2): 11}
"""gmsh's element type of a cell, by (dimension, order)."""

FACET_TYPES = {(2, 1): 1, (2, 2): 8, (3, 1): 2, (3, 2): 9}

UNKNOWN = 12 * "?"
"""Stands for the size of the file until it is known."""

REBUILD = "Rebuild it with `heterode mesh`."


def write_msh(path: Path | str, mesh: MeshData) -> None:
    """Write a binary MSH 4.1 file, by temporary file and rename.

    Raises:
        InputError: the file cannot be written.
    """
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}).") from None
    try:
        # mkstemp makes the file private; a mesh is as public as the user's other files.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        with os.fdopen(handle, "wb") as stream:
            stream.write(msh_bytes(mesh))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(f"{path}: cannot be written ({error.strerror}).") from None
        raise


def read_msh(path: Path | str) -> MeshData:
    """Read a mesh of order 1 or 2 with the groups of cells named above, from heterode or elsewhere.

    A file as heterode wrote it is checked against the checksum it carries. The facets follow from
    the cells, so files from elsewhere need not name them; see heterode.geometry.msh_facets.

    Raises:
        InputError: not a readable MSH 4.1 file, damaged, or a group missing; names the remedy.
    """
    content = parse_msh(path)
    dimension = 3 if any(t in content.elements for t in (4, 11)) else 2
    orders = [o for o in (1, 2) if CELL_TYPES[dimension, o] in content.elements]
    if len(orders) != 1:
        found = "no triangles or tetrahedra" if not orders else "straight and curved cells mixed"
        raise InputError(f"{path}: {found} (allowed: cells of order 1 or of order 2). {REBUILD}")
    order = orders[0]
    _require_groups(path, content, dimension)
    cells, groups = content.elements[CELL_TYPES[dimension, order]]
    try:
        cell_tags = _cell_tags(content.names[dimension], groups)
        name = content.notes.get("hash", "")
        # Damage can make coordinates huge; what overflows fails the checks that follow.
        with np.errstate(over="ignore", invalid="ignore"):
            points = content.points[:, :dimension]
            mesh = MeshData.from_cells(points, cells, cell_tags, order, name)
        found = content_hash(mesh.points_um, mesh.cells, mesh.cell_tags)
        if content.notes.get("content") == found:
            return mesh
        if content.notes.get("bytes") == f"{content.size:012d}":
            raise InputError(f"the mesh differs from its checksum: damaged. {REBUILD}")
        check_facets(mesh, _named_facets(content, dimension, np.unique(cells)))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    # gmsh copies the section with the checksum when it writes the mesh anew, changed or not.
    return replace(mesh, hash=found)


def _require_groups(path: Path | str, content: MshContent, dimension: int) -> None:
    present = {
        name
        for name, number in content.names[dimension].items()
        if any(np.any(groups == number) for _, groups in content.elements_of(dimension))
    }
    for name in [*tags.CELL_NAMES.values(), tags.particle_name(0)]:
        if name not in present:
            found = ", ".join(sorted(present)[:6]) or "none"
            raise InputError(
                f"{path}: no cells tagged '{name}' (found: {found}"
                f"{', ...' if len(present) > 6 else ''}). {REBUILD}"
            )


def _named_facets(content: MshContent, dimension: int, used: Ints) -> dict[str, Ints]:
    """Corners of the facets of each group, as positions in the numbers of the points in use."""
    named: dict[str, Ints] = {}
    for name, number in content.names[dimension - 1].items():
        found = [
            facets[groups == number, :dimension]
            for facets, groups in content.elements_of(dimension - 1)
        ]
        corners = np.concatenate(found) if found else np.zeros((0, dimension), dtype=np.int64)
        place = np.minimum(np.searchsorted(used, corners), len(used) - 1)
        named[name] = np.where(used[place] == corners, place, -1)
    return named


def _cell_tags(names: dict[str, int], groups: Ints) -> npt.NDArray[np.int32]:
    """Physical numbers of a file -> the tags of `tags`, by group name."""
    known = {name: tag for tag, name in tags.CELL_NAMES.items()}
    translated = np.full(max([*names.values(), int(groups.max(initial=0))]) + 1, -1, dtype=np.int32)
    for name, number in names.items():
        suffix = name.removeprefix(tags.PARTICLE_PREFIX)
        if name in known:
            translated[number] = known[name]
        elif name.startswith(tags.PARTICLE_PREFIX) and suffix.isascii() and suffix.isdecimal():
            translated[number] = tags.PARTICLE_OFFSET + int(suffix)
    result: npt.NDArray[np.int32] = translated[np.maximum(groups, 0)]
    if np.any(result < 0):
        raise InputError(
            f"{int(np.sum(result < 0))} cells belong to none of the groups cbd, separator,"
            f" particle_0000, ... {REBUILD}"
        )
    return result


def msh_bytes(mesh: MeshData) -> bytes:
    """The content of a binary MSH 4.1 file."""
    dimension, order = mesh.dimension, mesh.order
    facets, facet_tags = facets_of(mesh.points_um, mesh.cells, mesh.cell_tags, order)
    count = len(mesh.particles)
    volumes = {**tags.CELL_NAMES}
    volumes.update({tags.PARTICLE_OFFSET + i: tags.particle_name(i) for i in range(count)})
    names = [(dimension - 1, tag, name) for tag, name in tags.FACET_NAMES.items()]
    names += [(dimension, tag, name) for tag, name in volumes.items()]
    digest = content_hash(mesh.points_um, mesh.cells, mesh.cell_tags)
    sections = [
        b"$MeshFormat\n4.1 1 8\n" + np.array([1], "<i4").tobytes() + b"\n$EndMeshFormat\n",
        b"$Heterode\nlengths micrometres\n"
        + f"hash {mesh.hash}\ncontent {digest}\nbytes {UNKNOWN}\n$EndHeterode\n".encode(),
        "\n".join(
            ["$PhysicalNames", str(len(names))]
            + [f'{level} {tag} "{name}"' for level, tag, name in names]
            + ["$EndPhysicalNames\n"]
        ).encode(),
        _entities(mesh, facets, facet_tags),
        _nodes(mesh),
        _elements(mesh, facets, facet_tags),
    ]
    size = sum(len(section) for section in sections)
    sections[1] = sections[1].replace(UNKNOWN.encode(), b"%012d" % size)
    return b"".join(sections)


def _entities(mesh: MeshData, facets: Ints, facet_tags: Ints) -> bytes:
    """One entity per group, of the same number, with its bounding box."""
    counts = [0, 0, 0, 0]
    rows: list[bytes] = []
    for level, connectivity, group in (
        (mesh.dimension - 1, facets, facet_tags),
        (mesh.dimension, mesh.cells, mesh.cell_tags),
    ):
        order = np.argsort(group, kind="stable")
        present, first = np.unique(group[order], return_index=True)
        counts[level] = len(present)
        corners = np.zeros((len(group), 2, 3))
        nodes = mesh.points_um[connectivity[order]]
        corners[:, 0, : mesh.dimension] = nodes.min(axis=1)
        corners[:, 1, : mesh.dimension] = nodes.max(axis=1)
        low = np.minimum.reduceat(corners[:, 0], first)
        high = np.maximum.reduceat(corners[:, 1], first)
        for tag, a, b in zip(present, low, high, strict=True):
            number = np.array([tag], "<i4").tobytes()
            box = np.array([*a, *b], "<f8").tobytes()
            one, none = np.array([1], "<u8").tobytes(), np.array([0], "<u8").tobytes()
            rows.append(number + box + one + number + none)
    header = np.array(counts, "<u8").tobytes()
    return b"$Entities\n" + header + b"".join(rows) + b"\n$EndEntities\n"


def _nodes(mesh: MeshData) -> bytes:
    count = len(mesh.points_um)
    points = np.zeros((count, 3))
    points[:, : mesh.dimension] = mesh.points_um
    return b"".join(
        [
            b"$Nodes\n",
            np.array([1, count, 1, count], "<u8").tobytes(),
            # Which entity a node is filed under matters to CAD, not to a mesh: all under the CBD.
            np.array([mesh.dimension, tags.CBD, 0], "<i4").tobytes(),
            np.array([count], "<u8").tobytes(),
            np.arange(1, count + 1, dtype="<u8").tobytes(),
            points.astype("<f8").tobytes(),
            b"\n$EndNodes\n",
        ]
    )


def _elements(mesh: MeshData, facets: Ints, facet_tags: Ints) -> bytes:
    key = (mesh.dimension, mesh.order)
    blocks: list[bytes] = []
    number = 1
    # Cells first and in their own order within a group: reading restores MeshData's order from
    # the element numbers.
    total = len(mesh.cells) + len(facets)
    for level, kind, connectivity, group, start in (
        (mesh.dimension, CELL_TYPES[key], mesh.cells, mesh.cell_tags, 1),
        (mesh.dimension - 1, FACET_TYPES[key], facets, facet_tags, len(mesh.cells) + 1),
    ):
        order = np.argsort(group, kind="stable")
        bounds = np.flatnonzero(np.diff(group[order])) + 1
        for members in np.split(order, bounds):
            head = np.array([level, group[members[0]], kind], "<i4").tobytes()
            rows = np.column_stack([members + start, connectivity[members] + 1]).astype("<u8")
            blocks.append(head + np.array([len(members)], "<u8").tobytes() + rows.tobytes())
            number += len(members)
    header = np.array([len(blocks), total, 1, total], "<u8").tobytes()
    return b"$Elements\n" + header + b"".join(blocks) + b"\n$EndElements\n"
