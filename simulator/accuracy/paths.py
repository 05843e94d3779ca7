"""Jumps of the current at the surface of particles of one radius, as far as no mesh matters.

All particles share one potential. At an equal current a large one would run ahead of the others, to
where U plunges; in a cell it leaves current to them instead. So none counts as further than the
median one comes after a jump.

Where the voltage plunges at the end of a step, an error of the voltage says little: there it may be
as large as the change of the voltage in TIME_SHIFT of the time since the jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heterode.accuracy.electrode import SurfaceLaw
from heterode.accuracy.jumps import Jump

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TIME_SHIFT = 5e-4
"""Share of the time since a jump by which a voltage may come early or late."""

PER_DECADE, DECADES = 16, (-11, 3)
"""Times of the tables of errors, in D t/R^2: their number in a decade, and the decades."""

TIMES: Floats = np.asarray(
    np.logspace(*DECADES, PER_DECADE * (DECADES[1] - DECADES[0]) + 1), dtype=np.float64
)


@dataclass(frozen=True, eq=False)
class Path:
    """Jumps at the surface of particles of one radius, as far as they do not depend on a mesh.

    Attributes:
        row: (J, T, H) places in the table of errors, share: their shares of the next row.
        scale: (J, H) change of the lithium fraction for a unit of error.
        crowding: (J, T) factors by which an uneven current raises the error at most.
        exact: (J, T) exact lithium fraction at the surface.
        slope: (J, T) dV/ds there, V.
        allowed: (J, T) errors of the voltage that are but a shift in time, V.
        current: (J, 1) current after the jump.
        counts: (J, T) whether the time counts.
    """

    row: Ints
    share: Floats
    scale: Floats
    crowding: Floats
    exact: Floats
    slope: Floats
    allowed: Floats
    current: Floats
    counts: npt.NDArray[np.bool_]

    def errors(self, table: Floats) -> Floats:
        """Return the error of the surface's lithium fraction, (J, T), by a table of errors."""
        values = table[self.row] + self.share * (table[self.row + 1] - table[self.row])
        errors: Floats = np.einsum("jth,jh->jt", values, self.scale)
        return errors

    def bounds(self, table: Floats) -> Floats:
        """Return a bound of the voltage's error at this radius, (J, T) V, for small errors."""
        return self.slope * self.crowding * self.errors(table)

    def voltages(self, table: Floats, law: SurfaceLaw, *, crowded: bool) -> Floats:
        """Return the error of the voltage at this radius, (J, T) V, or a bound if crowded."""
        errors = self.errors(table) * (self.crowding if crowded else 1.0)
        return law.voltage(self.exact + errors, self.current) - law.voltage(
            self.exact, self.current
        )


def path_of(law: SurfaceLaw, radius: float, jumps: Sequence[Jump]) -> Path:
    """Return what jumps do at the surface of particles of a radius, m."""
    T = max((jump.after.size for jump in jumps), default=0)
    H = max((jump.changes.size for jump in jumps), default=0)
    shape = (len(jumps), T)
    times, scale = np.ones((*shape, H)), np.zeros((len(jumps), H))
    exact, allowed, crowding = np.full(shape, 0.5), np.zeros(shape), np.ones(shape)
    counts, slope = np.zeros(shape, dtype=bool), np.zeros(shape)
    for j, jump in enumerate(jumps):
        D = _least_diffusivity(law, jump, radius)
        t, h = jump.after.size, jump.changes.size
        times[j, :t, :h] = D / radius**2 * jump.ages()
        scale[j, :h] = -law.per_current * radius / D * jump.changes
        shared = _shared(law, jump)
        exact[j, :t] = np.clip(jump.surface(law, radius, D), shared.min(), shared.max())
        slope[j, :t] = law.slope(exact[j, :t], jump.current)
        counts[j, :t] = True
        risen = law.potential(exact[j, :t]) - law.potential(jump.means(law))
        crowding[j, :t] = law.crowding(exact[j, :t], jump.current, risen)
        if t > 1:
            V = law.voltage(shared, jump.current)
            allowed[j, :t] = TIME_SHIFT * np.abs(np.gradient(V, np.log(jump.after)))
    place = (np.log10(times) - DECADES[0]) * PER_DECADE
    place = np.clip(place, 0.0, TIMES.size - 1.000001)
    row = place.astype(np.int64)
    current = np.array([[jump.current] for jump in jumps])
    return Path(row, place - row, scale, crowding, exact, slope, allowed, current, counts)


def _shared(law: SurfaceLaw, jump: Jump) -> Floats:
    """Return the surface's lithium fraction in the median particle after a jump, (T,)."""
    radius = float(np.median(law.particles.radius))
    return jump.surface(law, radius, _least_diffusivity(law, jump, radius))


def _least_diffusivity(law: SurfaceLaw, jump: Jump, radius: float) -> float:
    """Return the least diffusivity at the lithium fractions after a jump."""
    first = law.diffusivity(np.array([jump.fraction]))
    reached = jump.surface(law, radius, first)
    return law.diffusivity(np.concatenate([[jump.fraction], reached]))
