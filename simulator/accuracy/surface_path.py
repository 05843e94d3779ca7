"""The jumps of a protocol at the surface of particles of one radius, as errors meet them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heterode.accuracy.electrode import SurfaceLaw

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SurfacePath:
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
