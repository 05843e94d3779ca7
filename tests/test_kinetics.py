"""Currents through surfaces: when their derivatives are computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from helpers.cells import cell, run
from heterode.physics.kinetics import Flux

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Counted:
    """A law that counts how often it is evaluated and how often it is differentiated."""

    law: Any
    counts: dict[str, int] = field(default_factory=lambda: {"values": 0, "derivatives": 0})

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.law.fields)

    def __call__(self, values: Mapping[str, Floats], V: float, I: float) -> Flux:
        self.counts["values"] += 1
        flux = self.law(values, V, I)

        def differentiate() -> Mapping[str, Floats]:
            self.counts["derivatives"] += 1
            return flux.derivatives

        return Flux(flux.value, differentiate, flux.largest_exponent)


def test_derivatives_are_computed_where_newton_linearises_and_nowhere_else() -> None:
    model = cell("single_disc_2d", ('protocol.steps=["charge at 1C for 5 min"]',))
    counted = {n: Counted(term.law) for n, term in model.system.surfaces.items()}
    for name, term in model.system.surfaces.items():
        model.system.surfaces[name] = replace(term, law=counted[name])
    run(model)
    linearisations = model.bordered.linearisations
    for law in counted.values():
        assert law.counts["derivatives"] == linearisations
        assert law.counts["values"] > 5 * linearisations
