"""Quality of an electrode mesh in each domain, as data and as a table of text.

SICN is the signed inverse condition number, 1 for an equilateral cell (4 sqrt(3) A / sum l^2 in
2D). Angles are those of triangles, and in 3D those between the faces of a tetrahedron. gamma is the
ratio of inscribed to circumscribed radius, scaled to be 1 for an equilateral cell. These refer to
straight cells. The scaled Jacobian is the least over the greatest Jacobian determinant of a curved
cell, 1 for a straight one.
Source: gmsh reference manual, `Mesh.QualityType`; Johnen et al., J. Comput. Phys. 233, 359 (2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heterode.base.words import counted
from heterode.geometry import tags
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.simplex import jacobian_range, tetrahedron_sicn, triangle_sicn
from heterode.physics.balances import CELL
from heterode.physics.weak_form import Domain

Floats = npt.NDArray[np.float64]


DOMAINS = (
    ("particles", tags.PARTICLE_OFFSET),
    ("cbd", tags.CBD),
    ("separator", tags.SEPARATOR),
)
"""Names and tags of the domains; all particles count as one domain."""


@dataclass(frozen=True)
class DomainQuality:
    """Quality of the cells of one domain.

    Attributes:
        name: "particles", "cbd" or "separator".
        cells, vertices: their numbers; vertices are the nodes of first-order fields.
        sicn_min, sicn_mean, gamma_min, angle_min_deg: values for the straight cells.
        scaled_jacobian_min: least value of the curved cells; if not positive, a cell is folded.
    """

    name: str
    cells: int
    vertices: int
    sicn_min: float
    sicn_mean: float
    gamma_min: float
    angle_min_deg: float
    scaled_jacobian_min: float


@dataclass(frozen=True)
class MeshQuality:
    """Quality of all domains of a mesh.

    Attributes:
        domains: particles, cbd, separator.
        particles: number of particles.
        points: number of mesh nodes, including those on curved edges.
        unknowns: number of unknowns of all fields with first-order elements.
        area_error_max: largest relative error of a particle's area or volume; NaN if not known.
    """

    domains: tuple[DomainQuality, ...]
    particles: int
    points: int
    unknowns: int
    area_error_max: float
    dimension: int = 2

    def text(self) -> str:
        """Return a table of text for the terminal."""
        lines = [
            f"{counted(self.particles, 'particle')}, {self.points} nodes, about "
            f"{self.unknowns} unknowns",
            f"{'domain':<10}{'cells':>9}{'vertices':>10}{'SICN min':>10}{'mean':>7}"
            f"{'gamma min':>11}{'angle min':>11}{'Jac. min':>10}",
        ]
        lines += [
            f"{d.name:<10}{d.cells:>9}{d.vertices:>10}{d.sicn_min:>10.3f}{d.sicn_mean:>7.3f}"
            f"{d.gamma_min:>11.3f}{d.angle_min_deg:>10.1f}°{d.scaled_jacobian_min:>10.3f}"
            for d in self.domains
        ]
        if np.isfinite(self.area_error_max):
            measure = "area" if self.dimension == 2 else "volume"
            lines.append(f"largest error of a particle's {measure}: {self.area_error_max:.1e}")
        return "\n".join(lines)


CELLS_AT_ONCE = 100_000
"""Cells assessed in one pass: each takes 1 kB, too much for all cells of a large mesh at once."""


@dataclass(frozen=True)
class WorstCells:
    """Quality of the worst cells of a domain.

    Attributes:
        name, angle_min_deg, scaled_jacobian_min: as in `DomainQuality`.
    """

    name: str
    angle_min_deg: float
    scaled_jacobian_min: float


def worst_cells(mesh: MeshData) -> tuple[WorstCells, ...]:
    """Find the worst cells of each domain, with little memory.

    Cells of layers do not count, since they are thin on purpose.
    """
    kinds = np.minimum(mesh.cell_tags[: mesh.base_cells], tags.PARTICLE_OFFSET)
    found = []
    for name, kind in DOMAINS:
        chosen = np.flatnonzero(kinds == kind)
        parts = np.array_split(chosen, max(1, -(-len(chosen) // CELLS_AT_ONCE)))
        measured = [_domain(mesh, name, np.asarray(mesh.cells[part])) for part in parts]
        angle = min(part.angle_min_deg for part in measured)
        found.append(WorstCells(name, angle, min(part.scaled_jacobian_min for part in measured)))
    return tuple(found)


def mesh_quality(mesh: MeshData, expected_area_um2: Floats | None = None) -> MeshQuality:
    """Assess the quality of a mesh.

    Args:
        mesh: mesh of triangles or tetrahedra.
        expected_area_um2: (N,) areas of the packed particles, or in 3D their volumes
            (`Packing.volumes_um3()`).
    """
    kinds = np.minimum(mesh.cell_tags, tags.PARTICLE_OFFSET)
    domains = tuple(
        _domain(mesh, name, np.asarray(mesh.cells[kinds == kind])) for name, kind in DOMAINS
    )
    particles, cbd, _ = (d.vertices for d in domains)
    both = np.isin(mesh.cell_tags, [tags.CBD, tags.SEPARATOR])
    electrolyte = len(np.unique(mesh.cells[both, : mesh.dimension + 1]))
    vertices: dict[Domain, int] = {
        "particles": particles,
        "electrolyte": electrolyte,
        "carbon": cbd,
    }
    error = np.nan
    if expected_area_um2 is not None:
        error = float(np.abs(mesh.particles.volume_um3 / expected_area_um2 - 1.0).max())
    return MeshQuality(
        domains=domains,
        particles=len(mesh.particles),
        points=len(mesh.points_um),
        unknowns=sum(len(CELL.on(domain)) * count for domain, count in vertices.items()),
        area_error_max=error,
        dimension=mesh.dimension,
    )


def _domain(mesh: MeshData, name: str, cells: npt.NDArray[np.int64]) -> DomainQuality:
    if mesh.dimension == 3:
        return _solid_domain(mesh, name, cells)
    corners = mesh.points_um[cells[:, :3]]
    sides = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
    a, b, c = sides.T
    area = 0.5 * jacobian_range(mesh.points_um, cells[:, :3], 1)[0]
    sicn = triangle_sicn(corners)
    gamma = 16.0 * area * area / (a * b * c * (a + b + c))
    # The least angle is opposite the shortest side; its sine is 2 A over the other two sides.
    longest, shortest = sides.max(axis=1), sides.min(axis=1)
    middle = sides.sum(axis=1) - longest - shortest
    angle = np.degrees(np.arcsin(np.clip(2.0 * area / (longest * middle), -1.0, 1.0)))
    low, high = jacobian_range(mesh.points_um, cells, mesh.order)
    return DomainQuality(
        name=name,
        cells=len(cells),
        vertices=len(np.unique(cells[:, :3])),
        sicn_min=float(sicn.min()),
        sicn_mean=float(sicn.mean()),
        gamma_min=float(gamma.min()),
        angle_min_deg=float(angle.min()),
        scaled_jacobian_min=float((low / high).min()),
    )


def _solid_domain(mesh: MeshData, name: str, cells: npt.NDArray[np.int64]) -> DomainQuality:
    corners = mesh.points_um[cells[:, :4]]
    sicn = tetrahedron_sicn(corners)
    gamma, angle = _radius_ratio_and_angle(corners)
    jacobian = 1.0
    if mesh.order == 2:
        low, high = jacobian_range(mesh.points_um, cells, 2)
        jacobian = float((low / high).min())
    return DomainQuality(
        name=name,
        cells=len(cells),
        vertices=len(np.unique(cells[:, :4])),
        sicn_min=float(sicn.min()),
        sicn_mean=float(sicn.mean()),
        gamma_min=float(gamma.min()),
        angle_min_deg=float(angle),
        scaled_jacobian_min=jacobian,
    )


def _radius_ratio_and_angle(corners: Floats) -> tuple[Floats, float]:
    """Return gamma = 3 inradius / circumradius (M,) and the least dihedral angle, degrees."""
    a, b, c = (corners[:, k] - corners[:, 0] for k in (1, 2, 3))
    normals = np.stack(
        [np.cross(c - a, b - a), np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1
    )
    areas = np.linalg.norm(normals, axis=2)
    volume = np.einsum("ij,ij->i", a, normals[:, 1])
    squares = [np.einsum("ij,ij->i", edge, edge)[:, None] for edge in (a, b, c)]
    centre = sum(s * normals[:, k] for k, s in enumerate(squares, start=1))
    circumradius = np.linalg.norm(centre, axis=1) / (2.0 * volume)
    gamma: Floats = 3.0 * volume / areas.sum(axis=1) / circumradius
    unit = normals / areas[:, :, None]
    cosine = max(
        float((-np.einsum("ij,ij->i", unit[:, i], unit[:, j])).max())
        for i in range(4)
        for j in range(i)
    )
    return gamma, float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
