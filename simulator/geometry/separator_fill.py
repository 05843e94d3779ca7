"""Tetrahedra of the separator above a coating that has been meshed: gmsh fills the box."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from heterode.geometry import tags
from heterode.geometry.gmsh_session import gmsh_session
from heterode.geometry.meshing_3d import DELAUNAY, Part, tetrahedra

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SLOPE = 0.3
"""Growth of the edge length per length of distance from the coating."""


def separator_above(
    points: Floats, triangles: Ints, thickness_um: float, size_um: float
) -> tuple[Floats, Ints]:
    """Mesh a separator on top of triangles that fill a rectangle.

    Args:
        points: (P, 3), um.
        triangles: (T, 3) all of the rectangle in the plane of the largest z.
        thickness_um: thickness of the separator.
        size_um: largest edge length.

    Returns:
        points that begin with those given, and cells (M, 4) of the separator.
    """
    nodes, flat = np.unique(triangles, return_inverse=True)
    place = points[nodes]
    corner = place.min(axis=0), place.max(axis=0)
    base = np.asarray(flat.reshape(triangles.shape), dtype=np.int64)
    edges = np.sort(base[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    sides, times = np.unique(edges, axis=0, return_counts=True)
    rim = sides[times == 1].astype(np.int64)
    start = float(np.median(np.linalg.norm(place[edges[:, 0]] - place[edges[:, 1]], axis=1)))
    walls, wall_triangles = _walls(place, rim, corner, thickness_um, start, size_um)
    every = np.concatenate([place, walls])
    parts: list[Part] = [(base, (tags.SEPARATOR,)), (wall_triangles, (tags.SEPARATOR,))]
    filled, cells, _ = tetrahedra(every, parts, DELAUNAY)
    # gmsh keeps the nodes that it was given, but not their order.
    given = cKDTree(filled).query(place)[1]
    number = np.full(len(filled), -1, dtype=np.int64)
    number[given] = nodes
    fresh = number < 0
    number[fresh] = len(points) + np.arange(int(fresh.sum()))
    return np.concatenate([points, filled[fresh]]), number[cells]


def _walls(
    place: Floats,
    rim: Ints,
    corner: tuple[Floats, Floats],
    thickness: float,
    start: float,
    size: float,
) -> tuple[Floats, Ints]:
    """Return nodes of the walls and the top beyond those given, and their triangles."""
    options = {"Mesh.MeshSizeExtendFromBoundary": 0, "Mesh.MeshSizeMax": max(size, start)}
    low, high = corner
    top = float(high[2])
    with gmsh_session("heterode-separator", options) as gmsh:
        geo = gmsh.model.geo
        ends = np.unique(rim)
        point = {int(n): geo.addPoint(*place[n]) for n in ends}
        lines = []
        for a, b in rim:
            lines.append(geo.addLine(point[int(a)], point[int(b)]))
            geo.mesh.setTransfiniteCurve(lines[-1], 2)
        corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
        below = [int(ends[np.argmin(np.abs(place[ends, :2] - c).sum(axis=1))]) for c in corners]
        above = [geo.addPoint(x, y, top + thickness) for x, y in corners]
        upright = [geo.addLine(point[b], a) for b, a in zip(below, above, strict=True)]
        crown = [geo.addLine(above[k], above[(k + 1) % 4]) for k in range(4)]
        for k, (axis, value) in enumerate(((1, low[1]), (0, high[0]), (1, high[1]), (0, low[0]))):
            on = np.abs(place[rim, axis] - value).max(axis=1) < 1e-9 * max(1.0, top)
            chain = [lines[k] for k in np.flatnonzero(on)]
            loop = geo.addCurveLoop(
                [*chain, upright[(k + 1) % 4], crown[k], upright[k]], reorient=True
            )
            geo.addPlaneSurface([loop])
        geo.addPlaneSurface([geo.addCurveLoop(crown)])
        geo.synchronize()
        fields = gmsh.model.mesh.field
        growth = fields.add("MathEval")
        fields.setString(growth, "F", f"min({size!r}, {start!r} + {SLOPE!r} * (z - {top!r}))")
        fields.setAsBackgroundMesh(growth)
        gmsh.model.mesh.generate(2)
        numbers, coordinates, _ = gmsh.model.mesh.getNodes()
        _, corners_of = gmsh.model.mesh.getElementsByType(2)
        given = {int(gmsh.model.mesh.getNodes(0, tag)[0][0]): n for n, tag in point.items()}
    fresh = [int(n) for n in numbers if int(n) not in given]
    lookup = np.zeros(int(numbers.max()) + 1, dtype=np.int64)
    for number, node in given.items():
        lookup[number] = node
    lookup[fresh] = len(place) + np.arange(len(fresh))
    where = {int(n): row for row, n in enumerate(numbers)}
    nodes = coordinates.reshape(-1, 3)[[where[n] for n in fresh]]
    return nodes, lookup[corners_of].reshape(-1, 3)
