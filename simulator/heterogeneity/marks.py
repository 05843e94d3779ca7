"""MarkedPoints: positions with a value each, the one input of every estimator here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from simulator.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FEWEST = 10


def _unset() -> Floats:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class MarkedPoints:
    """N particles of one field of view, each with a value; lengths in micrometres.

    Attributes:
        name: of the field, as messages and tables show it.
        positions_um: (N, d) centres, d = 2 or 3.
        value: (N,) the mark, such as a lithium fraction.
        weight: (N,) area or volume, positive; ones where left out.
        radius_um: (N,) or None.
        window_um: (d, 2) lower and upper bound of the field in each direction. Where left out,
            the bounding box of the centres grown by the mean radius on every side, or without
            radii by half the mean spacing (extent / N)^(1/d): the box of the centres alone is
            smaller than the field that holds the particles.

    Raises:
        InputError: wrong shapes, values that are not finite, two particles at one position, all
            values equal, fewer than 10 particles, particles outside the window.
    """

    name: str
    positions_um: Floats
    value: Floats
    weight: Floats = field(default_factory=_unset)
    radius_um: Floats | None = None
    window_um: Floats = field(default_factory=_unset)

    def __len__(self) -> int:
        return int(self.value.size)

    @property
    def dimension(self) -> int:
        """d, 2 or 3."""
        return int(self.positions_um.shape[1])

    @property
    def sides_um(self) -> Floats:
        """(d,) lengths of the window's sides."""
        raise NotImplementedError

    @property
    def extent(self) -> float:
        """Area (um^2) or volume (um^3) of the window."""
        raise NotImplementedError

    @property
    def spacing_um(self) -> float:
        """Mean spacing (extent / N)^(1/d)."""
        raise NotImplementedError

    def with_values(self, value: npt.ArrayLike) -> MarkedPoints:
        """The same particles with other values, shape (N,)."""
        raise NotImplementedError

    def chosen(self, mask: npt.ArrayLike) -> MarkedPoints:
        """Particles where the (N,) mask is true, in the same window."""
        raise NotImplementedError

    def larger_than(self, radius_um: float) -> MarkedPoints:
        """Particles of at least this radius, in the same window."""
        raise NotImplementedError

    def without_margin(self, margin_um: float) -> MarkedPoints:
        """Particles whose centre lies this far inside the window; the window shrinks likewise."""
        raise NotImplementedError
