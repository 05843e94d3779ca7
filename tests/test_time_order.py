"""Orders in time: of the differentiation formulas alone, and of the stepper on a whole cell.

    du/dt(t) = alpha u + beta     at uneven steps, order 2 (and 1 where asked)

Beside each, the formula with the weights of even steps. Their sum over many steps telescopes, so
that order 1 is left of it, which must be seen. The measurements stand in helpers/orders_in_time.py.
"""

import pytest

from helpers.manufactured import orders
from helpers.orders_in_time import (
    REFERENCE,
    decay_error,
    differentiated_by,
    even_steps_assumed,
    fixed_steps,
    settled,
    small_cell,
    time_errors,
)
from heterode.solver.time.bdf import differentiation, extrapolation

# -- one equation ---------------------------------------------------------------------------


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


def test_stepper_is_of_order_two_on_a_cell() -> None:
    for errors in time_errors(small_cell(), 2, (8, 16)):
        assert orders(errors)[-1] == pytest.approx(2.0, abs=0.2), errors


def test_stepper_is_of_order_one_with_backward_euler() -> None:
    for errors in time_errors(small_cell(), 1, (8, 16)):
        assert orders(errors)[-1] == pytest.approx(1.0, abs=0.1), errors


def test_stepper_loses_its_order_with_the_weights_of_even_steps() -> None:
    start, control = settled(small_cell())
    reference = fixed_steps(small_cell(), start, control, REFERENCE, 2).V
    with differentiated_by(even_steps_assumed):
        errors = [
            abs(fixed_steps(small_cell(), start, control, count, 2).V - reference)
            for count in (8, 16)
        ]
    assert orders(errors)[-1] == pytest.approx(1.0, abs=0.2), errors
