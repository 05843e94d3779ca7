"""Three dimensions: facet quadrature, traces, residual, Jacobian and orders of the whole cell.

A cube of a particle in carbon-binder domain, with a separator on top; z is the thickness. The grid
is straight (order 1), stretched along each axis so that faces stay flat while edges on them curve
(order 2), or bent so that faces curve as well.
"""

from collections.abc import Callable
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from dolfinx import fem
from mpi4py import MPI

from helpers.linearisation import mismatches
from helpers.manufactured import SmoothCurve, cell
from helpers.mapped_grid import MappedGrid, mapped_grid, straight
from helpers.orders_in_space import CUBE, bent, l2_orders, little_more_salt
from heterode.geometry import tags
from heterode.geometry.mesh_data import facets_of
from heterode.geometry.simplex import integrate_cells
from heterode.solver.discretisation.electrode_mesh import MICROMETRE, ElectrodeMesh, distribute
from heterode.solver.discretisation.facets import FacetTrace, FieldOnSubmesh, facet_trace

Floats = npt.NDArray[np.float64]

SIDES = ("s", "y")
"""A field inside the particle and one across its surface."""


def stretched(points: Floats) -> Floats:
    """Quadratic along each axis: order 2 follows it exactly and planes stay planes."""
    return points + 0.1 * points * (np.array(CUBE.lengths) - points)


GEOMETRIES = [(1, straight), (2, stretched)]


def electrode(order: int, bend: Callable[[Floats], Floats]) -> tuple[MappedGrid, ElectrodeMesh]:
    grid = mapped_grid(CUBE, per_um=1, order=order, bend=bend)
    return grid, distribute(MPI.COMM_SELF, grid.data)


def spaces(mesh: ElectrodeMesh, degree: int) -> dict[str, FieldOnSubmesh]:
    parts = {"s": mesh.particles, "y": mesh.electrolyte}
    return {
        name: FieldOnSubmesh(fem.functionspace(part.mesh, ("Lagrange", degree)), part)
        for name, part in parts.items()
    }


def interface_trace(
    mesh: ElectrodeMesh, fields: dict[str, FieldOnSubmesh], degree: int, quadrature_degree: int = 8
) -> FacetTrace:
    return facet_trace(
        mesh,
        mesh.interface,
        fields,
        frozenset({"y"}),
        degree=degree,
        quadrature_degree=quadrature_degree,
    )


def monomial_over_box(powers: tuple[int, ...], lower: Floats, upper: Floats) -> float:
    """Integral of x^a y^b z^c over the surface of a box, in closed form."""
    along = [
        (hi ** (p + 1) - lo ** (p + 1)) / (p + 1)
        for p, lo, hi in zip(powers, lower, upper, strict=True)
    ]
    total = 0.0
    for axis in range(3):
        within = np.prod([along[other] for other in range(3) if other != axis])
        total += within * (lower[axis] ** powers[axis] + upper[axis] ** powers[axis])
    return float(total)


@pytest.mark.parametrize(("order", "bend"), GEOMETRIES)
def test_polynomials_are_integrated_exactly_over_the_interface(
    order: int, bend: Callable[[Floats], Floats]
) -> None:
    _, mesh = electrode(order, bend)
    trace = interface_trace(mesh, spaces(mesh, 1), 1)
    lower, upper = bend(np.array(CUBE.particles[0]))
    points, weights = trace.points / MICROMETRE, trace.weights / MICROMETRE**2
    # A quadratic map makes a monomial of total degree 3 one of degree 6, times the element's 2.
    for powers in product(range(4), repeat=3):
        if sum(powers) > 3:
            continue
        integral = weights @ np.prod(points ** np.array(powers), axis=1)
        assert integral == pytest.approx(monomial_over_box(powers, lower, upper), rel=1e-12), powers


def test_area_of_a_curved_interface_agrees_with_the_mesh_module() -> None:
    """Two quadratures written apart: the trace's, and the one that measures particles."""
    grid, mesh = electrode(2, bent)
    data = grid.data
    facets, kinds = facets_of(data.points_um, data.cells, data.cell_tags, data.order)
    expected, _ = integrate_cells(data.points_um, facets[kinds == tags.INTERFACE], 2)
    found = interface_trace(mesh, spaces(mesh, 1), 1, 14).weights.sum() / MICROMETRE**2
    assert found == pytest.approx(expected.sum(), rel=1e-7)
    # The bend matters: flat facets between the same vertices have another area.
    flat = mapped_grid(CUBE, per_um=1, order=1, bend=bent)
    assert flat.data.particles.surface_um2[0] != pytest.approx(expected.sum(), rel=1e-3)


def polynomial(x: Floats, degree: int) -> Floats:
    """Of a degree, and different along each axis; x (3, P) in metres."""
    X, Y, Z = x / MICROMETRE
    linear = 0.3 + X - 2.0 * Y + 0.7 * Z
    return linear if degree == 1 else linear + X * Y - 0.5 * Z**2 + Y * Z


# Linear fields on curved cells contain no polynomial but constants, quadratic ones the linear.
@pytest.mark.parametrize(
    ("degree", "order", "bend"),
    [(1, 1, straight), (2, 1, straight), (2, 2, stretched), (2, 2, bent)],
)
def test_both_sides_have_the_trace_of_their_field(
    degree: int, order: int, bend: Callable[[Floats], Floats]
) -> None:
    _, mesh = electrode(order, bend)
    fields = spaces(mesh, degree)
    trace = interface_trace(mesh, fields, degree)
    exact_degree = degree if order == 1 else 1
    exact = polynomial(trace.points.T, exact_degree)
    for name in SIDES:
        function = fem.Function(fields[name].space)
        function.interpolate(lambda x: polynomial(x, exact_degree))
        assert trace.at_points(name, function.x.array) == pytest.approx(exact, abs=1e-12)


def test_a_field_looked_for_on_the_wrong_side_is_refused() -> None:
    _, mesh = electrode(1, straight)
    with pytest.raises(RuntimeError, match="vertex coordinates"):
        facet_trace(
            mesh, mesh.interface, spaces(mesh, 1), frozenset(), degree=1, quadrature_degree=2
        )


@pytest.mark.parametrize("degree", [1, 2])
def test_load_and_mass_are_the_integrals_they_stand_for(degree: int) -> None:
    _, mesh = electrode(1, straight)
    fields = spaces(mesh, degree)
    trace = interface_trace(mesh, fields, degree)
    function = fem.Function(fields["y"].space)
    function.interpolate(lambda x: polynomial(x, degree))
    at_nodes = function.x.array[trace.dofs["y"]]
    u = polynomial(trace.points.T, degree)
    flux = 1.0 + (trace.points[:, 0] / MICROMETRE) ** 2
    weighted = trace.weights * flux
    assert trace.load(flux) @ at_nodes == pytest.approx(weighted @ u, rel=1e-12)
    mass = trace.mass(flux)
    quadratic = mass @ (at_nodes[trace.pair_rows] * at_nodes[trace.pair_columns])
    assert quadratic == pytest.approx(weighted @ u**2, rel=1e-12)


# -- the whole cell -------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "bend"), [(1, straight), (2, bent)])
def test_residual_and_jacobian_of_the_cell(order: int, bend: Callable[[Floats], Floats]) -> None:
    model = cell(mapped_grid(CUBE, per_um=1, order=order, bend=bend))
    layout, system = model.layout, model.system
    assert model.mesh.collector_area == pytest.approx(9.0 * MICROMETRE**2)
    rest = np.zeros(layout.owned)
    rest[layout.slices["s"]], rest[layout.slices["y"]] = 0.6, 1.0
    U = float(SmoothCurve().potential_and_slope(np.array(0.6))[0])

    at_rest = system.residual(rest, np.zeros_like(rest), U, 0.0)
    driven = system.residual(rest, np.zeros_like(rest), U + 0.01, 0.0)
    size = np.abs(driven.vector).max()
    assert np.abs(at_rest.vector).max() < 1e-10 * size

    # Away from rest the same current leaves the particle, the carbon takes its electrons and the
    # electrolyte its ions: with constant fields nothing else is in the rows' sums.
    i = float(driven.fluxes["interface"].value[0])
    area = float(model.averages.surfaces[0])
    assert driven.fluxes["interface"].value == pytest.approx(i, rel=1e-12)
    total = {name: driven.vector[part].sum() for name, part in layout.slices.items()}
    salt = -(1 - model.reference_transference)
    for name, factor in {"s": 1.0, "y": salt, "phi_l": -1.0, "phi_s": 1.0}.items():
        assert total[name] == pytest.approx(factor * i * area, rel=1e-10), name
    if order == 1:
        assert area == pytest.approx(6.0 * MICROMETRE**2, rel=1e-12)

    found = mismatches(model, np.random.default_rng(3))
    assert all(error < 1e-7 for error in found.values()), found


@pytest.mark.parametrize(
    ("degree", "meshes", "band"),
    [
        (1, (2, 4), 0.15),
        pytest.param(1, (4, 8), 0.1, marks=pytest.mark.slow),
        pytest.param(2, (2, 4), 0.2, marks=pytest.mark.slow),
    ],
)
def test_all_fields_converge_with_the_order_of_theory(
    degree: int, meshes: tuple[int, int], band: float
) -> None:
    found = l2_orders(degree, meshes)
    for name, order in found.items():
        assert order == pytest.approx(degree + 1, abs=band), (name, found)


def test_a_wrong_flux_of_salt_does_not_converge() -> None:
    found = l2_orders(1, (2, 4), little_more_salt)
    assert found["y"] < 1.0, found
