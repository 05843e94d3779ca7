r"""The jumps of the current in a protocol, and what surfaces do after them.

One particle with the exact response to a step of its flux (heterode.accuracy.series) follows the
protocol: n volumes per surface in all, all surfaces alike, no electrolyte. For particles of radius
R its surface's lithium fraction is

    s(t) = mean(t) - sum over jumps of  dI / (S F c_max)  R/D  dev(D (t - t_j)/R^2)

with the jumps dI of the current, A m^-2 of the collector, the particles' surface S per collector
area, and the response dev of the surface less that of the mean. A step of the protocol ends by its
duration, charge or voltage, whichever is first.

The voltage of a hold is given, so its error is none; where it lies away from the voltage before,
its current counts as the constant one that would take the surface there in HOLD_TIME. Of a table,
the rows with the largest jumps stand for all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from heterode.accuracy.electrode import SurfaceLaw
from heterode.accuracy.record import SETTLED
from heterode.accuracy.series import deviation
from heterode.protocol import Rate, Step
from heterode.protocol.records import CurrentTable, each_step
from heterode.protocol.sequence import Task, first_place, following, task_at

Floats = npt.NDArray[np.float64]

HOLD_TIME = 10.0
"""Time in which a hold's voltage is reached, for the estimate of its current, s."""

REMEMBERED = 16
"""Jumps before now that are kept one by one; older ones count as one."""

INSTANTS = 40
"""Times after a jump at which the voltage is looked at."""

MOST_STEPS = 300
"""Steps of the protocol that are followed; of later ones only those with a new text."""

ROWS = 12
"""Rows of a current table that are planned for."""

NEARLY_EMPTY = 1e-3
"""Mean lithium fraction, or vacancy, at which a step without another end does end."""


@dataclass(frozen=True)
class Jump:
    """A jump of the current, with those before it.

    Attributes:
        text: step of the protocol.
        fraction: mean lithium fraction at the jump.
        current: current after it, A m^-2 of the collector, positive on charge.
        after: (T,) times after it at which the voltage counts, s.
        changes: (H,) jumps so far, A m^-2, this one last.
        since: (H,) times from each of them to this one, s.
    """

    text: str
    fraction: float
    current: float
    after: Floats
    changes: Floats
    since: Floats

    def means(self, law: SurfaceLaw) -> Floats:
        """Return the mean lithium fraction at the times after the jump, (T,)."""
        return self.fraction - self.current / law.capacity * self.after

    def ages(self) -> Floats:
        """Return the time since each jump at the times after the last, (T, H) s."""
        ages: Floats = self.after[:, None] + self.since
        return ages

    def surface(self, law: SurfaceLaw, radius: float, diffusivity: float) -> Floats:
        """Return the exact lithium fraction at the surface of particles of a radius, (T,)."""
        rise = deviation(diffusivity / radius**2 * self.ages(), law.particles.dimension)
        scale = law.per_current * radius / diffusivity
        surface: Floats = self.means(law) - scale * (rise @ self.changes)
        return surface

    @property
    def key(self) -> tuple[float, ...]:
        """What distinguishes it from jumps that need the same mesh."""
        shape = [*self.changes[-3:], *np.log(1.0 + self.since[-3:])]
        return (round(self.fraction, 2), *(float(f"{one:.2g}") for one in shape))


def jumps_of(law: SurfaceLaw) -> list[Jump]:
    """Return the distinct jumps of a run's protocol, in order."""
    root = law.parameters.protocol.sequence
    cell = _Cell(law, law.parameters.active_material.initial_lithium_fraction)
    found: dict[tuple[float, ...], Jump] = {}
    followed, seen = 0, set()
    place = first_place(root)
    while place and followed < MOST_STEPS:
        task = task_at(root, place)
        seen.add(task.step.text)
        for jump in cell.through(task):
            found.setdefault(jump.key, jump)
        place, followed = following(root, place, cell.leaving), followed + 1
    if place:
        for step in each_step(root.steps):
            if step.text not in seen:
                for jump in cell.through(Task(step, (), ())):
                    found.setdefault(jump.key, jump)
    return list(found.values())


@dataclass
class _Cell:
    """The cell on its way through a protocol.

    Attributes:
        law: the material.
        fraction: mean lithium fraction.
        current: current, A m^-2.
        changes, ages: past jumps of the current, A m^-2, and the times since, s.
        leaving: level of the group that the last step ended; None for none.
    """

    law: SurfaceLaw
    fraction: float
    current: float = 0.0
    changes: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    leaving: int | None = None

    def through(self, task: Task) -> Iterator[Jump]:
        """Follow a step, and yield its jumps."""
        step, self.leaving = task.step, None
        if step.kind == "follow" and step.table is not None:
            yield from self._along(step, step.table)
        elif step.kind == "hold":
            yield from self._held(step)
        else:
            yield from self._at_current(task)

    def _at_current(self, task: Task) -> Iterator[Jump]:
        step = task.step
        sign = {"charge": 1.0, "discharge": -1.0}.get(step.kind, 0.0)
        potential = float(self.law.potential(np.array([self.fraction]))[0])
        size = step.current_density(self.law.particles.one_C, potential)
        current = sign * size if size is not None else 0.0
        longest = self._longest(step, current)
        jump = self._jumped(step.text, current, longest)
        lasts, self.leaving = self._end(jump, task, longest)
        kept = jump.after <= lasts * (1.0 + 1e-9)
        if np.any(kept) and jump.changes[-1] != 0.0:
            yield Jump(step.text, jump.fraction, current, jump.after[kept], *self._past())
        self._pass(lasts)

    def _longest(self, step: Step, current: float) -> float:
        """Return the longest time that a step can take, s."""
        given = step.cutoff("time")
        longest = given if isinstance(given, float) else math.inf
        if current == 0.0:
            return longest if math.isfinite(longest) else 3600.0
        room = self.fraction - NEARLY_EMPTY if current > 0 else 1 - NEARLY_EMPTY - self.fraction
        longest = min(longest, max(room, NEARLY_EMPTY) * self.law.capacity / abs(current))
        charge, fraction = step.cutoff("capacity"), step.cutoff("lithium fraction")
        if isinstance(charge, float):
            longest = min(longest, charge / abs(current))
        if isinstance(fraction, float):
            way = (self.fraction - fraction) * self.law.capacity / current
            longest = min(longest, max(way, 0.0))
        return longest

    def _end(self, jump: Jump, task: Task, longest: float) -> tuple[float, int | None]:
        """Return how long a step takes, s, and the level of the group that it ends."""
        ends: list[tuple[float, int | None]] = []
        watched = [(cutoff, None) for cutoff in task.step.cutoffs]
        for cutoff, level in [*watched, *task.endings]:
            value = cutoff.value
            if isinstance(value, Rate) or jump.current == 0.0:
                continue
            if cutoff.quantity == "voltage":
                ends.append((self._reached(jump, value), level))
            if cutoff.quantity == "lithium fraction" and level is not None:
                way = (self.fraction - value) * self.law.capacity / jump.current
                ends.append((way if way > 0.0 else math.inf, level))
        first = min(ends, key=lambda end: end[0], default=(math.inf, None))
        return first if first[0] < longest else (longest, None)

    def _reached(self, jump: Jump, voltage: float) -> float:
        """Return the time at which the voltage reaches a cut-off in the current's direction, s."""
        radius = float(np.median(self.law.particles.radius))
        D = self.law.diffusivity(np.array([self.fraction]))
        V = self.law.voltage(jump.surface(self.law, radius, D), jump.current)
        beyond = np.sign(jump.current) * (V - voltage) >= 0.0
        if not np.any(beyond):
            return math.inf
        first = int(np.argmax(beyond))
        if first == 0:
            return float(jump.after[0])
        share = (voltage - V[first - 1]) / (V[first] - V[first - 1])
        begin, end = jump.after[first - 1], jump.after[first]
        return float(begin + share * (end - begin))

    def _held(self, step: Step) -> Iterator[Jump]:
        assert step.voltage is not None
        law = self.law
        radius = float(np.median(law.particles.radius))
        D = law.diffusivity(np.array([self.fraction]))
        scale = law.per_current * radius / D
        now = Jump("", self.fraction, self.current, np.array([0.0]), *self._past())
        surface = float(now.surface(law, radius, D)[0]) if self.changes else self.fraction
        goal = law.fraction(step.voltage)
        voltage = float(law.voltage(np.array([surface]), self.current)[0])
        begin = self.current
        if abs(voltage - step.voltage) > 0.02:
            response = float(
                deviation(np.array([D / radius**2 * HOLD_TIME]), law.particles.dimension)[0]
            )
            begin = self.current + (surface - goal) / (scale * response)
            jump = self._jumped(step.text, begin, HOLD_TIME)
            if jump.changes[-1] != 0.0:
                yield jump
        end = self._end_of_hold(step, begin)
        # At its end the surface has the potential of the hold, as a profile at rest of the current.
        mean = goal + scale * end / (law.particles.dimension + 2)
        average = 0.5 * (begin + end)
        charge = (self.fraction - mean) * law.capacity
        lasts = abs(charge / average) if average != 0.0 else 0.0
        given = step.cutoff("time")
        if isinstance(given, float):
            lasts = given
        self._jumped(step.text, end, HOLD_TIME)
        self._age(lasts)
        self.fraction = float(np.clip(mean, NEARLY_EMPTY, 1.0 - NEARLY_EMPTY))

    def _end_of_hold(self, step: Step, begin: float) -> float:
        until = step.cutoff("current")
        if isinstance(until, Rate):
            size = until.current_density(self.law.particles.one_C)
            return math.copysign(min(size, abs(begin)) if begin else 0.0, begin)
        return 0.1 * begin

    def _along(self, step: Step, table: CurrentTable) -> Iterator[Jump]:
        """Follow a table of currents; its largest jumps are yielded."""
        times, currents = np.array(table.times), np.array(table.currents)
        given = step.cutoff("time")
        if isinstance(given, float):
            count = max(2, int(np.searchsorted(times, given, side="right")))
            times, currents = times[:count], currents[:count]
        lengths = np.diff(times)
        # A current that is linear between rows jumps in the middle between them here.
        held = currents[:-1] if table.stepwise else 0.5 * (currents[:-1] + currents[1:])
        change = np.abs(np.diff(held, prepend=self.current))
        largest = np.argsort(-change, kind="stable")[:ROWS]
        chosen = {*largest, *np.argsort(-np.abs(held), kind="stable")[: ROWS // 2]}
        for row, (current, lasts) in enumerate(zip(held.tolist(), lengths.tolist(), strict=True)):
            room = self.fraction if current > 0.0 else 1.0 - self.fraction
            if current != 0.0 and room * self.law.capacity < abs(current) * lasts:
                return
            if row in chosen:
                earliest = SETTLED if table.stepwise else max(SETTLED, 0.5 * lasts)
                jump = self._jumped(step.text, current, lasts, earliest)
                if jump.changes[-1] != 0.0 and jump.after.size:
                    yield jump
            else:
                self._set(current)
            self._pass(lasts)

    def _jumped(self, text: str, current: float, lasts: float, earliest: float = SETTLED) -> Jump:
        """Set the current, and return the jump."""
        self._set(current)
        return Jump(text, self.fraction, current, _instants(earliest, lasts), *self._past())

    def _set(self, current: float) -> None:
        self.changes.append(current - self.current)
        self.ages.append(0.0)
        self.current = current
        if len(self.changes) > REMEMBERED:
            self.changes[:2] = [self.changes[0] + self.changes[1]]
            del self.ages[1]

    def _past(self) -> tuple[Floats, Floats]:
        return np.array(self.changes), np.array(self.ages)

    def _pass(self, lasts: float) -> None:
        """Let time pass at the present current."""
        self._age(lasts)
        moved = self.fraction - self.current / self.law.capacity * lasts
        self.fraction = float(np.clip(moved, NEARLY_EMPTY, 1.0 - NEARLY_EMPTY))

    def _age(self, lasts: float) -> None:
        self.ages = [age + lasts for age in self.ages]


def _instants(earliest: float, lasts: float) -> Floats:
    """Return times after a jump: evenly by their logarithm, and more towards the end."""
    if lasts <= earliest:
        return np.array([lasts]) if lasts > 0.5 * earliest else np.zeros(0)
    early = np.geomspace(earliest, lasts, INSTANTS - 8)
    late = lasts * np.linspace(0.5, 1.0, 9)
    return np.asarray(np.unique(np.concatenate([early, late[late > earliest]])), dtype=np.float64)
