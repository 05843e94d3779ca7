"""Conforming tetrahedral meshes of stacks of label images, with particles of any shape.

Pages run along the thickness, the first one at the collector; rows are y and columns are x. Where
the border of the stack cuts a particle, the particle is closed there, and the box is made wider
than the stack by the gap and a voxel.

Surfaces are never handed to gmsh, which refuses those that meet, as the jagged contacts of a
watershed do. The tetrahedra of a grid follow the labels at its nodes whatever their shape
(label_lattice.py), contacts are parted by a layer of cells (label_contacts.py), and then all nodes
move, those of surfaces onto the level functions of their particles (label_levels.py), as far as no
cell becomes bad. gmsh fills the separator. Closed voids in a particle stay empty, since neither
electrolyte nor current reaches them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.geometry import tags
from heterode.geometry.label_contacts import parted_at_contacts
from heterode.geometry.label_grid import grid_labels
from heterode.geometry.label_lattice import Lattice, lattice_of
from heterode.geometry.label_levels import levels_of
from heterode.geometry.label_motion import Motion
from heterode.geometry.mesh_data import MeshData, facet_mates
from heterode.geometry.packing import Progress
from heterode.geometry.parting import (
    ImageMesh,
    Labels,
    Mask,
    deviations,
    largest_piece,
    require_resolved,
)
from heterode.geometry.separator_fill import separator_above
from heterode.geometry.simplex import tetrahedron_sicn
from heterode.parameters.geometry import MeshSettings

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_VOXELS = 30
LEAST_SICN = 0.05
"""Least SICN of the cells of a mesh."""

THINNINGS = 5
"""Most attempts at a grid without nodes at which a particle's surface is twisted."""

TYPICAL = 25.0
"""Percentile of the particles' radii that sets the spacing of the grid."""


@dataclass(frozen=True, eq=False)
class _Voxels:
    """The particles of a stack, ready to be meshed; axes are x, y, z.

    Attributes:
        labels: (X, Y, Z) particles 1 .. N, each in one piece, then the voids in them.
        numbers: (N,) their numbers in the stack.
        volumes: (N + V,) volumes of their voxels, um^3.
        owners: (V,) the particle, 1 .. N, round each void.
        dropped: number of particles too small to keep.
        filled: number of voxels of voids too small to keep.
        cut: numbers of the particles of several pieces, of which the largest is kept.
    """

    labels: Labels
    numbers: tuple[int, ...]
    volumes: Floats
    owners: Ints
    dropped: int
    filled: int
    cut: tuple[int, ...]


class UnmeshableError(Exception):
    """Particles round which no good cells can be made.

    Attributes:
        labels: their numbers in the stack.
        reason: what is wrong with them.
        remedy: what may help.
    """

    def __init__(self, labels: tuple[int, ...], reason: str, remedy: str) -> None:
        super().__init__(f"{len(labels)} labels: {reason}")
        self.labels = labels
        self.reason = reason
        self.remedy = remedy


def mesh_stack(
    labels: Labels,
    voxel_um: Sequence[float],
    separator_um: float,
    gap_um: float,
    settings: MeshSettings,
    progress: Progress | None = None,
    *,
    drop_unmeshable: bool = False,
) -> ImageMesh:
    """Mesh a stack of label images with elements of order 1.

    Args:
        labels: (Z, Y, X); 0 is the carbon-binder domain, particles are 1 .. N.
        voxel_um: edges of a voxel along x, y and z, um.
        separator_um: thickness of the separator, which is added beyond the last page.
        gap_um: gap kept between particles and to the box, um; at least a voxel.
        settings: `Parameters.geometry.mesh` (lengths in m).
        progress: called with a line of text from time to time.
        drop_unmeshable: leave out particles that cannot be meshed.

    Raises:
        InputError: the gap is below a voxel, or no particle is left.
        UnmeshableError: the gap leaves nothing of some particles, or cells beside them are bad.
    """
    require_resolved(gap_um, max(voxel_um))
    left = labels
    dropped: list[int] = []
    while True:
        try:
            made = _meshed(left, voxel_um, separator_um, gap_um, settings, progress)
        except UnmeshableError as error:
            if not drop_unmeshable or not error.labels:
                raise
            dropped += error.labels
            if progress is not None:
                progress(f"{counted(len(error.labels), 'label')} left out: {error.reason}")
            left = np.where(np.isin(left, error.labels), 0, left).astype(labels.dtype)
        else:
            return replace(made, unmeshable=tuple(sorted(dropped)))


def _meshed(
    labels: Labels,
    voxel_um: Sequence[float],
    separator_um: float,
    gap_um: float,
    settings: MeshSettings,
    progress: Progress | None,
) -> ImageMesh:
    """Mesh a stack all of whose particles can be meshed."""
    spacing = np.array(voxel_um, dtype=np.float64)
    voxels = _voxels_of(labels, spacing)
    particles = len(voxels.numbers)
    radius = np.cbrt(0.75 * voxels.volumes[:particles] / np.pi)
    size = settings.surface_size_factor * float(np.percentile(radius, TYPICAL))
    size = min(max(size, 1e6 * settings.minimum_size), 1e6 * settings.maximum_size)
    low, high = _room(voxels.labels, spacing, gap_um + float(spacing.max()))
    extent = low + np.array(voxels.labels.shape) * spacing + high
    number = np.maximum(np.ceil(extent / size - 1e-9).astype(np.int64), 3)
    step = float((extent / number).max())
    levels = levels_of(
        voxels.labels, spacing, voxels.volumes, particles, gap_um, 1.5 * step, progress
    )
    gone = np.flatnonzero(levels.largest[:particles] <= 0.0)
    if gone.size:
        lost = tuple(voxels.numbers[k] for k in gone)
        raise UnmeshableError(
            lost,
            f"nothing is left of them between gaps of {gap_um:.3g} um",
            "Lower geometry.minimum_gap",
        )
    centres = _deepest(voxels.labels, spacing) + low
    grid = grid_labels(levels, extent, number, low, centres, voxels.owners)
    motion = Motion(levels, voxels.volumes, low, extent, gap_um, step)
    for _ in range(THINNINGS):
        mesh = motion.smoothed(lattice_of(grid.labels, extent))
        mesh, twisted = parted_at_contacts(mesh, particles, gap_um)
        if not len(twisted):
            break
        grid.thin(mesh.cube[twisted[:, 0]], twisted[:, 1])
    mesh = motion.fitted(mesh, progress)
    _require_good(mesh, voxels)
    return _image_mesh(mesh, labels, voxels, spacing, separator_um, gap_um, settings, low)


def _require_good(mesh: Lattice, voxels: _Voxels) -> None:
    """Refuse bad cells, and name the particles at which they lie."""
    count = len(voxels.numbers)
    kept = mesh.labels <= count
    quality = tetrahedron_sicn(mesh.points[mesh.cells])
    bad = kept & (quality < LEAST_SICN)
    if not bad.any():
        return
    owner = np.zeros(len(mesh.points), dtype=np.int64)
    solid = kept & (mesh.labels > 0)
    owner[mesh.cells[solid]] = mesh.labels[solid][:, None]
    beside = np.unique(owner[mesh.cells[bad]])
    labels = tuple(voxels.numbers[k - 1] for k in beside if k > 0)
    least = float(quality[bad].min())
    reason = f"cells beside them are bad (least SICN {least:.2g}, allowed {LEAST_SICN:g} or more)"
    raise UnmeshableError(labels, reason, "Change geometry.mesh.surface_size_factor")


def _voxels_of(labels: Labels, spacing: Floats) -> _Voxels:
    """Sort out what of a stack can be meshed."""
    turned = np.ascontiguousarray(labels.transpose(2, 1, 0))
    kept = np.zeros_like(turned)
    numbers: list[int] = []
    counts: list[int] = []
    cut: list[int] = []
    voids: list[tuple[int, tuple[slice, ...], Mask]] = []
    dropped = filled = 0
    for index, window in enumerate(ndimage.find_objects(turned), start=1):
        if window is None:
            continue
        solid = largest_piece(turned[window] == index)
        if solid is None or int(solid.whole.sum()) < LEAST_VOXELS:
            dropped += 1
            continue
        if solid.beside >= LEAST_VOXELS:
            cut.append(index)
        numbers.append(index)
        mask = solid.whole.copy()
        for void in solid.voids:
            if int(void.sum()) < LEAST_VOXELS:
                filled += int(void.sum())
            elif (turned[window][void] == 0).all():
                mask &= ~void
                voids.append((len(numbers), window, void))
        counts.append(int(mask.sum()))
        kept[window][mask] = len(numbers)
    if not numbers:
        raise InputError(
            f"the label stack holds no particle of {LEAST_VOXELS} voxels or more. Take an image of"
            " more voxels"
        )
    for label, (_, window, void) in enumerate(voids, start=len(numbers) + 1):
        kept[window][void] = label
        counts.append(int(void.sum()))
    return _Voxels(
        kept,
        tuple(numbers),
        np.array(counts) * spacing.prod(),
        np.array([owner for owner, _, _ in voids], dtype=np.int64),
        dropped,
        filled,
        tuple(cut),
    )


def _room(labels: Labels, spacing: Floats, room_um: float) -> tuple[Floats, Floats]:
    """Return the room to add below and above each axis so that all particles are well inside."""
    low, high = np.zeros(3), np.zeros(3)
    for axis in range(3):
        across = tuple(k for k in range(3) if k != axis)
        inside = np.flatnonzero((labels > 0).any(axis=across))
        low[axis] = inside[0] * spacing[axis]
        high[axis] = (labels.shape[axis] - 1 - inside[-1]) * spacing[axis]
    return np.maximum(room_um - low, 0.0), np.maximum(room_um - high, 0.0)


def _deepest(labels: Labels, spacing: Floats) -> Floats:
    """Return (N, 3) the place in each particle that is farthest from its outline, um."""
    found = []
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        inside = ndimage.distance_transform_edt(np.pad(labels[window] == index, 1))
        place = np.unravel_index(int(np.argmax(inside)), inside.shape)
        found.append([s.start + p - 0.5 for s, p in zip(window, place, strict=True)])
    return np.array(found) * spacing


def _image_mesh(
    mesh: Lattice,
    labels: Labels,
    voxels: _Voxels,
    spacing: Floats,
    separator_um: float,
    gap_um: float,
    settings: MeshSettings,
    low: Floats,
) -> ImageMesh:
    """Put the separator on top, and compare the mesh with the stack."""
    count = len(voxels.numbers)
    top = float(mesh.points[:, 2].max())
    lid = _lid(mesh, top)
    points, separator = separator_above(
        mesh.points, lid, separator_um, 1e6 * settings.separator_size
    )
    inside = (mesh.labels <= count) & ~_pockets(mesh, count)
    cells = np.concatenate([mesh.cells[inside], separator])
    cell_tags = np.concatenate(
        [
            np.where(
                mesh.labels[inside] == 0, tags.CBD, mesh.labels[inside] - 1 + tags.PARTICLE_OFFSET
            ),
            np.full(len(separator), tags.SEPARATOR),
        ]
    ).astype(np.int32)
    outer = np.zeros(len(mesh.points), dtype=np.bool_)
    outer[mesh.cells[mesh.labels == 0]] = True
    surfaces = []
    for k in range(count):
        own = np.unique(mesh.cells[mesh.labels == k + 1])
        surfaces.append(mesh.points[own[outer[own]]] - low)
    inner = np.unique(mesh.labels[mesh.labels > count]) - count - 1
    owners = np.unique(voxels.owners[inner])
    hollow = tuple(voxels.numbers[k - 1] for k in owners)
    return ImageMesh(
        MeshData.from_cells(points, cells, cell_tags, 1),
        voxels.numbers,
        voxels.volumes[:count],
        deviations(labels, voxels.numbers, tuple(map(float, spacing[::-1])), surfaces),
        gap_um,
        low,
        voxels.dropped,
        hollow,
        voxels.filled,
        voxels.cut,
    )


def _pockets(mesh: Lattice, count: int) -> npt.NDArray[np.bool_]:
    """Return the cells of binder that no way through others joins to the box: they stay empty."""
    mates = facet_mates(mesh.cells, 3)
    rows = np.flatnonzero(mates > np.arange(len(mates)))
    binder = mesh.labels == 0
    ends = rows // 4, mates[rows] // 4
    both = binder[ends[0]] & binder[ends[1]]
    size = len(mesh.cells)
    links = coo_array(
        (np.ones(int(both.sum()), dtype=np.int8), (ends[0][both], ends[1][both])),
        shape=(size, size),
    )
    _, piece = connected_components(links.tocsr(), directed=False)
    outside = mesh.fixed[mesh.cells].any(axis=1)
    reached = np.zeros(size, dtype=np.bool_)
    reached[piece[outside]] = True
    return np.asarray(binder & ~reached[piece], dtype=np.bool_)


def _lid(mesh: Lattice, top: float) -> Ints:
    """Return the triangles of the plane towards the separator."""
    on = mesh.points[:, 2] > top * (1.0 - 1e-9)
    corner = on[mesh.cells]
    rows = np.flatnonzero(corner.sum(axis=1) == 3)
    found = mesh.cells[rows][corner[rows]]
    return found.reshape(-1, 3)
