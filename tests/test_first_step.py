"""The first steps after a jump of the terminals' control, and the time error of the voltage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from helpers.cells import parameters
from helpers.paths import ROOT
from heterode.geometry.layers import layered
from heterode.geometry.msh import read_msh
from heterode.parameters.layering import Layers
from heterode.solver.discretisation.electrode_mesh import distribute
from heterode.solver.model import CellModel
from heterode.solver.time.bdf import differentiation
from heterode.solver.time.march import march
from heterode.solver.time.surface_lithium import Interface, SurfaceLithium

ACCURACY = 1e-3
FIRST_STEP_OF_OLD = 0.36
FINE = (
    'solver.voltage_tolerance="0.004 mV"',
    "solver.fraction_tolerance=4e-6",
    "solver.concentration_tolerance=4e-5",
    'solver.initial_step="1e-3 s"',
    'solver.minimum_step="1e-5 s"',
)


@dataclass(frozen=True)
class Run:
    """Accepted time steps: time, V, time since the jump, protocol step, bound of the error."""

    rows: np.ndarray
    rejected: int

    def of_step(self, number: int) -> np.ndarray:
        """The rows of a protocol step."""
        return self.rows[self.rows[:, 3] == number]


def run(steps: tuple[str, ...], overrides: tuple[str, ...] = ()) -> Run:
    """March one disc with layers that resolve the surface from 0.1 s on."""
    from mpi4py import MPI

    mesh, _ = layered(read_msh(ROOT / "meshes" / "single_disc_2d.msh"), Layers(7, 1.2e-8, 2.0))
    texts = ", ".join(f'"{step}"' for step in steps)
    given = parameters((f"protocol.steps=[{texts}]", *overrides))
    model = CellModel(distribute(MPI.COMM_SELF, mesh), given, np.ones(1))
    stepper = model.stepper(model.start())
    rows = [
        (
            marched.state.time,
            marched.state.V,
            marched.state.since_jump,
            marched.protocol_step,
            marched.state.voltage_time_error,
        )
        for marched in march(stepper, given.protocol.steps, model.pace)
    ]
    return Run(np.array(rows), stepper.rejected)


def true_errors(coarse: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Errors of V from 0.1 s after the jump on, by a run with fine steps on the same mesh."""
    exact = CubicSpline(np.sqrt(fine[:, 2]), fine[:, 1])
    counts = coarse[coarse[:, 2] >= 0.1]
    errors: np.ndarray = counts[:, 1] - exact(np.sqrt(counts[:, 2]))
    return errors


JUMPS = ("charge at 2C for 10 s", "rest for 8 s", "charge at 100 W/m^2 for 8 s")


@pytest.fixture(scope="module")
def fine() -> Run:
    """With time steps so fine that their error hardly shows."""
    return run(JUMPS, FINE)


@pytest.fixture(scope="module")
def present() -> Run:
    """The same with the default settings."""
    return run(JUMPS)


@pytest.mark.parametrize("step", range(len(JUMPS)))
def test_the_voltage_is_right_from_a_tenth_of_a_second_on(present: Run, fine: Run, step: int):
    rows = present.of_step(step)
    errors = np.abs(true_errors(rows, fine.of_step(step)))
    assert errors.max() < ACCURACY / 2
    assert len(rows[rows[:, 2] < 0.3]) >= 2
    bound = rows[rows[:, 2] >= 0.1][:, 4]
    assert errors.max() / 1.5 < bound.max() < 4 * max(errors.max(), 0.05 * ACCURACY)


def test_a_first_step_that_is_not_sized_misses_the_voltage(fine: Run):
    old = run(JUMPS[:1], (f'solver.initial_step="{FIRST_STEP_OF_OLD} s"',))
    rows = old.of_step(0)
    assert rows[0, 2] == pytest.approx(FIRST_STEP_OF_OLD)
    errors = np.abs(true_errors(rows, fine.of_step(0)))
    assert errors[0] > 2 * ACCURACY
    # The bound says so.
    assert rows[0, 4] > errors[0] / 1.5


def follow(lengths: list[float], flux: float = 1e-9) -> tuple[SurfaceLithium, list]:
    """Follow a disc of 2.5 um through time steps of these lengths, at a constant flux."""
    nodes = 2.5e-6 * (1.0 - np.linspace(1.0, 0.0, 81) ** 3)
    at = Interface(flux, -1.0, 3e-15)
    surface = SurfaceLithium(nodes, 2, 1, None, lambda vector, fluxes: at, 1.0)
    zeros = surface.at_rest(np.zeros(1), {})
    states, times = [zeros], [0.0]
    for length in lengths:
        past = [*times[::-1]][:3]
        scheme = differentiation(times[-1] + length, past, 2)
        after = surface.after(length, states[::-1][:3], scheme, at, jumped=len(times) == 1)
        states.append(after)
        times.append(times[-1] + length)
    return surface, states


def test_one_step_of_backward_euler_lacks_an_eighth_of_the_root():
    # A half space under a constant flux: 2/sqrt(pi) exactly, 1 by one step.
    _, (_, after) = follow([1.0])
    lacks = 1e-9 * np.sqrt(1.0 / 3e-15) * (2 / np.sqrt(np.pi) - 1.0)
    error = float((after.stepped - after.exact).sum())
    assert error == pytest.approx(lacks, rel=0.03)


def test_the_error_of_a_short_first_step_dies_away():
    _, states = follow([0.02] * 5)
    surface, (start, coarse) = follow([0.1])
    assert abs(states[-1].voltage_error) < 0.05 * abs(coarse.voltage_error)
    # So it does not count in full where it arises.
    first = surface.own_error(0.02, start, states[1], wait=0.08)
    assert abs(first) < 0.2 * abs(states[1].voltage_error)
