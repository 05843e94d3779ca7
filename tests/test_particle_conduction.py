"""Electrons inside particles: slabs in series, limits, conservation, Jacobian, files.

In a slab of layers (particle or carbon binder) that fills the whole width, electrons reach the
reacting surface that faces the separator through all layers before it, so that there

    phi_s = -I/A (R_contact + sum of the integrals of dx / sigma)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.cells import cell as shipped_cell
from helpers.cells import parameters, run
from helpers.linearisation import mismatches
from helpers.manufactured import TWO_BLOCKS, SmoothCurve, bend, cell
from helpers.mapped_grid import Blocks, mapped_grid
from helpers.paths import ROOT
from heterode.forecast.estimate import count_unknowns, expected_unknowns
from heterode.forecast.regimes import regime_numbers
from heterode.geometry.msh import read_msh
from heterode.materials.electronic_conduction import amin_nmc
from heterode.solver.model import CellModel
from heterode.solver.time.state import State
from heterode.solver.time.terminal import ConstantCurrent

ON = "active_material.electronic_conduction_in_particles=true"


def conductivity(sigma: float | str) -> tuple[str, str]:
    unit = " S/m" if isinstance(sigma, float) else ""
    return ON, f"active_material.electronic_conductivity={sigma}{unit}"


# -- slabs --------------------------------------------------------------------------------------

UM = 1e-6
IN_FRONT = Blocks((4.0, 1.0), 3.0, (((1.0, 0.0), (2.0, 1.0)),))
"""Carbon binder, particle, carbon binder, separator; 1 um each."""

AT_COLLECTOR = Blocks((4.0, 1.0), 3.0, (((0.0, 0.0), (2.0, 1.0)),))
"""A particle of 2 um on the collector, carbon binder, separator."""

SLOW = (
    "active_material.rate_constant=1e-9 m/s",
    "active_material.diffusivity=2e-14 m^2/s",
    "solver.newton_iterations=60",
)


def marched(model: CellModel, seconds: float = 20.0) -> State:
    """From a uniform cell at rest, under 1C."""
    vector = np.zeros(model.layout.owned)
    vector[model.layout.slices["s"]], vector[model.layout.slices["y"]] = 0.6, 1.0
    U = float(SmoothCurve().potential_and_slope(np.array(0.6))[0])
    start = model.start()
    stepper = model.stepper(State(0.0, vector, U, 0.0, 0.0, start.fluxes, 0.0))
    control = ConstantCurrent(20 * model.one_C)
    lengths = 1.4 ** np.arange(20)
    for length in seconds * lengths / lengths.sum():
        stepper.accept(stepper.attempt(length, control))
    model.layout.spread(stepper.state.vector)
    return stepper.state


def potential_at(model: CellModel, position: float) -> float:
    """Mean of phi_s over the reacting surface at a position, um.

    In the discrete equations, too, the mean over a cross-section follows from the total current.
    """
    trace = model.system.surfaces["interface"].trace
    there = np.abs(trace.points[:, 0] / UM - position) < 1e-6
    values = trace.at_points("phi_s", model.layout.functions["phi_s"].x.array)
    return float(np.average(values[there], weights=trace.weights[there]))


def contact(model: CellModel) -> float:
    return float(model.parameters.collector.contact_resistance)


def carbon_sigma(model: CellModel) -> float:
    binder = model.parameters.carbon_binder
    return float(binder.conductivity * (1 - binder.electrolyte_fraction) ** 1.5)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("sigma", [1e-4, 0.03, 50.0])
def test_layers_are_resistors_in_series(sigma: float, degree: int) -> None:
    model = cell(mapped_grid(IN_FRONT, 4, order=1), *SLOW, *conductivity(sigma), degree=degree)
    density = marched(model).I / model.mesh.collector_area
    expected = -density * (contact(model) + UM / carbon_sigma(model) + UM / sigma)
    assert potential_at(model, 2.0) == pytest.approx(expected, rel=1e-7)
    # Negative controls: layers in parallel, or no particle, would give another potential.
    without = -density * (contact(model) + UM / carbon_sigma(model))
    assert abs(without / expected - 1) > 1e-4


def test_a_particle_on_the_collector_is_in_contact_with_it() -> None:
    model = cell(mapped_grid(AT_COLLECTOR, 4, order=1), *SLOW, *conductivity(0.03))
    density = marched(model).I / model.mesh.collector_area
    expected = -density * (contact(model) + 2 * UM / 0.03)
    assert potential_at(model, 2.0) == pytest.approx(expected, rel=1e-7)
    # Where particles do not conduct there is no contact at all.
    assert cell(mapped_grid(AT_COLLECTOR, 4, order=1)).mesh.collector.cells.size == 0


def series_error(per_um: int, table: Path) -> float:
    """Of the integral of dx / sigma(s(x)) through a particle with a gradient of lithium."""
    settings = (ON, f"active_material.electronic_conductivity_table={table}")
    model = cell(mapped_grid(AT_COLLECTOR, per_um, order=1), *SLOW, *settings)
    state = marched(model)
    s = model.layout.functions["s"]
    x = s.function_space.tabulate_dof_coordinates()[:, 0]
    order = np.argsort(x)
    fine = np.linspace(0.0, 2 * UM, 20001)
    profile = np.interp(fine, x[order], s.x.array[order])
    assert np.ptp(profile) > 0.05
    sigma = model.parameters.active_material.electronic_conductivity_at(298.15)
    integral = np.trapezoid(1 / sigma(profile), fine)
    density = state.I / model.mesh.collector_area
    expected = -density * (contact(model) + integral)
    return abs(potential_at(model, 2.0) / expected - 1)


def test_conductivity_follows_the_lithium_fraction(tmp_path: Path) -> None:
    table = tmp_path / "sigma.csv"
    table.write_text("stoichiometry,conductivity_S_m\n0.3,1\n0.9,1e-4\n")
    errors = [series_error(per_um, table) for per_um in (8, 16)]
    assert errors[1] < 2e-3, errors
    # Of second order; with a conductivity that does not follow, no order at all.
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.4), errors


# -- limits -------------------------------------------------------------------------------------

POOR_CARBON = "carbon_binder.conductivity=0.02 S/m"
PROTOCOL = (POOR_CARBON, 'protocol.steps=["charge at 1C for 4 min"]')


def charged(*overrides: str) -> tuple[CellModel, float, np.ndarray]:
    """The model, its last voltage and lithium fractions."""
    model = shipped_cell("five_discs_2d", (*PROTOCOL, *overrides), (0.1, 0.9, 0.3, 0.6, 0.2))
    last = run(model)[0][-1]
    return model, last.voltage_V, last.lithium_fraction


def spread_in_particles(model: CellModel) -> float:
    """Largest difference of phi_s within a particle, V."""
    part, function = model.mesh.electronic, model.layout.functions["phi_s"]
    values = function.x.array[np.asarray(function.function_space.dofmap.list)]
    tags = part.cell_tags
    return max(float(np.ptp(values[tags == tag])) for tag in np.unique(tags[tags >= 1000]))


def test_particles_that_hardly_conduct_change_nothing() -> None:
    _, V, x = charged()
    _, V_poor, x_poor = charged(*conductivity(1e-9))
    # The carbon binder conducts a million times better and costs some 0.1 V.
    assert abs(V_poor - V) < 1e-6
    assert np.abs(x_poor - x).max() < 1e-6
    # Negative control: particles that conduct do.
    _, V_good, _ = charged(*conductivity(1e3))
    assert abs(V_good - V) > 1e-4


def test_particles_that_conduct_well_are_equipotential() -> None:
    good, poor = charged(*conductivity(1e4))[0], charged(*conductivity(1e-3))[0]
    assert spread_in_particles(good) < 1e-6
    assert spread_in_particles(poor) > 1e-3


def test_better_conduction_lowers_the_overpotential() -> None:
    voltages = [charged(*conductivity(sigma))[1] for sigma in (1e-9, 1e-2, 1.0)]
    assert voltages[0] > voltages[1] > voltages[2]


# -- balances, Jacobian -------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.05, "amin_nmc"])
@pytest.mark.parametrize("solver", ["direct", "fieldsplit"])
def test_balances(sigma: float | str, solver: str) -> None:
    model = shipped_cell(
        "five_discs_2d",
        (*PROTOCOL, *conductivity(sigma), f"solver.linear_solver={solver}"),
        (0.1, 0.9, 0.3, 0.6, 0.2),
    )
    found = run(model)[1].as_dict()
    assert max(found.values()) < (1e-9 if solver == "direct" else 1e-6), found


@pytest.mark.parametrize("sigma", [0.05, "amin_nmc"])
@pytest.mark.parametrize("degree", [1, 2])
def test_jacobian(sigma: float | str, degree: int) -> None:
    grid = mapped_grid(TWO_BLOCKS, per_um=1, order=2, bend=bend)
    model = cell(grid, *conductivity(sigma), degree=degree)
    found = mismatches(model, np.random.default_rng(1))
    assert max(found.values()) < 1e-7, found


@pytest.mark.parametrize(
    ("block", "column"), [(("phi_p", "phi_p"), "phi_s"), (("phi_p", "s"), "s")]
)
def test_a_flipped_block_of_the_particles_is_seen(
    block: tuple[str, str], column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = cell(mapped_grid(TWO_BLOCKS, 1, order=2, bend=bend), *conductivity("amin_nmc"))
    volume, values = model.system.volume, model.system.volume.block_values

    def flipped(which: tuple[str, str], leading: float) -> np.ndarray:
        found = values(which, leading)
        return -found if which == block else found

    monkeypatch.setattr(volume, "block_values", flipped)
    found = mismatches(model, np.random.default_rng(1))
    assert {b for b, error in found.items() if error > 1e-6} == {("phi_s", column)}


# -- around it ----------------------------------------------------------------------------------


def test_off_by_default_at_no_cost() -> None:
    model = shipped_cell("five_discs_2d")
    assert model.mesh.electronic is model.mesh.carbon
    assert ("phi_p", "phi_p") not in model.system.volume.blocks


def test_carbon_grid_holds_the_particles_too() -> None:
    model = shipped_cell("five_discs_2d", conductivity("amin_nmc"))
    state = model.start()
    grids = {grid.name: grid for grid in model.viewer().grids()}
    particle = grids["carbon"].cell_data["particle"]
    assert set(particle) == {-1, 0, 1, 2, 3, 4}
    assert np.sum(particle >= 0) == len(grids["particles"].cells)
    shown = model.viewer().values(state.V)["carbon"]["potential"]
    assert shown.shape == (len(grids["carbon"].points_um),)
    assert grids["particles"].cell_data.keys() >= {"penalty"}


def test_unknowns_are_counted() -> None:
    mesh = read_msh(ROOT / "meshes" / "five_discs_2d.msh")
    for degree in (1, 2):
        model = shipped_cell("five_discs_2d", (ON, f"solver.degree={degree}"))
        assert count_unknowns(mesh, degree, particles_conduct=True) == model.layout.total
        assert count_unknowns(mesh, degree) < model.layout.total
    assert expected_unknowns(parameters([ON])) > 1.1 * expected_unknowns(parameters())


def test_regime_number_of_conduction_inside_particles() -> None:
    numbers = {r.symbol: r for r in regime_numbers(parameters(conductivity("amin_nmc")))}
    known = {r.symbol for r in regime_numbers(parameters())}
    (symbol,) = set(numbers) - known
    twice = {r.symbol: r for r in regime_numbers(parameters(conductivity(0.02)))}
    assert numbers[symbol].value / twice[symbol].value == pytest.approx(0.02 / float(amin_nmc(0.7)))


def test_amin_nmc_at_its_ends() -> None:
    assert float(amin_nmc(1.0)) == pytest.approx(1e-5)
    assert float(amin_nmc(0.25)) == pytest.approx(1.0)
    assert float(amin_nmc(0.625)) == pytest.approx(10**-2.5)


def test_jacobian_in_3d() -> None:
    cube = Blocks((3.0, 3.0, 4.0), 3.0, (((1.0, 1.0, 1.0), (2.0, 2.0, 2.0)),))
    settings = (*conductivity("amin_nmc"), "geometry.dimension=3")
    found = mismatches(cell(mapped_grid(cube, 1, order=1), *settings), np.random.default_rng(1))
    assert max(found.values()) < 1e-7, found
