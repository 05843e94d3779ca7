"""Refuses states that only exist because the equations are smoothed, and says why."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from heterode.physics.kinetics import LARGEST_EXPONENT, Flux
from heterode.results.sample import Extremes
from heterode.solver.equations.system import CellSystem

Floats = npt.NDArray[np.float64]


class Limits:
    """The ranges that the table of balances allows its fields.

    Args:
        system: has the table and the surfaces.
    """

    def __init__(self, system: CellSystem) -> None:
        self._system, self._layout = system, system.layout

    def extremes(self, vector: Floats, fluxes: Mapping[str, Flux]) -> tuple[Extremes, str]:
        """Return the extremes of a state, and why it is refused or "". Collective.

        There is one reduction over all ranks.

        Args:
            vector: (owned,) state, to which the fields' functions are set.
            fluxes: surface currents at that state.
        """
        layout, parts = self._layout, []
        for row, watched in layout.table.all_watched:
            if watched.surface is None:
                parts.append(vector[layout.slices[row.field]])
            else:
                nodes = self._system.surfaces[watched.surface.name].trace.dofs[row.field]
                parts.append(layout.functions[row.field].x.array[nodes])
        parts.append(np.array([flux.largest_exponent for flux in fluxes.values()]))
        *ranges, (_, exponent) = self._over_ranks(*parts)
        extremes: dict[str, tuple[float, float]] = {}
        for (_, watched), found in zip(layout.table.all_watched, ranges, strict=True):
            if why := watched.refused(*found):
                return extremes, why
            extremes[watched.quantity] = found
        if exponent > LARGEST_EXPONENT:
            return extremes, "an overpotential left the range of the kinetic law (1.5 V)"
        return extremes, ""

    def shown(self, vector: Floats) -> str:
        """Return the ranges of an unconverged state in brackets, for a message. Collective."""
        shown = [(row, w.shown) for row, w in self._layout.table.all_watched if w.shown]
        ranges = self._over_ranks(*(vector[self._layout.slices[row.field]] for row, _ in shown))
        if not np.isfinite(ranges).all():
            return ""
        texts = [
            text.format(low=low, high=high)
            for (_, text), (low, high) in zip(shown, ranges, strict=True)
        ]
        return f" ({', '.join(texts)})"

    def _over_ranks(self, *parts: Floats) -> list[tuple[float, float]]:
        """Return the least and largest value of each part over all ranks, by one reduction."""
        ends = [(-np.min(part, initial=np.inf), np.max(part, initial=-np.inf)) for part in parts]
        local = np.array(ends, dtype=np.float64)
        extremes = np.empty_like(local)
        self._layout.comm.Allreduce(local, extremes, op=MPI.MAX)
        return [(-float(low), float(high)) for low, high in extremes]
