"""How much of a protocol is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from heterode.protocol import Cutoff, Group, Item
from heterode.protocol.sequence import Place, unit_at, whole
from heterode.results.sample import Sample

Floats = npt.NDArray[np.float64]


class Course:
    """Measures how much of a protocol is done, with all steps counted alike.

    Within a step it is the share of the step's duration. If a voltage or a lithium fraction ends
    the step, it is the share of the change of mean lithium fraction that leads there (for a
    voltage, to the open-circuit value). Steps that repeat until something happens count as one.

    Args:
        protocol: the steps, or the group that repeats them.
        lithium_fraction: function that returns the open-circuit lithium fraction of a voltage, V.
    """

    def __init__(
        self, protocol: Group | Sequence[Item], lithium_fraction: Callable[[Floats], Floats]
    ) -> None:
        self._root, self._fraction = whole(protocol), lithium_fraction
        self._unit, self._begin = "", 0.0

    def fraction_done(
        self, sample: Sample, of_duration: float | None, place: Place | None = None
    ) -> float | None:
        """Return the share that is done, 0 to 1, or None if it cannot be determined.

        Args:
            sample: the state.
            of_duration: share of the step's duration that has passed; None if it has none.
            place: place of the step; None takes the sample's step number, if nothing repeats.
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
        """Return the current step and the mean lithium fraction at which it began."""
        return self._unit, self._begin

    def recall(self, memory: tuple[str, float]) -> None:
        """Continue from the memory of an earlier run."""
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
