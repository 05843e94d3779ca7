"""Conforming tetrahedral meshes of packings of spheres.

Every surface is triangulated first (spheres.py, box_surfaces.py) and handed to gmsh as a discrete
surface. gmsh fills the volumes (by HXT, with its Delaunay algorithm as fallback) and keeps the
triangles. Moving nodes then improves the worst cells (polishing.py).

Edges are straight, but particles have their exact volumes; with a surface_size_factor of 0.35 their
surface areas are 0.6 % too small. geometry.mesh.order and gap_elements only matter in 2D.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from heterode.base.errors import InputError
from heterode.geometry import tags
from heterode.geometry.box_surfaces import BoxSizes, BoxSurfaces, mesh_box, size_grid
from heterode.geometry.gmsh_session import gmsh_session
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.packing import Packing
from heterode.geometry.polishing import polish, restore_volumes
from heterode.geometry.simplex import integrate_cells
from heterode.geometry.spheres import SphereSurfaces, Surface
from heterode.parameters.geometry import MeshSettings

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Tags = npt.NDArray[np.int32]

Part = tuple[Ints, tuple[int, ...]]
"""Triangles, and the domains (cell tags) that they bound."""

HXT, DELAUNAY = 10, 1
THREADS = 2

WANTED_SICN = 0.15
"""SICN below which cells are improved."""


def mesh_spheres(
    packing: Packing, settings: MeshSettings, separator_um: float, name: str = ""
) -> MeshData:
    """Mesh spheres in the box with elements of order 1.

    Args:
        packing: spheres.
        settings: `Parameters.geometry.mesh` (lengths in m).
        separator_um: thickness of the separator, um.
        name: becomes MeshData.hash; if empty, the content is hashed.

    Raises:
        InputError: gmsh failed.
    """
    maximum = 1e6 * settings.maximum_size
    maker = SphereSurfaces(
        packing, settings.surface_size_factor, maximum, 1e6 * settings.minimum_size
    )
    surfaces = [maker.make(index) for index in range(len(packing.radii_um))]
    sizes = BoxSizes(maximum, 1e6 * settings.separator_size)
    own = np.array([surface.size for surface in surfaces])
    grid = size_grid(packing, own, separator_um, sizes)
    points, cells, cell_tags = filled(
        mesh_box(packing.box_um, surfaces, separator_um, grid), surfaces
    )
    polished = polish(points, cells, cell_tags, packing.centres_um, WANTED_SICN)
    polished = restore_volumes(
        polished, cells, cell_tags, packing.centres_um, packing.volumes_um3()
    )
    # In gaps of nanometres restoring the volumes could push one surface through another.
    if np.all(integrate_cells(polished, cells, 1)[0] > 0.0):
        points = polished
    return MeshData.from_cells(points, cells, cell_tags, 1, name)


def _joined(box: BoxSurfaces, surfaces: list[Surface]) -> tuple[Floats, list[Part]]:
    """Return all nodes, with those on the borders of cuts only once, and all surfaces."""
    points = [box.points]
    parts: list[Part] = [(plane.triangles, plane.domains) for plane in box.planes]
    tree = cKDTree(box.points)
    count = len(box.points)
    for index, surface in enumerate(surfaces):
        number = np.full(len(surface.points), -1, dtype=np.int64)
        for border in surface.borders:
            number[border.nodes] = tree.query(surface.points[border.nodes])[1]
        own = number < 0
        number[own] = count + np.arange(own.sum())
        count += int(own.sum())
        points.append(surface.points[own])
        parts.append((number[surface.triangles], (tags.CBD, tags.PARTICLE_OFFSET + index)))
    return np.concatenate(points), parts


def filled(box: BoxSurfaces, surfaces: list[Surface]) -> tuple[Floats, Ints, Tags]:
    """Fill the volumes by the first algorithm that succeeds; return nodes, tetrahedra and tags.

    Args:
        box: the planes of the box.
        surfaces: one for each particle.

    Raises:
        InputError: no algorithm succeeds.
    """
    points, parts = _joined(box, surfaces)
    reason = ""
    for algorithm in (HXT, DELAUNAY):
        try:
            points_filled, cells, cell_tags = tetrahedra(points, parts, algorithm)
        except Exception as error:  # gmsh raises bare Exception
            reason = " ".join(str(error).split())
            continue
        wanted = {domain for _, domains in parts for domain in domains}
        if wanted == {int(tag) for tag in np.unique(cell_tags)}:
            return points_filled, cells, cell_tags
        reason = "a domain was left without cells"
    raise InputError(
        f"gmsh could not fill this packing ({reason}). Try another seeds.packing, a wider"
        " geometry.minimum_gap or a smaller geometry.mesh.surface_size_factor."
    )


def tetrahedra(points: Floats, parts: list[Part], algorithm: int) -> tuple[Floats, Ints, Tags]:
    """Fill the domains that surfaces bound; return nodes, tetrahedra and their tags.

    Args:
        points: nodes of the surfaces.
        parts: their triangles, and the domains on both sides.
        algorithm: HXT or DELAUNAY.

    Raises:
        Exception: gmsh failed; it raises bare ones.
    """
    options = {
        "General.NumThreads": THREADS,
        "Mesh.Algorithm3D": algorithm,
        "Mesh.Optimize": 1,
    }
    bounds: dict[int, list[int]] = {}
    with gmsh_session("heterode", options) as gmsh:
        placed = np.zeros(len(points), dtype=bool)
        for triangles, domains in parts:
            surface = gmsh.model.addDiscreteEntity(2)
            fresh = np.unique(triangles)
            fresh = fresh[~placed[fresh]]
            placed[fresh] = True
            gmsh.model.mesh.addNodes(2, surface, fresh + 1, points[fresh].ravel())
            gmsh.model.mesh.addElementsByType(surface, 2, [], (triangles + 1).ravel())
            for domain in domains:
                bounds.setdefault(domain, []).append(surface)
        geo = gmsh.model.geo
        volumes = {tag: geo.addVolume([geo.addSurfaceLoop(b)]) for tag, b in bounds.items()}
        geo.synchronize()
        gmsh.model.mesh.generate(3)
        numbers, coordinates, _ = gmsh.model.mesh.getNodes()
        blocks = [gmsh.model.mesh.getElementsByType(4, v)[1] for v in volumes.values()]
    lookup = np.zeros(int(numbers.max()) + 1, dtype=np.int64)
    lookup[numbers] = np.arange(len(numbers))
    cells = lookup[np.concatenate(blocks)].reshape(-1, 4)
    cell_tags = np.repeat(list(volumes), [len(block) // 4 for block in blocks]).astype(np.int32)
    return coordinates.reshape(-1, 3).astype(np.float64), cells, cell_tags
