"""The lithium fractions that a protocol reaches, along the open-circuit curve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from heterode.parameters import Parameters
from heterode.protocol.records import Cutoff, Group, Item, Step

Fractions = tuple[float, float]


def visited_fractions(p: Parameters, capacity: float) -> Fractions:
    """Return the least and largest mean lithium fraction at a slow rate, including the start.

    Args:
        p: parameters of the run.
        capacity: capacity between the ends of the voltage window, C m^-2.
    """
    walk = _Walk(p, capacity)
    walk.through(p.protocol.steps, p.protocol.repeat)
    return min(walk.seen), max(walk.seen)


class _Walk:
    def __init__(self, p: Parameters, capacity: float) -> None:
        material = p.active_material
        self._curve = p.curve
        least, most = material.lithium_fraction_window
        self._per_charge = (most - least) / capacity
        self._one_C, self._potential = capacity / 3600.0, material.mean_potential
        self._x = material.initial_lithium_fraction
        self.seen = [self._x]

    def through(self, items: Sequence[Item], repeat: int | None) -> None:
        # A second pass starts elsewhere than the first; later ones add little.
        for _ in range(2 if repeat is None else min(repeat, 2)):
            for item in items:
                if isinstance(item, Group):
                    self.through(item.steps, item.repeat)
                    self._end_at(item.until)
                else:
                    self._take(item)

    def _end_at(self, cutoffs: Sequence[Cutoff]) -> None:
        for x in self._goals(cutoffs):
            self._at(x)

    def _at(self, x: float) -> None:
        self._x = min(max(float(x), 0.0), 1.0)
        self.seen.append(self._x)

    def _take(self, step: Step) -> None:
        if step.voltage is not None:
            self._at(float(self._curve.lithium_fraction(step.voltage)))
        elif step.table is not None:
            passed = accumulate(charge for _, charge in step.table.charges())
            path = [self._x - self._per_charge * charge for charge in passed]
            self.seen += [min(max(x, 0.0), 1.0) for x in path]
            self._at(path[-1])
        elif step.kind in ("charge", "discharge"):
            sign = -1.0 if step.kind == "charge" else 1.0
            goals = [*self._goals(step.cutoffs), *self._moved(step, sign)]
            ahead = [x for x in goals if sign * (x - self._x) > 0.0]
            if ahead:
                self._at(min(ahead, key=lambda x: abs(x - self._x)))

    def _goals(self, cutoffs: Sequence[Cutoff]) -> Iterator[float]:
        """Yield the lithium fractions of the cut-offs."""
        for cutoff in cutoffs:
            if not isinstance(cutoff.value, float):
                continue
            if cutoff.quantity == "voltage":
                yield float(self._curve.lithium_fraction(cutoff.value))
            elif cutoff.quantity == "lithium fraction":
                yield cutoff.value

    def _moved(self, step: Step, sign: float) -> Iterator[float]:
        """Yield the lithium fractions at which time and capacity end a step."""
        current = step.current_density(self._one_C, self._potential) or 0.0
        time, charge = step.cutoff("time"), step.cutoff("capacity")
        if isinstance(time, float):
            yield self._x + sign * self._per_charge * current * time
        if isinstance(charge, float):
            yield self._x + sign * self._per_charge * charge
