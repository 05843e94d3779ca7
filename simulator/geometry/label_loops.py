"""The compiled loops of label stacks: level functions at a point, and moves of nodes.

Several arrays pass through all of them as one tuple:

    fields   own, apart, start, shape, origin, spacing, as in label_levels.py
    space    shift (N, 2) outward of free surfaces and of contacts; box (2, 3) its low and high
             corner; gap; fields
    round    cells (M, 4), and the cells star[first[v]:first[v + 1]] that have node v
"""

from __future__ import annotations

from typing import Any

import numpy as np

from heterode.heterogeneity.compiled import compiled

Array = Any
Arrays = Any

FIXED, FREE, SURFACE = 0, 1, 2
"""Kinds of nodes: on the planes of the box; inside a domain; on the surface of a particle."""


@compiled
def lookup(field: Array, fields: Arrays, which: int, x: float, y: float, z: float) -> float:
    """Interpolate a particle's distances at a point, and go on from its window's border."""
    _, _, start, shape, origin, spacing = fields
    n0, n1, n2 = shape[which, 0], shape[which, 1], shape[which, 2]
    s = (x - origin[which, 0]) / spacing[0]
    t = (y - origin[which, 1]) / spacing[1]
    u = (z - origin[which, 2]) / spacing[2]
    a, b, c = min(max(s, 0.0), n0 - 1.0), min(max(t, 0.0), n1 - 1.0), min(max(u, 0.0), n2 - 1.0)
    i, j, k = min(int(a), n0 - 2), min(int(b), n1 - 2), min(int(c), n2 - 2)
    p, q, r = a - i, b - j, c - k
    row = start[which] + (i * n1 + j) * n2 + k
    near = (1.0 - q) * ((1.0 - r) * field[row] + r * field[row + 1])
    near += q * ((1.0 - r) * field[row + n2] + r * field[row + n2 + 1])
    row += n1 * n2
    far = (1.0 - q) * ((1.0 - r) * field[row] + r * field[row + 1])
    far += q * ((1.0 - r) * field[row + n2] + r * field[row + n2 + 1])
    found: float = (1.0 - p) * near + p * far
    away = ((s - a) * spacing[0]) ** 2 + ((t - b) * spacing[1]) ** 2
    if a != s or b != t or c != u:
        found += np.sqrt(away + ((u - c) * spacing[2]) ** 2)
    return found


@compiled
def distances(points: Array, which: Array, fields: Arrays) -> Array:
    """Return (n, 2) both distances of particles at points."""
    found = np.empty((len(points), 2))
    for i in range(len(points)):
        x, y, z = points[i]
        found[i, 0] = lookup(fields[0], fields, which[i], x, y, z)
        found[i, 1] = lookup(fields[1], fields, which[i], x, y, z)
    return found


@compiled
def level(which: int, x: float, y: float, z: float, space: Arrays) -> float:
    """Return the level function of a particle at a point."""
    shift, box, gap, fields = space
    found: float = lookup(fields[0], fields, which, x, y, z) - shift[which, 0]
    contact = lookup(fields[1], fields, which, x, y, z) - shift[which, 1]
    # Where a contact meets the free surface, the edge is rounded.
    bend = max(gap - abs(found - contact), 0.0)
    found = max(found, contact) + 0.25 * bend * bend / gap
    wall = min(x - box[0, 0], box[1, 0] - x)
    wall = min(wall, min(y - box[0, 1], box[1, 1] - y))
    wall = min(wall, min(z - box[0, 2], box[1, 2] - z))
    held: float = max(found, gap - wall)
    return held


@compiled
def onto(which: int, place: Array, longest: float, space: Arrays) -> None:
    """Move a place onto the surface of a particle, by at most a length."""
    spacing = space[3][5]
    h = 0.5 * min(spacing[0], min(spacing[1], spacing[2]))
    gone = 0.0
    for _ in range(4):
        x, y, z = place[0], place[1], place[2]
        value = level(which, x, y, z, space)
        if abs(value) < 1e-3 * h:
            return
        dx = level(which, x + h, y, z, space) - level(which, x - h, y, z, space)
        dy = level(which, x, y + h, z, space) - level(which, x, y - h, z, space)
        dz = level(which, x, y, z + h, space) - level(which, x, y, z - h, space)
        steep = np.sqrt(dx * dx + dy * dy + dz * dz) / (2.0 * h)
        # Where distances have a ridge there is no way to the surface.
        if steep < 0.2:
            return
        size = min(abs(value) / steep, longest - gone)
        gone += size
        size *= (1.0 if value > 0.0 else -1.0) / (2.0 * h * steep)
        place[0], place[1], place[2] = x - size * dx, y - size * dy, z - size * dz
        if gone >= longest:
            return


@compiled
def sicn(points: Array, cells: Array, cell: int) -> float:
    """Return the signed inverse condition number of a tetrahedron, as in simplex.py."""
    o, p, q, r = cells[cell, 0], cells[cell, 1], cells[cell, 2], cells[cell, 3]
    x, y, z = points[o, 0], points[o, 1], points[o, 2]
    ax, ay, az = points[p, 0] - x, points[p, 1] - y, points[p, 2] - z
    ux, uy, uz = points[q, 0] - x, points[q, 1] - y, points[q, 2] - z
    vx, vy, vz = points[r, 0] - x, points[r, 1] - y, points[r, 2] - z
    s, t = 1.0 / np.sqrt(3.0), 1.0 / np.sqrt(6.0)
    bx, by, bz = s * (2.0 * ux - ax), s * (2.0 * uy - ay), s * (2.0 * uz - az)
    cx, cy, cz = t * (3.0 * vx - ax - ux), t * (3.0 * vy - ay - uy), t * (3.0 * vz - az - uz)
    fx, fy, fz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    gx, gy, gz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
    hx, hy, hz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    edges = ax * ax + ay * ay + az * az + bx * bx + by * by + bz * bz + cx * cx + cy * cy + cz * cz
    faces = fx * fx + fy * fy + fz * fz + gx * gx + gy * gy + gz * gz + hx * hx + hy * hy + hz * hz
    found: float = 3.0 * (ax * fx + ay * fy + az * fz) / np.sqrt(max(edges * faces, 1e-300))
    return found


@compiled
def worst_round(points: Array, around: Arrays, node: int) -> float:
    """Return the least SICN of the cells round a node."""
    cells, first, star = around
    least = 2.0
    for k in range(first[node], first[node + 1]):
        least = min(least, sicn(points, cells, star[k]))
    return least


@compiled
def relax(
    points: Array,
    around: Arrays,
    ring_first: Array,
    ring: Array,
    kind: Array,
    owner: Array,
    wanted: float,
    longest: float,
    space: Arrays,
) -> None:
    """Move nodes to the middle of their neighbours, on surfaces back onto the level.

    A move is kept if the worst cell round the node becomes no worse or has the wanted SICN; else
    shorter moves are tried.

    Args:
        ring, ring_first: neighbours ring[ring_first[v]:ring_first[v + 1]] of node v.
        kind, owner: kind of each node, and the particle on whose surface it lies.
        wanted: SICN.
        longest: longest way of a node to its level.
    """
    target, before = np.empty(3), np.empty(3)
    for v in range(len(points)):
        count = ring_first[v + 1] - ring_first[v]
        if kind[v] == FIXED or count == 0:
            continue
        target[:] = 0.0
        for k in range(ring_first[v], ring_first[v + 1]):
            for axis in range(3):
                target[axis] += points[ring[k], axis]
        target /= count
        if kind[v] == SURFACE:
            onto(owner[v], target, longest, space)
        before[:] = points[v]
        limit = min(worst_round(points, around, v), wanted)
        part = 1.0
        while part > 0.1:
            for axis in range(3):
                points[v, axis] = before[axis] + part * (target[axis] - before[axis])
            if worst_round(points, around, v) >= limit:
                break
            part *= 0.5
        if part <= 0.1:
            points[v] = before


@compiled
def mend(
    points: Array,
    around: Arrays,
    kind: Array,
    owner: Array,
    nodes: Array,
    ways: Array,
    slack: float,
    space: Arrays,
) -> int:
    """Move nodes to the best of some trial places; return how many moved.

    Nodes on a surface go back onto its level, or at least no farther from it than `slack`.

    Args:
        nodes: those to move.
        ways: (T, 3) trial moves, in units of the shortest edge at a node.
        slack: in the same units.
    """
    cells, first, star = around
    moved = 0
    before, best, trial = np.empty(3), np.empty(3), np.empty(3)
    for v in nodes:
        if kind[v] == FIXED:
            continue
        before[:] = points[v]
        shortest = 1e300
        for k in range(first[v], first[v + 1]):
            for corner in range(4):
                w = cells[star[k], corner]
                if w != v:
                    shortest = min(shortest, ((points[w] - before) ** 2).sum())
        shortest = np.sqrt(shortest)
        least = worst_round(points, around, v)
        found = least
        for t in range(len(ways)):
            for axis in range(3):
                trial[axis] = before[axis] + shortest * ways[t, axis]
            if kind[v] == SURFACE:
                onto(owner[v], trial, shortest, space)
                for axis in range(3):
                    trial[axis] += slack * shortest * ways[len(ways) - 1 - t, axis]
            points[v] = trial
            now = worst_round(points, around, v)
            if now > found + 1e-4:
                found = now
                best[:] = trial
        if found > least:
            points[v] = best
            moved += 1
        else:
            points[v] = before
    return moved


@compiled
def inward(normal: Array, facet: Array, first: Array, depth: float) -> Array:
    """Return moves of copies behind all their facets, by a depth if that is possible.

    Args:
        normal: (F, 3) outward unit normals.
        facet, first: facets of copy c are facet[first[c]:first[c + 1]].
        depth: distance behind the facets that is wanted.

    Returns:
        (C, 4): the move, and its least cosine with the facets' inward normals.
    """
    found = np.zeros((len(first) - 1, 4))
    way = np.empty(3)
    for c in range(len(first) - 1):
        way[:] = 0.0
        for k in range(first[c], first[c + 1]):
            way -= normal[facet[k]]
        way /= max(np.sqrt((way * way).sum()), 1e-9)
        best = -2.0
        # The way turns away from the facet behind which it leads least.
        for _ in range(60):
            worst, least = first[c], 2.0
            for k in range(first[c], first[c + 1]):
                behind = -(way * normal[facet[k]]).sum()
                if behind < least:
                    worst, least = k, behind
            if least > best + 1e-3:
                best = least
                found[c, :3] = way
            way -= 0.15 * normal[facet[worst]]
            way /= max(np.sqrt((way * way).sum()), 1e-9)
        found[c, :3] *= depth / max(best, 0.5)
        found[c, 3] = best
    return found
