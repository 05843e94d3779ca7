"""The radial spacing of a mesh in each of its particles, measured on the mesh itself.

A particle's cells are peeled off from its reacting surface inwards: the first shell has all cells
with a node on the surface, the second all remaining ones with a node on the first, and so on. The
shells' shares of the volume are their thicknesses in a disc or sphere. The heights of the cells
that stand on a shell with a whole facet are another measure of its thickness. In layers under the
surface the two agree. In the unstructured core, cells that touch a shell with one corner alone
reach deeper, and the height is the spacing of the nodes; from there on it is that of the rest. So
meshes of any origin, layers that are thinner in places, and cut particles need no other rule.

The disc or sphere has the radius R = d V/S, from the volume V and the reacting surface S, with d
the dimension. For whole ones this is their radius. A particle that the slab's walls cut, or whose
surface is covered in part, takes up lithium through S alone: with this radius, the same current
density fills it at its own rate, so that both its mean and the lead of its surface are right. The
radius of a sphere of the same volume would miss the rate by the share of the surface that is cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heterode.geometry import tags
from heterode.geometry.layers import LayerReport, core_sizes, radial_elements
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.simplex import integrate_cells

Floats = npt.NDArray[np.float64]

MICROMETRE = 1e-6

HALVINGS = 6
"""Further halvings of the outermost interval of a refined spacing."""

STRUCTURED = 1.15
"""Ratio of a shell's thickness by volume to its cells' heights below which it is a layer."""


@dataclass(frozen=True)
class RadialMesh:
    """The radial nodes of the particles that react, K of N.

    Attributes:
        particles: (K,) their numbers.
        ends: (K,) increasing radii of the nodes, m, from 0 to d V/S.
        surfaces: (K,) reacting surfaces, m^2 (m in 2D).
        dimension: 2 or 3.
        lumping: for each particle, the lumped share of the mass of its elements; None for none.
    """

    particles: npt.NDArray[np.int64]
    ends: tuple[Floats, ...]
    surfaces: Floats
    dimension: int
    lumping: tuple[Floats, ...] | None = None

    @property
    def radii(self) -> Floats:
        """(K,) radii d V/S, m."""
        return np.array([radii[-1] for radii in self.ends])


def radial_mesh(mesh: MeshData, report: LayerReport | None = None) -> RadialMesh:
    """Measure the radial nodes of a mesh's particles.

    Where layers end at a corner, as at contacts, the core touches the surface and shells mean
    nothing. There the nodes follow from the layers and from the size of the core's elements.

    Args:
        mesh: the mesh.
        report: what became of its layers; None if it has none.
    """
    d, table = mesh.dimension, mesh.particles
    reacting = np.flatnonzero(table.surface_um2 > 0.0)
    volumes, heights, shares = _shells(mesh)
    sizes = core_sizes(mesh)
    ends, lumping = [], []
    for particle in reacting:
        radius = d * table.volume_um3[particle] / table.surface_um2[particle]
        if report is not None and report.ending[particle]:
            share = float(report.mean[particle])
            nodes, lumped = radial_elements(
                radius * MICROMETRE, sizes[particle], report.layers, share
            )
            ends.append(nodes)
            lumping.append(np.zeros(len(nodes) - 1) if lumped is None else lumped)
            continue
        nodes, layers = _nodes(radius, d, volumes[particle], heights[particle])
        ends.append(nodes * MICROMETRE)
        lumping.append(_lumping(len(nodes) - 1, layers, volumes[particle], shares[particle]))
    surfaces = table.surface_um2[reacting] * MICROMETRE ** (d - 1)
    lumps = None if mesh.lumping is None else tuple(lumping)
    return RadialMesh(reacting, tuple(ends), surfaces, d, lumps)


def mean_particle(mesh: RadialMesh) -> tuple[Floats, Floats | None]:
    """Return the nodes, and lumped shares, of the particle of the mean radius over the surface.

    It is the one whose radius is nearest; its nodes are empty if no particle reacts.
    """
    if not mesh.ends:
        return np.zeros(0), None
    mean = float(mesh.surfaces @ mesh.radii) / float(mesh.surfaces.sum())
    chosen = int(np.argmin(np.abs(mesh.radii - mean)))
    return mesh.ends[chosen], None if mesh.lumping is None else mesh.lumping[chosen]


def _nodes(radius: float, dimension: int, volumes: Floats, heights: Floats) -> tuple[Floats, int]:
    """Return the radial nodes of a particle, and how many layers there are.

    Args:
        radius: its radius.
        dimension: 2 or 3.
        volumes, heights: those of its shells, the outermost first.
    """
    # Summed from the centre outwards, so that thin outer shells keep their digits.
    inner = np.append(np.cumsum(volumes[::-1])[::-1], 0.0)
    fronts = radius * (inner / inner[0]) ** (1.0 / dimension)
    layers = 0
    while fronts[layers] - fronts[layers + 1] < STRUCTURED * heights[layers]:
        layers += 1
        if fronts[layers] == 0.0:
            break
    core = fronts[layers]
    cells = max(round(core / heights[layers]), 1) if core > 0.0 else 0
    uniform = core * np.arange(cells) / max(cells, 1)
    return np.concatenate([uniform, fronts[: layers + 1][::-1]]), layers


def _lumping(elements: int, layers: int, volumes: Floats, shares: Floats) -> Floats:
    """Return the lumped share of a particle's radial elements from those of its shells."""
    inside = volumes[layers:].sum()
    core = float(volumes[layers:] @ shares[layers:] / inside) if inside > 0.0 else 0.0
    return np.concatenate([np.full(elements - layers, core), shares[:layers][::-1]])


def _shells(mesh: MeshData) -> tuple[Floats, Floats, Floats]:
    """Return (N, shells) volumes, um^d, heights, um, and lumped shares, the outermost first."""
    d, count = mesh.dimension, len(mesh.particles)
    inside = mesh.cell_tags >= tags.PARTICLE_OFFSET
    cells = mesh.cells[inside][:, : d + 1]
    particle = mesh.cell_tags[inside].astype(np.int64) - tags.PARTICLE_OFFSET
    volumes, _ = integrate_cells(mesh.points_um, mesh.cells[inside], mesh.order)
    lumped = volumes * (0.0 if mesh.lumping is None else mesh.lumping[inside])
    # Contacts of sintered particles have nodes of both, through which the shells of one may reach
    # the other a shell too early, in the few cells at the contact's rim.
    reached = np.zeros(len(mesh.points_um), dtype=bool)
    reached[mesh.cells[mesh.cell_tags == tags.CBD][:, : d + 1]] = True
    shells, heights, shares = [], [], []
    while len(cells):
        on_front = reached[cells]
        peeled = on_front.any(axis=1)
        if not peeled.any():
            # Nothing but particles without a reacting surface is left.
            break
        shell = np.bincount(particle[peeled], volumes[peeled], count)
        shells.append(shell)
        share = np.bincount(particle[peeled], lumped[peeled], count)
        shares.append(np.divide(share, shell, out=np.zeros(count), where=shell > 0))
        standing = on_front.sum(axis=1) == d
        facets = cells[standing][on_front[standing]].reshape(-1, d)
        areas, _ = integrate_cells(mesh.points_um, facets, 1)
        base = np.bincount(particle[standing], areas, count)
        stood = np.bincount(particle[standing], volumes[standing], count)
        heights.append(np.divide(d * stood, base, out=np.full(count, np.inf), where=base > 0))
        reached[cells[peeled]] = True
        cells, particle = cells[~peeled], particle[~peeled]
        volumes, lumped = volumes[~peeled], lumped[~peeled]
    return np.stack(shells, axis=1), np.stack(heights, axis=1), np.stack(shares, axis=1)


def refined(ends: Floats) -> Floats:
    """Return nodes whose own error at the surface is small compared with that of the given ones.

    Every interval is quartered, which leaves a sixteenth of what the grading does, and the
    outermost one is then halved `HALVINGS` times, which leaves next to nothing of what it does.
    """
    quarters = np.arange(4) / 4.0
    inner = (ends[:-1, None] + np.diff(ends)[:, None] * quarters).ravel()
    depths = (ends[-1] - inner[-1]) * 0.5 ** np.arange(1, HALVINGS + 1)
    return np.concatenate([inner, ends[-1] - depths, ends[-1:]])
