"""How far a protocol has come."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from heterode.protocol import Cutoff, Group, Item
from heterode.protocol.sequence import Place, unit_at, whole
from heterode.results.sample import Sample

Floats = npt.NDArray[np.float64]


class Journey:
    """How far a protocol has come, as the user sees it: evenly over its steps.

    Within a step it is the share of its duration or, where a voltage or a lithium fraction ends it,
    of the way of the mean lithium fraction there (at a voltage the open-circuit value). Steps that
    repeat until something happens count as one.

    Args:
        protocol: the steps, or the group that repeats them.
        lithium_fraction: open-circuit lithium fraction of voltages, V.
    """

    def __init__(
        self, protocol: Group | Sequence[Item], lithium_fraction: Callable[[Floats], Floats]
    ) -> None:
        self._root, self._fraction = whole(protocol), lithium_fraction
        self._unit, self._begin = "", 0.0

    def fraction_done(
        self, sample: Sample, of_duration: float | None, place: Place | None = None
    ) -> float | None:
        """0 to 1, or None where nothing tells.

        Args:
            sample: the state.
            of_duration: share of the step that has passed; None if it cannot tell.
            place: of the step; None takes the sample's number, where nothing repeats.
        """
        unit, at, before, share = unit_at(self._root, place or ((sample.step, 0),))
        if str(at) != self._unit:
            self._unit, self._begin = str(at), sample.lithium_fraction_mean
        inside = of_duration
        if isinstance(unit, Group):
            inside = self._of_way(sample, unit.until)
        elif inside is None:
            inside = self._of_way(sample, unit.cutoffs)
        return None if inside is None else before + share * inside

    @property
    def memory(self) -> tuple[str, float]:
        """What is under way, and the mean lithium fraction it began at."""
        return self._unit, self._begin

    def recall(self, memory: tuple[str, float]) -> None:
        """Go on from the memory of an earlier run's journey."""
        self._unit, self._begin = str(memory[0]), memory[1]

    def _of_way(self, sample: Sample, cutoffs: Sequence[Cutoff]) -> float | None:
        for cutoff in cutoffs:
            if cutoff.quantity not in ("voltage", "lithium fraction"):
                continue
            assert isinstance(cutoff.value, float)
            goal = cutoff.value
            if cutoff.quantity == "voltage":
                goal = float(self._fraction(np.array([goal]))[0])
            way = self._begin - goal
            if way != 0.0:
                done = (self._begin - sample.lithium_fraction_mean) / way
                return float(np.clip(done, 0.0, 1.0))
        return None
