"""Orders in time of the differentiation formulas alone, and of the stepper on whole cells.

The single equation and the small cell are defined in helpers/orders_in_time.py. In addition, a cell
has

    u(t) = u_0 + (1 + 0.3 sin(t / 25 s)) (u_exact - u_0)     at all its nodes

as a solution, by virtue of loads that are the residual of the discrete equations at u(t), du/dt.
The error of the stepper is then purely that in time, of all fields together. For single blocks, one
of the two stored fields is marched while the others keep their exact values at each time.

The negative control is the formula with the weights of even steps. Their sum over many steps
telescopes, so that the order drops to 1, which must be noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from helpers.manufactured import V_EXACT, cell, interpolated, orders
from helpers.orders_in_space import grid_of, solve_block
from helpers.orders_in_time import (
    DURATION,
    PATTERN,
    REFERENCE,
    Scheme,
    decay_error,
    differentiated_by,
    even_steps_assumed,
    fixed_steps,
    settled,
    small_cell,
    time_errors,
)
from heterode.physics.balances import CELL
from heterode.solver.algebra.bordered import BorderedSolver
from heterode.solver.model import CellModel
from heterode.solver.time.bdf import differentiation
from heterode.solver.time.newton import Newton
from heterode.solver.time.stepper import Stepper
from heterode.solver.time.terminal import ConstantVoltage
from verification.claim import Claim, Curve, Outcome, Plot, near

Floats = npt.NDArray[np.float64]


# -- one equation ---------------------------------------------------------------------------


def formulas(scheme: Scheme = differentiation) -> Outcome:
    """Measure the orders of both formulas on one equation."""
    refinements = (16, 32, 64)
    figures, curves = [], []
    for highest in (1, 2):
        found = [decay_error(refinement, highest, scheme) for refinement in refinements]
        figures.append(near(f"BDF{highest}: order", [orders(found)[-1]], highest, 0.05))
        mean_steps = [4.0 / (r * PATTERN.size) for r in refinements]
        curves.append(Curve(f"BDF{highest}", mean_steps, found))
    plot = Plot("mean time step, s", "largest error", tuple(curves), logarithmic=True)
    return Outcome(tuple(figures), (plot,))


# -- a manufactured solution of the whole cell ------------------------------------------------

PERIOD, LAST_TIME = 25.0, 50.0  # s
COUNTS = {2: (16, 32), 3: (32, 64)}
BLOCK_COUNTS = {2: (16, 32), 3: (64, 128)}
"""Repetitions of the pattern by dimension, for all fields together and for each alone."""

STORED = ("s", "y")
"""The fields with a rate of change; the potentials follow from them at each instant."""

OFFSET = {"s": 0.6, "y": 1.0, "phi_l": 0.0, "phi_s": 0.0}


class Swinging:
    """A cell whose nodal fields are known functions of time.

    Args:
        dimension: 2 or 3.
    """

    def __init__(self, dimension: int) -> None:
        self.model = cell(grid_of(dimension, 2 if dimension == 2 else 1))
        self._offset = np.zeros(self.model.layout.owned)
        for name, part in self.model.layout.slices.items():
            self._offset[part] = OFFSET[name]
        self._shape = interpolated(self.model) - self._offset

    def exact(self, time: float) -> Floats:
        """Return the exact fields, (owned,)."""
        return self._offset + (1 + 0.3 * np.sin(time / PERIOD)) * self._shape

    def loads(self, time: float) -> dict[str, Floats]:
        """Return the loads of every row that make the exact fields the solution."""
        rate = 0.3 / PERIOD * np.cos(time / PERIOD) * self._shape
        self.model.system.loads = {}
        residual = self.model.system.residual(self.exact(time), rate, V_EXACT, 0.0).vector
        return {name: residual[part].copy() for name, part in self.model.layout.slices.items()}

    def error(self, count: int, highest: int) -> dict[str, float]:
        """Return the largest relative error of each field at any time and node, with uneven steps.

        Args:
            count: repetitions of the pattern.
            highest: order of the scheme.
        """
        model = self.model
        # With loads the interface's current differs from the collector's, so no charge balance
        # holds.
        tolerances = replace(model.tolerances, charge=np.inf)
        bordered = BorderedSolver(model.system, model.linear)
        newton = Newton(model.system, bordered, model.norms, tolerances, model.one_C)
        start = replace(model.start(), vector=self.exact(0.0), V=V_EXACT)
        stepper = Stepper(newton, model.norms, tolerances, start, 1e-3, highest_order=highest)
        lengths = np.tile(PATTERN, count)
        wrong, size = np.zeros_like(self._shape), np.abs(self._shape)
        for length in LAST_TIME * lengths / lengths.sum():
            model.system.loads = self.loads(stepper.state.time + length)
            state = stepper.accept(stepper.attempt(length, ConstantVoltage(V_EXACT)))
            wrong = np.maximum(wrong, np.abs(state.vector - self.exact(state.time)))
        parts = model.layout.slices.items()
        return {name: float(wrong[part].max() / size[part].max()) for name, part in parts}

    def block_error(self, field: str, count: int, highest: int, scheme: Scheme) -> float:
        """Return the error of one field marched alone, with the other fields exact at all times."""
        part = self.model.layout.slices[field]
        lengths = np.tile(PATTERN, count)
        first, *rest = np.cumsum(LAST_TIME * lengths / lengths.sum())
        times, past, wrong = [first, 0.0], [self.exact(first), self.exact(0.0)], 0.0
        for time in rest:
            self.model.system.loads = self.loads(time)
            formula = scheme(time, times, highest)
            exact = self.exact(time)
            guess = exact.copy()
            guess[part] = past[0][part]
            beta = formula.past(past)
            solved = solve_block(self.model, field, guess, formula.alpha, beta)
            wrong = max(wrong, float(np.abs(solved - exact).max()))
            times, past = [time, times[0]], [solved, past[0]]
        return wrong / float(np.abs(self._shape[part]).max())


def swinging_blocks(dimension: int, scheme: Scheme = differentiation) -> Outcome:
    """Measure the orders of the two stored fields, each marched alone, with either formula."""
    known, counts = Swinging(dimension), BLOCK_COUNTS[dimension]
    figures, curves = [], []
    for highest in (1, 2):
        found = {
            name: [known.block_error(name, count, highest, scheme) for count in counts]
            for name in STORED
        }
        values = [orders(found[name])[-1] for name in STORED]
        figures.append(near(f"BDF{highest}: order, s and y each", values, highest, 0.15))
        mean_steps = [LAST_TIME / (count * PATTERN.size) for count in counts]
        curves += [Curve(f"{name}, BDF{highest}", mean_steps, found[name]) for name in STORED]
    plot = Plot("mean time step, s", "largest relative error", tuple(curves), logarithmic=True)
    return Outcome(tuple(figures), (plot,))


def swinging_cell(dimension: int, scheme: Scheme = differentiation) -> Outcome:
    """Measure the orders of all four fields of a whole cell, with either formula."""
    known, counts = Swinging(dimension), COUNTS[dimension]
    figures, curves = [], []
    with differentiated_by(scheme):
        for highest in (1, 2):
            found = [known.error(count, highest) for count in counts]
            values = [orders([e[name] for e in found])[-1] for name in CELL.fields]
            figures.append(near(f"BDF{highest}: order, four fields", values, highest, 0.15))
            mean_steps = [LAST_TIME / (count * PATTERN.size) for count in counts]
            curves += [
                Curve(f"{name}, BDF{highest}", mean_steps, [e[name] for e in found])
                for name in CELL.fields
            ]
    plot = Plot("mean time step, s", "largest relative error", tuple(curves), logarithmic=True)
    return Outcome(tuple(figures), (plot,))


# -- a whole cell ---------------------------------------------------------------------------


def whole_cell(scheme: Scheme | None = None, counts: Sequence[int] = (8, 16)) -> Outcome:
    """Measure the orders of the stepper in a cell's voltage and a particle's lithium fraction.

    Args:
        scheme: replaces the formula of order 2; the reference keeps the right one.
        counts: repetitions of the pattern.
    """
    model = small_cell()
    figures, curves = [], []
    for highest, band in ((1, 0.1), (2, 0.2)):
        if highest == 1 and scheme is not None:
            continue
        if scheme is None:
            found = time_errors(model, highest, counts)
        else:
            found = _errors_with(scheme, model, counts)
        values = [orders(e)[-1] for e in found]
        figures.append(near(f"order {highest}: in V and lithium fraction", values, highest, band))
        mean_steps = [DURATION / (count * PATTERN.size) for count in counts]
        curves.append(Curve(f"voltage (V), order {highest}", mean_steps, found[0]))
    plot = Plot("mean time step, s", "error of the voltage, V", tuple(curves), logarithmic=True)
    return Outcome(tuple(figures), (plot,))


def _errors_with(scheme: Scheme, model: CellModel, counts: Sequence[int]) -> list[list[float]]:
    start, control = settled(model)
    reference = fixed_steps(model, start, control, REFERENCE, 2).V
    with differentiated_by(scheme):
        return [
            [abs(fixed_steps(model, start, control, n, 2).V - reference) for n in counts],
        ]


def claims() -> tuple[Claim, ...]:
    """Return the claims on orders in time."""
    even = "weights of even steps at uneven ones"
    return (
        Claim(
            "time-formulas",
            "The differentiation formulas have orders 1 and 2 at uneven steps (exact solution)",
            formulas,
            {even: partial(formulas, even_steps_assumed)},
        ),
        *(
            Claim(
                f"time-blocks-{dimension}d",
                "Lithium and salt, each alone, are marched with orders 1 and 2 "
                f"(manufactured in time, {dimension}D)",
                partial(swinging_blocks, dimension),
                {even: partial(swinging_blocks, dimension, even_steps_assumed)},
                quick=False,
            )
            for dimension in (2, 3)
        ),
        *(
            Claim(
                f"time-manufactured-{dimension}d",
                f"The stepper has orders 1 and 2 (all fields manufactured in time, {dimension}D)",
                partial(swinging_cell, dimension),
                {even: partial(swinging_cell, dimension, even_steps_assumed)},
                quick=dimension == 2,
            )
            for dimension in (2, 3)
        ),
        Claim(
            "time-cell",
            "The stepper has orders 1 and 2 on a whole cell (against many more steps)",
            whole_cell,
            {even: partial(whole_cell, even_steps_assumed)},
            quick=False,
        ),
    )
