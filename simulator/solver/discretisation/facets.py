"""Quadrature on facets shared by fields of different submeshes.

On conforming simplices, Lagrange fields of one degree have the same traces on a facet, whatever
submesh they live on. The traces of all fields are therefore numbered once, by trace node, and a
surface term needs three sparse operators, made once:

    N  (points x nodes)          values at the quadrature points
    N' (nodes x points)          load vectors, weights applied to the point values first
    P  (node pairs x points)     weighted mass matrices of the trace, as values of its sparsity

Facet vertices are matched by their coordinates, which submeshes copy unchanged from their parent,
so nothing depends on how a DOLFINx version orders cells or sides.

Why not DOLFINx's own way, forms over the parent's facets with entity maps of the submeshes:

- The surface laws are NumPy functions at points, with limited exponents and tabulated curves. A
  form would only move values between nodes and points.
- A form over interior facets requires a cell on both sides from each submesh, but a field on one
  side has none on the other. Its map would have to be completed with some wrong cell, and the
  restrictions would have to choose the right side for each facet, since the order of the sides is
  arbitrary.
- The maps are a dictionary of arrays in DOLFINx 0.9 and a list of objects from 0.10 on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import basix
import numpy as np
import numpy.typing as npt
from dolfinx import fem
from scipy import sparse

from heterode.solver.discretisation.compat import cell_nodes
from heterode.solver.discretisation.electrode_mesh import (
    ElectrodeMesh,
    FacetSet,
    Submesh,
    facet_vertices,
)

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FieldOnSubmesh:
    """A Lagrange space and its submesh."""

    space: fem.FunctionSpace
    submesh: Submesh


@dataclass(frozen=True)
class FacetTrace:
    """The trace of several fields on a set of facets that this rank owns.

    There are F facets with Q quadrature points each, N trace nodes and M coupled pairs of nodes.

    Attributes:
        dofs: for each field, (N,) the local degree of freedom at each trace node.
        interpolation: (F Q, N) matrix from trace values to point values.
        weights: (F Q,) quadrature weights times surface elements, m^(dim-1).
        points: (F Q, 3) coordinates of the points, m.
        facet_of_point: (F Q,) facet of each point.
        pair_rows, pair_columns: (M,) trace nodes of each pair.
        to_pairs: (M, F Q) matrix from weighted point values to entries of a trace mass matrix.
    """

    dofs: Mapping[str, Ints]
    interpolation: sparse.csr_matrix
    weights: Floats
    points: Floats
    facet_of_point: Ints
    pair_rows: Ints
    pair_columns: Ints
    to_pairs: sparse.csr_matrix

    def at_points(self, field: str, values: Floats) -> Floats:
        """Return (F Q,) values at the points of a field with the given local degrees of freedom."""
        return np.asarray(self.interpolation @ values[self.dofs[field]])

    def load(self, flux: Floats) -> Floats:
        """Return (N,) the integrals of flux v for the basis function v of each trace node."""
        return np.asarray(self.interpolation.T @ (self.weights * flux))

    def mass(self, coefficient: Floats) -> Floats:
        """Return (M,) the integrals of coefficient u v for each coupled pair of trace nodes."""
        return np.asarray(self.to_pairs @ (self.weights * coefficient))


def facet_trace(
    mesh: ElectrodeMesh,
    facets: FacetSet,
    fields: Mapping[str, FieldOnSubmesh],
    opposite: frozenset[str],
    *,
    degree: int,
    quadrature_degree: int,
) -> FacetTrace:
    """Build the trace of `fields` on `facets`.

    Args:
        mesh: the electrode's mesh.
        facets: facets that this rank owns.
        fields: spaces by field name.
        opposite: names of the fields on the other side of the facets than `facets.cells`.
        degree: Lagrange degree of all fields, 1 or 2.
        quadrature_degree: degree of polynomials on the reference facet that are integrated exactly.
    """
    corners = facet_vertices(mesh.parent, facets.cells, facets.local_facets)
    node_dofs = {}
    for name, field in fields.items():
        cells = facets.opposite_cells if name in opposite else facets.cells
        node_dofs[name] = _facet_dofs(field, field.submesh.from_parent[cells], corners, degree)
    barycentric, reference_weights = _reference_rule(mesh.dimension, quadrature_degree)
    basis = _lagrange(barycentric, degree)
    points, elements = _geometry(mesh, facets, corners, barycentric)

    first = next(iter(node_dofs.values()))
    _, unique, inverse = np.unique(first, return_index=True, return_inverse=True)
    node_of: Ints = inverse.reshape(first.shape).astype(np.int32)
    n_points, n_nodes = points.shape[0], unique.size
    per_facet = barycentric.shape[0]
    interpolation = _interpolation(node_of, basis, n_nodes)
    rows, columns, to_pairs = _pair_operator(node_of, basis, n_nodes, n_points)
    return FacetTrace(
        dofs={name: dofs.ravel()[unique].astype(np.int32) for name, dofs in node_dofs.items()},
        interpolation=interpolation,
        weights=(elements * reference_weights[None, :]).ravel(),
        points=points,
        facet_of_point=np.repeat(np.arange(first.shape[0], dtype=np.int32), per_facet),
        pair_rows=rows,
        pair_columns=columns,
        to_pairs=to_pairs,
    )


def _reference_rule(dimension: int, degree: int) -> tuple[Floats, Floats]:
    """Return barycentric points (Q, dim) and weights (Q,) on the reference facet."""
    cell = {2: basix.CellType.interval, 3: basix.CellType.triangle}[dimension]
    points, weights = basix.make_quadrature(cell, degree)
    return np.column_stack([1 - points.sum(axis=1), points]), weights


def _lagrange(barycentric: Floats, degree: int) -> Floats:
    """Return the (Q, n) Lagrange basis: vertices, then edges in the order of `combinations`."""
    if degree == 1:
        return barycentric
    edges = [4 * barycentric[:, a] * barycentric[:, b] for a, b in _edges(barycentric.shape[1])]
    return np.column_stack([barycentric * (2 * barycentric - 1), *edges])


def _lagrange_slopes(barycentric: Floats, degree: int) -> Floats:
    """Return (Q, n, dim) derivatives of the basis with respect to barycentric coordinates."""
    count, corners = barycentric.shape
    vertices = np.zeros((count, corners, corners))
    for k in range(corners):
        vertices[:, k, k] = 1 if degree == 1 else 4 * barycentric[:, k] - 1
    if degree == 1:
        return vertices
    pairs = _edges(corners)
    edges = np.zeros((count, len(pairs), corners))
    for e, (a, b) in enumerate(pairs):
        edges[:, e, a] = 4 * barycentric[:, b]
        edges[:, e, b] = 4 * barycentric[:, a]
    return np.concatenate([vertices, edges], axis=1)


def _edges(corners: int) -> list[tuple[int, int]]:
    return list(combinations(range(corners), 2))


def _local_corners(cell_corners: Floats, corners: Floats) -> Ints:
    """Return (F, dim) the number in its cell of each facet vertex, found by coordinates."""
    distance = np.abs(cell_corners[:, None, :, :] - corners[:, :, None, :]).sum(axis=-1)
    if distance.size and np.any(distance.min(axis=2) > 0):
        raise RuntimeError("a submesh does not share its vertex coordinates with its parent")
    local: Ints = np.argmin(distance, axis=2).astype(np.int32)
    return local


def _edge_table(dimension: int) -> Ints:
    """Return (dim+1, dim+1) the index of the edge between two vertices of the simplex."""
    cell = {2: basix.CellType.triangle, 3: basix.CellType.tetrahedron}[dimension]
    table = np.full((dimension + 1, dimension + 1), -1, dtype=np.int32)
    for index, (a, b) in enumerate(basix.topology(cell)[1]):
        table[a, b] = table[b, a] = index
    return table


def _facet_dofs(field: FieldOnSubmesh, cells: Ints, corners: Floats, degree: int) -> Ints:
    """Return (F, n) the degrees of freedom on each facet, by its corners and their edges."""
    mesh = field.submesh.mesh
    dim = mesh.topology.dim
    geometry = cell_nodes(mesh)[:, : dim + 1][cells]
    local = _local_corners(np.asarray(mesh.geometry.x)[geometry], corners)
    layout, cell_dofs = field.space.dofmap.dof_layout, np.asarray(field.space.dofmap.list)[cells]
    at_vertex = np.array([layout.entity_dofs(0, v)[0] for v in range(dim + 1)])
    chosen = at_vertex[local]
    if degree == 2:
        on_edge = np.array([layout.entity_dofs(1, e)[0] for e in range(dim * (dim + 1) // 2)])
        table = _edge_table(dim)
        edges = [on_edge[table[local[:, a], local[:, b]]] for a, b in _edges(dim)]
        chosen = np.column_stack([chosen, *edges])
    return np.take_along_axis(cell_dofs, chosen, axis=1).astype(np.int32)


def _geometry(
    mesh: ElectrodeMesh, facets: FacetSet, corners: Floats, barycentric: Floats
) -> tuple[Floats, Floats]:
    """Return points (F Q, 3), m, and surface elements (F, Q), m^(dim-1), of curved facets."""
    parent = mesh.parent
    dim = mesh.dimension
    dofmap = cell_nodes(parent)[facets.cells]
    x = np.asarray(parent.geometry.x)
    nodes, order = corners, 1
    if dofmap.shape[1] > dim + 1:
        order = 2
        local = _local_corners(x[dofmap[:, : dim + 1]], corners)
        table = _edge_table(dim)
        middles = [
            np.take_along_axis(dofmap, dim + 1 + table[local[:, a], local[:, b]][:, None], axis=1)
            for a, b in _edges(dim)
        ]
        nodes = np.concatenate([corners, x[np.concatenate(middles, axis=1)]], axis=1)
    points = np.einsum("qn,fnx->fqx", _lagrange(barycentric, order), nodes)
    # d lambda / d xi of the reference facet: lambda_0 = 1 - sum xi, lambda_k = xi_k.
    to_reference = np.vstack([-np.ones(dim - 1), np.eye(dim - 1)])
    slopes = _lagrange_slopes(barycentric, order) @ to_reference
    tangents = np.einsum("qnt,fnx->fqtx", slopes, nodes)
    if dim == 2:
        elements = np.linalg.norm(tangents[:, :, 0], axis=2)
    else:
        elements = np.linalg.norm(np.cross(tangents[:, :, 0], tangents[:, :, 1]), axis=2)
    return points.reshape(-1, 3), elements


def _interpolation(node_of: Ints, basis: Floats, n_nodes: int) -> sparse.csr_matrix:
    n_facets, per_node = node_of.shape
    per_facet = basis.shape[0]
    columns = np.repeat(node_of[:, None, :], per_facet, axis=1).reshape(-1)
    values = np.broadcast_to(basis, (n_facets, per_facet, per_node)).reshape(-1)
    starts = np.arange(0, columns.size + 1, per_node)
    return sparse.csr_matrix((values, columns, starts), shape=(n_facets * per_facet, n_nodes))


def _pair_operator(
    node_of: Ints, basis: Floats, n_nodes: int, n_points: int
) -> tuple[Ints, Ints, sparse.csr_matrix]:
    n_facets, per_node = node_of.shape
    per_facet = basis.shape[0]
    keys = node_of[:, :, None].astype(np.int64) * n_nodes + node_of[:, None, :]
    unique, pair_of = np.unique(keys, return_inverse=True)
    pair_of = pair_of.reshape(n_facets, 1, per_node * per_node)
    rows = np.broadcast_to(pair_of, (n_facets, per_facet, per_node * per_node)).reshape(-1)
    products = np.einsum("qa,qb->qab", basis, basis).reshape(1, per_facet, -1)
    values = np.broadcast_to(products, (n_facets, per_facet, per_node * per_node)).reshape(-1)
    columns = np.repeat(np.arange(n_points), per_node * per_node)
    operator = sparse.csr_matrix((values, (rows, columns)), shape=(unique.size, n_points))
    divisor = max(n_nodes, 1)
    return (
        (unique // divisor).astype(np.int32),
        (unique % divisor).astype(np.int32),
        operator,
    )
