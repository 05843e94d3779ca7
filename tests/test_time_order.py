"""Orders in time: of the differentiation formulas alone, and of the stepper on a whole cell.

    du/dt(t) = alpha u + beta     at uneven steps, order 2 (and 1 where asked)

Beside each, the formula with the weights of even steps. Their sum over many steps telescopes, so
that order 1 is left of it, which must be seen.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from manufactured import TWO_BLOCKS, SmoothCurve, cell, orders
from mapped_grid import mapped_grid

from simulator.solver import stepper as stepper_module
from simulator.solver.bdf import Differentiation, differentiation, extrapolation
from simulator.solver.model import CellModel
from simulator.solver.stepper import State, Stepper
from simulator.solver.terminal import ConstantCurrent

PATTERN = np.array([1.0, 1.7, 0.6, 1.3, 0.8])
"""Uneven steps, repeated; halving them all keeps their ratios."""


def even_steps_assumed(time: float, past_times: Sequence[float], highest: int) -> Differentiation:
    """The negative twin: right at even steps, wrong step ratio elsewhere."""
    h = time - past_times[0]
    return differentiation(time, [time - h * (j + 1) for j in range(len(past_times))], highest)


# -- one equation ---------------------------------------------------------------------------


def decay_error(refinement: int, highest: int, scheme=differentiation) -> float:
    """u' = -k (u - cos t) - sin t with u = cos t, from exact past values to t = 4."""
    k = 3.0
    steps = np.tile(PATTERN, refinement)
    times = np.concatenate([[0.0], 4.0 * np.cumsum(steps) / steps.sum()])
    u = [1.0, np.cos(times[1])]
    for n in range(2, times.size):
        t, past = times[n], times[n - 1 :: -1][:3]
        s = scheme(t, past, highest)
        beta = s.past([u[n - 1], u[n - 2]])
        u.append((k * np.cos(t) - np.sin(t) - beta) / (s.alpha + k))
    return float(np.max(np.abs(u - np.cos(times))))


@pytest.mark.parametrize("highest", [1, 2])
def test_order_at_uneven_steps(highest: int) -> None:
    errors = [decay_error(refinement, highest) for refinement in (16, 32, 64)]
    assert orders(errors)[-1] == pytest.approx(highest, abs=0.05), errors


def test_order_is_lost_with_the_weights_of_even_steps() -> None:
    errors = [decay_error(refinement, 2, even_steps_assumed) for refinement in (16, 32, 64)]
    assert orders(errors)[-1] == pytest.approx(1.0, abs=0.1), errors


@pytest.mark.parametrize("highest", [1, 2])
def test_derivative_is_exact_for_polynomials_of_the_order(highest: int) -> None:
    past = [0.7, 0.2, -0.9]
    scheme = differentiation(1.0, past, highest)
    for power in range(highest + 1):
        slope = scheme.alpha * 1.0 + scheme.past([t**power for t in past])
        assert slope == pytest.approx(power, abs=1e-13)
    wrong = even_steps_assumed(1.0, past, 2)
    assert wrong.alpha + wrong.past([t**2 for t in past]) != pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("order", [1, 2])
def test_estimate_is_the_error_where_one_derivative_more_is_constant(order: int) -> None:
    """u' = (order + 1) t^order from exact past values: the error is known, and so is its sign."""
    time, past = 1.0, [0.7, 0.2, -0.9]
    exact = [t ** (order + 1) for t in past]
    scheme = differentiation(time, past, order)
    corrected = ((order + 1) * time**order - scheme.past(exact)) / scheme.alpha
    weights = extrapolation(time, past, order)
    predicted = sum(w * u for w, u in zip(weights, exact, strict=False))
    assert scheme.error_factor is not None
    estimate = scheme.error_factor * (corrected - predicted)
    true = corrected - time ** (order + 1)
    assert abs(true) > 0.01
    assert estimate == pytest.approx(true, rel=1e-12)

    # The factor of even steps would be wrong here.
    even = even_steps_assumed(time, past, order).error_factor
    assert even is not None
    assert even * (corrected - predicted) != pytest.approx(true, rel=0.1)


def test_error_is_not_estimated_without_enough_past() -> None:
    assert differentiation(1.0, [0.5], 2).error_factor is None
    assert differentiation(1.0, [0.5, 0.1], 2).error_factor is None
    assert differentiation(1.0, [0.5, 0.1, 0.0], 2).error_factor is not None


# -- a whole cell ---------------------------------------------------------------------------

START, DURATION = 600.0, 1200.0
"""s: past the transients that follow the jump of the current, to the end of the comparison."""


REFERENCE = 96
"""Repetitions of the pattern whose error does not count."""


def settled(model: CellModel) -> tuple[State, ConstantCurrent]:
    """The cell after a while at a constant current."""
    control = ConstantCurrent(model.one_C)
    vector = np.zeros(model.layout.owned)
    vector[model.layout.slices["s"]], vector[model.layout.slices["y"]] = 0.8, 1.0
    U = float(SmoothCurve().potential_and_slope(np.array(0.8))[0])
    stepper = model.stepper(replace(model.start(), vector=vector, V=U))
    lengths = 1.1 ** np.arange(60)
    for length in START * lengths / lengths.sum():
        stepper.accept(stepper.attempt(length, control))
    return replace(stepper.state, time=0.0, charge=0.0), control


def fixed_steps(
    model: CellModel, start: State, control: ConstantCurrent, count: int, highest: int
) -> State:
    """March the pattern `count` times over the duration, with no error control.

    One step of order 1 at the start leaves an error of order 2.
    """
    model.stepper(start)  # makes the Newton solver
    stepper = Stepper(
        model.newton, model.norms, model.tolerances, start, 1e-3, highest_order=highest
    )
    lengths = np.tile(PATTERN, count)
    for length in DURATION * lengths / lengths.sum():
        stepper.accept(stepper.attempt(length, control))
    return stepper.state


def time_errors(model: CellModel, highest: int, counts: Sequence[int]) -> list[list[float]]:
    """Error of V and of one particle's mean for each count, against many steps of order 2."""
    start, control = settled(model)

    def measure(count: int, order: int) -> np.ndarray:
        state = fixed_steps(model, start, control, count, order)
        s = model.averages.of_volume(state.vector[model.layout.slices["s"]])
        return np.array([state.V, s[0]])

    reference = measure(REFERENCE, 2)
    differences = [np.abs(measure(count, highest) - reference) for count in counts]
    return np.array(differences).T.tolist()


@pytest.fixture(scope="module")
def small_cell() -> CellModel:
    return cell(
        mapped_grid(TWO_BLOCKS, per_um=1, order=1),
        "carbon_binder.electrolyte_fraction=0.5",
        "active_material.rate_constant=1e-10 m/s",
        "active_material.diffusivity=1e-14 m^2/s",
    )


def test_stepper_is_of_order_two_on_a_cell(small_cell: CellModel) -> None:
    for errors in time_errors(small_cell, 2, (8, 16)):
        assert orders(errors)[-1] == pytest.approx(2.0, abs=0.2), errors


def test_stepper_is_of_order_one_with_backward_euler(small_cell: CellModel) -> None:
    for errors in time_errors(small_cell, 1, (8, 16)):
        assert orders(errors)[-1] == pytest.approx(1.0, abs=0.1), errors


def test_stepper_loses_its_order_with_the_weights_of_even_steps(
    small_cell: CellModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, control = settled(small_cell)
    reference = fixed_steps(small_cell, start, control, REFERENCE, 2).V
    monkeypatch.setattr(stepper_module, "differentiation", even_steps_assumed)
    errors = [
        abs(fixed_steps(small_cell, start, control, count, 2).V - reference) for count in (8, 16)
    ]
    assert orders(errors)[-1] == pytest.approx(1.0, abs=0.2), errors
