"""Measured curves that should fall and do not: the largest rise, and the nearest falling curve.

Open-circuit potentials fall with the lithium fraction (a phase of which they rose would separate).
Measured tables rise in places by the noise of the measurement, up to a few mV.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TILT = 1e-9
"""Slope that is subtracted from a curve with level pieces, V, so that its inverse is one number."""


def largest_rise(values: Array) -> tuple[float, int, int]:
    """Return the largest rise from any value (N,) to a later one, and the places of the two."""
    least = np.minimum.accumulate(values)
    rises = values - least
    top = int(np.argmax(rises))
    return float(rises[top]), int(np.argmin(values[: top + 1])), top


def falling(x: Array, values: Array) -> Array:
    """Return the falling values (N,) nearest to given ones in the sum of squares.

    It is the isotonic regression: neighbours that rise are replaced by their mean, until none do.
    Values that fall already are returned as they are.
    """
    if np.all(np.diff(values) < 0.0):
        return values
    means: list[float] = []
    counts: list[int] = []
    for value in values:
        means.append(float(value))
        counts.append(1)
        while len(means) > 1 and means[-1] >= means[-2]:
            total = counts[-1] + counts[-2]
            mean = (means[-1] * counts[-1] + means[-2] * counts[-2]) / total
            del means[-1], counts[-1]
            means[-1], counts[-1] = mean, total
    level = np.repeat(np.array(means), counts)
    return np.asarray(level - TILT * (x - x[0]), dtype=np.float64)
