"""Norms of vectors of all fields, and tolerances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from heterode.solver.discretisation.layout import FieldLayout

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tolerances:
    """The tolerances of a time step.

    Attributes:
        fields: allowed time error of each field, in the field's own unit.
        voltage: allowed time error of the cell voltage, V.
        update: largest Newton update at convergence, as a fraction of the time errors.
        charge: largest |sum of interface currents - I| over the current at convergence. It also
            bounds the lithium that particles lose without passing their surfaces.
        iterations: largest number of Newton iterations.
    """

    fields: Mapping[str, float]
    voltage: float
    update: float
    charge: float
    iterations: int


class FieldNorms:
    """Root mean square of a field over its domain, independent of mesh grading and ranks.

    Args:
        layout: positions of the fields.
        volumes: (owned,) integral of each basis function, ordered by field.
    """

    def __init__(self, layout: FieldLayout, volumes: Floats) -> None:
        self._layout, self._volumes = layout, volumes
        self._domains = self._sums(np.ones_like(volumes))

    def _sums(self, squares: Floats) -> Floats:
        weighted = self._volumes * squares
        local = np.array(
            [weighted[self._layout.slices[name]].sum() for name in self._layout.fields]
        )
        total = np.empty_like(local)
        self._layout.comm.Allreduce(local, total, op=MPI.SUM)
        return total

    def __call__(self, vector: Floats) -> dict[str, float]:
        """Return the norm of each field of an owned vector. Collective."""
        mean_squares = self._sums(vector * vector) / self._domains
        return dict(zip(self._layout.fields, np.sqrt(np.abs(mean_squares)).tolist(), strict=True))
