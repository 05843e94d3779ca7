"""Packing of spheres -> conforming mesh of tetrahedra.

Every surface is triangulated first (spheres.py, box_surfaces.py) and handed to gmsh as a discrete
surface; gmsh fills the volumes (HXT, with its Delaunay algorithm as fallback) and keeps the
triangles. Particles have their exact volumes with straight edges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from simulator.errors import InputError
from simulator.geometry import tags
from simulator.geometry.box_surfaces import BoxSizes, BoxSurfaces, mesh_box
from simulator.geometry.gmsh_session import gmsh_session
from simulator.geometry.packing import Packing
from simulator.geometry.spheres import SphereSurfaces, Surface

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Tags = npt.NDArray[np.int32]

HXT, DELAUNAY = 10, 1
THREADS = 2


def tetrahedra(points: Floats, surfaces: list[tuple[Ints, tuple[int, ...]]], algorithm: int
) -> tuple[Floats, Ints, Tags]:
    options = {
        "General.NumThreads": THREADS, "General.Terminal": int(__import__("os").environ.get("TERM3","0")),"General.Verbosity":99 if __import__("os").environ.get("TERM3") else 5,
        "Mesh.Algorithm3D": algorithm,
        "Mesh.Optimize": 1,
    }
    volumes: dict[int, list[int]] = {}
    with gmsh_session("heterode-3d", options) as gmsh:
        placed = np.zeros(len(points), dtype=bool)
        for triangles, domains in surfaces:
            surface = gmsh.model.addDiscreteEntity(2)
            fresh = np.unique(triangles)
            fresh = fresh[~placed[fresh]]
            placed[fresh] = True
            gmsh.model.mesh.addNodes(2, surface, fresh + 1, points[fresh].ravel())
            gmsh.model.mesh.addElementsByType(surface, 2, [], (triangles + 1).ravel())
            for domain in domains:
                volumes.setdefault(domain, []).append(surface)
        geo = gmsh.model.geo
        entities = {
            domain: geo.addVolume([geo.addSurfaceLoop(bounds)])
            for domain, bounds in volumes.items()
        }
        geo.synchronize()
        try:
            gmsh.model.mesh.generate(3)
        except Exception as error:  # gmsh raises bare Exception
            raise InputError(f"gmsh could not fill the volumes ({error}).") from None
        numbers, coordinates, _ = gmsh.model.mesh.getNodes()
        blocks = [gmsh.model.mesh.getElementsByType(4, v)[1] for v in entities.values()]
    lookup = np.zeros(int(numbers.max()) + 1, dtype=np.int64)
    lookup[numbers] = np.arange(len(numbers))
    counts = [len(block) // 4 for block in blocks]
    cells = lookup[np.concatenate(blocks)].reshape(-1, 4)
    cell_tags = np.repeat(list(entities), counts).astype(np.int32)
    return coordinates.reshape(-1, 3), cells, cell_tags


def combined(box: BoxSurfaces, surfaces: list[Surface]) -> tuple[Floats, list[tuple[Ints, tuple[int, ...]]]]:
    points = [box.points]
    parts = [(plane.triangles, plane.domains) for plane in box.planes]
    tree = cKDTree(box.points)
    count = len(box.points)
    for index, surface in enumerate(surfaces):
        number = np.full(len(surface.points), -1, dtype=np.int64)
        for border in surface.borders:
            distance, node = tree.query(surface.points[border.nodes])
            assert distance.max() < 1e-9
            number[border.nodes] = node
        own = number < 0
        number[own] = count + np.arange(own.sum())
        count += int(own.sum())
        points.append(surface.points[own])
        parts.append((number[surface.triangles], (tags.CBD, tags.PARTICLE_OFFSET + index)))
    return np.concatenate(points), parts
