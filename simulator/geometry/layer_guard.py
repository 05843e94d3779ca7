"""Which layers are too thick: those whose cells, or the core's, are inside out or much worse."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heterode.geometry import tags
from heterode.geometry.layer_rings import Rings
from heterode.geometry.layer_surface import Mask, Surface, facet_normals
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.simplex import integrate_cells, jacobian_range, sicn

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CORE = 0.2
"""Least quality (SICN) of a cell of the core, in that of the same cell before."""

FLAT = 0.05
"""Least volume of a cell of the layers, in facet times thickness / d."""

FOLDED = 0.05
"""Least scaled Jacobian of a curved cell, unless it had a lower one before."""


class Guard:
    """Finds the corners of the surface below which cells are bad.

    Args:
        mesh: the mesh without layers.
        surface: its surface.
    """

    def __init__(self, mesh: MeshData, surface: Surface) -> None:
        self._surface, self._order = surface, mesh.order
        self._vertices = mesh.dimension + 1
        cells = mesh.cells[surface.cells]
        self._sicn = CORE * sicn(mesh.points_um[cells[:, : self._vertices]])
        if mesh.order == 2:
            self._jacobian = np.minimum(FOLDED, 0.5 * _scaled(mesh.points_um, cells))
        corners = mesh.points_um[surface.vertex[surface.facets]]
        self._area = facet_normals(corners)[1] / mesh.dimension
        self._particle = mesh.cell_tags[surface.cells].astype(np.int64) - tags.PARTICLE_OFFSET

    def corners_at_fault(
        self,
        rings: Rings,
        depths: Floats,
        moved: Mask,
        points: Floats,
        core: Ints,
        cells: Ints,
        movable: Mask,
    ) -> Mask:
        """Return which corners (S,) must have thinner layers.

        Args:
            rings, depths: the layers.
            moved: (S,) corners with other depths than in the call before.
            points, core, cells: the new mesh.
            movable: (S,) corners that have layers.
        """
        surface, each = self._surface, self._vertices
        bad = sicn(points[core[:, :each]]) < self._sicn
        touched: Mask = np.any(moved[surface.facets], axis=1)
        new = np.flatnonzero(touched[rings.facet])
        cells, facet, (corner, ring) = cells[new], rings.facet[new], rings.radial[new].T
        volume, _ = integrate_cells(points, cells[:, :each], 1)
        height = surface.reach[corner] * (depths[corner, ring + 1] - depths[corner, ring])
        flat = ~(volume > FLAT * self._area[facet] * height)
        if self._order == 2:
            bad |= _scaled(points, core) < self._jacobian
            flat |= _scaled(points, cells) < FOLDED
        found = np.zeros(len(surface.vertex), dtype=np.bool_)
        found[surface.facets[facet[flat]]] = True
        return found | self._above(bad, movable)

    def _above(self, bad: Mask, movable: Mask) -> Mask:
        """Return the corners near bad cells of the core, up to the nearest that have a layer."""
        nodes, total = self._surface.nodes, len(self._surface.held)
        found = np.zeros(total + len(self._surface.vertex), dtype=np.bool_)
        found[nodes[bad]] = True
        # Cells deep inside have no corner: widen until the surface is reached.
        while found.any() and not (found[total:] & movable).any():
            before = found.sum()
            found[nodes[found[nodes].any(axis=1)]] = True
            if found.sum() == before:
                break
        return found[total:]


def _scaled(points: Floats, cells: Ints) -> Floats:
    low, high = jacobian_range(points, cells, 2)
    scaled: Floats = low / np.where(high > 0.0, high, 1.0)
    return scaled
