"""Electrode meshes as gmsh's MSH 4.1 files, with a named group for every part.

Groups of cells are `cbd`, `separator`, `particle_0000`, ...; groups of facets are `collector`,
`lithium`, `walls` and `interface`. gmsh and meshio can read the files; reading them here needs
neither, for the reasons in heterode.geometry.msh_parser.
Format: gmsh reference manual, "MSH file format" (version 4.1).
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.base.temporary import new_beside
from heterode.geometry import tags
from heterode.geometry.mesh_data import MeshData, content_hash, facets_of
from heterode.geometry.msh_facets import check_facets
from heterode.geometry.msh_groups import cell_tags_of
from heterode.geometry.msh_parser import MshContent, parse_msh
from heterode.geometry.orientation import folded_facets, oriented

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CELL_TYPES = {(2, 1): 2, (2, 2): 9, (3, 1): 4, (3, 2): 11}
"""gmsh's element type of a cell, by (dimension, order)."""

FACET_TYPES = {(2, 1): 1, (2, 2): 8, (3, 1): 2, (3, 2): 9}

UNKNOWN = 12 * "?"
"""Placeholder for the size of the file until it is known."""

REBUILD = "Rebuild it with `heterode mesh`."

NAME_THEM = "Name the groups so in the program that wrote the mesh, or make it by `heterode mesh`."

FLAT = 1e-6
"""Largest extent along z of a 2D mesh, as a share of its largest extent."""


def write_msh(path: Path | str, mesh: MeshData) -> None:
    """Write a binary MSH 4.1 file; it appears whole, since a temporary file is renamed.

    Raises:
        InputError: the file cannot be written.
    """
    path = Path(path)
    try:
        with new_beside(path) as partial:
            with open(partial, "wb") as stream:
                stream.write(msh_bytes(mesh))
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(partial, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}).") from None


def read_msh(path: Path | str) -> MeshData:
    """Read a mesh of order 1 or 2 with the groups of cells named above, from heterode or elsewhere.

    A file that heterode wrote is checked against the checksum in it. The facets follow from the
    cells, so files from elsewhere need not name them; see heterode.geometry.msh_facets. Such files
    may also number the nodes of a cell in either sense; see heterode.geometry.orientation.

    Raises:
        InputError: the file is not a readable MSH 4.1 file, is damaged, or lacks a group.
    """
    content = parse_msh(path)
    dimension = 3 if any(t in content.elements for t in (4, 11)) else 2
    orders = [o for o in (1, 2) if CELL_TYPES[dimension, o] in content.elements]
    if len(orders) != 1:
        found = "no triangles or tetrahedra" if not orders else "straight and curved cells mixed"
        raise InputError(f"{path}: {found} (allowed: cells of order 1 or of order 2). {REBUILD}")
    order = orders[0]
    cells, groups = content.elements[CELL_TYPES[dimension, order]]
    try:
        cell_tags = cell_tags_of(content.names, groups, dimension, NAME_THEM)
        if content.fault:
            raise InputError(f"damaged or cut short ({content.fault}). {REBUILD}")
        name = content.notes.get("hash", "")
        # Damage can make coordinates huge; numbers that overflow fail the checks that follow.
        with np.errstate(over="ignore", invalid="ignore"):
            points = _in_plane(content.points, cells, dimension)
            cells = oriented(points, cells, order)
            mesh = MeshData.from_cells(points, cells, cell_tags, order, name)
        found = content_hash(mesh.points_um, mesh.cells, mesh.cell_tags)
        if content.notes.get("content") == found:
            return replace(mesh, layer_cells=_layer_cells(content, mesh))
        if content.notes.get("bytes") == f"{content.size:012d}":
            raise InputError(f"the mesh differs from its checksum: damaged. {REBUILD}")
        _require_unfolded(mesh)
        check_facets(mesh, _named_facets(content, dimension, np.unique(cells)))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    # When gmsh rewrites a mesh, it copies the section with the checksum, changed or not.
    return replace(mesh, hash=found)


def _layer_cells(content: MshContent, mesh: MeshData) -> int:
    """Return how many of the last cells are noted to be layers."""
    noted = content.notes.get("layers", "0")
    count, cells = int(noted) if noted.isdecimal() and len(noted) < 18 else -1, len(mesh.cells)
    if not 0 <= count < cells or np.any(mesh.cell_tags[cells - count :] < tags.PARTICLE_OFFSET):
        raise InputError(f"damaged: {noted[:18]} cells of layers. {REBUILD}")
    return count


def _in_plane(points: Floats, cells: Ints, dimension: int) -> Floats:
    """Return (P, dimension) coordinates, and refuse a 2D mesh that is not flat."""
    if dimension == 2:
        extent = np.ptp(points[np.unique(cells)], axis=0)
        if not extent[2] <= FLAT * extent.max():
            raise InputError(
                f"its triangles reach over {extent[2]:.4g} um along z (allowed: a mesh of triangles"
                " in the plane of x and y, x along the thickness; or one of tetrahedra, z along the"
                " thickness). Turn it into that plane, or mesh the volumes."
            )
    return points[:, :dimension]


def _require_unfolded(mesh: MeshData) -> None:
    folded = folded_facets(mesh.cells, mesh.dimension)
    if folded:
        raise InputError(
            f"cells lie over each other at {folded} facets: both that meet there are on the same"
            " side of it (allowed: a mesh that covers each place once). Mesh it again."
        )


def _named_facets(content: MshContent, dimension: int, used: Ints) -> dict[str, Ints]:
    """Return the corners of each group's facets, as positions in the numbers of points in use."""
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


def msh_bytes(mesh: MeshData) -> bytes:
    """Return the content of a binary MSH 4.1 file."""
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
        + f"hash {mesh.hash}\ncontent {digest}\nbytes {UNKNOWN}\n".encode()
        + (f"layers {mesh.layer_cells}\n".encode() if mesh.layer_cells else b"")
        + b"$EndHeterode\n",
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
    """Return one entity for each group, with the same number and its bounding box."""
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
            # A node's entity only matters to CAD, not to a mesh, so all nodes belong to the CBD.
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
    # Cells come first, in their own order within a group: reading restores MeshData's order from
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
