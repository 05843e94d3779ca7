"""Conforming meshes of packings: particles, carbon-binder domain and separator, made by gmsh.

Packings of spheres are meshed in meshing_3d.py. In 2D gmsh fills the outlines with straight
triangles, and the nodes of the second order are added here: one on each edge, which is moved onto
the circle if the edge is on a particle's surface. All other edges stay straight, so only cells at
the surface are curved, and their Jacobians are checked.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.geometry import tags
from heterode.geometry.gmsh_session import BuiltInKernel, gmsh_session
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.meshing_3d import mesh_spheres
from heterode.geometry.outline import WIDEST, MeshSizes, Outline, Slab, draw_outline
from heterode.geometry.packing import Packing
from heterode.geometry.simplex import EDGES, jacobian_range
from heterode.parameters.geometry import Geometry, MeshSettings

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Tags = npt.NDArray[np.int32]

MESHER_VERSION = 1
"""To be raised when the same input would give another mesh; cached meshes are then replaced."""

GAP_FACTOR = 0.25
"""Ratio of the edge length in a gap to sqrt(2 R g) for gap_elements = 1; see outline.py."""

ATTEMPTS = 4


def build_mesh(packing: Packing, geometry: Geometry, name: str = "") -> MeshData:
    """Mesh a packing with the sizes of a parameter file.

    Args:
        packing: discs (2D) or spheres (3D).
        geometry: `Parameters.geometry` (lengths in m).
        name: becomes MeshData.hash; if empty, the content is hashed.

    Raises:
        InputError: gmsh failed, or a curved cell is not valid.
    """
    if packing.dimension == 3:
        return mesh_spheres(packing, geometry.mesh, 1e6 * geometry.separator_thickness, name)
    slab = Slab(
        centres=packing.centres_um,
        radii=packing.radii_um,
        coating=packing.coating_thickness_um,
        separator=1e6 * geometry.separator_thickness,
        width=packing.width_um[0],
    )
    return mesh_slab(slab, mesh_sizes(geometry.mesh), name)


def mesh_sizes(settings: MeshSettings) -> MeshSizes:
    """Return the sizes of [geometry.mesh] in micrometres.

    gap_elements = n requests 4 n edges along the length over which a gap doubles (outline.py).
    """
    elements = settings.gap_elements
    return MeshSizes(
        surface_factor=settings.surface_size_factor,
        gap_factor=GAP_FACTOR / elements if elements > 0.0 else np.inf,
        maximum=1e6 * settings.maximum_size,
        minimum=1e6 * settings.minimum_size,
        separator=1e6 * settings.separator_size,
        order=settings.order,
    )


def mesh_slab(slab: Slab, sizes: MeshSizes, name: str = "") -> MeshData:
    """Mesh discs in a slab.

    Args:
        slab: discs that touch neither one another nor the planes; side walls may cut them.
        sizes: element sizes and order.
        name: becomes MeshData.hash; if empty, the content is hashed.

    Raises:
        InputError: gmsh failed, or a curved cell is not valid.
    """
    for _ in range(ATTEMPTS):
        outline = draw_outline(slab, sizes)
        points, cells, cell_tags = triangulate(outline, sizes.maximum)
        if sizes.order == 1:
            return MeshData.from_cells(points, cells, cell_tags, 1, name)
        points, cells = _second_order(points, cells, cell_tags, slab)
        folded = jacobian_range(points, cells, 2)[0] <= 0.0
        if not folded.any():
            return MeshData.from_cells(points, cells, cell_tags, 2, name)
        finer = 0.7 * min(sizes.gap_factor, WIDEST)
        sizes = replace(sizes, gap_factor=finer, minimum=min(sizes.minimum, slab.radii.min() / 50))
    raise InputError(
        f"{int(folded.sum())} of {len(cells)} curved cells fold over. Lower"
        " geometry.mesh.surface_size_factor or widen geometry.minimum_gap."
    )


def triangulate(outline: Outline, maximum: float) -> tuple[Floats, Ints, Tags]:
    """Fill an outline with straight triangles; return points (P, 2), cells (M, 3) and tags (M,).

    Raises:
        InputError: gmsh failed.
    """
    with gmsh_session("heterode") as gmsh:
        gmsh.option.setNumber("Mesh.MeshSizeMax", maximum)
        surfaces = _describe(gmsh.model.geo, outline)
        gmsh.model.geo.synchronize()
        try:
            gmsh.model.mesh.generate(2)
        except Exception as error:  # gmsh raises bare Exception
            raise InputError(
                f"gmsh could not mesh this packing ({error}). Try another seeds.packing or a wider"
                " geometry.minimum_gap."
            ) from None
        numbers, coordinates, _ = gmsh.model.mesh.getNodes()
        blocks = [gmsh.model.mesh.getElementsByType(2, surface)[1] for surface, _ in surfaces]
    lookup = np.zeros(int(numbers.max()) + 1, dtype=np.int64)
    lookup[numbers] = np.arange(len(numbers))
    cells = lookup[np.concatenate(blocks)].reshape(-1, 3)
    counts = [len(block) // 3 for block in blocks]
    if min(counts) == 0:
        raise InputError("gmsh left a particle without cells. Make geometry.mesh finer.")
    cell_tags = np.repeat([tag for _, tag in surfaces], counts).astype(np.int32)
    points = coordinates.reshape(-1, 3)[:, :2].astype(np.float64)
    turned = jacobian_range(points, cells, 1)[0] < 0.0
    cells[turned] = cells[turned][:, [0, 2, 1]]
    return points, cells, cell_tags


def _describe(geo: BuiltInKernel, outline: Outline) -> list[tuple[int, int]]:
    """Hand the outline to gmsh edge by edge; return pairs of a gmsh surface and its cell tag."""
    nodes = [geo.addPoint(x, y, 0.0) for x, y in outline.points]
    lines: dict[tuple[int, int], int] = {}

    def line(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in lines:
            lines[key] = geo.addLine(nodes[key[0]], nodes[key[1]])
            geo.mesh.setTransfiniteCurve(lines[key], 2)
        return lines[key] if a < b else -lines[key]

    loops: dict[tuple[int, ...], int] = {}

    def curve_loop(chain: list[int]) -> int:
        if tuple(chain) not in loops:
            edges = zip(chain, [*chain[1:], chain[0]], strict=True)
            loops[tuple(chain)] = geo.addCurveLoop([line(a, b) for a, b in edges])
        return loops[tuple(chain)]

    return [
        (geo.addPlaneSurface([curve_loop(chain) for chain in chains]), tag)
        for tag, chains in outline.surfaces
    ]


def _second_order(points: Floats, cells: Ints, cell_tags: Tags, slab: Slab) -> tuple[Floats, Ints]:
    """Add a node on each edge, in gmsh's order, and move those on particles onto their circles."""
    local = np.array(EDGES[2])
    pairs = np.sort(cells[:, local].reshape(-1, 2), axis=1)
    edges, edge_of = np.unique(pairs, axis=0, return_inverse=True)
    edge_of = edge_of.reshape(-1)
    owner = np.repeat(cell_tags.astype(np.int64), len(local))
    low = np.full(len(edges), np.iinfo(np.int64).max)
    high = np.zeros(len(edges), dtype=np.int64)
    np.minimum.at(low, edge_of, owner)
    np.maximum.at(high, edge_of, owner)
    middle = points[edges].mean(axis=1)
    surface = (low == tags.CBD) & (high >= tags.PARTICLE_OFFSET)
    particle = high[surface] - tags.PARTICLE_OFFSET
    offset = middle[surface] - slab.centres[particle]
    scale = slab.radii[particle] / np.linalg.norm(offset, axis=1)
    middle[surface] = slab.centres[particle] + scale[:, None] * offset
    curved = np.column_stack([cells, len(points) + edge_of.reshape(-1, len(local))])
    return np.concatenate([points, middle]), curved
