"""Orders in time: of the differentiation formulas alone, and of the stepper on a small cell.

    u' = -k (u - cos t) - sin t     with u = cos t, at uneven steps

Beside them, the formula with the weights of even steps. Their sum over many steps telescopes, so
that order 1 is left of it, which must be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache

import numpy as np

from helpers.manufactured import TWO_BLOCKS, SmoothCurve, cell
from helpers.mapped_grid import mapped_grid
from heterode.solver.model import CellModel
from heterode.solver.time import stepper as stepper_module
from heterode.solver.time.bdf import Differentiation, differentiation
from heterode.solver.time.state import State
from heterode.solver.time.stepper import Stepper
from heterode.solver.time.terminal import ConstantCurrent

PATTERN = np.array([1.0, 1.7, 0.6, 1.3, 0.8])
"""Uneven steps, repeated; halving them all keeps their ratios."""

Scheme = Callable[[float, Sequence[float], int], Differentiation]


def even_steps_assumed(time: float, past_times: Sequence[float], highest: int) -> Differentiation:
    """The negative control: right at even steps, wrong step ratio elsewhere."""
    h = time - past_times[0]
    return differentiation(time, [time - h * (j + 1) for j in range(len(past_times))], highest)


def decay_error(refinement: int, highest: int, scheme: Scheme = differentiation) -> float:
    """Largest error of the equation above, from exact past values to t = 4."""
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


START, DURATION = 600.0, 1200.0
"""s: past the transients that follow the jump of the current, to the end of the comparison."""

REFERENCE = 96
"""Repetitions of the pattern whose error does not count."""


@lru_cache(maxsize=1)
def small_cell() -> CellModel:
    """Two square particles with slow diffusion and kinetics."""
    return cell(
        mapped_grid(TWO_BLOCKS, per_um=1, order=1),
        "carbon_binder.electrolyte_fraction=0.5",
        "active_material.rate_constant=1e-10 m/s",
        "active_material.diffusivity=1e-14 m^2/s",
    )


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


@contextmanager
def differentiated_by(scheme: Scheme) -> Iterator[None]:
    """Steppers use another formula inside."""
    own = stepper_module.differentiation
    stepper_module.differentiation = scheme
    try:
        yield
    finally:
        stepper_module.differentiation = own
