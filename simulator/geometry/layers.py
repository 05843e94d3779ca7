"""Thin layers of cells under the particles' surfaces, made from a finished mesh.

After a jump of the current, lithium changes first in a thin skin of the particles, thinner than any
element of a sensible mesh. Here the surface of each particle is copied inward, ring by ring; its
old cells follow (layer_core.py) and become the core, and the room between is filled with layers
(layer_rings.py). Surfaces, carbon-binder domain and separator stay as they are, bit by bit, and so
do areas and volumes.

All layers start with the same thickness, since a jump of the current makes the same gradient in
particles of all sizes. In each particle they stop before they pass DEEPEST radii, or become thicker
than the elements of the core: small particles have fewer. Where a cell would turn inside out, or
become much worse, the layers at the corners near it are thinner; the report says in which
particles, and by how much.

Layers also say how much of the mass matrix is to be lumped in the core and in the layers next to it
(heterode.accuracy.overshoot has the reason).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.geometry import tags
from heterode.geometry.layer_core import Inside
from heterode.geometry.layer_curves import curved_cells
from heterode.geometry.layer_guard import Guard
from heterode.geometry.layer_rings import Rings, make_rings
from heterode.geometry.layer_surface import Mask, Surface, facet_normals, find_surface
from heterode.geometry.mesh_data import MeshData
from heterode.parameters.layering import Layers

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LAYERS_VERSION = 1
"""To be raised when the same mesh and layers would give other cells."""

DEEPEST = 0.6
"""Greatest thickness of all layers of a particle together, in radii."""

IRREGULAR = 1.2
"""Tetrahedra do not lie in shells: a sphere of them is as exact as shells so many times as thick
as they are high. Measured on the spheres of params/cube_50.toml."""

MICROMETRE = 1e-6

THINNING = 0.7
"""Factor on the thickness at a corner each time that a cell near it would be bad."""

PASSES = 24
"""Attempts at thinner layers; where cells still are bad, there is no layer."""

WHOLE = 1.0 - 1e-9
"""Share of the thickness asked for that counts as all of it."""


@dataclass(frozen=True, eq=False)
class LayerReport:
    """What became of the layers that were asked for.

    Attributes:
        layers: the layers asked for.
        counts: (N,) layers of each particle; 0 where its mesh is as fine without.
        least: (N,) least thickness on a particle, in what was asked for; 1 where there is no layer.
        mean: (N,) mean thickness over its surface, in what was asked for.
        ending: (N,) whether a corner of the surface has fewer layers, as at contacts.
        cells: number of cells of the layers.
    """

    layers: Layers
    counts: Ints
    least: Floats
    mean: Floats
    ending: Mask
    cells: int

    @property
    def thinner(self) -> Ints:
        """Particles with thinner layers than asked for somewhere on their surface."""
        return np.flatnonzero(self.least < WHOLE)

    def text(self) -> str:
        """Return one sentence on the layers."""
        if not self.counts.any():
            return "no layers"
        made = replace(self.layers, count=int(self.counts.max()))
        return "; ".join(filter(None, [made.text, self.thinner_text]))

    @property
    def thinner_text(self) -> str:
        """Where layers are thinner than asked for, in words; "" if nowhere."""
        thinner = self.thinner
        if not thinner.size:
            return ""
        worst = thinner[np.argmin(self.mean[thinner])]
        return (
            f"thinner somewhere on {counted(len(thinner), 'particle')}, most on particle"
            f" {worst}: {100 * self.mean[worst]:.0f} % of what was asked for on average,"
            f" {100 * self.least[worst]:.0f} % where they are thinnest"
        )


def layer_counts(radius: Floats, core_size: Floats, layers: Layers) -> Ints:
    """Return how many layers particles have, (N,).

    They stop before they pass DEEPEST radii, and before one is thicker than the elements below it,
    of which there are as many in radius - thickness as there were in the radius.

    Args:
        radius, core_size: (N,) radii and radial sizes of elements, both in m.
        layers: the most layers.
    """
    thickness = layers.thicknesses
    depth = np.cumsum(thickness) / radius[:, None]
    fits = (depth <= DEEPEST * (1.0 + 1e-9)) & (thickness <= core_size[:, None] * (1.0 - depth))
    counts: Ints = np.cumprod(fits, axis=1, dtype=np.int64).sum(axis=1, dtype=np.int64)
    return counts


def spacing(radius: float, core_size: float, layers: Layers | None, share: float = 1.0) -> Floats:
    """Return the radii of the nodes from the centre to the surface, m, rising.

    A disc or sphere of radial elements between them has the accuracy of the meshed particle.

    Args:
        radius: radius of the particle, m.
        core_size: radial size of its elements without layers, m, as in `core_sizes`.
        layers: what lies under the surface; None for nothing.
        share: thickness of the layers in what was asked for.
    """
    depths: Floats = np.zeros(1)
    if layers is not None:
        count = int(layer_counts(np.array([radius]), np.array([core_size]), layers)[0])
        depths = np.concatenate([depths, share * np.cumsum(layers.thicknesses[:count])])
    # What is left of an element at the centre joins its neighbour or is one, whichever is nearer.
    inner = max(1, round(radius / core_size))
    core = (radius - depths[-1]) * (1.0 - np.arange(1, inner) * (core_size / radius))
    nodes: Floats = np.concatenate([[0.0], core[::-1], radius - depths[::-1]])
    return nodes


def radial_elements(
    radius: float, core_size: float, layers: Layers | None, share: float = 1.0
) -> tuple[Floats, Floats | None]:
    """Return the nodes of `spacing`, (N,), and the lumped share of the elements, (N - 1,) or None.

    For the arguments see there.
    """
    nodes = spacing(radius, core_size, layers, share)
    if layers is None or not layers.lumping:
        return nodes, None
    count = int(layer_counts(np.array([radius]), np.array([core_size]), layers)[0])
    elements = len(nodes) - 1
    place = np.maximum(np.arange(elements) - (elements - count) + 1, 0)
    return nodes, layers.lumping_at(place) if count else np.zeros(elements)


def core_sizes(mesh: MeshData) -> Floats:
    """Return the typical radial size of the elements in each particle, (N,) m.

    This is the height of the regular triangle or tetrahedron with the mean size of its cells, in 3D
    times IRREGULAR. Radial elements of this size have the same error after a jump of the flux
    through the surface: within 10 % on discs and spheres of 45 to 150 nodes without layers.
    """
    count = len(mesh.particles)
    core = mesh.cell_tags[: mesh.base_cells].astype(np.int64)
    cells = np.bincount(core[core >= tags.PARTICLE_OFFSET] - tags.PARTICLE_OFFSET, minlength=count)
    mean = mesh.particles.volume_um3 / cells
    if mesh.dimension == 2:
        height = np.sqrt(np.sqrt(3.0) * mean)
    else:
        height = IRREGULAR * np.sqrt(2.0 / 3.0) * np.cbrt(6.0 * np.sqrt(2.0) * mean)
    sizes: Floats = MICROMETRE * height
    return sizes


def layered(mesh: MeshData, layers: Layers) -> tuple[MeshData, LayerReport]:
    """Put layers under the surfaces of all particles of a mesh that has none.

    Returns:
        The mesh, whose last cells are those of the layers, and what became of the layers.

    Raises:
        InputError: the mesh has layers already.
    """
    if mesh.layer_cells:
        raise InputError(
            "the mesh has layers under the particles' surfaces already. Set solver.layers to none"
        )
    radius = MICROMETRE * mesh.particles.radius_um
    counts = layer_counts(radius, core_sizes(mesh), layers)
    if not counts.any():
        whole = np.ones(len(counts))
        return mesh, LayerReport(layers, counts, whole, whole, whole > 1.0, 0)
    surface = find_surface(mesh)
    rings, depths, made = _fitted(mesh, surface, counts, layers)
    points, core, cells = made
    new_cells = mesh.cells.copy()
    new_cells[surface.cells] = core
    new_cells = np.concatenate([new_cells, cells])
    cell_tags = np.concatenate([mesh.cell_tags, rings.tags])
    for array in (points, new_cells, cell_tags):
        array.flags.writeable = False
    result = replace(
        mesh,
        points_um=points,
        cells=new_cells,
        cell_tags=cell_tags,
        hash=_layered_hash(mesh.hash, layers),
        layer_cells=len(cells),
        lumping=_lumping(mesh, rings, counts, layers),
    )
    return result, _report(mesh, surface, rings, depths, counts, layers)


Made = tuple[Floats, Ints, Ints]
"""Points (P', d) of the new mesh, the nodes of the core's cells and those of the layers' cells."""


def _fitted(
    mesh: MeshData, surface: Surface, counts: Ints, layers: Layers
) -> tuple[Rings, Floats, Made]:
    """Make layers as thick as they can be; return the rings, their depths (S, J + 1) and cells."""
    most = int(counts.max())
    asked = np.concatenate([[0.0], np.cumsum(layers.thicknesses[:most])]) / MICROMETRE
    allowed = surface.least(counts, mesh.cell_tags)
    allowed[surface.reach == 0.0] = 0
    guard, inside = Guard(mesh, surface), Inside(mesh.points_um, surface)
    rings = make_rings(surface, counts, allowed, len(mesh.points_um))
    share = np.ones(len(allowed))
    bad: Mask = np.ones(len(allowed), dtype=np.bool_)
    for attempt in range(10 * PASSES):
        depths = share[:, None] * asked[np.minimum(np.arange(most + 1), allowed[:, None])]
        made = curved_cells(mesh, rings, depths, inside.displacement(depths[:, -1]))
        movable = allowed > 0
        bad = guard.corners_at_fault(rings, depths, bad, *made, movable) & movable
        if not bad.any():
            return rings, depths, made
        share[bad] *= THINNING
        if attempt >= PASSES:
            allowed[bad] = 0
            rings = make_rings(surface, counts, allowed, len(mesh.points_um))
            bad[:] = True
    raise AssertionError("without layers the mesh is valid")


def _lumping(mesh: MeshData, rings: Rings, counts: Ints, layers: Layers) -> Floats | None:
    """Return the lumped share of each cell of the mesh with layers."""
    if not layers.lumping:
        return None
    particle = np.concatenate([mesh.cell_tags, rings.tags]).astype(np.int64) - tags.PARTICLE_OFFSET
    inside = particle >= 0
    inside[inside] = counts[particle[inside]] > 0
    place = np.zeros(len(particle), dtype=np.int64)
    place[len(mesh.cells) :] = counts[particle[len(mesh.cells) :]] - rings.rings.min(axis=1)
    return np.where(inside, layers.lumping_at(place), 0.0)


def _layered_hash(base: str, layers: Layers) -> str:
    text = f"{base} layers {LAYERS_VERSION} {layers.count} {layers.first!r} {layers.ratio!r}"
    if layers.lumping:
        text += f" lumped {layers.lumping!r}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _report(
    mesh: MeshData, surface: Surface, rings: Rings, depths: Floats, counts: Ints, layers: Layers
) -> LayerReport:
    first = layers.first / MICROMETRE
    share = surface.reach * depths[:, 1] / first
    _, area = facet_normals(mesh.points_um[surface.vertex[surface.facets]])
    number = len(counts)
    total = np.bincount(surface.particle, area, number)
    mean = np.bincount(surface.particle, area * share[surface.facets].mean(axis=1), number)
    least = np.ones(number)
    np.minimum.at(least, surface.particle, share[surface.facets].min(axis=1))
    fewer = (rings.counts[surface.facets] < counts[surface.particle][:, None]).any(axis=1)
    none = (counts == 0) | (total == 0.0)
    least[none] = 1.0
    return LayerReport(
        layers=layers,
        counts=np.where(total == 0.0, 0, counts),
        least=least,
        mean=np.where(none, 1.0, mean / np.where(none, 1.0, total)),
        ending=np.bincount(surface.particle[fewer], minlength=number) > 0,
        cells=len(rings.tags),
    )
