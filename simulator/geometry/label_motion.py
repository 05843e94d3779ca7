"""Moves of the nodes of a label stack's tetrahedra: smooth surfaces, exact volumes, good cells."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from heterode.geometry.label_lattice import Lattice
from heterode.geometry.label_levels import Fields, Levels
from heterode.geometry.label_loops import FIXED, FREE, SURFACE, mend, relax
from heterode.geometry.mesh_data import facet_mates
from heterode.geometry.packing import Progress
from heterode.geometry.simplex import FACETS, integrate_cells, tetrahedron_sicn

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

FIRST_SWEEPS = 5
ROUNDS, SWEEPS = 8, 2
GOOD = 0.2
"""SICN up to which a move may make a cell worse."""

WANTED = 0.15
"""SICN below which a cell is mended."""

MENDING = 16
TRIALS = 32
REACH, SLACK = 0.4, 0.4
"""Longest trial move in units of the shortest edge at a node, and that off a surface in moves."""

RESTORING = 10
LITTLE = 0.02
"""Relative lack of volume up to which a particle gets all of it in the end."""

CROWDED = 0.4
"""Share of the gap by which the surface of a particle without other room may move into it."""


@dataclass(frozen=True, eq=False)
class _Nodes:
    """What is round each node, for the compiled loops."""

    first: Ints
    star: Ints
    ring_first: Ints
    ring: Ints
    kind: Ints
    owner: Ints
    facets: Ints
    particle: Ints


@dataclass(frozen=True, eq=False)
class Motion:
    """The particles' levels and what the moves need beside them.

    Attributes:
        levels: of the particles and voids.
        volumes: (N,) their wanted volumes, um^3.
        low: (3,) position of the levels' places in the box, um.
        extent: (3,) extents of the box, um.
        gap_um: gap to keep.
        step_um: spacing of the grid.
    """

    levels: Levels
    volumes: Floats
    low: Floats
    extent: Floats
    gap_um: float
    step_um: float

    def smoothed(self, mesh: Lattice) -> Lattice:
        """Even out the nodes of a lattice whose particles touch halfway between their outlines."""
        nodes = _nodes(mesh, len(self.volumes))
        points = mesh.points.copy()
        touching = np.full(len(self.volumes), 0.5 * self.gap_um)
        shift = np.column_stack([self.levels.shift, touching])
        self._relax(points, mesh.cells, nodes, FIRST_SWEEPS, shift)
        return replace(mesh, points=points)

    def fitted(self, mesh: Lattice, progress: Progress | None = None) -> Lattice:
        """Move surfaces onto their levels, restore volumes and mend bad cells."""
        nodes = _nodes(mesh, len(self.volumes))
        points = mesh.points.copy()
        shift = np.column_stack([self.levels.shift, np.zeros(len(self.volumes))])
        for turn in range(ROUNDS):
            self._relax(points, mesh.cells, nodes, SWEEPS, shift)
            self._shift(points, mesh, nodes, shift)
            self._mend(points, mesh.cells, nodes, turn, shift)
            if progress is not None:
                progress(f"surfaces of all labels fitted: round {turn + 1} of {ROUNDS}")
        for turn in range(MENDING):
            # Where no place on a surface will do, its nodes may leave it a little.
            slack = SLACK if turn > MENDING // 2 else 0.0
            if not self._mend(points, mesh.cells, nodes, turn, shift, slack):
                break
        self._restore(points, mesh, nodes, shift)
        return replace(mesh, points=points)

    def _space(self, shift: Floats) -> tuple[Floats, Floats, float, Fields]:
        """Return `space` of label_loops.py."""
        box = np.stack([-self.low, self.extent - self.low])
        return shift, box, self.gap_um, self.levels.fields

    def _relax(
        self, points: Floats, cells: Ints, nodes: _Nodes, sweeps: int, shift: Floats
    ) -> None:
        around, space = (cells, nodes.first, nodes.star), self._space(shift)
        points -= self.low
        for _ in range(sweeps):
            relax(
                points,
                around,
                nodes.ring_first,
                nodes.ring,
                nodes.kind,
                nodes.owner,
                GOOD,
                self.step_um,
                space,
            )
        points += self.low

    def _shift(self, points: Floats, mesh: Lattice, nodes: _Nodes, shift: Floats) -> None:
        """Change the shifts by what the volumes lack over the area that can move."""
        count = len(self.volumes)
        found = self._volumes(points, mesh)
        corners = points[nodes.facets]
        area = 0.5 * np.linalg.norm(
            np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
        )
        near, between = self.levels.at(nodes.particle, corners.mean(axis=1) - self.low)
        free = between - shift[nodes.particle, 1] < near - shift[nodes.particle, 0]
        room = np.bincount(nodes.particle, area * free, count)
        whole = np.bincount(nodes.particle, area, count)
        lacking = self.volumes - found
        limit = 0.3 * self.step_um
        step = np.clip(lacking / np.maximum(room, 0.1 * whole), -limit, limit)
        wanted = shift[:, 0] + step
        shift[:, 0] = np.minimum(wanted, self.levels.farthest)
        # Where there is no more room, contacts give way.
        more = np.where(wanted > self.levels.farthest, lacking, 0.0)
        more /= np.maximum(whole - room, 0.1 * whole)
        shift[:, 1] = np.clip(shift[:, 1] + more, 0.0, CROWDED * self.gap_um)

    def _volumes(self, points: Floats, mesh: Lattice) -> Floats:
        """Return the volumes (N,) of the particles' cells."""
        count = len(self.volumes)
        solid = (mesh.labels >= 1) & (mesh.labels <= count)
        volume, _ = integrate_cells(points, mesh.cells[solid], 1)
        return np.bincount(mesh.labels[solid] - 1, volume, count).astype(np.float64)

    def _restore(self, points: Floats, mesh: Lattice, nodes: _Nodes, shift: Floats) -> None:
        """Give particles that lack little volume all of it, by moves of their free surfaces."""
        count = len(self.volumes)
        near, between = self.levels.at(nodes.owner.clip(0), points - self.low)
        owner = nodes.owner.clip(0)
        free = (nodes.kind == SURFACE) & (
            between - shift[owner, 1] < near - shift[owner, 0] - 0.1 * self.gap_um
        )
        before = tetrahedron_sicn(points[mesh.cells])
        held: Mask = np.zeros(count, dtype=np.bool_)
        for _ in range(RESTORING):
            lacking = self.volumes - self._volumes(points, mesh)
            lacking[held | (np.abs(lacking) > LITTLE * self.volumes)] = 0.0
            a, b, c = (points[nodes.facets[:, k]] for k in range(3))
            third = np.cross(b - a, c - a) / 6.0
            slope = np.column_stack(
                [
                    np.bincount(nodes.facets.ravel(), np.repeat(third[:, k], 3), len(points))
                    for k in range(3)
                ]
            )
            slope[~free] = 0.0
            total = np.bincount(owner, (slope**2).sum(axis=1), count)
            gain = np.divide(lacking, total, out=np.zeros(count), where=total > 0.0)
            moved = points + gain[owner][:, None] * slope
            bad = tetrahedron_sicn(moved[mesh.cells]) < np.minimum(WANTED, 0.9 * before)
            if bad.any():
                # Particles at which cells would become bad stay as they are.
                touched = np.unique(mesh.cells[bad])
                held[owner[touched[free[touched]]]] = True
            else:
                points[:] = moved

    def _mend(
        self,
        points: Floats,
        cells: Ints,
        nodes: _Nodes,
        turn: int,
        shift: Floats,
        slack: float = 0.0,
    ) -> int:
        """Improve the worst cells; return how many nodes moved."""
        bad = tetrahedron_sicn(points[cells]) < WANTED
        if not bad.any():
            return 0
        around = (cells, nodes.first, nodes.star)
        touched = np.unique(cells[bad])
        points -= self.low
        moved = mend(
            points,
            around,
            nodes.kind,
            nodes.owner,
            touched,
            _trials(turn),
            slack,
            self._space(shift),
        )
        points += self.low
        return int(moved)


def _trials(turn: int) -> Floats:
    """Return trial moves (TRIALS, 3), others each time."""
    random = np.random.default_rng(turn)
    way = random.standard_normal((TRIALS, 3))
    way *= REACH / np.linalg.norm(way, axis=1)[:, None]
    return np.ascontiguousarray(way * random.random((TRIALS, 1)))


def _nodes(mesh: Lattice, count: int) -> _Nodes:
    cells, size = mesh.cells, len(mesh.points)
    order = np.argsort(cells.ravel(), kind="stable")
    first = np.searchsorted(cells.ravel()[order], np.arange(size + 1))
    mates = facet_mates(cells, 3)
    rows = np.arange(len(mates))
    own = mesh.labels[rows // 4]
    other = np.where(mates >= 0, mesh.labels[mates // 4], own)
    # A void's surface is its own, not that of the particle round it.
    surface = (own >= 1) & (own <= count) & (other < own)
    bound = np.flatnonzero(surface)
    facets = cells[bound[:, None] // 4, np.array(FACETS[3])[bound % 4]]
    particle = mesh.labels[bound // 4] - 1
    kind = np.full(size, FREE, dtype=np.int64)
    owner = np.full(size, -1, dtype=np.int64)
    kind[facets] = SURFACE
    np.maximum.at(owner, facets.ravel(), np.repeat(particle, 3))
    kind[mesh.fixed] = FIXED
    ring_first, ring = _rings(cells, facets, kind, size)
    return _Nodes(first, order // 4, ring_first, ring, kind, owner, facets, particle)


def _rings(cells: Ints, facets: Ints, kind: Ints, size: int) -> tuple[Ints, Ints]:
    """Return the neighbours of each node; on surfaces only those there."""
    pairs = cells[:, [0, 0, 0, 1, 1, 2, 1, 2, 3, 2, 3, 3]].reshape(len(cells), 2, 6)
    every = np.column_stack([pairs[:, 0].ravel(), pairs[:, 1].ravel()])
    flat = facets[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    both = np.concatenate([every, every[:, ::-1]])
    inner = both[kind[both[:, 0]] == FREE]
    around = np.concatenate([flat, flat[:, ::-1]])
    keys = np.concatenate([inner, around])
    key = np.unique(keys[:, 0] * size + keys[:, 1])
    start = key // size
    return np.searchsorted(start, np.arange(size + 1)), key % size
