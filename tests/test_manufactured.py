"""Orders of convergence in space, of the whole cell, against manufactured solutions.

Strong form, weak form and loads stand in helpers/manufactured.py. Lagrange elements of degree p on
meshes of order 2 must come to the exact fields with h^(p+1) in L2 and h^p in H1, no less and no
more. Beside it, negative controls: with one sign or factor wrong the fields do not converge at all.
"""

import pytest
import ufl
from dolfinx import fem

from helpers.manufactured import ALPHA, V_EXACT, exact_fields, orders, outer_facets, solve
from helpers.mapped_grid import MappedGrid
from helpers.orders_in_space import (
    Damage,
    loaded_cell,
    no_t_ref_on_lithium,
    other_t_ref_on_surface,
    penalties_exchanged,
    study,
    transfer_coefficients_exchanged,
    wrong_sign_in_carbon,
    wrong_sign_on_particles,
)
from heterode.geometry import tags
from heterode.solver.model import CellModel
from heterode.solver.time.terminal import ConstantCurrent, ConstantVoltage


@pytest.mark.parametrize(
    ("degree", "meshes"),
    [
        (1, (8, 16)),
        (2, (4, 8)),
        pytest.param(1, (32, 64), marks=pytest.mark.slow),
        pytest.param(2, (16, 32), marks=pytest.mark.slow),
    ],
)
def test_all_fields_converge_with_the_order_of_theory(degree: int, meshes: tuple[int, ...]) -> None:
    result = study(degree, meshes)
    assert not result.outside, f"{result.outside}, errors {result.errors}"
    # Close enough that the order is not one of errors that all are large.
    assert max(result.errors[-1].L2.values()) < 2e-3


def collector_current(model: CellModel, grid: MappedGrid) -> float:
    """I = -(integral of i_s . n over the collector) of the exact phi_s, A per metre."""
    mesh = model.mesh.carbon.mesh
    ds = ufl.Measure("ds", mesh, subdomain_data=outer_facets(grid, mesh))
    ds = ds(tags.COLLECTOR, metadata={"quadrature_degree": 8})
    phi_s = exact_fields(mesh)["phi_s"]
    out = fem.assemble_scalar(fem.form(phi_s * ds))
    return -float(out) / model.parameters.collector.contact_resistance


def test_voltage_at_given_current_and_current_at_given_voltage_converge() -> None:
    """The two scalars of the bordered system: h ties I to phi_s, the control leaves V free."""
    voltage_errors, current_errors = [], []
    for per_um in (8, 16):
        model, grid = loaded_cell(per_um, 1)
        exact = collector_current(model, grid)
        voltage_errors.append(abs(solve(model, ConstantCurrent(exact), exact).V - V_EXACT))
        current = solve(model, ConstantVoltage(V_EXACT)).I
        current_errors.append(abs(current / exact - 1))
    assert orders(voltage_errors)[-1] == pytest.approx(2.0, abs=0.15), voltage_errors
    assert orders(current_errors)[-1] == pytest.approx(2.0, abs=0.15), current_errors


# -- negative controls -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "field"),
    [
        (wrong_sign_in_carbon, "phi_s"),
        (other_t_ref_on_surface, "y"),
        (no_t_ref_on_lithium, "y"),
        (penalties_exchanged, "s"),
        (transfer_coefficients_exchanged, "s"),
    ],
)
def test_a_wrong_equation_does_not_converge(damage: Damage, field: str) -> None:
    result = study(1, (8, 16), damage)
    assert ("L2", field) in result.outside, f"{damage.__doc__} goes unnoticed: {result.errors}"
    order = result.last_order("L2", field)
    assert order < 1.5, f"order {order}, errors {result.errors}"


def test_a_wrong_sign_on_the_particles_does_not_converge() -> None:
    # At a thousandth of the rate: with the sign wrong a faster reaction runs away.
    slow = ("active_material.rate_constant=5e-11 m/s",)
    assert not study(1, (8, 16), settings=slow).outside
    result = study(1, (8, 16), wrong_sign_on_particles, slow)
    assert result.last_order("L2", "s") < 0.5, result.errors


def test_another_rate_than_that_of_the_loads_does_not_converge() -> None:
    """Storage: loads made for du/dt = alpha u, solved with a rate 5 % higher."""
    result = study(1, (8, 16), alpha=1.05 * ALPHA)
    for field in ("s", "y"):
        assert result.last_order("L2", field) < 1.5, result.errors
