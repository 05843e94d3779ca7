"""Sub-fields of about equal size, which a jackknife leaves out one at a time.

Particles themselves are never resampled: without their neighbours, the scale would be far too large
(76 um instead of the true 53).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heterode.heterogeneity.marks import Floats, Ints, MarkedPoints

# Wanted number of sub-fields: 3 x 3 in a square field.
_WANTED = 9


def block_shape(points: MarkedPoints, number: int) -> Ints:
    """Return (d,) numbers of blocks along each direction: about `number` in all, nearly square."""
    side = (points.extent / number) ** (1 / points.dimension)
    return np.asarray(np.maximum(1, np.round(points.sides_um / side)), dtype=np.int64)


def block_of(points: MarkedPoints, positions_um: Floats, shape: Ints) -> Ints:
    """Return (n,) numbers of the blocks in which (n, d) positions lie."""
    low = points.window_um[:, 0]
    place = ((positions_um - low) / points.sides_um * shape).astype(np.int64)
    place = np.clip(place, 0, shape - 1)
    return np.asarray(np.ravel_multi_index(tuple(place.T), tuple(shape)), dtype=np.int64)


class SubFields:
    """Blocks of all fields: whole fields if there are many, otherwise parts of each field."""

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
        """Return (n,) block numbers, 0 .. len-1, of (n, d) positions in a field."""
        points, shape = self._fields[field], self._shapes[field]
        return np.asarray(self._first[field] + block_of(points, positions_um, shape))


def jackknife_error(without: Floats) -> float:
    """Return the standard error from (G,) estimates without each block; NaN if one is NaN."""
    count = without.size
    if count < 2 or not np.isfinite(without).all():
        return float("nan")
    return float(np.sqrt((count - 1) / count * np.sum((without - without.mean()) ** 2)))
