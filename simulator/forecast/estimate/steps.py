"""Estimates how many time steps a protocol takes.

Time steps grow from the first one to the largest, and keep that length until the protocol step
ends; in a current table they start small again at each row. First one, growth and largest follow
from the accuracy of the time steps by laws that were fitted to counted runs (`_Pace`). The duration
of a protocol step follows from its current and the open-circuit curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from heterode.forecast.regimes import areal_capacity
from heterode.parameters import Parameters
from heterode.parameters.operation import Solver
from heterode.protocol import Cutoff, Rate, Step
from heterode.protocol.sequence import first_place, following, length, open_passes, task_at

REFERENCE_CHARGE = 7200.0
"""Duration of a full charge, s, at which the laws of `_Pace` were fitted first."""

SHORTEST = 0.01
"""Shortest time step, s, that is taken for the sake of the error after a jump of the current."""

EASIER = 2.5
"""How many times the error is allowed, in effect, in later steps of a protocol: the first one
mostly begins where the open-circuit curve is steepest, near full lithiation."""

LESS_BINDING = {
    "voltage_tolerance": 1.0,
    "fraction_tolerance": 5.0,
    "concentration_tolerance": 5.0,
}
"""How much smaller than the voltage's a tolerance must be, in units of its default, to bind."""

HOLDING = 0.1
"""Rough time constant of the current's decay at constant voltage, in durations of a full charge."""

MOST_PASSES = 1000
"""Largest number of passes that are counted of a group without a number of repetitions."""

MOST_STEPS = 20_000
"""Number of protocol steps that are examined one by one; the rest has the same average."""


@dataclass(frozen=True)
class _Pace:
    """The lengths of the time steps at an accuracy.

    The laws fit 45 runs on meshes/five_discs_2d.msh, of 13 to 258 time steps, within 25 %: charges
    at 1C, C/2 and C/40, pulses, rests and a hold, with accuracies from 0.1 to 100 mV and with the
    tolerance of V or of the lithium fraction alone. At C/40 the latter hardly binds: there 1e-6 and
    1e-7 took 60 and 98 steps, and not 78 and 166. On a curve with more bends, that of NMC811,
    pulses and params/nmc811.toml at 0.1 mV took 115 and 191, and not 150 and 124.

    Attributes:
        accuracy: that of the time steps, in mV: 1 with the default tolerances.
        largest_fraction: largest time step that is allowed, in durations of a full charge.
    """

    accuracy: float
    largest_fraction: float

    @classmethod
    def of(cls, solver: Solver) -> _Pace:
        """Return the pace by the tolerances, which follow from the accuracy or are written."""
        fields = Solver.model_fields
        ratios = [
            factor * getattr(solver, name) / float(fields[name].default)
            for name, factor in LESS_BINDING.items()
        ]
        return cls(min(ratios), solver.maximum_step_fraction)

    def eased(self) -> _Pace:
        """Return the pace of all steps of the protocol but the first, see EASIER."""
        return replace(self, accuracy=EASIER * self.accuracy)

    def first(self, full: float) -> float:
        """Return the first time step after a jump of the current, s.

        Args:
            full: duration of a full charge at this current, s.
        """
        eased = self.accuracy * full / REFERENCE_CHARGE / 5.0
        allowed = 0.1 * (eased**2 if eased > 1.0 else eased**0.6)
        return min(max(allowed, SHORTEST), 1.0, 1e-4 * full)

    def growth(self, full: float) -> float:
        """Return the ratio of a time step to the one before while they grow."""
        eased = self.accuracy * math.sqrt(full / REFERENCE_CHARGE)
        return 1.0 + min(0.3 * math.cbrt(eased), 1.0)

    def largest(self, full: float) -> float:
        """Return the largest time step, s: the error bounds it too where the voltage is smooth."""
        return full * min(self.largest_fraction, 0.04 * math.cbrt(self.accuracy))


@dataclass
class _Walk:
    """The state of the cell during the protocol, as far as it is known.

    Attributes:
        parameters: parameters of the run.
        pace: the lengths of its time steps.
        one_C: current density of 1C, A m^-2.
        width: lithium fraction that a full charge extracts.
        fraction: mean lithium fraction.
        current: current density of the last step that has one, A m^-2.
    """

    parameters: Parameters
    pace: _Pace
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
            goal = float(self.parameters.curve.lithium_fraction(value))
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
        if not math.isfinite(lasts):
            lasts = full
        largest = self.pace.largest(full)
        if step.kind == "rest":
            largest = min(largest, lasts / 10.0)
        # Where the voltage is held, its error limits no step.
        free = min(1.0, 1e-4 * full) if step.kind == "hold" else self.pace.first(full)
        first = min(self.parameters.solver.initial_step or free, largest)
        if first <= 0.0:
            return 1
        growth = self.pace.growth(full)
        growing = math.log(largest / first) / math.log(growth)
        covered = (largest - first) / (1.0 - 1.0 / growth)
        if lasts <= covered:
            grown = math.log1p((growth - 1.0) * lasts / first) / math.log(growth)
            # One step takes all but what rounding leaves of it.
            return max(1, math.ceil(grown - 1e-9))
        return math.ceil(growing + (lasts - covered) / largest)


def expected_steps(parameters: Parameters) -> int:
    """Return the number of time steps that the protocol takes."""
    material, root = parameters.active_material, parameters.protocol.sequence
    one_C = areal_capacity(parameters) / 3600.0
    least, most = material.lithium_fraction_window
    start = material.initial_lithium_fraction
    pace = _Pace.of(parameters.solver)
    walk = _Walk(parameters, pace, one_C, most - least, start, one_C)
    place, count, walked = first_place(root), 0, 0
    while place and walked < MOST_STEPS:
        task = task_at(root, place)
        steps, leaving = walk.step(task.step, task.endings)
        count, walked = count + steps, walked + 1
        walk.pace = pace.eased()
        place = following(root, place, leaving)
        if place and open_passes(root, place) >= MOST_PASSES:
            break
    return round(count * (max(1.0, length(root) / walked) if place else 1.0))
