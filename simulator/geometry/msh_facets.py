"""Checks on the facets that a mesh from elsewhere names, since facets follow from the cells.

The collector is the lowest plane along the thickness and the lithium metal is the highest. Particle
surfaces lie between cells of a particle and of the carbon-binder domain, and the rest of the slab's
boundary is wall. A file need not name these facets, but if it does, it must mean the same ones.
For example, a collector that covers only a part of its plane is not supported.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.geometry import tags
from heterode.geometry.mesh_data import ON_PLANE, MeshData, facets_of
from heterode.geometry.simplex import integrate_cells

Ints = npt.NDArray[np.int64]

FLATNESS = 1e-4
"""Largest relative difference between the areas of an end plane and the slab's cross-section."""


def check_facets(mesh: MeshData, named: Mapping[str, Ints]) -> None:
    """Refuse a mesh with end planes that are not flat, or one that names other facets.

    Args:
        mesh: measured from the cells of the file.
        named: (F, nodes) facets by the name of their group, as point numbers of `mesh`; -1 stands
            for points that belong to no cell. Missing or empty groups are not an error.

    Raises:
        InputError: an end plane is not flat, the separator does not lie at the lithium metal, or
            a group does not hold the facets that follow from the cells.
    """
    facets, kinds = facets_of(mesh.points_um, mesh.cells, mesh.cell_tags, mesh.order)
    section = float(np.prod(mesh.width_um))
    for kind, where in ((tags.COLLECTOR, "least"), (tags.LITHIUM, "greatest")):
        area, _ = integrate_cells(mesh.points_um, facets[kinds == kind], mesh.order)
        if abs(area.sum() - section) > FLATNESS * section:
            raise InputError(
                f"the facets at the {where} {'xyz'[mesh.thickness_axis]} cover"
                f" {area.sum() / section:.4g} of the slab's cross-section, so they are no"
                f" {tags.FACET_NAMES[kind]} (allowed: a box, its ends flat)."
                " Cut the mesh to a box."
            )
    _check_order(mesh)
    for kind, name in tags.FACET_NAMES.items():
        if kind != tags.WALLS and len(given := named.get(name, np.zeros((0, 0), np.int64))):
            _check_group(name, given, facets[kinds == kind], mesh)


def _check_order(mesh: MeshData) -> None:
    """Check that the collector is on the coating and the lithium metal on the separator."""
    axis = mesh.thickness_axis
    along = mesh.points_um[:, axis]
    height = along.max()
    separator = along[mesh.cells[mesh.cell_tags == tags.SEPARATOR].ravel()]
    coating = along[mesh.cells[mesh.cell_tags != tags.SEPARATOR].ravel()]
    if separator.min() <= ON_PLANE * height or coating.max() >= (1 - ON_PLANE) * height:
        raise InputError(
            f"the separator reaches from {separator.min():.4g} to {separator.max():.4g} um and the"
            f" coating from {coating.min():.4g} to {coating.max():.4g} um along"
            f" {'xyz'[axis]} (allowed: the coating below, at the collector, and the separator"
            " above). Turn the mesh round, or name its groups the other way."
        )


def _check_group(name: str, given: Ints, derived: Ints, mesh: MeshData) -> None:
    # Each facet counts once: a file may list it again, seen from its other side.
    sets = [np.unique(np.sort(f[:, : mesh.dimension], axis=1), axis=0) for f in (given, derived)]
    _, times = np.unique(np.concatenate(sets), axis=0, return_counts=True)
    common = int(np.sum(times == 2))
    extra, lacking = (len(facets) - common for facets in sets)
    if extra or lacking:
        raise InputError(
            f"its group '{name}' has {extra} facets that do not follow from the cells, and lacks"
            f" {lacking} that do (allowed: all of them, or no such group)."
            " Remove the group, or correct it."
        )
