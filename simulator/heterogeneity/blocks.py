"""Sub-fields of about equal size: what a jackknife leaves out one at a time.

Particles themselves are never resampled: their neighbours would be gone, and the scale comes out
far too large (76 um for a true 53).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heterode.heterogeneity.marks import Floats, Ints, MarkedPoints

# Sub-fields aimed at: 3 x 3 in a square field.
_WANTED = 9


def block_shape(points: MarkedPoints, number: int) -> Ints:
    """(d,) blocks in each direction of a field, together about `number`, about as long as wide."""
    side = (points.extent / number) ** (1 / points.dimension)
    return np.asarray(np.maximum(1, np.round(points.sides_um / side)), dtype=np.int64)


def block_of(points: MarkedPoints, positions_um: Floats, shape: Ints) -> Ints:
    """(n,) number of the block in which each of (n, d) positions lies."""
    low = points.window_um[:, 0]
    place = ((positions_um - low) / points.sides_um * shape).astype(np.int64)
    place = np.clip(place, 0, shape - 1)
    return np.asarray(np.ravel_multi_index(tuple(place.T), tuple(shape)), dtype=np.int64)


class SubFields:
    """Blocks over all fields: whole fields where there are many, parts of each otherwise."""

    def __init__(self, fields: Sequence[MarkedPoints]) -> None:
        many = len(fields) >= _WANTED
        each = -(-_WANTED // len(fields))
        whole = np.ones(fields[0].dimension, dtype=np.int64)
        self._fields = list(fields)
        self._shapes = [whole if many else block_shape(field, each) for field in fields]
        self._first = np.cumsum([0, *(int(np.prod(shape)) for shape in self._shapes)])

    def __len__(self) -> int:
        return int(self._first[-1])

    def of(self, field: int, positions_um: Floats) -> Ints:
        """(n,) block, 0 .. len-1, of each of (n, d) positions in a field."""
        points, shape = self._fields[field], self._shapes[field]
        return np.asarray(self._first[field] + block_of(points, positions_um, shape))


def jackknife_error(without: Floats) -> float:
    """Standard error of an estimate from its (G,) values without each block; NaN if one is NaN."""
    count = without.size
    if count < 2 or not np.isfinite(without).all():
        return float("nan")
    return float(np.sqrt((count - 1) / count * np.sum((without - without.mean()) ** 2)))
