"""Estimates how many time steps a protocol takes.

Time steps grow by GROWTH from the first one to solver.maximum_step_fraction of a full charge, and
keep that length until the protocol step ends; in a current table they start small again at each
row. The duration of a protocol step follows from its current and the open-circuit curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from heterode.forecast.regimes import areal_capacity
from heterode.materials import open_circuit_potential
from heterode.parameters import Parameters
from heterode.protocol import Cutoff, Rate, Step
from heterode.protocol.sequence import first_place, following, length, open_passes, task_at

GROWTH = 1.2
"""Measured ratio of a time step to the one before while they grow."""

HOLDING = 0.1
"""Rough time constant of the current's decay at constant voltage, in durations of a full charge."""

MOST_PASSES = 1000
"""Largest number of passes that are counted of a group without a number of repetitions."""

MOST_STEPS = 20_000
"""Number of protocol steps that are examined one by one; the rest has the same average."""


@dataclass
class _Walk:
    """The state of the cell during the protocol, as far as it is known.

    Attributes:
        parameters: parameters of the run.
        one_C: current density of 1C, A m^-2.
        width: lithium fraction that a full charge extracts.
        fraction: mean lithium fraction.
        current: current density of the last step that has one, A m^-2.
    """

    parameters: Parameters
    one_C: float
    width: float
    fraction: float
    current: float

    def step(self, step: Step, endings: Sequence[tuple[Cutoff, int]]) -> tuple[int, int | None]:
        """Return the time steps of a protocol step, and the level of a group that ends with it."""
        material = self.parameters.active_material
        previous = self.current
        self.current = step.current_density(self.one_C, material.mean_potential) or previous
        full = 3600.0 * self.one_C / self.current
        sign = {"charge": 1.0, "discharge": -1.0}.get(step.kind, 0.0)
        lasts, leaving = self._given(step), None
        for cutoff in step.cutoffs:
            lasts = min(lasts, self._until(cutoff, sign, full, previous))
        for cutoff, level in endings:
            until = self._until(cutoff, sign, full, previous)
            if until <= lasts:
                lasts, leaving = until, level
        if step.table is not None:
            return self._along(step, full), leaving
        self.fraction -= sign * lasts / full * self.width
        return self._count(step, full, lasts), leaving

    def _given(self, step: Step) -> float:
        duration = step.cutoff("time")
        return duration if isinstance(duration, float) else math.inf

    def _until(self, cutoff: Cutoff, sign: float, full: float, previous: float) -> float:
        """Return the time to a cut-off, s; it is infinite if the step moves away from it."""
        value = cutoff.value
        if isinstance(value, Rate):
            ratio = max(previous / value.current_density(self.one_C), 1.0)
            return HOLDING * full * math.log(ratio)
        if cutoff.quantity == "capacity":
            return value / self.current
        if sign == 0.0 or cutoff.quantity == "time":
            return math.inf
        goal = value
        if cutoff.quantity == "voltage":
            name = self.parameters.active_material.open_circuit_potential
            goal = float(open_circuit_potential(name).lithium_fraction(value))
        return max(sign * (self.fraction - goal), 0.0) / self.width * full

    def _along(self, step: Step, full: float) -> int:
        """Return the time steps along a current table, each stretch of which starts afresh."""
        assert step.table is not None
        count, left = 0, self._given(step)
        for row, (lasts, charge) in enumerate(step.table.charges()):
            if left <= 0.0:
                break
            # If the current changes, there are at least two time steps from row to row.
            least = 1 if step.table.along(row)[1] == 0.0 else 2
            count += max(self._count(step, full, min(lasts, left)), least)
            left -= lasts
            self.fraction -= charge / (3600.0 * self.one_C) * self.width
        return count

    def _count(self, step: Step, full: float, lasts: float) -> int:
        """Return the number of steps that grow from the first to the largest, and stay there."""
        solver = self.parameters.solver
        if not math.isfinite(lasts):
            lasts = full
        largest = solver.maximum_step_fraction * full
        if step.kind == "rest":
            largest = min(largest, lasts / 10.0)
        first = min(solver.initial_step or min(1.0, 1e-4 * full), largest)
        if first <= 0.0:
            return 1
        growing = math.log(largest / first) / math.log(GROWTH)
        covered = (largest - first) / (1.0 - 1.0 / GROWTH)
        if lasts <= covered:
            return max(1, math.ceil(math.log1p((GROWTH - 1.0) * lasts / first) / math.log(GROWTH)))
        return math.ceil(growing + (lasts - covered) / largest)


def _by_tolerances(parameters: Parameters) -> float:
    """Return the factor (1 or more) by which tighter tolerances increase the number of steps.

    The local error of the second-order scheme is proportional to the cube of the step: a charge at
    C/2 took 39, 84 and 170 steps at tolerances of 1e-4, 1e-6 and 1e-7.
    """
    solver, fields = parameters.solver, type(parameters.solver).model_fields
    names = ("fraction_tolerance", "voltage_tolerance", "concentration_tolerance")
    tighter = max(float(fields[name].default) / getattr(solver, name) for name in names)
    return max(1.0, 0.45 * math.cbrt(tighter))


def expected_steps(parameters: Parameters) -> int:
    """Return the number of time steps that the protocol takes."""
    material, root = parameters.active_material, parameters.protocol.sequence
    one_C = areal_capacity(parameters) / 3600.0
    least, most = material.lithium_fraction_window
    start = material.initial_lithium_fraction
    walk = _Walk(parameters, one_C, most - least, start, one_C)
    place, count, walked = first_place(root), 0, 0
    while place and walked < MOST_STEPS:
        task = task_at(root, place)
        steps, leaving = walk.step(task.step, task.endings)
        count, walked = count + steps, walked + 1
        place = following(root, place, leaving)
        if place and open_passes(root, place) >= MOST_PASSES:
            break
    more = _by_tolerances(parameters)
    return round(count * more * (max(1.0, length(root) / walked) if place else 1.0))
